"""`guerdon export`: a task's prompts and references as a file for another trainer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from guerdon.cli.sources import admit, naming
from guerdon.counting import counting

if TYPE_CHECKING:
    from guerdon.protocols import Split
    from guerdon.recipes import Use


@click.command("export")
@click.argument("source", metavar="TASK[k=v,...]|RECIPE|RUN")
@click.option(
    "--split", type=click.Choice(["train", "eval"]), default="train", show_default=True, help="Which examples."
)
@click.option("--limit", type=click.IntRange(min=1), help="The first so many examples only.")
@click.option("--format", "format_", default="jsonl", show_default=True, help="For whom: jsonl, openrlhf or verl.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.  [default: standard output]")
def command(source: str, split: str, limit: int | None, format_: str, out: Path | None) -> None:
    """Write one row per example of TASK (a name, or module:attribute), or of the task of RECIPE or RUN.

    Rows of the format `jsonl` have `example`, `prompt`, `forced`, `reference` and `task`. Add a `completion` to each,
    and `guerdon score --rollouts` scores them.
    """
    from guerdon.adapters.exporting import Source, export
    from guerdon.recipes.building import build_task
    from guerdon.recipes.spelling import spelled

    use, is_recipes = task_named(source)
    with naming(source if is_recipes else None):
        exported = Source(build_task(use), cast("Split", split), spelled(use), limit)
        len(exported)  # loads the examples: what is wrong with the task is said here
    count = export(exported, out, format_)
    if out is not None:
        click.echo(f"{counting(count, f'{split} example')} of {exported.name} in {out}", err=True)


def task_named(source: str) -> tuple[Use, bool]:
    """The task that is called so, or that of the recipe or run; and whether it was one of these.

    Raises:
        UnknownName: nothing is; the message has the nearest of both kinds.
        ConfigError: it is not of the form, or a recipe file that is wrong.
    """
    from guerdon.errors import UnknownName
    from guerdon.plugins.catalog import catalog
    from guerdon.recipes import load_recipe
    from guerdon.recipes.spelling import task_use

    run = Path(source) / "recipe.yaml"
    if run.is_file():
        return load_recipe(run).task, True
    if Path(source).exists():  # a recipe's file, or a folder, of which it is said what is wrong with it
        return load_recipe(source).task, True
    admit("tasks", source)
    use = task_use(source)
    with contextlib.suppress(UnknownName):
        catalog().find("tasks", use.use)
        return use, False
    with contextlib.suppress(UnknownName):
        catalog().find("recipes", source)
        return load_recipe(source).task, True
    raise catalog().unknown(("tasks", "recipes"), use.use)
