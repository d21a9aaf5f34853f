"""Meshes of files, in the frame that models work in and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging import filed_meshes, text_rigs
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
    back, _ = held.restored(rig)
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
    faces = np.where(held.stored.faces == 9, 6, held.stored.faces)  # the doubled corner
    skeleton = Skeleton(np.array([[1, 1, 0.5], [3, 1, 0.5]]), np.array([-1, 0]), ("a", "b"))
    write_rig(Rig(Mesh(vertices, faces), skeleton, halves), tmp_path / "box.glb")
    for path in (text, tmp_path / "box.glb"):
        found, _ = held.skeleton(path)
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
    filed = filed_rig(text, box)
    assert filed.mended == (
        "1 of 10 stored vertices was welded to another",
        "1 vertex of no triangle was left out",
    )
    found = filed.rig
    assert found.weights.shape == (8, 2)
    np.testing.assert_array_equal(found.weights[:, 1] > 0, found.mesh.vertices[:, 0] > 0)
    np.testing.assert_allclose(found.skeleton.joints, [[-0.5, 0, 0], [0.5, 0, 0]])


def test_a_gltf_has_its_own_mesh(box: Path, tmp_path: Path) -> None:
    held = filed_mesh(box)
    rig = Rig(held.mesh, Skeleton(np.zeros((1, 3)), np.array([-1])), np.ones((8, 1)))
    write_rig(rig, tmp_path / "box.glb")
    assert filed_rig(tmp_path / "box.glb").rig.weights.shape == read_rig(tmp_path / "box.glb").weights.shape
    with pytest.raises(ConfigError, match="a mesh of its own"):
        filed_rig(tmp_path / "box.glb", box)


@pytest.mark.parametrize("name", ["absent.obj", "notes.docx"])
def test_what_is_no_mesh_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RigError, match=name):
        filed_mesh(tmp_path / name)


def test_a_text_rig_numbers_the_vertices_of_the_file(tmp_path: Path) -> None:
    """Corners with texture coordinates and normals, in two groups, the last vertex first, one vertex unused."""
    mesh, text = tmp_path / "quad.obj", tmp_path / "quad.txt"
    mesh.write_text(
        "v 9 9 9\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\nvn 0 0 1\n"
        "g b\nusemtl red\nf 5/1/1 2/2/1 4/1/1\ng a\nusemtl blue\nf 2/1/1 3/2/1 -2/2/1\n"
    )
    shares = {1: (1, 0), 2: (0.75, 0.25), 3: (0.5, 0.5), 4: (0, 1)}
    lines = [f"skin {at} a {one} b {other}" for at, (one, other) in shares.items()]
    text.write_text("\n".join(["joints a 0 0 0", "joints b 1 1 0", "root a", "hier a b", *lines]))
    found = filed_rig(text, mesh).rig
    places = {(-1, -1): 1, (1, -1): 2, (1, 1): 3, (-1, 1): 4}
    assert len(found.weights) == 4
    for vertex, weights in zip(found.mesh.vertices, found.weights, strict=True):
        assert tuple(weights) == shares[places[tuple(vertex[:2])]]


def test_joints_that_move_nothing_are_left_out_of_either_format_or_of_none(box: Path, tmp_path: Path) -> None:
    """`tip` ends a chain and owns nothing; `between` owns nothing and leads to `hand`, which does."""
    held = filed_mesh(box)
    right = held.stored.vertices[:, 0] > 2
    weights = np.stack([~right, 0 * right, right, 0 * right], axis=1).astype(float)
    chain = Skeleton(
        np.array([[1, 1, 0.5], [2, 1, 0.5], [3, 1, 0.5], [4, 1, 0.5]]),
        np.array([-1, 0, 1, 2]),
        ("root", "between", "hand", "tip"),
    )
    text, gltf = tmp_path / "box.txt", tmp_path / "box.glb"
    text.write_text(rig_text(Rig(held.stored, chain, weights)))
    write_rig(Rig(held.stored, chain, weights), gltf)
    for path, mesh in ((text, box), (gltf, None)):
        used, every = filed_rig(path, mesh), filed_rig(path, mesh, "all")
        assert used.rig.skeleton.names == ("root", "between", "hand")
        assert used.rig.skeleton.parents.tolist() == [-1, 0, 1]
        assert used.rig.weights.shape == (8, 3)
        assert (used.dropped, every.dropped) == (1, 0)
        assert any("move" in line and "left out" in line for line in used.mended)
        assert every.rig.skeleton.names == ("root", "between", "hand", "tip")


def test_joints_that_are_far_from_the_mesh_are_told(box: Path, tmp_path: Path) -> None:
    """x = 60 is at 29 in the frame, where the mesh ends at 1."""
    text = tmp_path / "far.txt"
    bones = "joints a 1 1 0.5\njoints b 3 1 0.5\njoints c 60 1 0.5\nroot a\nhier a b\nhier b c\n"
    text.write_text(bones + "".join(f"skin {at} c 1\n" for at in range(8)))
    said = "1 of the 3 joints is far from the mesh"
    assert filed_mesh(box).skeleton(text)[1] == (said,)
    assert said in filed_rig(text, box).mended


def test_rows_of_a_text_rig_are_normalised_and_said_to_be(box: Path, tmp_path: Path) -> None:
    """Half a weight would shrink what is posed (rigging_geometry, worked example 9)."""
    text = tmp_path / "box.txt"
    text.write_text("joints a 1 1 0.5\nroot a\n" + "".join(f"skin {at} a 0.5\n" for at in range(7)))
    found = filed_rig(text, box)
    assert found.rig.weights[:, 0].tolist() == [1] * 7 + [0]
    assert "7 rows of weights did not sum to 1 and were normalised" in found.mended
    assert "1 vertex follows no joint" in found.mended


def test_what_a_mesh_holds_and_is_not_rigged_is_said(box: Path, tmp_path: Path, made_square: Any) -> None:
    assert filed_mesh(box).mended == ("1 vertex of no triangle was left out",)
    made = made_square()
    made.document["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 0}]
    path = made.save(tmp_path / "a.glb")
    said = "cloth has 1 morph targets; its base shape is read"
    assert filed_rig(path).mended == (said,)
    assert filed_mesh(path).mended == (said, "its own skin, of 2 joints, is left behind")


def test_more_weights_than_memory_should_hold_are_refused(
    box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "box.txt"
    text.write_text("joints a 1 1 0.5\njoints b 3 1 0.5\nroot a\nhier a b\n")
    monkeypatch.setattr(filed_meshes, "MOST_WEIGHTS", 15)
    monkeypatch.setattr(text_rigs, "MOST_WEIGHTS", 19)
    with pytest.raises(ConfigError, match="8 vertices make more than 15 weights"):
        filed_mesh(box).skeleton(text)
    with pytest.raises(RigError, match="2 joints of 10 vertices; at most 19 weights"):
        filed_rig(text, box)
