"""What acts between updates: which knobs it turns, what it is shown, and that a killed run resumes the same."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from guerdon.advantages import group_relative  # noqa: E402
from guerdon.controllers import AdaptiveKL, ConstrainedKL  # noqa: E402
from guerdon.errors import ConfigError, RunError  # noqa: E402
from guerdon.plugins.catalog import catalog, register_local  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.protocols import Controller, Split, Task  # noqa: E402
from guerdon.recipes import load_recipe  # noqa: E402
from guerdon.recipes.running import trainer_of  # noqa: E402
from guerdon.rewards import reward  # noqa: E402
from guerdon.rewards.constrained import Constrained  # noqa: E402
from guerdon.runs import RunFolder  # noqa: E402
from guerdon.trainer import TrainConfig, Trainer, loop  # noqa: E402
from guerdon.types import Example, Prompt  # noqa: E402

TENTHS = tuple(str(n) for n in range(11))


@dataclass(frozen=True)
class Amounts(Task):
    """Two states; an answer is a number of tenths."""

    name: ClassVar[str] = "test/amounts-v1"

    def examples(self, split: Split) -> Sequence[Example]:
        return [Example(id=f"{split}{i}") for i in range(2)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt(observation=example.id[-1])

    def metrics(self):
        return {"amount": amount}


@reward(name="test/amount-v1", bounds=(0.0, 1.0))
def amount(rollout):
    return int(rollout.answer) / 10


@reward(name="test/even-v1", bounds=(0.0, 1.0))
def even(rollout):
    return float(int(rollout.answer) % 2 == 0)


@dataclass(frozen=True)
class Counting:
    """Sets the learning rate to a hundredth of how often it was asked, and keeps what it was shown."""

    name: ClassVar[str] = "counting"
    sets: ClassVar[tuple[str, ...]] = ("lr",)

    def init(self, knobs, reward):
        return {}, {"asked": 0, "seen": []}

    def act(self, update, state):
        asked = state["asked"] + 1
        mean = sum(score.value for row in update.scores for score in row) / sum(map(len, update.groups))
        seen = [*state["seen"], [update.step, update.knobs["lr"], mean, update.metrics["reward/total"]]]
        return {"lr": asked / 100}, {"asked": asked, "seen": seen}


def train(path, *controllers, earned=amount, resume=False, policy=None, **fields):
    base = {"steps": 6, "prompts_per_step": 2, "group_size": 8, "optimizer": {"lr": 0.1}}
    policy = policy or TabularPolicy("01", TENTHS)
    config = TrainConfig.model_validate({**base, **fields})
    trainer = Trainer(policy, Amounts(), earned, config, group_relative(std=False), controllers=controllers)
    opened = RunFolder.open if resume else lambda path, **kept: RunFolder.create(path, "name: t", 0, **kept)
    with opened(path, tensorboard=False) as run:
        trainer.fit(run, resume=resume)
        lines = [{name: value for name, value in line.items() if "time" not in name} for line in run.metrics()]
    return lines, policy, trainer


def column(lines, name):
    return [line[name] for line in lines if line["phase"] == "rl"]


# -- the seam ---------------------------------------------------------------------------------------------------------


def test_a_controller_sees_each_update_and_turns_its_knob_for_the_next(tmp_path):
    lines, _, trainer = train(tmp_path / "run", Counting())
    assert column(lines, "control/lr") == column(lines, "lr") == [0.1, 0.01, 0.02, 0.03, 0.04, 0.05]
    (state,) = trainer._controls.states
    assert [row[:2] for row in state["seen"]] == [[0, 0.1], [1, 0.01], [2, 0.02], [3, 0.03], [4, 0.04], [5, 0.05]]
    assert [row[2] for row in state["seen"]] == pytest.approx(column(lines, "reward/total"))
    assert [row[3] for row in state["seen"]] == column(lines, "reward/total")


def test_without_controllers_nothing_is_logged_or_kept_of_them(tmp_path):
    lines, _, _ = train(tmp_path / "run")
    assert not [name for line in lines for name in line if name.startswith("control/")]
    assert not list((tmp_path / "run").rglob("controllers.pt"))


class Killed(BaseException):
    """Stands for the kill: nothing catches it."""


def mixed():
    return Constrained({"amount": amount, "even": even}, {"amount": 0.4, "even": 0.5})


@pytest.mark.parametrize("owner", ["_sample", "_keep", "reinforce", "log"])
@pytest.mark.parametrize("case", ["counting and adaptive", "constrained"])
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, owner, case):
    """Checkpoints every 3 steps; the sixth call of `owner` stands for the kill."""
    fields: dict[str, Any] = {"steps": 8, "checkpoint_every": 3, "loss": {"kl_weight": 0.05}, "optimizer": {"lr": 0.3}}
    controllers = (Counting(), AdaptiveKL(target=0.01)) if case != "constrained" else (ConstrainedKL(),)
    earned = mixed if case == "constrained" else lambda: amount
    undisturbed, straight, _ = train(tmp_path / "a", *controllers, earned=earned(), **fields)
    place = {"reinforce": loop, "log": RunFolder}.get(owner, Trainer)
    original, calls = getattr(place, owner), iter(range(1000))

    def dies(*args, **kwargs):
        if next(calls) == 5:
            raise Killed
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(place, owner, dies)
        with pytest.raises(Killed):
            train(tmp_path / "b", *controllers, earned=earned(), **fields)
    resumed, policy, _ = train(tmp_path / "b", *controllers, earned=earned(), resume=True, **fields)
    assert resumed == undisturbed
    assert torch.equal(policy.logits_SA, straight.logits_SA)
    assert len(set(column(resumed, "control/kl_weight"))) > 3  # something was controlled


def test_a_checkpoint_of_other_controllers_is_refused(tmp_path):
    train(tmp_path / "run", Counting(), steps=2)
    with pytest.raises(RunError, match=r"controllers \['counting'\], the recipe has \['adaptive-kl'\]"):
        train(tmp_path / "run", AdaptiveKL(1.0), steps=2, resume=True, loss={"kl_weight": 0.1})
    train(tmp_path / "plain", steps=2)
    with pytest.raises(RunError, match="cannot be read"):
        train(tmp_path / "plain", Counting(), steps=2, resume=True)


@dataclass(frozen=True)
class Wrong:
    sets: tuple[str, ...] = ("lr",)
    turned: str = "lr"
    value: float = 0.1
    name: ClassVar[str] = "wrong"

    def init(self, knobs, reward):
        return {}, None

    def act(self, update, state):
        return {self.turned: self.value}, None


@pytest.mark.parametrize(
    ("controllers", "said"),
    [
        ((Wrong(sets=("temperature",)),), "'temperature'; accepted are 'kl_weight', 'clip_low', 'clip_high', 'lr'"),
        ((Counting(), Wrong()), "counting and wrong both set 'lr'"),
        ((Wrong(turned="kl_weight"),), "set 'kl_weight' to 0.1; finite values of the knobs it declares"),
        ((Wrong(value=math.nan),), "set 'lr' to nan"),
        ((Wrong(value=-1.0),), "set 'lr' to -1.0: Input should be greater than 0"),
    ],
)
def test_a_controller_that_turns_what_it_may_not_is_named(tmp_path, controllers, said):
    with pytest.raises(ConfigError, match=said):
        train(tmp_path / "run", *controllers)


def test_recipes_name_controllers():
    register_local("tasks", "test/amounts-v1", Amounts)
    register_local("rewards", "test/amount-v1", amount)
    data = {
        "task": "test/amounts",
        "policy": {"use": "tabular", "with": {"states": ["0", "1"], "actions": list(TENTHS)}},
        "reward": "test/amount",
        "train": {"loss": {"kl_weight": 0.1}},
        "controllers": [{"use": "adaptive-kl", "with": {"target": 0.5}}],
    }
    try:
        assert trainer_of(load_recipe(data)).controllers == [AdaptiveKL(0.5)]
        assert isinstance(trainer_of(load_recipe(data)).controllers[0], Controller)
        wrong = {**data, "controllers": [{"use": "adaptive-kl", "with": {"target": -1}}]}
        with pytest.raises(ConfigError, match=r"adaptive-kl.target is -1") as error:
            trainer_of(load_recipe(wrong))
        assert error.value.__notes__ == ["That is in field 'controllers.0.with'."]
        with pytest.raises(ConfigError, match=r"Did you mean 'adaptive-kl'\? \(field 'controllers.0.use'\)"):
            trainer_of(load_recipe({**data, "controllers": ["adaptiv-kl"]}))
    finally:
        catalog.cache_clear()


# -- adaptive KL ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("divergence", "expected"), [(0.9, 0.204), (0.45, 0.198), (-3.0, 0.196), (0.5, 0.2)])
def test_example_6_the_weight_follows_the_divergence(divergence, expected):
    assert AdaptiveKL(target=0.5).next(0.2, divergence) == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_the_divergence_is_held_near_its_target(tmp_path):
    """Free, the policy leaves its start by far more than .1 nats; held, the weight grows until it does not."""
    fields = {"steps": 200, "optimizer": {"lr": 0.1}, "checkpoint_every": 0}
    free, _, _ = train(tmp_path / "a", loss={"kl_weight": 1e-6}, **fields)
    held, _, _ = train(tmp_path / "b", AdaptiveKL(target=0.1, gain=0.5), loss={"kl_weight": 0.05}, **fields)
    assert column(free, "kl")[-1] > 0.5
    assert sum(column(held, "kl")[-50:]) / 50 == pytest.approx(0.1, abs=0.05)
    assert column(held, "control/kl_weight")[-1] > 0.1


def test_a_step_that_measured_no_divergence_leaves_the_weight(tmp_path):
    lines, _, _ = train(tmp_path / "run", AdaptiveKL(target=0.1), loss={"kl_weight": 0.05}, steps=2)
    assert column(lines, "control/kl_weight")[1] == pytest.approx(0.05 * 0.98)  # at the start it is 0: far below
    from guerdon.protocols import Update

    blind = Update(0, 1, amount, [], [], {"kl": math.nan}, {"kl_weight": 0.05})
    assert AdaptiveKL(0.1).act(blind, None) == ({}, None)


def test_a_weight_of_zero_cannot_be_adapted(tmp_path):
    with pytest.raises(ConfigError, match=r"train\.loss\.kl_weight, which is 0"):
        train(tmp_path / "run", AdaptiveKL(target=0.1))
    assert not (tmp_path / "run" / "checkpoints" / "step-000001").exists()


@pytest.mark.parametrize("options", [{"target": 0.0}, {"target": math.nan}, {"target": 1.0, "gain": 10.0}])
def test_adaptive_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError, match="adaptive-kl"):
        AdaptiveKL(**options)


# -- the constrained reward, trained ----------------------------------------------------------------------------------


def test_the_kl_weight_is_beta_times_n_minus_the_weights(tmp_path):
    """At the start tanh(0) = 0, so 2 beta; then by the weights that the batch was scored with."""
    lines, _, _ = train(tmp_path / "run", ConstrainedKL(), earned=mixed(), loss={"kl_weight": 0.05})
    assert column(lines, "control/kl_weight")[0] == pytest.approx(0.1)
    for line in lines:
        taken = line["reward/amount_weight"] + line["reward/even_weight"]
        assert line["control/kl_weight"] == pytest.approx(0.05 * (2.0 - taken))


@pytest.mark.slow
def test_a_component_is_held_at_its_threshold_where_the_plain_reward_runs_past_it(tmp_path):
    """Uniform, the mean amount is .5. Plain, it climbs; held at .4 by equality, it comes down and stays.

    Not standardised: AdamW and a standardised component both make steps of one size, and then policy and multiplier
    chase each other around the threshold (see the docstring of `Constrained.standardize`).
    """
    fields = {"steps": 200, "group_size": 16, "optimizer": {"lr": 0.01}, "checkpoint_every": 0}
    fields |= {"loss": {"kl_weight": 0.1}}
    plain, _, _ = train(tmp_path / "a", earned=amount, **fields)
    held_at = Constrained({"amount": amount}, {"amount": 0.4}, standardize="none")
    held, _, _ = train(tmp_path / "b", ConstrainedKL(), earned=held_at, **fields)
    assert sum(column(plain, "reward/total")[-50:]) / 50 > 0.65
    assert sum(column(held, "reward/amount")[-100:]) / 100 == pytest.approx(0.4, abs=0.03)
    assert held_at.version == 200


def test_it_follows_one_constrained_reward_and_says_so_of_none():
    knobs = {"kl_weight": 0.1}
    with pytest.raises(ConfigError, match="one constrained reward, and the recipe's reward has 0"):
        ConstrainedKL().init(knobs, amount)
    with pytest.raises(ConfigError, match=r"which is 0\.0"):
        ConstrainedKL().init({"kl_weight": 0.0}, mixed())
    turned, state = ConstrainedKL().init(knobs, 0.5 * even + mixed())
    assert (turned, state) == ({"kl_weight": pytest.approx(0.2)}, {"beta": 0.1})


@pytest.mark.parametrize("divergence", ["sequence_kl", "sequence_chi2", "sequence_sqrt_chi2"])
def test_it_follows_a_divergence_of_whole_responses_where_the_loss_has_one(tmp_path, divergence):
    """At the start policy and reference are one: below any target, so 2 % down; then the estimate is above 1e-3."""
    loss = {"kl_weight": 0.05, "divergence": divergence}
    lines, _, _ = train(tmp_path / "run", AdaptiveKL(target=1e-3), loss=loss, steps=3)
    weights, found = column(lines, "control/kl_weight"), column(lines, "divergence")
    assert weights[1] == pytest.approx(0.05 * (0.98 if found[0] < 1e-3 else 1.02))
    assert found[1] > 1e-3
    assert weights[2] == pytest.approx(weights[1] * 1.02)


# -- what is said at the start ----------------------------------------------------------------------------------------


def told(reward_, advantage=None, controllers=(), **loss):
    from guerdon.trainer.config import LossConfig
    from guerdon.trainer.pairing import mismatches

    estimator = advantage or group_relative(std=False)
    return list(mismatches(reward_, LossConfig.model_validate(loss), estimator, controllers))


def divided():
    return Constrained({"amount": amount}, {"amount": 0.4}, kl="divided", limit=5.0)


def test_a_constrained_reward_that_has_all_it_needs_is_not_warned_of():
    assert told(mixed(), controllers=(ConstrainedKL(),), kl_weight=0.1) == []
    assert told(divided(), kl_weight=0.1) == []
    assert told(Constrained({"amount": amount}, {"amount": 0.4}, kind="unsquashed"), kl_weight=0.1) == []
    assert told(amount, group_relative()) == []


def test_a_constrained_reward_without_its_controller_is_warned_of():
    (said,) = told(0.5 * even + mixed(), kl_weight=0.1)
    assert "N - sum(s)" in said
    assert "`controllers: [constrained-kl]`" in said


def test_a_constrained_reward_without_a_kl_term_is_warned_of():
    for one in (mixed(), divided()):
        (said,) = told(one)
        assert "train.loss.kl_weight is 0" in said


def test_a_constrained_reward_that_is_divided_by_its_spread_is_warned_of():
    """Also where another estimator stands around the one that divides."""
    from guerdon.advantages import weighted_by, withheld

    for estimator in (group_relative(), weighted_by("amount"), withheld("amount", of=weighted_by("amount"))):
        (said,) = told(divided(), estimator, kl_weight=0.1)
        assert "group_relative divides each group by its std" in said


def test_process_rewards_under_an_estimator_that_reads_no_steps_are_warned_of():
    from guerdon.advantages import returns_to_go, streams
    from guerdon.rewards import ProcessReward, StepScores

    whole = even + ProcessReward(StepScores(amount, "turn"))
    for estimator in (returns_to_go({"process/steps": 1.0}), streams({"process/steps": 1.0})):
        assert told(whole, estimator) == []
    (said,) = told(whole, group_relative())
    assert "group_relative reads their sum alone" in said
    assert "returns_to_go" in said


def test_a_run_says_it_before_its_first_step(tmp_path):
    with pytest.warns(RuntimeWarning, match="constrained-kl"):
        train(tmp_path / "run", earned=mixed(), loss={"kl_weight": 0.1}, steps=1)


def test_other_trainers_are_told_that_the_kl_factor_waits_for_them():
    from guerdon.adapters.trl import reward_funcs
    from guerdon.grading import Grader
    from guerdon.serve.service import Service
    from guerdon.serve.settings import Settings

    still = Constrained({"amount": amount}, {"amount": 0.4}, standardize="none", learning_rate=0.0)
    with pytest.warns(RuntimeWarning, match=r"Constrained\.kl_factor"):
        reward_funcs(still)
    with pytest.warns(RuntimeWarning, match="held: .* kl: divided"):
        Service({"held": Grader(still)}, Settings())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reward_funcs(divided())
