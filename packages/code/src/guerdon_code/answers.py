"""Finding the program in what a policy wrote.

Covers: which text is run. It does not judge the code and never repairs it.
"""

from __future__ import annotations

import re
from typing import Literal

Fallback = Literal["whole", "none"]
"""What stands for the code where there is no fenced block: the `whole` text, or `none` of it (an empty program)."""
FALLBACKS: tuple[Fallback, ...] = ("whole", "none")

_FENCE = re.compile(r"^[ \t]*```[ \t]*(?P<language>[\w+#.-]*)[^\n]*$", re.MULTILINE)
_PYTHON = ("python", "py", "python3", "")


def extract(text: str, fallback: Fallback = "whole") -> str:
    r"""The body of the last block that is fenced by lines of ```` ``` ```` and says `python`, `py`, or nothing.

    Fences are matched from top to bottom; a last block that is never closed counts, since a policy cut by its budget
    may have finished the code. A bare fence with nothing after it ends a block that was opened before the text began.
    Time and memory are linear in `text`.

    Args:
        text: a completion of any length.
        fallback: what to take where there is no such block.

    >>> extract("First:\n```python\nx = 1\n```\nbetter:\n```python\nx = 2\n```\n")
    'x = 2\n'
    >>> extract("x = 3"), extract("x = 3", fallback="none")
    ('x = 3', '')
    """
    body = None
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
            continue
        if opened["language"].lower() in _PYTHON:
            body = text[opened.end() + 1 : fence.start()]
        opened = None
    if opened is not None and opened["language"].lower() in _PYTHON:
        rest = text[opened.end() + 1 :]
        if rest.strip() or opened["language"]:
            body = rest
        elif body is None:
            body = text[: opened.start()]
    if body is not None:
        return body
    return text if fallback == "whole" else ""
