"""The claim of "On Designing Effective RL Reward", shrunk to seconds: a made-up reasoner that may fill its pages.

Four moves: work, filler, wrong, stop. Solved means to stop after three pieces of work and nothing wrong. The scorer of
steps likes filler best, as real ones like short steps that say nothing. The policy is a table over the reasoner's
states; shaping and returns are the product's own (`shape_steps`, `to_go`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from guerdon.advantages import to_go
from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.rewards.process import Mode, shape_steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WORK, FILLER, WRONG, STOP = range(4)
NEEDED, LONGEST = 3, 20
"""Pieces of work that solve it, and the most moves."""
STATES = (NEEDED + 1) * 3
"""Works so far (at most 3) and wrongs so far (at most 2)."""
ARMS: dict[str, Mode | None] = {
    "SR": None,
    "PR": "plain",
    "Clip": "clip",
    "Delta": "delta",
    "Clip-Delta": "clip_delta",
}
"""Success reward alone, and with each shaping of the step scores."""
TOLD = {"SR": ".974", "PR": ".003", "Clip": ".977", "Delta": ".879", "Clip-Delta": ".977"}
_TOLD_LENGTH = {"PR": "19.9", "Delta": "about 10"}


@dataclass(frozen=True)
class Attempts:
    """A batch of B attempts, each up to `LONGEST` moves."""

    states: Ints
    """(B, T); what lies behind the end of an attempt is not looked at."""
    moves: Ints
    """(B, T)."""
    scores: Floats
    """(B, T), step scores in [0, 1]."""
    lengths: Ints
    solved: NDArray[np.bool_]


@dataclass(frozen=True)
class Outcome:
    """What one arm came to on one seed, over 1,000 fresh attempts."""

    success: float
    length: float
    filler: float
    """Moves per attempt."""


@dataclass(frozen=True)
class ClipDelta(Claim):
    """Success alone, with raw step scores, and with their three shapings, at the same number of samples and updates."""

    name: ClassVar[str] = "clip_delta"
    seeds: ClassVar[int] = 5
    paper: ClassVar[str] = "On Designing Effective RL Reward at Training Time for LLM Reasoning (arXiv 2410.15115)"
    statement: ClassVar[str] = (
        "Step scores added to the success reward teach a policy to fill pages; clipped and differenced they do no harm."
    )

    updates: int = 300
    batch: int = 64
    learning_rate: float = 0.5
    alpha: float = 0.3
    """If it is tiny, all arms are success alone and the claim must fail."""
    eta: float = 0.5

    least_harm: ClassVar[float] = 0.5
    most_lost: ClassVar[float] = 0.02
    least_length: ClassVar[float] = 15.0
    most_length: ClassVar[float] = 6.0

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4), progress: Progress = no_progress) -> ClaimResult:
        """Every arm on every seed; it holds when the means meet all four of the fact sheet's bounds."""
        found: dict[str, list[Outcome]] = {arm: [] for arm in ARMS}
        total = len(seeds) * len(ARMS)
        for place, seed in enumerate(seeds):
            for offset, arm in enumerate(ARMS):
                progress(place * len(ARMS) + offset, total, f"seed {seed}, {arm}")
                found[arm].append(self.train(arm, seed))
        progress(total, total, "done")
        success = {arm: tuple(one.success for one in outcomes) for arm, outcomes in found.items()}
        measurements = [Measurement(f"success, {arm}", success[arm], earlier=TOLD[arm]) for arm in ARMS]
        length = {arm: Measurement(f"length, {arm}", tuple(one.length for one in found[arm]), "moves") for arm in ARMS}
        for arm, one in length.items():
            needed = {"PR": f">= {self.least_length:g}", "Clip-Delta": f"<= {self.most_length:g}"}.get(arm, "")
            measurements.append(Measurement(one.name, one.values, one.unit, needed, _TOLD_LENGTH.get(arm, "")))
        filler = tuple(one.filler for one in found["Delta"])
        measurements.append(Measurement("filler left, Delta", filler, "moves", earlier="about 6"))
        harm = Measurement("success, SR - PR", _apart(success["SR"], success["PR"]), needed=f">= {self.least_harm:g}")
        lost = Measurement(
            "success, Clip-Delta - SR", _apart(success["Clip-Delta"], success["SR"]), needed=f">= -{self.most_lost:g}"
        )
        held = (
            harm.mean >= self.least_harm
            and lost.mean >= -self.most_lost
            and length["PR"].mean >= self.least_length
            and length["Clip-Delta"].mean <= self.most_length
        )
        notes = (
            "A table in place of a language model, made-up step scores in place of a trained scorer, built to like "
            "filler best. Shaping is shown to do no harm; that it helps (31.4 against 30.6 on MATH in the paper) is "
            "not tested. Delta alone keeps filler: its sum is bounded, its returns still prefer what scores high."
        )
        return self.result(held, [*measurements, harm, lost], seeds, notes)

    def train(self, arm: str, seed: int) -> Outcome:
        """REINFORCE on the return from each step, against its mean over the batch's visits to the same state."""
        import numpy as np

        random = np.random.default_rng([seed, 2410])
        logits = np.zeros((STATES, 4))
        logits[:, FILLER] = -1.0
        for _ in range(self.updates):
            attempts = play(logits, self.batch, random)
            returns = self.returns(arm, attempts)
            lengths = attempts.lengths
            inside = np.arange(LONGEST)[None, :] < lengths[:, None]
            states, moves = attempts.states[inside], attempts.moves[inside]
            visits = np.bincount(states, minlength=STATES)
            mean = np.bincount(states, returns, STATES) / np.maximum(visits, 1)
            credit = returns - mean[states]
            likely = _softmax(logits)
            gradient = np.zeros_like(logits)
            np.add.at(gradient, (states, moves), credit)
            gradient -= likely * np.bincount(states, credit, STATES)[:, None]
            logits += self.learning_rate * gradient / self.batch
        final = play(logits, 1000, random)
        used = final.moves[np.arange(LONGEST)[None, :] < final.lengths[:, None]]
        return Outcome(
            float(final.solved.mean()), float(final.lengths.mean()), float((used == FILLER).sum()) / len(final.lengths)
        )

    def returns(self, arm: str, attempts: Attempts) -> Floats:
        """What is earned from each move to the end, attempt after attempt: success, and alpha times shaped scores."""
        import numpy as np

        mode = ARMS[arm]
        found: list[float] = []
        for scores, length, solved in zip(attempts.scores, attempts.lengths, attempts.solved, strict=True):
            process = to_go(shape_steps(scores[:length].tolist(), mode, self.eta)) if mode else [0.0] * int(length)
            found += [float(solved) + self.alpha * value for value in process]
        return np.array(found)


