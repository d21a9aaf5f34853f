"""Meshes alone, of five formats; and what is no mesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from guerdon_rigging import mesh_files
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.mesh_files import read_mesh

OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\n"


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_an_obj_is_read_as_it_stands(tmp_path):
    mesh = read_mesh(written(tmp_path, "a.obj", OBJ))
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert mesh.faces.tolist() == [[0, 2, 1], [0, 1, 3]]


@pytest.mark.parametrize("ending", ["ply", "stl", "obj"])
def test_what_trimesh_wrote_is_read(tmp_path, ending):
    box = trimesh.creation.box((4, 2, 1))
    path = tmp_path / f"a.{ending}"
    box.export(path)
    mesh = read_mesh(path)
    assert len(mesh.faces) == 12
    assert mesh.vertices.min(axis=0).tolist() == [-2, -1, -0.5]
    assert mesh.vertices.max(axis=0).tolist() == [2, 1, 0.5]


def test_polygons_groups_and_materials_of_an_obj_make_one_mesh(tmp_path):
    """A square is two triangles; the material's file is not there, and not asked for."""
    text = "mtllib gone.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 5 5 5\nv 6 5 5\nv 5 6 5\n"
    text += "g one\nusemtl red\nf 1 2 3 4\ng two\nusemtl blue\nf 5 6 7\n"
    mesh = read_mesh(written(tmp_path, "a.obj", text))
    assert len(mesh.faces) == 3
    assert mesh.vertices.max() == 6


def test_vertices_of_an_obj_are_those_of_the_file_in_its_order(tmp_path):
    """Whatever stands beside positions: colours, seams, a face that counts back, one that goes on in the next line."""
    text = "v 5 5 5 0.1 0.2 0.3\nv 0 0 0 1 1 1\nv 1 0 0 1 1 1\nv 0 1 0 1 1 1\nvt 0 0\nvt 1 0\n"
    text += "f 4/1 2/2 3/1\nf -3/2 -2/1 \\\n -1/2\nv 7 7 7\n"
    mesh = read_mesh(written(tmp_path, "a.obj", text))
    assert mesh.vertices.tolist() == [[5, 5, 5], [0, 0, 0], [1, 0, 0], [0, 1, 0], [7, 7, 7]]
    assert mesh.faces.tolist() == [[3, 1, 2], [1, 2, 3]]


def test_the_ending_may_be_in_capitals(tmp_path):
    assert len(read_mesh(written(tmp_path, "A.OBJ", OBJ)).faces) == 2


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.fbx", "x", "ends in '.fbx'; .glb, .gltf, .obj, .ply, .stl are read"),
        ("a.obj", "", "no triangle"),
        ("a.obj", "v 0 0 0\nv 1 0 0\n", "2 vertices and no triangle|0 vertices and no triangle|does not read"),
        ("a.obj", "v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "finite"),
        ("a.obj", "v inf 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "finite"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "a.obj"),
        ("a.obj", "v 0 0 0\nv 1 x 0\nv 0 1 0\nf 1 2 3\n", "a.obj"),
        ("a.ply", "", "a.ply"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 1\n", "a.ply"),
        ("a.stl", "", "a.stl"),
        ("a.stl", "solid x\nendsolid x\n", "a.stl"),
        ("a.glb", "", "begins with"),
    ],
)
def test_what_is_no_mesh_is_refused_with_the_file_and_the_cause(tmp_path, name, text, words):
    with pytest.raises(RigFileError, match=words) as caught:
        read_mesh(written(tmp_path, name, text))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "encoding", "told"),
    [
        ("ply", "ascii", "of face, and"),
        ("ply", "binary", "a.ply"),
        ("stl_ascii", None, "no endsolid"),
        ("stl", None, "320 triangles, and 2"),
    ],
)
def test_a_file_that_ends_too_early_is_refused(tmp_path, kind, encoding, told):
    """A ball of 320 triangles, a tenth of whose bytes is missing."""
    ball = trimesh.creation.icosphere(2)
    data = ball.export(file_type=kind, **({"encoding": encoding} if encoding else {}))
    data = data.encode() if isinstance(data, str) else data
    path = tmp_path / f"a.{kind[:3]}"
    path.write_bytes(data)
    assert len(read_mesh(path).faces) == 320
    path.write_bytes(data[: len(data) * 9 // 10])
    with pytest.raises(RigFileError, match=told):
        read_mesh(path)


def test_a_ply_that_says_more_than_it_holds_is_refused(tmp_path):
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 2000000000\nproperty float x\nproperty float y\n"
    head += "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
    with pytest.raises(RigFileError, match=r"a\.ply"):
        read_mesh(written(tmp_path, "a.ply", head))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RigFileError, match=r"gone\.obj.*no such file"):
        read_mesh(tmp_path / "gone.obj")


def test_a_mesh_beyond_the_limit_is_refused_with_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(mesh_files, "MOST_VERTICES", 3)
    with pytest.raises(RigFileError, match=r"at most 3 and .* are read; decimate it"):
        read_mesh(written(tmp_path, "a.obj", OBJ))


@pytest.mark.slow
def test_two_million_vertices_are_read(tmp_path):
    """Binary PLY, a grid of 1415 x 1415 vertices: 2,002,225."""
    side = 1415
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.concatenate([corner[:, None] + [0, 1, side + 1], corner[:, None] + [0, side + 1, side]])
    vertices = np.concatenate([grid, np.zeros((side * side, 1))], axis=1)
    path = tmp_path / "a.ply"
    trimesh.Trimesh(vertices, faces, process=False).export(path)
    mesh = read_mesh(path)
    assert (len(mesh.vertices), len(mesh.faces)) == (2_002_225, 3_998_792)


def test_the_meshes_of_a_gltf_stand_where_its_scene_has_them(tmp_path, made_square):
    """The skinned square by its joints, and a second one by its node, ten to the right."""
    made = made_square()
    made.document["nodes"].append({"mesh": 0, "translation": [10, 0, 0]})
    made.document["scenes"][0]["nodes"].append(3)
    mesh = read_mesh(made.save(tmp_path / "a.glb"))
    assert mesh.vertices[:, 0].tolist() == [0, 1, 1, 0, 10, 11, 11, 10]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]


def test_a_gltf_that_shows_nothing_is_refused(tmp_path, made_square):
    made = made_square()
    made.document["scenes"][0]["nodes"] = [0]
    with pytest.raises(RigFileError, match="shows no mesh"):
        read_mesh(made.save(tmp_path / "a.glb"))
