r"""How far a policy is from a reference: chi-squared and KL, of occupancies, of actions and of whole responses.

Axes: X outcomes (or states and actions), S states, A actions, R responses. Natural logarithms throughout.

$\chi^2(p \| q) = \sum (p - q)^2 / q = E_p[p/q] - 1$, infinite where p > 0 and q = 0. It bounds what optimising a proxy
can cost where a KL of action distributions does not: that one charges for entering a bad state once, and lets the
policy stay there for free where it acts as the reference would.

Source: Correlated Proxies (arXiv 2403.03185).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from guerdon.comparing.mdp import Floats
from guerdon.errors import ConfigError

ActionKind = Literal["kl", "chi2", "sqrt_chi2"]
LEAST = 1e-4
"""The square root of chi-squared is taken of no less: its slope at 0 is infinite."""
LINEAR_BEYOND = 10.0
"""Of log-ratios: from here on e^z goes on along its tangent."""


def chi_squared(policy: ArrayLike, reference: ArrayLike) -> float:
    """Of two distributions of one shape; 0 or more, infinite where the policy does what the reference never does.

    Raises:
        ConfigError: the shapes differ, or one is no distribution.

    >>> chi_squared([1.0, 0.0], [0.5, 0.5])
    1.0
    """
    one, other = _distributions(policy, reference)
    if (one[other == 0.0] > 0.0).any():
        return float("inf")
    there = other > 0.0
    return float(((one - other)[there] ** 2 / other[there]).sum())


def kl(policy: ArrayLike, reference: ArrayLike) -> float:
    """KL(policy || reference) in nats; as `chi_squared`."""
    one, other = _distributions(policy, reference)
    there = one > 0.0
    if (other[there] == 0.0).any():
        return float("inf")
    return float((one[there] * np.log(one[there] / other[there])).sum())


def gaussian_chi_squared(mean: float, std: float, reference_mean: float, reference_std: float) -> float:
    r"""Of N(mean, std²) from the reference: $\sigma_2^2 / (\sigma_1\sqrt D)\,e^{(m_1-m_2)^2/D} - 1$.

    $D = 2\sigma_2^2 - \sigma_1^2$; infinite unless D > 0, that is where the policy is wider than the root of twice the
    reference's variance: use `gaussian_kl` there.
    """
    _check_stds(std, reference_std)
    room = 2.0 * reference_std**2 - std**2
    if room <= 0.0:
        return float("inf")
    with np.errstate(over="ignore"):
        return float(reference_std**2 / (std * np.sqrt(room)) * np.exp((mean - reference_mean) ** 2 / room) - 1.0)


def gaussian_kl(mean: float, std: float, reference_mean: float, reference_std: float) -> float:
    """KL of N(mean, std²) from the reference, in nats."""
    _check_stds(std, reference_std)
    spread = (std**2 + (mean - reference_mean) ** 2) / (2.0 * reference_std**2)
    return float(np.log(reference_std / std) + spread - 0.5)


def action_divergence(policy_SA: ArrayLike, reference_SA: ArrayLike, kind: ActionKind = "kl") -> float:
    """The mean over states of the divergence of action distributions; a state of infinite chi-squared gives its KL.

    Times a coefficient and 1 / (1 - discount) this is what action-distribution regularisation adds to a policy's loss
    (the released code). `sqrt_chi2` is the root per state, of no less than 1e-4.
    """
    if kind not in ("kl", "chi2", "sqrt_chi2"):
        raise ConfigError(f"kind is {kind!r}; accepted are 'kl', 'chi2' and 'sqrt_chi2'")
    found = []
    for one, other in zip(np.asarray(policy_SA, float), np.asarray(reference_SA, float), strict=True):
        value = chi_squared(one, other) if kind != "kl" else np.inf
        if np.isinf(value):
            found.append(kl(one, other))
        else:
            found.append(float(np.sqrt(max(value, LEAST))) if kind == "sqrt_chi2" else value)
    return float(np.mean(found))


class SequenceDivergences(NamedTuple):
    """Estimates over a batch of responses that were drawn from the policy."""

    chi2: float
    kl: float
    sqrt_chi2: float
    """Of no less than 1e-4."""


def sequence_divergences(log_ratios_R: ArrayLike) -> SequenceDivergences:
    r"""Chi-squared and KL of whole responses, from $\ell = \log\pi(y|x) - \log\pi_{ref}(y|x)$ of the policy's own.

    $\chi^2 \approx \overline{(e^\ell-1) + (e^{-\ell}-1)}$ and $KL \approx \overline{\ell + e^{-\ell} - 1}$: the last
    summand has mean 0 under the policy [derived] and makes every term at least 0. $e^z$ goes on linearly beyond
    |z| = 10. As in the released code (cassidylaidlaw/llm_optimization).

    Raises:
        ConfigError: there is no response, or a log-ratio is not finite.
    """
    ratios = np.asarray(log_ratios_R, dtype=np.float64).ravel()
    if not len(ratios) or not np.isfinite(ratios).all():
        raise ConfigError(f"finite log-ratios of at least one response are needed; these are {ratios.tolist()[:8]!r}")
    grown, shrunk = extended_exp(ratios), extended_exp(-ratios)
    # Of log-ratios near 0 rounding leaves a little below 0, where no term is.
    chi2 = float(np.mean(np.maximum((grown - 1.0) + (shrunk - 1.0), 0.0)))
    kl = float(np.mean(np.maximum(ratios + shrunk - 1.0, 0.0)))
    return SequenceDivergences(chi2, kl, float(np.sqrt(max(chi2, LEAST))))


def extended_exp(values: Floats) -> Floats:
    """e^z, continued along its tangents beyond |z| = 10."""
    inside = np.clip(values, -LINEAR_BEYOND, LINEAR_BEYOND)
    return np.asarray(np.exp(inside) * (1.0 + values - inside))


def _distributions(policy: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    one, other = np.asarray(policy, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if one.shape != other.shape:
        raise ConfigError(f"two distributions of one shape are needed; these have {one.shape} and {other.shape}")
    for name, table in (("policy", one), ("reference", other)):
        if not np.isfinite(table).all() or (table < 0.0).any() or abs(float(table.sum()) - 1.0) > 1e-6:
            raise ConfigError(f"the {name} is no distribution: it adds up to {float(table.sum())!r}")
    return one, other


def _check_stds(*stds: float) -> None:
    if not all(0.0 < std < np.inf for std in stds):
        raise ConfigError(f"standard deviations are {stds!r}; finite numbers above 0 are needed")
