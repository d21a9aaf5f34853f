"""Closed loop: a planner drives highway-env by its words, once a second, and what comes of it is measured.

The words become targets for a low-level controller. Speed: ACCELERATE and DECELERATE change the target by 4.5 m/s (1.5
m/s2 over the plan's 3 s), within 0 and 1.1 times the posted limit; KEEP holds the present speed. Path: a change of lane
sets the next lane, where there is one; a turn word, at a fork within 30 m, takes the branch that bends that way; any
other word follows the route, as the navigation would. So words steer at forks and across lanes, and bends within a lane
are steered for the planner.

A collision or leaving the road ends an episode. PDMS is that of the path as it was driven, with the others as they
were (they react to the ego vehicle here). Of its own driven path every planner makes all the progress there is, so the
term for progress is the episode's: the planner's way as a share of the human-like driver's in the same episode. A
moment whose 4 s end in a crash has PDMS 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.errors import ConfigError
from guerdon.progress import progress
from guerdon_driving.drawing import NO_PLAN
from guerdon_driving.examples import DrivingExample

if TYPE_CHECKING:
    from guerdon_driving.frames import View
    from guerdon_driving.recordings import Recording
    from guerdon_driving.simulation import Running

Planner = Callable[[Sequence[DrivingExample]], Sequence[str]]
"""Frames in, completions out: one for each, in order."""
Words = tuple[str, str]
CHANGE = 4.5
"""m/s by which ACCELERATE and DECELERATE move the target speed."""
FORK_M = 30.0
"""From how far a turn word chooses a branch."""
SECONDS = 16.0
UNREAD: Words = ("KEEP", "STRAIGHT")
"""What is done where an answer names not exactly one action on each axis."""


@dataclass(frozen=True)
class Driven:
    """What came of one episode."""

    kind: str
    seed: int
    crashed: bool
    """A collision, or off the road."""
    seconds: float
    progress_m: float
    human_m: float
    """How far the human-like driver came in the same episode."""
    pdms: float
    """Mean over moments, in [0, 1], with `progress` as its term for progress; NaN for an episode too short to have
    one."""
    unread: float
    """Share of answers that could not be followed."""
    off_route: bool
    plans: tuple[Words, ...]
    """What was followed; `UNREAD` where nothing could be read."""

    @property
    def progress(self) -> float:
        """Share of the human-like driver's way, at most 1."""
        return _share(self.progress_m, self.human_m)


def close_loop(
    planner: Planner,
    *,
    kinds: Sequence[str],
    episodes: int = 8,
    seed: int = 0,
    seconds: float = SECONDS,
    size: int = 128,
    view: View = "bird",
    gif: Path | None = None,
) -> list[Driven]:
    """Drive episodes with a planner, all of them at once: each second it is asked about all that still run.

    Args:
        planner: sees what the task `driving/highway-v1` shows: frame file, speed, navigation.
        kinds: types of scenario; episodes take them in turn.
        episodes: how many.
        seed: another seed, other episodes; none of them is one of the task's.
        seconds: how long each runs at most.
        size: pixels of a frame.
        view: what the planner is shown.
        gif: where the first episode is drawn, with the plan on each frame.

    Raises:
        ConfigError: no kinds or no episodes; a planner that does not give one answer for each frame.
    """
    from guerdon_driving.drawing import save_gif
    from guerdon_driving.recordings import STEP_S
    from guerdon_driving.simulation import drive, seed_of, start

    if not kinds or episodes < 1:
        raise ConfigError(f"kinds is {tuple(kinds)!r} and episodes {episodes!r}; one of each is needed at least")
    named = [(kinds[place % len(kinds)], seed_of(seed, "closed loop", place)) for place in range(episodes)]
    wheels = [Wheel(start(kind, own), gif is not None and place == 0) for place, (kind, own) in enumerate(named)]  # type: ignore[arg-type]
    steps = round(seconds / STEP_S)
    with progress("driving: closed loop", steps) as shown, TemporaryDirectory() as folder:
        for _ in range(steps):
            going = [wheel for wheel in wheels if wheel.observe(size)]
            asked = [wheel for wheel in going if wheel.running.due is not None]
            if asked:
                examples = [wheel.example(Path(folder), size, view) for wheel in asked]
                answers = planner(examples)
                if len(answers) != len(examples):
                    raise ConfigError(f"the planner gave {len(answers)} answers for {len(examples)} frames")
                for wheel, answer in zip(asked, answers, strict=True):
                    wheel.follow(answer)
            for wheel in going:
                wheel.running.advance()
            shown.advance()
    if gif is not None:
        save_gif(wheels[0].film, gif)
    return [
        wheel.driven(_way(drive(kind, own, seconds)))  # type: ignore[arg-type]
        for wheel, (kind, own) in zip(wheels, named, strict=True)
    ]


def summary(driven: Sequence[Driven]) -> dict[str, float]:
    """Means over episodes: crashes, progress, PDMS (over the episodes that have one), unread answers, wrong roads."""
    scored = [one.pdms for one in driven if not math.isnan(one.pdms)]
    return {
        "episodes": float(len(driven)),
        "crashed": float(np.mean([one.crashed for one in driven])),
        "progress": float(np.mean([one.progress for one in driven])),
        "pdms": float(np.mean(scored)) if scored else math.nan,
        "unread": float(np.mean([one.unread for one in driven])),
        "off_route": float(np.mean([one.off_route for one in driven])),
    }


