"""A run is a folder: what it was asked, what it ran on, what happened, and where it can be taken up again.

```
<run>/
├── recipe.yaml                      what was asked, as text
├── versions.json                    seed, Python, platform, distributions
├── metrics.jsonl                    one line per step, durable before the next step begins
├── rollouts/<phase>-<step>.jsonl    samples with their scores, part by part
├── checkpoints/step-<step>/         whole or absent, never half
├── tensorboard/<phase>/             a view of metrics.jsonl, where tensorboard is installed
└── report.html                      written by `guerdon.diagnostics.report`
```
"""

from guerdon.runs.folder import RunFolder, step_of
from guerdon.runs.reading import find_checkpoint, kept_in, read_metrics, read_rollouts, rollout_files
from guerdon.runs.versions import versions

__all__ = [
    "RunFolder",
    "find_checkpoint",
    "kept_in",
    "read_metrics",
    "read_rollouts",
    "rollout_files",
    "step_of",
    "versions",
]
