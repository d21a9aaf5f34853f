"""What `guerdon export` writes of an installed recipe, `guerdon score --rollouts` reads: references earn the top."""

import json

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.grading import Grader
from guerdon.plugins.catalog import catalog


def run(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output + repr(result.exception)
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("recipe", "rewards", "top"),
    [("sql", (), 7.0), ("code", ("--reward", "code/outcome"), 1.0), ("code-turns", ("--reward", "code/outcome"), 1.0)],
)
@pytest.mark.parametrize("split", ["train", "eval"])
def test_references_are_exported_and_scored_as_the_top(recipe, rewards, top, split, tmp_path):
    if recipe not in [entry.name for entry in catalog().entries("recipes")]:
        pytest.skip(f"the recipe {recipe} is not installed")
    rows = run("export", recipe, "--split", split, "--limit", "6")
    assert len(rows) == 6
    file = tmp_path / "done.jsonl"
    file.write_text("".join(json.dumps({**row, "completion": row["reference"]}) + "\n" for row in rows))
    by_recipe = run("score", recipe, *rewards, "--rollouts", str(file), "--json")
    assert [(line["example"], line["score"]["value"]) for line in by_recipe] == [(row["example"], top) for row in rows]

    [task] = {row["task"] for row in rows}  # the row alone says whose example it is
    with Grader.of(recipe, task=task, reward=list(rewards[1:])) as grader:
        answers = [{"example": row["example"], "completion": row["reference"]} for row in rows]
        assert [score.value for score in grader.grade(answers)] == [top] * 6
