"""Planned trajectories: read from a model's text, judged whether they are any, and given headings.

A trajectory is N poses after now at a fixed step, in the frame of the ego vehicle now (x forward, y left, metres,
radians); now itself, the origin, is not among them. Axes: B trajectories, N poses.

What a model may write is one JSON list of `[x, y]` or of `[x, y, heading]`, between `<answer>` and `</answer>`, or as
all that follows its thoughts. Anything else is refused with a reason, in time linear in the text; nothing is repaired.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

OPEN, CLOSE, THOUGHT = "<answer>", "</answer>", "</think>"
MAX_SPEED = 60.0
"""Metres per second between two poses, above which a trajectory is none. Source: the companion sheet, procedure 1."""
MIN_POSES = 4
"""With fewer the smoothing of accelerations has nothing to work on."""
HELD_STEP = 0.1
"""Metres: a shorter step has no direction, and the heading before it is held."""
MAX_SLIP = math.pi / 4
"""Radians between where a vehicle points and where it moves, above which a trajectory is none. The simulator's own
driver slips by 0.69 at most, in 99 of 100 futures by 0.5."""
_MOVED = 1.0
"""Metres: slip is asked for in longer steps alone."""
_WILD = 1e6
"""Metres or radians that mean nothing, and whose squares lose digits."""


@dataclass(frozen=True, eq=False)
class Parsed:
    """What was found in a text: poses, or why there are none."""

    poses: np.ndarray | None
    """(N, 2) or (N, 3), as written; N may be 0 and values may be no numbers (`faults` judges that)."""
    why: str = ""


def parse(text: str) -> Parsed:
    """The one trajectory that a completion states.

    >>> parse("<think> slow </think><answer>[[1, 0], [2, 0.5]]</answer>").poses.tolist()
    [[1.0, 0.0], [2.0, 0.5]]
    >>> parse("[[1, 0], [2]]").why
    'pose 2 has 1 numbers; [x, y] or [x, y, heading] is needed, the same for all'
    """
    begin = text.find(OPEN)
    if begin >= 0:
        end = text.find(CLOSE, begin)
        if end < 0:
            return Parsed(None, f"{OPEN} is not closed")
        if text.find(OPEN, begin + 1) >= 0:
            return Parsed(None, f"more than one {OPEN}")
        body = text[begin + len(OPEN) : end]
    else:
        body = text[text.rfind(THOUGHT) + len(THOUGHT) :] if THOUGHT in text else text
    if not body.strip().startswith("["):
        return Parsed(None, "the answer is no list of poses")
    try:
        # Numbers are read as floats straight away: a whole number of a million digits is no work, and infinite.
        rows = json.loads(body, parse_int=float)
    except (ValueError, RecursionError) as error:
        return Parsed(None, f"the answer is no list of poses: {str(error)[:80]}")
    width = 0
    for place, row in enumerate(rows, 1):
        if not isinstance(row, list) or not all(type(value) is float for value in row):
            return Parsed(None, f"pose {place} is no list of numbers")
        width = width or len(row)
        if len(row) != width or width not in (2, 3):
            which = "[x, y] or [x, y, heading] is needed, the same for all"
            return Parsed(None, f"pose {place} has {len(row)} numbers; {which}")
    return Parsed(np.array(rows, dtype=np.float64).reshape(len(rows), width or 2))


def faults(poses: np.ndarray, step_s: float, count: int | None = None) -> list[str]:
    """For each trajectory why it is none; empty where it is one.

    Beside what the sheet lists (a wrong length, NaN, more than 60 m/s) a trajectory is refused that leaps away and then
    comes back pose by pose, at less than half of that leap: its poses are in reversed order [choice]. So is one that
    says headings, and moves aside of them by more than `MAX_SLIP`, forwards or backwards [choice]: NAVSIM's tracker
    would not drive it, and whom a collision is to blame on goes by the heading.

    Args:
        poses: (B, N, 2) or (B, N, 3).
        step_s: seconds between poses.
        count: how many there have to be; None: at least `MIN_POSES`.
    """
    total, length = poses.shape[:2]
    if count is not None and length != count:
        return [f"{length} poses; {count} are needed"] * total
    if length < MIN_POSES:
        return [f"{length} poses; at least {MIN_POSES} are needed"] * total
    said = np.full(total, "", dtype=object)
    finite = np.isfinite(poses).all(axis=(1, 2))
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.linalg.norm(np.diff(poses[..., :2], axis=1, prepend=0.0), axis=-1)
        away = np.linalg.norm(poses[..., :2], axis=-1)
        fastest = steps.max(axis=1) / step_s
        back = (np.diff(away, axis=1) < 0).all(axis=1) & (steps[:, 0] > 2 * steps[:, 1]) & (away[:, 0] > 1.0)
        wild = ~(np.abs(poses) < _WILD).all(axis=(1, 2))
    said[back] = "the poses come back to the start, one by one: time is reversed"
    if poses.shape[-1] == 3:
        slips = _slips(np.where(wild[:, None, None], 0.0, poses))
        for row in np.flatnonzero(slips.max(axis=1) > MAX_SLIP):
            pose, slip = int(slips[row].argmax()), math.degrees(slips[row].max())
            said[row] = f"pose {pose + 1} points {slip:.0f} degrees aside of the way there; 45 are the most"
    for row in np.flatnonzero(fastest > MAX_SPEED):
        said[row] = f"a step at {fastest[row]:.0f} m/s; {MAX_SPEED:g} is the most"
    said[wild] = f"a value of {_WILD:g} or more"
    said[~finite] = "a value that is no finite number"
    return [str(each) for each in said]


def _slips(poses: np.ndarray) -> np.ndarray:
    """(B, N): radians from 0 to pi / 2 between each step and the mean heading of its ends, forwards or backwards."""
    whole = np.concatenate([np.zeros_like(poses[:, :1]), poses], axis=1)
    steps = np.diff(whole[..., :2], axis=1)
    turned = _folded(np.diff(whole[..., 2], axis=1), 2 * math.pi)
    apart = np.arctan2(steps[..., 1], steps[..., 0]) - whole[:, :-1, 2] - turned / 2
    return np.where(np.hypot(steps[..., 0], steps[..., 1]) >= _MOVED, np.abs(_folded(apart, math.pi)), 0.0)


def _folded(angles: np.ndarray, period: float) -> np.ndarray:
    """Angles within half a period of 0."""
    return np.asarray((angles + period / 2) % period - period / 2)


def with_headings(poses: np.ndarray) -> np.ndarray:
    """Poses with headings: their own where they have three columns, else the direction of each step.

    A step shorter than `HELD_STEP` keeps the heading before it, at first that of now, 0.

    Args:
        poses: (B, N, 2) or (B, N, 3).

    Returns:
        (B, N, 3); headings that were found lie in [-pi, pi].

    Source: the companion sheet, procedure 2.
    """
    if poses.shape[-1] == 3:
        return poses
    steps = np.diff(poses, axis=1, prepend=0.0)
    moved = np.hypot(steps[..., 0], steps[..., 1]) >= HELD_STEP
    heading = np.where(moved, np.arctan2(steps[..., 1], steps[..., 0]), 0.0)
    last = np.maximum.accumulate(np.where(moved, np.arange(poses.shape[1]), -1), axis=1)
    held = np.where(last < 0, 0.0, np.take_along_axis(heading, np.maximum(last, 0), axis=1))
    return np.concatenate([poses, held[..., None]], axis=-1)
