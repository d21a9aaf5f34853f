"""Matrices of a PDF, six numbers (a, b, c, d, e, f) that take (x, y) to (a x + c y + e, b x + d y + f); and boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

Matrix = tuple[float, float, float, float, float, float]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""
SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
EVERYWHERE: Box = (-math.inf, -math.inf, math.inf, math.inf)


def then(first: Sequence[float], second: Sequence[float]) -> Matrix:
    """One matrix after another."""
    a, b, c, d, e, f = first
    return (
        a * second[0] + b * second[2],
        a * second[1] + b * second[3],
        c * second[0] + d * second[2],
        c * second[1] + d * second[3],
        e * second[0] + f * second[2] + second[4],
        e * second[1] + f * second[3] + second[5],
    )


def put(matrix: Matrix, x: float, y: float) -> Point:
    """Where a matrix puts a point."""
    return matrix[0] * x + matrix[2] * y + matrix[4], matrix[1] * x + matrix[3] * y + matrix[5]


def narrowest(matrix: Matrix) -> float:
    """How wide a circle of width 1 still is where it is narrowest: the smaller singular value.

    >>> narrowest((2.0, 0.0, 0.0, 0.5, 9.0, 9.0)), narrowest((3.0, 0.0, 3.0, 0.0, 0.0, 0.0))
    (0.5, 0.0)
    """
    a, b, c, d = matrix[:4]
    widest = (math.hypot(a + d, b - c) + math.hypot(a - d, b + c)) / 2.0
    return abs(a * d - b * c) / widest if widest else 0.0


def around(points: Sequence[Point]) -> Box:
    """The box of at least one point."""
    across, up = [x for x, _ in points], [y for _, y in points]
    return min(across), min(up), max(across), max(up)


def common(one: Box, other: Box) -> Box:
    """What two boxes share; its sides change places where that is nothing."""
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def holds(box: Box, point: Point, margin: float) -> bool:
    """Whether a point is in a box, or so close to it."""
    return box[0] - margin <= point[0] <= box[2] + margin and box[1] - margin <= point[1] <= box[3] + margin
