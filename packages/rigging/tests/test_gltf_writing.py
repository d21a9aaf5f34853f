"""Rigs written as GLB: what is in the file, and that it comes back."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon_rigging.canonical import canonical, read_rig
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.frames import Frame
from guerdon_rigging.gltf_accessors import read_accessor
from guerdon_rigging.gltf_files import open_gltf
from guerdon_rigging.gltf_skins import read_stored
from guerdon_rigging.gltf_writing import glb, influence_sets, write_rig
from guerdon_rigging.rigs import Mesh, Rig, Skeleton


def tetrahedron(weights, joints=None):
    """Four corners, in the canonical frame; a chain of joints unless told otherwise."""
    vertices = np.array([[-1.0, -0.5, -0.5], [1, -0.5, -0.5], [0, 0.5, -0.5], [0, 0, 0.5]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
    weights = np.asarray(weights, np.float64)
    count = weights.shape[1]
    joints = np.linspace([-0.5, 0, 0], [0.5, 0, 0], count) if joints is None else joints
    return Rig(Mesh(vertices, faces), Skeleton(joints, np.arange(-1, count - 1)), weights, "four corners")


def document(data):
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length])


def chain(count):
    """Each joint owns something: one vertex an even share of all."""
    weights = np.full((4, count), 1 / count)
    return tetrahedron(weights / weights.sum(axis=1, keepdims=True))


def back(rig, tmp_path, **options):
    write_rig(rig, tmp_path / "b.glb", **options)
    return read_rig(tmp_path / "b.glb")


def test_a_rig_comes_back(tmp_path):
    rig = tetrahedron([[1, 0], [0.5, 0.5], [0.25, 0.75], [0, 1]])
    found = back(rig, tmp_path)
    np.testing.assert_allclose(found.mesh.vertices, rig.mesh.vertices, atol=1e-7)
    np.testing.assert_allclose(found.skeleton.joints, rig.skeleton.joints, atol=1e-7)
    assert found.weights.tolist() == rig.weights.tolist()
    assert found.mesh.faces.tolist() == rig.mesh.faces.tolist()
    assert found.skeleton.parents.tolist() == rig.skeleton.parents.tolist()
    assert found.skeleton.names == ("joint 0", "joint 1")


def test_the_same_rig_is_the_same_bytes():
    rig = tetrahedron([[1, 0], [0.5, 0.5], [0.25, 0.75], [0, 1]])
    assert glb(rig, normals=True) == glb(rig, normals=True)


def test_the_document_is_as_the_sheet_says():
    """One scene with the root and the mesh beside it, box of the positions, views at multiples of four."""
    data = glb(tetrahedron([[1, 0], [0.5, 0.5], [0.25, 0.75], [0, 1]]))
    found = document(data)
    assert found["scenes"] == [{"nodes": [0, 2]}]
    assert [sorted(node) for node in found["nodes"]] == [
        ["children", "name", "translation"],
        ["name", "translation"],
        ["mesh", "name", "skin"],
    ]
    assert found["nodes"][1]["translation"] == [1, 0, 0]
    attributes = found["meshes"][0]["primitives"][0]["attributes"]
    assert sorted(attributes) == ["JOINTS_0", "POSITION", "WEIGHTS_0"]
    position = found["accessors"][attributes["POSITION"]]
    assert (position["min"], position["max"]) == ([-1, -0.5, -0.5], [1, 0.5, 0.5])
    kinds = {name: found["accessors"][at]["componentType"] for name, at in attributes.items()}
    assert kinds == {"POSITION": 5126, "JOINTS_0": 5121, "WEIGHTS_0": 5126}
    assert all(view["byteOffset"] % 4 == 0 for view in found["bufferViews"])
    assert len(data) % 4 == 0
    assert struct.unpack_from("<I", data, 8)[0] == len(data)


@pytest.mark.parametrize(("joints", "kind"), [(256, 5121), (257, 5123), (300, 5123)])
def test_more_than_256_joints_are_named_by_shorts(joints, kind):
    found = document(glb(chain(joints)))
    at = found["meshes"][0]["primitives"][0]["attributes"]["JOINTS_0"]
    assert found["accessors"][at]["componentType"] == kind


def test_three_hundred_joints_come_back_when_all_influences_are_asked_for(tmp_path):
    rig = chain(300)
    np.testing.assert_allclose(back(rig, tmp_path, influences="all").weights, rig.weights, atol=1e-7)
    assert sum(name.startswith("JOINTS_") for name in attributes_of(tmp_path)) == 75


def attributes_of(tmp_path):
    return document((tmp_path / "b.glb").read_bytes())["meshes"][0]["primitives"][0]["attributes"]


def test_the_four_largest_are_kept_unless_all_are_asked_for(tmp_path):
    """.4 .25 .15 .1 of (.4 .25 .15 .1 .06 .04): .444444 .277778 .166667 .111111."""
    rig = tetrahedron([[0.4, 0.25, 0.15, 0.1, 0.06, 0.04]] * 3 + [[0, 0, 0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(
        back(rig, tmp_path).weights[0], [0.444444, 0.277778, 0.166667, 0.111111, 0, 0], atol=1e-6
    )
    np.testing.assert_allclose(back(rig, tmp_path, influences="all").weights, rig.weights, atol=1e-7)


def test_equal_weights_are_kept_from_the_first_joint_on_and_tiny_ones_not_written():
    slots, weights = influence_sets(np.array([[0.2] * 5, [0.999995, 0.000005, 0, 0, 0], [0] * 5]), 4)
    assert slots.tolist() == [[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(weights, [[0.25] * 4, [1, 0, 0, 0], [1, 0, 0, 0]])


def test_a_vertex_of_no_joint_follows_the_root_in_the_file(tmp_path):
    rig = tetrahedron([[0, 0], [0, 1], [0, 1], [0, 1]])
    assert back(rig, tmp_path).weights[0].tolist() == [1, 0]


def test_the_frame_is_undone(tmp_path):
    """Scale 0.5 about (2, 1, 0.5): the corner (-1, -.5, -.5) goes back to (0, 0, -.5)."""
    rig = tetrahedron([[1, 0], [0.5, 0.5], [0.25, 0.75], [0, 1]])
    write_rig(rig, tmp_path / "b.glb", frame=Frame(np.array([2, 1, 0.5]), 2))
    stored = read_stored(tmp_path / "b.glb")
    np.testing.assert_allclose(stored.skinned[0].rest[0], [0, 0, -0.5], atol=1e-7)
    np.testing.assert_allclose(stored.nodes.matrices[0, :3, 3], [1, 1, 0.5], atol=1e-7)
    np.testing.assert_allclose(canonical(stored).rig.skeleton.joints, rig.skeleton.joints, atol=1e-6)


def test_normals_and_colours_are_written_when_asked_for(tmp_path):
    rig = tetrahedron([[1, 0], [0.5, 0.5], [0.25, 0.75], [0, 1]])
    write_rig(rig, tmp_path / "b.glb", normals=True, colours=np.array([[0, 0.5, 1]] * 4))
    assert {"NORMAL", "COLOR_0"} <= set(attributes_of(tmp_path))
    assert bytes([0, 128, 255, 255]) * 4 in (tmp_path / "b.glb").read_bytes()


def test_normals_are_of_length_1_and_point_outwards(tmp_path):
    """Two triangles in the plane z = 0, and a vertex of none."""
    mesh = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [9, 9, 9]]), np.array([[0, 2, 1]]))
    write_rig(Rig(mesh, Skeleton(np.zeros((1, 3)), np.array([-1])), np.ones((4, 1))), tmp_path / "b.glb", normals=True)
    file = open_gltf(tmp_path / "b.glb")
    attributes = file.document.members("meshes")[0].members("primitives")[0].need("attributes")
    assert read_accessor(file, attributes.need("NORMAL"), ("VEC3",)).tolist() == [[0, 0, -1]] * 3 + [[0, 0, 1]]


def test_what_cannot_be_written_is_refused(tmp_path):
    rig = tetrahedron([[1, 0], [0.5, 0.5], [0.25, 0.75], [0, 1]])
    with pytest.raises(RigFileError, match=r"'\.glb' is written"):
        write_rig(rig, tmp_path / "b.obj")
    with pytest.raises(RigFileError, match="cannot be written"):
        write_rig(rig, tmp_path / "none" / "b.glb")
    with pytest.raises(RigFileError, match="no triangles"):
        write_rig(Rig(Mesh(rig.mesh.vertices, rig.mesh.faces[:0]), rig.skeleton, rig.weights), tmp_path / "b.glb")
    with pytest.raises(RigFileError, match="colours of the shape"):
        write_rig(rig, tmp_path / "b.glb", colours=np.zeros((3, 3)))


def test_a_mesh_of_more_than_65535_vertices_is_indexed_by_longer_integers(tmp_path):
    side = 257
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side)), axis=-1).reshape(-1, 2)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.stack([corner, corner + 1, corner + side + 1], axis=1)
    vertices = np.concatenate([grid, np.zeros((side * side, 1))], axis=1)
    rig = Rig(Mesh(vertices, faces), Skeleton(np.zeros((1, 3)), np.array([-1])), np.ones((len(grid), 1)))
    write_rig(rig, tmp_path / "b.glb")
    assert read_stored(tmp_path / "b.glb").skinned[0].faces.tolist() == faces.tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_any_rig_of_used_joints_comes_back(tmp_path_factory, seed, count):
    """Whatever the tree, with joints in their order."""
    rng = np.random.default_rng(seed)
    parents = np.array([-1, *(rng.integers(0, at) for at in range(1, count))])
    weights = rng.dirichlet(np.full(count, 0.5), 12)
    weights[weights < 1e-4] = 0
    weights += np.eye(12, count)
    weights /= weights.sum(axis=1, keepdims=True)
    vertices = rng.uniform(-1, 1, (12, 3))
    vertices[:2] = [[-1, 0, 0], [1, 0, 0]]
    vertices[2:4, 1:] = [[-1, -1], [1, 1]]
    mesh = Mesh(vertices, np.arange(12).reshape(-1, 3))
    rig = Rig(mesh, Skeleton(rng.normal(size=(count, 3)), parents), weights)
    path = tmp_path_factory.mktemp("any") / "b.glb"
    write_rig(rig, path, influences="all")
    found = read_rig(path)
    np.testing.assert_allclose(found.mesh.vertices, vertices, atol=1e-6)
    np.testing.assert_allclose(found.skeleton.joints, rig.skeleton.joints, atol=1e-6)
    np.testing.assert_allclose(found.weights, weights, atol=1e-6)
    assert found.skeleton.parents.tolist() == parents.tolist()
