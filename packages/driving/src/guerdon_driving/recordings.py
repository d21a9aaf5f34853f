"""`Recording`: one episode in arrays, and what is cut from it: scenes, futures.

World frame: metres and radians, x as highway-env has it, y to the left (its own grows to the right), unless the world
was mirrored. Axes: S states at 10 Hz, A vehicles (the ego vehicle first), M points of a line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from guerdon_driving.scenes import Kind as ObjectKind
from guerdon_driving.scenes import Polygon, Scene

STEP_S = 0.1
HORIZON_STEPS = 40
"""States after now that a scene holds: 4 s."""
PAST_STEPS = 15
FUTURE_STEPS = (5, 10, 15, 20, 25, 30)
"""The 3 s at 2 Hz that labels and rows are made of."""
NEAR_M = 70.0
"""How far around the ego vehicle's path a scene's road and traffic reach."""

Line = Literal["none", "striped", "solid"]
Side = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class Lane:
    """One lane of the network, from its start to its end."""

    road: tuple[str, str]
    """Nodes that it joins; lanes of one road lie side by side."""
    centre: np.ndarray
    """(M, 2)."""
    left: np.ndarray
    """(M, 2): the left edge."""
    right: np.ndarray
    """(M, 2)."""
    lines: tuple[Line, Line]
    """What is painted on the left and right edge."""

    @property
    def polygon(self) -> Polygon:
        """Its area."""
        return np.concatenate([self.left, self.right[::-1]])


@dataclass(frozen=True)
class Notice:
    """What a driver sees that decides: distances in metres between bumpers, speeds in m/s."""

    gap: float = math.inf
    """To the car ahead in the lane; infinite where there is none within 70 m."""
    closing: float = 0.0
    """How much slower than the ego vehicle that one is; negative: faster."""
    static: bool = False
    """What is ahead is no car."""
    left: bool = False
    """There is a lane on the left that may be used."""
    right: bool = False
    left_free: bool = False
    """And nothing is beside or close ahead there."""
    right_free: bool = False
    bend: float = 0.0
    """Radians that the route turns over the next 30 m; positive to the left."""
    tilt: float = 0.0
    """Radians by which the lane bears left of the ego vehicle's nose, as in the middle of a lane change."""
    turn: str = ""
    """The next choice of the route: "Left", "Right", "Straight", "U-turn"; empty: none within 200 m."""
    turn_m: float = math.inf
    yields: bool = False
    """It gives way to crossing traffic."""
    crossing: bool = False
    """A car moves across the ego vehicle's direction close ahead."""


@dataclass(frozen=True, eq=False)
class Moment:
    """A state of a recording that a plan is made in."""

    step: int
    chain: tuple[int, ...]
    """Places in `Recording.lanes`: where the route leads from here."""
    notice: Notice
    navigation: str
    """"100m: Straight, 200m: Left"."""


