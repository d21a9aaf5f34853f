r"""EPIC and DARD: two older distances between rewards, by canonicalisation and Pearson correlation.

$d = \sqrt{(1 - \rho) / 2}$ in [0, 1], $\rho$ the correlation of the canonical rewards over all (s, a, s') alike.
Neither treats redistribution, so neither bounds the regret; and correlation takes the mean over transitions away, as
STARC with L2 does not. Distributions of states and actions are uniform.

Sources: EPIC (Gleave et al. 2020; tabular code of HumanCompatibleAI/evaluating-rewards); DARD (Wulfe et al. 2022) as
recalled, checked by algebra: shaping cancels only where both discounted terms draw s'' from the same transitions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from guerdon.comparing.mdp import FiniteMDP, Floats
from guerdon.correlation import flat, pearson

FLAT = 1e-10
"""A spread below this, relative to the largest value where that is above 1, counts as none: canonicalising
leaves more rounding than a sum."""


def epic(mdp: FiniteMDP, reward: ArrayLike) -> Floats:
    """`R + discount E[R(s', A, S')] - E[R(s, A, S')] - discount E[R(S, A, S')]`, (..., S, A, S)."""
    table = mdp.reward(reward)
    mean_S = table.mean(axis=(-2, -1))  # E[R(s, A, S')]
    overall = mean_S.mean(axis=-1)[..., None, None, None]
    return np.asarray(
        table + mdp.discount * mean_S[..., None, None, :] - mean_S[..., :, None, None] - mdp.discount * overall
    )


def dard(mdp: FiniteMDP, reward: ArrayLike) -> Floats:
    """As `epic`, with next states from the transitions in place of all states alike, (..., S, A, S).

    `R + discount E[R(s', A, S'')] - E[R(s, A, S')] - discount E[R(S', A, S'')]`: S' from (s, A) and S'' from (s', A) in
    all of them, A one draw per expectation.
    """
    table, transitions = mdp.reward(reward), mdp.transitions_SAS
    mean_S = mdp.expected(table).mean(axis=-1)  # E[R(s, A, S')]
    across_SS = np.einsum("saq,pau,...qau->...sp", transitions, transitions, table, optimize=True) / mdp.actions
    return np.asarray(
        table
        + mdp.discount * mean_S[..., None, None, :]
        - mean_S[..., :, None, None]
        - mdp.discount * across_SS[..., :, None, :]
    )


def correlation_distance(first: Floats, second: Floats) -> Floats:
    """Of canonical rewards (..., S, A, S): 0 at correlation 1, 1 at -1.

    Between two rewards without spread 0; between one with and one without it the root of 1/2, as at correlation 0
    [choice].
    """
    one, other = (values.reshape(*values.shape[:-3], -1) for values in (first, second))
    both_flat = flat(one, tolerance=FLAT) & flat(other, tolerance=FLAT)
    rho = np.nan_to_num(pearson(one, other, tolerance=FLAT))
    return np.where(both_flat, 0.0, np.sqrt(0.5 * (1.0 - rho)))


def epic_distance(mdp: FiniteMDP, first: ArrayLike, second: ArrayLike) -> Floats:
    """EPIC, (...), in [0, 1]."""
    return correlation_distance(epic(mdp, first), epic(mdp, second))


def dard_distance(mdp: FiniteMDP, first: ArrayLike, second: ArrayLike) -> Floats:
    """DARD, (...), in [0, 1]."""
    return correlation_distance(dard(mdp, first), dard(mdp, second))
