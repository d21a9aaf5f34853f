"""Areas of the road: which points lie in them, and which boxes reach into them. A border belongs to its area.

Polygons are simple, (N, 2), not closed. Points, boxes: any leading axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from guerdon_driving.scenes import Scene

BORDER = 1e-9
"""Metres within which a point is on a border."""


@dataclass(frozen=True, eq=False)
class Area:
    """A polygon made ready for many points.

    In y it falls into bands between which no edge begins or ends. Within one, M of its E edges pass from side to side,
    and a point is compared with where those are, and with nothing else. Points within `BORDER` of a vertex's
    height are few, and compared with all edges.
    """

    low: np.ndarray
    """(2,): the extent's lower corner, with the border."""
    high: np.ndarray
    ends: np.ndarray
    """(2E,): where bands end, sorted; every second one holds a vertex."""
    narrow: np.ndarray
    """(2E + 1,) bool: which bands hold one."""
    passing: np.ndarray
    """(3, M, 2E + 1): of each band's edges x at y = 0, its slope by y, and how far the border reaches in x; NaN where
    there are fewer than M."""
    edges: np.ndarray
    """(4, E, 1): start x and y, dx and dy."""

    @classmethod
    def of(cls, polygon: np.ndarray) -> Area:
        """Sort the edges of a polygon, (N, 2), N >= 3."""
        polygon = np.asarray(polygon, dtype=np.float64)
        (x, y), (dx, dy) = polygon.T, (np.roll(polygon, -1, axis=0) - polygon).T
        ends = np.sort(np.concatenate([y - BORDER, y + BORDER]))
        middle = (ends[1:] + ends[:-1]) / 2
        narrow = np.concatenate([[False], (np.abs(middle[:, None] - y) <= BORDER).any(axis=1), [False]])
        middle = np.concatenate([[-np.inf], middle, [np.inf]])
        passes = (np.minimum(y, y + dy) < middle[:, None]) & (middle[:, None] < np.maximum(y, y + dy))
        most = max(1, int(passes.sum(axis=1).max()))
        chosen = np.argsort(~passes, axis=1, kind="stable")[:, :most]
        slope = dx / np.where(dy == 0, 1.0, dy)
        table = np.stack([x - y * slope, slope, BORDER * np.hypot(1.0, slope)])
        passing = np.where(np.take_along_axis(passes, chosen, axis=1), table[:, chosen], np.nan).swapaxes(1, 2)
        low, high = polygon.min(axis=0) - BORDER, polygon.max(axis=0) + BORDER
        return cls(low, high, ends, narrow, np.ascontiguousarray(passing), np.stack([x, y, dx, dy])[..., None])

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points (..., 2) lie in it or on its border, by the parity of crossings; NaN lies nowhere."""
        return self.holds(points[..., 0].ravel(), points[..., 1].ravel()).reshape(points.shape[:-1])

    def holds(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """As `contains`, for P points."""
        found = np.zeros(x.shape, dtype=bool)
        near = (x >= self.low[0]) & (x <= self.high[0]) & (y >= self.low[1]) & (y <= self.high[1])
        places = np.flatnonzero(near)
        if not len(places):
            return found
        if len(places) < len(x):
            x, y = x[places], y[places]
        band = np.searchsorted(self.ends, y)
        odd, on = np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
        for begin, slope, reach in self.passing.swapaxes(0, 1):
            beyond = x - begin[band]
            beyond -= slope[band] * y
            odd ^= beyond > 0
            on |= np.abs(beyond) <= reach[band]
        inside = odd | on
        close = np.flatnonzero(self.narrow[band])
        if len(close):
            inside[close] = self._by_all_edges(x[close], y[close])
        found[places] = inside
        return found

    def _by_all_edges(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        from_x, from_y, dx, dy = self.edges
        rx, ry = x - from_x, y - from_y
        side = dx * ry - dy * rx  # > 0: left of the edge
        crosses = ((ry >= 0) != (ry >= dy)) & ((side > 0) == (dy > 0))
        length = np.hypot(dx, dy)
        along = dx * rx + dy * ry
        on = (np.abs(side) <= BORDER * length) & (along >= -BORDER * length) & (along <= length * (length + BORDER))
        return np.asarray((crosses.sum(axis=0) % 2 == 1) | on.any(axis=0))


@dataclass(frozen=True, eq=False)
class Road:
    """A scene's areas, made ready."""

    drivable: tuple[Area, ...]
    lanes: tuple[Area, ...]
    intersections: tuple[Area, ...]
    oncoming: tuple[Area, ...]


@lru_cache(maxsize=256)
def road_of(scene: Scene) -> Road:
    """The same ones for the same scene."""
    return Road(
        *(tuple(map(Area.of, each)) for each in (scene.drivable, scene.lanes, scene.intersections, scene.oncoming))
    )


def contains(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points (..., 2) lie in a polygon (N, 2) or on its border.

    >>> contains(np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])).tolist()
    [True, True, False]
    """
    return Area.of(polygon).contains(points)


def in_each(areas: Sequence[Area], points: np.ndarray) -> np.ndarray:
    """For each of P areas which points lie in it: (P, ...)."""
    shape = (len(areas), *points.shape[:-1])
    return np.array([area.contains(points) for area in areas], dtype=bool).reshape(shape)


def in_any(areas: Sequence[Area], points: np.ndarray) -> np.ndarray:
    """Which points lie in the union of the areas; none where there are none."""
    x, y = points[..., 0].ravel(), points[..., 1].ravel()
    found = np.zeros(x.shape, dtype=bool)
    for number, area in enumerate(areas):
        if not number:
            found = area.holds(x, y)
            continue
        left = np.flatnonzero(~found)
        if not len(left):
            break
        found[left] = area.holds(x[left], y[left])
    return found.reshape(points.shape[:-1])


def reached(polygon: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which boxes overlap or touch a polygon: a corner in it, a vertex of it in the box, or borders that cross.

    Args:
        polygon: (N, 2).
        boxes: (..., 4, 2), corners in order.

    Returns:
        bool (...).
    """
    flat = boxes.reshape(-1, 4, 2)
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero(((flat.max(axis=1) >= low) & (flat.min(axis=1) <= high)).all(axis=1))
    found = np.zeros(len(flat), dtype=bool)
    if len(near):
        some = flat[near]
        hit = contains(polygon, some).any(axis=1)
        a, b = some[:, :, None], np.roll(some, -1, axis=1)[:, :, None]  # (P, 4, 1, 2) against (N, 2)
        c, d = polygon, np.roll(polygon, -1, axis=0)
        vertex_left = _side(a, b, c)  # (P, 4, N)
        around = np.asarray((vertex_left >= 0).all(axis=1) | (vertex_left <= 0).all(axis=1))
        hit |= around.any(axis=1)
        cut = (vertex_left * _side(a, b, d) <= 0) & (_side(c, d, a) * _side(c, d, b) <= 0)
        level = (vertex_left == 0) & (_side(a, b, d) == 0)  # in one line: then a corner or a vertex lies on the other
        hit |= (cut & ~level).any(axis=(1, 2))
        found[near] = hit
    return found.reshape(boxes.shape[:-2])


def _side(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Twice the area of each triangle; positive where the point is left of the line."""
    run, to = end - start, point - start
    side: np.ndarray = run[..., 0] * to[..., 1] - run[..., 1] * to[..., 0]
    return side
