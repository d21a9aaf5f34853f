"""`Scene`: what is around the ego vehicle over the next seconds, in arrays that checkers read and files keep.

One frame for all: x forward, y left, metres and radians, origin at the ego vehicle's centre now. Axes: T poses from now
on (now included), H past poses, A other objects, N corners.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from guerdon.errors import TaskError

Kind = Literal["vehicle", "person", "bicycle", "static"]
"""What another object is: an agent that moves by itself, or a thing that does not."""
Polygon = np.ndarray
"""Corners (N, 2) of a simple polygon, in order, not repeated at the end."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The ego vehicle, the others and the road, for T poses at a fixed step.

    Raises:
        TaskError: arrays of shapes that do not belong together, or an ego vehicle whose path holds NaN.
    """

    step_s: float
    """Seconds between poses."""
    ego_size: tuple[float, float]
    """Length and width of the ego box, in metres; a pose is its centre."""
    ego: np.ndarray
    """(T, 3): the poses that were driven, x, y and heading; the first is now (zeros)."""
    speed: float
    """The ego vehicle's speed now, in m/s."""
    past: np.ndarray
    """(H, 3): the poses before now, oldest first, at the same step; H may be 0."""
    others: np.ndarray
    """(A, T, 3): poses of the other objects, as they were; NaN where one is not there."""
    sizes: np.ndarray
    """(A, 2): their lengths and widths, in metres."""
    kinds: tuple[Kind, ...]
    """What each of them is; A of them."""
    drivable: tuple[Polygon, ...] = ()
    """Where the ego vehicle may be: the union of these. None at all: nothing is known of the road."""
    lanes: tuple[Polygon, ...] = ()
    """Each lane's area, for telling whether the ego box is in several."""
    route: np.ndarray | None = None
    """(M, 2): the centre line that the route follows, in driving order; None where there is none."""
    oncoming: tuple[Polygon, ...] = ()
    """Lanes that are driven the other way."""
    intersections: tuple[Polygon, ...] = ()
    """Where lanes cross: direction and lane keeping are not judged there."""
    red_lights: tuple[Polygon, ...] = ()
    """Areas that a red light closes during the whole of the scene."""

    def __post_init__(self) -> None:
        poses, objects = len(self.ego), len(self.sizes)
        wanted = {"ego": (poses, 3), "others": (objects, poses, 3), "sizes": (objects, 2), "past": (len(self.past), 3)}
        for name, shape in wanted.items():
            if (found := getattr(self, name).shape) != shape:
                raise TaskError(f"Scene.{name} has the shape {found}; {shape} is needed")
        if len(self.kinds) != objects:
            raise TaskError(f"Scene.kinds names {len(self.kinds)} objects; there are {objects}")
        if unknown := set(self.kinds) - set(get_args(Kind)):
            raise TaskError(f"Scene.kinds holds {sorted(unknown)!r}; accepted are {get_args(Kind)}")
        if poses == 0 or not np.isfinite(self.ego).all():
            raise TaskError("Scene.ego needs at least one pose, and finite numbers")

    def save(self, path: Path) -> None:
        """Write it as one compressed file of arrays."""
        arrays: dict[str, np.ndarray] = {}
        about: dict[str, object] = {}
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                arrays[name] = value
            elif name in _POLYGONS:
                about[name] = len(value)
                arrays |= {f"{name}.{place}": polygon for place, polygon in enumerate(value)}
            elif value is not None:
                about[name] = value
        np.savez_compressed(path, about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path | str) -> Scene:
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            TaskError: it is missing, or no scene; the message names it.
        """
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as kept:
                about = json.loads(kept["about"].tobytes())
                values = {name: kept[name] for name in _ARRAYS if name in kept}
                values |= {
                    name: tuple(kept[f"{name}.{place}"] for place in range(about.pop(name, 0))) for name in _POLYGONS
                }
            about["ego_size"], about["kinds"] = tuple(about["ego_size"]), tuple(about["kinds"])
            return cls(**about, **values)
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise TaskError(f"the scene {str(path)!r} cannot be read: {error!r}") from error


_ARRAYS: Sequence[str] = ("ego", "past", "others", "sizes", "route")
_POLYGONS: Sequence[str] = ("drivable", "lanes", "oncoming", "intersections", "red_lights")
