"""An audit as a page, in the house style of run reports: one file, nothing from the network, hostile text shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from guerdon.audit.auditing import Conclusion, Report
from guerdon.audit.findings import Finding, counted
from guerdon.counting import counting
from guerdon.diagnostics.charts import line_chart
from guerdon.diagnostics.markup import number, safe, signed
from guerdon.diagnostics.pages import page, section
from guerdon.runs.durable import replace_file

MAX_SAMPLES = 12
MAX_TEXT = 4000
"""Characters of a completion."""

_SENTENCES: dict[Conclusion, str] = {
    "holds": "No attack that was tried earned more than honest answers to other questions do (see Covered).",
    "suspicious": "Some attacks earn more than honest answers to other questions; none earns as much as the right one.",
    "exploitable": "At least one attack earns as much as the honest answer, or makes the reward raise.",
    "blind": "Honest answers earn no more than honest answers to other questions: a part of a reward, never the whole.",
    "unscored": "The honest answers have no numbers, so nothing can be said.",
}
_ABOUT_ATTACKS = (
    "Per attack its worst variant. Dots: what it earned on each example; marks below them: what honest answers earned. "
    "Severity 0 is what a wrong honest answer earns, 1 what the right one does."
)
_ABOUT_FOUND = (
    "Pairs of attacks, and what a bandit put together; then measured on examples that the search had not seen."
)
_ABOUT_BEST = (
    "Of n candidates (honest, wrong, and attacks) the reward picks its favourite. Where the reward rises and the check "
    "falls, optimising the reward makes answers worse."
)


def write(report: Report, path: Path | str) -> Path:
    """Write the page.

    Returns:
        Its path.

    Raises:
        RunError: it cannot be written there.
    """
    file = Path(path)
    replace_file(file, render(report).encode("utf-8", "replace"))
    return file


def render(report: Report) -> str:
    """The page as text."""
    shown = [one for one in report.findings if one.verdict != "idle"]
    idle = [one.name for one in report.findings if one.verdict == "idle"]
    body = (
        _headline(report)
        + section("Attacks", _table(shown) + _idle(idle), _ABOUT_ATTACKS)
        + section("Found by search", _table(report.found), _ABOUT_FOUND)
        + section("Best of n", _curve(report), _ABOUT_BEST)
        + section("What earned too much", _samples(report.everything))
        + section("Notes", "".join(f"<p>{safe(note)}</p>" for note in report.notes))
    )
    return page(f"audit of {report.title}", body, f"Written by guerdon audit, seed {report.settings.seed}.")


def _headline(report: Report) -> str:
    verdicts = counted(report.everything)
    cells = "".join(
        f'<div class="stage"><div class="label">{name}</div><div class="big">{value}</div></div>'
        for name, value in (
            ("honest answers", number(report.honest_mean)),
            ("wrong honest answers", number(report.wrong_mean)),
            ("exploits", str(verdicts["exploit"] + verdicts["breaks"])),
            ("suspicious", str(verdicts["suspicious"])),
        )
    )
    facts = {
        "Reward": f"<code>{safe(repr(report.reward), 2000)}</code>",
        "Task": f"<code>{safe(repr(report.task), 500)}</code>",
        "Examples": str(len(report.honest)),
        "Attacks": f"{len(report.findings)}, in {counting(report.variants, 'variant')}",
        "Covered": safe(report.covers),
    }
    if report.search is not None:
        facts["Search"] = (
            f"{counting(report.search.pulls, 'pull')}, {counting(report.search.completions, 'completion')}; "
            f"{counting(len(report.found), 'composed attack')} measured"
        )
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    return (
        f"<h1>{safe(report.title, 160)}: {report.concluded}</h1>"
        f'<p class="lead">{_SENTENCES[report.conclusion]}</p>'
        f'<div class="stages">{cells}</div><dl class="facts">{items}</dl>'
    )


def _table(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    heads = ("Severity", "Earns", "Honest", "Wrong", "Gap", "≥ honest", "Unscored")
    head = "<th>Attack</th><th>Verdict</th><th>Earned</th>" + "".join(f'<th class="n">{name}</th>' for name in heads)
    values = [value for one in findings for value in (*one.values, *one.honest) if math.isfinite(value)]
    bounds = (min(values, default=0.0), max(values, default=1.0))
    rows = "".join(_row(one, bounds) for one in findings)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(finding: Finding, bounds: tuple[float, float]) -> str:
    share = "—" if math.isnan(finding.share) else f"{100 * finding.share:.0f} %"
    numbers = (
        number(finding.severity, 2),
        number(finding.mean),
        number(finding.honest_mean),
        number(finding.wrong_mean),
        signed(finding.gap),
        share,
        str(finding.unscored or ""),
    )
    bad = finding.verdict in ("exploit", "breaks", "suspicious")
    about = f"knows {finding.knows} · {safe(finding.attack.source)}"
    name = f'<div>{safe(finding.attack.label, 200)}</div><div class="why">{about}</div>'
    return (
        f'<tr><td>{name}</td><td class="{"minus" if bad else "plus"}">{finding.verdict}</td>'
        f"<td>{_strip(finding, bounds)}</td>" + "".join(f'<td class="n">{cell}</td>' for cell in numbers) + "</tr>"
    )


def _strip(finding: Finding, bounds: tuple[float, float]) -> str:
    """Each example's two numbers on one scale."""
    width = (bounds[1] - bounds[0]) or 1.0

    def dots(values: Sequence[float], height: int) -> str:
        places = sorted({round(100 * (value - bounds[0]) / width, 1) for value in values if math.isfinite(value)})
        return "".join(f"M{place} {height}h0" for place in places)

    told = f"earned {number(finding.mean)} on the mean, honest {number(finding.honest_mean)}"
    return (
        '<svg class="strip" style="min-width:120px" viewBox="0 0 100 10" preserveAspectRatio="none" role="img">'
        f'<title>{told}</title><path class="rail" d="M0 5H100"/><path class="reach" d="{dots(finding.honest, 9)}"/>'
        f'<path class="dot" d="{dots(finding.values, 4)}"/></svg>'
    )


