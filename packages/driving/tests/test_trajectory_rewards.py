"""Rewards of planned trajectories: the reference earns the top, cheats earn nothing, what is missing is the task's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from guerdon.conformance import check_reward
from guerdon.errors import ConfigError
from guerdon.protocols import Task
from guerdon.rewards.base import Context
from guerdon.types import Group, Message, Prompt, Rollout
from guerdon_driving.examples import DrivingExample
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectory_rewards import (
    L2,
    Collision,
    ComfortReward,
    EpdmsReward,
    PdmsReward,
    TrajectoryReward,
)

FUTURE = tuple((5.0 * i, 0.0, 0.0) for i in range(1, 7))
ALL = [PdmsReward(), EpdmsReward(), Collision(), Collision(faults="any"), ComfortReward(), L2(), TrajectoryReward()]


def answered(poses) -> str:
    return f"<think> keep the lane </think><answer> {json.dumps(poses)} </answer>"


def saved(folder: Path, ahead: float = 60.0, name: str = "one.npz") -> str:
    """10 m/s on a road 8 m wide, a parked car ahead."""
    times = np.arange(7) * 0.5
    ego = np.stack([10 * times, 0 * times, 0 * times], axis=-1)
    others = np.full((1, 7, 3), [ahead, 0.0, 0.0])
    road = np.array([[-20.0, -4], [200, -4], [200, 4], [-20, 4]])
    past = np.zeros((0, 3))
    scene = Scene(0.5, (4.0, 2.0), ego, 10.0, past, others, np.array([[4.0, 2.0]]), ("vehicle",), (road,))
    scene.save(folder / name)
    return str(folder / name)


class Drives(Task):
    """Two examples on that road."""

    name = "drives"

    def __init__(self, folder: Path) -> None:
        path = saved(folder)
        self._examples = [DrivingExample(id=each, speed=10.0, future=FUTURE, scene=path) for each in ("a", "b")]

    def examples(self, split):
        return self._examples if split == "train" else []

    def prompt(self, example):
        return Prompt((Message("user", "Where to?"),))

    def reference(self, example):
        return answered([list(pose) for pose in example.future])


@pytest.fixture
def task(tmp_path):
    return Drives(tmp_path)


def scores(reward, example, *texts):
    group = Group.of([Rollout.of(example, text) for text in texts])
    return Context().scores(reward, [group])[0]


CHEATS = [
    answered([[0.0, 0.0]] * 5),
    answered([[200.0 * i, 0.0] for i in range(1, 7)]),
    answered([list(pose) for pose in FUTURE][::-1]),
    answered([[5.0, 0.0]]),
    answered([]),
    "<answer>[[NaN, 0], [NaN, 0], [NaN, 0], [NaN, 0], [NaN, 0], [NaN, 0]]</answer>",
    answered([[5.0 * i] for i in range(1, 7)]),
    "<answer>[[5,0]]</answer>" * 6,
]


@pytest.mark.parametrize("reward", ALL, ids=repr)
def test_the_driven_path_earns_the_top_and_what_is_no_trajectory_nothing(reward, task):
    check_reward(reward, task, cheats=CHEATS, hostile=["<answer>" + "[" * 1_000_000, "[[" + "9" * 1_000_000 + ",0]]"])


@pytest.mark.parametrize("reward", ALL, ids=repr)
def test_a_bad_answer_fails_with_a_reason(reward, task):
    (found,) = scores(reward, task.examples("train")[0], CHEATS[1])
    assert (found.status, found.value) == ("fail", reward.bounds[0])
    assert "400 m/s" in found.why


def test_the_stacks_invalid_answer_is_zero_on_request(task):
    """As the sheet has it; a crash far off then earns less than nonsense: 0 - 0.1 without tags."""
    example = task.examples("train")[0]
    crash = json.dumps([[24.0 * i, 10.0] for i in range(1, 7)])
    zero, worst = TrajectoryReward(invalid="zero"), TrajectoryReward()
    assert [one.value for one in scores(zero, example, "nothing", crash)] == [0.0, pytest.approx(-0.1)]
    assert [one.value for one in scores(worst, example, "nothing", crash)] == [-0.1, pytest.approx(-0.1)]


def test_the_stack_is_its_parts(task):
    """Sideways by 1 m at all poses: R = PDMS - 0.1 * 1 / 5 + 0.1."""
    beside = answered([[x, 1.0, 0.0] for x, _, _ in FUTURE])
    (found,) = scores(TrajectoryReward(), task.examples("train")[0], beside)
    assert found.parts["l2_mean_up_to_3s"].value == pytest.approx(1.0)
    assert found.parts["format"].value == 1.0
    assert found.value == pytest.approx(found.parts["pdms"].value - 0.02 + 0.1)
    assert set(found.parts["pdms"].parts) == {
        "no_at_fault_collisions",
        "drivable_area_compliance",
        "ego_progress",
        "time_to_collision_within_bound",
        "comfort",
    }


def test_standing_still_is_paid_for_time_to_collision_alone(task):
    """EP 0, TTC 1, and the stop at once from 10 m/s is no comfort: 5 / 12."""
    (found,) = scores(PdmsReward(), task.examples("train")[0], answered([[0.0, 0.0]] * 6))
    assert found.value == pytest.approx(5 / 12)


def test_a_crash_earns_nothing(tmp_path):
    """The parked car's rear is at 20 - 2, the ego's front reaches it at 16 m."""
    example = DrivingExample(id="c", speed=10.0, future=FUTURE, scene=saved(tmp_path, ahead=20.0))
    reference = answered([list(pose) for pose in FUTURE])
    for reward in (PdmsReward(), Collision(), Collision(faults="any")):
        (found,) = scores(reward, example, reference)
        assert (found.value, found.status) == (0.0, "fail")
        assert "1.6 s" in found.why


@pytest.mark.parametrize("reward", [PdmsReward(), EpdmsReward(), Collision(), TrajectoryReward()], ids=repr)
def test_a_missing_or_broken_scene_is_the_tasks_fault(reward, tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"no scene")
    for scene, said in (("", "no scene"), (str(tmp_path / "bad.npz"), "bad"), (str(tmp_path / "none.npz"), "none")):
        example = DrivingExample(id="m", future=FUTURE, scene=scene)
        (found,) = scores(reward, example, answered([list(pose) for pose in FUTURE]))
        assert found.status == "invalid"
        assert math.isnan(found.value)
        assert said in found.why


@pytest.mark.parametrize("reward", ALL, ids=repr)
def test_an_example_without_a_future_cannot_be_judged(reward, tmp_path):
    example = DrivingExample(id="f", scene=saved(tmp_path))
    (found,) = scores(reward, example, "[]")
    assert (found.status, found.value != found.value) == ("invalid", True)


def test_groups_of_other_lengths_are_scored_together_as_alone(tmp_path):
    path = saved(tmp_path)
    short = DrivingExample(id="s", speed=10.0, future=FUTURE[:4], scene=path)
    whole = DrivingExample(id="w", speed=10.0, future=FUTURE, scene=path)
    groups = [
        Group.of([Rollout.of(each, answered([[4.0 * i, 0.1 * i] for i in range(1, 1 + len(each.future))]))] * 2)
        for each in (short, whole, short)
    ]
    for reward in (PdmsReward(), EpdmsReward(), ComfortReward(), Collision(faults="any")):
        together = [[one.value for one in row] for row in Context().scores(reward, groups)]
        alone = [[one.value for one in Context().scores(reward, [group])[0]] for group in groups]
        assert together == alone


def test_l2_names_its_convention_and_they_differ(task):
    """Worked example 1: .35 and .6 m."""
    text = answered([[x, 0.1 * i] for i, (x, _, _) in enumerate(FUTURE, 1)])
    example = task.examples("train")[0]
    (mean,), (last,) = scores(L2(), example, text), scores(L2(convention="at_horizon"), example, text)
    assert mean.parts["l2_mean_up_to_3s"].value == pytest.approx(0.35)
    assert last.parts["l2_at_horizon_3s"].value == pytest.approx(0.6)
    assert mean.value == pytest.approx(1 - 0.35 / 5)


def test_a_scene_that_is_rewritten_is_read_again(tmp_path):
    example = DrivingExample(id="r", speed=10.0, future=FUTURE, scene=saved(tmp_path))
    reference = answered([list(pose) for pose in FUTURE])
    assert scores(Collision(), example, reference)[0].value == 1.0
    saved(tmp_path, ahead=20.5)
    assert scores(Collision(), example, reference)[0].value == 0.0


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: PdmsReward(start="slow"), "start"),  # type: ignore[arg-type]
        (lambda: Collision(faults="some"), "faults"),  # type: ignore[arg-type]
        (lambda: L2(horizon_s=0.7), "horizon"),
        (lambda: L2(cap_m=0.0), "cap_m"),
        (lambda: TrajectoryReward(poses=4), "poses"),
        (lambda: PdmsReward(poses=-1), "poses"),
    ],
)
def test_a_wrong_option_is_named(made, said):
    with pytest.raises(ConfigError, match=said):
        made()
