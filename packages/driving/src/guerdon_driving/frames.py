"""Frames: what the planner sees of a recording, drawn from its exact state with Pillow.

The bird's-eye frame is small and crisp where highway-env's own surface is wide (600 x 150) and centred on a window: one
constant scale, the ego vehicle's heading up, nothing rendered that must be shrunk again. It needs no display and no
pygame. The front frame is a pinhole camera over the same state. `surfaces` has highway-env's own picture.

Colours of the bird's-eye frame: the ego vehicle is green; others go from red (much slower than the ego vehicle) over
white (as fast) to blue (much faster), with a red bar at the rear while they brake; what stands on the road is yellow;
the route is a thin cyan line; lanes that are driven the other way are purple; the posted limit, in km/h, stands on a
sign in the upper left corner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from guerdon_driving.recordings import Lane, Moment, Recording

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

View = Literal["bird", "front"]
VIEWS: tuple[View, ...] = get_args(View)
FORWARD_M, BEHIND_M = 60.0, 20.0
"""What the bird's-eye frame shows; as much to either side as half of both together."""
FASTEST = 8.0
"""m/s of difference at which a car's colour is at its end of the scale."""

Colour = tuple[int, int, int]
GRASS: Colour = (38, 52, 38)
ROAD: Colour = (84, 84, 90)
ONCOMING: Colour = (92, 66, 104)
PAINT: Colour = (214, 214, 214)
ROUTE: Colour = (70, 200, 220)
EGO: Colour = (60, 220, 80)
SLOWER: Colour = (235, 60, 40)
ALIKE: Colour = (245, 245, 240)
FASTER: Colour = (60, 110, 245)
BRAKE: Colour = (255, 0, 0)
STATIC: Colour = (250, 210, 40)
SKY: Colour = (150, 185, 215)

_DIGITS = ("755557", "262227", "711747", "717117", "555711", "747117", "747557", "711222", "757557", "755717")
"""Six rows of three bits for each digit, from the top."""


def frame(recording: Recording, moment: Moment, *, size: int = 128, view: View = "bird") -> Image.Image:
    """The picture of one moment, `size` by `size` pixels, RGB."""
    return _front(recording, moment, size) if view == "front" else bird(recording, moment.step, moment.chain, size=size)


def bird(recording: Recording, step: int, chain: Sequence[int], *, size: int = 128, draft: int = 3) -> Image.Image:
    """The bird's-eye frame of any state.

    Args:
        recording: the episode.
        step: which state.
        chain: where the route leads from there (`Moment.chain`).
        size: pixels of a side; it shows 80 m.
        draft: it is drawn so many times larger and then shrunk, so that edges are smooth.
    """
    from PIL import Image, ImageDraw

    side = size * draft
    scale = side / (FORWARD_M + BEHIND_M)
    picture = Image.new("RGB", (side, side), GRASS)
    pen = ImageDraw.Draw(picture)
    ego = recording.frame(step)

    def pixels(points: np.ndarray) -> list[tuple[float, float]]:
        seen = ego.points(points)
        return list(map(tuple, np.stack([side / 2 - seen[:, 1] * scale, (FORWARD_M - seen[:, 0]) * scale], axis=1)))

    lanes = [(place, lane) for place, lane in enumerate(recording.lanes) if _visible(lane, recording, step)]
    for place, lane in lanes:
        if place not in recording.oncoming:
            pen.polygon(pixels(lane.polygon), fill=ROAD)
    for joint in recording.joints:
        pen.polygon(pixels(joint), fill=ROAD)
    for place, lane in lanes:
        if place in recording.oncoming:
            pen.polygon(pixels(lane.polygon), fill=ONCOMING)
    for _, lane in lanes:
        for edge, line in zip((lane.left, lane.right), lane.lines, strict=True):
            if line != "none":
                _painted(pen, pixels(edge), line == "striped", width=max(1, round(0.35 * scale)), scale=scale)
    route = pixels(_ahead(recording, step, chain))
    pen.line(route, fill=ROUTE, width=max(1, round(0.7 * scale)), joint="curve")
    for x, y, heading, length, width in recording.statics:
        pen.polygon(pixels(box(x, y, heading, length + 1, width + 1)), fill=STATIC)
    speed = recording.speeds[step, 0]
    for car in range(recording.poses.shape[1] - 1, -1, -1):
        x, y, heading = recording.poses[step, car]
        if math.isnan(x):
            continue
        length, width = recording.sizes[car]
        colour = (
            EGO if car == 0 else relative_colour(recording.speeds[step, car] * _along(recording, step, car) - speed)
        )
        pen.polygon(pixels(box(x, y, heading, length, width)), fill=colour, outline=(0, 0, 0))
        pen.polygon(pixels(box(x, y, heading, 0.9, width * 0.8, shift=length * 0.2)), fill=(20, 20, 20))
        if recording.brakes[step, car] < -1.0 and car:
            pen.polygon(pixels(box(x, y, heading, 1.2, width, shift=-length / 2)), fill=BRAKE)
    small = picture.resize((size, size), Image.Resampling.BOX)
    _sign(small, round(recording.limit * 3.6))
    return small