def _idle(names: Sequence[str]) -> str:
    return f'<p class="about">Nothing to attack: {safe(", ".join(names))}.</p>' if names else ""


def _curve(report: Report) -> str:
    best = report.optimised
    if best is None:
        return ""
    steps = [float(n) for n in best.sizes]
    charts = [
        line_chart(name, steps, {name: values}, smooth=False, axis="n")
        for name, values in (("reward", best.reward), (f"check: {best.check}", best.quality))
    ]
    told = (
        f"The reward rose by {number(best.reward_gain)} and the check fell by {number(best.check_loss)}."
        if best.hacked
        else "The check has no number for any of these texts."
        if math.isnan(best.check_loss)
        else "The check does not fall with n."
    )
    honest = f"The honest answers have {number(best.honest_reward)} and {number(best.honest_quality)}."
    return f'<p>{told} {honest}</p><div class="charts">{"".join(charts)}</div>'


def _samples(findings: Sequence[Finding]) -> str:
    bad = [one for one in findings if one.verdict in ("exploit", "breaks", "suspicious") and one.sample is not None]
    more = (
        f'<p class="about">{len(bad) - MAX_SAMPLES} more are in the JSON output.</p>' if len(bad) > MAX_SAMPLES else ""
    )
    return "".join(map(_sample, bad[:MAX_SAMPLES])) + more


def _sample(finding: Finding) -> str:
    sample = finding.sample
    assert sample is not None  # the caller left the others out
    score = sample.score
    parts = "".join(
        f'<tr><td>{safe(name, 60)}</td><td class="n">{number(value)}</td></tr>' for name, value in score.flat().items()
    )
    table = f'<table class="parts"><tbody>{parts}</tbody></table>' if parts else ""
    return (
        f'<div class="sample"><header><b>{safe(finding.attack.label, 200)}</b>'
        f"<span>example {safe(sample.example, 80)}</span></header>"
        f'<div class="sides"><div class="side"><header><span class="score">{number(score.value)}</span>'
        f"<span>honest {number(sample.honest)}</span><span>{finding.verdict}</span></header>"
        f'<pre class="text">{safe(sample.completion, MAX_TEXT)}</pre>'
        f'<div class="why">{safe(score.why, 400)}</div>{table}'
        "</div></div></div>"
    )
