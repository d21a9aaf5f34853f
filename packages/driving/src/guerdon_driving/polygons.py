"""Areas of the road: which points lie in them, and which boxes reach into them. A border belongs to its area.

Polygons are simple, (N, 2), not closed. Points, boxes: any leading axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
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
        flat = points.reshape(-1, 2)
        return held([self], np.zeros(len(flat), dtype=np.intp), flat).reshape(points.shape[:-1])

    def by_all_edges(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which of P points lie in it or on its border, each compared with every edge."""
        from_x, from_y, dx, dy = self.edges
        rx, ry = x - from_x, y - from_y
        side = dx * ry - dy * rx  # > 0: left of the edge
        crosses = ((ry >= 0) != (ry >= dy)) & ((side > 0) == (dy > 0))
        length = np.hypot(dx, dy)
        along = dx * rx + dy * ry
        on = (np.abs(side) <= BORDER * length) & (along >= -BORDER * length) & (along <= length * (length + BORDER))
        return np.asarray((crosses.sum(axis=0) % 2 == 1) | on.any(axis=0))


def held(areas: Sequence[Area], which: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which of P points lie in an area of their own, or on its border: many scenes' areas and points in one go.

    Args:
        areas: any number.
        which: (P,), ascending: the place among `areas` of the one that a point is compared with.
        points: (P, 2).

    Returns:
        (P,) bool, each as `Area.contains` finds it.
    """
    found = np.zeros(len(points), dtype=bool)
    if not areas:
        return found
    x, y = points[:, 0], points[:, 1]
    (left, low), (right, high) = (np.array([getattr(area, end) for area in areas]).T for end in ("low", "high"))
    near = (x >= left[which]) & (x <= right[which]) & (y >= low[which]) & (y <= high[which])
    places = np.flatnonzero(near)
    if not len(places):
        return found
    x, y, which = x[places], y[places], which[places]
    begins = np.flatnonzero(np.diff(which, prepend=-1))  # where the points near another area begin
    areas, stops = [areas[number] for number in which[begins]], [*begins.tolist(), len(places)]
    first_band = np.cumsum([0, *(len(area.narrow) for area in areas)]).tolist()
    band = np.empty(len(places), dtype=np.intp)
    for area, first, (begin, end) in zip(areas, first_band, itertools.pairwise(stops), strict=False):
        band[begin:end] = area.ends.searchsorted(y[begin:end])  # the one step that needs each area by itself
        band[begin:end] += first
    odd, on = np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
    for starts, slopes, reaches in _passing(areas).swapaxes(0, 1):
        beyond = x - starts[band]
        beyond -= slopes[band] * y
        odd ^= beyond > 0
        on |= np.abs(beyond) <= reaches[band]
    inside = odd | on
    narrow = np.concatenate([area.narrow for area in areas])[band]
    if narrow.any():
        for area, begin, end in zip(areas, stops, stops[1:], strict=False):
            close = begin + np.flatnonzero(narrow[begin:end])
            inside[close] = area.by_all_edges(x[close], y[close])
    found[places] = inside
    return found


def _passing(areas: Sequence[Area]) -> np.ndarray:
    """Their tables side by side, (3, M, bands of all), M the most that any has."""
    if len(areas) == 1:
        return areas[0].passing
    most, bands = max(area.passing.shape[1] for area in areas), sum(area.passing.shape[2] for area in areas)
    found, begin = np.full((3, most, bands), np.nan), 0
    for area in areas:
        _, count, width = area.passing.shape
        found[:, :count, begin : begin + width] = area.passing
        begin += width
    return found


NOWHERE = Area(
    np.full(2, np.inf),
    np.full(2, -np.inf),
    np.zeros(0),
    np.zeros(1, dtype=bool),
    np.full((3, 1, 1), np.nan),
    np.zeros((4, 0, 1)),
)
"""An area without points."""


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


def in_turn(areas: Sequence[Sequence[Area]], scene: np.ndarray) -> Iterator[tuple[list[Area], np.ndarray]]:
    """The first area of every scene, then the second of those that have two, and so on, each with whom it concerns.

    Args:
        areas: of each scene, any number.
        scene: (P,), ascending: the scene of each of P points.

    Yields:
        An area for each scene (`NOWHERE` for those that have no more), and the places of the points in the others.
    """
    counts, left = np.array([len(each) for each in areas]), np.arange(len(scene))
    for turn, some in enumerate(itertools.zip_longest(*areas, fillvalue=NOWHERE)):
        if (counts <= turn).any():
            left = left[counts[scene[left]] > turn]
        yield list(some), left


def in_any(areas: Sequence[Sequence[Area]], scene: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which of P points lie in the union of their scene's areas; none where there are none. Arguments as `in_turn`."""
    found = np.zeros(len(points), dtype=bool)
    for some, all_of_them in in_turn(areas, scene):
        left = all_of_them[~found[all_of_them]]
        found[left] = held(some, scene[left], points[left])
    return found


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
