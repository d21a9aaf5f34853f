"""Where points stand along a centre line, and how far from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MOST = 200_000
"""Point-segment pairs looked at together, which keeps them in the cache and bounds memory."""


def project(line: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest place on a line of segments, for each point.

    Args:
        line: (M, 2), M >= 2, in driving order.
        points: (..., 2).

    Returns:
        Metres along the line from its beginning (within it), and metres to it; both (...).

    >>> [value.tolist() for value in project(np.array([[0.0, 0], [10, 0]]), np.array([[4.0, 3.0], [12.0, 0.0]]))]
    [[4.0, 10.0], [3.0, 2.0]]
    """
    found = project_each([line], np.zeros(points[..., 0].size, dtype=np.intp), points.reshape(-1, 2))
    along, off = (each.reshape(points.shape[:-1]) for each in found)
    return along, off


def project_each(lines: Sequence[np.ndarray], which: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`project` of P points, each on a line of its own.

    Args:
        lines: (M, 2) each, M as it comes.
        which: (P,), the place of each point's line among them.
        points: (P, 2).

    Returns:
        (P,) metres along, and (P,) metres to it.
    """
    most = max(len(line) for line in lines)
    # A line's end repeated is a segment without length, whose nearest place is that end.
    x, y = np.stack([line[np.minimum(np.arange(most), len(line) - 1)] for line in lines]).transpose(2, 0, 1)
    run_x, run_y = np.diff(x, axis=1), np.diff(y, axis=1)  # (lines, M - 1)
    lengths = np.hypot(run_x, run_y)
    square = np.maximum(lengths**2, 1e-300)
    begins = np.concatenate([np.zeros((len(lines), 1)), np.cumsum(lengths, axis=1)[:, :-1]], axis=1)
    along, off = np.zeros(len(points)), np.zeros(len(points))
    chunk = max(1, _MOST // most)
    for begin in range(0, len(points), chunk):
        some = slice(begin, begin + chunk)
        of = which[some] if len(lines) > 1 else np.zeros(1, dtype=np.intp)  # one line is not laid out again and again
        to_x, to_y = points[some, 0, None] - x[of, :-1], points[some, 1, None] - y[of, :-1]
        share = np.clip((to_x * run_x[of] + to_y * run_y[of]) / square[of], 0.0, 1.0)
        to_x -= share * run_x[of]
        to_y -= share * run_y[of]
        distance = to_x * to_x + to_y * to_y
        best = distance.argmin(axis=1)
        rows = np.arange(len(best))
        along[some] = begins[of, best] + share[rows, best] * lengths[of, best]
        off[some] = np.sqrt(distance[rows, best])
    return along, off
