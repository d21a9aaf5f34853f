"""`Instance`: offline vertices, and arrivals with their chances."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import whole_number
from guerdon.parsing.json_objects import each_once

Arrival = tuple[tuple[int, float], ...]
"""Pairs of a neighbour and the chance to succeed there, by rising neighbour; chances above 0."""


@dataclass(frozen=True)
class Instance:
    """A graph with chances, in the order of arrival."""

    offline: int
    """How many offline vertices, numbered from 0."""
    arrivals: tuple[Arrival, ...]
    weights: tuple[float, ...] = ()
    """Worth of each offline vertex; empty: 1 each."""

    def __post_init__(self) -> None:
        whole_number("Instance.offline", self.offline, 0)
        if self.weights and len(self.weights) != self.offline:
            raise ConfigError(f"Instance.weights has {len(self.weights)} values for {self.offline} offline vertices")
        if any(not 0.0 <= weight < math.inf for weight in self.weights):
            raise ConfigError(f"Instance.weights are {self.weights!r}; finite numbers >= 0 are needed")
        for place, arrival in enumerate(self.arrivals):
            neighbours = [u for u, _ in arrival]
            if neighbours != sorted(set(neighbours)):
                raise ConfigError(f"arrival {place} names an offline vertex twice, or out of order: {neighbours!r}")
            for u, chance in arrival:
                if not 0 <= u < self.offline:
                    raise ConfigError(f"arrival {place} names the offline vertex {u!r}; there are {self.offline}")
                if not 0.0 < chance <= 1.0:
                    raise ConfigError(
                        f"arrival {place} has the chance {chance!r}; a number above 0, at most 1 is needed"
                    )

    @classmethod
    def of(cls, offline: int, arrivals: Iterable[Mapping[int, float]], weights: Sequence[float] = ()) -> Self:
        """From mappings; an edge of chance 0 is none, since nobody ever tries it.

        Raises:
            ConfigError: there is no such offline vertex, or a number is no chance.

        >>> Instance.of(2, [{1: 0.5, 0: 0.25}]).arrivals
        (((0, 0.25), (1, 0.5)),)
        """
        rows = tuple(
            tuple(sorted((u, float(chance)) for u, chance in row.items() if chance != 0.0)) for row in arrivals
        )
        return cls(offline, rows, tuple(map(float, weights)))

    @classmethod
    def typed(cls, offline: int, types: Iterable[Sequence[int]], copies: int) -> Self:
        """Each type of arrival, by its neighbours, `copies` times over with chance `1 / copies`: mass 1.

        Raises:
            ConfigError: `copies` is below 1.
        """
        whole_number("copies", copies, 1)
        rows = [dict.fromkeys(neighbours, 1.0 / copies) for neighbours in types]
        return cls.of(offline, [row for row in rows for _ in range(copies)])

    @classmethod
    def from_json(cls, path: Path) -> Self:
        """From a file `{"offline": n, "arrivals": [{"0": 0.25}, ...], "weights": optional}`.

        Raises:
            TaskError: it cannot be read, or is none of this.
        """
        try:
            given: Any = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=each_once)
            rows = [{_vertex(u): _number(chance) for u, chance in row.items()} for row in given["arrivals"]]
            return cls.of(given["offline"], rows, [_number(weight) for weight in given.get("weights", ())])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise TaskError(f"no instance can be read from {str(path)!r}: {type(error).__name__}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `from_json` reads it."""
        arrivals = [{str(u): chance for u, chance in arrival} for arrival in self.arrivals]
        return {"offline": self.offline, "arrivals": arrivals} | (
            {"weights": list(self.weights)} if self.weights else {}
        )

    def relabelled(self, order: Sequence[int]) -> Instance:
        """The same graph with offline vertex u called `order[u]`: rules that break ties by number do otherwise on it.

        Raises:
            ConfigError: that is no order of the offline vertices.
        """
        if sorted(order) != list(range(self.offline)):
            raise ConfigError(f"order is {list(order)!r:.200}; a permutation of 0 to {self.offline - 1} is needed")
        weights = [0.0] * self.offline
        for u, weight in enumerate(self.weights):
            weights[order[u]] = weight
        rows = [{order[u]: chance for u, chance in arrival} for arrival in self.arrivals]
        return Instance.of(self.offline, rows, weights if self.weights else ())

    @property
    def worth(self) -> tuple[float, ...]:
        """The weights, written out."""
        return self.weights or (1.0,) * self.offline

    @cached_property
    def types(self) -> tuple[tuple[Arrival, int], ...]:
        """Distinct arrivals, in order of first appearance, and how often each comes."""
        counts: dict[Arrival, int] = {}
        for arrival in self.arrivals:
            counts[arrival] = counts.get(arrival, 0) + 1
        return tuple(counts.items())


def _vertex(name: str) -> int:
    """A key as `to_json` writes it: "00" would be one more name of "0"."""
    if not (name.isascii() and name.isdigit()) or str(int(name)) != name:
        raise ValueError(f"an offline vertex is {name!r}; a whole number >= 0 without leading zeros is needed")
    return int(name)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)
