"""A model's trajectory is read strictly, and what is none has a reason."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from guerdon_driving.trajectories import faults, parse, with_headings

DRIVE = [[5.0 * i, 0.0] for i in range(1, 7)]


@pytest.mark.parametrize(
    "text",
    [
        "[[1, 2], [3, 4.5]]",
        "  [[1,2],[3,4.5]]\n",
        "<think> [9, 9] </think><answer> [[1, 2], [3, 4.5]] </answer>",
        "<think> slow down </think> [[1e0, 2], [3, 4.5]]",
    ],
)
def test_a_list_of_poses_is_read_with_and_without_tags(text: str):
    assert parse(text).poses.tolist() == [[1.0, 2.0], [3.0, 4.5]]


def test_headings_are_kept():
    assert parse("[[1, 2, 0.5], [3, 4, 0.6]]").poses.shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no list"),
        ("ahead", "no list"),
        ("{}", "no list"),
        ("plan: [[1, 2]]", "no list"),
        ("[[1, 2]] and then stop", "no list"),
        ("<answer>[[1, 2]]", "not closed"),
        ("<answer>[[1, 2]]</answer><answer>[[3, 4]]</answer>", "more than one"),
        ("[1, 2]", "pose 1 is no list"),
        ('[["1", 2]]', "pose 1 is no list"),
        ("[[true, 2]]", "pose 1 is no list"),
        ("[[1, 2], [3]]", "pose 2 has 1 numbers"),
        ("[[1, 2, 3, 4]]", "pose 1 has 4 numbers"),
        ("[" * 100_000, "no list"),
    ],
)
def test_anything_else_is_refused_with_a_reason(text: str, said: str):
    found = parse(text)
    assert found.poses is None
    assert said in found.why


@pytest.mark.parametrize("piece", ["[", "[[", "[[1,2],", "<answer>", "</think>", "9", "</answer>[", "[[1e9999,"])
def test_a_megabyte_of_anything_is_read_in_linear_time(piece: str):
    text = piece * (1_000_000 // len(piece))
    begin = time.perf_counter()
    parse(text)
    parse("<answer>" + text + "</answer>")
    assert time.perf_counter() - begin < 3.0  # a quadratic reading takes minutes


def test_what_is_no_trajectory_is_told_apart():
    good = np.array([DRIVE])
    assert faults(good, 0.5) == [""]
    assert "no finite number" in faults(np.where(good == 15.0, np.nan, good), 0.5)[0]
    assert "no finite number" in faults(np.where(good == 15.0, np.inf, good), 0.5)[0]
    assert "3 poses" in faults(good[:, :3], 0.5)[0]
    assert faults(np.zeros((2, 0, 2)), 0.5) == ["0 poses; at least 4 are needed"] * 2
    assert "1 poses" in faults(good[:, :1], 0.5)[0]
    assert "6 poses; 8 are needed" in faults(good, 0.5, count=8)[0]
    assert "a value of" in faults(good * 1e7, 0.5)[0]


def test_sixty_metres_a_second_is_the_most():
    """30 m in 0.5 s is 60 m/s."""
    at = np.array([[[30.0 * i, 0.0] for i in range(1, 7)]])
    assert faults(at, 0.5) == [""]
    assert "a step at 61 m/s" in faults(at * 61 / 60, 0.5)[0]


def test_a_leap_within_the_path_is_found():
    leap = np.array([[[5.0, 0], [10, 0], [80, 0], [85, 0], [90, 0], [95, 0]]])
    assert "a step at 140 m/s" in faults(leap, 0.5)[0]


def test_time_in_reverse_is_found_and_driving_backwards_is_not():
    """Backwards at 2 m/s moves 1 m a step, from the first on."""
    assert "reversed" in faults(np.array([DRIVE[::-1]]) * 0.5, 0.5)[0]
    assert faults(np.array([[[-1.0 * i, 0.0] for i in range(1, 7)]]), 0.5) == [""]


@pytest.mark.parametrize(
    ("headings", "aside"),
    [
        ([0.0] * 6, None),
        ([math.pi] * 6, 90),  # turned round within the first step: its middle points aside
        ([0.2 * i for i in range(6)], 52),  # 0.9 in the middle of the last step
        ([-0.7] * 6, None),  # 40 degrees, and half of that in the first step
        ([0.8] * 6, 46),
    ],
)
def test_a_vehicle_points_where_it_moves(headings: list[float], aside: int | None):
    said = faults(np.array([[[*xy, heading] for xy, heading in zip(DRIVE, headings, strict=True)]]), 0.5)[0]
    assert said == "" if aside is None else f"{aside} degrees aside" in said


def test_backwards_slowly_and_round_a_bend_it_does_so_too():
    """Backwards; half a metre a step, which says little; and a circle of 10 m, where a step's ends are told apart."""
    turns = np.arange(1, 7) * 0.5
    circle = np.stack([10 * np.sin(turns), 10 - 10 * np.cos(turns), turns], axis=1)
    back = np.array([[-2.0 * i, 0.0, 0.0] for i in range(1, 7)])
    slow = np.array([[0.5 * i, 0.0, 1.5] for i in range(1, 7)])
    assert faults(np.stack([back, slow, circle]), 0.5) == ["", "", ""]


def test_rows_of_one_batch_do_not_mix():
    mixed = np.stack([np.array(DRIVE), np.full((6, 2), np.nan), np.array(DRIVE) * 100])
    said = faults(mixed, 0.5)
    assert [bool(each) for each in said] == [False, True, True]


def test_missing_headings_follow_the_motion_and_are_held_where_a_step_is_short():
    """Up, then 0.09 m to the side (too short to turn), then back at half a turn."""
    path = np.array([[[0.0, 0.05], [0.0, 1.05], [0.09, 1.05], [-2.0, 1.05]]])
    headings = with_headings(path)[0, :, 2]
    np.testing.assert_allclose(headings, [0.0, np.pi / 2, np.pi / 2, np.pi])


def test_headings_that_are_given_stay():
    given = np.random.default_rng(0).normal(size=(2, 5, 3))
    np.testing.assert_array_equal(with_headings(given), given)
