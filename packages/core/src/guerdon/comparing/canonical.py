r"""What of a reward can change the order of policies: canonicalisations, linear maps that take away the rest.

Two changes alter the order of no policies: *potential shaping*, $R + \gamma\Phi(s') - \Phi(s)$, and
*S'-redistribution*, which moves reward between the next states of one state and action and leaves its mean as it was
(on a transition that never happens, anything goes).

| name | is the same for rewards that differ by | origin |
|---|---|---|
| `val` | both | STARC (arXiv 2309.15257), VAL |
| `minimal` | both; the member of the class with the smallest L2 norm | STARC, "minimal" [derived] |
| `val_potential` | shaping | STARC, VALPotential |
| `minimal_potential` | shaping; least squares over potentials | STARC [derived] |
| `none` | nothing | |

Each takes (..., S, A, S) and gives that shape, also where the result is the same for all next states: a distance must
not mix S×A with S×A×S. With an estimated transition table, small probabilities make large errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from guerdon.comparing.mdp import FiniteMDP, Floats
from guerdon.comparing.regret import state_values

Canonical = Callable[[FiniteMDP, ArrayLike], Floats]


def shaped(mdp: FiniteMDP, reward: ArrayLike, potential_S: ArrayLike) -> Floats:
    """`reward + discount * potential(s') - potential(s)`, (..., S, A, S): another reward for the same policies."""
    potential = np.asarray(potential_S, dtype=np.float64)
    return np.asarray(mdp.reward(reward) - potential[..., :, None, None] + mdp.discount * potential[..., None, None, :])


def val(mdp: FiniteMDP, reward: ArrayLike, policy: ArrayLike | None = None) -> Floats:
    """E over s' of `R - V(s) + discount * V(s')`: the action's advantage under a fixed policy (None: uniform)."""
    potential = val_potential(mdp, reward, policy)
    return np.asarray(np.broadcast_to(mdp.expected(potential)[..., None], potential.shape))


def val_potential(mdp: FiniteMDP, reward: ArrayLike, policy: ArrayLike | None = None) -> Floats:
    """`R - V(s) + discount * V(s')`, V of R itself under a fixed policy (uniform if None)."""
    return shaped(mdp, reward, state_values(mdp, reward, policy))


def minimal(mdp: FiniteMDP, reward: ArrayLike) -> Floats:
    r"""The smallest member, in L2 over S×A×S, of all rewards that differ by shaping and redistribution.

    For a given potential, the smallest redistribution of a row x with transition row t is its projection
    $t\,\langle t, x\rangle / |t|^2$; what is left is least squares over potentials, each row weighted by $1/|t|$.
    """
    table = mdp.reward(reward)
    length_SA = np.linalg.norm(mdp.transitions_SAS, axis=-1)
    design = _shaping(mdp.expected(_shapes(mdp)) / length_SA)
    target = mdp.expected(table) / length_SA
    left = _residual(design, target.reshape(*table.shape[:-3], -1)).reshape(target.shape)
    return np.asarray((left / length_SA)[..., None] * mdp.transitions_SAS)


def minimal_potential(mdp: FiniteMDP, reward: ArrayLike) -> Floats:
    """The smallest member, in L2 over S×A×S, of all rewards that differ by shaping alone."""
    table = mdp.reward(reward)
    return _residual(_shaping(_shapes(mdp)), table.reshape(*table.shape[:-3], -1)).reshape(table.shape)


def none(mdp: FiniteMDP, reward: ArrayLike) -> Floats:
    """The reward as it is."""
    return mdp.reward(reward)


CANONICAL: Mapping[str, Canonical] = MappingProxyType(
    {
        "val": val,
        "val_potential": val_potential,
        "minimal": minimal,
        "minimal_potential": minimal_potential,
        "none": none,
    }
)
"""By name, as `starc.distance` takes them."""


def _shapes(mdp: FiniteMDP) -> Floats:
    """What a potential of 1 in each state adds, (S, S, A, S)."""
    zero = np.zeros((mdp.states, mdp.actions, mdp.states))
    return shaped(mdp, zero, np.eye(mdp.states))


def _shaping(shapes: Floats) -> Floats:
    """One column per potential."""
    return shapes.reshape(shapes.shape[0], -1).T


def _residual(design: Floats, targets: Floats) -> Floats:
    """What least squares leaves of each target, (..., rows)."""
    rows = targets.reshape(-1, targets.shape[-1])
    weights = np.linalg.lstsq(design, rows.T, rcond=None)[0]
    return np.asarray(rows - (design @ weights).T).reshape(targets.shape)
