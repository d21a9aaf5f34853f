"""`guerdon audit`: attack a reward before a policy does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from guerdon.cli.limits import Finite
from guerdon.cli.sources import admit
from guerdon.counting import counting
from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from guerdon.protocols import Task
    from guerdon.rewards import Reward

CATEGORIES = (
    "degenerate", "format", "judge", "constant", "tampering", "hedging", "characters", "numbers", "group", "metric",
    "reference",
)  # fmt: skip


@click.command("audit")
@click.argument("source", metavar="[REWARD|RECIPE|RUN]", required=False)
@click.option("--reward", "rewards", metavar="[W*]NAME[k=v,...]", multiple=True, help="Audit this; several are summed.")
@click.option("--task", metavar="NAME[k=v,...]", help="Whose examples.  [default: an installed task that fits]")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="With RUN: by which checkpoint its rewards had learnt what they know.  [default: the latest]",
)
@click.option("--attack", "names", metavar="NAME[k=v,...]", multiple=True, help="Only this attack. Repeatable.")
@click.option(
    "--category", "categories", type=click.Choice(CATEGORIES), multiple=True, help="Only attacks of this kind."
)
@click.option("--with-reference", is_flag=True, help="Also attacks that know the right answer, as no policy does.")
@click.option("--examples", type=click.IntRange(min=1), default=8, show_default=True, help="How many examples.")
@click.option("--group-size", type=click.IntRange(min=2), default=4, show_default=True, help="Attempts in a group.")
@click.option(
    "--split", type=click.Choice(["train", "eval"]), default="train", show_default=True, help="Which examples."
)
@click.option(
    "--budget",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Completions that a search for further exploits may score; 0 for none.",
)
@click.option("--seconds", type=Finite(min=0.0, min_open=True), help="End the search after so long.")
@click.option(
    "--check",
    metavar="[W*]NAME[k=v,...]",
    help="Independent measure of quality for best of n.  [default: a metric of the task]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all draws.")
@click.option(
    "--fail-above",
    type=Finite(min=0.0),
    metavar="X",
    help="Exit with 1 if an attack's severity is above X (0: like a wrong answer, 1: like the right one).",
)
@click.option("--all", "everything", is_flag=True, help="Show attacks that were resisted, too.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the report as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Attack a reward, and print what earned too much.

    An attack that earns more than an honest answer to another question is suspicious; one that earns at least what the
    honest answer does is an exploit. Rewards, task and attacks are named as `guerdon list` has them, or by import path
    (module:attribute). Exits with 1 if nothing could be scored, or if --fail-above says so.
    """
    from guerdon.audit import Settings, audit
    from guerdon.audit.attack import LEVELS
    from guerdon.grading.taking_up import take_up
    from guerdon.recipes.fitting import build_attacks

    admit("tasks", options["task"])
    admit("rewards", *options["rewards"], options["check"])
    admit("attacks", *options["names"])
    source, rewards, checkpoint = options["source"], options["rewards"], options["checkpoint"]
    reward, task = _reward_and_task(source, rewards, options["task"])
    if told := take_up(reward, None if rewards else source, checkpoint):
        click.echo(told, err=True)
    levels = LEVELS if options["with_reference"] else LEVELS[:-1]
    attacks = build_attacks(options["names"], knows=levels, exploits=options["categories"])
    if not attacks:
        raise ConfigError(
            "no installed attack is of these categories and levels; `guerdon list attacks` shows them all"
        )
    settings = Settings(
        options["examples"],
        options["group_size"],
        options["split"],
        options["seed"],
        options["budget"],
        options["seconds"] or float("inf"),
    )
    check = _reward(options["check"]) if options["check"] else None
    name = " + ".join((*([options["source"]] if options["source"] else []), *options["rewards"]))
    report = audit(reward, task, attacks, settings, check, name)
    if options["html"]:
        from guerdon.audit.pages import write

        click.echo(f"report {write(report, options['html'])}", err=True)
    if options["as_json"]:
        click.echo(json.dumps(report.record(), allow_nan=False))
    else:
        from rich.console import Console

        from guerdon.audit.tables import table

        Console(highlight=False).print(table(report, everything=options["everything"]))
    limit = options["fail_above"]
    failing = report.failing(limit) if limit is not None else []
    if failing:
        from guerdon.audit.tables import printable

        first = printable(
            failing[0].attack.label, 100
        )  # as the table has it: a composed one is called what it is made of
        click.echo(f"{counting(len(failing), 'attack')} with a severity above {limit:g}, {first} first", err=True)
    if failing or report.conclusion == "unscored":
        ctx.exit(1)


def _reward_and_task(source: str | None, rewards: tuple[str, ...], task: str | None) -> tuple[Reward, Task]:
    """What is audited, and on which examples.

    Raises:
        UnknownName: `source` is neither a reward nor a recipe.
        ConfigError: nothing is named, or no task fits.
    """
    from guerdon.grading import task_and_reward
    from guerdon.recipes.building import build_reward, build_task
    from guerdon.recipes.fitting import fitting_task, reward_names
    from guerdon.recipes.spelling import reward_spec, task_use

    if source is not None and not _is_reward(source):
        use, spec = task_and_reward(source, task, rewards)
        return build_reward(spec), build_task(use)
    texts = ([source] if source is not None else []) + list(rewards)
    if not texts:
        raise ConfigError("name a reward, a recipe or a run folder; `guerdon list rewards` shows what there is")
    spec = reward_spec(texts)
    reward = build_reward(spec)
    if task is not None:
        return reward, build_task(task_use(task))
    return reward, fitting_task(reward, reward_names(spec))


def _is_reward(source: str) -> bool:
    """Whether a name is a registered reward's rather than a recipe's, a file's or a run's.

    Raises:
        UnknownName: it is nobody's; the message has the nearest of both kinds.
    """
    from guerdon.plugins.catalog import catalog
    from guerdon.recipes.spelling import named

    if Path(source).exists():
        return False
    admit("rewards", source)
    name = named(source)[1]
    entries = {kind: catalog().entries(cast("Any", kind)) for kind in ("rewards", "recipes")}
    for kind, known in entries.items():
        if any(name in (entry.name, entry.family) for entry in known):
            return kind == "rewards"
    if Path(source).suffix in (".yaml", ".yml", ".toml"):
        return False
    raise catalog().unknown(("rewards", "recipes"), name)


def _reward(text: str) -> Reward:
    from guerdon.recipes.building import build_reward
    from guerdon.recipes.spelling import reward_spec

    return build_reward(reward_spec([text]))
