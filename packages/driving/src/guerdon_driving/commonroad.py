"""Scenes from CommonRoad's scenario files, read by its own library: `pip install 'guerdon-driving[commonroad]'`.

Lanelets become lanes, and their union the drivable area; those beside the route that are driven the other way become
oncoming lanes. The route is the ego vehicle's lanelet at the start and its first successors. Traffic lights are not
read (their cycles close a stop line and no area), nor is height.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from guerdon.errors import ConfigError, TaskError
from guerdon_driving.recordings import Frame
from guerdon_driving.scenes import Kind, Scene

PLANNED: Literal["planning problem"] = "planning problem"
PLANNED_SIZE = (4.508, 1.61)
"""Length and width of the vehicle that a planning problem is for, which the file does not say: CommonRoad's vehicle 2,
a BMW 320i [memory]."""
ROUTE_M = 300.0
_KINDS: dict[str, Kind] = {
    "PEDESTRIAN": "person",
    "BICYCLE": "bicycle",
    "CONSTRUCTION_ZONE": "static",
    "ROAD_BOUNDARY": "static",
    "BUILDING": "static",
    "PILLAR": "static",
    "MEDIAN_STRIP": "static",
}
"""The others, parked ones too, are vehicles."""


def read_commonroad(
    path: Path | str,
    *,
    ego: int | Literal["planning problem"] = PLANNED,
    begin: int | None = None,
    horizon_s: float = 4.0,
    past_s: float = 1.5,
) -> Scene:
    """One scene of a scenario.

    Args:
        path: an XML file.
        ego: who becomes the ego vehicle. The id of a moving obstacle: what it did is the driven path, and it leaves the
            others. Or the (first) planning problem, which has a start and no path: its speed kept, along the route
            [choice].
        begin: the time step that is now; None: the ego vehicle's first.
        horizon_s: how far the scene goes, at most; a recorded ego vehicle's scene ends with its recording.
        past_s: how much of a recorded ego vehicle's past is kept.

    Raises:
        ConfigError: the library is missing, or the scenario has no such ego vehicle at that time.
        TaskError: the file cannot be read.
    """
    scenario, problems = _opened(Path(path))
    network, step_s = scenario.lanelet_network, float(scenario.dt)
    moving = {each.obstacle_id: each for each in scenario.dynamic_obstacles}
    count = round(horizon_s / step_s) + 1
    if ego == PLANNED:
        if not problems:
            raise ConfigError(f"{str(path)!r} has no planning problem; recorded vehicles are {sorted(moving)}")
        start = problems[0].initial_state
        now = int(start.time_step) if begin is None else begin
        size, speed, first = PLANNED_SIZE, float(start.velocity), _pose(start)
        driven, past = None, np.zeros((0, 3))
    else:
        if ego not in moving:
            raise ConfigError(f"{str(path)!r} has no moving obstacle {ego!r}; there are {sorted(moving)}")
        chosen = moving.pop(ego)
        now = int(chosen.initial_state.time_step) if begin is None else begin
        track = _track(chosen, now, count)
        there = int(np.isfinite(track).all(axis=1).cumprod().sum())
        if not there:
            raise ConfigError(f"obstacle {ego!r} of {str(path)!r} is not there at time step {now}")
        driven, first, size = track[:there], track[0], _size(chosen)
        before = _track(chosen, now - round(past_s / step_s), round(past_s / step_s))
        past = before[np.isfinite(before).all(axis=1)]
        speed = _speed(_state(chosen, now), driven, step_s)
        count = there
    route = _route(network, first[:2])
    line = np.concatenate([each.center_vertices for each in route])[:, :2] if route else None
    if driven is None:
        driven = _along(line, first, speed * step_s * np.arange(count))
    things = list(scenario.static_obstacles)
    tracks = [_track(each, now, count) for each in moving.values()]
    tracks += [np.tile(_pose(each.initial_state), (count, 1)) for each in things]
    seen = [place for place, track in enumerate(tracks) if np.isfinite(track).all(axis=1).any()]
    everything = [*moving.values(), *things]
    lanes = [_outline(each) for each in network.lanelets]
    against = {each.lanelet_id for each in _oncoming(network, route)}
    to_ego = Frame(*map(float, first))
    return Scene(
        step_s=step_s,
        ego_size=size,
        ego=to_ego.poses(driven),
        speed=speed,
        past=to_ego.poses(past),
        others=to_ego.poses(np.array([tracks[place] for place in seen]).reshape(len(seen), count, 3)),
        sizes=np.array([_size(everything[place]) for place in seen]).reshape(len(seen), 2),
        kinds=tuple(_kind(everything[place]) for place in seen),
        drivable=tuple(map(to_ego.points, lanes)),
        lanes=tuple(map(to_ego.points, lanes)),
        route=None if line is None else to_ego.points(line),
        oncoming=tuple(to_ego.points(_outline(each)) for each in network.lanelets if each.lanelet_id in against),
        intersections=tuple(to_ego.points(_outline(each)) for each in _crossing(network)),
    )


def _opened(path: Path) -> tuple[Any, list[Any]]:
    try:
        from commonroad.common.file_reader import CommonRoadFileReader
    except ImportError as error:
        raise ConfigError(
            f"CommonRoad's files need its library ({error}): pip install 'guerdon-driving[commonroad]'"
        ) from None
    try:
        scenario, problems = CommonRoadFileReader(str(path)).open()
    # The reader raises whatever its parsers do: SyntaxError, AssertionError, KeyError, ValueError, OSError.
    except Exception as error:
        raise TaskError(f"the scenario {str(path)!r} cannot be read: {error!r}") from error
    return scenario, list(problems.planning_problem_dict.values())


def _state(obstacle: Any, step: int) -> Any:
    """The state at a time step; None where there is none, or only a set of possible ones."""
    if step == obstacle.initial_state.time_step:
        return obstacle.initial_state
    trajectory = getattr(getattr(obstacle, "prediction", None), "trajectory", None)
    return None if trajectory is None else trajectory.state_at_time_step(step)


def _track(obstacle: Any, begin: int, count: int) -> np.ndarray:
    """(count, 3), NaN where it is not there."""
    states = [_state(obstacle, begin + place) for place in range(count)]
    return np.array([np.full(3, np.nan) if state is None else _pose(state) for state in states]).reshape(count, 3)


def _pose(state: Any) -> np.ndarray:
    """Exact values, or the middle of what is uncertain. A point mass points where it moves."""
    where = state.position if isinstance(state.position, np.ndarray) else state.position.center
    if not isinstance(where, np.ndarray):  # a point of the library's geometry, by release
        where = np.array([where.x, where.y])
    heading = getattr(state, "orientation", None)
    if heading is None:
        heading = np.arctan2(getattr(state, "velocity_y", 0.0) or 0.0, state.velocity)
    if hasattr(heading, "start"):
        heading = (heading.start + heading.end) / 2
    return np.array([where[0], where[1], float(heading)])


def _speed(state: Any, driven: np.ndarray, step_s: float) -> float:
    velocity = getattr(state, "velocity", None)
    if isinstance(velocity, int | float):
        return float(np.hypot(velocity, getattr(state, "velocity_y", 0.0) or 0.0))
    return float(np.hypot(*(driven[1] - driven[0])[:2]) / step_s) if len(driven) > 1 else 0.0


def _size(obstacle: Any) -> tuple[float, float]:
    shape = obstacle.obstacle_shape
    if hasattr(shape, "length"):
        return float(shape.length), float(shape.width)
    if hasattr(shape, "radius"):
        return 2 * float(shape.radius), 2 * float(shape.radius)
    length, width = np.ptp(np.asarray(shape.vertices), axis=0)[:2]
    return float(length), float(width)


def _kind(obstacle: Any) -> Kind:
    return _KINDS.get(obstacle.obstacle_type.name, "vehicle")


def _outline(lanelet: Any) -> np.ndarray:
    return np.concatenate([lanelet.right_vertices, lanelet.left_vertices[::-1]])[:, :2]


def _route(network: Any, start: np.ndarray) -> list[Any]:
    """The lanelet at a place and its first successors, none twice, for some way."""
    (found,) = network.find_lanelet_by_position([start])
    route: list[Any] = []
    lanelet, metres = (network.find_lanelet_by_id(found[0]) if found else None), 0.0
    while lanelet is not None and lanelet not in route and metres < ROUTE_M:
        route.append(lanelet)
        metres += float(lanelet.distance[-1])
        lanelet = network.find_lanelet_by_id(lanelet.successor[0]) if lanelet.successor else None
    return route


def _oncoming(network: Any, route: Sequence[Any]) -> Iterator[Any]:
    """Lanelets beside the route, to either side, that are driven the other way."""
    for lanelet in route:
        for side in ("adj_left", "adj_right"):
            beside, same, seen = lanelet, True, {lanelet.lanelet_id}
            while (near := getattr(beside, side if same else _OTHER[side])) is not None and near not in seen:
                same = same == bool(getattr(beside, f"{side if same else _OTHER[side]}_same_direction"))
                seen.add(near)
                beside = network.find_lanelet_by_id(near)
                if not same:
                    yield beside


_OTHER = {"adj_left": "adj_right", "adj_right": "adj_left"}


def _crossing(network: Any) -> list[Any]:
    """Lanelets within intersections: what one can go on to from where one comes in."""
    names = ("successors_right", "successors_straight", "successors_left", "outgoing_right", "outgoing_straight")
    within = {
        lanelet
        for crossing in network.intersections
        for incoming in crossing.incomings
        for name in names
        for lanelet in getattr(incoming, name, None) or ()
    }
    return [each for each in network.lanelets if each.lanelet_id in within]


def _along(line: np.ndarray | None, first: np.ndarray, metres: np.ndarray) -> np.ndarray:
    """Poses so far ahead along a line, from where the first pose is beside it and with its distance to it; straight on
    where there is no line, and beyond its end.
    """
    straight = first[:2] + metres[:, None] * np.array([np.cos(first[2]), np.sin(first[2])])
    if line is None or len(line) < 2:
        return np.column_stack([straight, np.full(len(metres), first[2])])
    from guerdon_driving.centre_lines import project

    run = np.diff(line, axis=0)
    kept = np.hypot(run[:, 0], run[:, 1]) > 1e-6
    line = np.concatenate([line[:1], line[1:][kept]])
    run = np.diff(line, axis=0)
    begins = np.concatenate([[0.0], np.cumsum(np.hypot(run[:, 0], run[:, 1]))])
    at, _ = project(line, first[None, :2])
    wanted = at[0] + metres
    places = np.column_stack([np.interp(wanted, begins, line[:, axis]) for axis in (0, 1)])
    heading = np.unwrap(np.arctan2(run[:, 1], run[:, 0]))
    turned = np.interp(wanted, (begins[1:] + begins[:-1]) / 2, heading)
    places += np.maximum(wanted - begins[-1], 0.0)[:, None] * np.array([np.cos(heading[-1]), np.sin(heading[-1])])
    turn = turned - turned[0] + first[2]
    moved = places - places[0]
    angle = first[2] - turned[0]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([first[:2] + moved @ np.array([[cos, sin], [-sin, cos]]), turn])
