"""DDC: metres driven among oncoming traffic. Source: NAVSIM v2, as in the companion sheet."""

from __future__ import annotations

import numpy as np

from guerdon_driving.ego_areas import EgoAreas
from guerdon_driving.motions import STEP_S, Motion

WINDOW_S = 1.0
TOLERATED_M, VIOLATION_M = 2.0, 6.0


def driving_direction(motion: Motion, areas: EgoAreas) -> tuple[np.ndarray, np.ndarray]:
    """1.0, 0.5 or 0.0 as the metres driven in oncoming lanes within any second are below 2, below 6, or more.

    Steps that end in an intersection do not count.

    Returns:
        (B,) and the poses (B, T) at which 2 m are reached within the second before.
    """
    steps = np.linalg.norm(np.diff(motion.poses[..., :2], axis=1), axis=-1)
    wrong = np.where((areas.oncoming & ~areas.intersection)[:, 1:], steps, 0.0)
    total = np.concatenate([np.zeros((len(wrong), 1)), np.cumsum(wrong, axis=1)], axis=1)  # (B, T)
    window = round(WINDOW_S / STEP_S)
    before = np.concatenate([np.zeros((len(total), window)), total], axis=1)[:, : total.shape[1]]
    within = total - before
    most = within.max(axis=1)
    return np.where(most < TOLERATED_M, 1.0, np.where(most < VIOLATION_M, 0.5, 0.0)), within >= TOLERATED_M
