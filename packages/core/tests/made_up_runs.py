"""Run folders with believable learning curves, made up from a seed, for the report's tests."""

from __future__ import annotations

import math
import random
from pathlib import Path

from guerdon.runs import RunFolder

RECIPE = """\
name: sql-quickstart
task: {use: sql/generated, with: {train_size: 400, levels: [filter, aggregate, join]}}
policy: {use: language, with: {model: smollm2-135m-instruct, dtype: bfloat16, device: cpu, lora_rank: 16}}
reward:
  sum:
  - {use: sql/execution-v1, weight: 3.0, name: execution, with: {mode: bag}}
  - {use: sql/runs-v1, weight: 1.0, name: runs}
  - {use: sql/schema-linking-v1, weight: 1.0, name: schema}
  - {use: sql/ngram-v1, weight: 1.0, name: ngram}
  - {use: sql/format-v1, weight: 1.0, name: format}
  then: []
advantage: {use: group_relative, with: {std: true, ddof: 1}}
seed: 7
"""
WEIGHTS = {"execution": 3.0, "runs": 1.0, "schema": 1.0, "ngram": 1.0, "format": 1.0}
SCHEMA = """\
CREATE TABLE singer (singer_id INTEGER, name TEXT, country TEXT, age INTEGER);
CREATE TABLE concert (concert_id INTEGER, singer_id INTEGER, year INTEGER);"""
GOLD = "SELECT name FROM singer WHERE country = 'France' ORDER BY age"


