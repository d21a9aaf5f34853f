"""A judge's backend that needs no model: for tests, dry runs and examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError


@dataclass(frozen=True)
class StandIn:
    """Answers by a function of the messages; without one, picks from `answers` by a hash of seed and question.

    Deterministic, and the same in every process.
    """

    function: Callable[[Sequence[Mapping[str, str]]], str | None] | None = None
    answers: tuple[str, ...] = ("0", "1")
    name: str = "stand-in"

    def __post_init__(self) -> None:
        if not self.answers:
            raise ConfigError("StandIn.answers is empty; at least one answer is needed")

    def answer(self, questions: Sequence[Sequence[Mapping[str, str]]], *, seed: int) -> list[str | None]:
        """See `guerdon.protocols.JudgeBackend`."""
        return [self._one(question, seed) for question in questions]

    def _one(self, question: Sequence[Mapping[str, str]], seed: int) -> str | None:
        if self.function is not None:
            return self.function(question)
        text = json.dumps([seed, [dict(message) for message in question]], sort_keys=True)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return self.answers[int.from_bytes(digest[:8], "big") % len(self.answers)]
