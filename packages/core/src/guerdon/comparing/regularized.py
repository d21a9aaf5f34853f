r"""What optimising a proxy leads to in a table, with a penalty for leaving a reference policy.

Axes: C coefficients (all at once), S states, A actions.

* `stay_by_chi2`: $J(\pi, \tilde R) - c\sqrt{\chi^2(\mu_\pi \| \mu_{ref})}$, of occupancies; natural gradient.
* `stay_by_action_kl`: $J(\pi, \tilde R - c\,KL(\pi(\cdot|s) \| \pi_{ref}(\cdot|s)))$; soft value iteration, exact.

J is scaled by 1 - discount in both, so that a coefficient weighs alike in the two.

Source: Correlated Proxies (arXiv 2403.03185); both optimisers [choice].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from guerdon.comparing.mdp import FiniteMDP, Floats
from guerdon.comparing.regret import action_values, average_reward, occupancy
from guerdon.errors import ConfigError

LEAST_CHI2 = 1e-8
"""The root's slope at 0 is infinite: chi-squared counts as no less."""


def stay_by_chi2(
    mdp: FiniteMDP,
    proxy: ArrayLike,
    reference: ArrayLike,
    coefficients_C: ArrayLike,
    *,
    steps: int = 1500,
    step_size: float = 0.1,
) -> Floats:
    r"""Policies (C, S, A) that trade the proxy against the root of chi-squared of their occupancy.

    Natural gradient on softmax logits: they move by the advantage under the pseudo-reward
    $\tilde R - c\,\mu / (\mu_{ref}\sqrt{\chi^2})$, the objective's derivative in $\mu$; each policy is the best of its
    own path by its own objective.

    Args:
        mdp: the process.
        proxy: one reward.
        reference: the policy to stay near, (S, A); it must do everything at least sometimes.
        coefficients_C: in units of the proxy.
        steps: of each path.
        step_size: the largest move of a logit per step.

    Raises:
        ConfigError: the reference never does something: its chi-squared is infinite there.
    """
    reference_SA = mdp.policy(reference)
    expected_SA = mdp.expected(mdp.reward(proxy))
    apart_from_SA = occupancy(mdp, reference_SA)
    if not (apart_from_SA > 0.0).all():
        raise ConfigError(
            "the reference policy never reaches a state and action: chi-squared from it is infinite there"
        )
    weight_C = np.asarray(coefficients_C, dtype=np.float64)[:, None, None]
    logits_CSA = np.broadcast_to(np.log(reference_SA), (len(weight_C), *reference_SA.shape)).copy()
    best_CSA, best_C = _softmax(logits_CSA), np.full(len(weight_C), -np.inf)
    for _ in range(steps + 1):
        policy_CSA = _softmax(logits_CSA)
        share_CSA = occupancy(mdp, policy_CSA)
        ratio_CSA = share_CSA / apart_from_SA
        root_C = np.sqrt(np.maximum((share_CSA * ratio_CSA).sum(axis=(1, 2)) - 1.0, LEAST_CHI2))
        objective_C = average_reward(share_CSA, expected_SA) - weight_C[:, 0, 0] * root_C
        better_C = objective_C > best_C
        best_CSA[better_C], best_C = policy_CSA[better_C], np.maximum(best_C, objective_C)
        pseudo_CSA = expected_SA - weight_C * ratio_CSA / root_C[:, None, None]
        pseudo_CSAS = np.broadcast_to(pseudo_CSA[..., None], (*pseudo_CSA.shape, mdp.states))
        values_CSA = action_values(mdp, pseudo_CSAS, policy_CSA)
        advantage_CSA = values_CSA - (policy_CSA * values_CSA).sum(axis=-1, keepdims=True)
        largest_C = np.abs(advantage_CSA).max(axis=(1, 2), keepdims=True)
        logits_CSA += step_size * advantage_CSA / np.maximum(largest_C, 1.0)
    return best_CSA


def stay_by_action_kl(
    mdp: FiniteMDP, proxy: ArrayLike, reference: ArrayLike, coefficients_C: ArrayLike, *, tolerance: float = 1e-10
) -> Floats:
    r"""Policies (C, S, A) that trade the proxy against the KL of their actions, by soft value iteration.

    $V(s) = c \log \sum_a \pi_{ref}(a|s)\,e^{Q(s,a)/c}$, and $\pi \propto \pi_{ref}\,e^{Q/c}$: exact up to `tolerance`,
    relative to the largest value.
    """
    reference_SA = mdp.policy(reference)
    expected_SA = mdp.expected(mdp.reward(proxy))
    weight_C = np.asarray(coefficients_C, dtype=np.float64)[:, None, None]
    if not (weight_C > 0.0).all():
        raise ConfigError(f"coefficients are {weight_C.ravel().tolist()!r}; numbers above 0 are needed")
    with np.errstate(divide="ignore"):
        base_SA = np.log(reference_SA)
    values_CS = np.zeros((len(weight_C), mdp.states))
    while True:
        action_CSA = expected_SA + mdp.discount * np.einsum("sat,ct->csa", mdp.transitions_SAS, values_CS)
        logits_CSA = base_SA + action_CSA / weight_C
        top_CS = logits_CSA.max(axis=-1)
        after_CS = weight_C[..., 0] * (top_CS + np.log(np.exp(logits_CSA - top_CS[..., None]).sum(axis=-1)))
        moved = float(np.abs(after_CS - values_CS).max())
        values_CS = after_CS
        if moved <= tolerance * max(1.0, float(np.abs(values_CS).max())):
            return _softmax(logits_CSA)


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
