"""Rigs made of rigs: whatever is drawn, a rig comes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.errors import ConfigError
from guerdon_rigging import augmentation as aug
from guerdon_rigging.augmentation import Augmentation
from guerdon_rigging.creatures import creature
from guerdon_rigging.rigs import Mesh, Rig, Skeleton

KINDS: dict[str, Callable[[Rig, np.random.Generator], Rig]] = {
    "drop_joints": aug.drop_joints,
    "drop_subtree": aug.drop_subtree,
    "merge_joints": aug.merge_joints,
    "jitter_joints": aug.jitter_joints,
    "jitter_vertices": aug.jitter_vertices,
    "random_pose": aug.random_pose,
    "random_rotation": aug.random_rotation,
    "random_scaling": aug.random_scaling,
    "final_scale_and_shift": aug.final_scale_and_shift,
    "all": Augmentation(),
}
made = cache(creature)
seeds = st.integers(0, 2**32 - 1)


def small() -> Rig:
    """A strip of eight vertices along x: joints at 0, 1 and 2 in a chain, and a fourth that hangs on joint 0."""
    x = np.array([0, 0, 1, 1, 2, 2, 3, 3.0])
    vertices = np.stack([x, np.tile([0, 1.0], 4), 0 * x], axis=1)
    faces = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4], [4, 5, 6], [5, 7, 6]])
    joints = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0.0]])
    weights = np.zeros((8, 4))
    weights[[0, 1, 2], 0] = 1
    weights[[3, 4], 1] = 1
    weights[5] = [0.25, 0.5, 0.25, 0]
    weights[6], weights[7] = [0, 0, 1, 0], [0.2, 0, 0.8, 0]
    weights[0] = [0.6, 0, 0, 0.4]
    return Rig(Mesh(vertices, faces), Skeleton(joints, np.array([-1, 0, 1, 0]), ("a", "b", "c", "d")), weights)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=12, deadline=None)
@given(kind=st.sampled_from(["quadruped", "lamp", "blob"]), seed=seeds)
def test_a_rig_comes_out_whatever_is_drawn(name: str, kind: str, seed: int) -> None:
    """`Rig` itself refuses shapes, NaN, negative weights and trees that are none; the rest is asked here."""
    rig = made(kind, 1)
    got = KINDS[name](rig, np.random.default_rng(seed))
    np.testing.assert_allclose(got.weights.sum(axis=1), 1, atol=1e-9)
    assert len(got.skeleton) >= 2
    assert len(got.skeleton.names) == len(got.skeleton)
    assert set(got.skeleton.names) <= set(rig.skeleton.names)
    assert len(got.mesh.vertices) >= len(rig.mesh.vertices) / 2
    assert np.unique(got.mesh.faces).size == len(got.mesh.vertices)


@pytest.mark.parametrize("name", KINDS)
def test_the_same_draw_gives_the_same_rig_and_the_first_is_not_written_to(name: str) -> None:
    rig = creature("quadruped", 1)
    first, second = (KINDS[name](rig, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.mesh.vertices, second.mesh.vertices)
    np.testing.assert_array_equal(first.weights, second.weights)
    untouched = made("quadruped", 1)
    np.testing.assert_array_equal(rig.mesh.vertices, untouched.mesh.vertices)
    np.testing.assert_array_equal(rig.weights, untouched.weights)


def test_a_dropped_joint_takes_the_vertices_it_moves_most_and_its_child_goes_up() -> None:
    """Joint b moves vertices 3, 4 and 5 most. Without them one triangle, 0 1 2, is left, less than half of the mesh:
    the rig stays. So only the subtree of c is dropped here, vertices 6 and 7: the first four triangles stay."""
    rig = small()
    gone = np.array([False, True, False, False])
    assert aug._without(rig, gone, vertices=True) is rig
    got = aug._without(rig, np.array([False, False, True, False]), vertices=True)
    assert got.skeleton.names == ("a", "b", "d")
    assert got.skeleton.parents.tolist() == [-1, 0, 0]
    assert got.mesh.faces.tolist() == rig.mesh.faces[:4].tolist()
    np.testing.assert_allclose(got.weights[5], [1 / 3, 2 / 3, 0])


def test_a_merged_joint_hands_weights_and_children_to_its_parent() -> None:
    got = aug._without(small(), np.array([False, True, False, False]), vertices=False)
    assert got.skeleton.names == ("a", "c", "d")
    assert got.skeleton.parents.tolist() == [-1, 0, 0]
    assert len(got.mesh.vertices) == 8
    np.testing.assert_allclose(got.weights[[3, 5]], [[1, 0, 0], [0.75, 0.25, 0]])


def test_a_joint_left_without_vertices_goes_with_them() -> None:
    """d owns a share of vertex 0 only; once a vertex's owner is dropped, so is a joint that moved nothing else."""
    rig = small()
    weights = rig.weights.copy()
    weights[:, 3] = 0
    weights[6:, 2], weights[6:, 3] = 0.6, 0.4
    weights[7, 0] = 0
    got = aug._without(Rig(rig.mesh, rig.skeleton, weights), np.array([False, False, True, False]), vertices=True)
    assert got.skeleton.names == ("a", "b")


