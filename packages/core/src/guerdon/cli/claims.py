"""`guerdon claims`: what papers claim, and whether it holds when shrunk to this machine."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import click

from guerdon.errors import ConfigError, GuerdonError, PluginError, UnknownName
from guerdon.plugins.catalog import catalog

if TYPE_CHECKING:
    from guerdon.claims import Claim, ClaimResult
    from guerdon.progress import Progress


class _Claims(click.Group):
    """Its commands, and what to type for who forgot it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; but a claim's name in place of a command gets the whole line that runs it."""
        if args and self.get_command(ctx, args[0]) is None:
            try:
                catalog().find("claims", args[0].partition("[")[0])
            except UnknownName as error:
                ctx.fail(f"no command {args[0]!r}, there are 'list' and 'run'; and {error}")
            ctx.fail(f"no command {args[0]!r}. To run that claim: guerdon claims run {' '.join(args)}")
        return super().resolve_command(ctx, args)


@click.group("claims", cls=_Claims, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the claims with their papers; `guerdon claims run NAME` puts one to the test."""
    if ctx.invoked_subcommand is None:
        _list(as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_(as_json: bool) -> None:
    """List the claims, as `guerdon claims` alone does."""
    _list(as_json)


def _list(as_json: bool) -> None:
    rows = []
    for entry in catalog().entries("claims"):
        try:
            found = catalog().load("claims", entry.name)
            paper, statement = found.paper, found.statement
        except PluginError as error:  # one that needs what is not installed is still listed
            paper, statement = "", str(error)
        rows.append({"name": entry.name, "paper": paper, "statement": statement, "distribution": entry.distribution})
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        _print(rows)


def _print(rows: list[dict[str, str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("claim", no_wrap=True, style="cyan")
    table.add_column("statement", ratio=3, overflow="fold")
    table.add_column("paper", ratio=2, overflow="fold")
    for row in rows:
        table.add_row(row["name"], escape(row["statement"]), escape(row["paper"]))
    Console(highlight=False).print(table if rows else "No claims installed.")


@command.command("run")
@click.argument("names", metavar="NAME[k=v,...]", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Run every installed claim.")
@click.option("--seeds", type=click.IntRange(min=1), help="How many seeds: 0, 1, ...  [default: the claim's own]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.pass_context
def run(ctx: click.Context, names: tuple[str, ...], every: bool, seeds: int | None, as_json: bool) -> None:
    """Run the shrunk experiments; print what was claimed and what was measured. Exits with 1 if one did not hold.

    A claim of which a part was not run (its data are not here) holds in part at most, and says which.
    """
    if every:
        names = tuple(entry.name for entry in catalog().entries("claims"))
    elif not names:
        raise ConfigError("name a claim, or give --all; `guerdon claims` lists them")
    claims = [_claim(name) for name in names]  # all of them, before the first runs for minutes
    from guerdon.claims import dumps

    results = []
    for claim in claims:
        with _Told(claim.name) as told:
            results.append(claim.run(range(seeds or claim.seeds), told))
        if not as_json:
            _show(claim, results[-1])
    if as_json:
        click.echo(dumps(results))
    if not all(result.held for result in results):
        ctx.exit(1)


def _claim(text: str) -> Claim:
    """The claim that `NAME[k=v,...]` means, of the size its fields say."""
    from guerdon.claims import Claim
    from guerdon.recipes.building import construct
    from guerdon.recipes.spelling import named

    _, name, options = named(text)
    made = construct(catalog().load("claims", name), options, name)
    if not isinstance(made, Claim):
        raise GuerdonError(f"the claim {name!r} is a {type(made).__name__}, and a guerdon.claims.Claim is needed")
    return made


def _show(claim: Claim, result: ClaimResult) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(f"[bold]{escape(claim.statement)}[/]\n[dim]{escape(claim.paper)}[/]", soft_wrap=True)
    console.print(result)


class _Told:
    """A claim's `progress(done, total, what)` as a progress bar, begun when the claim first says how much there is."""

    def __init__(self, name: str) -> None:
        self._name, self._done = name, 0
        self._stack = ExitStack()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def __call__(self, done: int, total: int, what: str) -> None:
        from guerdon.progress import progress

        if self._bar is None:
            self._bar = self._stack.enter_context(progress(self._name, total))
        self._bar.describe(f"{self._name} · {what}" if what else self._name)
        self._bar.advance(done - self._done)
        self._done = done
