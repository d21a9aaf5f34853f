"""`guerdon score`: what completions earn, and why, part by part."""

from __future__ import annotations

import difflib
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guerdon.cli.sources import PLACE, admit, is_run, naming, rows_of_file, rows_of_run
from guerdon.counting import counting
from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from guerdon.protocols import Task
    from guerdon.rewards import Context, Reward
    from guerdon.types import Score

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
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="With RUN: by which checkpoint its rewards had learnt what they know.  [default: the latest]",
)
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
    checkpoint: Path | None,
    index: int | None,
    as_json: bool,
) -> None:
    """Score completions and explain every number part by part: value, weight, contribution, status and why.

    They come from a file (--rollouts), from the command line (--example with --text), or from the run folder RUN. Task
    and reward come from RECIPE or RUN, or are named: as `guerdon list` has them, or by import path (module:attribute).

    Of a run's rollouts each is scored among its siblings, and where it earns another number now than the run recorded,
    both are said. Rewards of a run that learn are as they were by a checkpoint.
    """
    from guerdon.grading import task_and_reward
    from guerdon.grading.taking_up import take_up
    from guerdon.recipes.building import build_reward, build_task

    admit("tasks", task)
    admit("rewards", *rewards)
    use, spec = task_and_reward(source, task, rewards)
    if text is not None:
        if example is None:
            raise ConfigError("--text is the completion of an example: name it with --example ID")
        rows: list[JsonRow] = [{"example": example, "completion": sys.stdin.read() if text == "-" else text}]
    elif file is not None:
        rows = rows_of_file(file)
    elif source is not None and is_run(source):
        rows = rows_of_run(Path(source), phase, step)
    else:
        raise ConfigError("nothing to score: give --rollouts FILE, --example ID with --text TEXT, or a run folder")
    numbered = [{**row, "number": number} for number, row in enumerate(rows)]
    wanted = {row["number"] for row in numbered if example in (None, row["example"]) and index in (None, row["number"])}
    if not wanted:
        raise ConfigError(_why_none(rows, example, index))
    with naming(source):
        reward = build_reward(spec)
        recorded = not rewards and task is None and file is None and text is None and phase == "rl"
        run = Path(source) if source is not None and recorded else None
        shows = run is not None and reward.needs_policy
        learnt = "" if shows else take_up(reward, None if rewards else source, checkpoint)
        _score(reward, build_task(use), numbered, wanted, run, learnt, as_json)


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


def _needed(reward: Reward, rows: list[JsonRow], wanted: set[int]) -> list[list[JsonRow]]:
    """The rows that the numbers of the wanted ones depend on, by what was scored at once: those of their groups, and
    where the reward looks at the whole batch, all of their round of sampling.
    """
    chosen = [row for row in rows if row["number"] in wanted]
    if reward.sees == "batch":
        rounds = {row.get("round", 0) for row in chosen}
        return [[row for row in rows if row.get("round", 0) == each] for each in sorted(rounds)]
    groups = {_group_key(row) for row in chosen}
    return [[row for row in rows if _group_key(row) in groups]]


def _group_key(row: JsonRow) -> tuple[str, Any]:
    return row["example"], row.get("group")


def _score(
    reward: Reward, task: Task, rows: list[JsonRow], wanted: set[int], run: Path | None, learnt: str, as_json: bool
) -> None:
    """Score the wanted rows among those they depend on, and print them.

    Args:
        reward: with what it had learnt.
        task: whose examples they are.
        rows: all there are, numbered.
        wanted: the numbers of those to print.
        run: the run whose rollouts these are, as its own reward recorded them; None for any others.
        learnt: what the reward had learnt by when, in words.
        as_json: print JSON.
    """
    from guerdon.grading import Grader, completion_segments
    from guerdon.trainer.records import messages_of, score_of, segment_record

    done: list[tuple[JsonRow, Score]] = []
    with Grader(reward, task) as grader:
        if run is not None and reward.needs_policy:
            learnt = f"{reward.name} asks the policy that was trained: what the run recorded, and nothing scored anew"
            done = [(row, score_of(row["score"])) for row in rows]
        else:
            for batch in _needed(reward, rows, wanted):
                places = [row.get(PLACE, "row 1") for row in batch]
                done += zip(batch, grader.grade(batch, _context(run, batch), places=places), strict=True)
        shown = [pair for pair in done if pair[0]["number"] in wanted]
        for row, _ in shown:
            prompt = task.prompt(grader.example(row["example"]))
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
    if as_json:
        _print_json(reward, shown, run is not None)
        return
    siblings = Counter(_group_key(row) for row, _ in done)
    _print(reward, shown, alone=all(siblings[_group_key(row)] == 1 for row, _ in shown))
    if learnt:
        click.echo(learnt)
    if run is not None and (told := _moved(reward, shown)):
        click.echo(told)