def box(x: float, y: float, heading: float, length: float, width: float, shift: float = 0.0) -> np.ndarray:
    """(4, 2): corners of a rectangle, its centre moved forward by `shift`."""
    cos, sin = math.cos(heading), math.sin(heading)
    at = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * (length / 2, width / 2) + (shift, 0.0)
    turned: np.ndarray = at @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    return turned


def relative_colour(difference: float) -> Colour:
    """The colour of a car that is `difference` m/s faster than the ego vehicle, along its own heading."""
    share = min(1.0, abs(difference) / FASTEST)
    end = FASTER if difference > 0 else SLOWER
    return tuple(round(a + (b - a) * share) for a, b in zip(ALIKE, end, strict=True))  # type: ignore[return-value]


def _along(recording: Recording, step: int, car: int) -> float:
    """Cosine between a car's heading and the ego vehicle's: what of its speed leads the same way."""
    return math.cos(recording.poses[step, car, 2] - recording.poses[step, 0, 2])


def _visible(lane: Lane, recording: Recording, step: int) -> bool:
    away = np.abs(lane.centre - recording.poses[step, 0, :2]).max(axis=1)
    return bool(away.min() < FORWARD_M * 1.6)


def _ahead(recording: Recording, step: int, chain: Sequence[int]) -> np.ndarray:
    """The route's centre line in the world, from the ego vehicle on."""
    line = np.concatenate([recording.lanes[place].centre for place in chain])
    ego = recording.poses[step, 0, :2]
    away = np.linalg.norm(line - ego, axis=1)
    first = int(np.argmin(away[: len(recording.lanes[chain[0]].centre)]))
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line[first:], axis=0), axis=1))])
    kept = line[first:][gone < FORWARD_M * 1.5]
    return kept if len(kept) > 1 else line[-2:]


def _painted(
    pen: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], striped: bool, width: int, scale: float
) -> None:
    """A line along an edge; a striped one with 3 m of paint and 5 m of none."""
    if not striped:
        pen.line(points, fill=PAINT, width=width)
        return
    array = np.array(points)
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(array, axis=0), axis=1))]) / scale
    for start in np.arange(0.0, gone[-1], 8.0):
        at = np.linspace(start, min(start + 3.0, gone[-1]), 3)
        dash = np.stack([np.interp(at, gone, array[:, 0]), np.interp(at, gone, array[:, 1])], axis=1)
        pen.line(list(map(tuple, dash)), fill=PAINT, width=width)


