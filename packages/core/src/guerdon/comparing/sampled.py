r"""STARC distances where a reward is known on samples only: prompts with completions, or sampled transitions.

Axes: P prompts, M completions of a prompt (NaN where there are fewer, or one is unscored); N sampled (s, a), K next
states of each, W features.

**One step, one state per prompt** (a language model's bandit): the value of a prompt under the policy is the mean
reward of its completions, so VAL is "subtract the prompt's mean" [derived]: what a reward adds to all completions of a
prompt cannot change which is preferred. The mean over sampled completions stands for that over the policy.

**Longer episodes**: one linear value function is fitted per reward, on the very samples that are then compared [choice;
the papers say only that one is fitted]. Sampling noise lifts small distances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.comparing.mdp import Floats
from guerdon.errors import ConfigError
from guerdon.ties import EQUAL


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and between which ends it lies in the middle 95 % of resamples; NaN ends where there are none."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Two rewards on the same completions, what either left unscored taken out of both."""

    first_PM: Floats
    second_PM: Floats
    known_PM: NDArray[np.bool_]

    @classmethod
    def of(cls, first_PM: ArrayLike, second_PM: ArrayLike) -> Pairs:
        """Values as (P, M), NaN where unscored or absent.

        Raises:
            ConfigError: the shapes differ or are not (P, M), or a value is infinite.
        """
        one, other = np.array(first_PM, dtype=np.float64), np.array(second_PM, dtype=np.float64)
        if one.ndim != 2 or one.shape != other.shape:
            raise ConfigError(f"two arrays (prompts, completions) are needed; these are {one.shape} and {other.shape}")
        if np.isinf(one).any() or np.isinf(other).any():
            raise ConfigError("a value is infinite; finite numbers are needed, or NaN for what is unscored")
        known = ~np.isnan(one) & ~np.isnan(other)
        one[~known], other[~known] = np.nan, np.nan
        return cls(one, other, known)

    @property
    def compared(self) -> NDArray[np.bool_]:
        """Which prompts have two completions or more that both rewards scored, (P,): one alone cannot be compared."""
        return np.asarray(self.known_PM.sum(axis=1) >= 2)

    @property
    def centred(self) -> tuple[Floats, Floats]:
        """Both, each prompt's mean taken away, (P, M): VAL. 0 where not compared."""
        return _centred(self.first_PM, self.known_PM), _centred(self.second_PM, self.known_PM)


