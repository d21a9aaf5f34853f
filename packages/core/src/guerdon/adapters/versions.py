"""Which releases of the other side an adapter was tested with."""

from __future__ import annotations

import warnings
from importlib.metadata import PackageNotFoundError, version


def check(distribution: str, low: str, high: str) -> None:
    """Warn (RuntimeWarning) when the installed release is not within low <= release < high; say nothing if none is.

    Args:
        distribution: its name on the index.
        low: the oldest release that was tested, `0.9.1`.
        high: the first that was not.
    """
    try:
        found = version(distribution)
    except PackageNotFoundError:
        return
    if not _numbers(low) <= _numbers(found) < _numbers(high):
        warnings.warn(
            f"{distribution} {found} is installed; guerdon's adapter was tested with releases from {low} up to, and "
            f"without, {high}. It may work; if it does not, install one of those.",
            RuntimeWarning,
            stacklevel=3,
        )


def _numbers(release: str) -> tuple[int, ...]:
    """(1, 16, 0) of `1.16.0.dev1`: the numbers before the first part that is none."""
    numbers = []
    for part in release.split("+")[0].split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
