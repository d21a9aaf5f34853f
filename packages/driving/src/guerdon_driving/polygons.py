"""Areas of the road: which points lie in them, and which boxes reach into them. A border belongs to its area.

Polygons are simple, (N, 2), not closed. Points, boxes: any leading axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BORDER = 1e-9
"""Metres within which a point is on a border."""
_MOST = 4_000_000
"""Point-edge pairs looked at together, which bounds memory (about 150 MB)."""


def contains(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points lie in a polygon or on its border, by the parity of crossings.

    Args:
        polygon: (N, 2).
        points: (..., 2); NaN lies nowhere.

    Returns:
        bool (...).

    >>> contains(np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])).tolist()
    [True, True, False]
    """
    x, y = points[..., 0].ravel(), points[..., 1].ravel()
    low, high = polygon.min(axis=0) - BORDER, polygon.max(axis=0) + BORDER
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    found = np.zeros(x.shape, dtype=bool)
    chunk = max(1, _MOST // len(polygon))
    for begin in range(0, len(near), chunk):
        part = near[begin : begin + chunk]
        found[part] = _inside(polygon, x[part], y[part])
    return found.reshape(points.shape[:-1])


def _inside(polygon: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """As `contains`, for P points: edges (E, 1) against points (P,)."""
    start, end = polygon[:, :, None], np.roll(polygon, -1, axis=0)[:, :, None]
    dx, dy = end[:, 0] - start[:, 0], end[:, 1] - start[:, 1]
    rx, ry = x - start[:, 0], y - start[:, 1]
    side = dx * ry - dy * rx  # > 0: left of the edge
    crosses = ((start[:, 1] <= y) != (end[:, 1] <= y)) & ((side > 0) == (dy > 0))
    length = np.maximum(np.hypot(dx, dy), 1e-300)
    along = dx * rx + dy * ry
    on = (np.abs(side) <= BORDER * length) & (along >= -BORDER * length) & (along <= length * (length + BORDER))
    inside: np.ndarray = (crosses.sum(axis=0) % 2 == 1) | on.any(axis=0)
    return inside


def in_each(polygons: Sequence[np.ndarray], points: np.ndarray) -> np.ndarray:
    """For each of P polygons which points lie in it: (P, ...)."""
    shape = (len(polygons), *points.shape[:-1])
    return np.array([contains(polygon, points) for polygon in polygons], dtype=bool).reshape(shape)


def in_any(polygons: Sequence[np.ndarray], points: np.ndarray) -> np.ndarray:
    """Which points lie in the union of the polygons; none where there are none."""
    found = np.zeros(points.shape[:-1], dtype=bool)
    for polygon in polygons:
        found |= contains(polygon, points)
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
        hit |= ((vertex_left >= 0).all(axis=1) | (vertex_left <= 0).all(axis=1)).any(axis=1)
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
