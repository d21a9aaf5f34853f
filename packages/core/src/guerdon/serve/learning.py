"""Rewards that learn, on a server: what they have learnt is one thing, in one lane, kept in a folder.

A request says `"learn": true` where its rows are a training batch; without that they are an evaluation, and nothing
moves. What a batch taught is on disk before its answer goes out, so that a lane that dies afterwards loses nothing. One
that dies in between is replaced, and the batch tried once more: it is then scored by what it has taught already, and
does not teach it twice.

State is JSON where it is plain, and torch's format where it holds tensors; the newest of the two counts, and the other
is taken away.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guerdon.errors import ConfigError, RunError
from guerdon.grading import Grader, Row
from guerdon.rewards import Context
from guerdon.types import Score


class Learnt:
    """What the rewards of one lane have learnt, in a folder: one file per served name.

    Args:
        folder: made if it is not there.
        graders: by the name they are served as; those that learn take up what the folder has of them.

    Raises:
        ConfigError: the folder cannot be made, or holds another reward's state under that name.
        RunError: a file there cannot be read.
    """

    def __init__(self, folder: Path, graders: Mapping[str, Grader]) -> None:
        self._folder = folder
        self._last: dict[str, str] = {}
        """By name, the digest of the batch it learnt from last, if that was before this process began."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"the folder for what rewards learn, {str(folder)!r}, cannot be made: {error}") from None
        for name, grader in graders.items():
            if grader.learning and (kept := self._read(name)) is not None:
                self._last[name] = kept["batch"]
                try:
                    grader.load_state_dict(kept["state"])
                except ConfigError as error:
                    error.add_note(f"It was kept in {str(folder)!r}; another reward needs another folder or name.")
                    raise

    def grade(self, name: str, grader: Grader, rows: Sequence[Row], context: Context, body: bytes) -> list[Score]:
        """Scores of a training batch, learnt from.

        Raises:
            OSError: what it taught cannot be written.
        """
        batch = hashlib.blake2b(body, digest_size=16).hexdigest()
        again = self._last.pop(name, None) == batch
        scores = grader.grade(rows, context, learn=not again)
        if not again and grader.learning:
            self._write(name, {"batch": batch, "state": grader.state_dict()})
        return scores

    def _read(self, name: str) -> dict[str, Any] | None:
        there = [path for path in self._files(name) if path.exists()]
        if not there:
            return None
        path = max(there, key=lambda path: path.stat().st_mtime_ns)
        try:
            if path.suffix == ".json":
                kept = json.loads(path.read_text(encoding="utf-8"))
            else:
                import torch

                kept = torch.load(path, weights_only=True)
            return {"batch": str(kept["batch"]), "state": kept["state"]}
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            ImportError,
            RuntimeError,
            EOFError,
            pickle.UnpicklingError,
        ) as error:
            raise RunError(
                f"what {name!r} had learnt cannot be read from {str(path)!r}: move the file away to begin anew. "
                f"{type(error).__name__}: {error}"
            ) from error

    def _write(self, name: str, kept: dict[str, Any]) -> None:
        plain, tensors = self._files(name)
        try:
            data = json.dumps(kept).encode()
        except TypeError:
            import torch

            buffer = io.BytesIO()
            torch.save(kept, buffer)
            data, path, other = buffer.getvalue(), tensors, plain
        else:
            path, other = plain, tensors
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        other.unlink(missing_ok=True)

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.json", self._folder / f"{name}.pt"