def _sign(picture: Image.Image, limit: int) -> None:
    """The posted limit: a white disc in a red ring with the number, a sixth of the frame wide."""
    from PIL import Image, ImageDraw

    big = 4
    side = max(16, picture.width // 6)
    sign = Image.new("RGBA", (side * big, side * big))
    pen = ImageDraw.Draw(sign)
    pen.ellipse((0, 0, side * big - 1, side * big - 1), fill=(225, 30, 30))
    ring = side * big // 8
    pen.ellipse((ring, ring, side * big - 1 - ring, side * big - 1 - ring), fill=(255, 255, 255))
    dot = side * big // 12
    text = str(limit)
    left, top = (side * big - (4 * len(text) - 1) * dot) // 2, (side * big - 6 * dot) // 2
    for place, digit in enumerate(text):
        for row, bits in enumerate(_DIGITS[int(digit)]):
            for column in range(3):
                if int(bits) >> (2 - column) & 1:
                    x, y = left + (4 * place + column) * dot, top + row * dot
                    pen.rectangle((x, y, x + dot - 1, y + dot - 1), fill=(0, 0, 0))
    sign = sign.resize((side, side), Image.Resampling.BOX)
    picture.paste(sign, (1, 1), sign)


def _front(recording: Recording, moment: Moment, size: int, draft: int = 2) -> Image.Image:
    """A pinhole camera 1.6 m above the ego vehicle's front third, with 70 degrees of view; boxes are 1.5 m high."""
    from PIL import Image, ImageDraw

    side, height, near = size * draft, 1.6, 1.0
    focal = side / 2 / math.tan(math.radians(35))
    step, ego = moment.step, recording.frame(moment.step)
    picture = Image.new("RGB", (side, side), GRASS)
    pen = ImageDraw.Draw(picture)
    horizon = side * 0.4
    pen.rectangle((0, 0, side, horizon), fill=SKY)

    def ground(points: np.ndarray, up: float = 0.0) -> list[tuple[float, float]]:
        seen = _clipped(ego.points(points), near)
        return [(side / 2 - y / x * focal, horizon + (height - up) / x * focal) for x, y in seen]

    def area(points: np.ndarray, colour: Colour) -> None:
        if len(shape := ground(points)) > 2:
            pen.polygon(shape, fill=colour)

    for lane in recording.lanes:
        if not _visible(lane, recording, step):
            continue
        for part in range(len(lane.centre) - 1):
            area(np.concatenate([lane.left[part : part + 2], lane.right[part : part + 2][::-1]]), ROAD)
    for lane in recording.lanes:
        if not _visible(lane, recording, step):
            continue
        for edge, line in zip((lane.left, lane.right), lane.lines, strict=True):
            inward = (lane.centre - edge) * 0.08
            for part in range(len(edge) - 1):
                if line == "solid" or (line == "striped" and part % 4 < 2):
                    area(np.concatenate([edge[part : part + 2], (edge + inward)[part : part + 2][::-1]]), PAINT)
    cars = [
        (*recording.poses[step, car], *recording.sizes[car], car)
        for car in range(1, recording.poses.shape[1])
        if not math.isnan(recording.poses[step, car, 0])
    ]
    things = [*cars, *((*thing, -1) for thing in recording.statics)]
    for x, y, heading, length, width, car in sorted(
        things, key=lambda thing: -math.hypot(thing[0] - ego.x, thing[1] - ego.y)
    ):
        corners = ego.points(box(x, y, heading, length, width))
        if corners[:, 0].min() < near or corners[:, 0].min() > 120:
            continue
        speed = 0.0 if car < 0 else recording.speeds[step, car] * _along(recording, step, car)
        colour = STATIC if car < 0 else relative_colour(speed - recording.speeds[step, 0])
        for a, b in sorted(((k, (k + 1) % 4) for k in range(4)), key=lambda ab: -corners[list(ab), 0].sum()):
            low = [(side / 2 - corners[k, 1] / corners[k, 0] * focal, k) for k in (a, b)]
            face = [(u, horizon + height / corners[k, 0] * focal) for u, k in low]
            face += [(u, horizon + (height - 1.5) / corners[k, 0] * focal) for u, k in reversed(low)]
            rear = car >= 0 and (a, b) == (2, 3) and recording.brakes[step, car] < -1.0
            pen.polygon(face, fill=BRAKE if rear else colour, outline=(0, 0, 0))
    small = picture.resize((size, size), Image.Resampling.BOX)
    _sign(small, round(recording.limit * 3.6))
    return small


def _clipped(points: np.ndarray, near: float) -> list[tuple[float, float]]:
    """A polygon cut off at the distance `near` (Sutherland and Hodgman)."""
    kept: list[tuple[float, float]] = []
    for (x, y), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if x >= near:
            kept.append((float(x), float(y)))
        if (x >= near) != (x2 >= near):
            share = (near - x) / (x2 - x)
            kept.append((near, float(y + share * (y2 - y))))
    return kept
