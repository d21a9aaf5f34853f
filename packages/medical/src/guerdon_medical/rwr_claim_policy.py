"""The policy of Med-RwR's claim: softmax heads over a linear map of the image, and their gradient by hand.

Whether to query, how many words (1 to 3), which of 24 findings and 12 idle words; and an answer from a linear memory of
each disease, and a weight for the options that a retrieved document names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon_medical.rwr_claim_world import DIMENSIONS, DISEASES, WORDS, MadeWorld, Questions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from guerdon_medical.rwr_claim_world import Floats, Ints


@dataclass(eq=False)
class Heads:
    """The policy: about three thousand weights."""

    weights: dict[str, Floats]

    @classmethod
    def untrained(cls) -> Heads:
        """All zero, but for a document's weight."""
        import numpy as np

        return cls(
            {
                "query": np.zeros(1),
                "length": np.zeros(3),
                "words": np.zeros((len(WORDS), DIMENSIONS)),
                "memory": np.zeros((DISEASES, DIMENSIONS)),
                "document": np.ones(1),
            }
        )

    def ascend(self, gradient: dict[str, Floats], rate: float) -> None:
        """One step along the gradient."""
        for name, slope in gradient.items():
            self.weights[name] = self.weights[name] + rate * slope


@dataclass(frozen=True, eq=False)
class Traces:
    """N traces."""

    queried: NDArray[np.bool_]
    asked: Ints
    """(N, 3), places in `WORDS`; -1 where there is no word."""
    flags: Floats
    """(N, 60): which diseases were retrieved."""
    begin: Floats
    """(N, 4): log-probs of the options before anything was retrieved."""
    end: Floats
    """(N, 4): with what was."""
    chosen: Ints
    """(N,), places among the options."""


def answered(heads: Heads, questions: Questions, flags: Floats) -> Floats:
    """(N, 4): log-probs of the options."""
    import numpy as np

    memory = np.einsum("nod,nd->no", heads.weights["memory"][questions.options], questions.images)
    logits = memory + heads.weights["document"] * np.take_along_axis(flags, questions.options, axis=1)
    return _log_softmax(logits)


def traced(world: MadeWorld, heads: Heads, questions: Questions, rng: np.random.Generator | None) -> Traces:
    """What the policy does: drawn, or without a generator the likeliest of everything."""
    import numpy as np

    count = len(questions.gold)
    chance = 1.0 / (1.0 + np.exp(-heads.weights["query"][0]))
    queried = np.full(count, chance > 0.5) if rng is None else rng.random(count) < chance
    lengths = 1 + _drawn(np.broadcast_to(_log_softmax(heads.weights["length"]), (count, 3)), rng)
    scores = questions.images @ heads.weights["words"].T
    # The largest of logits and Gumbel noise are draws without replacement, in order.
    noise = 0.0 if rng is None else rng.gumbel(size=scores.shape)
    order = np.argsort(-(scores + noise), axis=1, kind="stable")[:, :3]
    asked = np.where(queried[:, None] & (np.arange(3) < lengths[:, None]), order, -1)
    flags = world.found(asked)
    begin = answered(heads, questions, np.zeros_like(flags))
    end = answered(heads, questions, flags)
    return Traces(queried, asked, flags, begin, end, _drawn(end, rng))


def _drawn(logprobs: Floats, rng: np.random.Generator | None) -> Ints:
    noise = 0.0 if rng is None else rng.gumbel(size=logprobs.shape)
    chosen: Ints = (logprobs + noise).argmax(axis=1)
    return chosen


def _log_softmax(logits: Floats) -> Floats:
    import numpy as np

    raised = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = raised - np.log(np.exp(raised).sum(axis=-1, keepdims=True))
    return found


def gradient_of(heads: Heads, questions: Questions, traces: Traces, weight: Floats) -> dict[str, Floats]:
    """Of the weighted log-probs of all that was drawn, by each weight."""
    import numpy as np

    count = len(weight)
    rows = np.arange(count)
    chance = 1.0 / (1.0 + np.exp(-heads.weights["query"][0]))
    asked_weight = np.where(traces.queried, weight, 0.0)
    lengths = (traces.asked >= 0).sum(axis=1)
    length = np.exp(_log_softmax(heads.weights["length"]))
    chosen = np.zeros((count, 3))
    chosen[rows[traces.queried], lengths[traces.queried] - 1] = 1.0
    scores = questions.images @ heads.weights["words"].T
    pull = np.zeros_like(scores)
    for place in range(3):
        said = traces.asked[:, place]
        there = said >= 0
        part = np.where(there[:, None], -np.exp(_log_softmax(scores)), 0.0)
        part[rows[there], said[there]] += 1.0
        pull += part
        scores[rows[there], said[there]] = -np.inf  # drawn without replacement
    slope = -np.exp(traces.end)
    slope[rows, traces.chosen] += 1.0
    slope *= weight[:, None]
    memory = np.zeros_like(heads.weights["memory"])
    np.add.at(memory, questions.options, slope[:, :, None] * questions.images[:, None, :])
    return {
        "query": np.array([float((weight * (traces.queried - chance)).sum())]),
        "length": (asked_weight[:, None] * (chosen - length)).sum(axis=0),
        "words": (asked_weight[:, None] * pull).T @ questions.images,
        "memory": memory,
        "document": np.array([float((slope * np.take_along_axis(traces.flags, questions.options, axis=1)).sum())]),
    }
