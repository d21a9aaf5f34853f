"""Which releases of another trainer an adapter was tested with; another one that is installed is worth a warning."""

from __future__ import annotations

import importlib.metadata
import re
import warnings


def check(distribution: str, low: str, high: str) -> None:
    """Warn (RuntimeWarning) when the installed release is not within low <= version < high.

    Args:
        distribution: the name it is installed under. Nothing is said of one that is not installed.
        low: the oldest release tested, such as "1.16".
        high: the first release that is not.
    """
    try:
        found = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return
    if not _numbers(low) <= _numbers(found) < _numbers(high):
        warnings.warn(
            f"{distribution} {found} is installed; this adapter was tested with {distribution} >={low},<{high}. It may "
            f"still work: its contract is in docs/adapters. If it does not, install a release of that range.",
            RuntimeWarning,
            stacklevel=2,
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The release's numbers, zeros at the end left off: 1.16 equals 1.16.0. What follows (rc1, +cpu) is ignored."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
