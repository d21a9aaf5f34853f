"""`Replay`: a scene at 10 Hz, made once and read by every batch of trajectories that is checked in it.

The others replay what they did, whatever the ego vehicle plans; that is the non-reactive simulation of NAVSIM. Between
two poses they move straight on, and beyond the last one they keep their velocity, so that the look ahead of the time to
collision has something to look at [choice].

Axes: A others, T poses at 10 Hz that are checked, L = T + 9 with the look ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from guerdon.errors import TaskError
from guerdon_driving.motions import STEP_S, Motion, cut, motions
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectories import MIN_POSES

AHEAD = 9
"""Poses that are looked at beyond the last one checked: 0.9 s."""
ROUTE_BEYOND_M = 200.0
"""How far the driven path goes on straight, where it stands in for a missing route."""


@dataclass(frozen=True, eq=False)
class Replay:
    """What checkers read of a scene."""

    scene: Scene
    others: np.ndarray
    """(A, L, 3); NaN where one is not there."""
    speeds: np.ndarray
    """(A, L): of the others, in m/s; things that do not move by themselves have 0."""
    agents: np.ndarray
    """(A,) bool: vehicles, persons and bicycles."""
    human: Motion
    """The one trajectory that was driven, T poses; its accelerations start at the scene's speed."""
    line: np.ndarray
    """(M, 2): the centre line along which progress is measured: the route, else the driven path, straight on."""
    past: np.ndarray
    """(H, 3): the recorded poses before now."""

    @property
    def length(self) -> int:
        """T."""
        return len(self.human.speed[0])


@lru_cache(maxsize=256)
def replay(scene: Scene) -> Replay:
    """The whole of a scene at 10 Hz; the same one for the same scene.

    Raises:
        TaskError: fewer than four poses after now, or values that nothing can be judged by; the message names them.
    """
    check_values(scene)
    if len(scene.ego) <= MIN_POSES:
        raise TaskError(f"a scene of {len(scene.ego) - 1} poses after now; checkers need at least {MIN_POSES}")
    human = motions(scene.ego[None, 1:], scene.step_s, speed=scene.speed)
    if human.poses.shape[1] <= MIN_POSES:
        raise TaskError(f"a scene of {scene.step_s * (len(scene.ego) - 1):.3g} s; checkers need at least 0.4 s")
    others = _resampled(scene.others, scene.step_s, human.poses.shape[1] + AHEAD)
    steps = np.diff(others[..., :2], axis=1)
    moved = np.hypot(steps[..., 0], steps[..., 1]) / STEP_S
    to_next = np.concatenate([moved, moved[:, -1:]], axis=1)
    speeds = np.where(np.isnan(to_next), np.concatenate([moved[:, :1], moved], axis=1), to_next)
    agents = np.array([kind != "static" for kind in scene.kinds], dtype=bool)
    past = scene.past[np.isfinite(scene.past).all(axis=1)] if len(scene.past) else scene.past
    line = scene.route if scene.route is not None and len(scene.route) > 1 else _onwards(scene.ego)
    return Replay(scene, others, np.where(agents[:, None], speeds, 0.0), agents, human, line, past)


def check_values(scene: Scene) -> None:
    """Refuse a scene whose numbers are none: a road of NaN would have every plan off it, as if by the plan's fault.

    Others may be NaN where they are not there, and so may the past.

    Raises:
        TaskError: the message names the field.
    """
    for name, value in (("step_s", scene.step_s), *(("ego_size", side) for side in scene.ego_size)):
        if not 0 < value < np.inf:
            raise TaskError(f"Scene.{name} holds {value!r}; a finite number above 0 is needed")
    if not np.isfinite(scene.speed):
        raise TaskError(f"Scene.speed is {scene.speed!r}; a finite number is needed")
    if not (np.isfinite(scene.sizes) & (scene.sizes >= 0)).all():
        raise TaskError("Scene.sizes holds a length or width that is no finite number of at least 0")
    for name in ("drivable", "lanes", "oncoming", "intersections", "red_lights"):
        for place, polygon in enumerate(getattr(scene, name)):
            if polygon.ndim != 2 or polygon.shape[0] < 3 or polygon.shape[1] != 2 or not np.isfinite(polygon).all():
                raise TaskError(
                    f"Scene.{name}[{place}] has the shape {polygon.shape}; three or more corners [x, y] of finite "
                    "numbers are needed"
                )
    route = scene.route
    if route is not None and not (route.ndim == 2 and route.shape[1] == 2 and np.isfinite(route).all()):
        raise TaskError(f"Scene.route has the shape {route.shape}; points [x, y] of finite numbers are needed")


def cut_replay(whole: Replay, length: int) -> Replay:
    """Its first `length` poses, and the look ahead from there."""
    if length == whole.length:
        return whole
    end = length + AHEAD
    shorter = whole.others[:, :end], whole.speeds[:, :end]
    return Replay(whole.scene, *shorter, whole.agents, cut(whole.human, length), whole.line, whole.past)


def _resampled(others: np.ndarray, step_s: float, length: int) -> np.ndarray:
    """Straight on between poses, the headings by the shorter way round; at the last velocity beyond the end."""
    count = others.shape[1]
    place = np.arange(length) * STEP_S / step_s
    place = np.where(np.abs(place - place.round()) < 1e-6, place.round(), place)  # a pose's own time needs no neighbour
    low = np.minimum(np.floor(place).astype(int), count - 1)
    high = np.minimum(low + 1, count - 1)
    share = np.where(low == high, 0.0, place - low)[:, None]
    change = others[:, high] - others[:, low]
    change[..., 2] = (change[..., 2] + np.pi) % (2 * np.pi) - np.pi
    found = np.where(share == 0, others[:, low], others[:, low] + share * change)
    beyond = np.maximum(place - (count - 1), 0.0)[:, None]
    if count > 1:
        last = (others[:, -1] - others[:, -2]) * np.array([1.0, 1.0, 0.0])
        found = np.where(beyond > 0, found + beyond * last[:, None], found)
    return np.asarray(found)


def _onwards(ego: np.ndarray) -> np.ndarray:
    path = ego[:, :2]
    steps = np.hypot(*np.diff(path, axis=0).T)
    kept = path[np.concatenate([[True], steps > 0.05])]
    heading = ego[-1, 2]
    ahead = kept[-1] + ROUTE_BEYOND_M * np.array([np.cos(heading), np.sin(heading)])
    return np.concatenate([kept, ahead[None]])


def scene_at(path: str) -> Scene:
    """The scene kept in a file; read once as long as the file stays as it is.

    Raises:
        TaskError: it is missing, or no scene; the message names it.
    """
    try:
        about = Path(path).stat()
    except OSError as error:
        raise TaskError(f"the scene {path!r} cannot be read: {error!r}") from error
    return _kept(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=256)
def _kept(path: str, changed_ns: int, size: int) -> Scene:
    return Scene.load(path)
