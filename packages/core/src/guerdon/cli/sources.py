"""What a command line names, read: recipes with their weights, and rollouts from files and runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError, RunError, TaskError
from guerdon.parsing.rows import read_rows
from guerdon.plugins.catalog import Kind, catalog

if TYPE_CHECKING:
    from guerdon.recipes import Recipe


PLACE = "place"
"""The field of a row that says where it stands: `'mine.jsonl', line 5`."""


def admit(kind: Kind, *texts: str | None) -> None:
    """Make what a command line names by import path, `module:attribute`, known by that name.

    Modules in the current folder are found, as by pytest and uvicorn.

    Args:
        kind: of what.
        texts: each as `W*NAME[k=v,...]`; None, a file and any other name are passed over.

    Raises:
        ConfigError: one cannot be imported.
    """
    from guerdon.recipes.spelling import named

    for text in texts:
        if text is None or ":" not in text or Path(text).exists():
            continue
        if ":" in (name := named(text)[1]):
            here_on_path()
            catalog().admit(kind, name)


def here_on_path() -> None:
    """Let modules in the current folder be found; worker processes are given the same path."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)


@contextmanager
def naming(source: str | Path | None) -> Iterator[None]:
    """Within it, an error about a recipe's names, options and task also says whose recipe that is."""
    try:
        yield
    except (ConfigError, TaskError) as error:
        if source is not None:
            error.add_note(f"The recipe is {str(source)!r}.")
        raise


def recipe_and_weights(source: str, overrides: Sequence[str], checkpoint: Path | None) -> tuple[Recipe, Path | None]:
    """The recipe RECIPE or that of the run folder RUN, and the checkpoint folder meant: None for a recipe's own.

    Raises:
        ConfigError: there is no such recipe, or a field is wrong.
        RunError: there is no such checkpoint; the message lists those there are.
    """
    from guerdon.recipes import load_recipe
    from guerdon.runs import find_checkpoint

    run = Path(source) if is_run(source) else None
    recipe = load_recipe(run / "recipe.yaml" if run else source, overrides)
    return recipe, find_checkpoint(run, checkpoint)


def is_run(source: str | Path | None) -> bool:
    """Whether a command line's argument is a run folder."""
    return source is not None and (Path(source) / "recipe.yaml").is_file()


def rows_of_file(path: Path) -> list[dict[str, Any]]:
    """The rollouts of a file as `read_rows` reads: `example` and `completion` in each (a text, or chat messages as TRL
    has them), other fields kept, and as the field `PLACE` what an error calls the row.

    Raises:
        ConfigError: the file cannot be read, or a row is not such an object; the message names the line.
    """
    from guerdon.grading import completion_segments

    wanted = 'an object like {"example": ID, "completion": TEXT} is needed, where chat messages may stand for TEXT'
    rows = []
    for row in read_rows(path, "rollouts", error=ConfigError):
        if not isinstance(named := row.fields.get("example"), str):
            raise ConfigError(f"{row.place}: the field 'example' is {named!r:.200}; {wanted}")
        try:
            completion_segments(row.fields.get("completion"))
        except ConfigError as error:
            raise ConfigError(f"{row.place}: {error}; {wanted}") from None
        rows.append({**row.fields, PLACE: row.place})
    if not rows:
        raise ConfigError(f"rollouts file {str(path)!r} holds no rollouts")
    return rows


def rows_of_run(run: Path, phase: str, step: int | None) -> list[dict[str, Any]]:
    """The rollouts a run kept of one step (the latest if None) of a phase, each with its `PLACE`.

    Raises:
        RunError: it kept none of that step; the message says which there are.
    """
    from guerdon.runs import read_rollouts, rollout_files

    files = rollout_files(run)
    steps = {at: path for of, at, path in files if of == phase}
    if not steps or (step is not None and step not in steps):
        there = ", ".join(f"{of} {at}" for of, at, _ in files[-12:]) or "none"
        asked = f"phase {phase!r}" if step is None else f"phase {phase!r}, step {step}"
        raise RunError(f"{str(run)!r} kept no rollouts of {asked}; there are: {there}")
    path = steps[max(steps) if step is None else step]
    return [{**row, PLACE: f"{str(path)!r}, line {number}"} for number, row in enumerate(read_rollouts(path), 1)]
