"""An audit on a terminal. What an attack wrote is shown, never obeyed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group as Lines
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from guerdon.audit.auditing import Report
from guerdon.audit.findings import Finding, Verdict, counted
from guerdon.counting import counting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

COLOURS: dict[Verdict, str] = {
    "exploit": "red",
    "breaks": "red",
    "suspicious": "yellow",
    "unscored": "magenta",
    "resisted": "green",
    "idle": "dim",
}
COMPOSED = " [dim]· by the search[/]"
"""What marks an attack that nobody listed."""
SHOWN = 160
"""Characters of a completion."""


def table(report: Report, *, everything: bool = False, samples: int = 3) -> RenderableType:
    """Honest answers, attacks by severity, what the search found, and the check.

    Args:
        report: the audit.
        everything: also attacks that were resisted or applied nowhere.
        samples: of how many exploits one completion is shown.
    """
    findings = [one for one in report.everything if everything or one.verdict not in ("resisted", "idle")]
    parts: list[RenderableType] = [_head(report)]
    if findings:
        parts.append(_findings(findings))
    parts += [_sample(one) for one in findings[:samples] if one.sample is not None]
    if report.optimised is not None:
        parts.append(_curve(report))
    if report.search is not None:
        made = report.search
        parts.append(
            Text(
                f"search: {counting(made.pulls, 'pull')}, {counting(made.completions, 'completion')}, "
                f"{made.seconds:.1f} s; the best composed attacks were measured on examples it had not seen"
            )
        )
        if report.conclusion != "holds" and made.coverage.pairs:
            parts.append(Text(f"of pairs: {made.coverage}"))
    parts += [Text(f"note: {note}", style="dim") for note in report.notes]
    return Lines(*parts)


def _counts(findings: Sequence[Finding]) -> str:
    verdicts = counted(findings)
    return ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in COLOURS if verdicts[verdict])


def _head(report: Report) -> Text:
    colour = {"holds": "green", "exploitable": "red"}.get(report.conclusion, "yellow")
    text = Text()
    text.append(f"{report.title}: ", style="bold")
    text.append(report.concluded, style=f"bold {colour}")
    tried = f"{counting(len(report.findings), 'attack')}, {counting(report.variants, 'variant')}"
    text.append(f"\n{tried}: {_counts(report.findings)}")
    if report.found:
        text.append(f"\n{len(report.found)} composed by the search: {_counts(report.found)}")
    text.append(f"\nhonest answers earn {_number(report.honest_mean)}, wrong honest ones {_number(report.wrong_mean)}")
    text.append(f" ({counting(len(report.honest), 'example')})")
    if report.conclusion == "holds":
        text.append(f'\n"holds" covers: {report.covers}')
    return text


def _findings(findings: list[Finding]) -> Table:
    """What fits a terminal of 80 columns; the page and the JSON have all figures."""
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column("attack", style="cyan", overflow="fold", min_width=24)
    shown.add_column("verdict", no_wrap=True)
    unscored = any(one.unscored for one in findings)
    for heading in ("severe", "earns", "≥ honest", *(("unscored",) if unscored else ())):
        shown.add_column(heading, justify="right", no_wrap=heading not in ("≥ honest", "unscored"))
    shown.add_column("knows", no_wrap=True)
    for one in findings:
        shown.add_row(
            escape(printable(one.attack.label, 100)) + (COMPOSED if one.exploits == "composed" else ""),
            f"[{COLOURS[one.verdict]}]{one.verdict}[/]",
            _number(one.severity),
            _number(one.mean),
            "—" if math.isnan(one.share) else f"{100 * one.share:.0f} %",
            *((str(one.unscored or ""),) if unscored else ()),
            one.knows,
        )
    return shown


def _sample(finding: Finding) -> Text:
    sample = finding.sample
    assert sample is not None
    text = Text()
    text.append(
        f"{printable(finding.attack.label, 100)} on {sample.example} earned {_number(sample.score.value)}", style="bold"
    )
    text.append(f" (honest {_number(sample.honest)}): {printable(sample.score.why)}\n")
    text.append(printable(sample.completion, SHOWN), style="dim")
    return text


def _curve(report: Report) -> Table:
    best = report.optimised
    assert best is not None
    title = f"best of n, checked by {escape(best.check)}: " + (
        f"[red]reward +{best.reward_gain:.3g}, check −{best.check_loss:.3g}[/]"
        if best.hacked
        else "[yellow]the check has no number for any of these texts[/]"
        if math.isnan(best.check_loss)
        else "[green]the check does not fall with n[/]"
    )
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("n")
    for n in best.sizes:
        shown.add_column(str(n), justify="right")
    shown.add_column("honest", justify="right")
    shown.add_row("reward", *map(_number, best.reward), _number(best.honest_reward))
    shown.add_row("check", *map(_number, best.quality), _number(best.honest_quality))
    return shown


def printable(text: str, limit: int = 400) -> str:
    """Without control characters, on one line, cut."""
    cut = "".join(
        char if char.isprintable() else "␤" if char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text[:limit]
    )
    return cut + (f" … {len(text) - limit} more characters" if len(text) > limit else "")


def _number(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.3g}"
