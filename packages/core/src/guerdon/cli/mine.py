"""`guerdon mine`: preference pairs, the best and the worst of several attempts at each prompt by a recipe's reward."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from guerdon.cli.sources import naming

if TYPE_CHECKING:
    from guerdon.preferences.rows import Form
    from guerdon.protocols import Split


@click.command("mine")
@click.argument("recipe")
@click.option("--n", default=8, show_default=True, type=click.IntRange(min=2), help="Attempts at each prompt.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The JSONL file to write.")
@click.option("--format", "form", type=click.Choice(["dpo", "kto"]), default="dpo", show_default=True, help="For whom.")
@click.option("--split", type=click.Choice(["train", "eval"]), default="train", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="The first so many prompts only.")
@click.option(
    "--margin",
    default=0.0,
    type=click.FloatRange(min=0.0),
    show_default=True,
    help="The least by which best and worst must differ.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Override a field: train.sampling.temperature=0.7. Repeatable.",
)
def command(
    recipe: str,
    n: int,
    out: Path,
    form: str,
    split: str,
    limit: int | None,
    margin: float,
    overrides: tuple[str, ...],
) -> None:
    """Sample N attempts at each prompt of RECIPE's task from its policy; by its reward, pair the best with the worst.

    The lines are what TRL's DPOTrainer, RewardTrainer (`dpo`) and KTOTrainer (`kto`) read, and `guerdon reward-model`.
    """
    from guerdon.errors import ConfigError
    from guerdon.preferences.mining import Tally, mined
    from guerdon.preferences.rows import write_rows
    from guerdon.recipes import load_recipe
    from guerdon.recipes.running import trainer_of

    if not math.isfinite(margin):
        raise ConfigError(f"--margin is {margin!r}; a finite number is needed")
    if out.exists():
        raise ConfigError(f"{str(out)!r} is there already; name another file, or remove it")
    asked = load_recipe(recipe, overrides)
    tally = Tally()
    with naming(recipe):
        trainer = trainer_of(asked)
        examples = trainer.task.examples(cast("Split", split))[:limit]
        pairs = mined(
            trainer.policy,
            trainer.task,
            examples,
            trainer.reward,
            n=n,
            sampling=asked.train.sampling.sampling(),
            margin=margin,
            batch=asked.train.prompts_per_step,
            seed=asked.seed,
            tally=tally,
        )
        write_rows(pairs, out, cast("Form", form))
    click.echo(f"{tally}\n{form} rows in {out}")
