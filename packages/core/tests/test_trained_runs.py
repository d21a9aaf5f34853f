"""The policy of a run folder, asked: its weights are the checkpoint's, and a task that is not wanted loads no model."""

import pytest

from guerdon.errors import ConfigError, RunError
from guerdon.grading import Grader
from guerdon.plugins.catalog import register_local
from guerdon.protocols import Task
from guerdon.recipes.trained import greedy_answers, trainer_of_run
from guerdon.rewards import reward
from guerdon.types import Example, Message, Prompt, Score

torch = pytest.importorskip("torch", reason="a table needs torch")


class Words(Task):
    name = "test/words-v1"

    def examples(self, split):
        return [Example(id=str(number)) for number in range(5)]

    def prompt(self, example):
        return Prompt((Message("user", "say"),), observation="s")


@reward(bounds=(0.0, 1.0))
def spoken(rollout):
    return Score(1.0)


@reward
def length(rollout):
    return float(len(rollout.answer))


@pytest.fixture
def folder(tmp_path):
    """A run of two checkpoints, whose tables say "first" and "second"."""
    from guerdon.policies.tabular import TabularPolicy

    register_local("tasks", "test/words-v1", Words)
    register_local("rewards", "test/spoken-v1", spoken)
    (tmp_path / "recipe.yaml").write_text(
        "task: test/words-v1\npolicy: {use: tabular, with: {states: [s], actions: [first, second]}}\n"
        "reward: test/spoken-v1\ntrain: {sampling: {max_tokens: 1}, eval: {batch_size: 2}}\n"
    )
    for step, action in ((1, 0), (2, 1)):
        kept = tmp_path / "checkpoints" / f"step-{step:06d}"
        kept.mkdir(parents=True)
        table = TabularPolicy(["s"], ["first", "second"])
        with torch.no_grad():
            table.logits_SA[0, action] = 1000.0
        table.save(kept / "policy")
        torch.save({"rewards": []}, kept / "rewards.pt")
    return tmp_path


def test_a_run_answers_with_its_latest_weights_or_those_asked_for(folder):
    examples = Words().examples("eval")
    assert greedy_answers(trainer_of_run(folder), examples) == ["second"] * 5
    assert greedy_answers(trainer_of_run(folder, folder / "checkpoints" / "step-000001"), examples) == ["first"] * 5
    assert greedy_answers(trainer_of_run(folder), []) == []


def test_examples_go_out_in_the_batches_of_the_runs_evaluations(folder):
    trainer, sizes = trainer_of_run(folder), []
    sample = trainer.policy.sample

    def counting(task, examples, *more, **options):
        sizes.append(len(examples))
        return sample(task, examples, *more, **options)

    trainer.policy.sample = counting
    greedy_answers(trainer, Words().examples("eval"))
    assert sizes == [2, 2, 1]


def test_a_task_that_is_not_wanted_is_refused_before_a_model_is_loaded(folder, monkeypatch):
    def refuse(task):
        raise ConfigError(f"not {task.name}")

    monkeypatch.setattr("guerdon.recipes.running.build_policy", lambda *given, **options: pytest.fail("loaded"))
    with pytest.raises(ConfigError, match="not test/words-v1"):
        trainer_of_run(folder, accept=refuse)


def test_weights_that_cannot_be_read_a_missing_checkpoint_and_no_run_are_named(folder, tmp_path):
    for path in (folder / "checkpoints" / "step-000002" / "policy").iterdir():
        path.write_bytes(b"")
    with pytest.raises(RunError, match="step-000002"):
        trainer_of_run(folder)
    with pytest.raises(RunError, match="there are: step-000001, step-000002"):
        trainer_of_run(folder, folder / "step-3")
    with pytest.raises(RunError, match="holds no run"):
        trainer_of_run(tmp_path / "checkpoints")


def test_a_grader_of_a_run_begins_with_what_the_rewards_had_learnt(tmp_path):
    """The running mean of lengths 1 and 3 is 2, so that a length of 5 is 3 above it; another reward begins anew."""
    register_local("tasks", "test/words-v1", Words)
    register_local("rewards", "test/length-v1", length)
    recipe = "task: test/words-v1\nreward: {use: test/length-v1, then: [{use: center, with: {decay: 0.5}}]}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    row = [{"example": "0", "completion": "abcde"}]
    fresh = Grader.of(tmp_path)
    assert fresh.learning
    (before,) = fresh.grade(row)
    fresh.grade([{"example": "0", "completion": text} for text in ("a", "abc")], learn=True)
    (after,) = fresh.grade(row)
    assert after.value != before.value
    folder = tmp_path / "checkpoints" / "step-000001"
    folder.mkdir(parents=True)
    torch.save(fresh.state_dict(), folder / "rewards.pt")
    assert Grader.of(tmp_path).grade(row)[0].value == after.value
    assert Grader.of(tmp_path, reward="test/length-v1[]").grade(row)[0].value == 5.0
    torch.save({"rewards": []}, folder / "rewards.pt")
    with pytest.raises(RunError, match="not of the same reward"):
        Grader.of(tmp_path)
