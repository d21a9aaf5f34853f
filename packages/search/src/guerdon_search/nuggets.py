"""The examples of Search-Gen-V: a block of text with nuggets to judge, and a question with nuggets to cover.

A nugget is one atomic point of information, written as a sentence that stands for itself.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guerdon.types import Example
from guerdon_search.label_formats import Format
from guerdon_search.labels import WEIGHTS, Importance, Label


class Nugget(BaseModel):
    """One point of information that a good answer has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(pattern=r"\S")
    importance: Importance = "vital"
    weight: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    """Of its own; None: 1 for `vital`, 0.5 for `okay`."""

    @property
    def worth(self) -> float:
        """The weight it has."""
        return WEIGHTS[self.importance] if self.weight is None else self.weight


class NuggetBlock(Example):
    """A query, a block of text, and nuggets whose labels are known: what a verifier is trained and measured on."""

    query: str
    block: str
    nuggets: tuple[str, ...]
    labels: tuple[Label, ...]
    """The truth, one for each nugget."""
    shape: Format = "json"
    """In which the prompt asks for the labels."""
    messages: tuple[tuple[str, str], ...] = ()
    """Role and content of a prompt that came with the row, shown in place of the task's own."""

    @model_validator(mode="after")
    def _as_many_labels(self) -> Self:
        if len(self.nuggets) != len(self.labels) or not self.nuggets:
            raise ValueError(
                f"block {self.id!r} has {len(self.nuggets)} nuggets and {len(self.labels)} labels; as many of "
                f"each, and at least one, are needed"
            )
        return self


class NuggetQuestion(Example):
    """A question whose answers are rewarded by the nuggets they cover; the policy is never shown these."""

    query: str
    nuggets: tuple[Nugget, ...] = ()
    """A short-form question may have none: its gold answers are its one rubric."""
    answers: tuple[str, ...] = ()
    """Gold short answers, any of which is right; none for a long-form question."""
    passages: tuple[str, ...] = ()
    """What the prompt shows to answer from."""
    reference: str = ""
    """An answer that covers every nugget, where one is known."""
