"""Where points stand along a centre line, and how far from it."""

from __future__ import annotations

import numpy as np

_MOST = 4_000_000
"""Point-segment pairs looked at together, which bounds memory."""


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
    flat = points.reshape(-1, 2)
    run = np.diff(line, axis=0)
    lengths = np.hypot(run[:, 0], run[:, 1])
    begins = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    along, off = np.zeros(len(flat)), np.zeros(len(flat))
    chunk = max(1, _MOST // len(run))
    for begin in range(0, len(flat), chunk):
        to = flat[begin : begin + chunk, None] - line[:-1]
        share = np.clip((to * run).sum(axis=-1) / np.maximum(lengths**2, 1e-300), 0.0, 1.0)
        rest = to - share[..., None] * run
        square = (rest * rest).sum(axis=-1)
        best = square.argmin(axis=1)
        rows = np.arange(len(best))
        along[begin : begin + chunk] = begins[best] + share[rows, best] * lengths[best]
        off[begin : begin + chunk] = np.sqrt(square[rows, best])
    return along.reshape(points.shape[:-1]), off.reshape(points.shape[:-1])
