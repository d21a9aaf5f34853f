"""Meshes of files, in the frame that models work in and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging.canonical import read_rig
from guerdon_rigging.filed_meshes import filed_mesh, filed_rig
from guerdon_rigging.gltf_writing import write_rig
from guerdon_rigging.rigs import Mesh, Rig, RigError, Skeleton
from guerdon_rigging.text_rigs import rig_text

BOX = """v 0 0 0
v 4 0 0
v 4 2 0
v 0 2 0
v 0 0 1
v 4 0 1
v 4 2 1
v 0 2 1
v 9 9 9
v 4 2 1
f 1 3 2
f 1 4 3
f 5 6 10
f 5 7 8
f 1 2 6
f 1 6 5
"""
"""Sheet, worked example 10: the box (0,0,0)-(4,2,1); vertex 9 is in no triangle, vertex 10 is vertex 7 again."""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """As an OBJ."""
    path = tmp_path / "box.obj"
    path.write_text(BOX)
    return path


def test_a_mesh_is_welded_and_in_the_frame_of_models(box: Path) -> None:
    held = filed_mesh(box)
    assert len(held.mesh.vertices) == 8
    np.testing.assert_allclose(held.mesh.vertices.min(axis=0), [-1, -0.5, -0.25])
    np.testing.assert_allclose(held.mesh.vertices.max(axis=0), [1, 0.5, 0.25])


def test_a_rig_goes_back_to_the_files_vertices_and_units(box: Path) -> None:
    """Joint (0, 0, 0) of the frame is the box's middle, (2, 1, 0.5); the doubled corner has one skin."""
    held = filed_mesh(box)
    right = held.mesh.vertices[:, 0] > 0
    weights = np.stack([~right, right], axis=1).astype(float)
    rig = Rig(held.mesh, Skeleton(np.array([[0, 0, 0], [1, 0, 0.0]]), np.array([-1, 0])), weights)
    back = held.restored(rig)
    assert len(back.mesh.vertices) == 9
    np.testing.assert_allclose(back.skeleton.joints, [[2, 1, 0.5], [4, 1, 0.5]])
    np.testing.assert_array_equal(back.weights[:, 1] > 0, back.mesh.vertices[:, 0] > 2)
    assert back.mesh.vertices.max() == 4
    assert len(back.mesh.faces) == 6


def test_skeletons_are_read_in_the_meshs_space(box: Path, tmp_path: Path) -> None:
    """The same joints, at (1, 1, .5) and (3, 1, .5) of the box, from text and from a GLB that has the box in it."""
    held = filed_mesh(box)
    text = tmp_path / "box.txt"
    text.write_text("joints a 1 1 0.5\njoints b 3 1 0.5\nroot a\nhier a b\n")
    vertices = held.stored.vertices[:8]
    halves = np.stack([vertices[:, 0] < 2, vertices[:, 0] > 2], axis=1).astype(float)
    faces = np.where(held.stored.faces == 8, 6, held.stored.faces)  # the doubled corner
    skeleton = Skeleton(np.array([[1, 1, 0.5], [3, 1, 0.5]]), np.array([-1, 0]), ("a", "b"))
    write_rig(Rig(Mesh(vertices, faces), skeleton, halves), tmp_path / "box.glb")
    for path in (text, tmp_path / "box.glb"):
        found = held.skeleton(path)
        np.testing.assert_allclose(found.joints, [[-0.5, 0, 0], [0.5, 0, 0]], atol=1e-6)
        assert (found.parents.tolist(), found.names) == ([-1, 0], ("a", "b"))


def test_a_skeleton_of_another_unit_is_refused(box: Path, tmp_path: Path) -> None:
    text = tmp_path / "far.txt"
    text.write_text("joints a 100 100 50\njoints b 300 100 50\nroot a\nhier a b\n")
    with pytest.raises(ConfigError, match=r"2 of the 2 joints of .*far from the mesh.*100\.0.*one place and unit"):
        filed_mesh(box).skeleton(text)


def test_a_text_rig_needs_its_mesh_and_is_welded_with_it(box: Path, tmp_path: Path) -> None:
    held = filed_mesh(box)
    weights = np.stack([held.stored.vertices[:, 0] <= 2, held.stored.vertices[:, 0] > 2], axis=1).astype(float)
    rig = Rig(held.stored, Skeleton(np.array([[1, 1, 0.5], [3, 1, 0.5]]), np.array([-1, 0]), ("a", "b")), weights)
    text = tmp_path / "box.txt"
    text.write_text(rig_text(rig))
    with pytest.raises(ConfigError, match="--mesh"):
        filed_rig(text)
    found = filed_rig(text, box)
    assert found.weights.shape == (8, 2)
    np.testing.assert_array_equal(found.weights[:, 1] > 0, found.mesh.vertices[:, 0] > 0)
    np.testing.assert_allclose(found.skeleton.joints, [[-0.5, 0, 0], [0.5, 0, 0]])


def test_a_gltf_has_its_own_mesh(box: Path, tmp_path: Path) -> None:
    held = filed_mesh(box)
    rig = Rig(held.mesh, Skeleton(np.zeros((1, 3)), np.array([-1])), np.ones((8, 1)))
    write_rig(rig, tmp_path / "box.glb")
    assert filed_rig(tmp_path / "box.glb").weights.shape == read_rig(tmp_path / "box.glb").weights.shape
    with pytest.raises(ConfigError, match="a mesh of its own"):
        filed_rig(tmp_path / "box.glb", box)


@pytest.mark.parametrize("name", ["absent.obj", "notes.docx"])
def test_what_is_no_mesh_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RigError, match=name):
        filed_mesh(tmp_path / name)
