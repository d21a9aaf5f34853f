"""Baselines: worked example 5 of rigging_geometry.md, and what each promises on meshes made to hurt them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from guerdon.errors import ConfigError, UnknownName
from guerdon_rigging.baselines import BASELINES, ClosestBone, Heat, Smoothed, baseline, heat, inverse_distance
from guerdon_rigging.rigs import Mesh, RigError, Skeleton

pytest.importorskip("robust_laplacian")


def mesh(whole):
    return Mesh(np.array(whole.vertices, float), np.array(whole.faces, np.int64))


TUBE = mesh(trimesh.creation.capsule(height=1.6, radius=0.2))
ARM = Skeleton(np.array([(0, 0, -0.9), (0, 0, 0.0), (0, 0, 0.5)]), np.array([-1, 0, 1]))


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_gives_a_skin(name):
    found = baseline(name)(TUBE, ARM)
    assert found.shape == (len(TUBE.vertices), 3)
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=1), 1)
    # The lower end follows the root's bone, most of all.
    assert found[TUBE.vertices[:, 2].argmin()].argmax() == 0


@pytest.mark.parametrize("name", BASELINES)
def test_several_parts_slivers_loose_vertices_and_doubled_faces_leave_every_row_a_skin(name):
    """A part far off, a triangle that is a line, one given twice, a vertex of no triangle, which is on a bone."""
    far = trimesh.creation.box(bounds=[(0.8, 0.8, 0.8), (1, 1, 1)])
    count = len(TUBE.vertices)
    vertices = np.concatenate([TUBE.vertices, far.vertices, [(0, 0, 0.2), (0.5, 0, 0), (0.6, 0, 0), (0.7, 0, 0)]])
    last = count + len(far.vertices)
    odd = [(last + 1, last + 2, last + 3), TUBE.faces[0], (0, 0, 1)]
    hurt = Mesh(vertices, np.concatenate([TUBE.faces, far.faces + count, np.array(odd)]).astype(np.int64))
    found = baseline(name)(hurt, ARM)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("name", BASELINES)
def test_a_lone_root_takes_everything(name):
    lone = Skeleton(np.zeros((1, 3)), np.array([-1]))
    np.testing.assert_allclose(baseline(name)(TUBE, lone), 1)


@pytest.mark.parametrize("name", BASELINES)
def test_at_most_four_joints_move_a_vertex_and_none_less_than_two_percent_of_the_first(name):
    chain = Skeleton(np.array([(0, 0, -0.9 + 0.2 * joint) for joint in range(9)]), np.arange(9) - 1)
    found = baseline(name)(TUBE, chain)
    assert (found > 0).sum(axis=1).max() <= 4
    assert (found[found > 0] / np.broadcast_to(found.max(axis=1, keepdims=True), found.shape)[found > 0]).min() >= 0.02


def test_closest_bone_is_one_hot():
    found = ClosestBone()(TUBE, ARM)
    assert set(np.unique(found)) == {0, 1}
    assert np.array_equal(found.argmax(axis=1) == 0, TUBE.vertices[:, 2] <= 0)


def test_smoothing_takes_means_over_neighbours():
    """A vertex between two joints' parts: once over itself and its neighbours; no round changes nothing."""
    strip = Mesh(
        np.array([(-1.0, 0, 0), (-0.5, 0, 0), (0.5, 0, 0), (1, 0, 0)]), np.array([(0, 1, 1), (1, 2, 2), (2, 3, 3)])
    )
    two = Skeleton(np.array([(0.0, 0, 0), (0.1, 0, 0)]), np.array([-1, 0]))
    assert Smoothed(rounds=0)(strip, two)[:, 1].tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(Smoothed(rounds=1)(strip, two)[:, 1], [0, 1 / 3, 2 / 3, 1])


def test_inverse_distances():
    """Worked example 5: 1/d^4 of .1, .2, .4."""
    np.testing.assert_allclose(
        inverse_distance(np.array([[0.1, 0.2, 0.4]]), 4), [(0.937729, 0.058608, 0.003663)], atol=1e-6
    )
    np.testing.assert_allclose(inverse_distance(np.array([[0.0, 0.2, 0.4]]), 400), [(1, 0, 0)])


def test_heat_solves_its_equation():
    """(L + M H) W = M H p, with L and M of the library and H by hand."""
    import robust_laplacian

    laplacian, masses = robust_laplacian.mesh_laplacian(TUBE.vertices, TUBE.faces)
    found = heat(TUBE, ARM, c=0.22)
    z, radius = TUBE.vertices[:, 2], np.hypot(TUBE.vertices[:, 0], TUBE.vertices[:, 1])
    # Bones lie on the axis from -.9 to .75: the leaf's is half of .5.
    beyond = np.maximum(np.maximum(-0.9 - z, z - 0.75), 0)
    held = masses.diagonal() * 0.22 / np.maximum(np.hypot(radius, beyond), 1e-6) ** 2
    nearest = ClosestBone()(TUBE, ARM)
    np.testing.assert_allclose(laplacian @ found + held[:, None] * found, held[:, None] * nearest, atol=1e-6)


def test_less_heat_is_smoother():
    sharp, soft = (np.abs(np.diff(np.sort(Heat(c)(TUBE, ARM)[:, 0]))).max() for c in (100.0, 0.1))
    assert soft < sharp


def test_a_mesh_without_triangles_conducts_nothing():
    with pytest.raises(RigError, match="no triangle"):
        heat(Mesh(np.zeros((1, 3)), np.zeros((0, 3), np.int64)), ARM)


def test_unknown_baselines_and_settings_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'heat'"):
        baseline("heet")
    with pytest.raises(ConfigError, match="heat"):
        baseline("heat", d=1)
    for name, settings in (
        ("heat", {"c": 0.0}),
        ("inverse-distance", {"exponent": float("nan")}),
        ("voxel-geodesic", {"law": "cube"}),
        ("voxel-geodesic", {"resolution": 0}),
        ("smoothed", {"rounds": -1}),
    ):
        with pytest.raises(ConfigError):
            baseline(name, **settings)
