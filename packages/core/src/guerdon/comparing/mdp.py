"""A finite decision process, checked once; and rewards on it as arrays of one shape.

Axes: S states (at the end: next states), A actions. Rewards may have leading axes of their own: a stack of rewards is
computed at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.errors import ConfigError

Floats = NDArray[np.float64]

ROW_SUM = 1e-6
"""How far from 1 the probabilities of a row may add up."""


@dataclass(frozen=True, eq=False)
class FiniteMDP:
    """States, actions, where they lead, where it starts, and how the future is discounted. A reward is not part of it.

    Raises:
        ConfigError: a shape does not fit, a number is not a probability, a row does not add up to 1 within 1e-6, or the
            discount is not in [0, 1). An episodic task needs an absorbing state that pays nothing, and a discount
            below 1: with 1, values may not exist.
    """

    transitions_SAS: Floats
    """The probability of each next state."""
    start_S: Floats
    discount: float = 0.95
    """Per step, in [0, 1)."""

    def __post_init__(self) -> None:
        transitions = _probabilities("transitions_SAS", self.transitions_SAS)
        if transitions.ndim != 3 or transitions.shape[0] != transitions.shape[2] or not transitions.size:
            raise ConfigError(f"FiniteMDP.transitions_SAS has the shape {transitions.shape}; (S, A, S) is needed")
        start = _probabilities("start_S", self.start_S)
        if start.shape != transitions.shape[:1]:
            raise ConfigError(f"FiniteMDP.start_S has the shape {start.shape}; ({transitions.shape[0]},) is needed")
        if not 0.0 <= self.discount < 1.0:
            raise ConfigError(
                f"FiniteMDP.discount is {self.discount!r}; a number in [0, 1) is needed: with 1 values may not exist"
            )
        object.__setattr__(self, "transitions_SAS", transitions)
        object.__setattr__(self, "start_S", start)

    @property
    def states(self) -> int:
        """S."""
        return int(self.transitions_SAS.shape[0])

    @property
    def actions(self) -> int:
        """A."""
        return int(self.transitions_SAS.shape[1])

    @property
    def uniform(self) -> Floats:
        """The policy that takes each action alike."""
        return np.full((self.states, self.actions), 1.0 / self.actions)

    def reward(self, values: ArrayLike) -> Floats:
        """Values as (..., S, A, S), read-only: given so, or as (S, A), where they do not depend on the next state.

        Raises:
            ConfigError: another shape, or a value that is not finite. What is unscored has no place in a table.
        """
        table = np.asarray(values, dtype=np.float64)
        full = (self.states, self.actions, self.states)
        if table.shape == full[:2]:
            table = np.broadcast_to(table[..., None], full)
        if table.shape[-3:] != full:
            raise ConfigError(f"a reward has the shape {table.shape}; {full} or {full[:2]} is needed")
        if not np.isfinite(table).all():
            raise ConfigError(f"a reward has {_first_odd(table)}; finite numbers are needed")
        return table

    def policy(self, probabilities: ArrayLike) -> Floats:
        """A policy as (..., S, A).

        Raises:
            ConfigError: another shape, or a row that is no distribution.
        """
        table = _probabilities("policy", probabilities)
        if table.shape[-2:] != (self.states, self.actions):
            raise ConfigError(f"a policy has the shape {table.shape}; (..., {self.states}, {self.actions}) is needed")
        return table

    def expected(self, values_SAS: Floats) -> Floats:
        """The mean over next states, (..., S, A)."""
        return np.asarray(np.einsum("sat,...sat->...sa", self.transitions_SAS, values_SAS))


def _probabilities(name: str, given: ArrayLike) -> Floats:
    table: Any = np.array(given, dtype=np.float64)  # a copy: nobody changes it behind our back
    if not np.isfinite(table).all():
        raise ConfigError(f"FiniteMDP: {name} has {_first_odd(table)}; probabilities are needed")
    if (table < 0.0).any():
        raise ConfigError(f"FiniteMDP: {name} has the negative number {float(table.min())!r}; probabilities are needed")
    sums = table.sum(axis=-1) if table.ndim else table
    if (np.abs(sums - 1.0) > ROW_SUM).any():
        row = np.unravel_index(int(np.abs(sums - 1.0).argmax()), np.shape(sums))
        where = f"row {tuple(map(int, row))}" if row else "it"
        raise ConfigError(f"FiniteMDP: {name}: {where} adds up to {float(sums[row])!r}; 1 within {ROW_SUM:g} is needed")
    table.setflags(write=False)
    return table  # type: ignore[no-any-return]


def _first_odd(table: Floats) -> str:
    place = tuple(int(index) for index in np.argwhere(~np.isfinite(table))[0])
    return f"{float(table[place])!r} at {place}"
