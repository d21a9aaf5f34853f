"""Learning is tested with a table, in seconds: three questions, four answers each, one of them right."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.advantages import group_relative, leave_one_out  # noqa: E402
from guerdon.errors import ConfigError, RewardError, RunError  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.protocols import Split, Task  # noqa: E402
from guerdon.rewards import Reward, reward  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer, loop  # noqa: E402
from guerdon.transforms import center  # noqa: E402
from guerdon.types import Example, Prompt, Score  # noqa: E402

ANSWERS = ("a", "b", "c", "d")


class Letter(Example):
    right: str


@dataclass(frozen=True)
class Letters(Task):
    name: ClassVar[str] = "test/letters-v1"

    def examples(self, split: Split) -> Sequence[Letter]:
        return [Letter(id=f"{split}{i}", right=ANSWERS[i]) for i in range(3)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation=example.id.removeprefix("train").removeprefix("eval"))

    def reference(self, example: Letter) -> str:
        return example.right

    def metrics(self):
        return {"right": is_right}


@reward(bounds=(0.0, 1.0))
def is_right(rollout):
    return Score(float(rollout.answer == rollout.example.right), why=f"wanted {rollout.example.right!r}")


@reward(bounds=(0.0, 1.0))
def is_early(rollout):
    return float(rollout.answer in "ab")


@reward(bounds=(0.0, 1.0))
def is_dull(rollout):
    return 0.5


@reward
def raises_on_d(rollout):
    return 1.0 / (rollout.answer != "d")


def config(**fields):
    base = {
        "steps": 30,
        "prompts_per_step": 3,
        "group_size": 8,
        "optimizer": {"lr": 0.3},
        "eval": {"examples": 3},
        "sampling": {"max_tokens": 1},
    }
    return TrainConfig.model_validate({**base, **fields})


def train(path, *, reward: Reward = is_right, resume=False, policy=None, advantage=None, seed=0, **fields):
    settings = config(**fields)
    policy = policy or TabularPolicy.for_task(Letters(), ANSWERS)
    trainer = Trainer(policy, Letters(), reward, settings, advantage or group_relative(), seed=seed)
    run = (
        RunFolder.open(path, tensorboard=False)
        if resume
        else RunFolder.create(path, "name: t", seed, tensorboard=False)
    )
    with run:
        trainer.fit(run, resume=resume)
        return run.metrics(), policy


def numbers(metrics):
    """Metrics without what the clock says."""
    return [{name: value for name, value in line.items() if "time" not in name} for line in metrics]


def evals(metrics):
    return {line["stage"]: line["eval/right"] for line in metrics if line["phase"] == "eval"}


def weights(policy):
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])


@pytest.mark.parametrize("advantage", [group_relative(), group_relative(std=False), leave_one_out()])
def test_a_table_learns_the_right_answers(tmp_path, advantage):
    """An untrained table's greedy answer is the first action, right for one question of three."""
    metrics, _ = train(tmp_path / "run", advantage=advantage, steps=60)
    assert evals(metrics)["before"] == pytest.approx(1 / 3)
    assert evals(metrics)["rl"] == 1.0


@pytest.mark.parametrize("average", ["token", "sequence", "constant"])
def test_every_averaging_learns(tmp_path, average):
    metrics, _ = train(tmp_path / "run", loss={"average": average}, steps=60)
    assert evals(metrics)["rl"] == 1.0


def test_a_warm_start_imitates_the_references(tmp_path):
    """All three references, 40 epochs: no RL step needed."""
    sft = {"examples": 3, "epochs": 40, "batch_size": 3, "optimizer": {"lr": 0.3}}
    metrics, _ = train(tmp_path / "run", steps=0, sft=sft)
    assert evals(metrics) == {"before": pytest.approx(1 / 3), "sft": 1.0}
    losses = [line["loss"] for line in metrics if line["phase"] == "sft"]
    assert losses[0] == pytest.approx(1.386294, abs=1e-5)  # log 4: the untrained table is uniform
    assert losses[-1] < 0.1


def test_progress_shows_each_step_with_its_own_numbers(tmp_path, monkeypatch):
    """What a bar says when it moves is of the step that it counts, and not of the one before."""
    shown: list[str] = []

    class Bar:
        said = ""

        def describe(self, text):
            self.said = text

        def advance(self, n=1):
            shown.append(self.said)

    monkeypatch.setattr(loop, "progress", lambda *_, **__: nullcontext(Bar()))
    metrics, _ = train(tmp_path / "run", steps=2, sft={"examples": 3, "epochs": 2, "batch_size": 3})
    warm, rl = ([line for line in metrics if line["phase"] == phase] for phase in ("sft", "rl"))
    expected = [f"warm start · loss {line['loss']:.3f}" for line in warm]
    expected += [f"reinforce · reward {line['reward/total']:.3f} · dead {line['groups/dead']}/3" for line in rl]
    assert shown == expected


