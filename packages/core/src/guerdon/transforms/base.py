"""`Transform`, and `chain`, which applies several left to right."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Scope = Literal["sample", "group", "batch", "running"]
_WIDTH: dict[Scope, int] = {"sample": 0, "group": 1, "batch": 2, "running": 3}
UNBOUNDED = (-math.inf, math.inf)


class Transform(ABC):
    """The base of all transforms: frozen dataclasses, so that they compare, pickle, and print what rebuilds them."""

    scope: Scope = "sample"

    def init(self) -> Any:
        """The state before the first batch: None, or plain lists, dicts and numbers."""
        return None

    @abstractmethod
    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Shape a batch.

        Args:
            values: flat, group by group; NaN where unscored.
            state: what `init` or the last `update` gave; never changed in place.
            sizes: values per group, adding up to `len(values)`; None means one group.

        Returns:
            As many values, NaN where they were NaN, and the new state.
        """

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """The closed interval the shaped values lie in, given that of the raw ones."""
        return UNBOUNDED


@dataclass(frozen=True)
class Chain(Transform):
    """Transforms applied left to right; built by `chain`."""

    parts: tuple[Transform, ...]

    @property
    def scope(self) -> Scope:  # type: ignore[override]
        """The widest of its parts'."""
        return max((part.scope for part in self.parts), key=_WIDTH.__getitem__, default="sample")

    def init(self) -> Any:
        """One state per part."""
        return [part.init() for part in self.parts]

    def update(
        self, values: Sequence[float], state: Any, sizes: Sequence[int] | None = None
    ) -> tuple[list[float], Any]:
        """Each part sees what the one before it made."""
        shaped, states = list(values), []
        for part, own in zip(self.parts, state, strict=True):
            shaped, own = part.update(shaped, own, sizes)
            states.append(own)
        return shaped, states

    def bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        """Each part's promise, given the one before it."""
        for part in self.parts:
            bounds = part.bounds(bounds)
        return bounds

    def __repr__(self) -> str:
        return f"chain({', '.join(map(repr, self.parts))})"


def chain(*parts: Transform) -> Chain:
    """Apply transforms left to right; chains within flatten."""
    return Chain(tuple(one for part in parts for one in (part.parts if isinstance(part, Chain) else (part,))))


def in_groups(values: Sequence[float], sizes: Sequence[int] | None) -> list[list[float]]:
    """The values of each group; one group where `sizes` is None.

    Raises:
        ValueError: the sizes do not add up to the number of values.
    """
    if sizes is None:
        return [list(values)]
    if sum(sizes) != len(values):
        raise ValueError(f"group sizes add up to {sum(sizes)}, but there are {len(values)} values")
    chunks, start = [], 0
    for size in sizes:
        chunks.append(list(values[start : start + size]))
        start += size
    return chunks
