"""How light a colour of a PDF is, in the spaces that text is written in; what cannot be told is not guessed.

Device and calibrated spaces, profiles by their number of components, Lab, and spot colours with an exponential
function. Not covered: patterns, indexed colours, functions of other kinds (None: it cannot be told); a profile of
three components that is not red, green and blue, and `DefaultRGB` and its like, are taken for what they are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guerdon_resume.pdf_objects import held, listed

_LIGHT = {"/DeviceGray": 1, "/CalGray": 1, "/G": 1, "/DeviceRGB": 3, "/CalRGB": 3, "/RGB": 3}
_INK = ("/DeviceCMYK", "/CMYK")
_PROFILES = {1: "/DeviceGray", 3: "/DeviceRGB", 4: "/DeviceCMYK"}
_DEEPEST = 3
"""Spaces that rest on spaces."""


def lightness(space: Any, amounts: Sequence[float], depth: int = 0) -> float | None:
    """From 0, dark, to 1, white; of a colour the least of its lights. None: it cannot be told.

    Args:
        space: its name, or its array.
        amounts: of each component.
        depth: in so many spaces.

    >>> lightness("/DeviceRGB", (1, 1, 1)), lightness("/DeviceCMYK", (0, 0, 0, 1)), lightness("/Pattern", ())
    (1.0, 0.0, None)
    """
    kind, rest = _parted(space)
    if _LIGHT.get(kind) == len(amounts):
        return float(min(amounts))
    if kind in _INK and len(amounts) == 4:
        return 1.0 - max(amounts)
    if kind == "/Lab" and len(amounts) == 3:
        return amounts[0] / 100.0
    if kind in ("/Separation", "/DeviceN") and len(rest) >= 3 and len(amounts) == 1 and depth < _DEEPEST:
        if rest[0] == "/None":  # no ink at all
            return 1.0
        mixed = _exponential(rest[2], amounts[0])
        return None if mixed is None else lightness(rest[1], mixed, depth + 1)
    return None


def first_amounts(space: Any) -> tuple[float, ...]:
    """The colour that a space begins with: black, or all of the ink."""
    kind = _parted(space)[0]
    if kind in _INK:
        return (0.0, 0.0, 0.0, 1.0)
    if kind in ("/Separation", "/DeviceN"):
        return (1.0,)
    return (0.0,) * (3 if kind == "/Lab" else _LIGHT.get(kind, 1))


def _parted(space: Any) -> tuple[str, list[Any]]:
    """A space's kind and what belongs to it; a profile is the device's space of as many components."""
    if not isinstance(space, list):
        return str(space), []
    found = [each.get_object() if hasattr(each, "get_object") else each for each in space]
    if found[:1] == ["/ICCBased"]:
        return _PROFILES.get(held(found[1] if len(found) > 1 else None, "/N"), ""), []
    return (str(found[0]), found[1:]) if found else ("", [])


def _exponential(function: Any, amount: float) -> list[float] | None:
    """The values of a function of type 2; None for another."""
    if held(function, "/FunctionType") != 2:
        return None
    low, high = (listed(function, name) or [without] for name, without in (("/C0", 0.0), ("/C1", 1.0)))
    share = min(max(amount, 0.0), 1.0) ** float(held(function, "/N", 1.0))
    return [float(a) + share * (float(b) - float(a)) for a, b in zip(low, high, strict=False)]
