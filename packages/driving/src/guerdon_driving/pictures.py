"""`Task.picture` of the driving tasks: the frame that a planner saw, what it planned, and what was driven.

Words are read by the tolerant parser; on an axis where several are named, all are shown. A trajectory is a line on a
bird's-eye frame, what was driven beside it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from guerdon.parsing.images import opened
from guerdon.types import Image
from guerdon_driving.actions import ACTIONS, Axis
from guerdon_driving.answers import Plan, read_plan
from guerdon_driving.drawing import NO_PLAN, with_paths, with_plan
from guerdon_driving.examples import DrivingExample

if TYPE_CHECKING:
    import PIL.Image

SIDE = 384
"""Pixels of a picture's longer side, words left out."""


def plan_picture(example: DrivingExample, completion: str, *, above: bool) -> bytes | None:
    """A PNG of the frame with the plan in words, and as an arrow where the frame is seen from above.

    Args:
        example: whose frame and solution are shown.
        completion: anything; "no plan" stands where it names no action.
        above: whether the frame is a bird's-eye one.

    Returns:
        None for an example without an image.

    Raises:
        TaskError: the image is missing or broken.
    """
    if not example.image:
        return None
    plan, truth = read_plan(completion), read_plan(example.solution)
    frame = opened(Image(path=example.image))
    said = (NO_PLAN, "") if plan == Plan() else _words(plan)
    return _png(with_plan(frame, said, _words(truth), scale=SIDE / max(frame.size), arrow=above))


def path_picture(example: DrivingExample, completion: str, step_s: float, *, above: bool) -> bytes | None:
    """A PNG of the frame with the planned trajectory, and the driven one beside it; below, what is wrong with it.

    Args:
        example: whose frame and future are shown.
        completion: anything; why it is no trajectory is told below the frame.
        step_s: seconds between its poses.
        above: whether the frame is a bird's-eye one; else there are no lines.

    Returns:
        None for an example without an image.

    Raises:
        TaskError: the image is missing or broken.
    """
    from guerdon_driving.trajectories import faults, parse

    if not example.image:
        return None
    found = parse(completion)
    why = found.why if found.poses is None else faults(found.poses[None], step_s)[0]
    planned = [] if found.poses is None or why else [(float(x), float(y)) for x, y in found.poses[:, :2]]
    driven = [(x, y) for x, y, _ in example.future]
    frame = opened(Image(path=example.image))
    note = f"{NO_PLAN}: {why[:60]}" if why else ""
    return _png(with_paths(frame, planned, driven, note, scale=SIDE / max(frame.size), above=above))


def _words(plan: Plan) -> tuple[str, str]:
    """All actions of each axis, in the prompt's order."""

    def on(axis: Axis) -> str:
        return " + ".join(action for action in ACTIONS[axis] if action in plan.on(axis)) or "none"

    return on("speed"), on("path")


def _png(picture: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
