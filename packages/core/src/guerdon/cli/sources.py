"""What a command line names, read: rollouts from files and runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError, RunError, TaskError


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
    """The rollouts of a JSONL file: `example` and `completion` in each line, other fields kept.

    Raises:
        ConfigError: the file cannot be read, or a line is not such an object; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"rollouts file {str(path)!r} cannot be read: {error}") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            rows.append(_row(line, f"{path}, line {number}"))
    if not rows:
        raise ConfigError(f"rollouts file {str(path)!r} holds no rollouts")
    return rows


def _row(line: str, where: str) -> dict[str, Any]:
    wanted = 'an object like {"example": ID, "completion": TEXT}'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not JSON ({error}); {wanted} is needed") from None
    if not isinstance(row, dict):
        raise ConfigError(f"{where} holds {type(row).__name__}; {wanted} is needed")
    for field in ("example", "completion"):
        if not isinstance(row.get(field), str):
            raise ConfigError(f"{where}: the field {field!r} is {row.get(field)!r}; {wanted} is needed")
    return row


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
