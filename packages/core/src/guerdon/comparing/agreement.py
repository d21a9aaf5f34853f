"""How far two rewards agree on completions, prompt by prompt: what `guerdon compare` reports.

Axes: P prompts, M completions of a prompt (NaN where there are fewer, or one is unscored).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.comparing.mdp import Floats
from guerdon.comparing.sampled import Interval, Pairs, bandit_distance, percentiles
from guerdon.correlation import pearson

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two completions of one prompt that the rewards see most differently."""

    prompt: int
    upper: int
    """The completion that the first reward prefers, more than the second does."""
    lower: int
    first: tuple[float, float]
    """What the first reward gives the two."""
    second: tuple[float, float]
    gap: float
    """By how much the preferences differ, each in units of its reward's spread within prompts."""

    @property
    def reversed(self) -> bool:
        """Whether the rewards prefer opposite ones."""
        return (self.first[0] - self.first[1]) * (self.second[0] - self.second[1]) < 0.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two rewards have in common on a set of completions."""

    prompts: int
    """Those with two completions or more that both rewards scored; the others are left out of all that follows."""
    prompts_left_out: int
    completions: int
    """Compared, over all those prompts."""
    unscored: tuple[int, int]
    """Completions that the first, and the second reward left unscored; taken out of both."""
    flat: tuple[int, int]
    """Compared prompts whose completions the first, and the second reward do not tell apart."""
    starc: Interval
    """`bandit_distance`: 0 the same order, 2 the opposite one."""
    epic: float
    """The Pearson distance over all completions alike, prompts not centred, in [0, 1]: it also sees what a reward
    adds to whole prompts, which moves no policy."""
    rank: Interval
    """The mean over prompts of Kendall's tau-b, in [-1, 1]; over prompts that both rewards tell apart."""
    same_best: float
    """The share of those prompts whose best completions, ties included, have one in common."""
    cross_regret: tuple[float, float]
    """What the second reward loses when the first picks the best of a prompt's completions, and the first when the
    second picks: of all that there is to lose between its own best and worst picks; in [0, 1]. Ties pick at random."""
    chance_regret: tuple[float, float]
    """The same when the pick is drawn at random: what a reward that knows nothing of the other would come to."""


