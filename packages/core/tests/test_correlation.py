"""Pearson's r: by hand, and where there is none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.correlation import flat, pearson

NAN, INF = math.nan, math.inf


def test_a_correlation_by_hand():
    """Centred (-1, 0, 1) and (-1, 1, 0), both of squared length 2, product 1."""
    assert pearson([1, 2, 3], [10, 12, 11]).item() == pytest.approx(0.5)


@pytest.mark.parametrize("scale", [1e-11, 1.0, 1e200, 1e300])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_scale_of_a_side_changes_the_sign_at_most(scale, sign):
    """Squares of 1e200 are no floats."""
    assert pearson(sign * scale * np.array([1.0, 2, 3]), [10, 12, 11]).item() == pytest.approx(sign * 0.5)


def test_a_large_offset_costs_no_digits():
    assert pearson(1e10 + np.array([1.0, 2, 3]), 1e10 + np.array([10.0, 12, 11])).item() == pytest.approx(
        0.5, abs=1e-12
    )


@pytest.mark.parametrize(
    "side", [[0.1] * 3, [0.3, 0.1 + 0.2, 0.3], [1e200] * 3, [1e16, 1e16 + 2, 1e16], [0.0, 5e-17, 0.0]]
)
def test_a_side_that_is_flat_but_for_rounding_has_no_correlation(side):
    assert math.isnan(pearson(side, [1.0, 2.0, 3.0]))
    assert math.isnan(pearson([1.0, 2.0, 3.0], side))
    assert flat(side)


@pytest.mark.parametrize(
    "pairs", [([], []), ([1.0], [2.0]), ([1.0, NAN], [2.0, 3.0]), ([NAN, 1.0, INF], [1.0, 2.0, 3.0])]
)
def test_fewer_than_two_pairs_have_no_correlation(pairs):
    assert math.isnan(pearson(*pairs))


def test_a_pair_without_a_number_is_left_out():
    """What is left, (1, 3) and (2, 1), falls."""
    assert pearson([1.0, 9.0, 2.0, 9.0], [3.0, NAN, 1.0, -INF]).item() == pytest.approx(-1.0)


def test_weights_count_a_pair_as_often_as_they_say():
    """(0, 0) twice, (1, 1) and (2, 0) once: means 3/4 and 1/4, cov 1/16, variances 11/16 and 3/16."""
    found = pearson([0.0, 1.0, 2.0, 7.0], [0.0, 1.0, 0.0, -7.0], [0.5, 0.25, 0.25, 0.0]).item()
    assert found == pytest.approx(1 / math.sqrt(33))


def test_a_stack_is_correlated_row_by_row():
    assert pearson([[1, 2, 3], [5, 5, 5]], [10, 12, 11]).tolist() == pytest.approx([0.5, NAN], nan_ok=True)


@given(st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 2), min_size=2, max_size=8))
@settings(max_examples=100, deadline=None)
def test_r_stays_within_its_ends_and_is_symmetric(pairs):
    one, other = np.array(pairs).T
    r = pearson(one, other).item()
    assert math.isnan(r) or -1.0 <= r <= 1.0
    assert r == pytest.approx(pearson(other, one).item(), nan_ok=True)
