"""Skins compared, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.rigs import RigError, Skeleton
from guerdon_rigging.skin_metrics import cleaned, l1_per_entry, l1_per_vertex, motion_loss, overlap

TRUE = np.array([(1.0, 0, 0), (0.5, 0.5, 0), (0.2, 0.2, 0.6)])


def test_a_skin_against_itself_is_right():
    found = overlap(TRUE, TRUE)
    assert (found.precision, found.recall, found.rows) == (1, 1, 3)
    assert l1_per_vertex(TRUE, TRUE) == l1_per_entry(TRUE, TRUE) == 0


def test_supports_are_counted_over_the_mesh():
    """Predicted 5 influences of which 4 are true, of 6: a vertex with none of its own right and one too few."""
    predicted = np.array([(0.0, 1, 0), (0.5, 0.5, 0), (0, 0.5, 0.5)])
    found = overlap(predicted, TRUE)
    assert found.precision == 4 / 5
    assert found.recall == 4 / 6


def test_small_predictions_are_no_support():
    """.0009 is below 1e-3; .1 is below .15 x .9; .14 is not below .15 x .86 = .129, but is below .35 x .86."""
    predicted = np.array([(0.9, 0.1, 0.0), (0.86, 0.14, 0.0), (0.0009, 0.0008, 0.0)])
    np.testing.assert_allclose(cleaned(predicted), [(1, 0, 0), (0.86, 0.14, 0), (0, 0, 0)])
    np.testing.assert_allclose(cleaned(predicted, 0.35)[1], (1, 0, 0))


def test_rows_whose_truth_is_none_are_left_out():
    """Sums of 0 and .98 are left out, 1.009 is not."""
    true = np.array([(0.0, 0.0), (0.49, 0.49), (1.009, 0.0)])
    found = overlap(np.array([(0.5, 0.5), (0.5, 0.5), (0.5, 0.5)]), true)
    assert (found.precision, found.recall, found.rows) == (0.5, 1, 1)


def test_of_nothing_there_is_no_share():
    found = overlap(np.zeros((1, 2)), np.array([(1.0, 0)]))
    assert np.isnan(found.precision)
    assert found.recall == 0


def test_both_l1():
    """One of three vertices is wholly wrong: 2 / 3 a vertex, 2 / 9 an entry."""
    predicted = TRUE.copy()
    predicted[0] = (0, 0, 1)
    assert l1_per_vertex(predicted, TRUE) == pytest.approx(2 / 3)
    assert l1_per_entry(predicted, TRUE) == pytest.approx(2 / 9)


def test_motion_apart():
    """The second joint, at 1, turned 90 deg about z: (2, 0, 0) goes to (1, 1, 0), sqrt 2 from where it was.

    The other vertex, bound alike in both, is 0 apart: means 1 and .707107.
    """
    two = Skeleton(np.array([(0.0, 0, 0), (1, 0, 0)]), np.array([-1, 0]))
    vertices = np.array([(2.0, 0, 0), (3, 0, 0)])
    turns = np.array([[(0, 0, 0), (0, 0, np.pi / 2)]])
    found = motion_loss(vertices, two, np.array([(1.0, 0), (0, 1)]), np.array([(0, 1.0), (0, 1)]), turns)
    assert found.mean_square == pytest.approx(1)
    assert found.mean == pytest.approx(np.sqrt(0.5))
    assert motion_loss(vertices, two, np.eye(2), np.eye(2)).mean == 0


@pytest.mark.parametrize("measure", [overlap, l1_per_vertex, l1_per_entry])
def test_skins_that_cannot_be_compared_are_refused(measure):
    for bad in (np.ones((2, 3)), np.full((3, 3), np.nan), np.zeros((0, 3))):
        with pytest.raises(RigError):
            measure(bad, TRUE if len(bad) else bad)
