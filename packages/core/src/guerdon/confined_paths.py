"""Names that somebody else wrote, as paths within one folder."""

from __future__ import annotations

from pathlib import Path


def path_within(folder: Path, name: str) -> Path | None:
    """Where a name leads from a folder; None where that is outside of it, or no place at all.

    Links are followed first, so that none leads out. Whether anything is there is not asked.

    >>> path_within(Path("/data"), "../etc/passwd") is None
    True
    """
    try:
        home = folder.resolve()
        path = (home / name).resolve()
    except (OSError, ValueError, RuntimeError):  # too long a name, a null character, a circle of links
        return None
    return path if path.is_relative_to(home) else None
