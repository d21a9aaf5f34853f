"""`resume/jsonl-v1`: candidates from files; see `guerdon_resume.loaders` for their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import check_numbers, one_of, proper_share, whole_number
from guerdon.protocols import Split
from guerdon_resume.examples import ResumeExample
from guerdon_resume.loaders import read_candidates
from guerdon_resume.skills import canonical
from guerdon_resume.tasks import OfCandidates

Parted = tuple[tuple[ResumeExample, ...], tuple[ResumeExample, ...]]


@dataclass(frozen=True, kw_only=True)
class JsonLines(OfCandidates):
    """Rows of a file; eval has a file of its own, or is parted off, whole jobs at a time."""

    name: ClassVar[str] = "resume/jsonl-v1"

    path: str = ""
    """The file."""
    eval_path: str = ""
    """Another file for the eval split; empty: it is parted off."""
    eval_share: float = 0.1
    """How many of the rows, of 1, the eval split gets where it is parted off; at least one."""
    seed: int = 0
    """Another seed, another split."""
    limit: int | None = None
    """Read so many rows of each file, from the top; None for all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self)
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; the path of a file is needed")
        proper_share("eval_share", self.eval_share)
        if self.limit is not None:
            whole_number("limit", self.limit, 1)

    @cached_property
    def _loaded(self) -> Parted:
        path = Path(self.path).expanduser()
        train = self._read(path, "train" if self.eval_path else "row")
        if not self.eval_path:
            return _parted(train, self.eval_share, self.seed, path)
        held_out = self._read(Path(self.eval_path).expanduser(), "eval")
        if both := {each.id for each in train} & {each.id for each in held_out}:
            raise TaskError(
                f"{self.path!r} and {self.eval_path!r} share {len(both)} rows by their 'id', as {min(both)!r}; what is "
                f"held out must not be learned from"
            )
        return tuple(train), tuple(held_out)

    def _read(self, path: Path, prefix: str) -> list[ResumeExample]:
        found = read_candidates(path, self.limit, prefix)
        if self.shown == "whole" and (bare := next((each for each in found if not each.resume.strip()), None)):
            raise TaskError(f"{str(path)!r}: {bare.id!r} has no 'resume', which `shown: whole` shows")
        return found

    def examples(self, split: Split) -> Sequence[ResumeExample]:
        """The examples of a split.

        Raises:
            ConfigError: no such split.
            TaskError: a file is not there or not in order, or nothing is left for a split.
        """
        one_of("split", split, get_args(Split))
        return self._loaded[0 if split == "train" else 1]


def _parted(examples: Sequence[ResumeExample], share: float, seed: int, path: Path) -> Parted:
    """Candidates for one job together; whole jobs go to eval in a seeded order until it has its share."""
    jobs: dict[frozenset[str], list[int]] = {}
    for place, example in enumerate(examples):
        jobs.setdefault(frozenset(map(canonical, example.job_skills)), []).append(place)
    groups = list(jobs.values())
    if len(groups) < 2:
        raise TaskError(
            f"the {len(examples)} candidates of {str(path)!r} cannot be parted: they are for one job. Name a file in "
            f"eval_path"
        )
    Random(f"parted {seed}").shuffle(groups)
    room = max(1, round(share * len(examples)))
    chosen: set[int] = set()
    for group in groups[:-1]:  # the last stays, whatever the share, for train
        if len(chosen) >= room:
            break
        chosen.update(group)
    train, held_out = (
        tuple(each for place, each in enumerate(examples) if (place in chosen) == side) for side in (False, True)
    )
    return train, held_out
