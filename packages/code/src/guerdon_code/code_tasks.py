"""What every programming task shares: how a problem becomes a prompt, reference, metrics, and its environment."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from guerdon import fields
from guerdon.protocols import Environment, Split, Task
from guerdon.rewards.base import Reward
from guerdon.sandbox import default_sandbox
from guerdon.sandbox.wire import unpack
from guerdon.types import Example, Message, Prompt
from guerdon_code.problems import CheckTest, CodeProblem, StdioTest, Test, ValueTest

FENCE = "```python\n"
_FUNCTION = "Write the Python function. Answer with one block of code and nothing else."
_PROGRAM = (
    "Write a Python program that reads its input from stdin and writes its answer to stdout. "
    "Answer with one block of code and nothing else."
)


@dataclass(frozen=True, kw_only=True)
class CodeTask(Task):
    """What the programming tasks share."""

    prefill: bool = False
    """Put the opening fence and the starter code into the policy's mouth, so that it writes what follows alone."""
    turns: int = 1
    """How often the policy may try; after a failure it is told what failed (of the tests it was shown: how)."""
    shown: int | None = None
    """How many tests the prompt shows; None for what the problems say themselves."""

    def __post_init__(self) -> None:
        fields.whole_number("turns", self.turns, 1)
        if self.shown is not None:
            fields.whole_number("shown", self.shown, 0)

    @abstractmethod
    def load(self, split: Split) -> Sequence[CodeProblem]:
        """Read or make the problems of a split."""

    @cached_property
    def _loaded(self) -> dict[str, Sequence[CodeProblem]]:
        return {}

    def examples(self, split: Split) -> Sequence[CodeProblem]:
        """The problems of a split, loaded on first use.

        Raises:
            TaskError: the files are not there or not in order.
            ConfigError: the sandbox lacks a layer that is required of it.
        """
        fields.one_of("split", split, get_args(Split))
        if split not in self._loaded:
            default_sandbox().check()  # what is wrong with it should be said now, not by every score
            problems = self.load(split)
            if self.shown is not None:
                problems = [each.model_copy(update={"shown": min(self.shown, len(each.tests))}) for each in problems]
            self._loaded[split] = problems
        return self._loaded[split]

    def prompt(self, example: Example) -> Prompt:
        """What to write, the starter code, and the tests that are shown."""
        problem = as_problem(example)
        program = any(isinstance(test, StdioTest) for test in problem.tests)
        said = [problem.question]
        if problem.starter and not self.prefill:
            said.append(f"Begin with:\n{FENCE}{problem.starter.rstrip()}\n```")
        said += [told(test) for test in problem.tests[: problem.shown]]
        messages = (Message("system", _PROGRAM if program else _FUNCTION), Message("user", "\n".join(said)))
        return Prompt(messages, forced=FENCE + problem.starter if self.prefill else "")

    def reference(self, example: Example) -> str | None:
        """The problem's own reference in a block; None where it has none."""
        problem = as_problem(example)
        return f"{FENCE}{problem.reference.rstrip()}\n```" if problem.reference else None

    def environment(self, example: Example) -> Environment | None:
        """Feedback from the tests, where there is more than one turn."""
        if self.turns == 1:
            return None
        from guerdon_code.feedback import Feedback

        return Feedback(as_problem(example), self.turns)

    def metrics(self) -> Mapping[str, Reward]:
        """Problems solved (all tests), and the share of tests passed."""
        from guerdon_code.rewards import Outcome, PassRate

        return {"solved": Outcome(), "tests": PassRate()}


def as_problem(example: Example) -> CodeProblem:
    """The example, checked to be a programming problem.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(example, CodeProblem):
        raise TypeError(f"a programming problem is needed, not {type(example).__name__} {example.id!r}")
    return example


def told(test: Test) -> str:
    """A test as a prompt shows it; nothing of a script."""
    if isinstance(test, ValueTest):
        return f"{test.call} gives {unpack(test.expected)!r}"
    if isinstance(test, StdioTest):
        return f"Input:\n{test.stdin.rstrip()}\nOutput:\n{test.stdout.rstrip()}"
    if not isinstance(test, CheckTest):
        return ""
    calls = {f"_{number}": call for number, call in enumerate(test.calls)}
    return re.sub(r"\b_\d+\b", lambda found: calls.get(found[0], found[0]), test.check)
