"""A run's policy as the screener: its prompts, its layout, its weights."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.protocols import Sampling
from guerdon_resume.answers import written
from guerdon_resume.keywords import Keywords, policy_of
from guerdon_resume.tasks import Screening


class Silent:
    name = "other/task-v1"


@pytest.fixture
def screened(monkeypatch, tmp_path):
    """`guerdon screen` with a run whose policy and task are given."""
    from guerdon.recipes import running

    (tmp_path / "run").mkdir()
    (tmp_path / "job.txt").write_text("Clerk\nRequirements: SQL, Excel\n")
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"Ann\n{number} years of SQL. Pivot tables.")

    def ask(policy, task):
        config = SimpleNamespace(
            sampling=SimpleNamespace(sampling=lambda greedy: Sampling(0.0)), eval=SimpleNamespace(batch_size=2)
        )
        monkeypatch.setattr(running, "recipe_of", lambda run: None)
        trainer = SimpleNamespace(task=task, policy=policy, config=config)
        monkeypatch.setattr(running, "trainer_of", lambda recipe: trainer)
        monkeypatch.setattr("guerdon.cli.sources.find_checkpoint", lambda run, checkpoint: tmp_path / "step-000001")
        resumes = [str(tmp_path / f"{number}.txt") for number in range(3)]
        line = ["screen", str(tmp_path / "job.txt"), *resumes, "--run", str(tmp_path / "run"), "--json"]
        return CliRunner().invoke(main, line)

    return ask


def test_a_runs_policy_is_asked_about_every_resume_with_its_weights(screened):
    loaded = []
    policy = policy_of(Keywords("synonyms"))
    policy.load = loaded.append
    result = screened(policy, Screening())
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)["resumes"]
    assert [one["score"] for one in found] == [84, 82, 80]  # 30 + 50 + 2 a year
    assert [path.name for path in loaded] == ["policy"]


def test_a_policy_of_short_answers_is_read_as_it_was_asked(screened):
    policy = policy_of(lambda examples: [written("REJECTED", 30, (), None, "short") for _ in examples])
    found = json.loads(screened(policy, Screening(layout="short")).output)["resumes"]
    assert {(one["status"], one["score"]) for one in found} == {("REJECTED", 30)}
    assert found[0]["skills"] == ["SQL", "Excel"]  # those of the text, where the answer names none


def test_a_policy_that_babbles_rejects_nobody(screened):
    found = json.loads(screened(policy_of(lambda examples: ["hm"] * len(examples)), Screening()).output)["resumes"]
    assert {(one["status"], one["score"]) for one in found} == {("REVIEW", None)}


def test_a_run_of_another_task_is_refused(screened):
    result = screened(policy_of(Keywords()), Silent())
    assert result.exit_code != 0
    assert "learned the task other/task-v1" in f"{result.output}{result.exception}"
