"""Poses and linear blend skinning: worked examples 6, 7 and 9 of rigging_geometry.md, and the released form."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import RigError, Skeleton
from guerdon_rigging.skinning import (
    forward,
    joints_moved,
    matrices_moved,
    posed,
    random_poses,
    rotations,
    skinned,
    skinned_by_matrices,
)

X, Z = np.eye(3)[0], np.eye(3)[2]


def chain(*joints):
    return Skeleton(np.array(joints, float), np.arange(len(joints)) - 1)


def tree(count, seed=0):
    rng = np.random.default_rng(seed)
    parents = [-1, *(int(rng.integers(0, joint)) for joint in range(1, count))]
    return Skeleton(rng.uniform(-1, 1, (count, 3)), np.array(parents))


def test_a_quarter_turn_about_each_axis():
    quarter = np.pi / 2 * np.eye(3)
    assert np.allclose(
        rotations(quarter) @ np.roll(np.eye(3), 1, axis=1)[..., None], np.roll(np.eye(3), 2, 1)[..., None]
    )


def test_no_turn_is_exactly_the_identity():
    assert np.array_equal(rotations(np.zeros((2, 3))), np.stack([np.eye(3)] * 2))


def test_turns_keep_lengths_and_hands():
    found = rotations(np.random.default_rng(0).normal(0, 3, (50, 3)))
    np.testing.assert_allclose(found @ np.swapaxes(found, 1, 2), np.stack([np.eye(3)] * 50), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(found), 1.0)


@pytest.mark.parametrize(("degrees", "lands"), [(180, (0, 0, 0)), (90, (0, 0.5, 0.5))])
def test_half_on_a_fixed_joint_and_half_on_a_turned_one_shrinks(degrees, lands):
    """Worked example 6: the candy wrapper; after 90 degrees a length of .707107 is left."""
    two = Skeleton(np.zeros((2, 3)), np.array([-1, 0]))
    turned = posed(two, np.array([np.zeros(3), np.radians(degrees) * X]))
    found = skinned(np.array([[0.0, 1, 0]]), np.array([[0.5, 0.5]]), turned)
    np.testing.assert_allclose(found, [lands], atol=1e-12)


def test_a_child_turned_back_goes_with_its_parent():
    """Worked example 7: the child lands at (0, 1, 0), a point (2, 0, 0) bound to it at (1, 1, 0)."""
    arm = chain((0, 0, 0), (1, 0, 0))
    moved = posed(arm, np.pi / 2 * np.array([Z, -Z]))
    np.testing.assert_allclose(joints_moved(arm, moved), [(0, 0, 0), (0, 1, 0)], atol=1e-12)
    found = skinned(np.array([[2.0, 0, 0]]), np.array([[0.0, 1.0]]), moved)
    np.testing.assert_allclose(found, [(1, 1, 0)], atol=1e-12)


def test_rows_that_are_not_normalised_shrink_and_rows_of_zeros_stay():
    """Worked example 9."""
    still = posed(chain((0, 0, 0), (1, 0, 0)), np.zeros((2, 3)))
    found = skinned(np.array([[1.0, 0, 0], [1, 0, 0]]), np.array([[0.5, 0], [0, 0]]), still)
    np.testing.assert_allclose(found, [(0.5, 0, 0), (1, 0, 0)])


def test_a_root_away_from_the_origin_turns_about_itself():
    lone = chain((1, 0, 0))
    found = skinned(np.array([[2.0, 0, 0]]), np.ones((1, 1)), posed(lone, np.pi / 2 * Z[None]))
    np.testing.assert_allclose(found, [(1, 1, 0)], atol=1e-12)


def test_bones_keep_their_lengths_in_any_pose():
    own = tree(30)
    moved = joints_moved(own, posed(own, random_poses(30, 4, seed=1, degrees=90)))
    before = np.linalg.norm(own.joints[1:] - own.joints[own.parents[1:]], axis=1)
    after = np.linalg.norm(moved[:, 1:] - moved[:, own.parents[1:]], axis=2)
    np.testing.assert_allclose(after, np.stack([before] * 4), atol=1e-12)


def test_many_poses_at_once_are_each_pose_alone():
    own, rng = tree(9), np.random.default_rng(2)
    vertices, weights = rng.normal(size=(40, 3)), rng.dirichlet(np.ones(9), 40)
    weights[3] = 0
    turns = random_poses(9, 6, seed=3).reshape(2, 3, 9, 3)
    together = skinned(vertices, weights, posed(own, turns))
    assert together.shape == (2, 3, 40, 3)
    for first in range(2):
        for second in range(3):
            alone = skinned(vertices, weights, posed(own, turns[first, second]))
            np.testing.assert_allclose(together[first, second], alone, atol=1e-12)


def test_many_candidates_at_once_are_each_alone():
    rng = np.random.default_rng(4)
    rigs = [tree(5, seed) for seed in range(3)]
    weights = rng.dirichlet(np.ones(5), (3, 20))
    moved = np.stack([posed(one, random_poses(5, 2, seed=0)) for one in rigs])
    vertices = rng.normal(size=(20, 3))
    together = skinned(vertices, weights[:, None], moved)
    assert together.shape == (3, 2, 20, 3)
    for place in range(3):
        np.testing.assert_allclose(together[place], skinned(vertices, weights[place], moved[place]), atol=1e-12)


def test_random_poses_are_seeded_and_within_their_angle():
    found = random_poses(7)
    assert found.shape == (5, 7, 3)
    assert np.array_equal(found, random_poses(7, seed=0))
    assert not np.array_equal(found, random_poses(7, seed=1))
    assert np.radians(15) < np.abs(random_poses(200)).max() <= np.radians(30)


def test_poses_that_cannot_be_are_refused():
    with pytest.raises(ConfigError):
        random_poses(0)
    with pytest.raises(ConfigError):
        random_poses(1, degrees=float("nan"))
    with pytest.raises(RigError, match=r"\(\.\.\., 2, 3, 3\) is needed"):
        forward(chain((0, 0, 0), (1, 0, 0)), np.zeros((3, 3, 3)))


def test_the_released_form_with_rest_axes_of_the_identity_poses_alike():
    """B_j a translation to P_j, T_j a rotation: M_j B_j^-1 is then what `forward` gives."""
    own, rng = tree(8), np.random.default_rng(5)
    bind = np.stack([np.eye(4)] * 8)
    bind[:, :3, 3] = own.joints
    turns = random_poses(8, 3)
    local = np.zeros((3, 8, 4, 4))
    local[..., :3, :3], local[..., 3, 3] = rotations(turns), 1
    moved = matrices_moved(own, bind, local)
    vertices, weights = rng.normal(size=(15, 3)), rng.dirichlet(np.ones(8), 15)
    found = skinned_by_matrices(vertices, weights, moved, bind)
    np.testing.assert_allclose(found, skinned(vertices, weights, posed(own, turns)), atol=1e-6)


def test_the_released_form_normalises_and_drops_what_has_no_weight_onto_the_origin():
    """At rest 2 x = 1 / (.5 + 1e-8) x of half a weight; a row of zeros is 0 / 1e-8."""
    bind = np.eye(4)[None]
    found = skinned_by_matrices(np.array([[1.0, 0, 0], [1, 0, 0]]), np.array([[0.5], [0.0]]), bind, bind)
    np.testing.assert_allclose(found, [(0.5 / (0.5 + 1e-8), 0, 0), (0, 0, 0)], rtol=1e-15)
