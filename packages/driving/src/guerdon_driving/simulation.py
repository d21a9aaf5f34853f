"""Episodes of highway-env, driven human-like by its own IDM and MOBIL, recorded state by state.

Nothing is rendered here, and no display is touched. One seed, one episode, whatever ran before it in the process.
"""

from __future__ import annotations

import hashlib
import logging
import math
from typing import Any

import numpy as np

from guerdon_driving.recordings import Lane, Line, Moment, Notice, Recording
from guerdon_driving.scenarios import Kind, Setting, distance_to, setting, swapped
from guerdon_driving.vehicles import STEP_S, Along, LaneIndex, TrafficVehicle, chain

EPISODE_S = 16.0
EVERY_STEPS = 10
"""States between two moments: 1 s."""
FIRST_STEP = 15
SEEN_M = 70.0
CROSSED = ("intersection", "roundabout")
"""Where others cross; elsewhere a car that moves across the nose is one round the bend."""
FAR_M = 170.0
"""Cars farther away than this are taken off the road: nothing of theirs is seen within an episode's next second."""


def seed_of(*parts: object) -> int:
    """A seed of 63 bits from whatever names an episode."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


def drive(kind: Kind, seed: int, seconds: float = EPISODE_S) -> Recording:
    """One episode.

    Args:
        kind: type of scenario.
        seed: draws everything in it.
        seconds: how long at most; a crash, the end of the route or leaving the road ends it before.
    """
    running = start(kind, seed)
    for _ in range(round(seconds / STEP_S)):
        if not running.observe():
            break
        running.advance()
    return running.recording()


def start(kind: Kind, seed: int) -> Running:
    """An episode before its first state."""
    logging.getLogger("highway_env.road.road").setLevel(logging.ERROR)  # it warns of routes that a lane change overtook
    return Running(setting(kind, np.random.default_rng(seed)), seed)


class Running:
    """An episode while it runs."""

    def __init__(self, made: Setting, seed: int) -> None:
        self.made, self.seed = made, seed
        self.due: Moment | None = None
        self.surprises: list[int] = []
        self.rng = np.random.default_rng((seed, 1))
        self.states: list[dict[int, tuple[float, float, float, float, float]]] = []
        self.moments: list[Moment] = []
        self.columns: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is given twice
        self.places = {index: place for place, index in enumerate(made.road.network.lanes_dict())}
        self.slowed: tuple[Any, float, int] | None = None
        self.crashed = False
        self.route_roads: set[tuple[str, str]] = set()

    @property
    def ego(self) -> Any:
        """The ego vehicle; a driver may put another in its place before the first step."""
        return self.made.ego

    def observe(self) -> bool:
        """Record the state now, and `due`, the moment if it is one; False where the episode is over."""
        ego, now = self.ego, len(self.states)
        self._note()
        indices = chain(ego, ego.target_lane_index)
        self.route_roads |= {(origin, end) for origin, end, _ in indices}
        along = Along(ego, indices)
        if along.remaining() < 8 or ego.crashed or not ego.lane.on_lane(ego.position, margin=_OFF_M):
            self.crashed = bool(ego.crashed or along.remaining() >= 8)
            return False
        self.due = None
        if now >= FIRST_STEP and (now - FIRST_STEP) % EVERY_STEPS == 0:
            self.due = self._moment(indices, along)
            self.moments.append(self.due)
        return True

    def advance(self) -> None:
        """Go on by 0.1 s."""
        if (len(self.states) - 1) % 10 == 0:
            self._traffic(len(self.states) - 1)
        self.made.road.act()
        self.made.road.step(STEP_S)

    def _note(self) -> None:
        state = {}
        for car in self.made.road.vehicles:
            if id(car) not in self.columns:
                self.columns[id(car)] = len(self.columns)
                self._kept.append(car)
            acceleration = float(car.action["acceleration"])
            state[self.columns[id(car)]] = (*car.position, car.heading, car.speed, acceleration)
        self.states.append(state)

    def _traffic(self, now: int) -> None:
        """Cars come and go at intersections; elsewhere now and then one ahead slows down for a while, seen by all."""
        road = self.made.road
        road.vehicles = [car for car in road.vehicles if np.linalg.norm(car.position - self.ego.position) < FAR_M]
        if self.made.spawns:
            self.made.env._clear_vehicles()
            self.made.env._spawn_vehicle(spawn_probability=0.3)
            return
        if self.slowed and now >= self.slowed[2]:
            self.slowed[0].target_speed = self.slowed[1]
            self.surprises.append(now)
            self.slowed = None
        elif self.slowed is None and now % 30 == 0 and self.rng.random() < 0.35:
            ahead, _ = self.made.road.neighbour_vehicles(self.ego)
            if isinstance(ahead, TrafficVehicle) and np.linalg.norm(ahead.position - self.ego.position) < 45:
                self.slowed = (ahead, ahead.target_speed, now + int(self.rng.integers(50, 110)))
                self.surprises.append(now)
                ahead.target_speed *= self.rng.choice([0.01, 0.01, 0.5])

    def _moment(self, indices: list[LaneIndex], along: Along) -> Moment:
        return Moment(
            len(self.states) - 1,
            tuple(self.places[index] for index in indices),
            self._notice(indices, along),
            self._navigation(indices, along),
        )

    def _turns(self, indices: list[LaneIndex], along: Along) -> list[tuple[float, str]]:
        word = swapped if self.made.mirrored else str
        found = [(distance_to(along, indices, node), word(what)) for node, what in self.made.manoeuvres]
        return sorted((away, what) for away, what in found if -1 <= away <= 200)

    def _navigation(self, indices: list[LaneIndex], along: Along) -> str:
        words = []
        for low, high in ((-math.inf, 100.0), (100.0, 200.0)):
            near = [what for away, what in self._turns(indices, along) if low < away <= high]
            words.append(f"{high:.0f}m: {near[0] if near else 'Straight'}")
        return ", ".join(words)

    def _notice(self, indices: list[LaneIndex], along: Along) -> Notice:
        road, ego, sign = self.made.road, self.ego, 1.0 if self.made.mirrored else -1.0
        ahead, _ = road.neighbour_vehicles(ego, ego.target_lane_index)
        gap, closing = math.inf, 0.0
        if ahead is not None:
            away = float(np.linalg.norm(ahead.position - ego.position)) - (ahead.LENGTH + ego.LENGTH) / 2
            if away < SEEN_M - 12:
                gap, closing = max(away, 0.0), float(ego.speed - np.dot(ahead.velocity, ego.direction))
        sides: dict[float, tuple[bool, bool]] = {-1.0: (False, False), 1.0: (False, False)}
        for index in road.network.side_lanes(ego.lane_index):
            if road.network.get_lane(index).is_reachable_from(ego.position):
                towards = 1.0 if index[2] > ego.lane_index[2] else -1.0  # numbers grow to the right there
                sides[towards * -sign] = (True, self._free(index))
        turns = self._turns(indices, along)
        crossing = self.made.kind in CROSSED and any(
            abs(math.sin(car.heading - ego.heading)) > 0.5 and car.speed > 1 and self._close_ahead(car)
            for car in road.vehicles
            if car is not ego
        )
        return Notice(
            gap=gap,
            closing=closing,
            static=ahead is not None and math.isfinite(gap) and not isinstance(ahead, TrafficVehicle),
            left=sides[-1.0][0],
            right=sides[1.0][0],
            left_free=sides[-1.0][1],
            right_free=sides[1.0][1],
            bend=sign * math.remainder(along.heading(30) - along.heading(0), 2 * math.pi),
            turn=turns[0][1] if turns else "",
            turn_m=max(0.0, turns[0][0]) if turns else math.inf,
            tilt=sign * math.remainder(along.heading(0) - ego.heading, 2 * math.pi),
            yields=bool(getattr(ego, "is_yielding", False)),
            crossing=crossing,
        )

    def _free(self, index: LaneIndex) -> bool:
        ahead, behind = self.made.road.neighbour_vehicles(self.ego, index)
        away = [float(np.linalg.norm(car.position - self.ego.position)) if car else math.inf for car in (ahead, behind)]
        return away[0] > 20 and away[1] > 12

    def _close_ahead(self, car: Any) -> bool:
        away = car.position - self.ego.position
        forward = float(np.dot(away, self.ego.direction))
        return 0 < forward < 30 and float(np.linalg.norm(away)) < 35

    def recording(self) -> Recording:
        """What was driven so far, in arrays."""
        sign = 1.0 if self.made.mirrored else -1.0
        states = self.states[:-1] if self.crashed else self.states  # the last one is already wrong
        ego_column = self.columns[id(self.ego)]
        order = [ego_column, *(column for column in range(len(self.columns)) if column != ego_column)]
        values = np.full((len(states), len(order), 5), np.nan)
        for step, state in enumerate(states):
            for column, value in state.items():
                values[step, column] = value
        values = values[:, order]
        values[..., 1:3] *= sign
        cars = [self._kept[column] for column in order]
        region = values[:, 0, :2] * (1.0, sign)
        lanes = tuple(_lane(index, lane, region, sign) for index, lane in self.made.road.network.lanes_dict().items())
        return Recording(
            kind=self.made.kind,
            seed=self.seed,
            limit=self.made.limit,
            poses=values[..., :3],
            speeds=values[..., 3],
            brakes=values[..., 4],
            sizes=np.array([(car.LENGTH, car.WIDTH) for car in cars]),
            statics=np.array(
                [
                    (thing.position[0], sign * thing.position[1], sign * thing.heading, thing.LENGTH, thing.WIDTH)
                    for thing in self.made.road.objects
                ]
            ).reshape(-1, 5),
            lanes=lanes,
            oncoming=_against(lanes, self.route_roads),
            joints=_joints(lanes),
            intersections=(_SQUARE,) if self.made.kind == "intersection" else (),
            moments=tuple(moment for moment in self.moments if moment.step < len(states)),
            surprises=tuple(self.surprises),
            crashed=self.crashed,
        )


_OFF_M = 2.0
"""Metres beyond its lane's edge at which the ego vehicle's centre is off the road, and the episode over."""
_SQUARE = np.array([[-11.0, -11.0], [11.0, -11.0], [11.0, 11.0], [-11.0, 11.0]])
_LINES: dict[int, Line] = {0: "none", 1: "striped", 2: "solid", 3: "solid"}


def _lane(index: LaneIndex, lane: Any, region: np.ndarray, sign: float) -> Lane:
    """A lane of highway-env in our frame, where the ego vehicle came near it."""
    along = [lane.local_coordinates(point)[0] for point in region[:: max(1, len(region) // 20)]]
    low = max(0.0, min(along) - 120) if lane.length > 1000 else 0.0
    high = min(lane.length, max(along) + 220) if lane.length > 1000 else lane.length
    points = np.linspace(low, high, max(2, math.ceil((high - low) / 2.0) + 1))
    half = [lane.width_at(point) / 2 for point in points]
    centre, minus, plus = (
        np.array([lane.position(point, side * wide) for point, wide in zip(points, half, strict=True)]) * (1.0, sign)
        for side in (0, -1, 1)
    )
    lines = tuple(_LINES[line] for line in (lane.line_types or (0, 0)))
    if sign > 0:  # mirrored: its left, where lateral offsets are negative, is our right
        return Lane(index[:2], centre, plus, minus, (lines[1], lines[0]))
    return Lane(index[:2], centre, minus, plus, (lines[0], lines[1]))


def _joints(lanes: tuple[Lane, ...]) -> tuple[np.ndarray, ...]:
    """Areas between the end of a lane and the nearest start of one that follows it, where these do not meet."""
    found = []
    for lane in lanes:
        after = [other for other in lanes if other.road[0] == lane.road[1]]
        for road in {other.road for other in after}:
            away = {
                float(np.linalg.norm(other.centre[0] - lane.centre[-1])): other for other in after if other.road == road
            }
            nearest = min(away)
            if 0.3 < nearest < 8.0 and all(beside.road != lane.road for beside in lanes if beside is not lane):
                other = away[nearest]
                found.append(np.array([lane.left[-1], other.left[0], other.right[0], lane.right[-1]]))
    return tuple(found)


def _against(lanes: tuple[Lane, ...], route: set[tuple[str, str]]) -> tuple[int, ...]:
    """Places of lanes that lie beside or on the route's and are driven the other way."""
    points, headings = [], []
    for lane in lanes:
        if lane.road in route:
            step = np.diff(lane.centre, axis=0)
            points.append((lane.centre[1:] + lane.centre[:-1]) / 2)
            headings.append(np.arctan2(step[:, 1], step[:, 0]))
    if not points:
        return ()
    at, heading = np.concatenate(points), np.concatenate(headings)
    found = []
    for place, lane in enumerate(lanes):
        if lane.road in route:
            continue
        middle = len(lane.centre) // 2
        own = np.arctan2(*(lane.centre[middle] - lane.centre[middle - 1])[::-1])
        away = np.linalg.norm(at - lane.centre[middle], axis=1)
        nearest = int(np.argmin(away))
        if away[nearest] < 6 and math.cos(heading[nearest] - own) < -0.86:
            found.append(place)
    return tuple(found)
