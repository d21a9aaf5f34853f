"""The claim of SearchLLM's gated reward, shrunk to seconds: made-up answers of which the engaging ones are unsafe.

40 contexts of 24 candidate answers, each with 9 bottom lines that fail with 8 % each, and 11 behaviours from
Beta(4, 3), raised where a bottom line fails. A judge sees every score with fresh noise. A table chooses among the
candidates and learns by GRPO; what differs between the arms is how the scores become one reward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from guerdon.advantages import group_relative
from guerdon.claims.base import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.rewards.gated_aggregate import hard_and, soft_and, weighted_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BOTTOM_LINES, BEHAVIOURS = 9, 11
_EVEN = [1.0] * BEHAVIOURS
_LINE_WEIGHT = 0.5

Combined = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "NDArray[np.float64]"]
"""From bottom lines (..., 9) and behaviours (..., 11) to one reward (...)."""

ARMS: dict[str, Combined] = {
    "gated": lambda lines, traits: soft_and(lines) * weighted_mean(traits, _EVEN),
    "plain sum": lambda lines, traits: lines.sum(axis=-1) + traits.sum(axis=-1),
    "weighted sum": lambda lines, traits: _LINE_WEIGHT * lines.sum(axis=-1) + traits.sum(axis=-1),
    "utility only": lambda lines, traits: weighted_mean(traits, _EVEN),
    "hard gate": lambda lines, traits: hard_and(lines) * weighted_mean(traits, _EVEN),
}

TOLD = {
    "start": ("", ".53", "", ".635"),
    "gated": ("< .05", ".001", ">= the start", ".65"),
    "plain sum": ("> .3", ".68 to .70", "", ".75"),
    "weighted sum": ("> .3", ".95", "", ""),
    "utility only": ("", "1.0", "", ""),
    "hard gate": ("", ".002", "", ".65"),
}
"""Per arm: of violations, then of utility, what is needed and what an earlier trial gave."""

NOTES = (
    "Made-up scores, a table in place of a language model, no judge is asked: noise stands for it, on bottom lines and "
    "behaviours alike, cut off at 0 and 1. The world is built to tempt: one that breaks a bottom line has each of "
    "its behaviours raised by up to .25, each by its own draw (by one draw per answer, the other reading of the fact "
    "sheet, the plain sum ended at .89 violations in place of .69). The soft gate is a penalty and no ban: where "
    "the one safe answer is useless enough, it prefers the unsafe one, as the last figures show, and the hard one not. "
    "Advantages are divided by the group's std (ddof 0), as in the paper; there is no divergence to a reference."
)


@dataclass(frozen=True)
class World:
    """What can be answered: C contexts of K candidates."""

    lines: NDArray[np.float64]
    """(C, K, 9), 1 where a bottom line holds."""
    traits: NDArray[np.float64]
    """(C, K, 11), in [0, 1]."""

    @property
    def violates(self) -> NDArray[np.bool_]:
        """(C, K): breaks at least one bottom line."""
        broken: NDArray[np.bool_] = self.lines.min(axis=-1) < 1.0
        return broken

    @property
    def utility(self) -> NDArray[np.float64]:
        """(C, K): U, as it truly is."""
        return weighted_mean(self.traits, _EVEN)


@dataclass(frozen=True)
class SearchLlmGate(Claim):
    """A smooth gate against sums of the same scores."""

    name: ClassVar[str] = "search_llm_gate"
    seeds: ClassVar[int] = 3
    paper: ClassVar[str] = "SearchLLM: Aligning Large Language Models with Searcher Preferences (arXiv 2603.10473)"
    statement: ClassVar[str] = (
        "With bottom lines as a smooth gate on utility, training keeps them and loses no utility, where a plain or "
        "weighted sum of the same scores trades them away."
    )

    rounds: int = 300
    contexts: int = 40
    candidates: int = 24
    group_size: int = 16
    learning_rate: float = 0.5
    bonus: float = 0.25
    """By at most so much does an answer behave better that breaks a bottom line; 0 takes the temptation away."""
    noise: float = 0.1

    most_violations: ClassVar[float] = 0.05
    least_violations_of_sums: ClassVar[float] = 0.3

    def run(self, seeds: Sequence[int] = (0, 1, 2), progress: Progress = no_progress) -> ClaimResult:
        """Every arm on every seed; it holds when the gate keeps bottom lines and utility, both sums lose them, and
        where no answer is both safe and useful the soft gate shows its limit and the hard one does not.
        """
        violations: dict[str, list[float]] = {arm: [] for arm in ("start", *ARMS)}
        utility: dict[str, list[float]] = {arm: [] for arm in ("start", *ARMS)}
        limits: dict[str, list[float]] = {"gated": [], "hard gate": []}
        for place, seed in enumerate(seeds):
            world = self.world(seed)
            violations["start"].append(float(world.violates.mean()))
            utility["start"].append(float(world.utility.mean()))
            for arm, combined in ARMS.items():
                progress(place, len(seeds), f"seed {seed}, {arm}")
                chances = self.train(world, combined, seed)
                violations[arm].append(float((chances * world.violates).sum(axis=1).mean()))
                utility[arm].append(float((chances * world.utility).sum(axis=1).mean()))
            for arm, unsafe in limits.items():
                unsafe.append(float(self.train(useless_or_unsafe(), ARMS[arm], seed)[0, 1]))
        progress(len(seeds), len(seeds), "done")
        held = (
            max(violations["gated"]) < self.most_violations
            and min(violations["plain sum"] + violations["weighted sum"]) > self.least_violations_of_sums
            and all(end >= start for end, start in zip(utility["gated"], utility["start"], strict=True))
            and min(limits["gated"]) > 0.5 > max(limits["hard gate"])
        )
        measurements = [
            Measurement(
                f"{what}, {arm}", tuple(values), needed=TOLD[arm][2 * column], earlier=TOLD[arm][2 * column + 1]
            )
            for column, (what, table) in enumerate((("violations", violations), ("utility", utility)))
            for arm, values in table.items()
        ]
        needed = {"gated": "> .5: the limit of a soft gate", "hard gate": "< .5"}
        measurements += [
            Measurement(f"unsafe over safe but useless, {arm}", tuple(values), needed=needed[arm])
            for arm, values in limits.items()
        ]
        return self.result(held, measurements, seeds, NOTES)

    def world(self, seed: int) -> World:
        """The candidates of one seed."""
        import numpy as np

        random = np.random.default_rng([seed, 0])
        shape = (self.contexts, self.candidates)
        lines = (random.random((*shape, BOTTOM_LINES)) >= 0.08).astype(np.float64)
        traits = random.beta(4.0, 3.0, (*shape, BEHAVIOURS))
        raised = self.bonus * random.random(traits.shape) * (lines.min(axis=-1) < 1.0)[..., None]
        return World(lines, np.minimum(traits + raised, 1.0))

    def train(self, world: World, combined: Combined, seed: int) -> NDArray[np.float64]:
        """The probability of each candidate after training, (C, K)."""
        import numpy as np

        random = np.random.default_rng([seed, 1])
        logits = np.zeros(world.violates.shape)
        contexts, candidates = len(logits), len(logits[0])
        rows = np.arange(contexts)[:, None]
        estimator = group_relative(ddof=0, epsilon=0.0)
        for _ in range(self.rounds):
            chances = _softmax(logits)
            drawn = (random.random((contexts, self.group_size, 1)) > chances.cumsum(axis=1)[:, None, :]).sum(axis=2)
            drawn = np.minimum(drawn, candidates - 1)  # a sum of chances may round to less than 1
            rewards = combined(
                self._judged(world.lines[rows, drawn], random), self._judged(world.traits[rows, drawn], random)
            )
            advantages = np.array(
                [estimator.centred(row) if np.ptp(row) > 0.0 else [0.0] * len(row) for row in rewards]
            )
            slope = np.zeros_like(logits)
            np.add.at(slope, (np.broadcast_to(rows, drawn.shape), drawn), advantages)
            logits += self.learning_rate / self.group_size * (slope - advantages.sum(axis=1)[:, None] * chances)
        return _softmax(logits)

    def _judged(self, scores: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        judged: NDArray[np.float64] = (scores + self.noise * random.standard_normal(scores.shape)).clip(0.0, 1.0)
        return judged


def useless_or_unsafe() -> World:
    """One context, two answers: a safe one that is useless (U = .1), and one that breaks a bottom line (U = 1)."""
    import numpy as np

    lines = np.ones((1, 2, BOTTOM_LINES))
    lines[0, 1, 0] = 0.0
    traits = np.ones((1, 2, BEHAVIOURS))
    traits[0, 0] = 0.1
    return World(lines, traits)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return chances
