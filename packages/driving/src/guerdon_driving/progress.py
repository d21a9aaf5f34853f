"""EP: how far along the centre line a plan gets, beside what was safely possible. Source: NAVSIM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guerdon_driving.centre_lines import project_each
from guerdon_driving.motions import Motion

LITTLE_M = 5.0
"""Metres of best progress up to which nobody is asked to progress."""
_ROUNDING = 1e-9


def progress_m(motion: Motion, lines: Sequence[np.ndarray], scene: np.ndarray) -> np.ndarray:
    """Metres gained along a line between the first and the last pose, at least 0: (B,).

    Args:
        motion: B trajectories.
        lines: (M, 2) of each scene.
        scene: (B,), the place of each trajectory's.
    """
    ends = motion.poses[:, [0, -1], :2].reshape(-1, 2)
    along = project_each(lines, np.repeat(scene, 2), ends)[0].reshape(-1, 2)
    return np.asarray(np.maximum(along[:, 1] - along[:, 0], 0.0))


def ego_progress(gained: np.ndarray, safe: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Safe progress by the better of one's own and the reference's: (B,) in [0, 1].

    Args:
        gained: (B,), metres.
        safe: (B,), the product of the multiplier terms, by which progress is discounted.
        reference: (B,) or one, the safe progress of the reference in metres. NAVSIM's is its rule-based planner; ours
            is the path that was driven [choice].

    Returns:
        1 for every plan where the better one is 5 m or less. (The released code has 0 there for a plan with `safe` 0,
        whose composite is 0 all the same.)
    """
    own = gained * safe
    best = np.maximum(own, reference)
    return np.where(best > LITTLE_M + _ROUNDING, own / np.where(best > 0, best, 1.0), 1.0)
