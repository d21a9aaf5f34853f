"""The text of a PDF that a reader sees, and the text that none does. By pypdf, which is called in a process apart.

Text counts as hidden where it is white, transparent, invisible by its render mode, smaller than two points, or outside
the page. A page is read twice, once without the operations that draw hidden text and once with them alone; of a form
within a page, all text is hidden where some is.

Not covered: text below a picture or a bar, text in the colour of what lies below it unless that is white, fields that
are filled in, and comments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guerdon_resume.reading_limits import MOST_PAGES, TINY, WHITE, NotReadError

_SHOWS = (b"Tj", b"TJ", b"'", b'"')
_MARGIN = 20.0
"""Points by which text may begin outside the page."""
_DEEPEST = 5
"""Forms within forms; deeper ones count as hidden."""


def pdf_text(path: Path) -> tuple[str, str]:
    """Visible and hidden text of a PDF's pages.

    Raises:
        NotReadError: it is encrypted, or has too many pages.
    """
    from pypdf import PdfReader

    if not path.read_bytes()[:1024].lstrip().startswith(b"%PDF"):
        raise NotReadError("it is named a PDF and is none")
    reader = PdfReader(path)
    if reader.is_encrypted:
        _unlock(reader)
    if len(reader.pages) > MOST_PAGES:
        raise NotReadError(f"{len(reader.pages)} pages; at most {MOST_PAGES} are read")
    pages = [_page(page, reader) for page in reader.pages]
    return "\n".join(text for text, _ in pages), "\n".join(hidden for _, hidden in pages if hidden.strip())


def _unlock(reader: Any) -> None:
    """Open what is only locked against changes, by the empty password."""
    try:
        opened = bool(reader.decrypt(""))
    except Exception:  # noqa: BLE001 - a cipher that is not installed, or a broken header: it stays shut
        opened = False
    if not opened:
        raise NotReadError("it is encrypted; save it without a password")


def _page(page: Any, reader: Any) -> tuple[str, str]:
    from pypdf.generic import ContentStream, NameObject

    content = page.get_contents()
    if content is None:
        return "", ""
    stream = ContentStream(content, reader)
    operations = list(stream.operations)
    unseen = _unseen(operations, _Resources(page, reader), _Drawing())
    if not any(unseen):
        return _placed(page)
    texts = []
    for wanted in (False, True):
        stream.operations = [
            each
            for each, hidden in zip(operations, unseen, strict=True)
            if each[1] not in (*_SHOWS, b"Do") or hidden == wanted
        ]
        page[NameObject("/Contents")] = stream
        texts.append(_placed(page))
    (text, outside), (hidden, also) = texts
    return text, "\n".join(each for each in (hidden, also, outside) if each.strip())


def _placed(page: Any) -> tuple[str, str]:
    """All text of a page, and what of it begins outside the page."""
    box, outside = page.mediabox, []

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], *_: object) -> None:
        x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
        y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        across = float(box.left) - _MARGIN <= x <= float(box.right) + _MARGIN
        if text.strip() and not (across and float(box.bottom) - _MARGIN <= y <= float(box.top) + _MARGIN):
            outside.append(text.strip())

    text = page.extract_text(visitor_text=visit)
    return text, "\n".join(outside)


@dataclass(frozen=True)
class _Drawing:
    """How text is drawn at some place: what `q` keeps and `Q` brings back."""

    white: bool = False
    ink: bool = False
    """Whether colours are amounts of ink, 0 for none, rather than of light."""
    clear: bool = False
    """Whether filling is transparent."""
    mode: int = 0
    size: float = 12.0
    zoom: float = 1.0
    depth: int = 0
    """In so many forms."""


class _Resources:
    """What a page's or a form's operations name."""

    def __init__(self, holder: Any, reader: Any) -> None:
        self.reader = reader
        found = holder.get("/Resources")
        self._found: Mapping[str, Any] = found.get_object() if found is not None else {}

    def named(self, kind: str, operands: Sequence[Any]) -> Any:
        """The object of a kind by its name, or None."""
        there = self._found.get(kind)
        found = there.get_object().get(operands[0]) if there is not None and operands else None
        return found.get_object() if found is not None else None


def _unseen(operations: Sequence[tuple[Any, bytes]], resources: _Resources, begin: _Drawing) -> list[bool]:
    """For each operation whether it would draw text that is not seen."""
    now, scale = begin, 1.0
    kept: list[_Drawing] = []
    found = []
    for operands, operator in operations:
        numbers = [float(each) for each in operands if isinstance(each, int | float)] if operator != b"TJ" else []
        hidden = False
        if operator in _SHOWS:
            hidden = now.white or now.clear or now.mode in (3, 7) or now.size * scale * now.zoom < TINY
        elif operator == b"Do":
            hidden = _form_unseen(resources.named("/XObject", operands), resources, now)
        elif operator == b"BT":
            scale = 1.0
        elif operator == b"Tm" and len(numbers) == 6:
            scale = max(abs(number) for number in numbers[:4])
        elif operator == b"q":
            kept.append(now)
        elif operator == b"Q" and kept:
            now = kept.pop()
        else:
            now = _changed(now, operator, operands, numbers, resources)
        found.append(hidden)
    return found


def _changed(
    now: _Drawing, operator: bytes, operands: Sequence[Any], numbers: Sequence[float], resources: _Resources
) -> _Drawing:
    """How text is drawn after an operation."""
    if operator in (b"g", b"rg", b"k") and numbers:
        return replace(now, ink=operator == b"k", white=_is_white(numbers, operator == b"k"))
    if operator == b"cs":
        space = resources.named("/ColorSpace", operands)
        kind = space[0] if isinstance(space, list) and space else None
        cmyk = operands[:1] == ["/DeviceCMYK"]
        return replace(now, white=False, ink=cmyk or kind in ("/Separation", "/DeviceN"))
    if operator in (b"sc", b"scn") and numbers:
        return replace(now, white=_is_white(numbers, now.ink or len(numbers) == 4))
    if operator == b"gs":
        state = resources.named("/ExtGState", operands)
        return replace(now, clear=float(state["/ca"]) <= 1.0 - WHITE) if state is not None and "/ca" in state else now
    if operator == b"cm" and len(numbers) == 6:
        return replace(now, zoom=now.zoom * max(abs(number) for number in numbers[:4]))
    if operator == b"Tr" and numbers:
        return replace(now, mode=int(numbers[0]))
    if operator == b"Tf" and numbers:
        return replace(now, size=abs(numbers[-1]))
    return now


def _is_white(numbers: Sequence[float], ink: bool) -> bool:
    return max(numbers) <= 1.0 - WHITE if ink else min(numbers) >= WHITE


def _form_unseen(form: Any, resources: _Resources, now: _Drawing) -> bool:
    """Whether any text of a form within a page is hidden; a picture has none."""
    from pypdf.generic import ContentStream

    if form is None or form.get("/Subtype") != "/Form":
        return False
    if now.depth >= _DEEPEST:
        return True
    matrix = [float(each) for each in form.get("/Matrix", ())] or [1.0]
    begin = replace(now, zoom=now.zoom * max(map(abs, matrix[:4])), depth=now.depth + 1)
    own = _Resources(form, resources.reader) if "/Resources" in form else resources
    return any(_unseen(ContentStream(form, resources.reader).operations, own, begin))
