r"""Click sessions in the form of Yandex' relevance-prediction log, for click models.

Tab-separated lines: `SessionID Time Q QueryID RegionID URL...` when a page is shown, `SessionID Time C URLID` for a
click. A click belongs to the newest page of its session that shows that URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guerdon.errors import TaskError


@dataclass(frozen=True)
class Session:
    """One page that was shown, and who was clicked."""

    id: str
    query: str
    shown: tuple[str, ...]
    """URL ids from the top."""
    clicks: tuple[bool, ...]
    """Of each."""


def read_sessions(path: Path) -> list[Session]:
    """The pages of a log, in order; a click on nothing that was shown is passed over, as the source has such.

    Raises:
        TaskError: the file cannot be read, or a line is none of the two forms; the message names it.
    """
    pages: list[tuple[str, str, list[str], list[bool]]] = []
    newest: dict[str, list[int]] = {}
    for place, fields in _lines(path):
        if len(fields) > 5 and fields[2] == "Q":
            newest.setdefault(fields[0], []).append(len(pages))
            pages.append((fields[0], fields[3], fields[5:], [False] * len(fields[5:])))
        elif len(fields) == 4 and fields[2] == "C":
            for number in reversed(newest.get(fields[0], [])):
                if fields[3] in pages[number][2]:
                    pages[number][3][pages[number][2].index(fields[3])] = True
                    break
        else:
            raise TaskError(
                f"{place} has {len(fields)} fields; `SessionID Time Q QueryID RegionID URL...` or `SessionID Time C "
                f"URLID` is needed, with tabs between"
            )
    return [Session(id, query, tuple(shown), tuple(clicks)) for id, query, shown, clicks in pages]


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{str(path)!r}, line {number}", line.rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"no click log can be read from {str(path)!r}: {error}") from error
