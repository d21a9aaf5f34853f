"""NC: collisions for which the ego vehicle is to blame.

The first overlap with each object is classified, and later ones with it are not looked at:

| what | fault |
|---|---|
| the ego vehicle stands (at most 0.05 m/s) | no |
| else the object stands | yes |
| else the object is behind (more than 150 degrees off the heading, seen from the rear axle) | no |
| else the front bumper's line meets the object | yes |
| else it is at the side | if the ego box is in several lanes or off the road |

A fault costs everything with an agent and half with a thing; objects that overlap at the start are not looked at.

Axes: B trajectories, A others, T poses, L = T and the look ahead.

Source: NAVSIM's scorer and nuPlan's collision metric, as in the companion sheet.
"""

from __future__ import annotations

import numpy as np

from guerdon_driving.boxes import front_line, overlap
from guerdon_driving.motions import STEP_S, Motion

STANDS = 0.05
"""m/s at most."""
AHEAD_RAD, BEHIND_RAD = np.deg2rad(30.0), np.deg2rad(150.0)
REAR_AXLE = 0.282
"""By which share of its length the rear axle lies behind the box's centre: nuPlan's vehicle, 1.461 of 5.176 m
[memory]."""


def bearing(poses: np.ndarray, length: float, objects: np.ndarray) -> np.ndarray:
    """The angle between the ego heading and the way from its rear axle to objects' centres, in [0, pi] (...).

    Args:
        poses: (..., 3), of the ego box's centre.
        length: of the ego box, in metres.
        objects: (..., 2 or 3).
    """
    cos, sin = np.cos(poses[..., 2]), np.sin(poses[..., 2])
    dx = objects[..., 0] - poses[..., 0] + REAR_AXLE * length * cos
    dy = objects[..., 1] - poses[..., 1] + REAR_AXLE * length * sin
    return np.asarray(np.abs(np.arctan2(dy * cos - dx * sin, dx * cos + dy * sin)))


def overlaps_at_start(size: tuple[float, float], others: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which objects overlap the ego box now: (A,) bool."""
    return overlap(np.zeros(3), np.asarray(size), others[..., 0, :], sizes)


def collisions(
    motion: Motion,
    size: tuple[float, float],
    others: np.ndarray,
    sizes: np.ndarray,
    speeds: np.ndarray,
    agents: np.ndarray,
    at_start: np.ndarray,
    loose: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """NC and the time of the first fault.

    Args:
        motion: the B trajectories.
        size: of the ego box.
        others: (A, L, 3).
        sizes: (A, 2).
        speeds: (A, L).
        agents: (A,) bool.
        at_start: (A,) bool, those not to be looked at.
        loose: (B, T) bool, where the ego box is in several lanes or off the road.

    Returns:
        (B,) in {0, 0.5, 1} and (B,) seconds, inf where there is none.
    """
    length = motion.poses.shape[1]
    hit = overlap(motion.poses[:, None], size, others[:, :length], sizes[:, None])  # (B, A, T)
    hit &= ~at_start[:, None]
    rows, objects = np.nonzero(hit.any(axis=2))
    when = hit[rows, objects].argmax(axis=1)
    ego, object_ = motion.poses[rows, when], others[objects, when]
    stands = motion.speed[rows, when] <= STANDS
    behind = bearing(ego, size[0], object_) > BEHIND_RAD
    bumper, line = front_line(ego, size)
    frontal = overlap(bumper, line, object_, sizes[objects])
    fault = ~stands & ((speeds[objects, when] <= STANDS) | (~behind & (frontal | loose[rows, when])))
    score, first = np.ones(len(motion)), np.full(len(motion), np.inf)
    np.minimum.at(score, rows[fault], np.where(agents[objects[fault]], 0.0, 0.5))
    np.minimum.at(first, rows[fault], when[fault] * STEP_S)
    return score, first
