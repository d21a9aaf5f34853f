"""LK: how long a plan strays from the centre line. Source: NAVSIM v2, as in the companion sheet."""

from __future__ import annotations

import numpy as np

from guerdon_driving.centre_lines import project
from guerdon_driving.ego_areas import EgoAreas
from guerdon_driving.motions import STEP_S, Motion

ASIDE_M = 0.5
FOR_S = 2.0


def lane_keeping(motion: Motion, areas: EgoAreas, route: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """0.0 where the centre is more than 0.5 m from the centre line for 2 s in a row, outside intersections; else 1.0.

    2 s in a row are 20 poses of 0.1 s. Without a route there is nothing to keep to, and it is 1.0.

    Returns:
        (B,) and the poses (B, T) at which such 2 s are full.
    """
    if route is None or len(route) < 2:
        return np.ones(len(motion)), np.zeros(motion.speed.shape, dtype=bool)
    _, off = project(route, motion.poses[..., :2])
    astray = (off > ASIDE_M) & ~areas.intersection
    places = np.arange(astray.shape[1])
    last_kept = np.maximum.accumulate(np.where(astray, -1, places), axis=1)
    full = astray & (places - last_kept >= round(FOR_S / STEP_S))
    return np.where(full.any(axis=1), 0.0, 1.0), full
