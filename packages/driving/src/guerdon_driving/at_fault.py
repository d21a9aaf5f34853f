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

from typing import Protocol

import numpy as np

from guerdon_driving.boxes import front_line, overlap
from guerdon_driving.encounters import Pairs, encounters
from guerdon_driving.motions import STEP_S, Motion

STANDS = 0.05
"""m/s at most."""
AHEAD_RAD, BEHIND_RAD = np.deg2rad(30.0), np.deg2rad(150.0)
REAR_AXLE = 0.282
"""By which share of its length the rear axle lies behind the box's centre: nuPlan's vehicle, 1.461 of 5.176 m
[memory]."""


class Poses(Protocol):
    """Something that is so or not at each of (B, T) poses, and can be asked pose by pose, as an array can."""

    def __getitem__(self, at: tuple[np.ndarray, np.ndarray], /) -> np.ndarray:
        """At rows (N,) and poses (N,): (N,) bool."""
        ...


def bearing(poses: np.ndarray, length: np.ndarray | float, objects: np.ndarray) -> np.ndarray:
    """The angle between the ego heading and the way from its rear axle to objects' centres, in [0, pi] (...).

    Args:
        poses: (..., 3), of the ego box's centre.
        length: of the ego box, in metres; one, or (...).
        objects: (..., 2 or 3).
    """
    cos, sin = np.cos(poses[..., 2]), np.sin(poses[..., 2])
    dx = objects[..., 0] - poses[..., 0] + REAR_AXLE * length * cos
    dy = objects[..., 1] - poses[..., 1] + REAR_AXLE * length * sin
    return np.asarray(np.abs(np.arctan2(dy * cos - dx * sin, dx * cos + dy * sin)))


def overlaps_at_start(size: tuple[float, float] | np.ndarray, others: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which objects overlap the ego box now, of one size or (A, 2): (A,) bool."""
    return overlap(np.zeros(3), np.asarray(size), others[..., 0, :], sizes)


def collisions(
    motion: Motion,
    size: tuple[float, float] | np.ndarray,
    others: np.ndarray,
    sizes: np.ndarray,
    speeds: np.ndarray,
    agents: np.ndarray,
    at_start: np.ndarray,
    loose: Poses,
    pairs: Pairs | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """NC and the time of the first fault.

    Args:
        motion: the B trajectories.
        size: of the ego box; one, or (B, 2).
        others: (A, L, 3).
        sizes: (A, 2).
        speeds: (A, L).
        agents: (A,) bool.
        at_start: (A,) bool, those not to be looked at.
        loose: (B, T) bool, where the ego box is in several lanes or off the road.
        pairs: which objects each trajectory has around it; None: all.

    Returns:
        (B,) in {0, 0.5, 1} and (B,) seconds, inf where there is none.
    """
    count, length = motion.poses.shape[:2]
    size = np.broadcast_to(np.asarray(size, dtype=np.float64), (count, 2))
    pairs = (pairs or Pairs.of([count], [len(others)])).without(at_start)
    met = encounters(motion.poses, size, others[:, :length], sizes, pairs)
    rows, objects, when = met.rows, met.objects, met.moments
    ego, object_ = motion.poses[rows, when], others[objects, when]
    stands = motion.speed[rows, when] <= STANDS
    behind = bearing(ego, size[rows, 0], object_) > BEHIND_RAD
    bumper, line = front_line(ego, size[rows])
    frontal = overlap(bumper, line, object_, sizes[objects])
    fault = (speeds[objects, when] <= STANDS) | (~behind & frontal)
    aside = np.flatnonzero(~fault & ~behind)
    fault[aside] = loose[rows[aside], when[aside]]
    fault &= ~stands
    score, first = np.ones(count), np.full(count, np.inf)
    np.minimum.at(score, rows[fault], np.where(agents[objects[fault]], 0.0, 0.5))
    np.minimum.at(first, rows[fault], when[fault] * STEP_S)
    return score, first
