"""`resume/screening-v1`: candidates for jobs, made up from a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, get_args

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, one_of, whole_number
from guerdon.protocols import Split, Task
from guerdon.rewards import Reward
from guerdon.types import Example, Prompt
from guerdon_resume.answers import Layout, written
from guerdon_resume.examples import ResumeExample
from guerdon_resume.generate import Making, made, rubric
from guerdon_resume.loaders import read_jobs
from guerdon_resume.parts import gold_word
from guerdon_resume.prompts import Shown, prompt_of


@dataclass(frozen=True, kw_only=True)
class OfCandidates(Task):
    """What every screening task has in common: prompts, references, metrics."""

    layout: Layout = "reasons"
    """What is asked for: `reasons`, or `short` as published; the reward has the same option."""
    shown: Shown = "facts"
    """Facts alone, or the `whole` resume, name and all: see `guerdon_resume.prompts`."""

    def __post_init__(self) -> None:
        one_of("layout", self.layout, get_args(Layout))
        one_of("shown", self.shown, get_args(Shown))

    def prompt(self, example: Example) -> Prompt:
        """The job, and what there is of the candidate."""
        return prompt_of(candidate(example), self.layout, self.shown)

    def reference(self, example: Example) -> str:
        """The gold verdict, with its reasons. Where a row has no gold score, one that its status goes with."""
        return reference_of(candidate(example), self.layout)

    def metrics(self) -> Mapping[str, Reward]:
        """Accuracy, what the table of verdicts pays, precision and recall of SELECTED, what could be read, how far off
        scores are.
        """
        from guerdon_resume.metrics import screening_metrics

        return screening_metrics(self.layout)


@dataclass(frozen=True, kw_only=True)
class Screening(OfCandidates):
    """Candidates for jobs, made up. No job is in both splits; half of the candidates are to be selected.

    The gold score is 30 + 50 * share of skills + 2 * min(years, 10) + noise, and 60 points are enough: see
    `guerdon_resume.generate`.
    """

    name: ClassVar[str] = "resume/screening-v1"

    seed: int = 0
    """Another seed, other jobs and candidates."""
    train_size: int = 2700
    eval_size: int = 300
    noise: float = 3.0
    """Standard deviation of the gold score's noise, in points: with 3, about one verdict of twenty cannot be known."""
    synonyms: float = 0.5
    """Chance that a resume has another word for a skill."""
    denied: float = 0.5
    """Chance that a resume says which skill it lacks: "No experience with SQL yet."."""
    selected_share: float = 0.5
    """Share of candidates to be selected, in the mean."""
    jobs: str = ""
    """A file of real ads' skills (`guerdon_resume.loaders.read_jobs`); empty: the package's own lists."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self)
        for field in ("train_size", "eval_size"):
            whole_number(field, getattr(self, field), 0, 1_000_000)
        for field, most in (("noise", 100.0), ("synonyms", 1.0), ("denied", 1.0), ("selected_share", 1.0)):
            if not 0.0 <= getattr(self, field) <= most:
                raise ConfigError(f"{field} is {getattr(self, field)!r}; a number from 0 to {most:g} is needed")

    @cached_property
    def _loaded(self) -> dict[str, tuple[ResumeExample, ...]]:
        return {}

    def examples(self, split: Split) -> Sequence[ResumeExample]:
        """The examples of a split.

        Raises:
            ConfigError: no such split.
            TaskError: the file of jobs is not in order, or has none for a split.
        """
        one_of("split", split, get_args(Split))
        if split not in self._loaded:
            ads = read_jobs(Path(self.jobs).expanduser()) if self.jobs else ()
            making = Making(self.seed, self.noise, self.synonyms, self.denied, self.selected_share, ads)
            size = self.train_size if split == "train" else self.eval_size
            self._loaded[split] = tuple(made(split, size, making))
        return self._loaded[split]


def reference_of(example: ResumeExample, layout: Layout = "reasons") -> str:
    """The gold answer.

    >>> reference_of(ResumeExample(id="1", job_skills=("SQL",), present_skills=("SQL",), status="APPROVE", years=3))
    '{"status": "SELECTED", "score": 86, "skills": ["SQL"], "years": 3}'
    """
    score = example.score
    if score is None:
        share = len(example.present_skills) / len(example.job_skills) if example.job_skills else 0.5
        fitting = rubric(share, example.years or 0.0)
        score = max(60.0, fitting) if example.selected else min(59.0, fitting)
    return written(gold_word(example.selected), score, example.present_skills, example.years, layout)


def candidate(example: Example) -> ResumeExample:
    """The example as a candidate.

    Raises:
        TypeError: it is another domain's.
    """
    if not isinstance(example, ResumeExample):
        raise TypeError(f"this task's examples are ResumeExample, not {type(example).__name__} ({example.id!r})")
    return example
