"""Folders that are built once and then reused: the databases of generated and converted tasks.

A folder appears whole or not at all: it is built beside its place and renamed into it, so a reader never meets half of
one, and of two processes that build at once the first wins and the other takes what the first made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from guerdon.errors import TaskError


def cache_root() -> Path:
    """`$GUERDON_CACHE`, else `~/.cache/guerdon`."""
    return Path(os.environ.get("GUERDON_CACHE") or Path.home() / ".cache" / "guerdon")


def fingerprint(settings: Mapping[str, Any], sources: Iterable[Path]) -> str:
    """Twelve hex digits that change with the settings and with the code that acts on them."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for source in sorted(sources):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def built_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, built by `build(empty folder)` unless it is there already.

    Raises:
        TaskError: the cache cannot be written; the message names the place and how to choose another.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        scratch.chmod(0o755)  # mkdtemp's 0700 would keep a sandboxed reader of another uid out
    except OSError as error:
        raise TaskError(
            f"cannot write the cache at {str(folder.parent)!r}: {error}. Set GUERDON_CACHE to a writable folder."
        ) from error
    try:
        build(scratch)
        scratch.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was first, and its folder is as good
            raise TaskError(f"could not build {str(folder)!r}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder
