"""The types of scenario: each a road of highway-env, filled with traffic of our own from a seed.

highway-env's environments bring few cars, always ahead and always alike; here density, speeds, posted limit and the
ego vehicle's place are drawn anew in each episode, so that traffic decides what is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from highway_env.envs import ExitEnv, HighwayEnv, IntersectionEnv, RacetrackEnv, RoundaboutEnv, TwoWayEnv, UTurnEnv
from highway_env.envs.merge_env import MergeGenericEnv
from highway_env.road.regulation import RegulatedRoad

from guerdon_driving.vehicles import EgoVehicle, LaneIndex, SpawnedVehicle, TrafficVehicle

Kind = Literal["highway", "merge", "exit", "two-way", "roundabout", "intersection", "racetrack", "u-turn"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LIMITS_KMH: dict[Kind, tuple[int, ...]] = {
    "highway": (50, 70, 90),
    "merge": (50, 70, 90),
    "exit": (50, 70, 90),
    "two-way": (50, 70),
    "roundabout": (30, 40),
    "intersection": (30, 40),
    "racetrack": (30, 50),
    "u-turn": (30, 50),
}
"""Posted limits, in km/h; the sign stands in every frame."""
TRAFFIC = f"{SpawnedVehicle.__module__}.{SpawnedVehicle.__qualname__}"


@dataclass
class Setting:
    """A scenario at its start."""

    kind: Kind
    env: Any
    road: Any
    ego: Any
    limit: float
    """m/s."""
    manoeuvres: list[tuple[str, str]] = field(default_factory=list)
    """(node of the road network, word): where the route chooses, and how; words are as seen in highway-env's frame."""
    mirrored: bool = False
    """Left and right are exchanged when the world is recorded."""
    spawns: bool = False
    """New traffic comes in while it runs."""


def setting(kind: Kind, rng: np.random.Generator) -> Setting:
    """A fresh scenario of that kind; everything in it is drawn from `rng`."""
    limit = int(rng.choice(LIMITS_KMH[kind])) / 3.6
    made = _MAKERS[kind](rng, limit)
    for lane in made.road.network.lanes_list():
        lane.speed_limit = limit * (1.0 if isinstance(made.road, RegulatedRoad) else 1.25)
    made.road.bends = kind not in ("highway", "two-way")
    made.env.controlled_vehicles = [made.ego]
    made.mirrored = kind in ("racetrack", "u-turn") and bool(rng.random() < 0.5)
    return made


def _env(kind: type, rng: np.random.Generator, **config: Any) -> Any:
    settled = {"simulation_frequency": 10, "neighbour_vehicles_connected_lanes": True, "other_vehicles_type": TRAFFIC}
    env = kind(config={**settled, **config})
    env.reset(seed=int(rng.integers(2**31)))
    return env


def _emptied(env: Any, regulated: bool = False) -> Any:
    road = env.road
    if regulated:
        road = env.road = RegulatedRoad(road.network, [], [], road.np_random, False, True)
        road.YIELD_DURATION = 0.5
    road.vehicles = []
    return road


def _ego(road: Any, index: LaneIndex, along: float, limit: float, rng: np.random.Generator) -> EgoVehicle:
    lane = road.network.get_lane(index)
    speed = limit * rng.uniform(0.35, 1.05)
    ego = EgoVehicle(road, lane.position(along, 0), lane.heading_at(along), speed, target_speed=limit)
    ego.lane_index = ego.target_lane_index = index
    ego.lane = lane
    road.vehicles.append(ego)
    return ego


@dataclass(frozen=True)
class Stream:
    """Traffic on one lane."""

    index: LaneIndex
    low: float
    high: float
    """From where to where along the lane, in metres."""
    pace: float = 1.0
    """Of the limit."""
    to: str = ""
    """Where its route ends; empty: none."""
    changes: bool = True
    """Whether it may change lanes."""


