"""Sample rollouts: which ones to show, and how their scores are explained part by part."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from guerdon.diagnostics.facts import STAGES
from guerdon.diagnostics.markup import number, picture, safe, sign_class, signed
from guerdon.runs import read_rollouts, rollout_files

Record = Mapping[str, Any]
Illustrate = Callable[[Record], bytes | None]
"""An attempt's record as an encoded picture, or None."""

MAX_TEXT = 4000
"""Characters of a completion or message that are shown."""
MAX_IMAGE_BYTES = 1 << 20
"""A larger picture is left out: the page is one file."""
MAX_WHY = 300
MAX_PARTS = 24
MAX_DEPTH = 3
GROUPS_PER_STEP = 2
EVAL_EXAMPLES = 6


def training_samples(run: Path, illustrate: Illustrate | None = None) -> str:
    """The best and the worst of a group side by side, for the first, the middle and the last logged RL step."""
    files = [(step, path) for phase, step, path in rollout_files(run) if phase == "rl"]
    chosen = dict([files[0], files[len(files) // 2], files[-1]]) if files else {}
    blocks = []
    for step, path in chosen.items():
        groups: dict[str, list[Record]] = {}
        for record in read_rollouts(path):
            groups.setdefault(str(record.get("group")), []).append(record)
        # The widest groups teach the most, and are where the reward can be judged by eye.
        widest = sorted(groups.values(), key=_width, reverse=True)[:GROUPS_PER_STEP]
        if widest:
            blocks.append(f"<h3>Step {step:,}</h3>" + "".join(_group(records, illustrate) for records in widest))
    return "".join(blocks)


def eval_samples(run: Path, illustrate: Illustrate | None = None) -> str:
    """The same held-out example at each stage, those first whose score changed the most."""
    stages: dict[str, dict[str, Record]] = {}
    for stage in STAGES:
        files = [path for phase, _, path in rollout_files(run) if phase == f"eval-{stage}"]
        if files:
            stages[stage] = {str(record.get("example")): record for record in read_rollouts(files[-1])}
    if not stages and (files := [path for phase, _, path in rollout_files(run) if phase == "eval"]):
        stages["rl"] = {str(record.get("example")): record for record in read_rollouts(files[-1])}
    names = list(next(reversed(stages.values()))) if stages else []
    seen = {name: [stages[stage][name] for stage in stages if name in stages[stage]] for name in names}
    gained = sorted(names, key=lambda name: _change(seen[name]))
    # Half of what was gained, then what was lost or still fails: a page that shows successes only teaches nothing.
    half = EVAL_EXAMPLES // 2
    better = [name for name in reversed(gained) if _change(seen[name]) > 0][:half]
    worse = [name for name in gained if _change(seen[name]) < 0][: half - 1]
    failing = sorted((name for name in names if name not in {*better, *worse}), key=lambda name: _value(seen[name][-1]))
    shown = [*better, *worse, *failing][:EVAL_EXAMPLES]
    blocks = []
    for name in shown:
        sides = {STAGES[stage]: stages[stage][name] for stage in stages if name in stages[stage]}
        blocks.append(_sample(sides, "", illustrate))
    return "".join(blocks)


def _group(records: Sequence[Record], illustrate: Illustrate | None) -> str:
    """The best and the worst attempt of one group; one side only where there is nothing to compare."""
    ordered = sorted((record for record in records if math.isfinite(_value(record))), key=_value)
    unscored = len(records) - len(ordered)
    note = f"{len(records)} attempts" + (f", {unscored} unscored" if unscored else "")
    if not ordered:
        return _sample({"Unscored": records[0]}, note, illustrate)
    best, worst = ordered[-1], ordered[0]
    if _value(best) == _value(worst):
        dead = not any(record.get("advantage") for record in ordered)  # what turns earned may differ all the same
        alike = "All alike (a dead group)" if dead else "All alike in total"
        return _sample({alike if len(ordered) > 1 else "Only attempt": best}, note, illustrate)
    return _sample({"Best": best, "Worst": worst}, note, illustrate)


def _sample(sides: Mapping[str, Record], note: str, illustrate: Illustrate | None) -> str:
    """Attempts at one prompt, side by side; contributions are drawn on one scale."""
    record = list(sides.values())[-1]
    largest = max(_largest(_mapping(side.get("score"))) for side in sides.values())
    messages = record.get("prompt")
    prompt = "".join(
        f'<div class="role">{safe(message.get("role", ""), 20)}</div>'
        f"<pre>{safe(message.get('content', ''), MAX_TEXT)}</pre>"
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, Mapping)
    )
    reference = record.get("reference")
    prompt = _shown(record) + prompt
    folded = {"Prompt": prompt, "Reference": f"<pre>{safe(reference, MAX_TEXT)}</pre>" if reference else ""}
    return (
        f'<article class="sample"><header><span>Example <b>{safe(record.get("example", "?"), 120)}</b></span>'
        f"<span>{note}</span></header>"
        + "".join(
            f"<details><summary>{name}</summary>{content}</details>" for name, content in folded.items() if content
        )
        + '<div class="sides">'
        + "".join(_side(label, side, largest, illustrate) for label, side in sides.items())
        + "</div></article>"
    )


def _shown(record: Record) -> str:
    """The images of the prompt, as far as their files are still there."""
    images = record.get("images")
    return "".join(_from_file(name, "shown with the prompt") for name in (images if isinstance(images, list) else []))


def _answered(record: Record) -> str:
    """The images that an environment answered with, as far as they are still there."""
    segments = record.get("segments")
    found = []
    for segment in segments if isinstance(segments, list) else []:
        images = _mapping(segment).get("images")
        for image in map(_mapping, images if isinstance(images, list) else []):
            if "path" in image:
                found.append(_from_file(image["path"], "shown by the environment"))
            elif len(encoded := str(image.get("data", ""))) <= MAX_IMAGE_BYTES * 4 // 3:
                with suppress(ValueError):  # not base64: somebody else's file
                    found.append(picture(base64.b64decode(encoded), "shown by the environment"))
    return "".join(found)


def _from_file(name: Any, about: str) -> str:
    file = Path(str(name))
    there = file.is_file() and file.stat().st_size <= MAX_IMAGE_BYTES
    return picture(file.read_bytes(), f"{about}: {file.name}") if there else ""


def _side(label: str, record: Record, largest: float, illustrate: Illustrate | None) -> str:
    """One attempt: how it looks, what it said and what each part of the reward made of it."""
    score = _mapping(record.get("score"))
    advantage = _finite(record.get("advantage"))
    value = number(_finite(score.get("value")))
    about = [f'<h4>{safe(label)}</h4><span class="score">{value}</span>{_chip(score)}']
    if advantage is not None:
        about.append(f'<span>advantage <b class="{sign_class(advantage)}">{signed(advantage, 2)}</b></span>')
    if record.get("stop") == "length":
        about.append("<span>cut at the length limit</span>")
    completion = str(record.get("completion", ""))
    drawn = illustrate(record) if illustrate is not None else None
    seen = picture(drawn, "how this attempt looks") if drawn and len(drawn) <= MAX_IMAGE_BYTES else ""
    text = safe(completion, MAX_TEXT) if completion else '<span class="none">(empty)</span>'
    return (
        f'<div class="side"><header>{"".join(about)}</header>{_answered(record)}{seen}'
        f'<pre class="text" tabindex="0">{text}</pre>'
        f"{_explanation(score, largest)}</div>"
    )


def _explanation(score: Record, largest: float) -> str:
    """The score as a table: part, weight, value, contribution; without weights, part and value."""
    parts = _mapping(score.get("parts"))
    why = score.get("why")
    said = any(_mapping(part).get("why") == why for part in parts.values())
    note = f'<div class="why">{safe(why, MAX_WHY)}</div>' if why and not said else ""
    if not parts:
        return note
    heads = ("Weight", "Value", "Adds") if largest else ("Value",)
    head = "<th>Part</th>" + "".join(f'<th class="n">{name}</th>' for name in heads)
    rows = _rows(score, largest, 0)
    more = len(rows) - MAX_PARTS
    cut = f'<tr><td class="none" colspan="4">{more} more parts</td></tr>' if more > 0 else ""
    body = "".join(rows[:MAX_PARTS]) + cut
    return f'<table class="parts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}'


def _largest(score: Record) -> float:
    """The largest size of a part's contribution; 0 where nothing is weighted."""
    weights = _mapping(score.get("weights"))
    parts = _mapping(score.get("parts")).items()
    pairs = [(_finite(weights.get(name)), _finite(_mapping(part).get("value"))) for name, part in parts]
    return max(
        (abs(weight * value) for weight, value in pairs if weight is not None and value is not None), default=0.0
    )


def _rows(score: Record, largest: float, depth: int) -> list[str]:
    parts, weights = _mapping(score.get("parts")), _mapping(score.get("weights"))
    rows = []
    for name, raw in parts.items():
        part = _mapping(raw)
        value, weight = _finite(part.get("value")), _finite(weights.get(name))
        why = f'<div class="why">{safe(part["why"], MAX_WHY)}</div>' if part.get("why") else ""
        cells = f"<td>{safe(name, 60)}{_chip(part)}{why}</td>"
        if largest:
            adds = weight * value if weight is not None and value is not None else None
            cells += (
                f'<td class="n">{f"{weight:g}" if weight is not None else ""}</td><td class="n">{number(value)}</td>'
            )
            cells += (
                f'<td class="n {sign_class(adds)}">{signed(adds) if adds is not None else ""}{_bar(adds, largest)}</td>'
            )
        else:
            cells += f'<td class="n">{number(value)}</td>'
        rows.append(f"<tr{' class=inner' if depth else ''}>{cells}</tr>")
        if depth + 1 < MAX_DEPTH:
            rows += _rows(part, largest, depth + 1)
    return rows


def _bar(adds: float | None, largest: float) -> str:
    """A bar from the middle: right for what adds, left for what takes away. The number beside it carries the sign."""
    if adds is None or not largest:
        return ""
    width = round(50 * min(1.0, abs(adds) / largest), 1)
    left = 50 if adds >= 0 else 50 - width
    return f'<span class="bar" aria-hidden="true"><i style="left:{left}%;width:{width}%"></i></span>'


def _chip(score: Record) -> str:
    status = score.get("status", "ok")
    return "" if status == "ok" else f'<span class="chip minus">{safe(status, 20)}</span>'


def _width(records: Sequence[Record]) -> float:
    values = [value for record in records if math.isfinite(value := _value(record))]
    return max(values) - min(values) if values else -1.0


def _change(records: Sequence[Record]) -> float:
    change = _value(records[-1]) - _value(records[0])
    return change if math.isfinite(change) else 0.0


def _value(record: Record) -> float:
    value = _finite(_mapping(record.get("score")).get("value"))
    return math.nan if value is None else value


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
