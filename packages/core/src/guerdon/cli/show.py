"""`guerdon show`: what a name stands for, its options, and the line that uses it. Imports that piece alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from inspect import isfunction
from typing import TYPE_CHECKING

import click

from guerdon.cli.listing import kind_named
from guerdon.errors import UnknownName
from guerdon.plugins.catalog import KINDS, Kind, catalog

if TYPE_CHECKING:
    from rich.console import Console

    from guerdon.recipes.describing import Piece


@click.command("show")
@click.argument("name")
@click.option("--kind", metavar="KIND", callback=kind_named, help="Of that kind only: rewards, tasks, ...")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of all that have the name.")
def command(name: str, kind: Kind | None, as_json: bool) -> None:
    """Show what NAME stands for: its class, what it says of itself, each option, and the line that uses it.

    NAME is one that `guerdon list` shows, with or without its version, or an import path (module:attribute). Where
    several kinds have it, all are shown.
    """
    from guerdon.recipes.building import ESTIMATORS
    from guerdon.recipes.describing import describe, describe_estimator

    if ":" in name:
        kind = _admitted(name, kind)
    kinds = KINDS if kind is None else (kind,)
    entries = []
    for each in kinds:
        try:
            entries.append(catalog().find(each, name))
        except UnknownName:
            continue
    pieces = [describe(entry) for entry in entries]
    if kind is None and name in ESTIMATORS:
        pieces.append(describe_estimator(name))
    if not pieces:
        raise catalog().unknown(kinds, name, more=ESTIMATORS if kind is None else ())
    if as_json:
        click.echo(json.dumps([asdict(piece) for piece in pieces], indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    for number, piece in enumerate(pieces):
        if number:
            console.rule(style="dim")
        _print(console, piece)


def _admitted(path: str, kind: Kind | None) -> Kind:
    """Import what stands at a path, and know it by that; its kind, by what it is.

    Raises:
        ConfigError: it cannot be imported, or is nothing that has a kind.
    """
    from guerdon.cli.sources import admit, here_on_path
    from guerdon.errors import ConfigError
    from guerdon.plugins.catalog import imported

    here_on_path()
    found = imported(path)
    kind = kind or _kind_of(found)
    if kind is None:
        from guerdon.recipes.building import told_of_class

        what = told_of_class(found) or f"{found!r:.80}, and no reward, transform, task, shape, attack or claim"
        if isfunction(found):
            what = "a function; one of a rollout is a reward once it is decorated with @guerdon.reward"
        raise ConfigError(f"{path!r} is {what}. Of another kind, name that: --kind KIND")
    admit(kind, path)
    return kind


def _kind_of(found: object) -> Kind | None:
    from guerdon.audit.attack import Attack
    from guerdon.claims import Claim
    from guerdon.protocols import Task
    from guerdon.rewards import Reward
    from guerdon.rewards.shapes import Shape
    from guerdon.transforms import Transform

    bases: dict[Kind, type] = {
        "rewards": Reward, "transforms": Transform, "tasks": Task, "shapes": Shape, "attacks": Attack, "claims": Claim
    }  # fmt: skip
    made = found if isinstance(found, type) else type(found)
    return next((kind for kind, base in bases.items() if issubclass(made, base)), None)


def _print(console: Console, piece: Piece) -> None:
    from rich.markup import escape

    console.print(f"[bold cyan]{escape(piece.name)}[/]  [dim]{piece.kind} of {escape(piece.distribution)}[/]")
    if piece.summary:
        console.print(escape(piece.summary), style="bold")
    console.print(escape(piece.target), style="dim", soft_wrap=True)
    if piece.about:
        console.print(f"\n{escape(_reflowed(piece.about))}")
    if piece.facts:
        console.print()
    for word, text in piece.facts.items():
        console.print(f"[bold]{word}[/] {escape(text)}")
    if piece.text:
        console.print(f"\n{escape(piece.text)}", soft_wrap=True)
    _print_options(console, piece)
    console.print("[bold]use[/]")
    for line in piece.use:
        console.print(f"  {escape(line)}", soft_wrap=True)
    if piece.head:
        console.print(f"\n[bold]the head of {escape(piece.target.partition(':')[0])}[/]")
        console.print(escape(piece.head), style="dim", soft_wrap=True)


def _print_options(console: Console, piece: Piece) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from guerdon.recipes.options import REQUIRED

    if not piece.options:
        whole = piece.text or (piece.kind == "command" and piece.facts)
        console.print("" if whole else "\nIt takes no options.")
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("option", style="cyan", no_wrap=True)
    table.add_column("takes", ratio=2, overflow="fold")
    table.add_column("default", ratio=1, overflow="fold")
    table.add_column("", ratio=3, overflow="fold")
    for one in piece.options:
        default = f"[yellow]{REQUIRED}[/]" if one.default == REQUIRED else escape(one.default)
        table.add_row(one.name, escape(one.accepts), default, escape(one.about))
    console.print(table)


def _reflowed(text: str) -> str:
    """One line, unless it is laid out: a table, a formula or a list keeps its own."""
    laid_out = any(line.startswith((" ", "|", "-", "*", "```", "$$")) for line in text.split("\n"))
    return text if laid_out else " ".join(text.split())