@pytest.mark.parametrize("where", ["optimizer", "sft"])
def test_a_policy_without_parts_has_none_to_freeze(tmp_path, where):
    optimizer = {"lr": 0.3, "frozen": ["vision_model"]}
    fields = {"optimizer": optimizer} if where == "optimizer" else {"sft": {"examples": 3, "optimizer": optimizer}}
    with pytest.raises(ConfigError, match=r"\['vision_model'\].*TabularPolicy has no parts to freeze"):
        train(tmp_path / "run", **fields)


class Halves(TabularPolicy):
    """A table that can leave its answers to one question as they are."""

    def frozen(self, modules):
        @contextmanager
        def held():
            self.asked = (*getattr(self, "asked", ()), *modules)
            yield

        return held()


def test_each_stage_freezes_what_its_own_optimizer_names(tmp_path):
    """Asked once of each when the run is checked, and once around its steps."""
    policy = Halves.for_task(Letters(), ANSWERS)
    sft = {"examples": 3, "batch_size": 3, "optimizer": {"lr": 0.3, "frozen": ["first"]}}
    train(tmp_path / "run", policy=policy, steps=1, sft=sft, optimizer={"lr": 0.3, "frozen": ["second"]})
    assert policy.asked == ("second", "first", "first", "second")


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    first, _ = train(tmp_path / "a", steps=5)
    again, _ = train(tmp_path / "b", steps=5)
    other, _ = train(tmp_path / "c", steps=5, seed=1)
    assert numbers(first) == numbers(again)
    assert numbers(first) != numbers(other)


def test_micro_batches_add_up_to_the_same_update(tmp_path):
    _, whole = train(tmp_path / "a", steps=4)
    _, cut = train(tmp_path / "b", steps=4, tokens_per_microbatch=1)
    torch.testing.assert_close(weights(cut), weights(whole), rtol=1e-5, atol=1e-6)


def test_a_second_update_on_one_batch_moves_the_ratio_and_clips(tmp_path):
    once, _ = train(tmp_path / "a", steps=3, optimizer={"lr": 1.0})
    twice, _ = train(tmp_path / "b", steps=3, optimizer={"lr": 1.0}, updates_per_batch=3)
    assert all(line["clip_share"] == 0.0 for line in once if line["phase"] == "rl")
    assert any(line["clip_share"] > 0.0 for line in twice if line["phase"] == "rl")


def test_a_step_without_any_preference_measures_nothing_and_moves_nothing(tmp_path):
    metrics, policy = train(tmp_path / "a", reward=is_dull, steps=1)
    (line,) = [line for line in metrics if line["phase"] == "rl"]
    assert (line["groups/dead"], line["grad_norm"]) == (3, 0.0)
    assert (line["entropy"], line["clip_share"]) == (None, None)
    assert not weights(policy).any()


def test_a_divergence_holds_the_policy_near_where_it_started(tmp_path):
    _, free = train(tmp_path / "a", steps=40)
    held_metrics, held = train(tmp_path / "b", steps=40, loss={"kl_weight": 5.0})
    assert weights(held).abs().max() < 0.5 * weights(free).abs().max()
    assert held_metrics[-2]["kl"] > 0.0


def test_dead_groups_are_counted_and_change_nothing(tmp_path):
    """A constant reward: every group is dead, no step is taken."""

    metrics, policy = train(tmp_path / "run", reward=0.0 * is_right, steps=2)
    assert [line["groups/dead"] for line in metrics if line["phase"] == "rl"] == [3, 3]
    assert weights(policy).abs().max() == 0.0
    assert policy.version == 0


def test_each_part_is_logged_before_its_weight(tmp_path):
    metrics, _ = train(tmp_path / "run", reward=2.0 * is_right + 0.5 * is_early, steps=1)
    line = next(line for line in metrics if line["phase"] == "rl")
    expected = 2.0 * line["reward/is_right"] + 0.5 * line["reward/is_early"]
    assert line["reward/total"] == pytest.approx(expected)


def test_a_bug_in_a_reward_stops_the_run_and_names_the_sample(tmp_path):
    with pytest.raises(RewardError, match=r"raises_on_d raised ZeroDivisionError.*example 'train\d'"):
        train(tmp_path / "run", reward=raises_on_d, steps=3)


