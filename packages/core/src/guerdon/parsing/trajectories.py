"""Step data sets: trajectories in a file, each step of which is an example with a prompt of its own (teacher forcing).

A line is one trajectory, as R1-Router's data loader reads it (arXiv 2505.22095); `id` may be left out:

```
{"id": "t7", "images": ["scan.png"], "steps": [{"step_type": "ret", "system": "...", "problem": "...", "answer": ...}]}
```

The prompt of a step holds the *reference* history, whatever the policy said on the steps before: each (trajectory,
step) is a group by itself, and rewards can be right step by step. What that costs is exposure: at test time the policy
goes on from its own history, so measure both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from guerdon.errors import TaskError
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.types import Example, Image, Message, Prompt


class TrajectoryStep(Example):
    """One step on its reference history. Domains subclass it with the fields of their reference answers."""

    trajectory: str
    """Its trajectory's id: what `Task.unit` gives, so that all steps of one are in one batch."""
    step: int
    """Its place, from 0."""
    step_type: str
    system: str = ""
    """The system message; none where empty."""
    problem: str
    """The user message: the question, the history, what was retrieved."""
    images: tuple[str, ...] = ()
    """Files, shown before the user's text."""

    @staticmethod
    def name_of(trajectory: str, step: int) -> str:
        """The id of a step's example, `trajectory#step`: what its group is keyed by.

        >>> TrajectoryStep.name_of("t7", 2)
        't7#2'
        """
        return f"{trajectory}#{step}"

    @property
    def shown(self) -> Prompt:
        """Its prompt."""
        images = tuple(Image(path) for path in self.images)
        system = (Message("system", self.system),) if self.system else ()
        return Prompt((*system, Message("user", self.problem, images)))


StepT = TypeVar("StepT", bound=TrajectoryStep)


def read_trajectories(path: Path, made: Callable[[Mapping[str, Any], FileRow], StepT]) -> list[list[StepT]]:
    """The trajectories of a file, in its order, each with its steps.

    Args:
        path: JSON lines or one JSON array (`guerdon.parsing.rows`). Images are taken relative to its folder.
        made: makes an example of the fields that all steps have (`id`, `trajectory`, `step`, ...) and the step's own
            row, whose `answer` it reads; it raises `row.fault(...)` where that is none.

    Raises:
        TaskError: no such file, a broken row, an id that stands twice or holds a "#", or a trajectory without steps;
            it names file, line and step.
    """
    found: dict[str, list[StepT]] = {}
    for number, row in enumerate(read_rows(path, "trajectories")):
        name = str(row.fields.get("id", number))
        if name in found or "#" in name:
            needed = 'an id without "#"' if "#" in name else "an id that no other trajectory has"
            raise TaskError(f"{row.place}: the trajectory's id is {name!r}; {needed} is needed")
        steps = row.fields.get("steps")
        if not isinstance(steps, list) or not steps or not all(isinstance(one, dict) for one in steps):
            raise row.fault("steps", "a list of one or more steps")
        images = _images(row, path.parent)
        found[name] = [
            made(_shared(step, name, place, images), step)
            for place, step in enumerate(FileRow(one, f"{row.place}, step {place}") for place, one in enumerate(steps))
        ]
    return list(found.values())


def write_trajectories(
    path: Path, trajectories: Iterable[Sequence[TrajectoryStep]], answer: Callable[[Any], Any]
) -> None:
    """Write what `read_trajectories` reads.

    Args:
        path: a new file.
        trajectories: the steps of each, in order.
        answer: the reference answer of a step, in plain data.
    """
    with path.open("w", encoding="utf-8") as file:
        for steps in trajectories:
            rows = [
                {"step_type": one.step_type, "system": one.system, "problem": one.problem, "answer": answer(one)}
                for one in steps
            ]
            whole = {"id": steps[0].trajectory, "images": list(steps[0].images), "steps": rows}
            file.write(json.dumps(whole, ensure_ascii=False) + "\n")


def _shared(step: FileRow, trajectory: str, place: int, images: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id": TrajectoryStep.name_of(trajectory, place),
        "trajectory": trajectory,
        "step": place,
        "step_type": step.text("step_type"),
        "system": step.text("system", optional=True),
        "problem": step.text("problem"),
        "images": images,
    }


def _images(row: FileRow, folder: Path) -> tuple[str, ...]:
    found = row.fields.get("images") or []
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise row.fault("images", "a list of files")
    return tuple(str(folder / one) for one in found)
