"""Text and numbers for the page. Whatever a policy wrote is hostile: it is shown, never obeyed."""

from __future__ import annotations

import base64
import html
import math
import unicodedata

_CONTROLS = {
    code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"
}  # NUL and its like, as their pictures
_CONTROLS |= {0x7F: "\u2421", 0x0D: ""}
_DIRECTIONS = {
    code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
}
_SHOWN = str.maketrans(_CONTROLS | _DIRECTIONS)


def safe(text: object, limit: int | None = None) -> str:
    r"""`text` as HTML that shows it: escaped, controls and direction marks made visible, lone surrogates replaced.

    Longer than `limit` characters, it is cut, with a note of how much is missing.

    >>> safe("<b>", 3), safe("abcdef", 2)
    ('&lt;b&gt;', 'ab<span class="cut"> … 4 more characters</span>')
    """
    whole = str(text)
    note = ""
    if limit is not None and len(whole) > limit:
        note = f'<span class="cut"> … {len(whole) - limit:,} more characters</span>'
        whole = whole[:limit]
        if not whole.isascii() and unicodedata.combining(whole[-1]):
            whole = whole[:-1]
    shown = whole.translate(_SHOWN).encode("utf-8", "replace").decode("utf-8")
    return html.escape(shown) + note


def picture(encoded: bytes, about: str) -> str:
    """A picture that lies within the page; empty for bytes that are no PNG, JPEG, GIF or WebP."""
    kinds = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
    kind = next((kind for start, kind in kinds.items() if encoded.startswith(start)), None)
    if kind is None:
        return ""
    data = base64.b64encode(encoded).decode()
    return f'<img class="picture" alt="{safe(about, 200)}" src="data:image/{kind};base64,{data}">'


def number(value: float | None, places: int = 3) -> str:
    """A number for people: a true minus, thousands apart, tiny ones by their exponent; an em dash for none.

    >>> number(-0.5), number(12345.0), number(2e-05), number(None), number(0.0)
    ('−0.500', '12,345', '2e−5', '—', '0.000')
    """
    if value is None or not math.isfinite(value):
        return "—"
    size = abs(value)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 100:
        text = f"{value:.1f}"
    elif value and size < 0.5 * 10**-places:
        mantissa, exponent = f"{value:.2g}".split("e") if "e" in f"{value:.2g}" else f"{value:.1e}".split("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    else:
        text = f"{value:.{places}f}"
    return text.replace("-", "−")


def signed(value: float | None, places: int = 3) -> str:
    """As `number`, with a plus where it is due.

    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.250', '−0.250', '0.000')
    """
    return ("+" if value is not None and value > 0 else "") + number(value, places)


def sign_class(value: float | None) -> str:
    """The class that colours by sign; the sign itself is always written too."""
    if value is None or not math.isfinite(value) or value == 0:
        return "zero"
    return "plus" if value > 0 else "minus"
