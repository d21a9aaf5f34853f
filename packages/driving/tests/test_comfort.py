"""Six bounds, smoothed as in the sheet."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_driving.comfort import BOUNDS, comfort, signals, within
from guerdon_driving.extended_comfort import LIMITS, differences, extended_comfort
from guerdon_driving.motions import motions

ZERO = np.zeros((1, 41))


def felt(along=ZERO, heading=ZERO):
    return comfort(np.stack([along, np.zeros_like(along)], axis=-1), heading)


def verdicts(found):
    return {name: bool(kept[0]) for name, kept in found.within.items()}


def test_nothing_moves_nobody():
    """Worked example 5."""
    assert verdicts(felt()) == dict.fromkeys(BOUNDS, True)
    assert felt().first_s.tolist() == [np.inf]


def test_a_sudden_brake_breaks_what_the_sheet_says():
    """Worked example 5: the filter overshoots to -5.46875 and +.46875; longitudinal jerk -5.0223."""
    brake = np.where(np.arange(41) >= 20, -5.0, 0.0)[None]
    found = signals(np.stack([brake, ZERO], axis=-1), ZERO)
    assert found["longitudinal_acceleration"].min() == -5.46875
    assert found["longitudinal_acceleration"].max() == 0.46875
    assert found["longitudinal_jerk"].min() == pytest.approx(-5.0223, abs=5e-5)
    broken = {name for name, kept in verdicts(felt(brake)).items() if not kept}
    assert broken == {"longitudinal_acceleration", "longitudinal_jerk"}
    assert 1.0 < felt(brake).first_s[0] < 2.0  # the jerk's window reaches 0.7 s ahead, and the smoothing before it


def test_a_slow_brake_is_fine():
    """Worked example 5: a ramp from 0 to -3."""
    assert felt(np.linspace(0, -3, 41)[None]).all.tolist() == [True]


def test_turning_at_one_radian_a_second_is_too_fast_and_crossing_pi_is_not_turning():
    """Worked example 6."""
    fast = np.arange(41)[None] * 0.1
    assert {name for name, kept in verdicts(felt(heading=fast)).items() if not kept} == {"yaw_rate"}
    crossing = 3.0 + 0.5 * fast
    wrapped = (crossing + np.pi) % (2 * np.pi) - np.pi
    assert wrapped.min() < 0 < wrapped.max()
    assert felt(heading=wrapped).all.tolist() == [True]


def test_a_bound_of_zero_is_a_bound():
    assert within(np.array([1.0, -1.0]), None, 0.0).tolist() == [False, True]
    assert within(np.array([1.0, -1.0]), 0.0, None).tolist() == [True, False]
    assert within(np.array([np.nan]), None, None).tolist() == [False]


def test_bounds_are_strict():
    """Constant 2.40 is not below 2.40."""
    assert not felt(np.full((1, 41), 2.40)).within["longitudinal_acceleration"][0]
    assert felt(np.full((1, 41), 2.39)).within["longitudinal_acceleration"][0]


def test_windows_shrink_to_four_poses_and_three_are_refused():
    assert comfort(np.zeros((2, 4, 2)), np.zeros((2, 4))).all.tolist() == [True, True]
    with pytest.raises(ValueError, match="3 poses"):
        comfort(np.zeros((2, 3, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no finite number"):
        comfort(np.zeros((1, 8, 2)), np.full((1, 8), np.nan))


def test_a_constant_acceleration_is_found_again_from_poses_at_2_hz():
    """x = 10 t + t² / 2: 1 m/s² all along; a circle of 20 m at 10 m/s pulls 5 m/s² to the left."""
    t = np.arange(1, 9) * 0.5
    line = np.stack([10 * t + t**2 / 2, 0 * t, 0 * t], axis=-1)[None]
    found = motions(line, 0.5, speed=10.0)
    np.testing.assert_allclose(found.acceleration[0, :, 0], 1.0, atol=1e-9)
    np.testing.assert_allclose(found.speed[0], 10 + np.arange(41) * 0.1, atol=1e-6)
    circle = np.stack([20 * np.sin(t / 2), 20 - 20 * np.cos(t / 2), t / 2], axis=-1)[None]
    np.testing.assert_allclose(motions(circle, 0.5, speed=10.0).acceleration[0, :, 1], 5.0, atol=0.25)


def test_a_stop_at_once_is_felt_only_where_the_speed_is_known():
    still = np.zeros((1, 6, 3))
    ours, free = motions(still, 0.5, speed=10.0), motions(still, 0.5)
    assert not comfort(ours.acceleration, ours.poses[..., 2]).all[0]
    assert comfort(free.acceleration, free.poses[..., 2]).all[0]
    assert ours.speed.max() == 0.0  # where the plan says it stands, it stands


def test_the_same_plan_a_moment_later_is_comfortable_and_a_brake_instead_is_not():
    t = np.arange(1, 9) * 0.5
    steady = motions(np.stack([10 * t, 0 * t, 0 * t], axis=-1)[None], 0.5, speed=10.0)
    braking = motions(np.stack([10 * t - t**2, 0 * t, 0 * t], axis=-1)[None], 0.5, speed=10.0)
    assert extended_comfort(steady, steady, 0.5).tolist() == [1.0]
    assert extended_comfort(braking, steady, 0.5).tolist() == [0.0]
    found = differences(braking, steady, 0.5)
    assert set(found) == set(LIMITS)
    assert found["acceleration"][0] == pytest.approx(2.0)  # -2 m/s² against none
    with pytest.raises(ValueError, match="both plans"):
        extended_comfort(steady, steady, 3.9)
