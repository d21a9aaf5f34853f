"""Joints spread over points, and the shortest tree that joins them."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from guerdon_rigging.spread_trees import middlemost, shortest_tree, spread


def test_the_tree_is_as_short_as_scipys_and_its_root_is_the_one_that_was_asked_for() -> None:
    joints = np.random.default_rng(0).normal(size=(30, 3))
    for root in (0, 17):
        tree, order = shortest_tree(joints, root)
        assert order[0] == root
        assert sorted(order) == list(range(30))
        np.testing.assert_array_equal(tree.joints, joints[order])
        length = np.linalg.norm(tree.joints[1:] - tree.joints[tree.parents[1:]], axis=1).sum()
        np.testing.assert_allclose(length, minimum_spanning_tree(cdist(joints, joints)).sum())


def test_one_joint_is_a_tree() -> None:
    assert shortest_tree(np.zeros((1, 3)))[0].parents.tolist() == [-1]


def test_spread_joints_are_the_middles_of_clumps() -> None:
    """Three clumps of a middle and its six neighbours, far apart: a joint on each middle, however they are drawn."""
    middles = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]])
    clump = np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)]) / 10
    points = (middles[:, None] + clump).reshape(-1, 3)
    found = [spread(points, 3, np.random.default_rng(seed)) for seed in range(8)]
    assert any(sorted(map(tuple, one)) == sorted(map(tuple, middles)) for one in found)
    for one in found:  # where two begin in one clump k-means may stay there
        assert all((points == joint).all(axis=1).any() for joint in one)


def test_no_more_joints_than_points_are_spread() -> None:
    assert spread(np.eye(3), 5, np.random.default_rng(0)).shape == (3, 3)


def test_the_middlemost_is_nearest_to_the_mean() -> None:
    assert middlemost(np.array([[0.0, 0, 0], [9, 0, 0], [4, 0, 0]])) == 2
