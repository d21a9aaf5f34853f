"""`guerdon list`: what the installed distributions offer. Imports none of it."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict

import click

from guerdon.plugins.catalog import KINDS, Catalog, Kind, catalog, singular


def kind_named(_ctx: click.Context, _param: click.Parameter, given: str | None) -> Kind | None:
    """The kind meant, in the plural or the singular."""
    if given is None:
        return None
    words: dict[str, Kind] = {word: kind for kind in KINDS for word in (kind, singular(kind))}
    if given in words:
        return words[given]
    near = difflib.get_close_matches(given, KINDS, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(KINDS)}."
    raise click.UsageError(f"no kind {given!r}. {hint}")


@click.command("list")
@click.argument("kind", required=False, metavar="[KIND]", callback=kind_named)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(kind: Kind | None, as_json: bool) -> None:
    """List rewards, tasks, recipes and the rest, each with the distribution that offers it; problems come last.

    KIND, such as `rewards`, lists that alone; `guerdon show NAME` has the options of one.
    """
    found = catalog()
    kinds = KINDS if kind is None else (kind,)
    if as_json:
        shown: dict[str, object] = {kind: [asdict(entry) for entry in found.entries(kind)] for kind in kinds}
        shown["problems"] = [asdict(problem) for problem in found.problems]
        click.echo(json.dumps(shown, indent=2))
    else:
        _print(found, kinds)


def _print(found: Catalog, kinds: tuple[Kind, ...]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    for kind in kinds:
        entries = found.entries(kind)
        if not entries:
            continue
        table = Table(title=f"{kind} ({len(entries)})", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        table.add_column("name", no_wrap=True, style="cyan")
        table.add_column("summary", ratio=1, overflow="fold")
        table.add_column("distribution", no_wrap=True, style="dim")
        for entry in entries:
            table.add_row(entry.name, escape(entry.summary), entry.distribution)
        console.print(table)
    if not any(found.entries(kind) for kind in kinds):
        console.print(f"No {kinds[0] if len(kinds) == 1 else 'plugins'} installed.")
    for problem in found.problems:
        console.print(f"[bold red]problem[/] [red]{escape(str(problem))}[/]", soft_wrap=True)
