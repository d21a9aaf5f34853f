"""Drivers for highway-env: IDM along the lane and MOBIL across lanes, with manners that its own lack.

Its `IDMVehicle` takes every bend at full speed, may brake into reverse, and is slowed down by constants that one of the
environments rewrites on the class. These slow down for bends, stop at 0, and keep their constants to themselves.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from highway_env.road.lane import AbstractLane
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.controller import ControlledVehicle

STEP_S = 0.1
"""Seconds between two states of the simulation."""
LOOK_AHEAD_M = (0.0, 5.0, 10.0, 16.0, 24.0, 34.0, 46.0)
"""Where bends are looked for, in metres along the lane."""

LaneIndex = tuple[str, str, int]


def chain(vehicle: ControlledVehicle, start: LaneIndex | None = None) -> list[LaneIndex]:
    """The lanes that a vehicle's route leads over, from the one it is on (or `start`) to the route's end."""
    graph = vehicle.road.network.graph
    found = [start or vehicle.lane_index]
    for origin, end, place in vehicle.route or ():
        if origin == found[-1][1] and len(found) < 12:
            last = len(graph[origin][end]) - 1
            found.append((origin, end, min(found[-1][2], last) if place is None else place))
    return found


class Along:
    """Positions along a chain of lanes, by the distance from where a vehicle is now."""

    def __init__(self, vehicle: ControlledVehicle, indices: list[LaneIndex] | None = None) -> None:
        network = vehicle.road.network
        self.lanes: list[AbstractLane] = [network.get_lane(index) for index in indices or chain(vehicle)]
        self.start = float(self.lanes[0].local_coordinates(vehicle.position)[0])

    def at(self, distance: float) -> tuple[AbstractLane, float]:
        """The lane that lies so many metres ahead, and how far along it; the last one goes on for ever."""
        rest = self.start + distance
        for lane in self.lanes[:-1]:
            if rest <= lane.length:
                return lane, rest
            rest -= lane.length
        return self.lanes[-1], min(rest, float(self.lanes[-1].length))

    def heading(self, distance: float) -> float:
        """Of the lane, in highway-env's frame."""
        lane, along = self.at(distance)
        return float(lane.heading_at(along))

    def curvature(self, distance: float, span: float = 4.0) -> float:
        """In 1/m over the next `span` metres; positive to the right, as y grows there."""
        turned = self.heading(distance + span) - self.heading(distance)
        return (math.remainder(turned, 2 * math.pi)) / span

    def remaining(self) -> float:
        """Metres to the end of the last lane."""
        return float(sum(lane.length for lane in self.lanes)) - self.start


class Handling(ControlledVehicle):
    """How every car here is steered and finds its lane, whoever decides where it goes."""

    ACROSS = 1.7
    """m/s sideways in a lane change."""

    def steering_control(self, target_lane_index: LaneIndex) -> float:
        """highway-env's cascade, with a lane change taken at `ACROSS` at most: its own turns the nose by 45 degrees."""
        lane = self.road.network.get_lane(target_lane_index)
        along, across = lane.local_coordinates(self.position)
        speed = max(self.speed, 0.5)
        nose = float(np.clip(-self.KP_LATERAL * across / speed, -self.nose_max(speed), self.nose_max(speed)))
        wanted = lane.heading_at(along + self.speed * self.TAU_PURSUIT) + nose
        rate = self.KP_HEADING * math.remainder(wanted - self.heading, 2 * math.pi)
        slip = math.asin(float(np.clip(self.LENGTH / 2 / speed * rate, -1, 1)))
        return float(np.clip(math.atan(2 * math.tan(slip)), -self.MAX_STEERING_ANGLE, self.MAX_STEERING_ANGLE))

    def nose_max(self, speed: float) -> float:
        """Radians between nose and lane in a lane change: so many that it moves across at `ACROSS`; 11 degrees at most
        (a roundabout's, whose entries do not meet the ring's lanes, allows more).
        """
        return float(getattr(self.road, "nose_max", min(0.19, self.ACROSS / speed)))

    def predict_trajectory_constant_speed(self, times: np.ndarray) -> tuple[list[np.ndarray], list[float]]:
        """Positions and headings along its own lanes; highway-env's fails where a road has fewer lanes than before."""
        along = Along(self)
        at = [along.at(self.speed * float(time)) for time in times]
        return [lane.position(far, 0) for lane, far in at], [float(lane.heading_at(far)) for lane, far in at]

    def on_state_update(self) -> None:
        """Look for another lane only when this one is left: highway-env searches all lanes at each step."""
        along, across = self.lane.local_coordinates(self.position)
        if not (0 <= along < self.lane.length and abs(across) < self.lane.width_at(along) / 2):
            super().on_state_update()


