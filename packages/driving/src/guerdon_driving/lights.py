"""TLC: whether a plan runs into what a red light closes. Source: NAVSIM v2, as in the companion sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guerdon_driving.ego_areas import EgoAreas
from guerdon_driving.polygons import reached


def traffic_lights(areas: EgoAreas, red: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """0.0 where the ego box ever overlaps or touches a red light's area, else 1.0.

    Returns:
        (B,) and the poses (B, T) at which it does.
    """
    inside = np.zeros(areas.off_road.shape, dtype=bool)
    for polygon in red:
        inside |= reached(polygon, areas.boxes)
    return np.where(inside.any(axis=1), 0.0, 1.0), inside
