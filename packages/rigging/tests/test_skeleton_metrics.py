"""J2J, J2B and B2B: worked example 10 of tokenrig.md, and both conventions of points on bones."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.rigs import RigError, Skeleton
from guerdon_rigging.skeleton_metrics import chamfer, skeleton_distances


def line(*x, y=0.0):
    return Skeleton(np.array([(one, y, 0.0) for one in x]), np.arange(len(x)) - 1)


def test_two_joints_against_three():
    """Worked example 10: .0416667, .00145833, .000625."""
    found = skeleton_distances(line(0, 1), line(0, 0.5, 1))
    assert found.j2j == pytest.approx(0.0416667, abs=1e-7)
    assert found.j2b == pytest.approx(0.00145833, abs=1e-8)
    assert found.b2b == pytest.approx(0.000625, abs=1e-9)


def test_a_skeleton_shifted_sideways():
    """Worked example 10: .1, .1000625, .1."""
    found = skeleton_distances(line(0, 1), line(0, 1, y=0.2))
    assert found.j2j == pytest.approx(0.1)
    assert found.j2b == pytest.approx(0.1000625, abs=1e-6)
    assert found.b2b == pytest.approx(0.1)


def test_the_order_of_the_two_is_no_matter():
    one, other = line(0, 0.3, 0.9, y=0.1), line(0, 1)
    assert skeleton_distances(one, other) == skeleton_distances(other, one)


def test_with_both_ends_of_bones_a_skeleton_is_itself():
    """RigNet's points hold the joints: J2B of two and three joints is 0 too, as .5 is one of 101 points."""
    found = skeleton_distances(line(0, 1), line(0, 0.5, 1), "rignet")
    assert found.j2j == pytest.approx(0.0416667, abs=1e-7)
    assert found.j2b == pytest.approx(0, abs=1e-15)
    assert found.b2b == pytest.approx(0, abs=1e-15)


def test_lone_joints_have_themselves_for_bones():
    found = skeleton_distances(line(0.5), line(-0.5))
    assert (found.j2j, found.j2b, found.b2b) == (0.5, 0.5, 0.5)


def test_a_smaller_frame_makes_larger_shares():
    assert skeleton_distances(line(0, 1), line(0, 0.5, 1), span=1.0).j2j == pytest.approx(0.0833333, abs=1e-7)


def test_no_points_have_no_distance():
    with pytest.raises(RigError):
        chamfer(np.zeros((0, 3)), np.zeros((1, 3)))
