"""Grids as tetrahedra, and bounded biharmonic weights on them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from guerdon_rigging.biharmonic import bounded_biharmonic, tetrahedra
from guerdon_rigging.rigs import Mesh, Skeleton
from guerdon_rigging.voxels import Voxels, solid_voxels

pytest.importorskip("igl")


def grid(filled):
    return Voxels(filled, np.array([-1.0, 0, 2]), 0.5)


def volumes(solid):
    a, b, c, d = solid.nodes[solid.cells].transpose(1, 0, 2)
    return ((np.cross(b - a, c - a) * (d - a)).sum(axis=1)) / 6


def test_a_cell_is_six_tetrahedra_of_one_volume():
    """.125 / 6 each, and none turned inside out."""
    solid = tetrahedra(grid(np.ones((1, 1, 1), bool)))
    assert solid.nodes.shape == (8, 3)
    np.testing.assert_allclose(volumes(solid), np.full(6, 0.125 / 6))


def test_cells_beside_each_other_share_faces():
    """Two cells, 12 nodes: of the tetrahedra's faces, those of the box alone are had once: 10 squares, 20 triangles."""
    solid = tetrahedra(grid(np.ones((2, 1, 1), bool)))
    assert solid.nodes.shape == (12, 3)
    faces = np.sort(solid.cells[:, [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]].reshape(-1, 3), axis=1)
    _, counts = np.unique(faces, axis=0, return_counts=True)
    assert set(counts.tolist()) == {1, 2}
    assert (counts == 1).sum() == 20


def test_a_linear_field_is_read_exactly_anywhere():
    solid = tetrahedra(grid(np.ones((2, 3, 1), bool)))
    points = np.random.default_rng(0).uniform((-1, 0, 2), (0, 1.5, 2.5), (200, 3))
    slopes = np.array([[1.0, 2], [-1, 0.5], [3, 0]])
    np.testing.assert_allclose(solid.values(solid.nodes @ slopes, points), points @ slopes)


def bar():
    body = trimesh.creation.box(extents=(2, 0.4, 0.4)).subdivide().subdivide()
    return Mesh(np.array(body.vertices, float), np.array(body.faces, np.int64))


CHAIN = Skeleton(np.array([(-0.9, 0, 0), (0.0, 0, 0), (0.45, 0, 0)]), np.array([-1, 0, 1]))


def test_weights_are_one_at_their_own_bone_and_pass_smoothly():
    found = bounded_biharmonic(bar(), CHAIN, 20)
    x = bar().vertices[:, 0]
    assert 0 <= found.min() <= found.max() <= 1
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert found[x == -1, 0].min() > 0.95
    assert 0.2 < found[x == 0, 0].mean() < 0.8
    assert found[x == 1, 2].min() > 0.9


def test_a_part_without_a_bone_follows_the_nearest_one():
    far = trimesh.creation.box(bounds=[(0.8, 0.8, 0.8), (1, 1, 1)])
    both = Mesh(
        np.concatenate([bar().vertices, far.vertices]), np.concatenate([bar().faces, far.faces + len(bar().vertices)])
    )
    found = bounded_biharmonic(both, CHAIN, 20)
    np.testing.assert_allclose(found[len(bar().vertices) :, 2], 1, atol=1e-6)
    assert solid_voxels(both, 20).contains(both.vertices).all()
