"""What a task draws of its attempts, for the report of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from guerdon.errors import GuerdonError
from guerdon.protocols import Split, Task
from guerdon.types import Example

log = logging.getLogger(__name__)


def illustrator(*tasks: Task) -> Callable[[Mapping[str, Any]], bytes | None] | None:
    """Draws an attempt from its record, by whichever task its example is of; None where no task draws anything."""
    drawing = [task for task in tasks if type(task).picture is not Task.picture]
    if not drawing:
        return None
    known: dict[str, tuple[Task, Example]] = {}
    for task in drawing:
        for split in get_args(Split):
            for example in task.examples(split):
                known.setdefault(example.id, (task, example))

    def draw(record: Mapping[str, Any]) -> bytes | None:
        found = known.get(str(record.get("example")))
        if found is None:
            return None
        task, example = found
        try:
            return task.picture(example, str(record.get("completion", "")))
        except Exception as error:  # noqa: BLE001 - a report without a picture is better than none
            log.warning("%s could not draw its example %r: %s", task.name, example.id, error)
            return None

    return draw


def illustrator_of(run: Path) -> Callable[[Mapping[str, Any]], bytes | None] | None:
    """The same from a run's folder; None where its tasks cannot be built here (a package that is not installed)."""
    from guerdon.recipes.building import build_task
    from guerdon.recipes.running import recipe_of

    try:
        recipe = recipe_of(run)
        return illustrator(*(build_task(use) for use in (recipe.task, *recipe.evals.values())))
    except GuerdonError as error:
        log.warning("the report shows no pictures: %s", error)
        return None
