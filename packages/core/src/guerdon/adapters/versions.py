"""Which releases of a framework an adapter was tested with, and a warning outside of them."""

from __future__ import annotations

import re
import warnings
from importlib.metadata import PackageNotFoundError, version

from guerdon.errors import ConfigError

TESTED = {
    "openrlhf": ("0.11", "0.12"),  # its contract, with fakes of the same names
    "ray": ("2.60", "2.61"),
    "trl": ("1.16", "1.17"),
    "verifiers": ("0.4", "0.5"),
    "verl": ("0.9.1", "0.10"),
}
"""By distribution: the oldest release that was tested, and the first one that was not. The one place for both: the
extras of `guerdon` begin where these ranges do, and end only where a release is known not to work."""


def check(distribution: str, *, needed: bool = False) -> None:
    """Warn where the installed release is outside of what was tested.

    Args:
        distribution: one of `TESTED`.
        needed: nothing works without it; otherwise nothing is said where none is installed.

    Raises:
        ConfigError: it is needed, and not installed.

    Warns:
        RuntimeWarning: the installed release is outside; the message names it and the tested range.
    """
    low, high = TESTED[distribution]
    try:
        found = version(distribution)
    except PackageNotFoundError:
        if needed:
            raise ConfigError(f"{distribution} is not installed: pip install 'guerdon[{distribution}]'") from None
        return
    if not _numbers(low) <= _numbers(found) < _numbers(high):
        warnings.warn(
            f"{distribution} {found} is installed, and guerdon's adapter was tested with {low} <= {distribution} < "
            f"{high}: its contract may have changed. Install a tested release if something looks wrong.",
            RuntimeWarning,
            stacklevel=2,
        )


def _numbers(text: str) -> tuple[int, ...]:
    """The release's leading numbers, trailing zeros dropped, so that 0.4 and 0.4.0 are equal.

    >>> _numbers("0.4.0"), _numbers("1.16.0rc1"), _numbers("2.13.0+cpu")
    ((0, 4), (1, 16), (2, 13))
    """
    found = re.match(r"\d+(\.\d+)*", text)
    numbers = [int(part) for part in found[0].split(".")] if found else [0]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
