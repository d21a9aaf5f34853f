"""`guerdon page`: what the page package does beside training."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click


@click.group("page")
def command() -> None:
    """What the page package does beside training."""


@command.command("pairs")
@click.argument("logs", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--level", type=click.Choice(["page", "item"]), required=True, help="Whose reward model learns from them."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The JSONL file to write.")
@click.option("--layout", type=click.Choice(["json", "lines"]), default="json", show_default=True, help="Of a page.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one, other edits.")
def pairs(logs: Path, level: str, out: Path, layout: str, seed: int) -> None:
    """Make contrastive pairs of the logged pages in LOGS, weighted, as `guerdon reward-model` reads them.

    The two models go into the reward as `page/pagellm`'s `page: {use: reward-model, ...}` and `item: {use:
    page/item-scores, with: {reward: {use: reward-model, ...}}}`.
    """
    import json

    from guerdon.counting import counting
    from guerdon.errors import ConfigError
    from guerdon_page.contrasts import FAMILIES_OF, Level, contrasts
    from guerdon_page.logs import preference_rows, read_logs
    from guerdon_page.prompts import Layout

    if out.exists():
        raise ConfigError(f"{str(out)!r} is there already; name another file, or remove it")
    of_level = cast(Level, level)
    examples = [example for example in read_logs(logs) if example.shown]
    made = contrasts(examples, families=FAMILIES_OF[of_level], seed=seed)
    told = ", ".join(f"{family} {count}" for family, count in sorted(made.skipped.items())) or "none"
    rows = preference_rows(made, of_level, layout=cast(Layout, layout))
    if not rows:
        raise ConfigError(
            f"no pair can be made of the {counting(len(examples), 'logged page')} in {str(logs)!r}; edits that were "
            f"impossible: {told}. A swap needs a page that somebody engaged with"
        )
    try:
        out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"pairs cannot be written to {str(out)!r}: {error}") from None
    told_of = f"{counting(len(rows), 'pair')} of {counting(len(examples), 'logged page')}"
    click.echo(f"{told_of} to {out}; edits that were impossible: {told}")


@command.command("off-policy")
@click.argument("log", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--clip", type=click.FloatRange(min=0.0, min_open=True), help="Largest weight.  [default: no limit]")
@click.option("--confidence", type=click.FloatRange(0.0, 1.0, True, True), default=0.95, show_default=True)
def off_policy(log: Path, clip: float | None, confidence: float) -> None:
    """Estimate what a policy would have earned from LOG: JSONL with `reward`, `propensity` and `target`.

    `propensity` is the chance that the logging policy took the action, `target` that of the policy in question. With
    `modelled` and `expected`, a model's rewards, the doubly robust estimate comes beside the others.
    """
    import math

    from guerdon_page.bandit_logs import read_decisions
    from guerdon_page.off_policy import ESTIMATORS, doubly_robust

    rows = read_decisions(log)
    options = {"clip": math.inf if clip is None else clip, "confidence": confidence}
    logged = rows.reward_N, rows.propensity_N, rows.target_N
    for name, estimator in ESTIMATORS.items():
        click.echo(f"{name:<14} {estimator(*logged, **options)}")
    if rows.modelled_N is not None and rows.expected_N is not None:
        click.echo(f"{'doubly robust':<14} {doubly_robust(*logged, rows.modelled_N, rows.expected_N, **options)}")
