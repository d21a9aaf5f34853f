"""Plans drawn on frames, for reports and episodes: words below, an arrow on the ego vehicle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

Point = tuple[float, float]
SPEED_LENGTHS: Mapping[str, float] = MappingProxyType(
    {"STOP": 0.05, "DECELERATE": 0.14, "KEEP": 0.22, "ACCELERATE": 0.32}
)
"""How long the arrow is, as a share of the frame."""
PATH_BENDS: Mapping[str, Point] = MappingProxyType(
    {
        "STRAIGHT": (0.0, 0.0),
        "LEFT_CHANGE": (-0.3, 0.0),
        "RIGHT_CHANGE": (0.3, 0.0),
        "LEFT_TURN": (-0.6, -70.0),
        "RIGHT_TURN": (0.6, 70.0),
    }
)
"""How far the arrow's head lies to the side, as a share of its length, and where it points, in degrees."""
RIGHT_COLOUR, WRONG_COLOUR, PLAN_COLOUR = (60, 220, 80), (240, 80, 60), (255, 220, 60)
EGO_UP = 0.75
"""Where the ego vehicle is in a bird's-eye frame, as a share of its height from the top."""


def with_plan(
    frame: Image.Image, plan: tuple[str, str], truth: tuple[str, str] | None = None, *, scale: int = 3
) -> Image.Image:
    """The bird's-eye frame enlarged, with the plan as an arrow and in words.

    Args:
        frame: as `frames.bird` draws it.
        plan: speed and path action; words that are none are shown, and no arrow.
        truth: what was driven; the words are then green where they agree, and red where not.
        scale: so many times as large.
    """
    from PIL import Image, ImageDraw

    side, strip = frame.width * scale, 34
    picture = Image.new("RGB", (side, side + strip), (20, 20, 20))
    picture.paste(frame.resize((side, side), Image.Resampling.NEAREST))
    pen = ImageDraw.Draw(picture)
    if plan[0] in SPEED_LENGTHS and plan[1] in PATH_BENDS:
        _arrow(pen, side, SPEED_LENGTHS[plan[0]] * side, *PATH_BENDS[plan[1]], width=max(2, scale))
    for place, word in enumerate(plan):
        colour = PLAN_COLOUR if truth is None else RIGHT_COLOUR if word == truth[place] else WRONG_COLOUR
        pen.text((6 + place * side // 2, side + 3), word, fill=colour)
        if truth is not None:
            pen.text((6 + place * side // 2, side + 18), f"driven: {truth[place]}", fill=(170, 170, 170))
    return picture


def _arrow(pen: object, side: int, length: float, aside: float, points: float, width: int) -> None:
    """A bent line from the ego vehicle, with a head."""
    start, end = (side / 2, side * EGO_UP), (side / 2 + aside * length, side * EGO_UP - length)
    line = [
        ((1 - t) ** 2 * start[0] + 2 * t * (1 - t) * start[0] + t * t * end[0], start[1] + (end[1] - start[1]) * t)
        for t in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    turn = math.radians(points)
    reach = 3.0 * width

    def at(forward: float, right: float) -> Point:
        return (
            end[0] + forward * math.sin(turn) + right * math.cos(turn),
            end[1] - forward * math.cos(turn) + right * math.sin(turn),
        )

    pen.line(line, fill=PLAN_COLOUR, width=width, joint="curve")  # type: ignore[attr-defined]
    pen.polygon([at(reach, 0), at(0, -reach * 0.7), at(0, reach * 0.7)], fill=PLAN_COLOUR)  # type: ignore[attr-defined]


def save_gif(frames: Sequence[Image.Image], path: Path, *, step_s: float = 0.2) -> None:
    """Frames as a GIF that runs for ever.

    Raises:
        ConfigError: there are none.
    """
    if not frames:
        raise ConfigError(f"no frames to write into {str(path)!r}")
    few = [frame.quantize(64) for frame in frames]
    few[0].save(path, save_all=True, append_images=few[1:], duration=round(1000 * step_s), loop=0)
