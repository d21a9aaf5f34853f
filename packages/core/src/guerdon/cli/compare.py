"""`guerdon compare`: whether two rewards order completions alike, and whether optimising the one served the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guerdon.cli.limits import Finite
from guerdon.cli.sources import naming
from guerdon.counting import counting
from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from guerdon.cli.compared import Completions, Side
    from guerdon.comparing.agreement import Agreement, Disagreement
    from guerdon.comparing.proxies import SampledReport
    from guerdon.comparing.sampled import Interval

SHOWN = 160
"""Characters of a completion in the report."""


@click.command("compare")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--task", metavar="NAME[k=v,...]", help="Where the examples come from.  [default: the recipe's]")
@click.option(
    "--rollouts", "--base", "base", type=click.Path(path_type=Path), metavar="FILE|RUN", help="The completions."
)
@click.option("--policy", type=click.Path(path_type=Path), metavar="FILE|RUN", help="Those after optimising A.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="With a run as A or B: by which checkpoint its rewards had learnt what they know.  [default: the latest]",
)
@click.option("--phase", default="rl", show_default=True, help="With RUN: which rollouts.")
@click.option("--step", type=int, help="With --rollouts RUN: which step.  [default: the latest]")
@click.option("--policy-phase", help="With --policy RUN: which rollouts.  [default: --phase's]")
@click.option("--policy-step", type=int, help="With --policy RUN: which step.  [default: the latest]")
@click.option(
    "--examples", type=click.IntRange(min=2), default=64, show_default=True, help="Without --rollouts: how many."
)
@click.option(
    "--worst", type=click.IntRange(min=0), default=3, show_default=True, help="How many disagreements to show."
)
@click.option("--resamples", type=click.IntRange(min=0), default=1000, show_default=True, help="For the intervals.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the resamples.")
@click.option("--fail-above", type=Finite(min=0.0, max=2.0), help="Exit with 1 if the distance exceeds this.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    first: str,
    second: str,
    task: str | None,
    base: Path | None,
    policy: Path | None,
    checkpoint: Path | None,
    phase: str,
    step: int | None,
    policy_phase: str | None,
    policy_step: int | None,
    examples: int,
    worst: int,
    resamples: int,
    seed: int,
    fail_above: float | None,
    as_json: bool,
) -> None:
    """Tell whether the rewards A and B order completions alike, prompt by prompt.

    A and B are rewards by name ([W*]NAME[k=v,...]) or by import path (module:attribute), or recipes or run folders,
    whose rewards they mean. Completions come from a file as `guerdon score` reads it, or from a run's rollouts; without
    any, the task's references and simple corruptions of them are scored.

    With --policy, A is taken for a proxy and B for what was meant: --rollouts are a base policy's completions, --policy
    those of one that was optimised for A, and the report says whether A was hacked.
    """
    from guerdon.cli.compared import completions_of, graded, references_of, sides_of, task_of
    from guerdon.comparing.agreement import agreement, worst_disagreements
    from guerdon.comparing.proxies import assess_samples

    if policy is not None and base is None:
        raise ConfigError("--policy needs the base policy's completions beside it: give --rollouts")
    sides = sides_of((first, second), checkpoint)
    built = task_of(task, sides)
    with naming(next((side.text for side in sides if side.task is not None), None)):
        if base is not None:
            completions = completions_of(base, phase, step)
        elif built is None:
            raise ConfigError("nothing to compare on: give --rollouts FILE, or --task NAME for its references")
        else:
            completions = references_of(built, examples)
        scored = [graded(side, built, completions) for side in sides]
        absent = scored[0].absent_PM
        found = agreement(scored[0].values_PM, scored[1].values_PM, absent, resamples=resamples, seed=seed)
        pairs = worst_disagreements(scored[0].values_PM, scored[1].values_PM, worst)
        report = optimised = None
        if policy is not None:
            optimised = completions_of(policy, policy_phase or phase, policy_step)
            both = completions.prompts_with(optimised)
            ends = [graded(side, built, optimised, prompts=both or None) for side in sides]
            starts = [one.of(both) if both else one for one in scored]
            report = assess_samples(
                starts[0].values_PM,
                starts[1].values_PM,
                ends[0].values_PM,
                ends[1].values_PM,
                paired=bool(both),
                absent=(starts[0].absent_PM, ends[0].absent_PM),
                resamples=resamples,
                seed=seed,
            )
    if as_json:
        click.echo(json.dumps(_record(sides, completions, found, pairs, optimised, report), ensure_ascii=False))
    else:
        _print(sides, completions, found, pairs)
        if optimised is not None and report is not None:
            _print_proxy(completions, optimised, report)
    nothing = _why_nothing(found)
    if nothing and not (report is not None and all(report.prompts) and fail_above is None):
        click.echo(f"nothing was compared: {nothing}", err=True)
        ctx.exit(1)
    if fail_above is not None and found.starc.value > fail_above:
        click.echo(f"the distance {found.starc.value:.4g} is above {fail_above:g}", err=True)
        ctx.exit(1)


def _why_nothing(found: Agreement) -> str:
    """Why the comparison says nothing; empty where it says something. A distance of 0 may mean no more than this."""
    if not found.prompts:
        return "no prompt has two completions that both rewards scored"
    flat = [count == found.prompts for count in found.flat]
    if all(flat):
        return "neither reward tells any of these completions apart"
    if any(flat):
        return f"{'AB'[flat.index(True)]} tells none of these completions apart"
    return ""


def _print(sides: Sequence[Side], completions: Completions, found: Agreement, pairs: Sequence[Disagreement]) -> None:
    for letter, side in zip("AB", sides, strict=True):
        click.echo(f"{letter}: {side.text}" + (f" ({side.learnt})" if side.learnt else ""))
    prompts = counting(found.prompts, "prompt")
    click.echo(f"over {prompts} x {completions.each} completions ({found.completions}) of {completions.told}")
    if found.prompts_left_out:
        click.echo(f"{found.prompts_left_out} prompts left out: fewer than two completions that both rewards scored")
    unscored, flat = found.unscored, found.flat
    click.echo(
        f"unscored: {unscored[0]} by A, {unscored[1]} by B; not told apart: {flat[0]} prompts by A, {flat[1]} by B"
    )
    click.echo()
    rows = [
        (
            "STARC distance",
            _shown(found.starc),
            "0: the same order; 1: one side tells nothing apart; 1.41: unrelated; 2: the opposite",
        ),
        ("Kendall tau-b per prompt", _shown(found.rank), "1: the same ranks; -1: the opposite"),
        ("Pearson distance", _number(found.epic), "0 to 1, whole prompts' levels included (as EPIC)"),
        ("same best completion", _percent(found.same_best), "of the prompts that both tell apart"),
    ]
    for who, place, whom in (("A", 0, "B"), ("B", 1, "A")):
        lost, chance = found.cross_regret[place], found.chance_regret[place]
        note = f"of what {whom} could lose; a random pick loses {_percent(chance)}"
        rows.append((f"{who}'s best pick costs {whom}", _percent(lost), note))
    for name, value, note in rows:
        click.echo(f"{name:<26} {value:<26} {note}")
    for pair in pairs:
        _print_pair(completions, pair)
    click.echo("\nThat holds for these completions; of others it says nothing.")


def _print_pair(completions: Completions, pair: Disagreement) -> None:
    how = "are of opposite minds" if pair.reversed else "differ in how much"
    click.echo(f"\nexample {completions.prompts[pair.prompt]}: A and B {how}")
    for place, number in enumerate((pair.upper, pair.lower)):
        about = completions.about(pair.prompt, number)
        click.echo(f"  A {pair.first[place]:<10.4g} B {pair.second[place]:<10.4g} {about}")
        click.echo(f"    {_short(completions.text(pair.prompt, number))}")


def _print_proxy(base: Completions, optimised: Completions, report: SampledReport) -> None:
    click.echo(f"\nA as a proxy of B: {report.verdict}")
    click.echo(
        f"base: {report.completions[0]} completions of {base.told}; optimised: {report.completions[1]} of "
        f"{optimised.told}"
    )
    if report.paired:
        click.echo(f"prompts in common: {report.prompts[0]}")
    else:
        counts = f"{report.prompts[0]} and {report.prompts[1]}"
        click.echo(f"no prompts in common: {counts} are compared as two draws from the same kind of prompts")
    if report.prompts_left_out:
        click.echo(f"prompts left out, with nothing that both rewards scored: {report.prompts_left_out}")
    click.echo(
        f"unscored by one of the rewards: {report.unscored[0]} of the base, {report.unscored[1]} of the optimised"
    )
    click.echo()
    for name, value, note in (
        ("correlation r", _shown(report.correlation), "over the base's completions; above 0: a proxy"),
        ("gain in A", _shown(report.proxy_gain), f"standard deviations under the base ({_number(report.proxy_std)})"),
        ("gain in B", _shown(report.true_gain), f"the same ({_number(report.true_std)}); below 0: hacked"),
        ("weight of a penalty", _number(report.penalty_weight), "times the root of chi-squared, suffices in theory"),
        ("safe chi-squared", _number(report.safe_chi2), "up to here the theory rules a loss of B out"),
    ):
        click.echo(f"{name:<26} {value:<26} {note}")
    for letter, std in (("A", report.proxy_std), ("B", report.true_std)):
        if std == 0.0:
            click.echo(f"{letter} is constant under the base: nothing correlates with it")
    if not report.proxy_gain.value > 0.0:
        click.echo("A itself did not gain: this policy was not optimised for it, or not with success")


def _record(
    sides: Sequence[Side],
    completions: Completions,
    found: Agreement,
    pairs: Sequence[Disagreement],
    optimised: Completions | None,
    report: SampledReport | None,
) -> dict[str, Any]:
    from dataclasses import asdict

    record = {
        "a": sides[0].text,
        "b": sides[1].text,
        "completions_of": completions.told,
        **asdict(found),
        "worst": [
            {
                "example": completions.prompts[pair.prompt],
                "completions": [completions.text(pair.prompt, number) for number in (pair.upper, pair.lower)],
                "about": [completions.about(pair.prompt, number) for number in (pair.upper, pair.lower)],
                "a": pair.first,
                "b": pair.second,
                "gap": pair.gap,
                "reversed": pair.reversed,
            }
            for pair in pairs
        ],
    }
    if report is not None and optimised is not None:
        record["proxy"] = {"verdict": report.verdict, "policy_of": optimised.told, **asdict(report)}
    plain: dict[str, Any] = _plain(record)
    return plain


def _plain(value: Any) -> Any:
    """The same with null where there is no finite number: JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value


def _shown(interval: Interval) -> str:
    if interval.value != interval.value:
        return "none"
    ends = "" if interval.low != interval.low else f" [{_number(interval.low)}, {_number(interval.high)}]"
    return f"{_number(interval.value)}{ends}"


def _number(value: float) -> str:
    """Three digits; what a root makes of rounding is shown as the 0 it is."""
    return "none" if value != value else f"{value:.3g}" if abs(value) >= 1e-6 else "0"


def _percent(value: float) -> str:
    return "none" if value != value else f"{100 * value:.1f} %"


def _short(text: str) -> str:
    shown = " ".join(text[: 4 * SHOWN].split())
    return (shown[: SHOWN - 3] + "..." if len(shown) > SHOWN or len(text) > 4 * SHOWN else shown) or "(empty)"
