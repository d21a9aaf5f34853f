"""`DrivingExample`: one frame to plan from, as every driving task yields it."""

from __future__ import annotations

import math

from pydantic import ValidatorFunctionWrapHandler, field_validator

from guerdon.types import Example

Pose = tuple[float, float, float]
"""x and y in metres, heading in radians."""
POSE_STEP_S = 0.5
"""Seconds between the poses of a future, and between those that are asked for and answered."""


class DrivingExample(Example):
    """What the planner sees, the plan that was driven, and where the scene around it is kept.

    The fields of AlphaDrive's rows (image, solution, thinking; the prompt is made from speed and navigation), and what
    checkers need beside them.
    """

    image: str = ""
    """Path of the frame's file (PNG or JPEG); empty where there is none, and the plan is made blind."""
    speed: float = 0.0
    """Speed now, in m/s."""
    navigation: str = ""
    """What the route says, in words: "100m: Straight, 200m: Straight"."""
    solution: str = ""
    """The answer block with the actions that were driven: `<answer> ACCELERATE, STRAIGHT </answer>`."""
    thinking: str = ""
    """The reasoning block that leads there, `<think> ... </think>`; empty where none was written."""
    prompt: str = ""
    """The row's own prompt, where its file has one; else the task writes it."""
    kind: str = ""
    """Type of scenario ("highway", "roundabout"), for splits and reports."""
    future: tuple[Pose, ...] = ()
    """The poses that were driven, every 0.5 s from 0.5 s on: x forward and y left in metres, heading in radians, in the
    frame of the ego vehicle now."""
    scene: str = ""
    """Path of the file with the scene around it (`scenes.Scene`), for the checkers; empty where there is none."""

    @field_validator("speed", mode="wrap")
    @classmethod
    def _speed_is_a_number(cls, given: object, converted: ValidatorFunctionWrapHandler) -> float:
        speed: float = converted(given)
        if isinstance(given, bool) or not 0 <= speed < math.inf:
            raise ValueError(f"speed is {given!r}; a number of m/s that is not negative is needed")
        return speed

    @field_validator("future")
    @classmethod
    def _future_is_finite(
        cls, future: tuple[tuple[float, float, float], ...]
    ) -> tuple[tuple[float, float, float], ...]:
        if not all(map(math.isfinite, (value for pose in future for value in pose))):
            raise ValueError("future holds a value that is no finite number")
        return future


def driving_example(example: Example) -> DrivingExample:
    """The example as a driving one.

    Raises:
        TypeError: it is another domain's.
    """
    if not isinstance(example, DrivingExample):
        raise TypeError(f"this task's examples are DrivingExample, not {type(example).__name__} ({example.id!r})")
    return example
