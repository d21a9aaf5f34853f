"""Taking one PDF or Word file apart, in a process of its own: `python -P -m guerdon_resume.extracting FILE`.

It prints one JSON object: `text`, `hidden`, `fault`; see `pdf_text` and `word_text` for what counts as hidden. The
process bounds its own memory and processor time, where the system has such bounds.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from guerdon_resume.pdf_text import pdf_text
from guerdon_resume.reading_limits import MOST_CHARS, NotReadError
from guerdon_resume.word_text import word_text

_MEMORY = 2 * 2**30
_CPU_S = 50


def extracted(path: Path) -> dict[str, str]:
    """`text`, `hidden` and `fault` of a file."""
    try:
        text, hidden = pdf_text(path) if path.suffix.lower() == ".pdf" else word_text(path)
        if len(text) + len(hidden) > MOST_CHARS:
            raise NotReadError(f"{len(text) + len(hidden)} characters; at most {MOST_CHARS} are read")
    except Exception as error:  # noqa: BLE001 - the boundary: whatever a file makes a library raise is that file's fault
        return {"text": "", "hidden": "", "fault": _told(error)}
    return {"text": text, "hidden": hidden, "fault": ""}


def _told(error: Exception) -> str:
    if isinstance(error, NotReadError):
        return str(error)
    if isinstance(error, MemoryError):
        return "it takes too much memory"
    return f"it is broken: {type(error).__name__}: {error}"[:200]


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
    logging.disable()  # a broken file can have more warnings than text
    print(json.dumps(extracted(Path(sys.argv[1]))))
