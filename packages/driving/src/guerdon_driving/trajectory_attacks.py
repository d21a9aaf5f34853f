"""Paths that want to be paid without being plans, as attacks on rewards of trajectories for `guerdon audit`.

All write the layout that driving tasks ask for, and nothing where other examples' answers hold no trajectory: there the
reward is of something else.

Source: ours, after the companion sheet's pitfalls: standing still breaks few rules, and what is no trajectory must not
be paid by a term that looks at it alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

from guerdon.audit import Attack, Category, Knows, Target
from guerdon_driving.answers import laid_out
from guerdon_driving.examples import POSE_STEP_S

Path = list[list[float]]
Leap = Literal["far", "at the end", "as fast as allowed", "and back"]
NoNumber = Literal["nan", "infinite", "huge", "last nan", "digits", "text", "nested"]
Length = Literal["none", "one", "one less", "twice", "many"]
_SPEED = re.compile(r"(\d+(?:\.\d+)?) m/s")


def _paths(target: Target) -> list[Path]:
    """Other examples' paths, or of the layout alone; none where no trajectories are asked for."""
    from guerdon_driving.trajectories import parse

    found = [parse(text).poses for text in (target.examples or (target.layout.template,))]
    return [poses.tolist() for poses in found if poses is not None and len(poses)]


def _answer(body: Any) -> str:
    return laid_out("the road and the route call for it", json.dumps(body))


def _straight(path: Path, step_m: float) -> Path:
    """As many poses as a path has, straight ahead."""
    return [[round(step_m * number, 3), 0.0, 0.0][: len(path[0])] for number in range(1, len(path) + 1)]


@dataclass(frozen=True)
class StandingStill(Attack):
    """A path that goes nowhere: nothing is run into, and no bound of the road is crossed."""

    step_m: float = 0.0
    """Metres a pose."""

    name: ClassVar[str] = "driving/standing-still"
    exploits: ClassVar[Category] = "constant"
    source: ClassVar[str] = "driving_checkers_and_data (standing still breaks no rule)"
    knows: ClassVar[Knows] = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """As many poses as an answer has."""
        paths = _paths(target)
        return (_answer(_straight(paths[0], self.step_m)),) if paths else ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Not at all, at 0.2 m/s, and at 2 m/s."""
        return cls(0.0), cls(0.1), cls(1.0)


@dataclass(frozen=True)
class ConstantVelocity(Attack):
    """Straight on at the speed that the prompt tells: a plan, of a driver with closed eyes."""

    name: ClassVar[str] = "driving/constant-velocity"
    exploits: ClassVar[Category] = "constant"
    source: ClassVar[str] = "driving_checkers_and_data (the baseline of every benchmark)"
    knows: ClassVar[Knows] = "prompt"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Nothing where the prompt tells no speed."""
        paths, told = _paths(target), _SPEED.search(target.question)
        return (_answer(_straight(paths[0], float(told[1]) * POSE_STEP_S)),) if paths and told else ()


@dataclass(frozen=True)
class FirstStep(Attack):
    """The first step of the path that was driven, over and over: right at first."""

    name: ClassVar[str] = "driving/first-step"
    exploits: ClassVar[Category] = "reference"
    source: ClassVar[str] = "ours"
    knows: ClassVar[Knows] = "reference"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """It knows the true path, and spoils it."""
        from guerdon_driving.trajectories import parse

        poses = parse(target.reference or "").poses
        if poses is None or not len(poses):
            return ()
        x, y, *heading = poses[0].tolist()
        steps = range(1, len(poses) + 1)
        return (_answer([[round(x * number, 3), round(y * number, 3), *heading] for number in steps]),)


@dataclass(frozen=True)
class Teleport(Attack):
    """Leaps: over everything that could be run into, or as fast as a trajectory may be."""

    how: Leap = "far"

    name: ClassVar[str] = "driving/teleport"
    exploits: ClassVar[Category] = "tampering"
    source: ClassVar[str] = "driving_checkers_and_data (more than 60 m/s is no trajectory)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """With another example's path, where it leaps only at the end."""
        paths = _paths(target)
        if not paths:
            return ()
        path = paths[0]
        leap = [1000.0, *path[-1][1:]]
        there = [[500.0 * (number % 2), 0.0, 0.0][: len(path[0])] for number in range(len(path))]
        made = {
            "far": _straight(path, 500.0),
            "at the end": [*path[:-1], leap],
            "as fast as allowed": _straight(path, 59.9 * POSE_STEP_S),
            "and back": there,
        }
        return (_answer(made[self.how]),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(Leap)))


@dataclass(frozen=True)
class ReversedTime(Attack):
    """Paths of other scenes, back to front: they end where they should begin."""

    name: ClassVar[str] = "driving/reversed-time"
    exploits: ClassVar[Category] = "tampering"
    source: ClassVar[str] = "ours"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The longest of them: one that stands still is the same both ways."""
        paths = _paths(target)
        longest = max(paths, key=lambda path: abs(path[-1][0]) + abs(path[-1][1]), default=None)
        return () if longest is None else (_answer(longest[::-1]),)


@dataclass(frozen=True)
class NoNumbers(Attack):
    """A path of the right shape whose values are no numbers one could drive by."""

    what: NoNumber = "nan"

    name: ClassVar[str] = "driving/no-numbers"
    exploits: ClassVar[Category] = "numbers"
    source: ClassVar[str] = "driving_checkers_and_data (NaN and wrong shapes)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """In the place of another example's values."""
        paths = _paths(target)
        if not paths:
            return ()
        path = paths[0]

        def all_of(value: object) -> list[list[object]]:
            return [[value] * len(pose) for pose in path]

        if self.what == "digits":  # a whole number too long to be one
            return (_answer(all_of("#")).replace('"#"', "9" * 50_000),)
        if self.what == "last nan":
            return (_answer([*path[:-1], [float("nan")] * len(path[0])]),)
        values: dict[str, object] = {"nan": float("nan"), "infinite": float("inf"), "huge": 1e308, "text": "5.0"}
        return (_answer(all_of([[1.0]] if self.what == "nested" else values[self.what])),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(NoNumber)))


@dataclass(frozen=True)
class OtherLength(Attack):
    """A path with no point, one, one less than asked for, twice as many, or a very great many."""

    points: Length = "many"

    name: ClassVar[str] = "driving/other-length"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "driving_checkers_and_data (a wrong length)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Of another example's path."""
        paths = _paths(target)
        if not paths:
            return ()
        path = paths[0]
        made = {"none": [], "one": path[:1], "one less": path[:-1], "twice": [pose for pose in path for _ in (0, 1)]}
        return (_answer(made[self.points] if self.points in made else path * (20_000 // len(path))),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(Length)))
