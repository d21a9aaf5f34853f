"""The colours that a Word file's theme gives to names such as `background1`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RGB = tuple[float, float, float]
"""Each from 0 to 1."""
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_WITHOUT: Mapping[str, RGB] = {"dk1": (0.0, 0.0, 0.0), "lt1": (1.0, 1.0, 1.0)}
_SLOTS = {"dark1": "dk1", "light1": "lt1", "dark2": "dk2", "light2": "lt2"} | {
    "hyperlink": "hlink",
    "followedHyperlink": "folHlink",
}
_MAPPED = {
    name: mapped
    for number in "12"
    for mapped, names in (
        (("t", number), (f"text{number}", f"tx{number}")),
        (("bg", number), (f"background{number}", f"bg{number}")),
    )
    for name in names
}
"""Names that the settings map to a slot, by the setting that does."""


class Theme:
    """Colours by their names."""

    def __init__(self, document: Any) -> None:
        from docx.oxml import parse_xml
        from docx.oxml.ns import qn

        self._colours = dict(_WITHOUT)
        related = [each.target_part for each in document.part.rels.values() if each.reltype.endswith("/theme")]
        for scheme in parse_xml(related[0].blob).iter(f"{_DRAWING}clrScheme") if related else ():
            for slot in scheme:
                said = next((each.get("lastClr") or each.get("val") for each in slot), None)
                if (rgb := rgb_of(said)) is not None:
                    self._colours[slot.tag.removeprefix(_DRAWING)] = rgb
        mapping = document.settings.element.find(qn("w:clrSchemeMapping"))
        self._mapping = {
            kind + number: mapping.get(qn(f"w:{kind}{number}")) if mapping is not None else None
            for kind, number in _MAPPED.values()
        }

    def rgb(self, name: str) -> RGB | None:
        """A colour, or None where the theme has none of that name."""
        if name in _MAPPED:
            kind, number = _MAPPED[name]
            name = self._mapping[kind + number] or f"{'dark' if kind == 't' else 'light'}{number}"
        return self._colours.get(_SLOTS.get(name, name))


def rgb_of(hexadecimal: str | None) -> RGB | None:
    """A colour of six digits; None for anything else.

    >>> rgb_of("FF0000"), rgb_of("auto")
    ((1.0, 0.0, 0.0), None)
    """
    try:
        values = bytes.fromhex(hexadecimal or "")
    except ValueError:
        return None
    return (values[0] / 255, values[1] / 255, values[2] / 255) if len(values) == 3 else None
