"""One score on a terminal: the completion, the total, and every part with what it brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from guerdon.types import Score

SHOWN_CHARACTERS = 600
"""Of a completion; the rest is counted."""


def explain(row: Mapping[str, Any], score: Score, weights: Mapping[str, float]) -> None:
    """Print one rollout's score."""
    console = Console(highlight=False)
    console.print(f"[bold]example {escape(row['example'])} · rollout {row['number']}[/]", soft_wrap=True)
    text = str(row["completion"])
    cut = f"[dim] ... and {len(text) - SHOWN_CHARACTERS} more characters[/]" if len(text) > SHOWN_CHARACTERS else ""
    console.print(escape(_printable(text[:SHOWN_CHARACTERS])) + cut, style="dim", soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("part", no_wrap=True, style="cyan")
    for heading in ("value", "weight", "contribution"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("why", overflow="fold")
    for depth, name, part in _parts(score):
        weight = weights.get(name) if depth == 0 else None
        contribution = "" if weight is None or not part.scored else f"{weight * part.value:.6g}"
        cells = ("" if weight is None else f"{weight:g}", contribution, _status(part), escape(_printable(part.why)))
        table.add_row("  " * depth + escape(name), _value(part), *cells)
    table.add_section()
    table.add_row("[bold]total[/]", f"[bold]{_value(score)}[/]", "", "", _status(score), escape(_printable(score.why)))
    console.print(table)


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
