r"""Rewards that know when not to be believed: two looks (or an ensemble) at one thing, and a weight for the update.

With an uncertainty $U \ge 0$ (what two looks differ by, an ensemble's std), a rollout is worth less attention as U
grows:

$$w = \exp(-U / \tau), \qquad \text{value} = r - v\,U$$

`w` belongs on the *advantage*, not on the value: a value times w would rank a doubtful rollout below its siblings, or
above them where values are negative. So the reward tells w as its part `weight`, and the advantage estimator
`guerdon.advantages.weighted_by` applies it. A trainer elsewhere sees the value alone, and with it the penalty v alone.

What it can do: where an error comes and goes (a judge that misreads now and then), the visits on which the looks agree
decide. What it cannot: an answer on which they *always* disagree is learned about slowly, and no less in the end, and
an optimiser that normalises each parameter's gradient (Adam) makes up for a weight that all its rollouts share; the
penalty does count against such an answer. And zero disagreement is not correctness: where all looks are wrong alike, w
stays 1.

Sources: Ctrl-U (arXiv:2410.11236), $\exp(-U)$ and the term v U in its differentiable form
(`guerdon.losses.uncertainty`); tau, and a weight on the advantage for rewards without a gradient [choice].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError, RewardError
from guerdon.rewards.base import Context, Reward, Scores, Sees
from guerdon.rewards.ensembles import DISAGREEMENT, Ensemble
from guerdon.types import Group, Score


def confidence(uncertainty: float, tau: float = 1.0) -> float:
    """exp(-U / tau), in (0, 1].

    >>> round(confidence(0.5, 0.5), 6)
    0.367879
    """
    return math.exp(-uncertainty / tau)


@dataclass(frozen=True)
class UncertaintyWeighted(Reward, name="uncertainty-v1"):
    """A reward with the part `weight` = exp(-U / tau), and less the penalty v U.

    Two looks at one thing are two rewards that differ: two judges, two prompts, two seeds. With
    `ensemble([one, other], how="mean", spread="range")` U is |r1 - r2| and the value their mean.

    Parts: the reward's score under its own name, `uncertainty`, `weight`. Where the reward has a score and U has none
    (one look is missing), the whole is unscored: to trust a single look fully is what this is there to prevent.
    """

    reward: Reward
    """Its scores have a part that says how unsure they are."""
    part: str = DISAGREEMENT
    """That part's name: a number >= 0."""
    tau: float = 1.0
    """The U at which the weight is 1/e, in units of the part."""
    penalty: float = 0.0
    """v: what a unit of U costs. Without it, a policy may learn to be where the looks disagree: watch `uncertainty`."""

    def __post_init__(self) -> None:
        if not 0.0 < self.tau < math.inf:
            raise ConfigError(f"UncertaintyWeighted.tau is {self.tau!r}; a finite number > 0 is needed")
        if not 0.0 <= self.penalty < math.inf:
            raise ConfigError(f"UncertaintyWeighted.penalty is {self.penalty!r}; a finite number >= 0 is needed")
        if self.reward.label in self.part_names:
            raise ConfigError(
                f"UncertaintyWeighted.reward is called {self.reward.label!r}, as another part is; give it another name "
                f"with .named(...)"
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The reward's, reaching down by the penalty of the widest disagreement, which an ensemble states."""
        low, high = self.reward.bounds
        if not self.penalty:
            return low, high
        known = isinstance(self.reward, Ensemble) and self.part == DISAGREEMENT
        widest = self.reward.widest_disagreement if known and isinstance(self.reward, Ensemble) else math.inf
        return low - self.penalty * widest, high

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The reward's."""
        return self.reward.sees

    @property
    def children(self) -> tuple[Reward, ...]:
        """The one reward."""
        return (self.reward,)

    @property
    def part_names(self) -> tuple[str, ...]:
        """What every score has, for logs under fixed names."""
        return "uncertainty", "weight"

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Read U off each score."""
        return [[self._weighted(score) for score in row] for row in context.scores(self.reward, groups)]

    def _weighted(self, score: Score) -> Score:
        parts = {self.reward.label: score}
        if not score.scored:
            return Score(math.nan, score.why, parts, score.status)
        if self.part not in score.parts:
            there = ", ".join(map(repr, score.parts)) or "none"
            raise ConfigError(f"UncertaintyWeighted.part is {self.part!r}; {self.reward.label} has the parts {there}")
        doubt = score.parts[self.part]
        if not doubt.scored:
            return Score(math.nan, f"{self.part}: {doubt.why}", parts, doubt.status)
        if doubt.value < 0.0:
            raise RewardError(f"{self.part!r} of {self.reward.label} is {doubt.value!r}: an uncertainty is >= 0")
        parts |= {"uncertainty": Score(doubt.value), "weight": Score(confidence(doubt.value, self.tau))}
        low, high = self.bounds
        return Score(min(max(score.value - self.penalty * doubt.value, low), high), score.why, parts, score.status)
