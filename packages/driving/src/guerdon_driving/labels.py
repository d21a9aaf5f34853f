"""Meta-actions from a driven path. [choice] of the fact sheet, as AlphaDrive's own labelling was never published."""

from __future__ import annotations

import math

import numpy as np

from guerdon_driving.actions import PathAction, SpeedAction

STEP_S = 0.5


def labels(poses: np.ndarray, speed: float) -> tuple[SpeedAction, PathAction]:
    """The two actions of a path.

    Args:
        poses: (6, 3), every 0.5 s from 0.5 s on, seen from now: x forward, y left, heading.
        speed: now, in m/s.

    >>> labels(np.stack([5.0 * np.arange(1, 7), np.zeros(6), np.zeros(6)], axis=1), 10.0)
    ('KEEP', 'STRAIGHT')
    """
    points = np.concatenate([np.zeros((1, 2)), np.asarray(poses, dtype=float)[:, :2]])
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    end = lengths[-1] / STEP_S
    gain = (end - speed) / (STEP_S * len(steps))
    moved = np.flatnonzero(lengths > 0.1)
    yaw = math.degrees(math.atan2(steps[moved[-1], 1], steps[moved[-1], 0])) if len(moved) else 0.0
    across = points[-1, 1]
    pace: SpeedAction
    pace = "STOP" if end < 0.3 else "ACCELERATE" if gain > 0.5 else "DECELERATE" if gain < -0.5 else "KEEP"
    if abs(yaw) >= 15:
        return pace, "LEFT_TURN" if yaw > 0 else "RIGHT_TURN"
    if abs(across) >= 1.5:
        return pace, "LEFT_CHANGE" if across > 0 else "RIGHT_CHANGE"
    return pace, "STRAIGHT"
