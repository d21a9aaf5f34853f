"""Distances to the driven path, each by the convention it names."""

from __future__ import annotations

import math

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_driving.distances import ade, fde, l2, min_ade, over_samples

TRUTH = np.array([[2.0 * i, 0.0] for i in range(1, 7)])
OFF = TRUTH + np.array([[0.0, 0.1 * i] for i in range(1, 7)])


@pytest.mark.parametrize(
    ("convention", "wanted"), [("mean_up_to", [0.15, 0.25, 0.35]), ("at_horizon", [0.2, 0.4, 0.6])]
)
def test_the_two_conventions_of_l2_differ_as_the_sheet_says(convention, wanted):
    """Worked example 1."""
    found = [l2(OFF, TRUTH, horizon_s=horizon, convention=convention) for horizon in (1.0, 2.0, 3.0)]
    np.testing.assert_allclose(found, wanted)


def test_ade_is_the_mean_and_fde_the_last():
    assert ade(OFF, TRUTH) == pytest.approx(0.35)
    assert fde(OFF, TRUTH) == pytest.approx(0.6)


def test_the_best_of_k_counts_and_a_broken_candidate_does_not():
    """Candidates off by 0.35 on average, by 1, and none."""
    candidates = np.stack([TRUTH + np.array([0.0, 1.0]), OFF, np.full_like(TRUTH, np.nan)])
    assert min_ade(candidates, TRUTH) == pytest.approx(0.35)
    assert math.isnan(min_ade(candidates[2:], TRUTH))


def test_batches_are_scored_at_once():
    np.testing.assert_allclose(l2(np.stack([TRUTH, OFF]), TRUTH), [0.0, 0.35])


def test_nan_stays_nan():
    assert math.isnan(l2(np.full_like(TRUTH, np.nan), TRUTH))


def test_another_number_of_poses_is_refused():
    with pytest.raises(ValueError, match="5 poses against 6"):
        ade(OFF[:5], TRUTH)


@pytest.mark.parametrize("horizon", [0.7, 3.5, 0.0])
def test_a_horizon_without_a_pose_is_refused(horizon):
    with pytest.raises(ConfigError, match="horizon"):
        l2(OFF, TRUTH, horizon_s=horizon)


def test_an_unknown_convention_is_refused():
    with pytest.raises(ConfigError, match="at_horizon"):
        l2(OFF, TRUTH, convention="mean")  # type: ignore[arg-type]


def test_samples_without_a_future_leave_the_mean_or_count_zero():
    """(0.3 + 0.5) / 2, and / 3 as in the running sums."""
    values, valid = [0.3, 0.5, float("nan")], [True, True, False]
    assert over_samples(values, valid, "flagged") == pytest.approx(0.4)
    assert over_samples(values, valid, "raw") == pytest.approx(0.8 / 3)
    assert math.isnan(over_samples([], [], "flagged"))
