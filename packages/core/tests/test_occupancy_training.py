"""An occupancy penalty inside a training run: it holds a policy back, and a killed run goes on with what it learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.errors import ConfigError  # noqa: E402
from guerdon.grading import Grader  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.protocols import Split, Task  # noqa: E402
from guerdon.recipes.building import build_reward  # noqa: E402
from guerdon.recipes.schema import RewardSpec  # noqa: E402
from guerdon.rewards import reward  # noqa: E402
from guerdon.rewards.occupancy import OccupancyPenalty  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer, loop  # noqa: E402
from guerdon.types import Example, Prompt  # noqa: E402

ACTIONS = ("useful", "idle", "bucket")


@dataclass(frozen=True)
class Garden(Task):
    name: ClassVar[str] = "test/garden-v1"

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id=f"{split}{i}") for i in range(2)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation="garden")

    def metrics(self):
        return {}


@reward(name="test/watered-v1", bounds=(0.0, 3.0))
def watered(rollout):
    """The proxy: a bucket on the head looks like much water."""
    return {"useful": 1.0, "idle": 0.0, "bucket": 3.0}[rollout.answer]


def trained(path, total, *, steps=18, resume=False, checkpoint_every=10):
    policy = TabularPolicy(["garden"], ACTIONS)
    with torch.no_grad():  # the base policy: a bucket once in 20
        policy.logits_SA.copy_(torch.tensor([[0.45, 0.5, 0.05]]).log())
    config = TrainConfig.model_validate(
        {
            "steps": steps,
            "prompts_per_step": 2,
            "group_size": 32,
            "optimizer": {"lr": 0.2},
            "sampling": {"max_tokens": 1},
            "checkpoint_every": checkpoint_every,
        }
    )
    trainer = Trainer(policy, Garden(), total, config, seed=0)
    opened = RunFolder.open(path, tensorboard=False) if resume else RunFolder.create(path, "n: 1", 0, tensorboard=False)
    with opened as run:
        trainer.fit(run, resume=resume)
        return run.metrics(), policy.action_probabilities(["garden"])[0].detach()


def penalty(**fields):
    return OccupancyPenalty(**{"hidden": (16,), "steps": 15, "learning_rate": 1e-2, **fields})


def test_it_holds_a_policy_back_from_what_its_reference_hardly_did(tmp_path):
    """The base takes the bucket once in 20. Of 64 samples a share a little above that cannot be told from it."""
    _, free = trained(tmp_path / "free", watered)
    metrics, held = trained(tmp_path / "held", watered + penalty(coefficient=2.0))
    assert free[2] > 0.6
    assert held[2] < 0.15
    last = [line for line in metrics if line["phase"] == "rl"][-1]
    assert "reward/occupancy-penalty/logit" in last
    assert 0.0 <= last["reward/occupancy-penalty/held_out_accuracy"] <= 1.0


def numbers(metrics):
    return [{name: value for name, value in line.items() if "time" not in name} for line in metrics]


def test_a_killed_run_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    whole, _ = trained(tmp_path / "whole", watered + penalty(), steps=8, checkpoint_every=3)
    honest, calls = loop.reinforce, []

    def killed(*arguments, **named):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return honest(*arguments, **named)

    monkeypatch.setattr(loop, "reinforce", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", watered + penalty(), steps=8, checkpoint_every=3)
    monkeypatch.setattr(loop, "reinforce", honest)
    again, _ = trained(tmp_path / "cut", watered + penalty(), steps=8, checkpoint_every=3, resume=True)
    assert str(numbers(again)) == str(numbers(whole))  # as text: NaN is not equal to itself


def test_other_trainers_keep_its_state_through_the_grader():
    """What TRL's adapter does: rows, scored and learned from, the state in its own checkpoint."""
    rows = [
        {"example": "train0", "completion": text, "group": "a"} for text in ("useful", "idle", "idle", "bucket") * 4
    ]
    graders = [Grader(watered + penalty(), Garden()) for _ in range(2)]
    for _ in range(2):
        graders[0].grade(rows, learn=True)
    graders[1].load_state_dict(graders[0].state_dict())
    assert [str(s) for s in graders[0].grade(rows)] == [str(s) for s in graders[1].grade(rows)]
    with pytest.raises(ConfigError, match="occupancy-penalty-v1"):
        graders[0].refuse_learning("a server keeps no checkpoint")


def test_a_recipe_describes_both_penalties():
    made = build_reward(
        RewardSpec.model_validate(
            {
                "sum": [
                    {"use": "remote-v1", "with": {"url": "loopback"}, "name": "proxy"},
                    {"use": "occupancy-penalty", "with": {"features": "words", "per": "turn", "coefficient": 0.05}},
                ]
            }
        )
    )
    assert made.children[1] == OccupancyPenalty(per="turn", coefficient=0.05)
