"""One score on a terminal: the prompt, the completion, the total, and every part with what it brought."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from guerdon.types import Score

SHOWN_CHARACTERS = 600
"""Of a completion or a message; the rest is counted."""


def explain(row: Mapping[str, Any], score: Score, weights: Mapping[str, float], *, asked: bool = True) -> None:
    """Print one rollout's score; with `asked`, also what it answers (`row["prompt"]`, chat messages)."""
    console = Console(highlight=False)
    console.print(f"[bold]example {escape(row['example'])} · rollout {row['number']}[/]", soft_wrap=True)
    messages = list(row.get("prompt") or ()) if asked else []
    for message in messages:
        console.print(f"[bold dim]the prompt: {escape(str(message['role']))}[/]", soft_wrap=True)
        console.print(_without_middle(str(message["content"])), style="dim", soft_wrap=True)
    for author, text in _said(row):
        if author or messages:
            console.print(f"[bold dim]{author or 'the completion'}[/]", soft_wrap=True)
        cut = f"[dim] ... and {len(text) - SHOWN_CHARACTERS} more characters[/]" if len(text) > SHOWN_CHARACTERS else ""
        console.print(escape(_printable(text[:SHOWN_CHARACTERS])) + cut, style="dim", soft_wrap=True)
    console.print(_table(score, weights))


def _without_middle(text: str) -> str:
    """A message as it is shown: of a long one the two ends, since the question often stands last."""
    if len(text) <= SHOWN_CHARACTERS:
        return escape(_printable(text))
    half = SHOWN_CHARACTERS // 2
    head, tail = (escape(_printable(part)) for part in (text[:half], text[-half:]))
    return f"{head}[dim] ... {len(text) - 2 * half} more characters ... [/]{tail}"


def _said(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Who said what, in order; the completion alone, and nobody named, where it is all there is."""
    segments = row.get("segments") or ()
    if not any(segment["author"] == "environment" for segment in segments):
        forced, text = str(row.get("forced") or ""), str(row["completion"])
        if begun := forced and not text.startswith(forced):
            yield "begun by the task", forced
        yield "the completion" if begun else "", text
        return
    turn = 0
    for is_environment, run in itertools.groupby(segments, key=lambda segment: segment["author"] == "environment"):
        turn += not is_environment
        yield "environment" if is_environment else f"turn {turn}", "".join(map(_told, run))


def _told(segment: Mapping[str, Any]) -> str:
    images = len(segment.get("images") or ())
    return f"[{images} image{'s' * (images > 1)}] {segment['text']}" if images else str(segment["text"])


def _table(score: Score, weights: Mapping[str, float]) -> Table:
    """A row per part and one for the total; a column in which nothing stands is left out."""
    rows = [_cells(depth, name, part, weights) for depth, name, part in _parts(score)]
    total = ("[bold]total[/]", f"[bold]{_value(score)}[/]", "", "", _status(score), escape(_printable(score.why)))
    used = [any(column) for column in zip(*rows, total, strict=True)]
    table = Table(box=box.SIMPLE_HEAD)
    for heading in itertools.compress(("part", "value", "weight", "contribution", "status", "why"), used):
        number, words = heading in ("value", "weight", "contribution"), heading == "why"
        table.add_column(
            heading,
            justify="right" if number else "left",
            no_wrap=not words,
            overflow="fold" if words else "ellipsis",
            style="cyan" if heading == "part" else None,
        )
    for row in rows:
        table.add_row(*itertools.compress(row, used))
    table.add_section()
    table.add_row(*itertools.compress(total, used))
    return table


def _cells(depth: int, name: str, part: Score, weights: Mapping[str, float]) -> tuple[str, ...]:
    """A part's row."""
    weight = weights.get(name) if depth == 0 else None
    contribution = "" if weight is None or not part.scored else f"{weight * part.value:.6g}"
    shown = "" if weight is None else f"{weight:g}"
    return "  " * depth + escape(name), _value(part), shown, contribution, _status(part), escape(_printable(part.why))


def _parts(score: Score, depth: int = 0) -> Iterator[tuple[int, str, Score]]:
    for name, part in score.parts.items():
        yield depth, name, part
        yield from _parts(part, depth + 1)


def _value(score: Score) -> str:
    return f"{score.value:.6g}" if score.scored else "unscored"


def _status(score: Score) -> str:
    colour = "green" if score.status == "ok" else "yellow" if score.scored else "red"
    return f"[{colour}]{score.status}[/]"


def _printable(text: str) -> str:
    """Without control characters: a completion must not drive the terminal."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
