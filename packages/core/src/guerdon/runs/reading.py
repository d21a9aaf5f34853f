"""Reading a run folder, also while another process writes it. Nothing here changes a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guerdon.errors import GuerdonError, RunError

PHASE = re.compile(r"[a-z][a-z0-9_-]*")
"""What a phase may be called: it names files."""
_ROLLOUTS = re.compile(rf"({PHASE.pattern})-(\d{{6,}})\.jsonl")


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`, in order; a last line that is torn (still being written, or killed) is left out.

    Raises:
        RunError: a line before the last is not a JSON object.
    """
    path = run / "metrics.jsonl"
    return [record for record, _ in lines_of(path)] if path.exists() else []


def lines_of(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each whole record with the offset in bytes just behind it."""
    end = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            record = _parse(line)
            if record is None:
                if stream.read(1):  # something follows: not a torn tail
                    raise RunError(f"line {number} of {str(path)!r} is not a JSON object: {line[:80]!r}")
                return
            end += len(line)
            yield record, end


def _parse(line: bytes) -> dict[str, Any] | None:
    """The object on a whole line; None for anything else."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


@contextmanager
def kept_in(path: Path) -> Iterator[None]:
    """Within it a file or folder of a checkpoint is read.

    Raises:
        RunError: whatever its reader raises over an empty, cut or foreign file; the message names it. What guerdon
            itself says of the content passes.
    """
    try:
        yield
    except GuerdonError:
        raise
    except FileNotFoundError as error:
        raise RunError(f"{str(path)!r} cannot be read: {error}") from error
    except Exception as error:
        said = str(error).partition(". ")[0].partition("\n")[0]  # torch goes on to recommend reading it unsafely
        told = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise RunError(
            f"{str(path)!r} cannot be read ({told}): it is empty, cut or not what was saved. "
            f"To go on from the checkpoint before, move this one's folder away"
        ) from error


def rollout_files(run: Path) -> list[tuple[str, int, Path]]:
    """(phase, step, file) of every rollouts file, sorted by phase and step."""
    found = []
    for path in (run / "rollouts").glob("*.jsonl"):
        if match := _ROLLOUTS.fullmatch(path.name):
            found.append((match[1], int(match[2]), path))
    return sorted(found)


def read_rollouts(path: Path) -> list[dict[str, Any]]:
    """The records of one rollouts file."""
    return [record for record, _ in lines_of(path)]


def find_checkpoint(run: Path | None, asked: Path | None) -> Path | None:
    """The checkpoint folder meant: `asked` as a path, else by its name in the run, else the run's latest.

    Raises:
        RunError: there is no such checkpoint; the message lists those there are.
    """
    if asked is not None and asked.is_dir():
        return asked
    if run is None and asked is None:
        return None
    there = sorted((run / "checkpoints").glob("step-*")) if run else []
    wanted = [folder for folder in there if asked is None or _same_step(folder.name, str(asked))]
    if not wanted:
        names = ", ".join(folder.name for folder in there) or "none"
        what = "no checkpoint yet" if asked is None else f"no checkpoint {str(asked)!r}"
        raise RunError(f"{what} in {str(run)!r}; there are: {names}" if run else f"{what}, and no run folder is named")
    return max(wanted, key=lambda folder: int(folder.name.rpartition("-")[2]))


def _same_step(name: str, asked: str) -> bool:
    """Whether `asked` is a checkpoint's name, with or without the zeros: step-4 for step-000004."""
    given = re.fullmatch(r"step-0*(\d+)", asked)
    return name == asked or (given is not None and name == f"step-{int(given[1]):06d}")
