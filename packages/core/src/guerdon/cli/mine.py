"""`guerdon mine`: preference pairs, the best and the worst of several attempts at each prompt by a reward."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from guerdon.cli import FAILED, say_wrong
from guerdon.cli.limits import Finite
from guerdon.cli.sources import naming, recipe_and_weights

if TYPE_CHECKING:
    from guerdon.preferences.rows import Form
    from guerdon.protocols import Split


@click.command("mine")
@click.argument("source", metavar="RECIPE|RUN")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="A checkpoint folder, or the name of one in RUN.  [default: RUN's latest; a recipe's own weights]",
)
@click.option("--n", default=8, show_default=True, type=click.IntRange(min=2), help="Attempts at each prompt.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The JSONL file to write.")
@click.option("--format", "form", type=click.Choice(["dpo", "kto"]), default="dpo", show_default=True, help="For whom.")
@click.option("--split", type=click.Choice(["train", "eval"]), default="train", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="The first so many prompts only.")
@click.option(
    "--margin",
    default=0.0,
    type=Finite(min=0.0),
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
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    checkpoint: Path | None,
    n: int,
    out: Path,
    form: str,
    split: str,
    limit: int | None,
    margin: float,
    overrides: tuple[str, ...],
) -> None:
    """Sample N attempts at each prompt of RECIPE's task from its policy; by its reward, pair the best with the worst.

    Of the run folder RUN, the policy is that of a checkpoint, and rewards that learn are as they were then. The lines
    are what TRL's DPOTrainer, RewardTrainer (`dpo`) and KTOTrainer (`kto`) read, and `guerdon reward-model`. Exits with
    1 where there is no pair.
    """
    from guerdon.errors import ConfigError
    from guerdon.preferences.mining import Tally, check_minable, mined
    from guerdon.preferences.rows import write_rows
    from guerdon.recipes.building import build_task
    from guerdon.recipes.running import trainer_of

    if not math.isfinite(margin):
        raise ConfigError(f"--margin is {margin!r}; a finite number is needed")
    if out.exists():
        raise ConfigError(f"{str(out)!r} is there already; name another file, or remove it")
    asked, weights = recipe_and_weights(source, overrides, checkpoint)
    tally = Tally()
    with naming(source):
        task = build_task(asked.task)
        examples = task.examples(cast("Split", split))[:limit]
        check_minable(task, examples)  # before a model is loaded
        trainer = trainer_of(asked, weights)
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
    click.echo(f"weights {weights or 'as the recipe starts with'}\n{tally}")
    if not tally.counts["pairs"]:
        out.unlink()  # an empty file would be in the way of the next attempt
        say_wrong(f"no pair was found, and {str(out)!r} is not written: {tally.why_pairless}")
        ctx.exit(FAILED)
    click.echo(f"{form} rows in {out}")
