"""Where the ego box is at each pose: off the road, in several lanes, in an intersection, among oncoming traffic.

Axes: B trajectories of all scenes, T poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon_driving.batches import Batch
from guerdon_driving.boxes import corners
from guerdon_driving.polygons import held, in_any, in_turn


@dataclass(frozen=True, eq=False)
class EgoAreas:
    """(B, T) bool each. What a scene does not say is not so: without a drivable area nothing is off the road."""

    off_road: np.ndarray
    """A corner lies in no drivable polygon."""
    intersection: np.ndarray
    """The centre lies where lanes cross."""
    oncoming: np.ndarray
    """The centre lies in a lane that is driven the other way."""
    boxes: np.ndarray
    """(B, T, 4, 2): the corners."""

    def of_rows(self, rows: slice) -> EgoAreas:
        """Those of some of the trajectories."""
        return EgoAreas(self.off_road[rows], self.intersection[rows], self.oncoming[rows], self.boxes[rows])


def ego_areas(batch: Batch) -> EgoAreas:
    """Find them for all poses at once.

    Source: NAVSIM's scorer, as in the companion sheet; there, oncoming is what is on no lane of the route.
    """
    shape = batch.motion.speed.shape
    boxes = corners(batch.motion.poses, batch.size[batch.scene, None])
    corner, centre = boxes.reshape(-1, 2), batch.motion.poses[..., :2].reshape(-1, 2)
    of_centre = np.repeat(batch.scene, shape[1])
    of_corner = np.repeat(of_centre, 4)
    bounded = np.array([len(road.drivable) > 0 for road in batch.roads])
    on_road = in_any([road.drivable for road in batch.roads], of_corner, corner).reshape(*shape, 4).all(axis=-1)
    intersection, oncoming = (
        in_any([getattr(road, kind) for road in batch.roads], of_centre, centre).reshape(shape)
        for kind in ("intersections", "oncoming")
    )
    return EgoAreas(~on_road & bounded[batch.scene, None], intersection, oncoming, boxes)


def drivable(areas: EgoAreas) -> tuple[np.ndarray, np.ndarray]:
    """DAC: 0.0 where a corner ever leaves the drivable area, else 1.0; and the poses (B, T) at which it does."""
    return np.where(areas.off_road.any(axis=1), 0.0, 1.0), areas.off_road


@dataclass(frozen=True, eq=False)
class Loose:
    """Whether the ego box keeps to no lane, asked pose by pose: lanes are many, and few poses meet anything."""

    batch: Batch
    areas: EgoAreas
    crossing: bool = False
    """Whether an intersection counts too."""

    def __getitem__(self, at: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """(N,) bool: in several lanes or off the road; rows (N,) ascending, and poses (N,)."""
        found = self.areas.off_road[at] | in_several(self.batch, at[0], self.areas.boxes[at])
        return np.asarray(found | self.areas.intersection[at] if self.crossing else found)


def in_several(batch: Batch, rows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which boxes have corners in more than one lane, and in no lane all four.

    Args:
        batch: whose lanes.
        rows: (N,), ascending: whose box each is.
        boxes: (N, 4, 2).

    Returns:
        (N,) bool.
    """
    scene = batch.scene[rows]
    touched, whole = np.zeros(len(rows), dtype=np.intp), np.zeros(len(rows), dtype=bool)
    for lanes, some in in_turn([road.lanes for road in batch.roads], scene):
        inside = held(lanes, np.repeat(scene[some], 4), boxes[some].reshape(-1, 2)).reshape(-1, 4).sum(axis=1)
        touched[some] += inside > 0
        whole[some] |= inside == 4
    return np.asarray((touched > 1) & ~whole)