def _context(run: Path | None, batch: Sequence[JsonRow]) -> Context | None:
    """How far the run was when it scored these rows, for rewards with schedules and draws."""
    from guerdon.recipes.running import recipe_of
    from guerdon.rewards import Context
    from guerdon.trainer.batches import step_seed

    if run is None or not batch:
        return None
    recipe, step, number = recipe_of(run), int(batch[0].get("step", 0)), batch[0].get("round", 0)
    return Context(step, recipe.train.steps, step_seed(recipe.seed, f"rl-refill-{number}" if number else "rl", step))


def _moved(reward: Reward, shown: Sequence[tuple[JsonRow, Score]]) -> str:
    """What is said where rollouts earn another number now than the run recorded; empty where none does."""
    from guerdon.rewards.learning import learning

    others = [(row, score) for row, score in shown if not _same(_recorded(row), score)]
    if not others:
        return ""
    row, score = others[0]
    which = "" if len(shown) == 1 else f"{len(others)} of {len(shown)} rollouts earn another number than was recorded; "
    names = ", ".join(dict.fromkeys(node.label for node in learning(reward)))
    why = f"what {names} learns has moved on" if names else "the reward, or what it asks, is not what it was"
    return (
        f"{which}rollout {row['number']}: the run recorded {_number(_recorded(row))}, now {_number(score.value)}; {why}"
    )


def _recorded(row: JsonRow) -> float:
    """The value that a run kept with a rollout; NaN for none."""
    value = (row.get("score") or {}).get("value")
    return math.nan if value is None else float(value)


def _same(recorded: float, score: Score) -> bool:
    if not score.scored or math.isnan(recorded):
        return math.isnan(recorded) and not score.scored
    return math.isclose(recorded, score.value, rel_tol=1e-9, abs_tol=1e-12)


def _number(value: float) -> str:
    return "no score" if math.isnan(value) else f"{value:.6g}"


def _print_json(reward: Reward, shown: Sequence[tuple[JsonRow, Score]], recorded: bool) -> None:
    from guerdon.trainer.records import part_weights, score_record

    weights = part_weights(reward)
    for row, score in shown:
        record = {"example": row["example"], "rollout": row["number"], "score": score_record(score, weights)}
        if recorded:
            record["recorded"] = None if math.isnan(value := _recorded(row)) else value
        click.echo(json.dumps(record, ensure_ascii=False))


def _print(reward: Reward, shown: Sequence[tuple[JsonRow, Score]], *, alone: bool) -> None:
    from guerdon.cli.explaining import explain
    from guerdon.trainer.records import part_weights

    weights = part_weights(reward)
    failed = [score for _, score in shown if score.status == "infra"]
    if len(failed) == len(shown):
        click.echo(f"nothing was scored, by no fault of the completions: {failed[0].why}")
    elif not any(score.scored for _, score in shown):
        click.echo(f"nothing was scored: {shown[0][1].why}")
    asked: object = None
    for row, score in shown:
        explain(row, score, weights, asked=row["prompt"] != asked)
        asked = row["prompt"]
    if alone and len(shown) > len(failed) and (names := ", ".join(_comparing(reward))):
        click.echo(f"{names} compares attempts at one example; here each is alone, which is not what training sees")
    values = [score.value for _, score in shown if score.scored]
    if len(shown) > 1:
        mean = f"{sum(values) / len(values):.6g}" if values else "none"
        click.echo(f"{counting(len(shown), 'rollout')}, {len(values)} scored, mean {mean}")


def _comparing(reward: Reward) -> list[str]:
    """The parts that compare attempts: not those that look at a batch to learn from it, nor what is made of either."""
    from guerdon.rewards import walk

    nodes = [node for node in walk(reward) if node.sees != "rollout" and not node.stateful]
    own = [node for node in nodes if all(child.sees == "rollout" for child in node.children)]
    return list(dict.fromkeys(node.label for node in own))
