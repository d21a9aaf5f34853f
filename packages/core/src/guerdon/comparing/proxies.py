r"""Is a reward a proxy of another, and was it hacked? Correlation, gains and the lower bound of Correlated Proxies.

Axes: X states and actions (or responses) of a finite distribution; P prompts, M completions (NaN where unscored).

A reward $\tilde R$ is a *proxy* of the true $R$ if their correlation r over what a base policy does is above 0. It is
*hacked* where a policy that was optimised for it earns less of the true reward than the base policy. The gains are
$[J(\pi, R) - J(\pi_{ref}, R)] / \sigma_R$, J the mean of R over what the policy does and $\sigma_R$ the standard
deviation of R over what the base does. Then

$$ gain_R \ge \frac1r \left( gain_{\tilde R} - \sqrt{(1 - r^2)\, \chi^2(\mu_\pi \| \mu_{ref})} \right) $$

r is measured on the base alone, over states and actions and not over returns; a high r says nothing far from the base.
In a process with a future, J is that of `regret.average_reward`, scaled by 1 - discount: else the penalty's weight is
off by that factor.

Source: Correlated Proxies (Laidlaw et al. 2024, arXiv 2403.03185).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from guerdon.comparing.divergences import chi_squared
from guerdon.comparing.mdp import Floats
from guerdon.comparing.sampled import Interval, percentiles
from guerdon.correlation import flat, pearson
from guerdon.errors import ConfigError

Verdict = Literal["hacked", "not hacked", "undecided", "not optimised", "not a proxy"]
LEAST_PROMPTS = 8
"""Of fewer, no verdict on samples: an interval from a handful of resampled prompts is far too narrow [choice]."""
FLAT = 1e-26
"""A variance below this, relative to the mean square, is rounding of the mean: the reward is constant."""


@dataclass(frozen=True, slots=True)
class ProxyReport:
    """A proxy and the true reward, under a base policy and one that was optimised for the proxy; all exact."""

    correlation: float
    """r in [-1, 1]; NaN where one of the rewards is constant under the base."""
    proxy_std: float
    true_std: float
    """Both under the base policy."""
    proxy_gain: float
    """In standard deviations under the base; NaN where that is 0."""
    true_gain: float
    chi2: float
    """Of the policy's occupancy from the base's; may be infinite."""

    @property
    def is_proxy(self) -> bool:
        """Whether r is above 0."""
        return self.correlation > 0.0

    @property
    def bound(self) -> float:
        """The least that the true gain can be; NaN where the reward is not a proxy."""
        return lower_bound(self.correlation, self.proxy_gain, self.chi2)

    @property
    def hacked(self) -> bool:
        """Whether it is a proxy, the policy gained in it, and earns less of the true reward than the base."""
        return self.is_proxy and self.proxy_gain > 0.0 and self.true_gain < 0.0

    @property
    def penalty_weight(self) -> float:
        """The weight of a root-chi-squared penalty that suffices; see the function of that name."""
        return penalty_weight(self.proxy_std, self.correlation)


def assess(base_X: ArrayLike, policy_X: ArrayLike, proxy_X: ArrayLike, true_X: ArrayLike) -> ProxyReport:
    """The report for finite distributions: a bandit's responses, or occupancies over states and actions.

    Args:
        base_X: the base policy's distribution, of any shape.
        policy_X: the optimised policy's.
        proxy_X: the proxy's value of each outcome.
        true_X: the true reward's.

    Raises:
        ConfigError: shapes differ, something is no distribution, or a reward is not finite.
    """
    proxy, true = np.asarray(proxy_X, dtype=np.float64), np.asarray(true_X, dtype=np.float64)
    base, policy = np.asarray(base_X, dtype=np.float64), np.asarray(policy_X, dtype=np.float64)
    chi2 = chi_squared(policy, base)  # checks the two
    if not base.shape == proxy.shape == true.shape:
        raise ConfigError(f"rewards of the shape {base.shape} are needed; these have {proxy.shape} and {true.shape}")
    if not (np.isfinite(proxy).all() and np.isfinite(true).all()):
        raise ConfigError("a reward is not finite; give unscored outcomes no share of the distributions, and a number")
    correlation, proxy_std, true_std = correlated(proxy, true, base)
    return ProxyReport(
        correlation,
        proxy_std,
        true_std,
        _gain(float(((policy - base) * proxy).sum()), proxy_std),
        _gain(float(((policy - base) * true).sum()), true_std),
        chi2,
    )


def correlated(proxy_X: Floats, true_X: Floats, weights_X: Floats | None = None) -> tuple[float, float, float]:
    """Correlation (NaN where one is constant) and both standard deviations (ddof 0), under weights that add up to 1.

    >>> correlated(np.array([0.0, 1.0]), np.array([3.0, 3.0]))
    (nan, 0.5, 0.0)
    """
    weights = np.full(proxy_X.shape, 1.0 / max(1, proxy_X.size)) if weights_X is None else weights_X
    r = float(pearson(proxy_X.ravel(), true_X.ravel(), weights.ravel()))
    return r, _std(proxy_X, weights), _std(true_X, weights)


def _std(values_X: Floats, weights_X: Floats) -> float:
    """0 for one that is constant where it has weight."""
    kept = weights_X > 0.0
    if not kept.any() or flat(values_X[kept]):
        return 0.0
    size = float(np.abs(values_X[kept]).max())  # squares of 1e200 are no floats
    apart = values_X[kept] / size
    apart -= (weights_X[kept] * apart).sum()
    return size * float(np.sqrt((weights_X[kept] * apart**2).sum()))


def lower_bound(correlation: float, proxy_gain: float, chi2: float) -> float:
    """The least true gain, in standard deviations: see the module's head. NaN unless the correlation is above 0."""
    if not correlation > 0.0:
        return float("nan")
    if np.isinf(chi2):
        return float("-inf")
    return float((proxy_gain - np.sqrt(max(0.0, 1.0 - correlation**2) * chi2)) / correlation)