def _fill(road: Any, streams: Sequence[Stream], limit: float, rng: np.random.Generator) -> None:
    """Put cars on the lanes, none close enough to another to crash at once."""
    gap = rng.uniform(18, 75)
    dense = 0.35 if rng.random() < 0.15 else 1.0
    for stream in streams:
        lane = road.network.get_lane(stream.index)
        along = stream.low + rng.uniform(0, gap)
        pace = dense * stream.pace * rng.uniform(0.35, 1.0)
        while along < stream.high:
            speed = limit * float(np.clip(pace * rng.normal(1.0, 0.12), 0.1, 1.15))
            position = lane.position(along, 0)
            space = 9 + 0.9 * max(speed, road.vehicles[0].speed)
            near = (np.linalg.norm(other.position - position) for other in road.vehicles if _same(other, stream.index))
            if all(distance > space for distance in near):
                heading = lane.heading_at(along)
                car = TrafficVehicle(
                    road, position, heading, speed, target_speed=speed, enable_lane_change=stream.changes
                )
                car.lane_index = car.target_lane_index = stream.index
                car.lane = lane
                car.check_collisions = False  # with the ego vehicle they are checked by it
                if stream.to:
                    car.plan_route_to(stream.to)
                road.vehicles.append(car)
            along += max(space, rng.exponential(gap))


def _same(car: Any, index: LaneIndex) -> bool:
    """Whether a car is on that lane, or on another road, where distance counts whatever the lane."""
    return bool(car.lane_index[:2] != index[:2] or car.lane_index[2] == index[2])


def _highway(rng: np.random.Generator, limit: float) -> Setting:
    count = int(rng.integers(2, 5))
    env = _env(HighwayEnv, rng, lanes_count=count, vehicles_count=0)
    road = _emptied(env)
    ego = _ego(road, ("0", "1", int(rng.integers(count))), 300, limit, rng)
    _fill(road, [Stream(("0", "1", lane), 240, 540, 1.05 - 0.08 * lane) for lane in range(count)], limit, rng)
    return Setting("highway", env, road, ego, limit)


def _merge(rng: np.random.Generator, limit: float) -> Setting:
    env = _env(MergeGenericEnv, rng, vehicles_count=0, after_merge_length=450)
    road = _emptied(env)
    graph = road.network.graph
    count = len(graph["a"]["b"])
    on_ramp = rng.random() < 0.6
    start: LaneIndex = ("j", "k", 0) if on_ramp else ("a", "b", count - 1 - int(rng.random() < 0.3))
    ego = _ego(road, start, float(rng.uniform(60, 130)), limit, rng)
    ego.plan_route_to("d")
    streams = [Stream(("a", "b", lane), 0, 225, to="d") for lane in range(count)]
    streams += [Stream(("b", "c", lane), 0, 70, to="d") for lane in range(count)]
    _fill(road, [*streams, Stream(("j", "k", 0), 0, 140, 0.9, to="d")], limit, rng)
    return Setting("merge", env, road, ego, limit, [("b", "Left")] if on_ramp else [])


def _exit(rng: np.random.Generator, limit: float) -> Setting:
    count = int(rng.integers(2, 4))
    env = _env(ExitEnv, rng, lanes_count=count, vehicles_count=0)
    road = _emptied(env)
    leaves = rng.random() < 0.6
    ego = _ego(road, ("0", "1", int(rng.integers(count))), float(rng.uniform(150, 330)), limit, rng)
    if leaves:
        ego.route = [("0", "1", count - 1), ("1", "2", count), ("2", "exit", 0)]
    else:
        ego.plan_route_to("3")
    _fill(road, [Stream(("0", "1", lane), 90, 395, to="3") for lane in range(count)], limit, rng)
    return Setting("exit", env, road, ego, limit, [("1", "Right")] if leaves else [])


def _two_way(rng: np.random.Generator, limit: float) -> Setting:
    env = _env(TwoWayEnv, rng)
    road = _emptied(env)
    ego = _ego(road, ("a", "b", 1), 80, limit, rng)
    ego.passes_on = 0
    _fill(road, [Stream(("a", "b", 1), 20, 600, 0.85, changes=False)], limit, rng)
    _fill(road, [Stream(("b", "a", 0), 0, 760, changes=False)], limit, rng)
    return Setting("two-way", env, road, ego, limit)


def _roundabout(rng: np.random.Generator, limit: float) -> Setting:
    env = _env(RoundaboutEnv, rng)
    road = _emptied(env, regulated=True)
    road.nose_max = 0.6
    ring = ("se", "ex", "ee", "nx", "ne", "wx", "we", "sx")
    for origin, end in zip(ring, (*ring[1:], ring[0]), strict=True):
        for lane in road.network.graph[origin][end]:
            lane.priority = 1
    ego = _ego(road, ("ser", "ses", 0), float(rng.uniform(40, 115)), limit, rng)
    leaving, word = [("exr", "Right"), ("nxr", "Straight"), ("wxr", "Left")][int(rng.integers(3))]
    ego.plan_route_to(leaving)
    exits = ("exr", "nxr", "wxr", "sxr")
    streams = []
    for origin, end in (("ee", "nx"), ("ne", "wx"), ("we", "sx"), ("sx", "se")):
        streams.append(Stream((origin, end, int(rng.integers(2))), 0, 12, to=str(rng.choice(exits)), changes=False))
    for entry in ("ee", "ne", "we"):
        streams.append(Stream((f"{entry}r", f"{entry}s", 0), 60, 127, to=str(rng.choice(exits)), changes=False))
    streams.append(Stream(("ser", "ses", 0), 20, 127, 0.9, to=str(rng.choice(exits)), changes=False))
    _fill(road, streams, limit, rng)
    return Setting("roundabout", env, road, ego, limit, [("se", word)])


