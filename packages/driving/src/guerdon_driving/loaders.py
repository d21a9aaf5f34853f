"""Driving examples from JSON lines in AlphaDrive's row layout, and with what checkers of trajectories need.

Pure reading: everything wrong with a file is a `TaskError` that names file, row and field, also an image that is
missing or broken, before anything is trained on it.

| field | |
|---|---|
| `solution` | the answer block, with an action on each axis; the one field that must be there |
| `image` | path of the frame, from the file's folder on; missing or empty: the plan is made blind |
| `problem` | the prompt as the policy is shown it; missing: the task writes it from `speed` and `navigation` |
| `thinking` | the think block, or its text alone |
| `future` | the poses that were driven: `[[x, y, heading], ...]` every 0.5 s; for rewards of trajectories |
| `scene` | path of the scene's file (`Scene.save`), from the file's folder on; for checkers |
| `id`, `speed` (m/s), `navigation`, `kind` | as in `DrivingExample`; ids are counted where there are none |

So the files that `driving/highway-v1` makes are read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from guerdon.errors import TaskError
from guerdon.parsing.images import opened
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.types import Image
from guerdon_driving.answers import format_fault, read_plan
from guerdon_driving.examples import DrivingExample
from guerdon_driving.prompts import completion_of

ImageCheck = Literal["decoded", "present"]
"""How far images are looked at when rows are read: decoded whole, or only found to be files."""

FIELDS = ("id", "image", "problem", "solution", "thinking", "speed", "navigation", "kind", "future", "scene")


def read_examples(path: Path, images: ImageCheck = "decoded", limit: int | None = None) -> list[DrivingExample]:
    """The examples of a file, in its order.

    Args:
        path: JSON lines or one array, gzipped or not.
        images: how far each image is looked at.
        limit: the first so many; None for all.

    Raises:
        TaskError: no such file; a field is unknown, missing or not as it should be; an image is missing or broken, or
            a scene missing; an id comes twice; a solution that cannot be read, or reasoning that would break the
            completion's layout.
    """
    places: dict[str, str] = {}
    checked: set[str] = set()
    found = []
    for number, row in enumerate(_rows(path, limit)):
        example = _example(row, path, number)
        if example.id in places:
            raise TaskError(f"{row.place}: the id {example.id!r} is taken by {places[example.id]}; ids must differ")
        places[example.id] = row.place
        if example.image and example.image not in checked:
            _check_image(row, example.image, images)
            checked.add(example.image)
        if example.scene and not Path(example.scene).is_file():
            raise TaskError(f"{row.place}: field 'scene': the scene {example.scene!r} does not exist")
        found.append(example)
    if not found:
        raise TaskError(f"{str(path)!r} holds no examples")
    return found


def _rows(path: Path, limit: int | None) -> Iterator[FileRow]:
    return islice(read_rows(path, "driving examples"), limit)


def _example(row: FileRow, path: Path, number: int) -> DrivingExample:
    if unknown := [name for name in row.fields if name not in FIELDS]:
        raise TaskError(f"{row.place}: the field {unknown[0]!r} is unknown; accepted are {', '.join(FIELDS)}")
    stated = row.fields.get("id")
    image, scene = row.text("image", optional=True), row.text("scene", optional=True)
    fields: dict[str, Any] = {
        "id": f"{path.stem}-{number}" if stated is None else str(stated),
        "image": str(path.parent / image) if image else "",
        "prompt": row.text("problem", optional=True),
        "solution": row.text("solution"),
        "thinking": row.text("thinking", optional=True),
        "navigation": row.text("navigation", optional=True),
        "kind": row.text("kind", optional=True),
        "speed": row.fields.get("speed") or 0.0,
        "future": row.fields.get("future") or (),
        "scene": str(path.parent / scene) if scene else "",
    }
    try:
        example = DrivingExample(**fields)
    except ValidationError as error:
        raise row.refused(error) from None
    plan = read_plan(example.solution)
    if not (plan.speed and plan.path):
        raise row.fault("solution", "an answer block with a speed action and a path action")
    reference = completion_of(example)
    if (fault := format_fault(reference)) or read_plan(reference) != plan:
        told = fault or "another answer block stands before the solution"
        raise TaskError(f"{row.place}: field 'thinking' and 'solution' together break the layout: {told}")
    return example


def _check_image(row: FileRow, image: str, how: ImageCheck) -> None:
    try:
        if how == "decoded":
            opened(Image(path=image))
        elif not Path(image).is_file():
            raise TaskError(f"the image {image!r} does not exist")
    except TaskError as error:
        raise TaskError(f"{row.place}: field 'image': {error}") from error
