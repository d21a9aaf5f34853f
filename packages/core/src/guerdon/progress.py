"""Progress on everything longer than two seconds: a bar on a terminal, a plain line now and then in a log.

The environment variable `GUERDON_PROGRESS` overrides the choice: `off` is silent, `plain` writes lines, `bar` draws.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

EVERY_S = 10.0
"""A log shows life at least this often, as long as anything advances."""
AT_LEAST_S = 2.0
"""Lines at each tenth are no closer than this; work that ends sooner writes none."""


class Progress(Protocol):
    """What `progress` hands out."""

    def advance(self, n: int = 1) -> None:
        """`n` more are done."""

    def describe(self, text: str) -> None:
        """Say what is going on; shown with the next update."""


@contextmanager
def progress(description: str, total: int | None, *, done: int = 0) -> Iterator[Progress]:
    """Show how far a piece of work has come, on standard error. Nested ones show below one another.

    Args:
        description: what is being done.
        total: how many there are; None where nobody knows.
        done: how many were done before, on a resume.
    """
    mode = os.environ.get("GUERDON_PROGRESS", "").lower()
    if mode == "off":
        yield _Silent()
    elif mode == "plain" or (mode != "bar" and not sys.stderr.isatty()):
        lines = _Lines(description, total, done, sys.stderr)
        yield lines
        lines.finish()
    else:
        with _shared_bars() as bars:
            bar = _Bar(bars, description, total, done)
            try:
                yield bar
            finally:
                bar.finish()


class _Silent:
    def advance(self, n: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        pass


class _Lines:
    """For logs: `reinforce · reward 0.412: 30/100 (30 %), 2:05 gone, 4:52 to go`."""

    def __init__(self, description: str, total: int | None, done: int, stream: IO[str]) -> None:
        self._description, self._total, self._done, self._stream = description, total, done, stream
        self._start_done = self._shown_done = done
        self._start = self._shown = time.monotonic()

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = time.monotonic()
        waited = now - self._shown
        tenth = self._total and self._done * 10 // self._total > self._shown_done * 10 // self._total
        if waited >= EVERY_S or (tenth and waited >= AT_LEAST_S):
            self._show(now)

    def describe(self, text: str) -> None:
        self._description = text

    def finish(self) -> None:
        """A last line, if there were others and it is not among them."""
        said_something = self._shown > self._start
        if said_something and self._shown_done != self._done:
            self._show(time.monotonic())

    def _show(self, now: float) -> None:
        self._shown, self._shown_done = now, self._done
        gone = now - self._start
        text = f"{self._description}: {self._done}"
        if self._total:
            text += f"/{self._total} ({100 * self._done // self._total} %)"
        text += f", {clock(gone)} gone"
        fresh = self._done - self._start_done
        if self._total and fresh > 0 and self._done < self._total:
            text += f", {clock(gone / fresh * (self._total - self._done))} to go"
        print(text, file=self._stream, flush=True)


class _Bar:
    """One row of the shared rich display."""

    def __init__(self, bars: RichProgress, description: str, total: int | None, done: int) -> None:
        from rich.markup import escape

        self._bars, self._escape = bars, escape
        self._task = bars.add_task(escape(description), total=total, completed=done)

    def advance(self, n: int = 1) -> None:
        self._bars.advance(self._task, n)

    def describe(self, text: str) -> None:
        self._bars.update(self._task, description=self._escape(text))

    def finish(self) -> None:
        """An outer row stays on the screen; an inner one makes room."""
        if len(self._bars.tasks) > 1:
            self._bars.remove_task(self._task)


_open: RichProgress | None = None
"""A terminal has one live display; nested work adds rows to it."""


@contextmanager
def _shared_bars() -> Iterator[RichProgress]:
    global _open
    if _open is not None:
        yield _open
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as _open:
        try:
            yield _open
        finally:
            _open = None


def clock(seconds: float) -> str:
    """Seconds as people read them.

    >>> clock(125), clock(3725.4)
    ('2:05', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
