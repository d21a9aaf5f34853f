"""Rewards that learn, on a server: what they have learnt is one thing, in one lane, kept in a folder.

A request says `"learn": true` where its rows are a training batch; without that they are an evaluation, and nothing
moves. What a batch taught is on disk before its answer goes out, so that a lane that dies afterwards loses nothing. One
that dies in between is replaced, and the batch tried once more: it is then scored by what it has taught already, and
does not teach it twice.

State is JSON where it is plain, and torch's format where it holds tensors.
"""

from __future__ import annotations

import hashlib
import json
import os
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
            RunError: what it taught cannot be written.
        """
        batch = hashlib.blake2b(body, digest_size=16).hexdigest()
        again = self._last.pop(name, None) == batch
        scores = grader.grade(rows, context, learn=not again)
        if not again and grader.learning:
            self._write(name, {"batch": batch, "state": grader.state_dict()})
        return scores

    def _read(self, name: str) -> dict[str, Any] | None:
        plain, tensors = self._files(name)
        try:
            if plain.exists():
                kept: dict[str, Any] = json.loads(plain.read_text(encoding="utf-8"))
                return kept
            if tensors.exists():
                import torch

                kept = torch.load(tensors, weights_only=True)
                return kept
        except (OSError, ValueError, ImportError) as error:
            raise RunError(f"what {name!r} had learnt cannot be read from {str(self._folder)!r}: {error}") from error
        return None

    def _write(self, name: str, kept: dict[str, Any]) -> None:
        plain, tensors = self._files(name)
        try:
            text = json.dumps(kept)
        except TypeError:
            import torch

            part = tensors.with_suffix(".part")
            with part.open("wb") as file:
                torch.save(kept, file)
                _to_disk(file)
            part.replace(tensors)
            return
        part = plain.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            _to_disk(file)
        part.replace(plain)

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.json", self._folder / f"{name}.pt"


def _to_disk(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
