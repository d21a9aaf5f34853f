"""The text of a PDF that a reader sees, and the text that none does. By pypdf, which is called in a process apart.

Text counts as hidden where it is white, or of a colour that cannot be told, transparent, invisible by its render mode,
squeezed below two points, clipped away, in a layer that is off (all by `pdf_drawing`), or outside the page. A page is
read twice, once without the operations that draw hidden text and once with them alone; of a form within a page, all
text is hidden where some is.

Not covered: text below a picture or a bar, text in the colour of what lies below it unless that is white, fonts whose
letters are blank or others than they say, fields that are filled in, and comments.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from guerdon_resume.pdf_drawing import SHOWS, Drawing, Resources, layers_off, unseen
from guerdon_resume.reading_limits import MOST_PAGES, NotReadError

_MARGIN = 20.0
"""Points by which text may begin outside the page."""


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
    off = layers_off(reader)
    pages = [_page(page, reader, off) for page in reader.pages]
    return "\n".join(text for text, _ in pages), "\n".join(hidden for _, hidden in pages if hidden.strip())


def _unlock(reader: Any) -> None:
    """Open what is only locked against changes, by the empty password."""
    try:
        opened = bool(reader.decrypt(""))
    except Exception:  # noqa: BLE001 - a cipher that is not installed, or a broken header: it stays shut
        opened = False
    if not opened:
        raise NotReadError("it is encrypted; save it without a password")


def _page(page: Any, reader: Any, off: Collection[int]) -> tuple[str, str]:
    from pypdf.generic import ContentStream, NameObject

    content = page.get_contents()
    if content is None:
        return "", ""
    stream = ContentStream(content, reader)
    operations = list(stream.operations)
    hiding = unseen(operations, Resources(page, reader, off), Drawing())
    if not any(hiding):
        return _placed(page)
    texts = []
    for wanted in (False, True):
        stream.operations = [
            each
            for each, hidden in zip(operations, hiding, strict=True)
            if each[1] not in (*SHOWS, b"Do") or hidden == wanted
        ]
        page[NameObject("/Contents")] = stream
        texts.append(_placed(page))
    (text, outside), (hidden, also) = texts
    return text, "\n".join(each for each in (hidden, also, outside) if each.strip())


def _placed(page: Any) -> tuple[str, str]:
    """All text of a page, and what of it begins outside the page."""
    box, outside = page.cropbox, []

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], *_: object) -> None:
        x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
        y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        across = float(box.left) - _MARGIN <= x <= float(box.right) + _MARGIN
        if text.strip() and not (across and float(box.bottom) - _MARGIN <= y <= float(box.top) + _MARGIN):
            outside.append(text.strip())

    text = page.extract_text(visitor_text=visit)
    return text, "\n".join(outside)