def _intersection(rng: np.random.Generator, limit: float) -> Setting:
    env = _env(IntersectionEnv, rng, initial_vehicle_count=0)
    road = env.road
    road.vehicles = []
    road.YIELD_DURATION = 0.5
    arm = int(rng.integers(4))
    turn, word = [(1, "Left"), (2, "Straight"), (3, "Right")][int(rng.integers(3))]
    ego = _ego(road, (f"o{arm}", f"ir{arm}", 0), float(rng.uniform(35, 80)), limit, rng)
    ego.plan_route_to(f"o{(arm + turn) % 4}")
    streams = []
    for other in range(4):
        ends = [f"o{(other + step) % 4}" for step in (1, 2, 2, 3)]
        for low in (0, 35, 70) if other != arm else (45, 80):
            streams.append(
                Stream((f"o{other}", f"ir{other}", 0), low, low + 22, to=str(rng.choice(ends)), changes=False)
            )
    _fill(road, streams, limit, rng)
    return Setting("intersection", env, road, ego, limit, [(f"ir{arm}", word)], spawns=True)


def _racetrack(rng: np.random.Generator, limit: float) -> Setting:
    env = _env(RacetrackEnv, rng, other_vehicles=0)
    road = _emptied(env)
    graph = road.network.graph
    nodes = ["a"]
    while len(nodes) < 3 * len(graph):
        nodes.append(next(iter(graph[nodes[-1]])))
    start = int(rng.integers(len(graph)))
    index: LaneIndex = (nodes[start], nodes[start + 1], int(rng.integers(2)))
    ego = _ego(road, index, float(rng.uniform(0.1, 0.8)) * road.network.get_lane(index).length, limit, rng)
    streams = [
        Stream((origin, end, int(rng.integers(2))), 2, road.network.get_lane((origin, end, 0)).length - 2, 0.8)
        for origin, end in pairwise(nodes[: len(graph) + 1])
        if rng.random() < 0.6
    ]
    _fill(road, streams, limit, rng)
    for car in road.vehicles:
        place = nodes.index(car.lane_index[0])
        car.route = [(origin, end, None) for origin, end in pairwise(nodes[place:])]
    return Setting("racetrack", env, road, ego, limit)


def _u_turn(rng: np.random.Generator, limit: float) -> Setting:
    env = _env(UTurnEnv, rng)
    road = _emptied(env)
    ego = _ego(road, ("a", "b", int(rng.integers(2))), float(rng.uniform(5, 60)), limit, rng)
    ego.plan_route_to("d")
    streams = [Stream((*pair, lane), 0, length, 0.8, to="d") for lane in (0, 1) for pair, length in _U_LEGS]
    _fill(road, streams, limit, rng)
    return Setting("u-turn", env, road, ego, limit, [("b", "U-turn")])


_U_LEGS: tuple[tuple[tuple[str, str], float], ...] = ((("a", "b"), 125), (("b", "c"), 60), (("c", "d"), 100))
_MAKERS: dict[Kind, Callable[[np.random.Generator, float], Setting]] = {
    "highway": _highway,
    "merge": _merge,
    "exit": _exit,
    "two-way": _two_way,
    "roundabout": _roundabout,
    "intersection": _intersection,
    "racetrack": _racetrack,
    "u-turn": _u_turn,
}


def swapped(word: str) -> str:
    """The word for the other side, for mirrored worlds."""
    return {"Left": "Right", "Right": "Left"}.get(word, word)


def distance_to(along: Any, indices: Sequence[LaneIndex], node: str) -> float:
    """Metres along a chain of lanes to a node of the network; infinite where it is not ahead."""
    gone = -along.start
    for lane, index in zip(along.lanes, indices, strict=True):
        gone += lane.length
        if index[1] == node:
            return float(gone)
    return math.inf
