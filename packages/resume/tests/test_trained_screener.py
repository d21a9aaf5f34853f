"""A run's policy as the screener: its prompts, its layout, its weights."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.errors import PolicyError
from guerdon.protocols import Sampling
from guerdon_resume.answers import written
from guerdon_resume.keywords import Keywords, policy_of
from guerdon_resume.tasks import Screening


class Silent:
    name = "other/task-v1"


@pytest.fixture
def screened(monkeypatch, tmp_path):
    """`guerdon screen` with a run whose policy and task are given."""
    from guerdon.recipes import trained

    (tmp_path / "run").mkdir()
    (tmp_path / "job.txt").write_text("Clerk\nRequirements: SQL, Excel\n")
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"Ann\n{number} years of SQL. Pivot tables.")

    def ask(policy, task):
        limits = SimpleNamespace(batch_size=2, max_tokens=0)
        config = SimpleNamespace(sampling=SimpleNamespace(sampling=lambda greedy: Sampling(0.0)), eval=limits)

        def trainer_of(recipe, checkpoint):
            policy.weights = checkpoint
            return SimpleNamespace(task=task, policy=policy, config=config)

        monkeypatch.setattr(trained, "recipe_of", lambda run: SimpleNamespace(task=None))
        monkeypatch.setattr(trained, "build_task", lambda use: task)
        monkeypatch.setattr(trained, "trainer_of", trainer_of)
        monkeypatch.setattr(trained, "find_checkpoint", lambda run, checkpoint: tmp_path / "step-000001")
        resumes = [str(tmp_path / f"{number}.txt") for number in range(3)]
        line = ["screen", str(tmp_path / "job.txt"), *resumes, "--run", str(tmp_path / "run"), "--json"]
        return CliRunner().invoke(main, line)

    ask.run = tmp_path / "run"
    return ask


def test_a_runs_policy_is_asked_about_every_resume_with_its_weights(screened):
    policy = policy_of(Keywords("synonyms"))
    result = screened(policy, Screening())
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)["resumes"]
    assert [one["score"] for one in found] == [84, 82, 80]  # 30 + 50 + 2 a year
    assert policy.weights.name == "step-000001"


def test_a_policy_of_short_answers_is_read_as_it_was_asked(screened):
    policy = policy_of(lambda examples: [written("REJECTED", 30, (), None, "short") for _ in examples])
    found = json.loads(screened(policy, Screening(layout="short")).output)["resumes"]
    assert {(one["status"], one["score"]) for one in found} == {("REJECTED", 30)}
    assert found[0]["skills"] == ["SQL", "Excel"]  # those of the text, where the answer names none


def test_a_policy_that_babbles_rejects_nobody(screened):
    found = json.loads(screened(policy_of(lambda examples: ["hm"] * len(examples)), Screening()).output)["resumes"]
    assert {(one["status"], one["score"]) for one in found} == {("REVIEW", None)}
    assert found[0]["notes"][0] == "the screener gave no verdict: no JSON object in it ('hm')"


def test_a_resume_that_is_too_long_for_the_model_costs_itself_alone(screened):
    keywords = Keywords("synonyms")

    def said(examples):
        if any("2 years" in one.resume for one in examples):
            raise PolicyError("a prompt of 9000 tokens, and the model's context is 2048")
        return keywords(examples)

    found = json.loads(screened(policy_of(said), Screening()).output)["resumes"]
    assert [one["score"] for one in found] == [82, 80, None]
    assert found[2]["status"] == "REVIEW"
    assert "9000 tokens" in found[2]["notes"][0]


def test_an_audit_can_show_whole_resumes_to_a_run_that_learned_from_facts(screened):
    """The policy sees prompts: with facts no name reaches it, whole it likes he/him."""
    asked = []

    def said(examples):
        return [written("REJECTED", 30, (), 0)] * len(examples)

    policy = policy_of(said)
    sample = policy.sample

    def spying(task, examples, *more, **options):
        asked.extend(task.prompt(example).messages[-1].content for example in examples)
        return sample(task, examples, *more, **options)

    policy.sample = spying
    screened(policy, Screening())
    line = ["resume", "fairness", "--count", "6", "--run"]
    for shown, told in (("facts", False), ("whole", True)):
        asked.clear()
        result = CliRunner().invoke(main, [*line, str(screened.run), "--shown", shown])
        assert result.exit_code == 0, result.output
        assert any("@example.com" in prompt for prompt in asked) == told
    refused = CliRunner().invoke(main, ["resume", "fairness", "--shown", "whole"])
    assert "name it with --run" in f"{refused.output}{refused.exception}"


def test_a_run_of_another_task_is_refused(screened):
    result = screened(policy_of(Keywords()), Silent())
    assert result.exit_code != 0
    assert "learned the task other/task-v1" in f"{result.output}{result.exception}"
