"""The frame that models see a mesh in."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.frames import frame
from guerdon_rigging.rigs import RigError

BOX = np.array([[x, y, z] for x in (0.0, 4.0) for y in (0.0, 2.0) for z in (0.0, 1.0)])


def test_a_box_is_normalised_by_its_longest_side_worked_example_10():
    """(0,0,0)-(4,2,1) becomes (-1,-.5,-.25)-(1,.5,.25), and back."""
    found = frame(BOX)
    inside = found.into(BOX)
    assert inside.min(axis=0).tolist() == [-1, -0.5, -0.25]
    assert inside.max(axis=0).tolist() == [1, 0.5, 0.25]
    np.testing.assert_allclose(found.back(inside), BOX)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.ones((4, 3)), np.array([[-1e308, 0, 0], [1e308, 0, 0]])])
def test_what_has_no_extent_has_no_frame(points):
    with pytest.raises(RigError, match=r"no points|longest side"):
        frame(points)
