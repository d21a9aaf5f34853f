"""EC: whether a plan agrees with the one of the frame before, so that a vehicle that replans does not twitch.

Source: NAVSIM v2, as in the companion sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from guerdon_driving.comfort import signals
from guerdon_driving.motions import STEP_S, Motion

LIMITS: Mapping[str, float] = MappingProxyType(
    {"acceleration": 0.7, "jerk": 0.5, "yaw_rate": 0.1, "yaw_acceleration": 0.1}
)
"""The most that each may differ by, as a root of mean squares, in SI units; acceleration and jerk are of the magnitude
of the acceleration [choice: the sheet does not say which]."""


def differences(plan: Motion, before: Motion, since_s: float) -> dict[str, np.ndarray]:
    """How far each signal is from that of the plan before, over the time that both cover: (B,) each.

    Args:
        plan: from now on.
        before: from `since_s` ago on; as many trajectories, or one for all.
        since_s: seconds between the two frames, a multiple of 0.1.

    Raises:
        ValueError: both together cover fewer than four poses.
    """
    skipped = round(since_s / STEP_S)
    length = min(plan.poses.shape[1], before.poses.shape[1] - skipped)
    if length < 4:
        raise ValueError(f"{max(length, 0)} poses in both plans; at least 4 are needed")
    now, then = _of(plan, 0, length), _of(before, skipped, length)
    return {name: np.sqrt(np.mean((now[name] - then[name]) ** 2, axis=1)) for name in LIMITS}


def extended_comfort(plan: Motion, before: Motion, since_s: float) -> np.ndarray:
    """1.0 where every difference is within its limit, else 0.0: (B,)."""
    found = differences(plan, before, since_s)
    kept = np.logical_and.reduce([found[name] <= limit for name, limit in LIMITS.items()])
    return np.where(kept, 1.0, 0.0)


def _of(motion: Motion, begin: int, length: int) -> dict[str, np.ndarray]:
    """Smoothed over the whole plan, so that the part does not depend on what it is compared with."""
    found = signals(motion.acceleration, motion.poses[..., 2])
    found["acceleration"] = np.hypot(found["longitudinal_acceleration"], found["lateral_acceleration"])
    return {name: found[name][:, begin : begin + length] for name in LIMITS}