class Wheel:
    """An episode with a planner at the wheel."""

    def __init__(self, running: Running, films: bool = False) -> None:
        from guerdon_driving.vehicles import PlannedVehicle

        self.running, self.films = running, films
        self.film: list[Any] = []
        self.plans: list[Words] = []
        self.said: tuple[str, str] = ("", "")
        self.unread = 0
        self.off_route = self.over = False
        human = running.ego
        car = PlannedVehicle.create_from(human)
        car.lane_index, car.lane, car.target_speed = human.lane_index, human.lane, human.speed
        car.route = list(human.route) if human.route else None
        running.made.road.vehicles[running.made.road.vehicles.index(human)] = car
        running.made.ego = car
        running.made.env.controlled_vehicles = [car]

    def observe(self, size: int) -> bool:
        """Record the state; False once the episode is over."""
        from guerdon_driving.drawing import with_plan
        from guerdon_driving.frames import bird

        if self.over or not self.running.observe():
            self.over = True
            return False
        if self.films and self.plans and len(self.running.states) % 2 == 0:
            recording, chain = self.running.recording(), self.running.moments[-1].chain
            self.film.append(with_plan(bird(recording, len(recording.poses) - 1, chain, size=size), self.said))
        return True

    def example(self, folder: Path, size: int, view: View = "bird") -> DrivingExample:
        """What the planner is shown."""
        from guerdon_driving.frames import frame

        moment, made = self.running.due, self.running.made
        assert moment is not None
        name = f"{made.kind}-{self.running.seed}-{len(self.plans)}"
        path = folder / f"{name}.png"
        frame(self.running.recording(), moment, size=size, view=view).save(path)
        speed = round(float(self.running.ego.speed), 2)
        return DrivingExample(id=name, image=str(path), speed=speed, navigation=moment.navigation, kind=made.kind)

    def follow(self, answer: str) -> None:
        """Set speed, lane and branch as an answer says."""
        words = read_words(answer)
        self.unread += words is None
        pace, path = words or UNREAD
        self.plans.append((pace, path))
        self.said = words or (NO_PLAN, "")
        ego, made = self.running.ego, self.running.made
        target = {"STOP": 0.0, "DECELERATE": ego.speed - CHANGE, "ACCELERATE": ego.speed + CHANGE}.get(pace, ego.speed)
        ego.target_speed = float(np.clip(target, 0.0, 1.1 * made.limit))
        left = path.startswith("LEFT") != made.mirrored
        if path.endswith("CHANGE"):
            origin, end, place = ego.target_lane_index
            place += -1 if left else 1
            if 0 <= place < len(made.road.network.graph[origin][end]):
                index = (origin, end, place)
                if made.road.network.get_lane(index).is_reachable_from(ego.position):
                    ego.target_lane_index = index
        elif path.endswith("TURN"):
            self._branch(left)

    def _branch(self, left: bool) -> None:
        """At the next fork, if it is near, take the branch that bends most to that side."""
        from guerdon_driving.vehicles import Along, chain

        ego, graph = self.running.ego, self.running.made.road.network.graph
        indices = chain(ego, ego.target_lane_index)
        gone = -Along(ego, indices).start
        for place, index in enumerate(indices):
            gone += ego.road.network.get_lane(index).length
            ends = list(graph.get(index[1], {}))
            if gone > FORK_M:
                return
            if len(ends) > 1:
                bends = {end: _bend(graph[index[1]][end][0]) for end in ends}  # positive to the right there
                chosen = min(bends, key=lambda end: bends[end] if left else -bends[end])
                if place + 1 < len(indices) and indices[place + 1][1] != chosen:
                    self.off_route = True
                    after = next(iter(graph.get(chosen, {})), None)
                    ego.route = [*indices[: place + 1], (index[1], chosen, None)]
                    if after is not None:
                        ego.route.append((chosen, after, None))
                return

    def driven(self, human_m: float) -> Driven:
        """What came of it."""
        recording = self.running.recording()
        own_m = _way(recording)
        return Driven(
            kind=recording.kind,
            seed=recording.seed,
            crashed=recording.crashed,
            seconds=0.1 * len(recording.poses),
            progress_m=own_m,
            human_m=human_m,
            pdms=mean_pdms(recording, _share(own_m, human_m)),
            unread=self.unread / len(self.plans) if self.plans else 0.0,
            off_route=self.off_route,
            plans=tuple(self.plans),
        )


def read_words(answer: str) -> Words | None:
    """The one speed and one path action of an answer; None where it has not exactly one of each."""
    from guerdon_driving.answers import read_plan

    plan = read_plan(answer)
    if len(plan.speed) != 1 or len(plan.path) != 1:
        return None
    return next(iter(plan.speed)), next(iter(plan.path))


def mean_pdms(recording: Recording, made: float) -> float:
    """PDMS of the path as it was driven, mean over the moments with 4 s to come, a crash within them as 0.

    Args:
        recording: what was driven.
        made: in [0, 1]: the term for progress of all moments.
    """
    from guerdon_driving.composites import EP, pdms_value
    from guerdon_driving.pdms import pdms
    from guerdon_driving.recordings import HORIZON_STEPS

    values = []
    for moment in recording.moments:
        if moment.step + HORIZON_STEPS < len(recording.poses):
            scene = recording.scene(moment)
            terms = pdms(scene, scene.ego[None, 1:]).terms
            values.append(float(pdms_value({**terms, EP: np.full(1, made)})[0]))
        elif recording.crashed:
            values.append(0.0)
    return float(np.mean(values)) if values else math.nan


def _share(own_m: float, human_m: float) -> float:
    return min(1.0, own_m / human_m) if human_m > 1 else 1.0


def _way(recording: Recording) -> float:
    """Metres that the ego vehicle came."""
    return float(np.linalg.norm(np.diff(recording.poses[:, 0, :2], axis=0), axis=1).sum())


def _bend(lane: Any) -> float:
    """Radians that a lane turns from start to end, in highway-env's frame."""
    return math.remainder(float(lane.heading_at(lane.length) - lane.heading_at(0)), 2 * math.pi)
