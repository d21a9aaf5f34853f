"""Whether a run of a Word file is seen: by what it says itself, its style, its paragraph's style, and the defaults.

Each property is the first that says it, in this order. A colour of the theme is looked up there, as Word does whatever
colour stands beside its name; tints and shades are mixed by components, Word's by lightness: white and dark ones are
the same in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guerdon_resume.reading_limits import TINY, WHITE
from guerdon_resume.word_theme import RGB, Theme, rgb_of

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_SIZE = 10.0
"""Points of letters where nothing says how many."""
_TWIPS = 20.0
"""In a point."""
_DEEPEST = 20
"""Styles that rest on styles."""


class Sight:
    """What a reader of one file sees of its runs."""

    def __init__(self, document: Any) -> None:
        self._theme = Theme(document)
        styles = document.styles.element
        self._defaults = {kind: list(styles.iter(f"{_W}{kind}Default")) for kind in ("rPr", "pPr")}

    def misses(self, run: Any, paragraph: Any) -> bool:
        """Whether a run is marked as hidden, white or transparent, or smaller than two points or without that room."""
        own = self._properties(run, paragraph, "rPr")
        marked = any(_is_on(_first(own, name)) for name in ("vanish", "specVanish"))
        cramped = _is_cramped(paragraph, self._properties(run, paragraph, "pPr"))
        return marked or cramped or _is_white(own, self._theme) or _is_small(own)

    def _properties(self, run: Any, paragraph: Any, kind: str) -> list[Any]:
        """Elements of properties, the nearest to the run first."""
        holders = [run._r if kind == "rPr" else paragraph._p]
        for style in (run.style, paragraph.style) if kind == "rPr" else (paragraph.style,):
            for _ in range(_DEEPEST):
                if style is None:
                    break
                holders.append(style.element)
                style = style.base_style
        holders += self._defaults[kind]
        return [found for holder in holders if (found := holder.find(f"{_W}{kind}")) is not None]


def _first(properties: Sequence[Any], name: str, space: str = _W) -> Any:
    return next((found for each in properties if (found := each.find(f"{space}{name}")) is not None), None)


def _is_on(toggle: Any) -> bool:
    return toggle is not None and toggle.get(f"{_W}val", "true") not in ("0", "false", "off")


def _is_white(own: Sequence[Any], theme: Theme) -> bool:
    """By the filling of newer files, which hides the colour of older ones; a transparent one cannot be told."""
    filling = _first(own, "textFill", _W14)
    if filling is not None:
        clear = any(True for name in ("noFill", "alpha") for _ in filling.iter(f"{_W14}{name}"))
        return clear or all(_white(each) for each in _filled(filling, theme))
    colour = _first(own, "color")
    if colour is None:
        return False
    if (name := colour.get(f"{_W}themeColor")) in (None, "none"):
        rgb = rgb_of(colour.get(f"{_W}val"))
        return rgb is not None and _white(rgb)
    tint, shade = (int(colour.get(f"{_W}{how}", "FF"), 16) / 255 for how in ("themeTint", "themeShade"))
    return _white(_mixed(theme.rgb(name), tint * shade, (1.0 - tint) * shade))


def _filled(filling: Any, theme: Theme) -> Iterator[RGB | None]:
    for each in filling.iter(f"{_W14}srgbClr", f"{_W14}schemeClr"):
        said = each.get(f"{_W14}val", "")
        share, more = (
            float(found.get(f"{_W14}val", without)) / 100_000 if found is not None else without / 100_000
            for found, without in ((each.find(f"{_W14}lumMod"), 100_000), (each.find(f"{_W14}lumOff"), 0))
        )
        yield _mixed(theme.rgb(said) if each.tag.endswith("schemeClr") else rgb_of(said), share, more)


def _mixed(rgb: RGB | None, share: float, more: float) -> RGB | None:
    return None if rgb is None else (rgb[0] * share + more, rgb[1] * share + more, rgb[2] * share + more)


def _white(rgb: RGB | None) -> bool:
    """A colour that cannot be told counts as white: a person looks at it."""
    return rgb is None or min(rgb) >= WHITE


def _is_small(own: Sequence[Any]) -> bool:
    """By the size, in half points, and by how much of it letters are wide, in per cent."""
    size, scale = _first(own, "sz"), _first(own, "w")
    points = _number(size, "val", 2 * _SIZE) / 2
    return min(points, points * _number(scale, "val", 100.0) / 100) < TINY


def _is_cramped(paragraph: Any, own: Sequence[Any]) -> bool:
    """Whether lines, the paragraph's frame or a row of a table around it have no room for letters."""
    spacing, frame = _first(own, "spacing"), _first(own, "framePr")
    rows = (row.find(f"{_W}trPr/{_W}trHeight") for row in paragraph._p.iterancestors(f"{_W}tr"))
    exact = [(spacing, "line", "lineRule"), (frame, "h", "hRule"), *((height, "val", "hRule") for height in rows)]
    rooms = [_number(each, size, TINY * _TWIPS) for each, size, rule in exact if _says(each, rule) == "exact"]
    return min([*rooms, _number(frame, "w", TINY * _TWIPS)]) < TINY * _TWIPS


def _says(element: Any, name: str) -> str | None:
    said = element.get(f"{_W}{name}") if element is not None else None
    return None if said is None else str(said)


def _number(element: Any, name: str, without: float) -> float:
    said = (_says(element, name) or "").removesuffix("%")
    try:
        return float(said) if said else without
    except ValueError:
        return without
