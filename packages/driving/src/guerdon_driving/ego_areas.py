"""Where the ego box is at each pose: off the road, in several lanes, in an intersection, among oncoming traffic.

Axes: B trajectories, T poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon_driving.boxes import corners
from guerdon_driving.motions import Motion
from guerdon_driving.polygons import in_any, in_each, road_of
from guerdon_driving.scenes import Scene


@dataclass(frozen=True, eq=False)
class EgoAreas:
    """(B, T) bool each. What a scene does not say is not so: without a drivable area nothing is off the road."""

    off_road: np.ndarray
    """A corner lies in no drivable polygon."""
    several_lanes: np.ndarray
    """Corners lie in more than one lane, and no lane has all four."""
    intersection: np.ndarray
    """The centre lies where lanes cross."""
    oncoming: np.ndarray
    """The centre lies in a lane that is driven the other way."""
    boxes: np.ndarray
    """(B, T, 4, 2): the corners."""


def ego_areas(motion: Motion, scene: Scene) -> EgoAreas:
    """Find them for all poses at once.

    Source: NAVSIM's scorer, as in the companion sheet; there, oncoming is what is on no lane of the route.
    """
    road = road_of(scene)
    boxes, centres = corners(motion.poses, scene.ego_size), motion.poses[..., :2]
    nowhere = np.zeros(centres.shape[:-1], dtype=bool)
    off_road = np.asarray(~in_any(road.drivable, boxes).all(axis=-1)) if road.drivable else nowhere
    inside = in_each(road.lanes, boxes).sum(axis=-1)  # (lanes, B, T): how many corners
    several = np.asarray(((inside > 0).sum(axis=0) > 1) & ~(inside == 4).any(axis=0))
    return EgoAreas(off_road, several, in_any(road.intersections, centres), in_any(road.oncoming, centres), boxes)


def drivable(areas: EgoAreas) -> tuple[np.ndarray, np.ndarray]:
    """DAC: 0.0 where a corner ever leaves the drivable area, else 1.0; and the poses (B, T) at which it does."""
    return np.where(areas.off_road.any(axis=1), 0.0, 1.0), areas.off_road
