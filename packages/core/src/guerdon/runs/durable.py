"""Writing files so that a crash at any point leaves either the old content or the new, never half of one.

Covered: kill -9, out of memory, out of disk, and (through fsync) power loss on file systems that honour it.
Not covered: a disk that lies about fsync, and another process that writes the same files (see `lock`).
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from guerdon.errors import RunError, reason_of

FULL_BELOW_BYTES = 1 << 20
"""A disk with less free space than this counts as full when a writer failed without saying why."""


def encode(record: Mapping[str, Any]) -> bytes:
    r"""One JSON line, newline included. NaN and the infinities become null; lone surrogates survive as escapes.

    >>> encode({"loss": float("nan"), "step": 1})
    b'{"loss": null, "step": 1}\n'
    """
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        record = _plain(record)
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate is text that a policy can produce, and not UTF-8
        return json.dumps(record, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    """`value` in JSON's own types; numbers of other libraries (numpy, torch) by their `float`."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    number = float(value)
    return number if math.isfinite(number) else None


def write_all(fd: int, data: bytes) -> None:
    """Write every byte; `os.write` alone may stop half-way."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def replace_file(path: Path, data: bytes) -> None:
    """Make `path` hold `data`, at once or not at all.

    Raises:
        RunError: the disk is full or cannot be written; the old file, if any, is as it was.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(partial, path)
        sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A path to write to, bit by bit; when the block ends it becomes `path`, durable and at once.

    Raises:
        RunError: the disk is full or cannot be written. What was written is removed; an old file is as it was.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        _sync_file(partial)
        os.replace(partial, path)
        sync_folder(path.parent)
    except BaseException as error:
        ours = isinstance(error, OSError) or (isinstance(error, Exception) and disk_full(error, path.parent))
        failure = cannot_write(path, error) if ours else error  # asked before the removal frees the disk
        partial.unlink(missing_ok=True)
        if failure is error:
            raise
        raise failure from error


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """An empty folder to write into; when the block ends it becomes `path`, durable and at once.

    Raises:
        RunError: the disk is full or cannot be written. What was written is removed; an old folder is as it was.
    """
    partial = path.with_name(f".{path.name}.partial")
    replaced = path.with_name(f".{path.name}.replaced")
    try:
        partial.mkdir()
        yield partial
        sync_tree(partial)
        if path.exists():  # a folder cannot be renamed over another; `mend` puts it back if we die in between
            os.rename(path, replaced)
        os.rename(partial, path)
        sync_folder(path.parent)
    except BaseException as error:
        ours = isinstance(error, OSError) or (isinstance(error, Exception) and disk_full(error, path.parent))
        failure = cannot_write(path, error) if ours else error  # asked before the removal frees the disk
        shutil.rmtree(partial, ignore_errors=True)
        mend(path.parent)
        if failure is error:
            raise
        raise failure from error
    shutil.rmtree(replaced, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder; renamed first, so that a kill half-way never leaves a part of it under its name."""
    doomed = path.with_name(f".{path.name}.partial")
    os.rename(path, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def mend(folder: Path) -> None:
    """Clear away what a crash left directly inside `folder`; put back what was moved aside for one that never came."""
    for replaced in folder.glob(".*.replaced"):
        path = replaced.with_name(replaced.name[1:].removesuffix(".replaced"))
        if not path.exists():
            os.rename(replaced, path)
        shutil.rmtree(replaced, ignore_errors=True)
    for partial in folder.glob(".*.partial"):
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make renames and new names inside `path` durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_tree(path: Path) -> None:
    """Make every file and folder under `path` durable, the deepest first."""
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            _sync_file(Path(folder, name))
        sync_folder(Path(folder))


def _sync_file(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def disk_full(error: BaseException, folder: Path) -> bool:
    """Whether a failed write looks like a full disk.

    The system's own error says what it is. Writers in other languages (safetensors, torch) do not raise one; their text
    and the free space tell.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if "No space left" in str(error):
        return True
    try:
        return shutil.disk_usage(folder).free < FULL_BELOW_BYTES
    except OSError:
        return False


def cannot_write(path: Path, error: BaseException) -> RunError:
    """The error to raise when `path` could not be written."""
    if disk_full(error, path.parent):
        return RunError(
            f"no space left on the disk that holds {str(path)!r}. What was written before is intact: free some space, "
            f"then start again (a run goes on with `--resume`)."
        )
    return RunError(f"cannot write {str(path)!r}: {reason_of(error)}. Mend that, or give another place.")