def _centred(values_PM: Floats, known_PM: NDArray[np.bool_]) -> Floats:
    size = np.abs(np.where(known_PM, values_PM, 0.0)).max(axis=1, keepdims=True, initial=0.0)
    # From the lowest first, which is exact or nearly: a prompt's large offset then costs the mean no digits.
    lowest = np.where(known_PM, values_PM, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    filled = np.where(known_PM, values_PM - lowest, 0.0)
    count = known_PM.sum(axis=1, keepdims=True)
    mean = filled.sum(axis=1, keepdims=True) / np.maximum(count, 1)
    centred = np.where(known_PM & (count >= 2), filled - mean, 0.0)
    # What is left of equal values is rounding: a group without a preference has none.
    return np.where(filled.max(axis=1, keepdims=True, initial=0.0) <= EQUAL * np.maximum(1.0, size), 0.0, centred)


def bandit_distance(first_PM: ArrayLike, second_PM: ArrayLike, *, resamples: int = 1000, seed: int = 0) -> Interval:
    r"""The STARC distance (VAL, L2) of two rewards on prompts and completions, with a bootstrap over prompts.

    $\lVert a / \lVert a \rVert - b / \lVert b \rVert \rVert = \sqrt{2 - 2\rho}$, a and b each prompt's values less
    their mean, $\rho$ their correlation within prompts; in [0, 2].

    Args:
        first_PM: (P, M), NaN where unscored; what either reward left unscored is taken out of both.
        second_PM: the other reward on the same completions.
        resamples: how often prompts are drawn anew for the interval; 0 gives none.
        seed: of these draws.

    Returns:
        The distance and its 95 % percentile interval. NaN where no prompt has two completions that both scored; 1 where
        one of the rewards tells no completions apart, 0 where neither does. No more than two prompts make an interval
        that means little.

    Raises:
        ConfigError: see `Pairs.of`.
    """
    pairs = Pairs.of(first_PM, second_PM)
    one, other = (values[pairs.compared] for values in pairs.centred)
    if not len(one):
        return Interval(np.nan, np.nan, np.nan)
    moments_P3 = np.stack([(one * one).sum(1), (other * other).sum(1), (one * other).sum(1)], axis=1)
    value = float(_from_moments(moments_P3.sum(axis=0)))
    low, high = percentiles(moments_P3, _from_moments, resamples=resamples, seed=seed)
    return Interval(value, low, high)


def _from_moments(moments: Floats) -> Floats:
    """The distance from (..., 3): both squared norms and the inner product."""
    one, other, both = np.moveaxis(moments, -1, 0)
    flat_one, flat_other = one <= 0.0, other <= 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.clip(both / np.sqrt(one * other), -1.0, 1.0)
    apart = np.sqrt(np.maximum(2.0 - 2.0 * rho, 0.0))
    return np.where(flat_one & flat_other, 0.0, np.where(flat_one | flat_other, 1.0, apart))


def percentiles(
    rows_PX: Floats, statistic: Any, *, resamples: int = 1000, seed: int = 0, split: int = 0
) -> tuple[float, float]:
    """The middle 95 % of a statistic of sums over rows (prompts), rows drawn with replacement.

    Args:
        rows_PX: what each prompt adds to the sums, (P, X).
        statistic: from sums (..., X) to a value (...).
        resamples: how often to draw; with 0, or fewer than two rows (of a sample), both ends are NaN: one row, drawn
            again and again, would look certain.
        seed: of the draws.
        split: the first so many rows and the others are drawn apart, each as many as they are: two samples.
    """
    count = len(rows_PX)
    sizes = [size for size in (split, count - split) if size]
    if not resamples or min(sizes, default=0) < 2:
        return float("nan"), float("nan")
    draw, found = np.random.default_rng(seed), []
    for start in range(0, resamples, 200):
        some = min(200, resamples - start)
        times = np.concatenate([draw.multinomial(n, np.full(n, 1.0 / n), size=some) for n in sizes], axis=1)
        found.append(np.asarray(statistic(times @ rows_PX), dtype=np.float64))
    values = np.concatenate(found)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def fitted_val(
    rewards_NK: ArrayLike,
    features_NW: ArrayLike,
    next_features_NKW: ArrayLike,
    discount: float,
    *,
    ridge: float = 1e-6,
) -> Floats:
    r"""The sampled VAL of each (s, a): the mean over its K next states of $r - V(s) + \gamma V(s')$.

    $V = \phi^\top w$ by least-squares temporal differences, $w = (\Phi^\top(\Phi - \gamma\Phi'))^{-1}\Phi^\top r$: the
    actions must have been drawn from the one policy that both rewards are compared under. With one next state per
    (s, a) redistribution is not averaged away, and this is VALPotential.

    Args:
        rewards_NK: of each transition.
        features_NW: of s; include a constant.
        next_features_NKW: of s'; all 0 where the episode ended there.
        discount: in [0, 1).
        ridge: added to the diagonal, relative to its mean.

    Returns:
        (N,); give those of two rewards to `sampled_distance`.

    Raises:
        ConfigError: shapes that do not fit, a number that is not finite, or a discount outside [0, 1).
    """
    rewards, now, then = (np.asarray(each, dtype=np.float64) for each in (rewards_NK, features_NW, next_features_NKW))
    if rewards.ndim != 2 or now.ndim != 2 or then.shape != (*rewards.shape, now.shape[-1]) or len(now) != len(rewards):
        raise ConfigError(
            f"rewards (N, K), features (N, W) and next features (N, K, W) are needed; the shapes are {rewards.shape}, "
            f"{now.shape} and {then.shape}"
        )
    if not all(np.isfinite(each).all() for each in (rewards, now, then)):
        raise ConfigError("a reward or a feature is not finite; leave unscored transitions out")
    if not 0.0 <= discount < 1.0:
        raise ConfigError(f"discount is {discount!r}; a number in [0, 1) is needed")
    mean_then = then.mean(axis=1)
    matrix = now.T @ (now - discount * mean_then)
    scale = max(float(np.abs(np.diag(matrix)).mean()), np.finfo(np.float64).tiny)
    weights = np.linalg.lstsq(matrix + ridge * scale * np.eye(len(matrix)), now.T @ rewards.mean(axis=1), rcond=None)[0]
    return np.asarray(rewards.mean(axis=1) - now @ weights + discount * mean_then @ weights)


def sampled_distance(first_N: ArrayLike, second_N: ArrayLike, *, resamples: int = 1000, seed: int = 0) -> Interval:
    """The L2 distance of two canonical rewards on the same N samples, normalised, with a bootstrap over samples.

    Raises:
        ConfigError: the shapes differ, or a value is not finite.
    """
    one, other = np.asarray(first_N, dtype=np.float64), np.asarray(second_N, dtype=np.float64)
    if one.ndim != 1 or one.shape != other.shape or not np.isfinite([*one, *other]).all():
        raise ConfigError(f"two finite arrays of one length are needed; the shapes are {one.shape} and {other.shape}")
    if not len(one):
        return Interval(np.nan, np.nan, np.nan)
    rows = np.stack([one * one, other * other, one * other], axis=1)
    low, high = percentiles(rows, _from_moments, resamples=resamples, seed=seed)
    return Interval(float(_from_moments(rows.sum(axis=0))), low, high)
