"""When boxes on their way first meet objects: what collisions and the time to collision both ask.

Trajectories of many scenes lie end to end, and so do the scenes' objects; pairs tell which meets which. The ways of all
pairs are far more numbers than trajectories and objects have, so they are laid out a part at a time.

Axes: B boxes on their way, A objects, Q moments, P pairs, N first encounters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guerdon_driving.boxes import TOUCH, meet

_MOST = 32_768
"""Moments of pairs looked at together: their distances stay in a core's cache, and memory is bounded."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which trajectory is held against which object; ascending in both."""

    rows: np.ndarray
    """(P,), places among the B."""
    objects: np.ndarray
    """(P,), places among the A."""

    @classmethod
    def of(cls, trajectories: Sequence[int], objects: Sequence[int]) -> Pairs:
        """Every trajectory of a scene with every object of it, given how many each scene has.

        >>> pairs = Pairs.of([2, 1], [1, 2])
        >>> pairs.rows.tolist(), pairs.objects.tolist()
        ([0, 1, 2, 2], [0, 0, 1, 2])
        """
        counts = np.repeat(objects, trajectories)  # (B,): how many objects each trajectory has around it
        first = np.repeat(np.cumsum(objects) - objects, trajectories)  # and where they begin
        rows = np.repeat(np.arange(len(counts)), counts)
        return cls(rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts - first, counts))

    def without(self, objects: np.ndarray) -> Pairs:
        """Those whose object (A,) is not marked."""
        kept = ~objects[self.objects]
        return Pairs(self.rows[kept], self.objects[kept])


@dataclass(frozen=True, eq=False)
class Encounters:
    """Pairs that meet, and when first: (N,) each, in the order of the pairs."""

    rows: np.ndarray
    objects: np.ndarray
    moments: np.ndarray


def encounters(
    boxes: np.ndarray, size: np.ndarray, others: np.ndarray, other_size: np.ndarray, pairs: Pairs
) -> Encounters:
    """The first overlap of each pair that ever overlaps, as `boxes.overlap` finds it.

    Args:
        boxes: (B, Q, 3); NaN where one is not there.
        size: (B, 2).
        others: (A, Q, 3), at the same moments.
        other_size: (A, 2).
        pairs: which are looked at.
    """
    moments = boxes.shape[1]
    x, y, heading = (np.ascontiguousarray(boxes[..., axis]) for axis in range(3))
    other_x, other_y, other_heading = (np.ascontiguousarray(others[..., axis]) for axis in range(3))
    half, other_half = (np.hypot(each[:, 0], each[:, 1]) / 2 for each in (size, other_size))
    found = [(np.zeros(0, dtype=np.intp),) * 3]
    step = max(1, _MOST // max(1, moments))
    for begin in range(0, len(pairs.rows), step):
        rows, objects = pairs.rows[begin : begin + step], pairs.objects[begin : begin + step]
        reach = np.square(half[rows] + other_half[objects] + TOUCH)
        dx, dy = other_x[objects], other_y[objects]  # copies
        dx -= x[rows]
        dy -= y[rows]
        near = np.flatnonzero(dx * dx + dy * dy <= reach[:, None])  # circles about the boxes; False for NaN
        pair, moment = np.divmod(near, moments)
        row, object_ = rows[pair], objects[pair]
        hit = meet(
            dx.reshape(-1)[near],
            dy.reshape(-1)[near],
            heading[row, moment],
            other_heading[object_, moment],
            (size[row, 0], size[row, 1]),
            (other_size[object_, 0], other_size[object_, 1]),
        )
        row, object_, moment, pair = row[hit], object_[hit], moment[hit], pair[hit]
        first = np.flatnonzero(np.diff(pair, prepend=-1))
        found.append((row[first], object_[first], moment[first]))
    return Encounters(*(np.concatenate(each) for each in zip(*found, strict=True)))
