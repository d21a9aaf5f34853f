"""The sanity claim of the checkers: PDMS ranks drivers as anyone would, on scenes of highway-env."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress

if TYPE_CHECKING:
    from guerdon_driving.scenes import Scene

ARMS = ("human-like", "constant velocity", "random", "shuffled human-like")
KINDS = ("highway", "merge", "two-way", "roundabout", "intersection", "racetrack")


@dataclass(frozen=True)
class DrivingCheckers(Claim):
    """Mean PDMS of the path that the simulator's own driver took, of constant velocity, and of random pedals and wheel;
    as a control, human-like paths of other scenes.
    """

    name: ClassVar[str] = "driving_checkers"
    paper: ClassVar[str] = "NAVSIM: Data-Driven Non-Reactive Autonomous Vehicle Simulation (arXiv 2406.15349), PDMS"
    statement: ClassVar[str] = "PDMS ranks human-like driving above constant velocity, and that above random driving."
    seeds: ClassVar[int] = 2

    scenes: int = 200
    per_episode: int = 4
    """Scenes that one episode gives."""
    least_gap: ClassVar[float] = 0.05

    def run(self, seeds: Sequence[int] = (0, 1), progress: Progress = no_progress) -> ClaimResult:
        """All arms on every seed's scenes; it holds when each gap is wide enough on every seed."""
        found: dict[str, list[float]] = {arm: [] for arm in ARMS}
        for place, seed in enumerate(seeds):
            for arm, value in self.measure(seed, progress, place, len(seeds)).items():
                found[arm].append(value)
        progress(len(seeds) * self.scenes, len(seeds) * self.scenes, "done")
        means = [Measurement(f"mean PDMS, {arm}", tuple(found[arm])) for arm in ARMS]
        gaps = [
            Measurement(
                f"gap, {better} and {worse}",
                tuple(a - b for a, b in zip(found[better], found[worse], strict=True)),
                needed=f">= {self.least_gap}",
            )
            for better, worse in ((ARMS[0], ARMS[1]), (ARMS[1], ARMS[2]), (ARMS[0], ARMS[3]))
        ]
        held = all(value >= self.least_gap for gap in gaps for value in gap.values)
        return self.result(held, [*means, *gaps], seeds)

    def measure(self, seed: int, progress: Progress = no_progress, place: int = 0, of: int = 1) -> dict[str, float]:
        """Mean PDMS of each arm over one seed's scenes."""
        from guerdon_driving.pdms import pdms

        scenes, rng, values = self.made(seed, progress, place, of), np.random.default_rng((seed, 2)), []
        for number, scene in enumerate(scenes):
            other = scenes[(number + len(scenes) // 2) % len(scenes)]
            time = 0.1 * np.arange(1, len(scene.ego))
            steady = np.stack([scene.speed * time, 0 * time, 0 * time], axis=1)
            paths = np.stack([scene.ego[1:], steady, random_path(scene.speed, len(time), rng), other.ego[1:]])
            values.append(pdms(scene, paths).value)
        return dict(zip(ARMS, np.mean(values, axis=0).tolist(), strict=True))

    def made(self, seed: int, progress: Progress = no_progress, place: int = 0, of: int = 1) -> list[Scene]:
        """The scenes of a seed: a few of each episode, kinds in turn."""
        from guerdon_driving.recordings import HORIZON_STEPS
        from guerdon_driving.simulation import drive, seed_of

        scenes: list[Scene] = []
        episode = 0
        while len(scenes) < self.scenes:
            progress(place * self.scenes + len(scenes), of * self.scenes, f"seed {seed}: driving")
            kind = KINDS[episode % len(KINDS)]
            recording = drive(kind, seed_of(seed, "driving_checkers", episode))  # type: ignore[arg-type]
            whole = [each for each in recording.moments if each.step + HORIZON_STEPS < len(recording.poses)]
            scenes += [recording.scene(each) for each in whole[:: max(1, len(whole) // self.per_episode)]]
            episode += 1
        return scenes[: self.scenes]


def random_path(speed: float, poses: int, rng: np.random.Generator, step_s: float = 0.1) -> np.ndarray:
    """(poses, 3): pedals and wheel held at random for a second each: -6 to 3 m/s2, up to 0.5 rad/s either way."""
    x = y = heading = 0.0
    path = np.zeros((poses, 3))
    for place in range(poses):
        if place % 10 == 0:
            pedal, wheel = rng.uniform(-6.0, 3.0), rng.uniform(-0.5, 0.5)
        speed = max(0.0, speed + pedal * step_s)
        heading += wheel * step_s * min(1.0, speed)
        x, y = x + speed * step_s * np.cos(heading), y + speed * step_s * np.sin(heading)
        path[place] = x, y, heading
    return path