class TrafficVehicle(Handling, IDMVehicle):
    """Any other car."""

    COMFORT_ACC_MAX = 3.0
    COMFORT_ACC_MIN = -3.0
    ACC_MAX = 5.0
    LATERAL_MAX = 3.5
    """m/s2 that a bend may take."""
    BEATS = 2
    """It decides at every second state."""
    beat = -1
    JERK = math.inf
    """m/s3; how fast the pedals move."""

    def act(self, action: Any = None) -> None:
        """IDM and MOBIL, with the wished speed held to what the next bends allow."""
        if self.crashed:
            return
        self.beat = (self.beat + 1) % self.BEATS
        if self.beat:  # thinking is what costs; hands stay on the wheel
            self.follow_road()
            self.action["steering"] = self.steering_control(self.target_lane_index)
            self.action["acceleration"] = max(self.action["acceleration"], -self.speed / STEP_S)
            return
        wish: float = self.target_speed  # type: ignore[has-type]
        before = self.action["acceleration"]
        self.target_speed = min(wish, self.bend_speed())
        super().act(action)
        self.target_speed = wish
        change = self.JERK * STEP_S
        wanted = float(np.clip(self.action["acceleration"], before - change, before + change))
        self.action["acceleration"] = max(wanted, -self.speed / STEP_S)  # stops at 0 instead of driving back

    def bend_speed(self) -> float:
        """The most that the bends ahead allow now, in m/s, with comfortable braking before them."""
        if not getattr(self.road, "bends", True):
            return math.inf
        along, best = Along(self), math.inf
        for distance in LOOK_AHEAD_M:
            bend = abs(along.curvature(distance))
            if bend > 1e-3:
                best = min(best, math.sqrt(self.LATERAL_MAX / bend + 2 * 1.8 * max(0.0, distance - 2)))
        return best


class SpawnedVehicle(TrafficVehicle):
    """What an environment spawns by itself; the intersection's rewrites constants of this class, and of no other."""


class EgoVehicle(TrafficVehicle):
    """The human-like driver whose path is the label: gentler pedals, the posted speed as its wish."""

    COMFORT_ACC_MAX = 2.0
    COMFORT_ACC_MIN = -2.5
    ACC_MAX = 3.8
    LATERAL_MAX = 2.8
    JERK = 4.0
    BEATS = 1
    LANE_CHANGE_MIN_ACC_GAIN = 0.3
    passes_on: int | None = None
    """Number of a lane that is for passing only (two-way roads): it goes back as soon as the next one is free."""

    def mobil(self, lane_index: LaneIndex) -> bool:
        """MOBIL, and back from the passing lane."""
        if self.passes_on is not None and self.lane_index[2] == self.passes_on and not self.route_wants_lane:
            ahead, behind = self.road.neighbour_vehicles(self, lane_index)
            past = ahead is None or self.lane_distance_to(ahead) > 60 or ahead.speed > self.speed + 1
            return past and (behind is None or -self.lane_distance_to(behind) > 12)
        return bool(super().mobil(lane_index))

    @property
    def route_wants_lane(self) -> bool:
        """Whether the route names the lane to be on."""
        return bool(self.route) and self.route[0][2] is not None


class PlannedVehicle(Handling):
    """An ego vehicle that is told its speed and lane: low-level control for closed loop."""

    COMFORT = 3.5
    """m/s2 that its pedals give at most."""

    def act(self, action: Any = None) -> None:
        """Steer along the target lane and hold the target speed."""
        super().act(action)
        wanted = float(np.clip(self.action["acceleration"], -self.COMFORT, self.COMFORT))
        self.action["acceleration"] = max(wanted, -self.speed / STEP_S)
