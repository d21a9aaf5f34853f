"""From a recipe file to a report on the command line, with a table for a policy: seconds on one core."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from guerdon.cli import main

for needed, hint in (("torch", "'guerdon[train]'"), ("guerdon_hello", "./examples/guerdon-hello")):
    if find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed: pip install {hint}", allow_module_level=True)

NAMES = ("ada", "alan", "barbara", "claude", "edsger", "emmy", "grace", "john", "katherine", "leslie", "mary", "tony")
RECIPE = f"""
name: hello
task: hello/strangers
policy: {{use: tabular, with: {{states: {list(NAMES)}, actions: ["Hello!", "Hm.", "What?"]}}}}
reward: {{sum: [{{use: hello/greets, weight: 2.0}}]}}
train:
  steps: 12
  prompts_per_step: 9
  group_size: 8
  sampling: {{max_tokens: 1}}
  optimizer: {{lr: 0.3}}
  eval: {{examples: 3}}
  checkpoint_every: 4
"""


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "hello.yaml").write_text(RECIPE)
    said = run("train", str(folder / "hello.yaml"), "--out", str(folder / "run"), "--seed", "3")
    assert said.splitlines()[-1] == f"report {folder / 'run' / 'report.html'}"
    return folder / "run"


def lines(run_folder: Path, phase: str) -> list[dict]:
    metrics = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in metrics if line["phase"] == phase]


def test_the_policy_learns_to_greet(trained):
    """A greeting without the name earns 0.5, weighed 2.0: the most this table can say is 1.0. Chance is a third."""
    totals = [line["reward/total"] for line in lines(trained, "rl")]
    assert len(totals) == 12
    assert totals[0] < 0.6
    assert totals[-1] > 0.9


def test_every_part_is_logged_under_its_name(trained):
    assert all(line["reward/total"] == pytest.approx(2.0 * line["reward/greets"]) for line in lines(trained, "rl"))


def test_a_finished_run_can_be_scored_again_part_by_part(trained):
    record = json.loads(run("score", str(trained), "--rollout", "0", "--json"))
    part = record["score"]["parts"]["greets"]
    assert record["score"]["value"] == 2.0 * part["value"]
    assert record["score"]["weights"] == {"greets": 2.0}


def test_a_checkpoint_can_be_evaluated(trained):
    """Strangers never trained on are answered as the table began: with its first action, "Hello!", by the tie."""
    shown = json.loads(run("eval", str(trained), "--json"))
    assert shown["tasks"]["hello/strangers-v1"]["count"] == 3
    assert shown["checkpoint"].startswith(str(trained / "checkpoints" / "step-"))


def test_the_report_can_be_written_again(trained):
    before = (trained / "report.html").read_text()
    (trained / "report.html").unlink()
    run("report", str(trained))
    assert len((trained / "report.html").read_text()) == len(before)


def test_resuming_a_finished_run_changes_no_number(trained):
    before = (trained / "metrics.jsonl").read_text()
    run("train", str(trained), "--resume")
    assert (trained / "metrics.jsonl").read_text() == before


def test_the_same_seed_gives_the_same_numbers(trained, tmp_path):
    again = tmp_path / "again"
    run("train", str(trained / "recipe.yaml"), "--out", str(again))
    for first, second in zip(lines(trained, "rl"), lines(again, "rl"), strict=True):
        timeless = [name for name in first if not name.startswith("time") and name != "time_s"]
        assert {name: first[name] for name in timeless} == {name: second[name] for name in timeless}


def test_a_run_folder_is_not_written_over(trained):
    result = CliRunner().invoke(main, ["train", str(trained / "recipe.yaml"), "--out", str(trained)])
    assert result.exit_code == 2
    assert "--resume" in result.output


def test_a_misspelt_field_is_named_before_anything_is_written(tmp_path):
    (tmp_path / "hello.yaml").write_text(RECIPE)
    arguments = ["train", str(tmp_path / "hello.yaml"), "--set", "train.stesp=3", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "'train.stesp' is unknown; did you mean 'steps'?" in result.output
    assert not (tmp_path / "run").exists()