@dataclass(frozen=True, eq=False)
class Recording:
    """An episode as it was driven."""

    kind: str
    seed: int
    limit: float
    """The posted limit, in m/s."""
    poses: np.ndarray
    """(S, A, 3): x, y, heading; NaN where a vehicle is not there."""
    speeds: np.ndarray
    """(S, A)."""
    brakes: np.ndarray
    """(S, A): acceleration in m/s2."""
    sizes: np.ndarray
    """(A, 2)."""
    statics: np.ndarray
    """(B, 5): x, y, heading, length, width of things that stand on the road."""
    lanes: tuple[Lane, ...]
    oncoming: tuple[int, ...]
    """Places of the lanes that are driven against the route."""
    intersections: tuple[Polygon, ...]
    moments: tuple[Moment, ...]
    joints: tuple[Polygon, ...] = ()
    """Road between lanes that follow one another and do not meet."""
    surprises: tuple[int, ...] = ()
    """States at which a car ahead was told to slow down or go on: nobody could have seen it coming."""
    crashed: bool = False
    """It ended with the ego vehicle in a crash or off the road."""

    def frame(self, step: int) -> Frame:
        """Coordinates of the ego vehicle at a state."""
        return Frame(*map(float, self.poses[step, 0]))

    def future(self, step: int) -> np.ndarray:
        """(6, 3): the ego vehicle's poses every 0.5 s from 0.5 s on, seen from now."""
        return self.frame(step).poses(self.poses[[step + ahead for ahead in FUTURE_STEPS], 0])

    def route(self, chain: Sequence[int], step: int) -> np.ndarray:
        """(M, 2): centre line of a chain of lanes, seen from a state, from 20 m behind to `NEAR_M` ahead of 4 s."""
        line = np.concatenate([self.lanes[place].centre for place in chain])
        line = line[np.concatenate([[True], np.linalg.norm(np.diff(line, axis=0), axis=1) > 0.05])]
        line = self.frame(step).points(line)
        gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        here = gone[int(np.argmin(np.linalg.norm(line, axis=1)))]
        kept = line[(gone >= here - 20) & (gone <= here + 4 * self.limit * 1.3 + NEAR_M)]
        return kept if len(kept) > 1 else line

    def scene(self, moment: Moment, horizon: int = HORIZON_STEPS) -> Scene:
        """What is around the ego vehicle from a moment on.

        Polygons of the drivable area are whole roads (all lanes side by side), half a metre longer at both ends, so
        that none of their seams is a gap.
        """
        step, frame = moment.step, self.frame(moment.step)
        window = slice(step, step + horizon + 1)
        ego = frame.poses(self.poses[window, 0])
        others = frame.poses(self.poses[window, 1:]).transpose(1, 0, 2)
        away = np.where(np.isnan(others[:, :, 0]), np.inf, np.linalg.norm(others[:, :, :2] - ego[None, :, :2], axis=2))
        near = away.min(axis=1, initial=np.inf) < NEAR_M
        still = frame.poses(self.statics[:, :3])
        kept = np.linalg.norm(still[:, :2], axis=1) < 2 * NEAR_M
        lanes = [
            (place, part) for place, lane in enumerate(self.lanes) if (part := _near(lane, frame, ego)) is not None
        ]
        roads: dict[tuple[str, str], list[Lane]] = {}
        for _, lane in lanes:
            roads.setdefault(lane.road, []).append(lane)
        vehicles: list[ObjectKind] = ["vehicle"] * int(near.sum())
        things: list[ObjectKind] = ["static"] * int(kept.sum())
        return Scene(
            step_s=STEP_S,
            ego_size=(float(self.sizes[0, 0]), float(self.sizes[0, 1])),
            ego=ego,
            speed=float(self.speeds[step, 0]),
            past=frame.poses(self.poses[max(0, step - PAST_STEPS) : step, 0]),
            others=np.concatenate([others[near], np.repeat(still[kept][:, None], len(ego), axis=1)]),
            sizes=np.concatenate([self.sizes[1:][near], self.statics[kept][:, 3:]]),
            kinds=(*vehicles, *things),
            drivable=(*(_lengthened(beside) for beside in roads.values()), *map(frame.points, self.joints)),
            lanes=tuple(lane.polygon for _, lane in lanes),
            route=self.route(moment.chain, step),
            oncoming=tuple(lane.polygon for place, lane in lanes if place in self.oncoming),
            intersections=tuple(map(frame.points, self.intersections)),
        )


@dataclass(frozen=True)
class Frame:
    """The ego frame at one pose: x forward, y left."""

    x: float
    y: float
    heading: float

    def points(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) from the world into it."""
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        dx, dy = points[..., 0] - self.x, points[..., 1] - self.y
        return np.stack([cos * dx + sin * dy, cos * dy - sin * dx], axis=-1)

    def poses(self, poses: np.ndarray) -> np.ndarray:
        """(..., 3) from the world into it, headings in (-pi, pi]."""
        turned = np.arctan2(np.sin(poses[..., 2] - self.heading), np.cos(poses[..., 2] - self.heading))
        return np.concatenate([self.points(poses[..., :2]), turned[..., None]], axis=-1)


def _near(lane: Lane, frame: Frame, ego: np.ndarray) -> Lane | None:
    """The part of a lane that lies near the path, in the ego frame; None where there is none."""
    centre = frame.points(lane.centre)
    reach = np.min(np.linalg.norm(centre[:, None] - ego[None, ::8, :2], axis=2), axis=1) < NEAR_M
    if reach.sum() < 2:
        return None
    first, last = int(np.argmax(reach)), len(reach) - int(np.argmax(reach[::-1]))
    left, right = (frame.points(edge[first:last]) for edge in (lane.left, lane.right))
    kept = _bends(centre[first:last])
    return Lane(lane.road, centre[first:last][kept], left[kept], right[kept], lane.lines)


def _bends(line: np.ndarray) -> np.ndarray:
    """Which points of a line are needed: its ends, and where it turns by more than 0.2 degrees at a point."""
    step = np.diff(line, axis=0)
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    return np.concatenate([[True], np.abs(np.diff(heading)) > 0.0035, [True]])


def _lengthened(side_by_side: Sequence[Lane], by: float = 0.5) -> Polygon:
    """Lanes of one road, numbered from one side to the other, as one area."""
    edges = [side_by_side[0].left, side_by_side[-1].right]
    if np.linalg.norm(edges[0][0] - edges[1][0]) < np.linalg.norm(side_by_side[0].right[0] - edges[1][0]) - 0.1:
        edges = [side_by_side[-1].left, side_by_side[0].right]  # numbered from right to left
    longer = []
    for edge in edges:
        first, last = edge[0] - edge[1], edge[-1] - edge[-2]
        head = edge[0] + by * first / np.linalg.norm(first)
        longer.append(np.concatenate([head[None], edge, (edge[-1] + by * last / np.linalg.norm(last))[None]]))
    return np.concatenate([longer[0], longer[1][::-1]])
