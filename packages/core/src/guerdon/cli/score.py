"""`guerdon score`: what completions earn, and why, part by part."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guerdon.cli.sources import admit, naming, rows_of_file, rows_of_run
from guerdon.counting import counting
from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from guerdon.recipes import RewardSpec, Use
    from guerdon.rewards import Reward

JsonRow = dict[str, Any]


@click.command("score")
@click.argument("source", metavar="[RECIPE|RUN]", required=False)
@click.option("--task", metavar="NAME[k=v,...]", help="Where the examples come from.  [default: the recipe's]")
@click.option(
    "--reward", "rewards", metavar="[W*]NAME[k=v,...]", multiple=True, help="What to score with; several are summed."
)
@click.option(
    "--rollouts",
    "file",
    type=click.Path(path_type=Path),
    help='JSONL: {"example": ID, "completion": TEXT}; or messages.',
)
@click.option("--example", metavar="ID", help="Only this example.")
@click.option("--text", help='Score this completion of --example; "-" reads it from standard input.')
@click.option("--phase", default="rl", show_default=True, help="With RUN: which rollouts.")
@click.option("--step", type=int, help="With RUN: which step.  [default: the latest]")
@click.option("--rollout", "index", type=click.IntRange(min=0), help="Only the rollout of this number, counted from 0.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per rollout.")
def command(
    source: str | None,
    task: str | None,
    rewards: tuple[str, ...],
    file: Path | None,
    example: str | None,
    text: str | None,
    phase: str,
    step: int | None,
    index: int | None,
    as_json: bool,
) -> None:
    """Score completions and explain every number part by part: value, weight, contribution, status and why.

    They come from a file (--rollouts), from the command line (--example with --text), or from the run folder RUN. Task
    and reward come from RECIPE or RUN, or are named: as `guerdon list` has them, or by import path (module:attribute).
    """
    from guerdon.grading import task_and_reward

    admit("tasks", task)
    admit("rewards", *rewards)
    use, spec = task_and_reward(source, task, rewards)
    if text is not None:
        if example is None:
            raise ConfigError("--text is the completion of an example: name it with --example ID")
        rows: list[JsonRow] = [{"example": example, "completion": sys.stdin.read() if text == "-" else text}]
    elif file is not None:
        rows = rows_of_file(file)
    elif source is not None and (Path(source) / "recipe.yaml").is_file():
        rows = rows_of_run(Path(source), phase, step)
    else:
        raise ConfigError("nothing to score: give --rollouts FILE, --example ID with --text TEXT, or a run folder")
    numbered = [{**row, "number": number} for number, row in enumerate(rows) if example in (None, row["example"])]
    numbered = _with_groups_of(numbered, index)
    if not numbered:
        raise ConfigError(_why_none(rows, example, index))
    with naming(source):
        _score(use, spec, numbered, index, as_json)


def _why_none(rows: Sequence[JsonRow], example: str | None, index: int | None) -> str:
    """Why none of the rollouts is the one asked for: there is no such number, or no such example."""
    ids = list(dict.fromkeys(row["example"] for row in rows))
    if example is None:
        return f"there is no rollout {index}: the {len(rows)} there are have the numbers 0 to {len(rows) - 1}"
    numbers = ", ".join(str(number) for number, row in enumerate(rows) if row["example"] == example)
    if numbers:
        return f"rollout {index} is not of example {example!r}; those of it have the numbers {numbers}"
    near = difflib.get_close_matches(example, ids, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"They are of {', '.join(ids[:12])}{', ...' * (len(ids) > 12)}."
    return f"none of the {len(rows)} rollouts is of example {example!r}. {hint}"


def _with_groups_of(rows: list[JsonRow], index: int | None) -> list[JsonRow]:
    """The rows that share a group with rollout `index`: a group reward's number depends on them all."""
    wanted = {_group_key(row) for row in rows if index in (None, row["number"])}
    return [row for row in rows if _group_key(row) in wanted]


def _group_key(row: JsonRow) -> tuple[str, Any]:
    return row["example"], row.get("group")


def _score(use: Use, spec: RewardSpec, rows: list[JsonRow], index: int | None, as_json: bool) -> None:
    """Score the rows in their groups and print those asked for."""
    from guerdon.grading import Grader, completion_segments
    from guerdon.recipes.building import build_reward, build_task
    from guerdon.trainer.records import messages_of, segment_record

    with Grader(build_reward(spec), build_task(use)) as grader:
        scores = grader.grade(rows)
    shown = [pair for pair in zip(rows, scores, strict=True) if index in (None, pair[0]["number"])]
    assert grader.task is not None
    for row, _ in shown:
        prompt = grader.task.prompt(grader.example(row["example"]))
        asked = row.get("prompt") or messages_of(prompt)
        row["prompt"] = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        if row.get("segments"):
            continue  # they say it themselves
        if isinstance(row["completion"], str):
            row["forced"] = prompt.forced
        else:
            said = completion_segments(row["completion"], prompt.forced)
            row["segments"] = [segment_record(segment) for segment in said]
            row["completion"] = "".join(segment.text for segment in said)
    _print(grader.reward, shown, as_json)


def _print(reward: Reward, shown: Sequence[tuple[JsonRow, Any]], as_json: bool) -> None:
    from guerdon.trainer.records import part_weights, score_record

    weights = part_weights(reward)
    if as_json:
        for row, score in shown:
            record = {"example": row["example"], "rollout": row["number"], "score": score_record(score, weights)}
            click.echo(json.dumps(record, ensure_ascii=False))
        return
    from guerdon.cli.explaining import explain

    failed = [score for _, score in shown if score.status == "infra"]
    if len(failed) == len(shown):
        click.echo(f"nothing was scored, by no fault of the completions: {failed[0].why}")
    asked: object = None
    for row, score in shown:
        explain(row, score, weights, asked=row["prompt"] != asked)
        asked = row["prompt"]
    groups = {(row["example"], row.get("group")) for row, _ in shown}
    if reward.sees != "rollout" and len(groups) == len(shown) > len(failed):
        click.echo(
            f"{reward.name} compares attempts at one example; here each is alone, which is not what training sees"
        )
    values = [score.value for _, score in shown if score.scored]
    if len(shown) > 1:
        mean = f"{sum(values) / len(values):.6g}" if values else "none"
        click.echo(f"{counting(len(shown), 'rollout')}, {len(values)} scored, mean {mean}")
