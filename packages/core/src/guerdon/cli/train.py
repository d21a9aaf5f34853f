"""`guerdon train`: a recipe in, a run folder with its report out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from guerdon.cli import FAILED, INTERRUPTED, say_wrong
from guerdon.cli.sources import naming
from guerdon.errors import RunError, UnknownName


@click.command("train")
@click.argument("recipe")
@click.option(
    "--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Override a field: train.steps=10. Repeatable."
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="The run folder.  [default: runs/NAME-TIME]"
)
@click.option("--resume", is_flag=True, help="Continue the run in --out, or the run folder given as RECIPE.")
@click.option("--seed", type=int, help="The seed everything random in the run derives from.")
@click.pass_context
def command(
    ctx: click.Context, recipe: str, overrides: tuple[str, ...], out: Path | None, resume: bool, seed: int | None
) -> None:
    """Train by RECIPE: a registered name, a YAML or TOML file, or (with --resume) a run folder."""
    from guerdon.recipes import load_recipe
    from guerdon.recipes.running import default_folder, run_recipe

    source: str | Path = recipe
    if resume and (Path(recipe) / "recipe.yaml").is_file():
        source, out = Path(recipe) / "recipe.yaml", out or Path(recipe)
    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    try:
        asked = load_recipe(source, overrides)
    except UnknownName:
        if not resume or out:
            raise
        raise RunError(f"there is no run folder {recipe!r}; to resume, name one: guerdon train RUN --resume") from None
    folder = out if out or resume else default_folder(asked)
    try:
        with naming(source):
            result = run_recipe(asked, folder, resume=resume, started=lambda path: click.echo(f"run folder {path}"))
    except KeyboardInterrupt:
        click.echo(f"\ninterrupted; resume with: guerdon train {folder} --resume", err=True)
        ctx.exit(INTERRUPTED)
    print_evals(result.evals)
    click.echo(f"report {result.report}")
    if result.unscored:
        say_wrong(result.unscored)
        ctx.exit(FAILED)


def print_evals(evals: Sequence[Mapping[str, Any]]) -> None:
    """A table of evaluation lines: one row per metric, one column per stage, with its step where it has several."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not evals:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("greedy evaluation", no_wrap=True, style="cyan")
    stages = [str(line.get("stage", "")) for line in evals]
    for stage, line in zip(stages, evals, strict=True):
        table.add_column(f"{stage} {line['step']}" if stages.count(stage) > 1 else stage, justify="right")
    for name in dict.fromkeys(name for line in evals for name in line if name.startswith("eval/")):
        values = [line.get(name) for line in evals]
        shown = [
            "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value) for value in values
        ]
        table.add_row(name.removeprefix("eval/"), *shown)
    Console(highlight=False).print(table)