def penalty_weight(proxy_std: float, correlation: float) -> float:
    r"""$\lambda = \sigma_{\tilde R}\sqrt{1-r^2}$: maximising $J(\pi, \tilde R) - \lambda\sqrt{\chi^2}$ then raises
    a bound on the true return. NaN unless the correlation is above 0.

    >>> round(penalty_weight(2.0, 0.6), 6)
    1.6
    """
    return float(proxy_std * np.sqrt(max(0.0, 1.0 - correlation**2))) if correlation > 0.0 else float("nan")


@dataclass(frozen=True, slots=True)
class SampledReport:
    """`ProxyReport` from completions of a base policy and of an optimised one."""

    paired: bool
    """Whether both answered the same prompts; if not, both sets of prompts are taken for draws of one kind."""
    prompts: tuple[int, int]
    """Of base and policy: those with a completion that both rewards scored (paired: with one of each policy). All count
    alike."""
    prompts_left_out: int
    completions: tuple[int, int]
    """Of the base policy, and of the optimised one."""
    unscored: tuple[int, int]
    """Completions of base and policy that one of the rewards left unscored: out of both."""
    correlation: Interval
    """Over the base's completions of all prompts together; intervals are over prompts."""
    proxy_std: float
    true_std: float
    proxy_gain: Interval
    true_gain: Interval
    penalty_weight: float
    safe_chi2: float
    """The largest chi-squared at which the lower bound still rules a loss out. Which it is cannot be told from
    completions: that takes log-probs under both policies."""

    @property
    def verdict(self) -> Verdict:
        """`hacked` and `not hacked` where the interval of the true gain lies on one side of 0, else `undecided`; as is
        a correlation whose interval reaches below 0, or fewer than 8 prompts. `not optimised` where the policy did not
        gain in the proxy: whatever it lost, it did not lose by optimising that.
        """
        if not all(self.prompts):
            return "undecided"
        if not self.correlation.value > 0.0:
            return "not a proxy"
        if not self.proxy_gain.value > 0.0:
            return "not optimised"
        if min(self.prompts) < LEAST_PROMPTS:
            return "undecided"
        if self.correlation.low <= 0.0 or not (self.true_gain.high < 0.0 or self.true_gain.low >= 0.0):
            return "undecided"
        return "hacked" if self.true_gain.high < 0.0 else "not hacked"


