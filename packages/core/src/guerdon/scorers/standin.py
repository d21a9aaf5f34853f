"""A scorer that needs no model: for tests, dry runs and examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon.protocols import Continuation

if TYPE_CHECKING:
    from guerdon.protocols import Policy


@dataclass(frozen=True)
class StandInScorer:
    """Scores by a function of the continuation; without one, by a hash. Its tokens are words.

    Deterministic, and the same in every process: each word's log-prob lies in (-4, 0) and depends on everything before
    it, as a model's does.
    """

    function: Callable[[Continuation], Sequence[float] | None] | None = None
    name: str = "stand-in"

    def logprobs(
        self, continuations: Sequence[Continuation], *, policy: Policy | None = None
    ) -> list[tuple[float, ...] | None]:
        """See `guerdon.protocols.Scorer`."""
        return [self._one(one) for one in continuations]

    def _one(self, continuation: Continuation) -> tuple[float, ...] | None:
        if self.function is not None:
            told = self.function(continuation)
            return None if told is None else tuple(float(value) for value in told)
        before = json.dumps(
            [
                [[message.role, message.content] for message in continuation.messages],
                continuation.role,
                continuation.prefix,
            ]
        )
        state = hashlib.sha256(before.encode())
        found = []
        for word in continuation.text.split():
            state.update(b" " + word.encode("utf-8", "surrogatepass"))
            share = (int.from_bytes(state.digest()[:6], "big") + 0.5) / 2**48
            found.append(-4.0 * share)
        return tuple(found)
