"""The text of a Word file that a reader sees, and the text that none does. By python-docx, in a process apart.

Text counts as hidden where it is marked so, white, transparent, smaller than two points or squeezed below them, or in
lines, frames or rows of a table that have no more room, by itself, by its style or by default (`word_fonts`).
Paragraphs come in the order of the file with tables, text boxes, content controls, links and what was inserted by
tracked changes; headers and footers last.

Not covered: footnotes and comments; text in the colour of what lies below it unless that is white; what a table's style
says; text boxes, frames and indents outside the page, and boxes and columns without room; letters upon each other.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guerdon_resume.reading_limits import MOST_UNPACKED, NotReadError
from guerdon_resume.word_fonts import Sight

_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
"""A text box for old programs: the same again."""


def word_text(path: Path) -> tuple[str, str]:
    """Visible and hidden text of a Word file.

    Raises:
        NotReadError: it is encrypted, no Word file, or far too large unpacked.
    """
    import docx

    if path.read_bytes()[:8] == _OLD:
        raise NotReadError("it is encrypted, or of Word before 2007; save it as .docx without a password")
    if not zipfile.is_zipfile(path):
        raise NotReadError("it is named .docx and is none")
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    if unpacked > MOST_UNPACKED:
        raise NotReadError(f"{unpacked} bytes unpacked; at most {MOST_UNPACKED} are read")
    document = docx.Document(str(path))
    sight = Sight(document)
    seen: list[str] = []
    hidden: list[str] = []
    for holder, element in _parts(document):
        for runs in _paragraphs(holder, element, sight):
            seen.append("".join(text for text, unseen in runs if not unseen))
            hidden += [text for text, unseen in runs if unseen and text.strip()]
    return "\n".join(seen), "\n".join(hidden)


def _parts(document: Any) -> Iterator[tuple[Any, Any]]:
    """The body, then each header and footer that a section has of its own."""
    yield document, document.element.body
    for section in document.sections:
        for which in ("", "first_page_", "even_page_"):
            for holder in (getattr(section, f"{which}header"), getattr(section, f"{which}footer")):
                if not holder.is_linked_to_previous:
                    yield holder, holder._element


def _paragraphs(holder: Any, element: Any, sight: Sight) -> Iterator[list[tuple[str, bool]]]:
    """Of each paragraph the runs, with whether they are hidden; of tables and text boxes too, wherever they stand."""
    from docx.oxml.ns import qn
    from docx.text.paragraph import Paragraph
    from docx.text.run import Run

    for p in element.iter(qn("w:p")):
        if any(True for _ in p.iterancestors(_FALLBACK)):
            continue
        paragraph = Paragraph(p, holder)
        own = (r for r in p.iter(qn("w:r")) if next(r.iterancestors(qn("w:p"))) is p)
        yield [(run.text, sight.misses(run, paragraph)) for run in (Run(r, paragraph) for r in own)]