def made_up_run(
    path: Path, steps: int = 120, seed: int = 7, *, extra: int = 0, hostile: str = "", evals: bool = True
) -> Path:
    """A finished run of `steps` RL steps; `extra` metrics more per step; `hostile` text in every completion."""
    draw = random.Random(seed)
    with RunFolder.create(path, RECIPE, seed, tensorboard=False) as run:
        if evals:
            evaluate(run, draw, "before", 0, 0.031, hostile)
        for step in range(25):
            run.log(
                step,
                "sft",
                {
                    "loss": 0.35 + 2.2 * math.exp(-step / 5) + draw.gauss(0, 0.04),
                    "lr": 1e-4,
                    "grad_norm": 1 + 4 * math.exp(-step / 4) + draw.random(),
                    "time/train_s": 2.0,
                },
            )
        if evals:
            evaluate(run, draw, "sft", 25, 0.447, hostile)
        for step in range(steps):
            gone = 1 - math.exp(-3 * step / max(1, steps))
            run.log(
                step,
                "rl",
                {
                    **step_metrics(draw, step / max(1, steps), gone),
                    **{f"extra/{i}": draw.random() for i in range(extra)},
                },
            )
            if step % max(1, steps // 12) == 0 or step == steps - 1:
                rollouts(run, draw, step, gone, hostile)
            if evals and step and step % max(1, steps // 4) == 0 and step < steps - 1:
                evaluate(run, draw, "rl", step, 0.447 + 0.11 * gone, hostile)
        if evals:
            evaluate(run, draw, "rl", steps, 0.559, hostile)
    return path


def step_metrics(draw: random.Random, share: float, gone: float) -> dict[str, float]:
    """One step's numbers; `share` of the run is over, `gone` of the learning done."""
    parts = {
        "execution": 0.42 + 0.22 * gone + draw.gauss(0, 0.05),
        "runs": 0.80 + 0.15 * gone + draw.gauss(0, 0.03),
        "schema": 0.68 + 0.14 * gone + draw.gauss(0, 0.03),
        "ngram": 0.51 + 0.12 * gone + draw.gauss(0, 0.03),
        "format": 0.93 + 0.06 * gone + draw.gauss(0, 0.01),
    }
    parts = {name: min(1.0, max(0.0, value)) for name, value in parts.items()}
    length = 34 - 5 * gone + draw.gauss(0, 2)
    return {
        "reward/total": sum(WEIGHTS[name] * value for name, value in parts.items()),
        "reward/std": 1.4 - 0.4 * gone + draw.gauss(0, 0.1),
        **{f"reward/{name}": value for name, value in parts.items()},
        "groups/count": 8,
        "groups/dead": min(8, max(0, round(draw.gauss(1 + 3 * gone, 1)))),
        "unscored": 0,
        "length/mean": length,
        "length/max": min(96, length * draw.uniform(1.8, 3.2)),
        "length/truncated_share": max(0.0, 0.06 * (1 - gone) + draw.gauss(0, 0.01)),
        "tokens/sampled": round(length * 64),
        "loss": draw.gauss(0, 0.02),
        "grad_norm": 0.6 + 0.3 * draw.random() + (2.0 if draw.random() < 0.02 else 0.0),
        "entropy": 0.42 - 0.22 * gone + draw.gauss(0, 0.015),
        "clip_share": max(0.0, draw.gauss(0.012, 0.005)),
        "kl": 0.02 * gone + abs(draw.gauss(0, 0.001)),
        "lr": 2e-5 * (1 + math.cos(math.pi * share)) / 2,
        "time/sample_s": 3.1 + draw.gauss(0, 0.2),
        "time/score_s": 0.22 + 0.05 * draw.random(),
        "time/train_s": 2.4 + draw.gauss(0, 0.15),
    }


def attempt(draw: random.Random, skill: float, hostile: str) -> tuple[str, dict]:
    """A completion and its score."""
    good, runs = draw.random() < skill, True
    text = f"I need the singers from France, youngest first.\n\n```sql\n{GOLD}\n```"
    if not good:
        runs = draw.random() < 0.6
        text = f"```sql\nSELECT {'name' if runs else 'nam'} FROM singer WHERE country = 'france'\n```"
    parts = {
        "execution": (
            float(good),
            "4 of 4 rows agree" if good else "0 rows, gold has 4" if runs else "the query failed",
            "ok" if runs else "fail",
        ),
        "runs": (float(runs), "" if runs else "no such column: nam", "ok" if runs else "fail"),
        "schema": (1.0 if good else 0.67, "missing: age" if not good else "", "ok"),
        "ngram": (1.0 if good else 0.44, "", "ok"),
        "format": (1.0 if good else -0.5, "" if good else "no reasoning before the query", "ok"),
    }
    scores = {
        name: {"value": value, "why": why, "status": status, "weights": {}, "parts": {}}
        for name, (value, why, status) in parts.items()
    }
    total = sum(WEIGHTS[name] * scores[name]["value"] for name in WEIGHTS)
    return text + hostile, {
        "value": total,
        "why": "",
        "status": "ok" if runs else "fail",
        "weights": WEIGHTS,
        "parts": scores,
    }


def record(draw: random.Random, skill: float, hostile: str, **fields: object) -> dict:
    text, score = attempt(draw, skill, hostile)
    prompt = [
        {"role": "system", "content": "Answer with one SQLite query."},
        {
            "role": "user",
            "content": f"{SCHEMA}\n\nWhich singers come from France? List their names, the youngest first.",
        },
    ]
    return {
        "prompt": prompt,
        "completion": text,
        "reference": GOLD,
        "stop": "stop",
        "advantage": None,
        "score": score,
        **fields,
    }


def rollouts(run: RunFolder, draw: random.Random, step: int, gone: float, hostile: str) -> None:
    records = []
    for group in range(4):
        rows = [
            record(
                draw,
                0.4 + 0.3 * gone,
                hostile,
                step=step,
                phase="rl",
                example=f"train-{group:03d}",
                group=group,
                index=i,
            )
            for i in range(6)
        ]
        values = [row["score"]["value"] for row in rows]
        mean = sum(values) / len(values)
        std = math.sqrt(sum((value - mean) ** 2 for value in values) / 5) + 1e-4
        records += [{**row, "advantage": (value - mean) / std} for row, value in zip(rows, values, strict=True)]
    run.write_rollouts("rl", step, records)


def evaluate(run: RunFolder, draw: random.Random, stage: str, step: int, accuracy: float, hostile: str) -> None:
    """320 held-out examples, of which `execution` scores all and `soft_f1` every second one."""
    records = []
    right = set(draw.sample(range(320), round(320 * accuracy)))
    for example in range(320):
        row = record(
            draw,
            float(example in right),
            hostile if example < 12 else "",
            step=step,
            phase="eval",
            example=f"eval-{example:03d}",
            group=example,
            index=0,
        )
        execution = row["score"]["parts"]["execution"]
        soft = {**execution, "why": ""} if example % 2 else {**execution, "value": None, "status": "abstain"}
        parts = {"execution": execution, "soft_f1": soft}
        records.append(
            {
                **row,
                "score": {
                    "value": execution["value"],
                    "why": "",
                    "status": execution["status"],
                    "weights": {},
                    "parts": parts,
                },
            }
        )
    run.write_rollouts(f"eval-{stage}", step, records)
    run.log(
        step,
        "eval",
        {
            "stage": stage,
            "eval/execution": len(right) / 320,
            "eval/soft_f1": sum(number in right for number in range(1, 320, 2)) / 160,
            "eval/count": 320,
            "eval/time_s": 31.0,
            "eval/flights/execution": accuracy * 0.7,
            "eval/flights/count": 120,
            "eval/flights/time_s": 12.0,
        },
    )
