"""`ResumeExample`: one candidate for one job, as every screening task yields it; `Person`: what no prompt shows."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from guerdon.types import Example

Attribute = Literal["name", "gender", "age", "gap", "school"]
"""What must not change a verdict."""

CHOSEN = frozenset({"APPROVE", "CONSIDER", "STRONGLY_CONSIDER", "SELECTED"})
"""Words that stand for SELECTED, in gold rows and in answers."""
REFUSED = frozenset({"REJECT", "REJECTED"})


class Person(BaseModel):
    """What a resume says of its author beside the work: phrases that stand in its text word for word.

    They are kept so that an audit can swap them. No prompt but `shown: whole` has any of them; no reward reads them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    gender: str = ""
    """As the text has it: "she/her"."""
    born: str = ""
    """"Born 1975"."""
    graduated: str = ""
    """"Graduated 1997": says the age too."""
    gap: str = ""
    """The line of a career break: "Career break 2011 - 2013: parental leave"."""
    school: str = ""


class ResumeExample(Example):
    """One candidate for one job: what the screener sees, the verdict that is right, and why."""

    title: str = ""
    """Of the job."""
    job_skills: tuple[str, ...] = ()
    """What the job asks for, as its ad words it."""
    present_skills: tuple[str, ...] = ()
    """Those of `job_skills` that the candidate has, in the ad's words: gold, never shown."""
    candidate_skills: tuple[str, ...] = ()
    """The candidate's skills in the candidate's own words, as the prompt shows them."""
    experience: str = ""
    """What is said of the experience, in words."""
    years: Annotated[float, Field(ge=0.0, le=80.0)] | None = None
    """Years of experience: gold; None where nothing says how many."""
    status: str
    """The gold verdict: a word of `CHOSEN` or of `REFUSED`."""
    score: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    """The gold score; None where there is none."""
    reasons: tuple[str, ...] = ()
    """Why, in sentences, for people."""
    resume: str = ""
    """The whole text; empty where a row has none."""
    person: Person = Person()

    @field_validator("status")
    @classmethod
    def _status_is_known(cls, status: str) -> str:
        word = status.strip().upper()
        if word not in CHOSEN | REFUSED:
            raise ValueError(f"status is {status!r}; accepted are {', '.join(sorted(CHOSEN | REFUSED))}")
        return word

    @field_validator("years", "score", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: object) -> object:
        if isinstance(value, bool):  # pydantic takes one for 0 or 1
            raise ValueError(f"{value!r} is no number")
        return value

    @field_validator("years", "score")
    @classmethod
    def _is_finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{value!r} is no finite number")
        return value

    @property
    def told(self) -> str:
        """What a prompt of facts shows of the candidate, as one text: the skills, and the experience."""
        return "\n".join((", ".join(self.candidate_skills), self.experience))

    @property
    def selected(self) -> bool:
        """Whether the gold verdict is SELECTED."""
        return self.status in CHOSEN
