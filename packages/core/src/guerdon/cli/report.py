"""`guerdon report`: the run's page, from what the run folder holds now. Also for a run that is still going."""

from __future__ import annotations

from pathlib import Path

import click

from guerdon.errors import RunError


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Write the report page of the run folder RUN again, and print its path."""
    if not (run / "recipe.yaml").is_file():
        raise RunError(f"{str(run)!r} holds no run: there is no recipe.yaml in it")
    from guerdon.diagnostics.report import render
    from guerdon.recipes.illustrating import illustrator_of

    click.echo(f"report {render(run, illustrator_of(run))}")
