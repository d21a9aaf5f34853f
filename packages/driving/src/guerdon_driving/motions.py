"""`Motion`: trajectories at 10 Hz, with the speeds and accelerations that checkers ask for.

Everything is linear in the poses, so for a given set of times each step here is one product with a fixed matrix,
whatever the number of trajectories. Places follow a local cubic (Hermite, slopes by central differences): where a plan
says it stands, it stands. Accelerations and headings follow a cubic spline; its slope at the start is the speed that
the ego vehicle has now, so that a plan cannot begin with a stop or a leap for nothing [choice: the sheet's plain
resampling, which finds standing still comfortable at any speed, is `start="free"`].

Axes: B trajectories, N poses as given, T poses at 10 Hz from now on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

STEP_S = 0.1
"""Seconds between the poses that are checked. Source: NAVSIM."""
Start = Literal["speed", "free"]
"""Whether accelerations know the speed now (`speed`), or what the poses say alone (`free`)."""


@dataclass(frozen=True, eq=False)
class Motion:
    """B trajectories of T poses at 10 Hz, the first of them now."""

    poses: np.ndarray
    """(B, T, 3): x, y, and heading, unwrapped."""
    speed: np.ndarray
    """(B, T), in m/s."""
    acceleration: np.ndarray
    """(B, T, 2): along and across the heading (left is positive), in m/s²."""

    def __len__(self) -> int:
        return len(self.poses)


def motions(
    poses: np.ndarray,
    step_s: float,
    *,
    speed: np.ndarray | float | None = None,
    past: np.ndarray | None = None,
    past_step_s: float = 0.0,
) -> Motion:
    """Resample trajectories to 10 Hz.

    Args:
        poses: (B, N, 3) after now, N >= 4, finite, with headings.
        step_s: seconds between them.
        speed: the ego vehicle's now, one or (B,), in m/s; None: accelerations start free.
        past: (H, 3) before now, oldest first; the motion then begins with them, and `speed` is not used.
        past_step_s: seconds between those.

    Returns:
        T poses that end at or before the last one given.
    """
    count, length = poses.shape[:2]
    before = np.zeros((0, 3)) if past is None else past
    known = np.concatenate(
        [np.broadcast_to(before, (count, *before.shape)), np.zeros((count, 1, 3)), poses], axis=1
    )  # (B, K, 3)
    known[..., 2] = np.unwrap(known[..., 2], axis=1)
    places = np.arange(-len(before), length + 1)
    times = tuple(np.where(places < 0, places * past_step_s, places * step_s).round(9).tolist())
    first, last = int(np.ceil(times[0] / STEP_S - 1e-6)), int(np.floor(length * step_s / STEP_S + 1e-6))
    at = tuple((np.arange(first, last + 1) * STEP_S).round(9).tolist())
    free = speed is None or len(before) > 0
    line = _matrices(times, at, "free" if free else "speed")
    where = line.place @ known[..., :2]
    heading = (line.heading @ known[..., 2:])[..., 0]
    velocity = line.velocity @ known[..., :2]
    pull = line.acceleration @ known[..., :2]
    if not free:
        pull[..., 0] += np.multiply.outer(np.broadcast_to(np.asarray(speed, dtype=np.float64), count), line.start)
    cos, sin = np.cos(heading), np.sin(heading)
    along = pull[..., 0] * cos + pull[..., 1] * sin
    across = pull[..., 1] * cos - pull[..., 0] * sin
    return Motion(
        np.concatenate([where, heading[..., None]], axis=-1),
        np.hypot(velocity[..., 0], velocity[..., 1]),
        np.stack([along, across], axis=-1),
    )


@dataclass(frozen=True, eq=False)
class _Matrices:
    """(T, K) each: from K known values to T wanted ones; `start` (T,) is what a start at 1 m/s adds."""

    place: np.ndarray
    velocity: np.ndarray
    heading: np.ndarray
    acceleration: np.ndarray
    start: np.ndarray


@lru_cache(maxsize=128)
def _matrices(times: tuple[float, ...], at: tuple[float, ...], start: Start) -> _Matrices:
    from scipy.interpolate import CubicHermiteSpline, CubicSpline

    knots, wanted, each = np.array(times), np.array(at), np.eye(len(times))
    local = CubicHermiteSpline(knots, each, np.gradient(each, knots, axis=0, edge_order=2))
    free = CubicSpline(knots, each)  # ends "not-a-knot": exact for every cubic
    bent, slope = free, np.zeros(len(at))
    if start == "speed":
        ends = "not-a-knot"
        bent = CubicSpline(knots, each, bc_type=((1, np.zeros(len(times))), ends))
        slope = CubicSpline(knots, np.zeros(len(times)), bc_type=((1, 1.0), ends))(wanted, 2)
    return _Matrices(local(wanted), local(wanted, 1), free(wanted), bent(wanted, 2), slope)


def cut(motion: Motion, length: int) -> Motion:
    """Its first `length` poses."""
    return Motion(motion.poses[:, :length], motion.speed[:, :length], motion.acceleration[:, :length])


def rows_of(motion: Motion, rows: slice) -> Motion:
    """Some of its trajectories."""
    return Motion(motion.poses[rows], motion.speed[rows], motion.acceleration[rows])


def joined(parts: list[Motion]) -> Motion:
    """Motions of one length as one."""
    return Motion(*(end_to_end([getattr(part, name) for part in parts]) for name in Motion.__dataclass_fields__))


def end_to_end(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays as one along their first axis; one alone is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
