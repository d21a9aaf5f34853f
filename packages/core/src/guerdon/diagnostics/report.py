"""The report page of a run: one file that asks nothing of the network, and can be sent to a colleague.

It reads top to bottom as the questions come: did it get better, how did the reward move, was training healthy, where
did the time go, what did the policy actually write, and what exactly was run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guerdon.counting import counting
from guerdon.diagnostics.charts import interval_strip, line_chart, stacked_chart
from guerdon.diagnostics.facts import (
    STAGES,
    Evaluation,
    Facts,
    column,
    last_by_stage,
    numeric_names,
    reward_expression,
    use,
)
from guerdon.diagnostics.intervals import MeanInterval, mean_interval
from guerdon.diagnostics.markup import number, safe, sign_class, signed
from guerdon.diagnostics.pages import page, section
from guerdon.diagnostics.samples import Illustrate, eval_samples, training_samples
from guerdon.errors import RunError
from guerdon.progress import clock
from guerdon.runs.durable import replace_file

MAX_CHARTS = 40
"""Charts of one section; a reward with more parts than that is summed up in a line."""
_HEALTH = ("groups/dead", "groups/count", "unscored", "length/mean", "length/max", "length/truncated_share")
_UPDATE = ("loss", "grad_norm", "entropy", "clip_share", "kl", "lr", "sampler_gap", "sampler_kl", "corrected_share")
_TIMES = {"time/sample_s": "sample", "time/score_s": "score", "time/train_s": "train"}

_TITLES = {
    "grad_norm": "gradient norm",
    "entropy": "entropy (nats)",
    "clip_share": "clipped, share",
    "kl": "KL to the reference",
    "lr": "learning rate",
    "sampler_gap": "sampler and trainer apart (nats)",
    "sampler_kl": "KL(sampler, trainer)",
    "corrected_share": "corrected beyond bounds, share",
}
_ABOUT_TRAINING = (
    "The best attempt and the worst of the groups with the widest spread, and what each part made of them."
)
_ABOUT_EVALS = (
    "Greedy answers to one question at each stage: some that changed, for better and worse, and some that still fail."
)
_ABOUT_INTERVALS = "{} of one stage alone; stages share their examples, so differences are surer than they suggest."
_KINDS = {
    "Wilson": "Wilson intervals (each example has 0 or 1)",
    "t": "Student's t intervals (from the examples' values)",
}


def render(run_path: Path | str, illustrate: Illustrate | None = None) -> Path:
    """Write `report.html` into the run folder; also while the run goes on.

    Args:
        run_path: the run's folder.
        illustrate: draws an attempt, given its record (`guerdon.recipes.illustrating`); None shows words only.

    Returns:
        The page's path.

    Raises:
        RunError: there is no such folder, its metrics are damaged, or the page cannot be written.
    """
    run = Path(run_path)
    if not run.is_dir():
        raise RunError(f"{str(run)!r} is not a folder: there is no run to report on.")
    facts = Facts.read(run)
    sections = (
        _headline(facts),
        section(
            "Reward", _reward(facts), "What the reward paid per step, a mean over the batch; its parts before weights."
        ),
        section("Held out, along the way", _eval_curves(facts)),
        section(
            "Health", _health(facts), "Dead groups teach nothing: all attempts earned the same. Lengths are in tokens."
        ),
        section("Updates", _updates(facts)),
        section(
            "Alignment",
            _supervised(facts, "alignment"),
            "What sees learns which words the references hold, before the warm start.",
        ),
        section("Warm start", _supervised(facts, "sft"), "Supervised steps on reference answers, before RL."),
        section("Time", _time(facts)),
        section("What it wrote in training", training_samples(run, illustrate), _ABOUT_TRAINING),
        section("What it wrote on held-out examples", eval_samples(run, illustrate), _ABOUT_EVALS),
        section("Further metrics", _others(facts)),
        section("What was run", _record(facts)),
    )
    path = run / "report.html"
    text = page(_task(facts), "".join(sections), f"Written by guerdon from {facts.path.name}.")
    replace_file(path, text.encode("utf-8", "replace"))
    return path


def _task(facts: Facts) -> str:
    node = facts.recipe.get("task")
    name = node.get("use") if isinstance(node, Mapping) else node
    return str(name or facts.recipe.get("name") or facts.path.name)


# -- the headline ----------------------------------------------------------------------------------------------------


def _headline(facts: Facts) -> str:
    evaluations = last_by_stage(facts.evaluations())
    metric = next(iter(evaluations[-1].values)) if evaluations else ""
    blocks = [
        f"<h1>{safe(_task(facts), 120)}</h1>",
        f'<p class="lead">{_in_a_sentence(facts, evaluations, metric)}</p>',
    ]
    if evaluations:
        blocks.append(_stages(facts, evaluations, metric))
        blocks.append(_eval_table(facts, evaluations))
    reward = facts.recipe.get("reward")
    duration = facts.duration_s()
    rows = {
        "Policy": use(facts.recipe.get("policy")),
        "Reward": f"<code>{safe(reward_expression(reward), 2000)}</code>" if reward else "",
        "Seed": facts.versions.get("seed", facts.recipe.get("seed")),
        "Duration": clock(duration) if duration else "",
        "Machine": facts.machine(),
    }
    items = "".join(
        f"<dt>{name}</dt><dd>{value if name == 'Reward' else safe(value, 400)}</dd>"
        for name, value in rows.items()
        if value not in ("", None)
    )
    return "".join(blocks) + (f'<dl class="facts">{items}</dl>' if items else "")


def _in_a_sentence(facts: Facts, evaluations: Sequence[Evaluation], metric: str) -> str:
    steps = len(facts.phase("rl"))
    work = f"{steps:,} RL step{'s' if steps != 1 else ''}" if steps else "No RL steps yet"
    named = {evaluation.stage: evaluation for evaluation in evaluations if metric in evaluation.values}
    first = named.get("sft") or named.get("before")
    if first is None or "rl" not in named or not steps:
        return f"{work}."
    before, after = first.values[metric], named["rl"].values[metric]
    if not (math.isfinite(before) and math.isfinite(after)):
        return f"{work}."
    change = after - before
    verb = "raised" if change > 0 else "lowered" if change < 0 else "left"
    by = f" ({signed(change)})" if change else ""
    return f"{work} {verb} held-out {safe(metric, 60)} from {number(before)} to {number(after)}{by}."


def _stages(facts: Facts, evaluations: Sequence[Evaluation], metric: str) -> str:
    """The first metric at each stage, in large numbers, with its interval on a common scale."""
    scored = {evaluation.stage: facts.example_values(evaluation).get(metric) for evaluation in evaluations}
    ranges = {stage: mean_interval(values or ()) for stage, values in scored.items()}
    found = [interval for interval in ranges.values() if interval]
    known = [end for interval in found for end in (interval.low, interval.high)]
    bounds = (min(known), max(known)) if known else (0.0, 1.0)
    cells = []
    previous = math.nan
    for place, evaluation in enumerate(evaluations):
        value = evaluation.values.get(metric, math.nan)
        interval = ranges[evaluation.stage]
        change = value - previous
        shown = f'<span class="change {sign_class(change)}">{signed(change)}</span>' if math.isfinite(change) else ""
        final = " final" if place == len(evaluations) - 1 and place else ""
        label = safe(STAGES.get(evaluation.stage, evaluation.stage), 40)
        cells.append(
            f'<div class="stage{final}"><div class="label">{label}</div>'
            f'<div class="big">{number(value)}{shown}</div>'
            + (interval_strip(value, interval.low, interval.high, bounds) if interval else "")
            + (f'<div class="range">95 %: {number(interval.low)} to {number(interval.high)}</div>' if interval else "")
            + "</div>"
        )
        previous = value
    asked = f", greedy, {counting(evaluations[-1].count, 'example')}" if evaluations[-1].count else ""
    about = _ABOUT_INTERVALS.format(_kinds(found)) if found else ""
    note = f"Held-out <b>{safe(metric, 60)}</b>{asked}{_fewer(scored[evaluations[-1].stage], evaluations[-1])}. {about}"
    return f'<div class="stages">{"".join(cells)}</div><p class="about">{note}</p>'


def _eval_table(facts: Facts, evaluations: Sequence[Evaluation]) -> str:
    """Every metric of every evaluated task by stage; nothing where the headline says it all."""
    groups = {"": evaluations} | {task: last_by_stage(facts.evaluations(task)) for task in facts.eval_tasks()}
    stages = [evaluation.stage for evaluation in evaluations]
    rows, used = [], []
    for task, found in groups.items():
        scored = {evaluation.stage: facts.example_values(evaluation) for evaluation in found}
        for metric in dict.fromkeys(name for evaluation in found for name in evaluation.values):
            cells = ""
            for stage in stages:
                evaluation = next((e for e in found if e.stage == stage), None)
                value = evaluation.values.get(metric) if evaluation else None
                values = scored.get(stage, {}).get(metric)
                interval = mean_interval(values or ())
                used += [interval] if interval else []
                told = (f"±{number(interval.reach)}" if interval else "") + (
                    _fewer(values, evaluation) if evaluation else ""
                )
                reach = f' <span class="none">{told}</span>' if told else ""
                cells += f'<td class="n">{number(value)}{reach}</td>'
            name = f"{task} / {metric}" if task else metric
            rows.append(f"<tr><td>{safe(name, 80)}</td>{cells}</tr>")
    if len(rows) < 2:
        return ""
    head = "".join(f'<th class="n">{safe(STAGES.get(stage, stage), 40)}</th>' for stage in stages)
    head = f"<thead><tr><th>Held-out metric</th>{head}</tr></thead>"
    about = f'<p class="about">±: half of the 95 %, by {_kinds(used)}.</p>' if used else ""
    return f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>{about}'


def _kinds(intervals: Sequence[MeanInterval]) -> str:
    return " and ".join(_KINDS[kind] for kind in dict.fromkeys(interval.kind for interval in intervals))


def _fewer(values: Sequence[float] | None, evaluation: Evaluation) -> str:
    """How many examples a metric scored, where that is known and they are not all that were asked."""
    return "" if values is None or len(values) == evaluation.count else f", {len(values):,} scored"


# -- the curves ------------------------------------------------------------------------------------------------------


def _steps(lines: Sequence[Mapping[str, Any]]) -> list[float]:
    return [float(line.get("step") or 0) for line in lines]


def _charts(charts: Sequence[str], kind: str = "charts") -> str:
    drawn = [chart for chart in charts if chart]
    extra = len(drawn) - MAX_CHARTS
    note = f'<p class="about">{extra} more are in metrics.jsonl.</p>' if extra > 0 else ""
    return f'<div class="{kind}">{"".join(drawn[:MAX_CHARTS])}</div>{note}' if drawn else ""


def _reward(facts: Facts) -> str:
    lines = facts.phase("rl")
    steps = _steps(lines)
    parts = [
        name
        for name in numeric_names(lines)
        if name.startswith("reward/") and name not in ("reward/total", "reward/std")
    ]
    total = column(lines, "reward/total")
    wide = line_chart("total", steps, {"total": total}, spread=column(lines, "reward/std"))
    values = {name: column(lines, name) for name in parts}
    unit = all(0.0 <= value <= 1.0 for series in values.values() for value in series if math.isfinite(value))
    domain = (0.0, 1.0) if unit else None  # one scale for all parts, where they share one
    small = [
        line_chart(name.removeprefix("reward/"), steps, {name: series}, domain=domain)
        for name, series in values.items()
    ]
    return _charts([wide], "charts wide") + _charts(small)


def _eval_curves(facts: Facts) -> str:
    """Evaluations against RL steps, from where RL started; nothing where the headline shows them all."""
    found = facts.evaluations()
    start = [evaluation for evaluation in found if evaluation.stage in ("before", "sft")][-1:]
    evaluations = start + [evaluation for evaluation in found if evaluation.stage == "rl"]
    if len(evaluations) < len(start) + 2:
        return ""
    steps = [0.0 if evaluation in start else float(evaluation.step) for evaluation in evaluations]
    names = dict.fromkeys(name for evaluation in evaluations for name in evaluation.values)
    columns = {name: [evaluation.values.get(name, math.nan) for evaluation in evaluations] for name in names}
    return _charts(
        [line_chart(name, steps, {name: values}, smooth=False, axis="RL step") for name, values in columns.items()]
    )


def _health(facts: Facts) -> str:
    lines = facts.phase("rl")
    steps = _steps(lines)
    pairs = zip(column(lines, "groups/dead"), column(lines, "groups/count"), strict=True)
    dead = [a / b if b else math.nan for a, b in pairs]
    lengths = {name: column(lines, f"length/{name}") for name in ("mean", "max")}
    unscored, truncated = column(lines, "unscored"), column(lines, "length/truncated_share")
    return _charts(
        [
            line_chart("dead groups, share", steps, {"dead": dead}, domain=(0.0, 1.0)),
            line_chart("completion length", steps, lengths),
            line_chart("truncated, share", steps, {"truncated": truncated}, domain=_from_zero(truncated, 0.1)),
            line_chart("unscored rollouts", steps, {"unscored": unscored}) if any(v > 0 for v in unscored) else "",
        ]
    )


def _from_zero(values: Sequence[float], at_least: float) -> tuple[float, float]:
    """A y axis from 0, so that a share that is nearly nothing looks like it."""
    return 0.0, max([at_least, *(value for value in values if math.isfinite(value))])


def _updates(facts: Facts) -> str:
    return _named_charts(facts.phase("rl"), _UPDATE)


def _supervised(facts: Facts, phase: str) -> str:
    lines = facts.phase(phase)
    return _named_charts(lines, [name for name in numeric_names(lines) if not name.startswith("time/")])


def _named_charts(lines: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """One chart per metric; a schedule is drawn as it is."""
    steps = _steps(lines)
    return _charts(
        [line_chart(_TITLES.get(name, name), steps, {name: column(lines, name)}, smooth=name != "lr") for name in names]
    )


def _time(facts: Facts) -> str:
    lines = facts.phase("rl")
    known = {short: column(lines, name) for name, short in _TIMES.items()}
    others = {name: name for name in numeric_names(lines) if name.startswith("time/") and name not in _TIMES}
    known |= {name.removeprefix("time/").removesuffix("_s"): column(lines, name) for name in others}
    chart = stacked_chart("per RL step", _steps(lines), known, unit="seconds")
    if not chart:
        return ""
    sums = {name: math.fsum(value for value in values if math.isfinite(value)) for name, values in known.items()}
    total = sum(sums.values()) or 1.0
    rows = "".join(
        f'<tr><td>{safe(name, 40)}</td><td class="n">{number(spent / len(lines), 2)} s</td>'
        f'<td class="n">{100 * spent / total:.0f} %</td></tr>'
        for name, spent in sums.items()
        if spent
    )
    tokens = [value for value in column(lines, "tokens/sampled") if math.isfinite(value)]
    if tokens and sums.get("sample"):
        speed = number(sum(tokens) / sums["sample"], 0)
        rows += f'<tr><td>tokens sampled per second of sampling</td><td class="n">{speed}</td><td></td></tr>'
    head = '<thead><tr><th>RL</th><th class="n">Mean step</th><th class="n">Share</th></tr></thead>'
    table = f"<table>{head}<tbody>{rows}</tbody></table>"
    return _charts([chart], "charts wide") + table


def _others(facts: Facts) -> str:
    """Whatever else a reward or a controller logged: nothing that was measured is hidden."""
    lines = facts.phase("rl")
    shown = {*_HEALTH, *_UPDATE, "tokens/sampled"}
    names = [name for name in numeric_names(lines) if name not in shown and not name.startswith(("reward/", "time/"))]
    return _charts([line_chart(name, _steps(lines), {name: column(lines, name)}) for name in names])


def _record(facts: Facts) -> str:
    """The recipe and the versions, whole."""
    distributions = facts.versions.get("distributions")
    rows = {name: value for name, value in facts.versions.items() if name != "distributions"}
    rows |= distributions if isinstance(distributions, Mapping) else {}
    table = "".join(f"<tr><td>{safe(name, 60)}</td><td>{safe(value, 200)}</td></tr>" for name, value in rows.items())
    recipe = f'<h3>Recipe</h3><pre class="text">{safe(facts.recipe_text, 20_000)}</pre>' if facts.recipe_text else ""
    return recipe + (f"<h3>Versions</h3><table><tbody>{table}</tbody></table>" if table else "")