def agreement(
    first_PM: ArrayLike,
    second_PM: ArrayLike,
    absent_PM: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Compare two rewards on the same completions.

    Args:
        first_PM: values, NaN where unscored or absent.
        second_PM: the other reward's.
        absent_PM: True where there is no completion, so that it does not count as unscored; none if None.
        resamples: for the intervals, over prompts.
        seed: of the resamples.

    Raises:
        ConfigError: see `Pairs.of`.
    """
    pairs = Pairs.of(first_PM, second_PM)
    there = ~np.asarray(absent_PM, dtype=bool) if absent_PM is not None else np.ones_like(pairs.known_PM)
    unscored = tuple(
        int((np.isnan(np.asarray(each, dtype=np.float64)) & there).sum()) for each in (first_PM, second_PM)
    )
    keep = pairs.compared
    one, other, known = pairs.first_PM[keep], pairs.second_PM[keep], pairs.known_PM[keep]
    flat_one, flat_other = (~(values[keep] != 0.0).any(axis=1) for values in pairs.centred)
    told = ~flat_one & ~flat_other
    taus = np.array([kendall(one[row][known[row]], other[row][known[row]]) for row in np.flatnonzero(told)])
    rows = np.stack([taus, np.ones_like(taus)], axis=1)
    ends = percentiles(rows, lambda sums: sums[..., 0] / sums[..., 1], resamples=resamples, seed=seed)
    best_one, best_other = _best(one), _best(other)
    return Agreement(
        prompts=int(keep.sum()),
        prompts_left_out=int((~keep & there.any(axis=1)).sum()),
        completions=int(known.sum()),
        unscored=(unscored[0], unscored[1]),
        flat=(int(flat_one.sum()), int(flat_other.sum())),
        starc=bandit_distance(first_PM, second_PM, resamples=resamples, seed=seed),
        epic=pearson_distance(one[known], other[known]),
        rank=Interval(_mean(taus), *ends),
        same_best=_mean(np.any(best_one & best_other, axis=1)[told]),
        cross_regret=(_regret(other, known, best_one), _regret(one, known, best_other)),
        chance_regret=(_regret(other, known, known), _regret(one, known, known)),
    )


def kendall(first_M: Floats, second_M: Floats) -> float:
    """Kendall's tau-b, in [-1, 1]: the share of pairs ordered alike less that ordered oppositely, ties taken out.

    NaN where one side has no two different values. Source: Kendall (1945), The treatment of ties in ranking problems.

    >>> round(kendall(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), 4)
    0.3333
    """
    alike = ties_one = ties_other = 0.0
    for start in range(0, len(first_M), 512):  # rows of all pairs, some at a time
        one = np.sign(first_M[start : start + 512, None] - first_M[None])
        other = np.sign(second_M[start : start + 512, None] - second_M[None])
        alike += float((one * other).sum())
        ties_one, ties_other = ties_one + float(np.abs(one).sum()), ties_other + float(np.abs(other).sum())
    untied = ties_one * ties_other
    return alike / float(np.sqrt(untied)) if untied else float("nan")


def pearson_distance(first_N: Floats, second_N: Floats) -> float:
    r"""$\sqrt{(1-\rho)/2}$, in [0, 1]: EPIC for tasks of one step; NaN where there is nothing or no spread."""
    return float(np.sqrt(0.5 * (1.0 - pearson(first_N, second_N))))


def worst_disagreements(first_PM: ArrayLike, second_PM: ArrayLike, count: int = 3) -> list[Disagreement]:
    """One pair per prompt, the pairs that the two rewards see most differently first; at most `count`.

    Within a prompt these are the completions where the first reward exceeds the second the most and the least, each
    reward less the prompt's mean and divided by its spread over all prompts.
    """
    pairs = Pairs.of(first_PM, second_PM)
    centred = pairs.centred
    spread = [float(np.sqrt((values**2).sum() / max(1, (values != 0.0).sum()))) or 1.0 for values in centred]
    apart = np.where(pairs.known_PM, centred[0] / spread[0] - centred[1] / spread[1], np.nan)
    found = []
    for prompt in np.flatnonzero(pairs.compared):
        upper, lower = int(np.nanargmax(apart[prompt])), int(np.nanargmin(apart[prompt]))
        one, other = pairs.first_PM[prompt], pairs.second_PM[prompt]
        gap = float(apart[prompt, upper] - apart[prompt, lower])
        if gap > 0.0:
            first, second = (float(one[upper]), float(one[lower])), (float(other[upper]), float(other[lower]))
            found.append(Disagreement(int(prompt), upper, lower, first, second, gap))
    return sorted(found, key=lambda each: (not each.reversed, -each.gap))[:count]


def _best(values_PM: Floats) -> Bools:
    """Which completions of each prompt earn the most; more than one where they are tied."""
    return np.asarray(values_PM == np.nanmax(values_PM, axis=1, keepdims=True, initial=-np.inf))


def _regret(values_PM: Floats, known_PM: Bools, picks_PM: Bools) -> float:
    """What a reward loses by these picks (any of a prompt's, alike), of its range from worst to best pick."""
    if not len(values_PM):
        return float("nan")
    high, low = np.nanmax(values_PM, axis=1), np.nanmin(values_PM, axis=1)
    chosen = picks_PM & known_PM
    got = np.where(chosen, np.nan_to_num(values_PM), 0.0).sum(axis=1) / chosen.sum(axis=1)
    range_ = float((high - low).sum())
    return max(0.0, float((high - got).sum())) / range_ if range_ > 0.0 else float("nan")


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
