"""Plans drawn on frames, for reports and episodes: words below, an arrow on the ego vehicle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon_driving.frames import BEHIND_M, FORWARD_M

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
VIEW_M = FORWARD_M + BEHIND_M
"""Metres that a bird's-eye frame shows."""
EGO_UP = FORWARD_M / VIEW_M
"""Where the ego vehicle is in it, as a share of its height from the top."""
AWAY_M = 400.0
"""How far a path is followed beyond the frame."""
NO_PLAN = "no plan"
"""What stands below a frame where an answer holds none."""
STRIP, NARROWEST = 34, 320
"""Pixels of the strip below a frame that words stand in, and the least width that has room for them."""


def with_plan(
    frame: Image.Image,
    plan: tuple[str, str],
    truth: tuple[str, str] | None = None,
    *,
    scale: float = 3,
    arrow: bool = True,
) -> Image.Image:
    """The frame enlarged, with the plan in words below it and as an arrow on the ego vehicle.

    Args:
        frame: of any size; as `frames.bird` draws it where there is to be an arrow.
        plan: speed and path action; words that are none are shown, and no arrow.
        truth: what was driven; the words are then green where they agree, and red where not.
        scale: so many times as large; below 1: smaller.
        arrow: False for frames that are not seen from above.
    """
    from PIL import ImageDraw

    picture = enlarged(frame, scale)
    pen = ImageDraw.Draw(picture)
    top, middle = picture.height - STRIP, picture.width // 2
    if arrow and plan[0] in SPEED_LENGTHS and plan[1] in PATH_BENDS:
        _arrow(pen, top, SPEED_LENGTHS[plan[0]] * top, *PATH_BENDS[plan[1]], width=max(2, round(scale)))
    for place, word in enumerate(plan):
        colour = PLAN_COLOUR if truth is None else RIGHT_COLOUR if word == truth[place] else WRONG_COLOUR
        pen.text((6 + place * middle, top + 3), word, fill=colour)
        if truth is not None:
            pen.text((6 + place * middle, top + 18), f"driven: {truth[place]}", fill=(170, 170, 170))
    return picture


def with_paths(
    frame: Image.Image,
    planned: Sequence[Point],
    driven: Sequence[Point],
    note: str = "",
    *,
    scale: float = 3,
    above: bool = True,
) -> Image.Image:
    """The frame enlarged, with a planned path in yellow over the driven one in green, and a note below.

    Args:
        frame: as `frames.bird` draws it, where paths are to be drawn.
        planned: x forward and y left in metres, from the ego vehicle on; empty: none.
        driven: the same.
        note: a line of words.
        scale: so many times as large.
        above: False for frames that are not seen from above: then there are no paths.
    """
    from PIL import ImageDraw

    picture = enlarged(frame, scale)
    pen = ImageDraw.Draw(picture)
    top = picture.height - STRIP
    for path, colour in ((driven, RIGHT_COLOUR), (planned, PLAN_COLOUR)) if above else ():
        far = [(max(-AWAY_M, min(AWAY_M, x)), max(-AWAY_M, min(AWAY_M, y))) for x, y in ((0.0, 0.0), *path)]
        dots = [(top / 2 - y * top / VIEW_M, top * EGO_UP - x * top / VIEW_M) for x, y in far]
        if path:
            pen.line(dots, fill=colour, width=max(1, round(scale)), joint="curve")
        for x, y in dots[1:]:
            pen.ellipse((x - scale, y - scale, x + scale, y + scale), fill=colour)
    if above:
        pen.text((6, top + 3), "planned", fill=PLAN_COLOUR)
        pen.text((86, top + 3), "driven", fill=RIGHT_COLOUR)
    pen.text((6, top + 18), note, fill=WRONG_COLOUR)
    return picture


def enlarged(frame: Image.Image, scale: float) -> Image.Image:
    """The frame `scale` times as large, above a strip of `STRIP` pixels for words; wide enough for them."""
    from PIL import Image

    width, height = (max(1, round(side * scale)) for side in frame.size)
    how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    picture = Image.new("RGB", (max(width, NARROWEST), height + STRIP), (20, 20, 20))
    picture.paste(frame.resize((width, height), how))
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
