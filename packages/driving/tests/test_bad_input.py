"""Whatever a policy writes is scored, with a status and a reason; it never raises, and never goes unscored."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.distances import ade, fde
from guerdon_driving.examples import DrivingExample
from guerdon_driving.metrics import ClassF1
from guerdon_driving.pdms import epdms, pdms
from guerdon_driving.rewards import AlphaDrive, Format, PlanExact, PlanF1
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectory_rewards import L2, Collision, ComfortReward, EpdmsReward, PdmsReward, TrajectoryReward

WORDS = {
    "a megabyte": "<think> so </think> <answer> " + "STOP, LEFT_TURN, " * 60_000,
    "a megabyte of one word": "A" * 1_000_000,
    "another language": "<think> 前方畅通 </think> <answer> 保持, 直行 </answer>",
    "a third language": "<think> дорога свободна </think> <answer> ДЕРЖАТЬ, ПРЯМО </answer>",
    "right to left": "<think> \u202e </think> <answer> \u202eTHGIARTS, PEEK </answer>",
    "both axes repeated": "<think> so </think> <answer> KEEP, STRAIGHT, STOP, LEFT_TURN, KEEP, STRAIGHT </answer>",
    "all words": f"<think> so </think> <answer> {', '.join([*SPEED_ACTIONS, *PATH_ACTIONS])} </answer>",
    "nothing": "",
}
EVERY_WORD_REWARD = [AlphaDrive(), AlphaDrive(mode="printed"), AlphaDrive(mode="released"), PlanF1(), PlanExact()]


@pytest.mark.parametrize("what", WORDS)
@pytest.mark.parametrize("reward", EVERY_WORD_REWARD, ids=repr)
def test_words_that_are_no_one_plan_fail_with_a_reason(reward, what):
    example = DrivingExample(id="1", solution="<answer> KEEP, STRAIGHT </answer>")
    began = time.process_time()
    group = Group.of([Rollout.of(example, text) for text in (WORDS[what], WORDS["nothing"])])
    for score in Context().scores(reward, [group])[0]:
        assert math.isfinite(score.value)
        assert score.status == "fail"
        assert score.why
        assert len(score.why) < 1000
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("what", ["both axes repeated", "all words"])
def test_naming_more_than_one_plan_earns_the_layout_alone(what):
    example = DrivingExample(id="1", solution="<answer> KEEP, STRAIGHT </answer>")
    assert AlphaDrive()(Rollout.of(example, WORDS[what])).value == 1.0


@pytest.mark.parametrize("what", WORDS)
def test_metrics_of_anything_are_numbers(what):
    example = DrivingExample(id="1", solution="<answer> KEEP, STRAIGHT </answer>")
    for metric in (ClassF1("KEEP"), Format()):
        assert metric(Rollout.of(example, WORDS[what])).scored


FUTURE = tuple((5.0 * i, 0.0, 0.0) for i in range(1, 7))
AHEAD = [list(pose) for pose in FUTURE]
PATHS = {
    "nan": [[float("nan")] * 3] * 6,
    "one nan": [*AHEAD[:5], [float("nan"), 0.0, 0.0]],
    "infinite": [[float("inf"), 0.0, 0.0]] * 6,
    "empty": [],
    "one point": AHEAD[:1],
    "time reversed": AHEAD[::-1],
    "too short": AHEAD[:5],
    "too long": [*AHEAD, [35.0, 0.0, 0.0]],
    "ragged": [*AHEAD[:5], [30.0]],
}


def scene(**changed):
    """A free road, at 10 m/s."""
    times = np.arange(7) * 0.5
    ego = np.stack([10 * times, 0 * times, 0 * times], axis=-1)
    road = np.array([[-20.0, -4], [200, -4], [200, 4], [-20, 4]])
    none, past = np.zeros((0, 7, 3)), np.zeros((0, 3))
    return replace(Scene(0.5, (4.0, 2.0), ego, 10.0, past, none, np.zeros((0, 2)), (), (road,)), **changed)


@pytest.mark.parametrize("what", PATHS)
@pytest.mark.parametrize(
    "reward",
    [PdmsReward(), EpdmsReward(), Collision(), Collision(faults="any"), ComfortReward(), L2(), TrajectoryReward()],
    ids=repr,
)
def test_paths_that_are_no_trajectory_earn_the_least_with_a_reason(reward, what, tmp_path):
    scene().save(tmp_path / "s.npz")
    example = DrivingExample(id="1", speed=10.0, future=FUTURE, scene=str(tmp_path / "s.npz"))
    texts = [f"<answer> {json.dumps(path)} </answer>" for path in (PATHS[what], AHEAD)]
    bad, good = Context().scores(reward, [Group.of([Rollout.of(example, text) for text in texts])])[0]
    assert (bad.value, bad.status) == (reward.bounds[0], "fail")
    assert bad.why
    assert good.status == "ok"


@pytest.mark.parametrize("many", [pdms, epdms])
@pytest.mark.parametrize("poses", [0, 1, 3])
def test_arrays_without_enough_poses_have_a_reason_and_0(many, poses):
    found = many(scene(), np.zeros((2, poses, 3)))
    assert found.value.tolist() == [0.0, 0.0]
    assert all("at least 4" in why for why in found.reasons)


def test_distances_of_what_holds_nan_are_nan_for_that_row_alone():
    truth = np.array(FUTURE)
    both = np.stack([truth, truth * np.nan])
    for distance in (ade, fde):
        found = distance(both, truth)
        assert found[0] == 0.0
        assert np.isnan(found[1])


NAN = float("nan")
SCENES = {
    "drivable": {"drivable": (np.full((4, 2), NAN),)},
    "lanes": {"lanes": (np.array([[0.0, 0.0], [1.0, 0.0]]),)},
    "oncoming": {"oncoming": (np.zeros((0, 2)),)},
    "red_lights": {"red_lights": (np.zeros((4, 3)),)},
    "route": {"route": np.full((3, 2), NAN)},
    "speed": {"speed": NAN},
    "step_s": {"step_s": 0.0},
    "ego_size": {"ego_size": (NAN, 2.0)},
    "sizes": {"others": np.zeros((1, 7, 3)), "sizes": np.array([[NAN, 2.0]]), "kinds": ("vehicle",)},
}


@pytest.mark.parametrize("what", SCENES)
@pytest.mark.parametrize("reward", [PdmsReward(), EpdmsReward(), Collision(), TrajectoryReward()], ids=repr)
def test_a_scene_of_no_numbers_is_the_tasks_fault_and_its_field_is_named(reward, what, tmp_path):
    scene(**SCENES[what]).save(tmp_path / "s.npz")
    example = DrivingExample(id="7", speed=10.0, future=FUTURE, scene=str(tmp_path / "s.npz"))
    score = reward(Rollout.of(example, f"<answer> {json.dumps(AHEAD)} </answer>"))
    assert (score.status, math.isnan(score.value)) == ("invalid", True)
    assert f"Scene.{what}" in score.why
    assert "s.npz" in score.why


def test_what_is_not_there_and_a_past_that_was_not_seen_are_no_fault(tmp_path):
    unseen = scene(past=np.full((3, 3), NAN), others=np.full((1, 7, 3), NAN), sizes=np.ones((1, 2)), kinds=("vehicle",))
    for found in (pdms(unseen, np.array([FUTURE])), epdms(unseen, np.array([FUTURE]))):
        assert found.value.tolist() == [1.0]
