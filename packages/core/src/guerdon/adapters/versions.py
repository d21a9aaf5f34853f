"""Which releases of other trainers an adapter was tested with."""

from __future__ import annotations

import re
import warnings
from importlib.metadata import PackageNotFoundError, version


def check(distribution: str, low: str, high: str) -> None:
    """Warn where the installed release is not one that was tested: not `low <= release < high`.

    Silent where it is not installed at all: the import that follows says so better.
    """
    try:
        found = version(distribution)
    except PackageNotFoundError:
        return
    if not _numbers(low) <= _numbers(found) < _numbers(high):
        warnings.warn(
            f"{distribution} {found} is installed; this adapter was tested with {low} up to, not including, {high}. "
            f"It may still work; where it does not, install {distribution}=={low}.",
            RuntimeWarning,
            stacklevel=3,
        )


def _numbers(release: str) -> tuple[int, ...]:
    """The numbers of a release, without zeros at the end: 1.16.0rc1 counts as 1.16."""
    found = re.match(r"\d+(\.\d+)*", release)
    numbers = [int(number) for number in found.group().split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
