"""Meta-action labels from a driven path: which speed action and which path action it was.

Source: the companion sheet [choice]; AlphaDrive does not say how its labels were made.
"""

from __future__ import annotations

from math import radians

import numpy as np

from guerdon_driving.actions import PathAction, SpeedAction
from guerdon_driving.trajectories import HELD_STEP, MIN_POSES

STOPPED_SPEED = 0.3
ACCELERATION = 0.5
TURN_RAD = radians(15)
LANE_CHANGE_M = 1.5


def labels(poses: np.ndarray, speed: float, *, step_s: float = 0.5) -> tuple[SpeedAction, PathAction]:
    """The speed and the path action of N poses after now (the sheet's are 6 at 2 Hz).

    With $v_0$ the speed now, $v_e$ that of the last step and $a = (v_e - v_0) / T$: STOP if $v_e < 0.3$, ACCELERATE if
    $a > 0.5$, DECELERATE if $a < -0.5$, else KEEP. With yaw the direction of the last step longer than 0.1 m: a turn if
    |yaw| >= 15 degrees, else a change of lane if the last pose is 1.5 m or more to the side, else STRAIGHT.

    Args:
        poses: (N, 2 or 3), N >= 4, in metres.
        speed: now, in m/s.
        step_s: seconds between poses; T is N of them.

    Raises:
        ValueError: too few poses, or no finite numbers.

    >>> labels(np.array([[5.0 * i, 0.0] for i in range(1, 7)]), 10.0)
    ('KEEP', 'STRAIGHT')
    """
    path = np.asarray(poses, dtype=np.float64)[:, :2]
    if len(path) < MIN_POSES or not (np.isfinite(path).all() and np.isfinite(speed)):
        raise ValueError(f"{len(path)} poses and speed {speed!r}; at least {MIN_POSES} and finite numbers are needed")
    steps = np.diff(path, axis=0, prepend=0.0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    end = lengths[-1] / step_s
    gained = (end - speed) / (len(path) * step_s)
    how: SpeedAction = (
        "STOP"
        if end < STOPPED_SPEED
        else "ACCELERATE"
        if gained > ACCELERATION
        else "DECELERATE"
        if gained < -ACCELERATION
        else "KEEP"
    )
    moved = np.flatnonzero(lengths > HELD_STEP)
    yaw = float(np.arctan2(steps[moved[-1], 1], steps[moved[-1], 0])) if len(moved) else 0.0
    aside = float(path[-1, 1])
    where: PathAction = "STRAIGHT"
    if abs(yaw) >= TURN_RAD:
        where = "LEFT_TURN" if yaw > 0 else "RIGHT_TURN"
    elif abs(aside) >= LANE_CHANGE_M:
        where = "LEFT_CHANGE" if aside > 0 else "RIGHT_CHANGE"
    return how, where
