"""What a command line names, read: rollouts from files and runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError, RunError, TaskError
from guerdon.parsing.rows import read_rows


@contextmanager
def naming(source: str | Path | None) -> Iterator[None]:
    """Within it, an error about a recipe's names, options and task also says whose recipe that is."""
    try:
        yield
    except (ConfigError, TaskError) as error:
        if source is not None:
            error.add_note(f"The recipe is {str(source)!r}.")
        raise


def rows_of_file(path: Path) -> list[dict[str, Any]]:
    """The rollouts of a file as `read_rows` reads: `example` and `completion` in each (a text, or chat messages as TRL
    has them), other fields kept.

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
        rows.append(dict(row.fields))
    if not rows:
        raise ConfigError(f"rollouts file {str(path)!r} holds no rollouts")
    return rows


def rows_of_run(run: Path, phase: str, step: int | None) -> list[dict[str, Any]]:
    """The rollouts a run kept of one step (the latest if None) of a phase.

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
    return read_rollouts(steps[max(steps) if step is None else step])
