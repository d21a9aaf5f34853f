"""`resume/scorecard`: a screener of 80 weights, over the facts that a prompt shows (`shown: facts`).

It draws a score, in bands of five points, and selects from 60 on, so that verdict and score agree. It knows the share
of the job's skills that the candidate has under any name, the years of experience, up to ten, and whether none are
told: what the made candidates' gold score is made of. Skills and years are found as `guerdon_resume.facts` finds them,
and its answers name them; name, age, gender, gap and school are none of its facts.

Source: the rubric of the fact sheet on arXiv 2511.16073; that a policy of weights stands for the model is ours, as in
`guerdon_resume.claim`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

import numpy as np
import numpy.typing as npt

from guerdon.errors import PolicyError
from guerdon.fields import one_of
from guerdon.protocols import Task
from guerdon.types import Example
from guerdon_resume.answers import MOST_SCORE, REJECTED, SELECTED, Layout, read, written
from guerdon_resume.examples import ResumeExample
from guerdon_resume.facts import Facts, facts_of, present
from guerdon_resume.keywords import ENOUGH
from guerdon_resume.tasks import OfCandidates

if TYPE_CHECKING:
    from guerdon.policies.linear import LinearPolicy  # needs torch, and reading facts does not

BAND = 5
"""Points."""
_ENOUGH = int(ENOUGH) // BAND
"""The first band that selects."""
_YEARS = 10.0
"""More count for no more."""
_facts_of = lru_cache(maxsize=4096)(facts_of)
"""Kept, since each attempt at a candidate asks again."""


class ScoreBand:
    """A verdict's score, one decision among twenty bands; `guerdon.policies.linear.Decisions`.

    Args:
        layout: what the task's prompt asks for.
    """

    features = 4
    choices = int(MOST_SCORE) // BAND

    def __init__(self, layout: Layout = "reasons") -> None:
        one_of("layout", layout, get_args(Layout))
        self.layout: Layout = layout

    def check(self, task: Task) -> None:
        """See `guerdon.policies.linear.Decisions`.

        Raises:
            PolicyError: its prompts show whole resumes, or ask for another layout.
        """
        if not isinstance(task, OfCandidates):
            return
        if task.shown != "facts":
            raise PolicyError(f"a scorecard reads facts, and the prompts of {task.name} show the {task.shown} resume")
        if task.layout != self.layout:
            raise PolicyError(
                f"the scorecard answers in the layout {self.layout!r} and the prompts of {task.name} ask for "
                f"{task.layout!r}: set policy.with.layout={task.layout}, and the reward's likewise"
            )

    def described(self, example: Example) -> npt.NDArray[np.float64]:
        """(1, 4): 1, the share of the job's skills, tens of years up to one, and whether no years are told."""
        candidate, facts = _facts(example)
        has, asked = present(candidate.job_skills, facts.skills), set(candidate.job_skills)
        years = min(facts.years or 0.0, _YEARS) / _YEARS
        return np.array([[1.0, len(has) / len(asked) if asked else 0.0, years, float(facts.years is None)]])

    def written(self, example: Example, chosen: Sequence[int]) -> str:
        """The verdict, with the middle of the band as its score."""
        candidate, facts = _facts(example)
        (band,) = chosen
        status = SELECTED if band >= _ENOUGH else REJECTED
        has = present(candidate.job_skills, facts.skills)
        return written(status, BAND * band + BAND // 2, has, facts.years, self.layout)

    def read(self, example: Example, text: str) -> list[int]:
        """The band of an answer's score; of those that go with its status the nearest.

        Raises:
            PolicyError: it is no verdict.
        """
        verdict = read(text, self.layout)
        if verdict.fault:
            raise PolicyError(f"no verdict, for {example.id!r}: {verdict.fault}")
        band = min(int(verdict.score) // BAND, self.choices - 1)
        return [max(band, _ENOUGH) if verdict.status == SELECTED else min(band, _ENOUGH - 1)]


def scorecard(*, layout: Layout = "reasons") -> LinearPolicy:
    """The policy, with weights of 0.

    Args:
        layout: what the task's prompt asks for.
    """
    from guerdon.policies.linear import LinearPolicy

    return LinearPolicy(ScoreBand(layout))


def _facts(example: Example) -> tuple[ResumeExample, Facts]:
    """A candidate, and what is shown of it."""
    if not isinstance(example, ResumeExample):
        kind = type(example).__name__
        raise PolicyError(f"a scorecard screens candidates; {example.id!r} is no ResumeExample but {kind}")
    return example, _facts_of(example.told, example.job_skills)
