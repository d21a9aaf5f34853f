"""Values, optimal policies, occupancy measures and regret in a finite decision process, exact.

Axes: S states, A actions; leading axes (`...`) are computed at once, and those of policies and rewards broadcast.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from guerdon.comparing.mdp import FiniteMDP, Floats
from guerdon.errors import ConfigError

TIE = 1e-10
"""Returns closer than this, relative to the largest in size, are tied: the policy keeps what it does. So the scale of a
reward, however small, changes nothing."""

ROUNDS = 1000


def state_values(mdp: FiniteMDP, reward: ArrayLike, policy: ArrayLike | None = None) -> Floats:
    """V of each state, (..., S): (I - discount P)^-1 r. `policy` (..., S, A), uniform if None."""
    policy_SA = mdp.uniform if policy is None else mdp.policy(policy)
    paid_S = (policy_SA * mdp.expected(mdp.reward(reward))).sum(axis=-1)
    system = np.eye(mdp.states) - mdp.discount * _chain(mdp, policy_SA)
    return np.asarray(np.linalg.solve(system, paid_S[..., None])[..., 0])


def action_values(mdp: FiniteMDP, reward: ArrayLike, policy: ArrayLike | None = None) -> Floats:
    """Q of each state and action, (..., S, A): the reward, and then V of the policy."""
    ahead_SA = np.einsum("sat,...t->...sa", mdp.transitions_SAS, state_values(mdp, reward, policy))
    return np.asarray(mdp.expected(mdp.reward(reward)) + mdp.discount * ahead_SA)


def return_of(mdp: FiniteMDP, reward: ArrayLike, policy: ArrayLike) -> Floats:
    """J of the policy, (...): the discounted sum of rewards from the start, not scaled by 1 - discount."""
    return np.asarray(state_values(mdp, reward, policy) @ mdp.start_S)


def occupancy(mdp: FiniteMDP, policy: ArrayLike) -> Floats:
    r"""The share of discounted time in each state and action, (..., S, A); it adds up to 1.

    $\mu_\pi(s, a) = (1-\gamma) E \sum_t \gamma^t 1[s_t = s, a_t = a]$. Source: Correlated Proxies (arXiv 2403.03185).
    """
    policy_SA = mdp.policy(policy)
    system = np.eye(mdp.states) - mdp.discount * np.swapaxes(_chain(mdp, policy_SA), -1, -2)
    start = np.broadcast_to(mdp.start_S, system.shape[:-1])
    states_S = (1.0 - mdp.discount) * np.linalg.solve(system, start[..., None])[..., 0]
    return np.asarray(np.maximum(states_S, 0.0)[..., None] * policy_SA)


def average_reward(occupancy_SA: Floats, expected_SA: Floats) -> Floats:
    """J scaled by 1 - discount, (...): the mean reward under an occupancy measure, on the scale of one reward."""
    return np.asarray((occupancy_SA * expected_SA).sum(axis=(-2, -1)))


def optimal_policy(
    mdp: FiniteMDP, reward: ArrayLike, start: ArrayLike | None = None, *, goal: Literal["best", "worst"] = "best"
) -> Floats:
    """A deterministic optimal policy, (S, A), by policy iteration: exact, and the same one each time.

    Args:
        mdp: the process.
        reward: one, (S, A, S) or (S, A).
        start: actions per state to begin with, (S,); all 0 if None. Among tied actions the policy keeps its own, so
            that a regret does not jump at ties.
        goal: the highest return, or the lowest.

    Raises:
        ConfigError: as `FiniteMDP.reward`.
    """
    sign = 1.0 if goal == "best" else -1.0
    table = mdp.reward(reward)
    if table.ndim != 3:
        raise ConfigError(f"optimal_policy takes one reward; this is a stack of the shape {table.shape}")
    table, rows = sign * table, np.arange(mdp.states)
    largest = float(np.abs(table).max())  # where rewards cancel, values are the rounding of these
    actions = np.zeros(mdp.states, dtype=np.intp) if start is None else np.array(start, dtype=np.intp)
    for _ in range(ROUNDS):  # a handful in practice: each round is strictly better
        values_SA = action_values(mdp, table, _one_hot(actions, mdp.actions))
        own, best = values_SA[rows, actions], values_SA.max(axis=1)
        better = best > own + TIE * max(largest, float(np.abs(values_SA).max()))
        if not better.any():
            break
        actions = np.where(better, values_SA.argmax(axis=1), actions)
    return _one_hot(actions, mdp.actions)


def regret(mdp: FiniteMDP, first: ArrayLike, second: ArrayLike) -> float:
    r"""What each reward loses when the other is optimised in its place, of all it could lose; in [0, 1].

    $\frac12 \sum_{i} \frac{\max J_i - J_i(\pi^*_j)}{\max J_i - \min J_i}$, j the other one. A reward for which all
    policies are equal loses nothing. Source: STARC (arXiv 2309.15257), the evaluation.
    """
    policies = [optimal_policy(mdp, one) for one in (first, second)]
    total = 0.0
    for own, (table, other) in enumerate(((first, policies[1]), (second, policies[0]))):
        worst = optimal_policy(mdp, table, goal="worst")
        best, low = (float(return_of(mdp, table, policy)) for policy in (policies[own], worst))
        if best - low > TIE * float(np.abs(mdp.reward(table)).max()) / (1.0 - mdp.discount):
            lost = best - float(return_of(mdp, table, other))
            total += 0.5 * min(1.0, max(0.0, lost / (best - low)))
    return total


def _chain(mdp: FiniteMDP, policy_SA: Floats) -> Floats:
    """The state-to-state probabilities under a policy, (..., S, S)."""
    return np.asarray(np.einsum("...sa,sat->...st", policy_SA, mdp.transitions_SAS))


def _one_hot(actions_S: np.ndarray, count: int) -> Floats:
    """A deterministic policy as a table."""
    return np.asarray(np.eye(count)[actions_S])
