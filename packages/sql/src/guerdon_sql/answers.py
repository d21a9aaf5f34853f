"""Finding the query in what a policy wrote.

Covers: which text is *run and compared*. It does not judge the query, and never repairs it: a query that is wrong as
written is wrong.
"""

from __future__ import annotations

from typing import Literal

Fallback = Literal["whole", "none"]
"""What stands for the answer where there is no fenced block: the `whole` text, or `none` of it (the empty query)."""

FALLBACKS: tuple[Fallback, ...] = ("whole", "none")

_OPEN, _CLOSE = "```sql", "```"


def extract(text: str, fallback: Fallback = "whole") -> str:
    r"""The query: the body of the last block fenced with ```` ```sql ```` and ```` ``` ````, without surrounding space.

    Blocks are matched from left to right and do not overlap; one that is never closed is no block. Time and memory are
    linear in `text`, whatever it holds.

    Args:
        text: a completion of any length.
        fallback: what to take where there is no block.

    Source: Reasoning-SQL (arXiv 2503.23157), released code.

    >>> extract("First ```sql\nSELECT 1\n``` no, better: ```sql\nSELECT 2\n```")
    'SELECT 2'
    >>> extract(" SELECT 3 ")
    'SELECT 3'
    >>> extract(" SELECT 3 ", fallback="none")
    ''
    """
    body = None
    start = text.find(_OPEN)
    while start >= 0:
        start += len(_OPEN)
        end = text.find(_CLOSE, start)
        if end < 0:
            break
        body = (start, end)
        start = text.find(_OPEN, end + len(_CLOSE))
    if body is not None:
        return text[slice(*body)].strip()
    return text.strip() if fallback == "whole" else ""
