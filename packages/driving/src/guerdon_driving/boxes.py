"""Oriented boxes: whether they overlap, and where their corners are. Touching counts as overlap [choice].

Arrays broadcast: a pose is the last axis (x, y, heading; metres, radians), a size (length, width) likewise.
"""

from __future__ import annotations

import numpy as np

TOUCH = 1e-9
"""Metres by which boxes that touch may miss each other, for rounding."""


def corners(poses: np.ndarray, size: np.ndarray | tuple[float, float]) -> np.ndarray:
    """The corners of boxes about their centres: front left, rear left, rear right, front right.

    Args:
        poses: (..., 3).
        size: (..., 2), length and width.

    Returns:
        (..., 4, 2).

    >>> corners(np.array([0.0, 0.0, 0.0]), (4.0, 2.0)).tolist()
    [[2.0, 1.0], [-2.0, 1.0], [-2.0, -1.0], [2.0, -1.0]]
    """
    size = np.asarray(size, dtype=np.float64)
    along = size[..., 0, None] / 2 * np.array([1.0, -1, -1, 1])
    across = size[..., 1, None] / 2 * np.array([1.0, 1, -1, -1])
    cos, sin = np.cos(poses[..., 2, None]), np.sin(poses[..., 2, None])
    x = poses[..., 0, None] + along * cos - across * sin
    y = poses[..., 1, None] + along * sin + across * cos
    return np.stack([x, y], axis=-1)


def overlap(
    poses: np.ndarray,
    size: np.ndarray | tuple[float, float],
    other_poses: np.ndarray,
    other_size: np.ndarray | tuple[float, float],
) -> np.ndarray:
    r"""Whether boxes overlap: no edge normal of either separates them.

    With $d$ from one centre to the other and $\phi$ between the headings, a normal along the first box's length
    separates iff $|d_x| > l/2 + |\cos\phi| l'/2 + |\sin\phi| w'/2$, and so on for the other three. Pairs whose
    circumscribed circles are apart are not looked at further.

    Args:
        poses: (..., 3); NaN where a box is not there, which overlaps nothing.
        size: (..., 2).
        other_poses: (..., 3).
        other_size: (..., 2).

    Returns:
        bool, of the shape that all of them broadcast to.

    >>> ego = np.array([0.0, 0.0, 0.0])
    >>> overlap(ego, (4.084, 1.85), np.array([[0.0, 1.825, 0.0], [0.0, 1.9, 0.0]]), (4.0, 1.8)).tolist()
    [True, False]
    """
    size, other_size = np.asarray(size, dtype=np.float64), np.asarray(other_size, dtype=np.float64)
    dx, dy = other_poses[..., 0] - poses[..., 0], other_poses[..., 1] - poses[..., 1]
    reach = np.hypot(size[..., 0], size[..., 1]) / 2 + np.hypot(other_size[..., 0], other_size[..., 1]) / 2
    square = dx * dx
    square += dy * dy
    near = square <= np.square(reach + TOUCH)  # False for NaN
    found = np.zeros(near.shape, dtype=bool)
    places = np.flatnonzero(near)
    if not len(places):
        return found
    shape = near.shape or (1,)  # one pair alone has no axis to count along
    index = np.unravel_index(places, shape)

    def of_pairs(values: np.ndarray) -> np.ndarray:
        """The values at the near pairs, without laying out all of them."""
        lead = (1,) * (len(shape) - values.ndim) + values.shape
        seen = tuple(place if axis > 1 else 0 for place, axis in zip(index, lead, strict=True))
        picked: np.ndarray = values.reshape(lead)[seen]
        return picked

    found.reshape(-1)[places] = meet(
        of_pairs(dx),
        of_pairs(dy),
        of_pairs(poses[..., 2]),
        of_pairs(other_poses[..., 2]),
        (of_pairs(size[..., 0]), of_pairs(size[..., 1])),
        (of_pairs(other_size[..., 0]), of_pairs(other_size[..., 1])),
    )
    return found


def meet(
    dx: np.ndarray,
    dy: np.ndarray,
    heading: np.ndarray,
    other: np.ndarray,
    size: tuple[np.ndarray, np.ndarray],
    other_size: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """`overlap` of P pairs in single columns, (P,) each, without the circles.

    Args:
        dx: from the first box's centre to the other's.
        dy: likewise.
        heading: of the first box.
        other: of the other.
        size: lengths and widths of the first box.
        other_size: of the other.
    """
    (length, width), (other_length, other_width) = ((each[0] / 2, each[1] / 2) for each in (size, other_size))
    turned = other - heading
    cos, sin = np.abs(np.cos(turned)), np.abs(np.sin(turned))
    apart = np.isnan(turned)
    for angle, mine, theirs in (
        (heading, (length, width), (other_length, other_width)),
        (other, (other_length, other_width), (length, width)),
    ):
        ahead, left = np.cos(angle), np.sin(angle)
        apart |= np.abs(dx * ahead + dy * left) > mine[0] + cos * theirs[0] + sin * theirs[1] + TOUCH
        apart |= np.abs(dy * ahead - dx * left) > mine[1] + sin * theirs[0] + cos * theirs[1] + TOUCH
    return np.asarray(~apart)


def front_line(poses: np.ndarray, size: tuple[float, float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The front bumper as a box without length: its poses (..., 3) and sizes (..., 2)."""
    size = np.asarray(size, dtype=np.float64)
    half = size[..., 0] / 2
    ahead = np.stack([half * np.cos(poses[..., 2]), half * np.sin(poses[..., 2]), np.zeros(poses.shape[:-1])], axis=-1)
    return poses + ahead, size * np.array([0.0, 1.0])
