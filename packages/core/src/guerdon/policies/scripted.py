"""A policy that says what it was told to: for tests, baselines, and scoring text that came from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import PolicyError
from guerdon.protocols import Sampling, StepLogprobs, Task
from guerdon.types import Example, Group, Rollout, Segment

if TYPE_CHECKING:
    import torch

Script = Mapping[str, Sequence[str]] | Callable[[Example], Sequence[str]]


class ScriptedPolicy:
    """Fixed completions: by example id, or from a function of the example. Single turns; nothing to learn.

    Attempt k at an example is its completion number k, beginning again where there are fewer than asked for. Rollouts
    have text and no policy steps, so they can be scored and reported, and every update over them is empty.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.version = 0

    def sample(self, task: Task, examples: Sequence[Example], n: int, sampling: Sampling, *, seed: int) -> list[Group]:
        """See `guerdon.protocols.Policy.sample`; sampling and seed change nothing.

        Raises:
            PolicyError: the script has nothing for an example, or the example has an environment.
        """
        groups = []
        for example in examples:
            if task.environment(example) is not None:
                raise PolicyError(f"a scripted policy speaks once; example {example.id!r} has an environment")
            lines = self._lines(example)
            texts = [lines[k % len(lines)] for k in range(n)]
            groups.append(Group.of([self._rollout(task, example, text, k) for k, text in enumerate(texts)]))
        return groups

    def _lines(self, example: Example) -> Sequence[str]:
        lines = self.script(example) if callable(self.script) else self.script.get(example.id, ())
        if not lines:
            raise PolicyError(f"the script has nothing for example {example.id!r}")
        return lines

    def _rollout(self, task: Task, example: Example, text: str, index: int) -> Rollout:
        prompt = task.prompt(example)
        forced = (Segment("forced", prompt.forced),) if prompt.forced else ()
        return Rollout(example, (*forced, Segment("policy", text)), prompt, policy_version=self.version, index=index)

    def logprobs(self, rollouts: Sequence[Rollout], *, temperature: float = 1.0, grad: bool = True) -> StepLogprobs:
        """Zero steps for each rollout."""
        import torch

        return StepLogprobs(torch.zeros(0, requires_grad=grad), torch.zeros(0), (0,) * len(rollouts))

    def parameters(self) -> list[torch.nn.Parameter]:
        """None."""
        return []

    def cost(self, rollouts: Sequence[Rollout]) -> int:
        """Nothing."""
        return 0

    def reference_rollout(self, task: Task, example: Example, text: str) -> Rollout:
        """The rollout that says `text`."""
        return self._rollout(task, example, text, 0)

    def snapshot(self) -> ScriptedPolicy:
        """Another of the same script."""
        copied = ScriptedPolicy(self.script)
        copied.version = self.version
        return copied

    def updated(self) -> None:
        """Count the update."""
        self.version += 1

    def save(self, path: Path) -> None:
        """Make the folder; there is nothing to put in it."""
        path.mkdir(parents=True, exist_ok=True)

    def load(self, path: Path) -> None:
        """Nothing to read."""
