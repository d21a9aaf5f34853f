"""A training process killed with SIGKILL at random moments, then resumed, leaves what an undisturbed one leaves."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

for needed, hint in (("torch", "'guerdon[train]'"), ("guerdon_hello", "./examples/guerdon-hello")):
    if find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed: pip install {hint}", allow_module_level=True)

NAMES = ["ada", "alan", "barbara", "claude", "edsger", "emmy", "grace", "john", "katherine", "leslie", "mary", "tony"]
RECIPE = f"""
name: hello
task: hello/strangers
policy: {{use: tabular, with: {{states: {NAMES}, actions: ["Hello!", "Hm.", "What?"]}}}}
reward: {{sum: [{{use: hello/greets}}], then: [{{use: center, with: {{decay: 0.9}}}}]}}
train:
  steps: 60
  prompts_per_step: 9
  group_size: 16
  sampling: {{max_tokens: 1}}
  optimizer: {{lr: 0.1, schedule: cosine}}
  eval: {{examples: 3, every: 20}}
  checkpoint_every: 7
"""
CONTROLLED = (
    RECIPE.replace(
        "{sum: [{use: hello/greets}], then: [{use: center, with: {decay: 0.9}}]}",
        "{use: constrained, with: {components: {greets: hello/greets}, thresholds: {greets: 0.6}}}",
    )
    .replace("  eval:", "  loss: {kl_weight: 0.05}\n  eval:")
    .replace("train:\n", "controllers: [constrained-kl]\ntrain:\n")
)
"""Multipliers that move after every batch, and a KL weight that a controller makes of them."""


def start(folder: Path, recipe: Path, *arguments: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GUERDON_PROGRESS": "off"}
    command = [sys.executable, "-m", "guerdon.cli", "train", str(recipe), "--out", str(folder), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()


def numbers(folder: Path) -> list[dict]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if "time" not in k} for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "text"), [(0, RECIPE), (2, CONTROLLED)], ids=["plain", "controlled"])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, seed, text):
    recipe = tmp_path / "hello.yaml"
    recipe.write_text(text)
    finish(start(tmp_path / "whole", recipe))

    rng = random.Random(seed)
    folder = tmp_path / "killed"
    metrics = folder / "metrics.jsonl"
    for kill in range(3):
        process = start(folder, recipe, *(["--resume"] if (folder / "recipe.yaml").exists() else []))
        # Past the imports: from the moment the run writes, some way into it.
        goal = (metrics.stat().st_size if metrics.exists() else 0) + 1
        while process.poll() is None and not (metrics.exists() and metrics.stat().st_size >= goal):
            time.sleep(0.002)
        time.sleep(rng.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert kill or process.returncode == -signal.SIGKILL, "the first kill came after the end"
    finish(start(folder, recipe, "--resume"))

    assert numbers(folder) == numbers(tmp_path / "whole")
    assert [path.name for path in sorted((folder / "checkpoints").iterdir())] == [
        path.name for path in sorted((tmp_path / "whole" / "checkpoints").iterdir())
    ]
