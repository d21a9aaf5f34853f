"""TTC: whether going straight on at the speed of the moment would meet something within 0.9 s, at any pose.

At every pose the ego box is moved on by 0, 0.3, 0.6 and 0.9 s, against where the others will be then. An overlap counts
with an object ahead (less than 30 degrees off the heading, seen from the rear axle); in several lanes, off the road or
in an intersection with any that is not behind. The first overlap with an object decides: one that did not count then is
not looked at again.

Where an object is, is asked of the box moved on, at the moment of the overlap. The released code asks the pose it was
moved on from, where a faster car behind has long come "ahead" by the time it touches: `seen_from="now"`.
Poses slower than 0.005 m/s, and objects that overlap at the start, are passed over.

Axes: B trajectories, A others, T poses, K moments ahead, L = T + 9.

Source: NAVSIM's scorer, as in the companion sheet.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from guerdon_driving.at_fault import AHEAD_RAD, BEHIND_RAD, Poses, bearing
from guerdon_driving.encounters import Pairs, encounters
from guerdon_driving.motions import STEP_S, Motion

SeenFrom = Literal["then", "now"]
MOMENTS = np.array([0, 3, 6, 9])
"""Poses ahead, at 10 Hz."""
STANDS = 0.005
"""m/s below which nothing is looked at."""


def time_to_collision(
    motion: Motion,
    size: tuple[float, float] | np.ndarray,
    others: np.ndarray,
    sizes: np.ndarray,
    at_start: np.ndarray,
    loose: Poses,
    seen_from: SeenFrom = "then",
    pairs: Pairs | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """TTC and the time of the first pose that violates it.

    Args:
        motion: the B trajectories.
        size: of the ego box; one, or (B, 2).
        others: (A, L, 3).
        sizes: (A, 2).
        at_start: (A,) bool, those not to be looked at.
        loose: (B, T) bool, where the ego box is in several lanes, off the road, or in an intersection.
        seen_from: whose view tells ahead from behind: the box moved on (`then`), or as released (`now`).
        pairs: which objects each trajectory has around it; None: all.

    Returns:
        (B,) in {0, 1} and (B,) seconds, inf where there is none.
    """
    count, length = motion.poses.shape[:2]
    heading = motion.poses[..., 2]
    run = motion.speed[..., None] * np.stack([np.cos(heading), np.sin(heading)], axis=-1)  # (B, T, 2)
    boxes = np.repeat(motion.poses[:, :, None], len(MOMENTS), axis=2)  # (B, T, K, 3)
    boxes[..., :2] += run[:, :, None] * (MOMENTS * STEP_S)[:, None]
    boxes[motion.speed < STANDS] = np.nan
    then = np.arange(length)[:, None] + MOMENTS  # (T, K)
    boxes, others = boxes.reshape(count, -1, 3), others[:, then.reshape(-1)]  # (B, TK, 3), (A, TK, 3)
    size = np.broadcast_to(np.asarray(size, dtype=np.float64), (count, 2))
    pairs = (pairs or Pairs.of([count], [len(others)])).without(at_start)
    met = encounters(boxes, size, others, sizes, pairs)
    rows, when = met.rows, met.moments // len(MOMENTS)
    viewer = boxes[rows, met.moments] if seen_from == "then" else motion.poses[rows, when]
    off = bearing(viewer, size[rows, 0], others[met.objects, met.moments])
    counts = off < AHEAD_RAD
    aside = np.flatnonzero(~counts & (off <= BEHIND_RAD))
    counts[aside] = loose[rows[aside], when[aside]]
    score, first = np.ones(count), np.full(count, np.inf)
    score[rows[counts]] = 0.0
    np.minimum.at(first, rows[counts], when[counts] * STEP_S)
    return score, first
