"""The claim's world, its vectorised rewards beside the product's, and that it can fail."""

from dataclasses import replace

import numpy as np
import pytest

from guerdon.advantages import group_relative
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.alphadrive_claim import (
    ANSWERS,
    PATH_SETS,
    SPEED_SETS,
    AlphaDriveClaim,
    group_advantages,
    rewards,
    world,
)
from guerdon_driving.examples import DrivingExample
from guerdon_driving.rewards import AlphaDrive

SMALL = AlphaDriveClaim(steps=20, held_out=200)


def test_there_are_fourteen_by_twenty_five_answers_and_the_single_ones_come_first():
    assert (len(SPEED_SETS), len(PATH_SETS), ANSWERS) == (14, 25, 350)
    assert SPEED_SETS[:4] == [{action} for action in SPEED_ACTIONS]
    assert PATH_SETS[:5] == [{action} for action in PATH_ACTIONS]


def said(answer):
    actions = [*sorted(SPEED_SETS[answer // 25]), *sorted(PATH_SETS[answer % 25])]
    return f"<think> t </think> <answer> {', '.join(actions)} </answer>"


@pytest.mark.parametrize(("pay", "reward"), [("f1", AlphaDrive(at_most=5)), ("one_each", AlphaDrive())])
def test_the_claims_rewards_are_the_products(pay, reward):
    random = np.random.default_rng(0)
    speed, path = random.integers(0, 4, 60), random.integers(0, 5, 60)
    answers = random.integers(0, ANSWERS, (60, 4))
    answers[:30] = np.where(random.random((30, 4)) < 0.6, (speed[:30] * 25 + path[:30])[:, None], answers[:30])
    groups = []
    for number, row in enumerate(answers):
        solution = f"<answer> {SPEED_ACTIONS[speed[number]]}, {PATH_ACTIONS[path[number]]} </answer>"
        example = DrivingExample(id=str(number), solution=solution)
        groups.append(Group.of([Rollout.of(example, said(answer)) for answer in row]))
    scores = [[score.value for score in row] for row in Context().scores(reward, groups)]
    np.testing.assert_allclose(rewards(answers, speed, path, pay), scores, atol=1e-12)


def test_the_mention_reward_pays_for_naming_everything():
    """Three speed actions with the true one among them earn 1 on their axis, as the truth alone does."""
    all_three = next(k for k in range(ANSWERS) if {"KEEP", "STOP", "DECELERATE"} == SPEED_SETS[k // 25])
    answers = np.array([[all_three, 0]])
    found = rewards(answers, np.array([0]), np.array([0]), "mention")
    assert found.tolist() == [[2.0, 2.0]]


def test_the_claims_advantages_are_cores():
    values = np.array([[2.6, 1.4, 1.4, 0.8], [1.0, 1.0, 1.0, 1.0]])
    found = group_advantages(values)
    assert found[0] == pytest.approx(group_relative().centred([2.6, 1.4, 1.4, 0.8]))
    assert found[1].tolist() == [0.0] * 4


def test_truths_are_drawn_as_skewed_as_the_sheet_says():
    features, speed, path = world(20_000, np.random.default_rng(0))
    assert np.bincount(speed) / 20_000 == pytest.approx([0.6, 0.15, 0.15, 0.10], abs=0.01)
    assert np.bincount(path) / 20_000 == pytest.approx([0.7, 0.1, 0.1, 0.05, 0.05], abs=0.01)
    assert (features[:, -1] == 1.0).all()
    assert (features[:, :4] - np.eye(4)[speed]).std() == pytest.approx(0.35, abs=0.01)


def test_the_same_seed_measures_the_same_and_another_does_not():
    first, again, other = (SMALL.measure(seed) for seed in (0, 0, 1))
    assert first == again != other


def test_the_claim_can_fail_where_there_is_no_time_to_learn():
    result = replace(SMALL, steps=1).run((0, 1))
    assert not result.held
    assert len(result.measurements) == 12


@pytest.mark.claim
def test_two_stages_beat_either_alone_by_the_sheets_margins():
    done = []
    result = AlphaDriveClaim().run(range(6), lambda *at: done.append(at))
    assert result.held, result
    assert done[-1][:2] == (6, 6)
    values = {measurement.name: measurement for measurement in result.measurements}
    assert values["margin, SFT + RL and SFT only"].mean >= 0.06
    assert values["margin, SFT + RL and RL only"].mean >= 0.3
    assert values["accuracy, SFT only"].mean == pytest.approx(0.764, abs=0.03)
    assert values["accuracy, SFT + RL"].mean == pytest.approx(0.859, abs=0.03)
    assert values["accuracy, mention, RL only"].mean == 0.0
    assert values["actions per answer, mention, RL only"].mean >= 5.5
    assert values["actions per answer, RL only"].mean < 3.0