def play(logits: Floats, count: int, random: np.random.Generator) -> Attempts:
    """Attempts of the table's policy, and the step scores they get (noise of std 0.05, cut to [0, 1])."""
    import numpy as np

    cumulated = np.cumsum(_softmax(logits), axis=1)
    works, wrongs = np.zeros(count, np.int64), np.zeros(count, np.int64)
    open_, solved = np.ones(count, bool), np.zeros(count, bool)
    lengths = np.zeros(count, np.int64)
    states, moves = np.zeros((count, LONGEST), np.int64), np.zeros((count, LONGEST), np.int64)
    scores = np.zeros((count, LONGEST))
    for step in range(LONGEST):
        states[:, step] = works * 3 + wrongs
        drawn = random.random(count)[:, None]
        move = np.minimum((drawn > cumulated[states[:, step]]).sum(axis=1), STOP)
        right = (works == NEEDED) & (wrongs == 0)
        liked = np.select([move == WORK, move == FILLER, move == WRONG], [0.75, 0.9, 0.25], np.where(right, 0.9, 0.3))
        moves[:, step] = move
        scores[:, step] = np.clip(liked + 0.05 * random.standard_normal(count), 0.0, 1.0)
        lengths += open_
        solved |= open_ & (move == STOP) & right
        works = np.where(open_ & (move == WORK), np.minimum(works + 1, NEEDED), works)
        wrongs = np.where(open_ & (move == WRONG), np.minimum(wrongs + 1, 2), wrongs)
        open_ &= move != STOP
    return Attempts(states, moves, scores, lengths, solved)


def _softmax(logits: Floats) -> Floats:
    import numpy as np

    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return likely


def _apart(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(one, other, strict=True))
