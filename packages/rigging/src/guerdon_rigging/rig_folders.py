"""A folder of rigged files: read when asked for, split by file, with a list of what could not be read and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon_rigging.canonical import Canonical, canonical
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_skins import read_stored
from guerdon_rigging.rigs import Ints, Rig

Side = Literal["train", "test"]


@dataclass(frozen=True)
class RigFolder:
    """The .glb and .gltf files of a folder, not of those below it.

    Raises:
        ConfigError: `every` is below 2.
        RigFileError: there is no such folder.
    """

    folder: Path
    every: int = 5
    """Of the files in order, the first of as many is kept for testing, and every so many after it."""
    seed: int | None = None
    """Shuffles that order; None leaves it that of the names."""
    without: tuple[str, ...] = ()
    """Names of files that are passed over."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder).expanduser())
        if self.every < 2:
            raise ConfigError(f"RigFolder.every is {self.every!r}; 2 or more is accepted")
        if not self.folder.is_dir():
            raise RigFileError(self.folder, "", "there is no such folder", "a folder of .glb and .gltf files is needed")

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """All files, by name."""
        found = (path for path in self.folder.iterdir() if path.suffix.lower() in (".glb", ".gltf") and path.is_file())
        return tuple(sorted((path for path in found if path.name not in self.without), key=lambda path: path.name))

    def side(self, side: Side) -> tuple[Path, ...]:
        """The files of one side, by name. Which side a file is on hangs on the names alone, not on what can be read.

        Raises:
            ConfigError: no such side.
        """
        one_of("RigFolder.side", side, ("train", "test"))
        order = np.arange(len(self.files))
        if self.seed is not None:
            order = np.random.default_rng(self.seed).permutation(order)
        chosen = np.zeros(len(order), bool)
        chosen[order[:: self.every]] = True
        return tuple(path for path, test in zip(self.files, chosen, strict=True) if test == (side == "test"))

    def canonical(self, path: Path) -> Canonical:
        """One file's canonical rig, read once.

        Raises:
            RigFileError: it cannot be read. The next call says the same, and reads nothing.
        """
        if path not in self._read:
            try:
                self._read[path] = canonical(read_stored(path))
            except RigFileError as error:
                self._read[path] = error
        found = self._read[path]
        if isinstance(found, RigFileError):
            raise found
        return found

    def rigs(self, side: Side | None = None) -> Iterator[Rig]:
        """The rigs of a side, or all of them, one after the other; those that cannot be read are in `unreadable`."""
        for path in self.files if side is None else self.side(side):
            try:
                yield self.canonical(path).rig
            except RigFileError:
                continue  # kept in _read, listed by unreadable

    @property
    def unreadable(self) -> dict[str, str]:
        """Why files could not be read, by name, of those that were asked for so far."""
        return {path.name: str(error) for path, error in self._read.items() if isinstance(error, RigFileError)}

    @cached_property
    def _read(self) -> dict[Path, Canonical | RigFileError]:
        return {}


def bone_columns(rig: Rig, *, above: float = 0.1, least: float = 0.01, most: float = 0.6) -> Ints:
    """The joints whose columns of weights are worth coding.

    Args:
        rig: a rig of N vertices.
        above: a vertex counts where its weight is larger.
        least: the smallest share of vertices that counts.
        most: the largest.

    Returns:
        Their indices, ascending.

    Source: the sheet of SkinTokens: "bone columns with 1-60 % of vertices above 0.1".
    """
    share = (rig.weights > above).mean(axis=0)
    return np.flatnonzero((share >= least) & (share <= most))
