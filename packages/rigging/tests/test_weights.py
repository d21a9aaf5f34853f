"""Weights kept, normalised and as bytes: worked examples of rigging_geometry.md and skintokens.md."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import RigError
from guerdon_rigging.weights import kept, normalised, to_bytes


def test_the_four_largest_are_kept_and_sum_to_one():
    """Worked example 11 of skintokens.md: each of .4, .25, .15, .1 over .9."""
    found = kept(np.array([[0.04, 0.4, 0.15, 0.06, 0.25, 0.1]]))
    np.testing.assert_allclose(found, [[0, 0.444444, 0.166667, 0, 0.277778, 0.111111]], atol=1e-6)


def test_of_equal_weights_the_first_columns_stay():
    np.testing.assert_array_equal(kept(np.full((1, 6), 0.7)), [[0.25, 0.25, 0.25, 0.25, 0, 0]])
    np.testing.assert_array_equal(kept(np.array([[1.0, 2, 1, 1]]), most=2), [[1 / 3, 2 / 3, 0, 0]])


def test_a_row_of_zeros_stays_one():
    np.testing.assert_array_equal(kept(np.zeros((2, 7))), np.zeros((2, 7)))
    np.testing.assert_array_equal(normalised(np.zeros((2, 3))), np.zeros((2, 3)))


def test_weights_below_a_share_of_the_largest_are_dropped_on_demand():
    """2 % of .98 is .0196: .01 goes, and .98 alone is left; .02 would stay."""
    np.testing.assert_array_equal(kept(np.array([[0.98, 0.01]]), drop=0.02), [[1, 0]])
    np.testing.assert_allclose(kept(np.array([[0.98, 0.02]]), drop=0.02), [[0.98, 0.02]])
    np.testing.assert_allclose(kept(np.array([[0.98, 0.01]])), [[0.98 / 0.99, 0.01 / 0.99]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1])
def test_what_is_no_weight_is_refused(bad):
    with pytest.raises(RigError, match=r"\[1, 0\]"):
        kept(np.array([[0.5, 0.5], [bad, 1.0]]))
    with pytest.raises(RigError):
        to_bytes(np.array([[bad, 1.0]]))


def test_bad_options_are_refused():
    with pytest.raises(ConfigError):
        kept(np.ones((1, 2)), most=0)
    with pytest.raises(ConfigError):
        kept(np.ones((1, 2)), drop=float("nan"))
    with pytest.raises(RigError, match="shape"):
        kept(np.ones(4))


@pytest.mark.parametrize(
    ("weights", "bytes_"),
    [
        ((0.5, 0.3, 0.2, 0.0), (128, 76, 51, 0)),
        ((1 / 3, 1 / 3, 1 / 3, 0.0), (85, 85, 85, 0)),
        ((0.25, 0.25, 0.25, 0.25), (63, 64, 64, 64)),
        ((0.0, 0.0, 0.0, 0.0), (0, 0, 0, 0)),
    ],
)
def test_weights_as_bytes(weights, bytes_):
    """Worked example 3 of rigging_geometry.md."""
    assert tuple(to_bytes(np.array([weights]))[0]) == bytes_


def test_bytes_are_read_back():
    """128, 76 and 51 of 255."""
    np.testing.assert_allclose(np.array([128, 76, 51]) / 255, [0.501961, 0.298039, 0.2], atol=1e-6)
    np.testing.assert_allclose(to_bytes(np.array([[0.5, 0.3, 0.2]])) / 255, [[0.501961, 0.298039, 0.2]], atol=1e-6)


def test_rows_that_do_not_sum_to_one_have_no_bytes():
    with pytest.raises(RigError, match="row 0 sums to"):
        to_bytes(np.array([[0.5, 0.3]]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(1, 6))
def test_kept_rows_sum_to_one_or_none_and_have_no_more_than_asked(row, most):
    found = kept(np.array([row]), most=most)[0]
    assert (found > 0).sum() <= most
    # A row that sums to less than 1e-12 is divided by that.
    if max(row) >= 1e-12:
        assert found.sum() == pytest.approx(1.0)
    assert not (found > np.array([row])[0].astype(bool)).any()
