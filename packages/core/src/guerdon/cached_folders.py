"""Folders that are built once and then reused: de-quantised models, generated databases.

A folder appears whole or not at all: it is built beside its place and renamed into it, so a reader never meets half of
one, and of two processes that build at once the first wins and the other takes what the first made. That holds when a
process is killed; nothing is synced for a loss of power, after which a damaged folder may be deleted.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Where guerdon keeps what it can rebuild: `$GUERDON_CACHE`, else `~/.cache/guerdon`."""
    chosen = os.environ.get("GUERDON_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "guerdon"


def built_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, built by `build(empty folder)` unless it is there already.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        scratch.chmod(0o755)  # mkdtemp's 0700 would keep a sandboxed reader of another uid out
        build(scratch)
        scratch.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, and its folder is as good
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder
