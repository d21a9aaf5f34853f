"""`guerdon eval`: greedy evaluation on held-out examples."""

from __future__ import annotations

import json
from pathlib import Path

import click

from guerdon.cli.sources import naming, recipe_and_weights
from guerdon.counting import counting


@click.command("eval")
@click.argument("source", metavar="RECIPE|RUN")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="A checkpoint folder, or the name of one in RUN.  [default: RUN's latest; a recipe's own weights]",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Override a field: policy.with.model=gpt2. Repeatable.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Evaluate on the first so many examples.  [default: train.eval.examples of the recipe; all where that is 0]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(source: str, checkpoint: Path | None, overrides: tuple[str, ...], limit: int | None, as_json: bool) -> None:
    """Evaluate the policy of RECIPE, or a checkpoint of the run folder RUN, greedily on the held-out examples."""
    from guerdon.diagnostics.intervals import mean_interval
    from guerdon.recipes.running import evaluate_recipe

    recipe, weights = recipe_and_weights(source, overrides, checkpoint)
    with naming(source):
        results = evaluate_recipe(recipe, checkpoint=weights, limit=limit)
    if as_json:
        shown = {
            task: {
                "count": result.count,
                "metrics": dict(result.metrics),
                "scored": {name: len(values) for name, values in result.values.items()},
                "intervals": {
                    name: {"kind": found.kind, "low": found.low, "high": found.high}
                    for name, values in result.values.items()
                    if (found := mean_interval(values))
                },
            }
            for task, result in results.items()
        }
        click.echo(json.dumps({"checkpoint": str(weights) if weights else None, "tasks": shown}, indent=2))
        return
    click.echo(f"weights {weights or 'as the recipe starts with'}")
    for task, result in results.items():
        click.echo(f"{task} · {counting(result.count, 'example')}")
        for name, value in result.metrics.items():
            known = result.values[name]
            found = mean_interval(known)
            told = f"  95 % ({found.kind}): {found.low:.4f} to {found.high:.4f}" if found else ""
            told += f"  of {len(known)} scored" if len(known) != result.count else ""
            click.echo(f"  {name:<24} {value:.4f}{told}")
