"""Steps and runs in which nothing was scored are not passed over in silence."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.policies.tabular import TabularPolicy
from guerdon.protocols import Split, Task
from guerdon.rewards import Reward
from guerdon.runs import RunFolder
from guerdon.trainer import TrainConfig, Trainer
from guerdon.trainer.unscored import reason, why_never_scored, why_unscored
from guerdon.types import Example, Prompt, Score

AWAY = Score.unscored("the judge is away")
BROKEN = Score.unscored("no such database", status="invalid")


@dataclass(frozen=True)
class One(Task):
    name: ClassVar[str] = "test/one-v1"

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id="only")]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation="only")


@dataclass(frozen=True)
class ScoresFrom(Reward, bounds=(0.0, 1.0)):
    """Scored in the steps named alone."""

    steps: tuple[int, ...] = ()

    def score_batch(self, groups, context):
        score = Score(1.0) if context.step in self.steps else BROKEN
        return [[score] * len(group) for group in groups]


def train(path, reward, steps):
    """The warnings of so many steps of one group of two, and why the run was never scored."""
    config = TrainConfig(steps=steps, prompts_per_step=1, group_size=2)
    trainer = Trainer(TabularPolicy.for_task(One(), ("a", "b")), One(), reward, config)
    with RunFolder.create(path, "name: t", 0, tensorboard=False) as run, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(run)
        return [str(each.message) for each in caught if "teaches nothing" in str(each.message)], why_never_scored(run)


def test_each_stretch_of_unscored_steps_is_warned_of_once(tmp_path):
    """Steps 0, 1, 3 and 4 of five are unscored: two stretches."""
    warned, why = train(tmp_path / "run", ScoresFrom((2,)), 5)
    assert [said.partition(":")[0] for said in warned] == ["step 0 teaches nothing", "step 3 teaches nothing"]
    assert "none of its 2 rollouts is scored. Most often (2 of 2): invalid, no such database." in warned[0]
    assert why == ""


def test_a_run_that_was_never_scored_says_why(tmp_path):
    warned, why = train(tmp_path / "run", ScoresFrom(), 3)
    assert len(warned) == 1
    assert why.startswith(
        "nothing was learnt: none of the 6 rollouts of 3 steps was scored. Most often (6 of 6): invalid"
    )


def test_a_run_without_steps_has_nothing_to_be_blamed_for(tmp_path):
    assert train(tmp_path / "run", ScoresFrom(), 0) == ([], "")


def test_the_reason_most_rollouts_share_is_named_with_what_to_do():
    assert why_unscored([BROKEN, AWAY, AWAY]) == (
        "Most often (2 of 3): infra, the judge is away. Something of ours, or a server that was asked, failed: "
        "`guerdon doctor` looks at this machine."
    )


def test_one_number_is_enough():
    assert why_unscored([BROKEN, Score(0.0, status="fail")]) == ""
    assert why_unscored([]) == ""


def test_the_reason_of_a_whole_is_that_of_its_part():
    whole = Score(float("nan"), "the part is unscored", {"easy": Score(1.0), "sum": Score(0.0), "judge": AWAY}, "infra")
    assert reason(whole) == ("infra", "judge: the judge is away")
