"""The example of SearchLLM: a query with its history, and what was retrieved for it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from guerdon.types import Example


class Evidence(BaseModel):
    """One retrieved document."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    relevant: bool | None = None
    """Whether it bears on the query; None where nobody knows."""


class SearchSession(Example):
    """What an answer is written from, cited as `[Doc 1]`, `[Doc 2]`, ..."""

    query: str
    history: tuple[str, ...] = ()
    """Earlier turns of the session, the user's and the answers in turn."""
    evidence: tuple[Evidence, ...] = ()
    """None at all: the answer has to decline."""
    key_terms: tuple[Annotated[str, Field(pattern=r"\S")], ...] = ()
    """Words or phrases, none blank; a sentence that holds one of them holds the core of the answer."""
    reference: str = ""
