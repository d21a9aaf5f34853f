"""Attacks on rewards of trajectories: what they write, and that what is no trajectory is paid by none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from guerdon.audit import Settings, Target, audit
from guerdon.audit.layouts import Layout
from guerdon.conformance import check_attack
from guerdon.protocols import Task
from guerdon.types import Message, Prompt
from guerdon_driving.examples import DrivingExample
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectories import faults, parse
from guerdon_driving.trajectory_attacks import (
    ConstantVelocity,
    FirstStep,
    NoNumbers,
    OtherLength,
    ReversedTime,
    StandingStill,
    Teleport,
)
from guerdon_driving.trajectory_rewards import L2, Collision, ComfortReward, EpdmsReward, PdmsReward, TrajectoryReward

KINDS = (StandingStill, ConstantVelocity, FirstStep, Teleport, ReversedTime, NoNumbers, OtherLength)
NO_TRAJECTORIES = [*NoNumbers.variants(), *OtherLength.variants(), Teleport("far"), Teleport("at the end")]
REWARDS = [PdmsReward(), EpdmsReward(), Collision(), ComfortReward(), L2(), TrajectoryReward()]
PATH = [[4.0 * i, 0.2 * i, 0.05] for i in range(1, 7)]


def says(path) -> str:
    return f"<think> so </think> <answer> {json.dumps(path)} </answer>"


TARGET = Target(
    Prompt((Message("user", "You drive at 8.0 m/s."),)), (says(PATH),), Layout.of([says(PATH)]), says(PATH[:4])
)


def written(attack):
    (text,) = attack.attempt(TARGET.seen(attack.knows))
    return text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_attack_keeps_its_promises(kind):
    check_attack(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_nothing_is_written_where_plans_are_words(kind):
    words = "<think> so </think> <answer> KEEP, STRAIGHT </answer>"
    target = Target(TARGET.prompt, (words,), Layout.of([words]), words)
    assert all(attack.attempt(target) == () for attack in kind.variants())


def test_what_the_attacks_write():
    """8 m/s for half a second are 4 m; the driven path's first step is (4, 0.2)."""
    assert parse(written(StandingStill())).poses.tolist() == [[0.0, 0.0, 0.0]] * 6
    assert parse(written(ConstantVelocity())).poses[:, 0].tolist() == [4.0, 8.0, 12.0, 16.0, 20.0, 24.0]
    assert np.allclose(parse(written(FirstStep())).poses[-1], [16.0, 0.8, 0.05])
    assert parse(written(ReversedTime())).poses.tolist() == PATH[::-1]
    fastest = parse(written(Teleport("as fast as allowed"))).poses
    assert faults(fastest[None], 0.5) == [""]
    assert len(parse(written(OtherLength("many"))).poses) > 10_000


@pytest.fixture
def task(tmp_path):
    """Six examples at 10 m/s on a free road, each a little slower than the one before."""

    class Roads(Task):
        name = "test/roads"

        def examples(self, split):
            found = []
            for number in range(6):
                steps = np.arange(7) * (5.0 - 0.3 * number)
                ego = np.stack([steps, 0 * steps, 0 * steps], axis=-1)
                road = np.array([[-20.0, -4], [200, -4], [200, 4], [-20, 4]])
                none, past = np.zeros((0, 7, 3)), np.zeros((0, 3))
                scene = Scene(0.5, (4.0, 2.0), ego, 10.0, past, none, np.zeros((0, 2)), (), (road,))
                scene.save(tmp_path / f"{number}.npz")
                future = tuple(map(tuple, ego[1:].tolist()))
                path = str(tmp_path / f"{number}.npz")
                found.append(DrivingExample(id=str(number), speed=10.0, future=future, scene=path))
            return found

        def prompt(self, example):
            return Prompt((Message("user", f"You drive at {example.speed} m/s."),))

        def reference(self, example):
            return says([list(pose) for pose in example.future])

    return Roads()


@pytest.mark.parametrize("reward", REWARDS, ids=lambda reward: reward.name)
def test_what_is_no_trajectory_earns_the_least(reward, task):
    report = audit(reward, task, NO_TRAJECTORIES, Settings(examples=6, workers=1))
    assert len(report.findings) == 3
    for finding in report.findings:
        assert set(finding.values) == {reward.bounds[0]}, finding.attack
        assert set(finding.statuses) == {"fail"}