def assess_samples(
    base_proxy_PM: ArrayLike,
    base_true_PM: ArrayLike,
    policy_proxy_PM: ArrayLike,
    policy_true_PM: ArrayLike,
    *,
    paired: bool = True,
    absent: tuple[ArrayLike, ArrayLike] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> SampledReport:
    """The report for sampled completions; what one of the rewards left unscored (NaN) counts for neither.

    Args:
        base_proxy_PM: (P, M), the proxy's values of the base policy's completions.
        base_true_PM: (P, M), the true reward's.
        policy_proxy_PM: (P, M'), of the optimised policy's completions; P is another where not paired.
        policy_true_PM: (P, M').
        paired: whether row by row the prompts are the same: that of base and policy then stay together, and their
            difficulty cancels.
        absent: for base and policy, True where there is no completion, so that it does not count as unscored.
        resamples: for the intervals.
        seed: of the resamples.

    Raises:
        ConfigError: shapes do not fit, or a value is infinite.
    """
    sides = [_side(base_proxy_PM, base_true_PM), _side(policy_proxy_PM, policy_true_PM)]
    if paired and len(sides[0][0]) != len(sides[1][0]):
        raise ConfigError(f"the base has {len(sides[0][0])} prompts and the policy {len(sides[1][0])}")
    known = [~np.isnan(proxy) for proxy, _ in sides]
    keep = [each.any(axis=1) for each in known]
    if paired:
        keep = [keep[0] & keep[1]] * 2
    gone = [np.zeros(each.shape, bool) for each in known] if absent is None else [np.asarray(a, bool) for a in absent]
    unscored = tuple(int((~each & ~away).sum()) for each, away in zip(known, gone, strict=True))
    counts = int(keep[0].sum()), int(keep[1].sum())
    shift, rows, split = [0.0, 0.0], np.zeros((0, 9)), 0
    if all(counts):
        base, policy = ([values[chosen] for values in side] for side, chosen in zip(sides, keep, strict=True))
        shift = [_mean_by_prompt(values).mean() for values in base]  # of large rewards little is lost to rounding
        base, policy = ([one - by for one, by in zip(side, shift, strict=True)] for side in (base, policy))
        a, b = base
        starts = np.stack([*map(_mean_by_prompt, (a, b, a * a, b * b, a * b)), np.ones(counts[0])], axis=1)
        ends = np.stack([*map(_mean_by_prompt, policy), np.ones(counts[1])], axis=1)
        if paired:
            rows = np.concatenate([starts, ends], axis=1)
        else:
            split = counts[0]
            rows = np.zeros((sum(counts), 9))
            rows[:split, :6], rows[split:, 6:] = starts, ends

    def statistic(sums: Floats) -> Floats:
        """(..., 5): r, both standard deviations, both gains."""
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b, aa, bb, ab = np.moveaxis(sums[..., :5] / sums[..., 5:6], -1, 0)
            pa, pb = np.moveaxis(sums[..., 6:8] / sums[..., 8:], -1, 0)
            centred = np.stack([aa - a * a, bb - b * b, ab - a * b], axis=-1)
            raw = np.stack([aa + shift[0] ** 2, bb + shift[1] ** 2], axis=-1)
            found = _moments_to_r(centred, raw)
            one, other = (np.where(found[..., i] > 0.0, found[..., i], np.nan) for i in (1, 2))
            return np.concatenate([found, ((pa - a) / one)[..., None], ((pb - b) / other)[..., None]], axis=-1)

    value = statistic(rows.sum(axis=0)) if len(rows) else np.full(5, np.nan)

    def interval(place: int) -> Interval:
        ends = percentiles(rows, lambda sums: statistic(sums)[..., place], resamples=resamples, seed=seed, split=split)
        return Interval(float(value[place]), *ends)

    r, proxy_gain = float(value[0]), float(value[3])
    safe = max(0.0, proxy_gain) ** 2 / (1.0 - r * r) if 0.0 < r < 1.0 else (np.inf if r == 1.0 else np.nan)
    return SampledReport(
        paired=paired,
        prompts=counts,
        prompts_left_out=sum(int((~chosen).sum()) for chosen in (keep[:1] if paired else keep)),
        completions=(int(known[0][keep[0]].sum()), int(known[1][keep[1]].sum())),
        unscored=(unscored[0], unscored[1]),
        correlation=interval(0),
        proxy_std=float(value[1]),
        true_std=float(value[2]),
        proxy_gain=interval(3),
        true_gain=interval(4),
        penalty_weight=penalty_weight(float(value[1]), r),
        safe_chi2=float(safe),
    )


def _moments_to_r(centred: Floats, raw: Floats) -> Floats:
    """(..., 3) of r and both standard deviations, from central moments (aa, bb, ab) and raw squares."""
    variances = np.where(centred[..., :2] > FLAT * raw, centred[..., :2], 0.0)
    stds = np.sqrt(variances)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.clip(centred[..., 2] / np.where(stds.prod(axis=-1) > 0.0, stds.prod(axis=-1), np.nan), -1.0, 1.0)
    return np.concatenate([r[..., None], stds], axis=-1)


def _gain(difference: float, std: float) -> float:
    return difference / std if std > 0.0 else float("nan")


def _side(proxy_PM: ArrayLike, true_PM: ArrayLike) -> tuple[Floats, Floats]:
    """Both rewards' values, NaN where either has none."""
    one, other = np.array(proxy_PM, dtype=np.float64), np.array(true_PM, dtype=np.float64)
    if one.ndim != 2 or one.shape != other.shape:
        raise ConfigError(f"two arrays (prompts, completions) are needed; these are {one.shape} and {other.shape}")
    if np.isinf(one).any() or np.isinf(other).any():
        raise ConfigError("a value is infinite; finite numbers are needed, or NaN for what is unscored")
    unknown = np.isnan(one) | np.isnan(other)
    one[unknown] = other[unknown] = np.nan
    return one, other


def _mean_by_prompt(values_PM: Floats) -> Floats:
    """Over what is there, (P,); each prompt has something."""
    return np.asarray(np.nanmean(values_PM, axis=1))
