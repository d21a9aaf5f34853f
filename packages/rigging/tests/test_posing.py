"""Rigs in other poses."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging.posing import in_pose, random_turns, written_turns
from guerdon_rigging.rigs import Mesh, Rig, Skeleton

RIG = Rig(
    Mesh(np.array([[2.0, 0, 0], [0, 0, 0], [1, 1, 0]]), np.array([[0, 1, 2]])),
    Skeleton(np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([-1, 0]), ("root", "arm")),
    np.array([[0.0, 1], [1, 0], [0, 0]]),
)


def test_the_sheets_chain_lands_where_the_sheet_says() -> None:
    """Worked example 7: root turned 90 degrees about z, child -90: child at (0,1,0), its point (2,0,0) at (1,1,0)."""
    got = in_pose(RIG, np.radians([[0, 0, 90], [0, 0, -90]]))
    np.testing.assert_allclose(got.skeleton.joints[1], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(got.mesh.vertices, [[1, 1, 0], [0, 0, 0], [1, 1, 0]], atol=1e-12)


def test_a_pose_is_written_by_name_or_index_in_degrees() -> None:
    np.testing.assert_allclose(written_turns(RIG, ["arm=0,0,90"]), [[0, 0, 0], [0, 0, np.pi / 2]])
    np.testing.assert_allclose(written_turns(RIG, ["1=0,0,90"]), written_turns(RIG, ["arm=0,0,90"]))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["leg=0,0,1"], "no joint 'leg' among its 2: root, arm"),
        (["arm=0,0"], "'arm=0,0'.*JOINT=X,Y,Z"),
        (["arm=0,0,nan"], "JOINT=X,Y,Z"),
        (["arm=1e30,0,0"], "'arm=1e30,0,0'; degrees from -360 to 360 are needed"),
        (["arm=0,-361,0"], "degrees from -360 to 360"),
        (["arm"], "JOINT=X,Y,Z"),
        (["2=0,0,1"], "no joint '2'"),
        (["arm=0,0,1", "1=0,0,1"], "twice"),
    ],
)
def test_a_pose_that_is_none_says_so(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        written_turns(RIG, texts)


def test_a_random_pose_is_seeded_and_leaves_the_root() -> None:
    first = random_turns(RIG, 3)
    np.testing.assert_array_equal(first, random_turns(RIG, 3))
    assert not np.array_equal(first, random_turns(RIG, 4))
    assert not first[0].any()
    assert 0 < np.abs(first[1]).max() <= np.pi / 6
