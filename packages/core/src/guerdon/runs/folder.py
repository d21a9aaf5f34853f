"""The one writer of a run folder: metrics, rollouts and checkpoints that survive being killed at any moment.

What makes a resumed run's files equal an undisturbed run's: the trainer keeps `metrics_lines` in each checkpoint, and
`rewind` cuts the metrics back to it. Rollouts written since then stay: the steps in between replay them, or write the
same ones again.
"""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from guerdon.errors import RunError
from guerdon.runs.board import Board
from guerdon.runs.durable import cannot_write, encode, mend, remove_folder, replace_file, replace_folder, write_all
from guerdon.runs.lock import FolderLock
from guerdon.runs.reading import PHASE, lines_of, read_metrics, read_rollouts, rollout_files
from guerdon.runs.versions import versions as collect_versions

_STEP = re.compile(r"step-(\d{6,})")


class RunFolder:
    """An open run folder. Make one with `create` or `open`; close it, or use it as a context manager.

    >>> import tempfile
    >>> with RunFolder.create(Path(tempfile.mkdtemp()) / "run", "task: sql", seed=7, tensorboard=False) as run:
    ...     run.log(1, "rl", {"reward/total": 0.5})
    ...     with run.checkpoint(1) as folder:
    ...         _ = (folder / "weights.txt").write_text("0.1")
    ...     run.log(2, "rl", {"reward/total": 0.6})
    ...     run.rewind(1)
    ...     run.latest_checkpoint().name, run.metrics_lines
    ('step-000001', 1)
    """

    def __init__(self, path: Path, *, keep: int = 2, tensorboard: bool = True) -> None:
        """Private: takes the lock and mends what a crash left. Use `create` or `open`."""
        if keep < 1:
            raise RunError(f"keep must be at least 1 checkpoint, was {keep}")
        self.path = path
        self.keep = keep
        self._lock = FolderLock(path / ".lock")
        try:
            self._mend()
            self._fd = os.open(self._metrics, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except BaseException:
            self._lock.release()
            raise
        self._board = Board(path / "tensorboard", enabled=tensorboard)
        self.metrics_lines = 0
        """How many lines have been logged; keep it in a checkpoint, and `rewind` to it."""
        self._continue()

    @classmethod
    def create(
        cls,
        path: Path | str,
        recipe_text: str,
        seed: int,
        versions: Mapping[str, Any] | None = None,
        *,
        keep: int = 2,
        tensorboard: bool = True,
    ) -> Self:
        """Start a new run.

        Args:
            path: the folder; made with its parents. It may exist, but not hold a run that has made a step: one that
                failed before that (a misspelt name, found when the first batch was scored) makes room, with a warning.
            recipe_text: the whole recipe as YAML, kept word for word.
            seed: the seed that everything random in the run derives from.
            versions: what the run ran on; `guerdon.runs.versions()` when not given.
            keep: how many checkpoints to keep, the newest.
            tensorboard: write TensorBoard logs, where tensorboard is installed.

        Raises:
            RunError: the folder already holds a run, is in use, or cannot be written.
        """
        path = Path(path)
        if found := (path / "recipe.yaml").exists():
            _refuse_begun(path)
        try:
            for name in ("rollouts", "checkpoints"):
                (path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        run = cls(path, keep=keep, tensorboard=tensorboard)
        try:
            if found:
                run._make_room()
            facts = {"seed": seed, **(collect_versions() if versions is None else versions)}
            replace_file(path / "versions.json", json.dumps(facts, indent=2).encode() + b"\n")
            replace_file(path / "recipe.yaml", recipe_text.encode())  # last: its presence makes the folder a run
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def open(cls, path: Path | str, *, keep: int = 2, tensorboard: bool = True) -> Self:
        """Open a run to continue it; a line torn by a kill is dropped. Call `rewind` before the first `log`.

        Raises:
            RunError: there is no run, it is in use, or it is damaged beyond a torn last line.
        """
        path = Path(path)
        if not (path / "recipe.yaml").is_file():
            raise RunError(f"{str(path)!r} holds no run: there is no recipe.yaml in it.")
        return cls(path, keep=keep, tensorboard=tensorboard)

    def close(self) -> None:
        """Flush and let others write. Safe to call twice."""
        self._board.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def recipe_text(self) -> str:
        """The recipe as it was given."""
        return (self.path / "recipe.yaml").read_text(encoding="utf-8")

    @property
    def versions(self) -> dict[str, Any]:
        """What `versions.json` says, `seed` included."""
        facts: dict[str, Any] = json.loads((self.path / "versions.json").read_text(encoding="utf-8"))
        return facts

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.versions["seed"])

    def metrics(self) -> list[dict[str, Any]]:
        """All lines logged so far."""
        return read_metrics(self.path)

    def log(self, step: int, phase: str, values: Mapping[str, float | str]) -> None:
        """Append one line to `metrics.jsonl`; it is on disk when this returns.

        `time_s`, the seconds spent on the run so far (pauses between resumes not counted), is added.

        Args:
            step: the step within its phase.
            phase: `sft`, `rl` or `eval`.
            values: flat names to numbers; NaN and infinities are written as null; text (an eval's `stage`) is kept.

        Raises:
            RunError: the line cannot be written; the file ends with the line before it.
        """
        time_s = round(self._spent_s + time.monotonic() - self._since, 3)
        data = encode({"step": step, "phase": phase, "time_s": time_s, **values})
        size = os.fstat(self._fd).st_size
        try:
            write_all(self._fd, data)
            os.fsync(self._fd)
        except OSError as error:
            os.ftruncate(self._fd, size)
            raise cannot_write(self._metrics, error) from error
        self.metrics_lines += 1
        self._board.add(phase, step, values)

    def write_rollouts(self, phase: str, step: int, records: Iterable[Mapping[str, Any]]) -> Path:
        """Write the samples of one step, all or none; a file of the same phase and step is replaced.

        Raises:
            RunError: they cannot be written, or `phase` cannot name a file.
        """
        if not PHASE.fullmatch(phase):
            raise RunError(f"a phase is named in lower case, such as 'rl' or 'eval'; was {phase!r}")
        path = self._rollouts(phase, step)
        replace_file(path, b"".join(encode(record) for record in records))
        return path

    def read_rollouts(self, phase: str, step: int) -> list[dict[str, Any]]:
        """The samples of one step as they were written, floats exact; empty where there are none."""
        path = self._rollouts(phase, step)
        return read_rollouts(path) if path.exists() else []

    @contextmanager
    def checkpoint(self, step: int) -> Iterator[Path]:
        """An empty folder to save into; when the block ends it becomes `checkpoints/step-<step>`, durable and at once.

        Older checkpoints beyond `keep` are removed once the new one is safe.

        Raises:
            RunError: it cannot be written. What was saved is removed, and the checkpoints before it are as they were.
        """
        with replace_folder(self._checkpoints / f"step-{step:06d}") as folder:
            yield folder
        for old in self.checkpoints()[: -self.keep]:
            remove_folder(old)

    @contextmanager
    def atomic_folder(self, path: Path) -> Iterator[Path]:
        """An empty folder to save into, which becomes `path` (anywhere in the run) as a checkpoint does."""
        with replace_folder(path) as folder:
            yield folder

    def checkpoints(self) -> list[Path]:
        """Whole checkpoints, the oldest first."""
        found = [path for path in self._checkpoints.iterdir() if _STEP.fullmatch(path.name)]
        return sorted(found, key=step_of)

    def latest_checkpoint(self) -> Path | None:
        """The newest whole checkpoint, or None before the first."""
        found = self.checkpoints()
        return found[-1] if found else None

    def rewind(self, lines: int) -> None:
        """Drop all metrics but the first `lines`; time and TensorBoard steps go on from there.

        Raises:
            RunError: there are fewer lines than that.
        """
        ends = [0, *self._line_ends()]
        if not 0 <= lines < len(ends):
            raise RunError(
                f"cannot go back to line {lines} of {str(self._metrics)!r}: it has {len(ends) - 1}. "
                f"Was it edited? Restore it, or start a new run."
            )
        os.ftruncate(self._fd, ends[lines])
        os.fsync(self._fd)
        self._continue()

    def _make_room(self) -> None:
        """Remove what a run left that failed before its first step; under the lock, so that none begins meanwhile."""
        _refuse_begun(self.path)
        (self.path / "recipe.yaml").unlink(missing_ok=True)  # first: without it the folder holds no run
        for _, _, path in rollout_files(self.path):
            path.unlink()
        (self.path / "report.html").unlink(missing_ok=True)
        self.rewind(0)
        message = f"the run in {str(self.path)!r} had failed before its first step, and makes room for this one"
        warnings.warn(message, RuntimeWarning, stacklevel=3)

    @property
    def _checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def _metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    def _rollouts(self, phase: str, step: int) -> Path:
        return self.path / "rollouts" / f"{phase}-{step:06d}.jsonl"

    def _line_ends(self) -> list[int]:
        """Where each whole line of the metrics ends, in bytes."""
        return [end for _, end in lines_of(self._metrics)] if self._metrics.exists() else []

    def _continue(self) -> None:
        """Go on counting lines, time and TensorBoard steps after the last line."""
        metrics = self.metrics()
        self.metrics_lines = len(metrics)
        self._spent_s = float(metrics[-1].get("time_s") or 0.0) if metrics else 0.0
        self._since = time.monotonic()
        self._board.purge({str(line.get("phase")): int(line.get("step") or 0) for line in metrics})

    def _mend(self) -> None:
        """Drop what a crash left: a torn last line, half-written files and folders."""
        whole = max(self._line_ends(), default=0)
        if self._metrics.exists() and whole < self._metrics.stat().st_size:
            os.truncate(self._metrics, whole)
        for folder in (self.path, self.path / "rollouts", self._checkpoints):
            mend(folder)


def _refuse_begun(path: Path) -> None:
    """See that a run has left neither a checkpoint nor a step: an evaluation before the first one is none.

    Raises:
        RunError: it has.
    """
    checkpoints = path / "checkpoints"
    begun = any(line.get("phase") != "eval" for line in read_metrics(path))
    if begun or (checkpoints.is_dir() and any(_STEP.fullmatch(each.name) for each in checkpoints.iterdir())):
        raise RunError(f"{str(path)!r} already holds a run. Continue it with `--resume`, or give another folder.")


def step_of(checkpoint: Path) -> int:
    """The step a checkpoint was made at.

    >>> step_of(Path("checkpoints/step-000120"))
    120
    """
    match = _STEP.fullmatch(checkpoint.name)
    if match is None:
        raise RunError(f"{str(checkpoint)!r} is not a checkpoint; they are named step-000120 and so on.")
    return int(match[1])
