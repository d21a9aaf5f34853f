"""Bones and distances: worked example 4 of rigging_geometry.md, conventions of bone points."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.bones import bone_points, bones, joint_distances, nearest_joints, segment_distances
from guerdon_rigging.rigs import Skeleton


def skeleton(joints, parents):
    return Skeleton(np.array(joints, float), np.array(parents, np.int64))


FORK = skeleton([(0, 0, 0), (0, 2, 0), (1, 2, 0), (0, 3, 0)], [-1, 0, 1, 1])


@pytest.mark.parametrize(
    ("point", "start", "end", "distance"),
    [
        ((1, 1, 0), (0, 0, 0), (2, 0, 0), 1.0),
        ((-1, 1, 0), (0, 0, 0), (2, 0, 0), 1.414214),
        ((3, 0, 4), (0, 0, 0), (0, 0, 0), 5.0),
        ((3, 1, 0), (0, 0, 0), (2, 0, 0), 1.414214),
    ],
)
def test_distances_to_a_segment(point, start, end, distance):
    """Worked example 4; the last is the second seen from the other end."""
    found = segment_distances(np.array([point], float), np.array([start], float), np.array([end], float))
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(distance, abs=1e-6)


def test_a_point_on_a_bone_is_at_zero():
    start, end = np.array([[0.1, 0.2, 0.3]]), np.array([[0.7, -0.4, 0.9]])
    assert segment_distances((start + end) / 2, start, end)[0, 0] < 1e-15


def test_bones_lead_to_children_and_go_on_at_leaves():
    """The root has one bone, the fork two, each leaf one: half of the way from its parent further."""
    found = bones(FORK)
    assert found.owners.tolist() == [0, 1, 1, 2, 3]
    assert found.starts.tolist() == [[0, 0, 0], [0, 2, 0], [0, 2, 0], [1, 2, 0], [0, 3, 0]]
    assert found.ends.tolist() == [[0, 2, 0], [1, 2, 0], [0, 3, 0], [1.5, 2, 0], [0, 3.5, 0]]


def test_a_lone_root_is_a_point():
    found = bones(skeleton([(1, 2, 3)], [-1]))
    assert found.starts.tolist() == found.ends.tolist() == [[1, 2, 3]]
    assert joint_distances(np.array([[1.0, 2, 7]]), skeleton([(1, 2, 3)], [-1])).tolist() == [[4.0]]


def test_a_joint_is_as_near_as_the_nearest_of_its_bones():
    """(.5, 2.5, 0) is .5 from both bones of the fork, and 1/sqrt(2) from where the leaf at (1, 2, 0) begins."""
    found = joint_distances(np.array([[0.5, 2.5, 0.0]]), FORK)[0]
    np.testing.assert_allclose(found, [np.sqrt(0.5), 0.5, np.sqrt(0.5), np.sqrt(0.5)])


def test_where_bones_meet_the_parent_has_the_point():
    owners, distances = nearest_joints(np.array([[0.0, 2, 0], [0, 1, 0], [2, 2, 0]]), FORK)
    assert owners.tolist() == [0, 0, 2]
    assert distances.tolist() == [0, 0, 0.5]


def test_more_points_than_a_chunk_are_done_alike():
    points = np.random.default_rng(0).uniform(-1, 3, (40_000, 3))
    whole = joint_distances(points, FORK)
    assert np.array_equal(whole[39_990:], joint_distances(points[39_990:], FORK))
    owners, distances = nearest_joints(points, FORK)
    assert np.array_equal(owners, whole.argmin(axis=1))
    assert np.array_equal(distances, whole.min(axis=1))


def test_points_on_bones_as_unirig_takes_them():
    """100 a bone, the child among them and the parent not."""
    found = bone_points(skeleton([(0, 0, 0), (1, 0, 0)], [-1, 0]))
    assert found.shape == (100, 3)
    np.testing.assert_allclose(found[[0, 1, 99], 0], [1.0, 0.99, 0.01])


def test_points_on_bones_as_rignet_takes_them():
    """A length of 1 in a frame of 2 is .5: round(.5 / .005) + 1 = 101 with both ends; a bone of no length gives one."""
    found = bone_points(skeleton([(0, 0, 0), (1, 0, 0), (1, 0, 0)], [-1, 0, 1]), "rignet")
    assert found.shape == (102, 3)
    np.testing.assert_allclose(found[[0, 1, 100, 101], 0], [0.0, 0.01, 1.0, 1.0])
    assert len(bone_points(skeleton([(0, 0, 0), (1, 0, 0)], [-1, 0]), "rignet", span=1.0)) == 201


def test_a_lone_root_gives_itself():
    assert bone_points(skeleton([(1, 2, 3)], [-1])).tolist() == [[1, 2, 3]]