def test_a_long_run_may_leave_buggy_samples_out_and_counts_them(tmp_path):
    metrics, _ = train(tmp_path / "run", reward=raises_on_d, steps=3, on_reward_error="unscored")
    assert sum(line["unscored"] for line in metrics if line["phase"] == "rl") > 0


@pytest.mark.parametrize("killed_in", ["sample", "score", "update", "checkpoint"])
@pytest.mark.parametrize("at", [1, 4, 6])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, killed_in, at):
    """Checkpoints every 3 steps; an error in the `at`-th call stands for the kill."""
    fields = {
        "steps": 7,
        "checkpoint_every": 3,
        "reward": (is_right + is_early).then(center(decay=0.9)),
        "updates_per_batch": 2,
    }
    undisturbed, straight = train(tmp_path / "a", **fields)

    class Killed(BaseException):
        pass

    def dies(function):
        calls = iter(range(1000))

        def wrapper(*args, **kwargs):
            if next(calls) == at:
                raise Killed
            return function(*args, **kwargs)

        return wrapper

    owner, name = {
        "sample": (Trainer, "_sample"),
        "score": (Trainer, "_keep"),
        "update": (loop, "reinforce"),
        "checkpoint": (RunFolder, "log"),
    }[killed_in]
    fields["reward"] = (is_right + is_early).then(center(decay=0.9))
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies(getattr(owner, name)))
        with pytest.raises(Killed):
            train(tmp_path / "b", **fields)

    fields["reward"] = (is_right + is_early).then(center(decay=0.9))
    resumed, policy = train(tmp_path / "b", resume=True, **fields)
    assert numbers(resumed) == numbers(undisturbed)
    assert torch.equal(weights(policy), weights(straight))


def test_a_resumed_run_replays_what_was_sampled_instead_of_sampling_again(tmp_path, monkeypatch):
    train(tmp_path / "run", steps=4, checkpoint_every=0)
    checkpoint = next((tmp_path / "run" / "checkpoints").glob("step-*"))
    checkpoint.rename(tmp_path / "gone")  # as if killed before the last checkpoint
    asked = []
    monkeypatch.setattr(Trainer, "_sample", lambda self, *args: asked.append(args))
    train(tmp_path / "run", steps=4, checkpoint_every=0, resume=True)
    assert asked == []


def test_a_checkpoint_of_another_reward_is_refused(tmp_path):
    train(tmp_path / "run", steps=2, reward=is_right.then(center(decay=0.9)))
    with pytest.raises(RunError, match=r"nothing here has the state of `is_right\.then\("):
        train(tmp_path / "run", steps=2, reward=is_right, resume=True)


def test_as_many_rewards_that_learn_are_not_the_same_ones(tmp_path):
    train(tmp_path / "run", steps=2, reward=is_right.then(center(decay=0.9)) + is_early)
    with pytest.raises(
        RunError, match=r"no state of `is_early\.then.*`, and nothing here has the state of `is_right\.then"
    ):
        train(tmp_path / "run", steps=2, reward=is_right + is_early.then(center(decay=0.9)), resume=True)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"nothing of the kind"])
@pytest.mark.parametrize("name", ["rewards.pt", "optimizer.pt", "position.json", "policy/table.pt"])
def test_a_damaged_file_of_a_checkpoint_is_named(tmp_path, name, content):
    learns = {"steps": 2, "checkpoint_every": 1, "reward": is_right.then(center(decay=0.9))}
    train(tmp_path / "run", **learns)
    first, last = sorted((tmp_path / "run" / "checkpoints").glob("step-*"))
    shutil.rmtree(last)
    assert (first / name).is_file()
    (first / name).write_bytes(content)
    shown = re.escape(str(first / Path(name).parts[0]))
    with pytest.raises(RunError, match=rf"{shown}' cannot be read \(.*move this one's folder away"):
        train(tmp_path / "run", resume=True, **learns)


def test_the_rollouts_on_disk_explain_their_scores(tmp_path):
    train(tmp_path / "run", reward=2.0 * is_right + 0.5 * is_early, steps=1)
    lines = (tmp_path / "run" / "rollouts" / "rl-000000.jsonl").read_text().splitlines()
    record = json.loads(lines[0])
    assert len(lines) == 24
    assert record["score"]["weights"] == {"is_right": 2.0, "is_early": 0.5}
    assert record["score"]["parts"]["is_right"]["why"].startswith("wanted")
    assert record["reference"] in ANSWERS


def test_a_task_without_training_examples_is_an_error_at_start(tmp_path):
    class Empty(Letters):
        def examples(self, split):
            return []

    run = RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False)
    with run, pytest.raises(ConfigError, match="has no training examples"):
        Trainer(TabularPolicy(("0",), ANSWERS), Empty(), is_right, config()).fit(run)
