"""Core's own claims run, can fail, and measure with the product's own pieces. Small sizes: no figure is a finding."""

from __future__ import annotations

import math

import numpy as np
import pytest

from guerdon.advantages import returns_to_go
from guerdon.claims.clip_delta import ARMS, ClipDelta, play
from guerdon.claims.reward_ensembles import RewardEnsembles, World
from guerdon.plugins.catalog import catalog
from guerdon.rewards import Context, ProcessReward, StepScores, reward
from guerdon.types import Example, Group, Rollout, Segment


@pytest.mark.parametrize("name", ["clip_delta", "reward_ensembles", "ctrl_u"])
def test_the_claim_is_offered_under_its_own_name(name):
    if name == "ctrl_u":
        pytest.importorskip("torch")
    assert catalog().load("claims", name).name == name


# -- Clip and Delta --------------------------------------------------------------------------------------------------


def test_clip_delta_holds_on_one_seed_and_fails_where_nothing_is_paid_for_steps():
    assert ClipDelta(updates=120).run([0]).held
    nothing = ClipDelta(updates=40, alpha=0.0).run([0])
    assert not nothing.held
    success = {one.name: one.mean for one in nothing.measurements}
    assert success["success, PR"] == success["success, SR"]


@reward(name="told", bounds=(0.0, 1.0))
def told(rollout):
    return rollout.segments[-1].action


@reward(name="right", bounds=(0.0, 1.0))
def right(rollout):
    return rollout.segments[0].observation


@pytest.mark.parametrize("arm", list(ARMS))
def test_its_returns_are_those_of_the_reward_and_the_estimator(arm):
    """The claim's loop takes the short way over `shape_steps` and `to_go`; rollouts, spans and streams say the same."""
    attempts = play(np.zeros((12, 4)), 40, np.random.default_rng(0))
    rollouts = [
        Rollout(
            Example(id="x"),
            tuple(Segment("policy", "m", observation=float(solved), action=float(score)) for score in scores[:length]),
        )
        for scores, length, solved in zip(attempts.scores, attempts.lengths, attempts.solved, strict=True)
    ]
    group = [Group.of(rollouts)]
    weights = {"right": 1.0}
    total = right
    if ARMS[arm]:
        total = right + ProcessReward(StepScores(told, "turn", given="step"), ARMS[arm], alpha=0.3)
        weights["process/steps"] = 1.0
        scores = Context().scores(total, group)
    else:
        scores = Context().scores(1.0 * right + 0.0 * told, group)
    (found,) = returns_to_go(weights, baseline="none").estimate(group, scores).values
    flat = [value for steps in found for value in steps]
    assert flat == pytest.approx(ClipDelta().returns(arm, attempts).tolist(), abs=1e-12)


# -- ensembles -------------------------------------------------------------------------------------------------------


def test_reward_ensembles_runs_small_and_both_parts_are_in_it():
    result = RewardEnsembles(prompts=6, candidates=32, pairs=300).run([0, 1])
    means = {one.name: one.mean for one in result.measurements}
    assert means["over-long picks, random"] == pytest.approx(0.6, abs=0.1)
    assert means["over-long picks, mean"] > 0.9
    assert means["member correlation, pretrain"] < means["member correlation, finetune"]
    assert all(math.isfinite(value) for value in means.values())


def test_reward_ensembles_fails_where_picking_stays_on_the_data():
    """Best of one is a random pick: no ensemble gains anything over a single member."""
    result = RewardEnsembles(prompts=4, candidates=16, pairs=300, spread=0.1).run([0])
    assert not result.held


def test_gold_turns_against_length_beyond_one():
    """Slope 2: at 1 it is 2, at 3 it is 2 - 2 * 2."""
    world = World(np.zeros(2), np.zeros((2, 2)), slope=2.0)
    assert world.gold(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 3.0], [1.0, 0.0, 0.0]])).tolist() == [2.0, -2.0, -0.06]


# -- Ctrl-U ----------------------------------------------------------------------------------------------------------


def test_ctrl_u_runs_small_and_fails_where_nothing_is_wrong():
    pytest.importorskip("torch")
    from guerdon.claims.ctrl_u import CtrlU

    short = CtrlU(steps=400)
    noisy = [short.train("noisy", arm, 0) for arm in ("plain", "Ctrl-U")]
    assert noisy[1] < 0.8 * noisy[0]
    assert short.train("consistent", "Ctrl-U", 0) == pytest.approx(short.train("consistent", "plain", 0), rel=1e-4)
    assert not CtrlU(steps=20, troubled=0.0).run([0]).held
