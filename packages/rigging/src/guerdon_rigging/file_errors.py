"""What is wrong with a file: which, where inside it, what was found, and what is accepted."""

from __future__ import annotations

from pathlib import Path

from guerdon.confined_paths import path_within
from guerdon_rigging.rigs import RigError


class RigFileError(RigError):
    """A file of a mesh or a rig cannot be read, or cannot be written.

    Args:
        file: the file.
        where: the place inside it, "accessors[3].count" or "line 12"; empty for the file as a whole.
        found: what is there.
        accepted: what would do, or what to do about it.
    """

    def __init__(self, file: Path | str, where: str, found: str, accepted: str = "") -> None:
        place = f"{str(file)!r}, {where}" if where else repr(str(file))
        super().__init__(f"{place}: {found}{f'; {accepted}' if accepted else ''}")
        self.file, self.where, self.found, self.accepted = str(file), where, found, accepted

    def __reduce__(self) -> tuple[type[RigFileError], tuple[str, str, str, str]]:
        """Errors travel between processes; the message alone would not rebuild it."""
        return type(self), (self.file, self.where, self.found, self.accepted)


def read_beside(file: Path, where: str, name: str, most: int) -> bytes:
    """The bytes of a file that another one names: in its folder, or below it; links are followed first, so that none
    leads out.

    Args:
        file: which names it.
        where: the place in it.
        name: the path, relative to the folder, with slashes.
        most: bytes.

    Raises:
        RigFileError: it is missing, outside of the folder or on a network, or has more than `most` bytes.
    """
    if "://" in name or "\\" in name or "\0" in name or not name:
        raise RigFileError(file, where, f"is {name!r}", "a file beside this one is accepted; nothing is fetched")
    path = path_within(file.parent, name)
    if path is None:
        raise RigFileError(file, where, f"is {name!r}, outside of its folder", "nothing outside of it is opened")
    try:
        return read_limited(path, most, "file beside it")
    except RigFileError as error:
        raise RigFileError(file, where, f"is {name!r}: {error.found}", error.accepted) from error


def read_limited(path: Path, most: int, what: str = "file") -> bytes:
    """A file's bytes, its size looked at before it is read.

    Raises:
        RigFileError: it is missing, no file, cannot be opened, or has more than `most` bytes.
    """
    try:
        if not path.is_file():
            raise RigFileError(path, "", f"there is no such {what}")
        size = path.stat().st_size
        if size > most:
            raise RigFileError(path, "", f"{size:,} bytes", f"at most {most:,} are read")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise RigFileError(path, "", f"cannot be read: {error}") from error