def test_a_pose_of_no_degrees_changes_nothing() -> None:
    rig = small()
    got = aug.random_pose(rig, np.random.default_rng(0), degrees=0)
    np.testing.assert_allclose(got.mesh.vertices, rig.mesh.vertices, atol=1e-12)


def test_a_rotation_keeps_lengths_and_an_upright_one_keeps_heights() -> None:
    rig = small()
    turned = aug.random_rotation(rig, np.random.default_rng(3))
    np.testing.assert_allclose(turned.mesh.vertices[:, 1], rig.mesh.vertices[:, 1])
    free = aug.random_rotation(rig, np.random.default_rng(3), upright=False)
    assert not np.allclose(free.mesh.vertices[:, 1], rig.mesh.vertices[:, 1])
    for one in (turned, free):
        np.testing.assert_allclose(
            np.linalg.norm(one.skeleton.joints - one.mesh.vertices[7], axis=1),
            np.linalg.norm(rig.skeleton.joints - rig.mesh.vertices[7], axis=1),
        )


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_the_last_scale_and_shift_stay_in_the_frame(seed: int) -> None:
    got = aug.final_scale_and_shift(small(), np.random.default_rng(seed))
    assert np.abs(got.mesh.vertices).max() <= 1 + 1e-12
    longest = np.ptp(got.mesh.vertices, axis=0).max()
    assert 1 - 1e-12 <= longest <= 2 + 1e-12


def test_scaling_moves_joints_with_the_mesh() -> None:
    """Joint c is at vertex 4 before, and after."""
    got = aug.random_scaling(small(), np.random.default_rng(1))
    np.testing.assert_allclose(got.skeleton.joints[2], got.mesh.vertices[4])
    assert np.abs(got.mesh.vertices).max() == pytest.approx(1)


def test_a_box_is_normalised_as_the_sheet_has_it() -> None:
    """Sheet, worked example 10: (0,0,0)-(4,2,1) becomes (-1,-.5,-.25)-(1,.5,.25)."""
    mesh = Mesh(np.array([[0, 0, 0], [4, 2, 1], [4, 0, 0.0]]), np.array([[0, 1, 2]]))
    rig = Rig(mesh, Skeleton(np.array([[2, 1, 0.5]]), np.array([-1])), np.ones((3, 1)))
    got = aug.normalised(rig)
    np.testing.assert_allclose(got.mesh.vertices[:2], [[-1, -0.5, -0.25], [1, 0.5, 0.25]])
    np.testing.assert_allclose(got.skeleton.joints, [[0, 0, 0]])


def test_a_rig_of_one_joint_or_one_point_is_let_be() -> None:
    lone = Rig(
        Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), Skeleton(np.zeros((1, 3)), np.array([-1])), np.ones((3, 1))
    )
    for change in KINDS.values():
        got = change(lone, np.random.default_rng(0))
        assert len(got.skeleton) == 1


def test_a_chance_is_a_chance() -> None:
    with pytest.raises(ConfigError, match=r"random_pose is 1\.5"):
        Augmentation(random_pose=1.5)
