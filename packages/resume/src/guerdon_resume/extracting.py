"""Taking one PDF or Word file apart, in a process of its own: `python -m guerdon_resume.extracting FILE`.

It prints one JSON object: `text`, `hidden`, `fault`. Text counts as hidden where it is drawn white, invisible, or
smaller than two points: also white text on a dark bar, which is honest; whoever asks has a person look.

By pypdf and python-docx. A PDF page is read twice, once without the operations that draw hidden text and once with them
alone.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PageObject

MOST_PAGES = 50
MOST_UNPACKED = 100 * 2**20
"""Bytes of an archive, unpacked: more is no resume, and may be a bomb."""
_MEMORY = 2 * 2**30
_CPU_S = 50
WHITE = 0.95
"""Lightness, of 1, from which a colour is white."""
TINY = 2.0
"""Points below which letters are not seen."""
_SHOWS = (b"Tj", b"TJ", b"'", b'"')


def extracted(path: Path) -> dict[str, str]:
    """`text`, `hidden` and `fault` of a file."""
    try:
        text, hidden = pdf(path) if path.suffix.lower() == ".pdf" else docx(path)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever a file makes a library raise is that file's fault
        return {"text": "", "hidden": "", "fault": _told(error)}
    return {"text": text, "hidden": hidden, "fault": ""}


class NotReadError(Exception):
    """A file that is not read, with the reason."""


def _told(error: Exception) -> str:
    if isinstance(error, NotReadError):
        return str(error)
    if isinstance(error, MemoryError):
        return "it takes too much memory"
    return f"it is broken: {type(error).__name__}: {error}"[:200]


def pdf(path: Path) -> tuple[str, str]:
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


def _page(page: PageObject, reader: Any) -> tuple[str, str]:
    from pypdf.generic import ContentStream, NameObject

    content = page.get_contents()
    if content is None:
        return "", ""
    stream = ContentStream(content, reader)
    operations = list(stream.operations)
    unseen = _unseen(operations)
    if not any(unseen):
        return page.extract_text(), ""
    texts = []
    for wanted in (False, True):
        stream.operations = [
            each for each, hidden in zip(operations, unseen, strict=True) if each[1] not in _SHOWS or hidden == wanted
        ]
        page[NameObject("/Contents")] = stream
        texts.append(page.extract_text())
    return texts[0], texts[1]


def _unseen(operations: Sequence[tuple[Any, bytes]]) -> list[bool]:
    """For each operation whether it would draw text that is not seen: by fill colour, render mode and size."""
    white, mode, size, scale = False, 0, 12.0, 1.0
    kept: list[tuple[bool, int, float]] = []
    found = []
    for operands, operator in operations:
        numbers = [float(each) for each in operands if isinstance(each, int | float)] if operator != b"TJ" else []
        if operator == b"q":
            kept.append((white, mode, size))
        elif operator == b"Q" and kept:
            white, mode, size = kept.pop()
        elif operator == b"BT":
            scale = 1.0
        elif operator in (b"g", b"rg", b"sc", b"scn", b"k") and numbers:
            white = max(numbers) <= 1.0 - WHITE if len(numbers) == 4 else min(numbers) >= WHITE
        elif operator == b"Tr" and numbers:
            mode = int(numbers[0])
        elif operator == b"Tf" and numbers:
            size = abs(numbers[-1])
        elif operator == b"Tm" and len(numbers) == 6:
            scale = max(abs(number) for number in numbers[:4])
        found.append(operator in _SHOWS and (white or mode in (3, 7) or size * scale < TINY))
    return found


def docx(path: Path) -> tuple[str, str]:
    """Visible and hidden text of a Word file: paragraphs and tables in order, then headers and footers.

    Raises:
        NotReadError: it is encrypted, no Word file, or far too large unpacked.
    """
    import docx as word

    head = path.read_bytes()[:8]
    if head == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise NotReadError("it is encrypted, or of Word before 2007; save it as .docx without a password")
    if not zipfile.is_zipfile(path):
        raise NotReadError("it is named .docx and is none")
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    if unpacked > MOST_UNPACKED:
        raise NotReadError(f"{unpacked} bytes unpacked; at most {MOST_UNPACKED} are read")
    document = word.Document(str(path))
    seen: list[str] = []
    hidden: list[str] = []
    holders = [document, *(part for section in document.sections for part in (section.header, section.footer))]
    for holder in holders:
        for paragraph in _paragraphs(holder):
            runs = [(run.text, _run_hidden(run)) for run in paragraph.runs]
            links = [(link.text, False) for link in paragraph.hyperlinks]
            seen.append("".join(text for text, unseen in (*runs, *links) if not unseen))
            hidden += [text for text, unseen in runs if unseen and text.strip()]
    return "\n".join(seen), "\n".join(hidden)


def _paragraphs(holder: Any) -> Iterator[Any]:
    from docx.table import Table

    for item in holder.iter_inner_content():
        if isinstance(item, Table):
            done = set()
            for row in item.rows:
                for cell in row.cells:
                    if cell._tc not in done:  # a merged cell stands there once for each it covers
                        done.add(cell._tc)
                        yield from _paragraphs(cell)
        else:
            yield item


def _run_hidden(run: Any) -> bool:
    colour = run.font.color.rgb if run.font.color is not None else None
    white = colour is not None and min(colour) >= WHITE * 255
    tiny = run.font.size is not None and run.font.size.pt < TINY
    return bool(white or tiny or run.font.hidden)


def _limit() -> None:
    """Bounds on this process, where the system has them."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    for what, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _CPU_S)):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    _limit()
    print(json.dumps(extracted(Path(sys.argv[1]))))
