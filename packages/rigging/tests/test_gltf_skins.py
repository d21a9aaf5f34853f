"""Skins as files have them: several sets, several skins, poses that are not the bind pose, Draco."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from guerdon_rigging import gltf_skins
from guerdon_rigging.canonical import canonical, read_rig
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_skins import Skin, read_stored


def dense(part):
    return part.weights.toarray()


def test_a_square_is_read_as_it_was_made(tmp_path, made_square):
    stored = read_stored(made_square().save(tmp_path / "a.glb"))
    (part,) = stored.skinned
    assert part.rest.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert part.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert dense(part).tolist() == [[1, 0, 0]] * 2 + [[0, 1, 0]] * 2
    assert (stored.joints, stored.notes) == ((0, 1), ())


def test_a_joint_was_bound_where_the_inverse_of_its_matrix_has_it_worked_example_2():
    """[0,-1,0,0, 1,0,0,0, 0,0,1,0, -6,5,-7,1] in file order: (5, 6, 7)."""
    stored = np.array([0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, -6, 5, -7, 1.0]).reshape(1, 4, 4).transpose(0, 2, 1)
    np.testing.assert_allclose(Skin(np.array([0]), stored).bind_joints(), [[5, 6, 7]], atol=1e-12)


def test_the_node_that_carries_a_skinned_mesh_does_not_move_it(tmp_path, made_square):
    made = made_square()
    made.document["nodes"][2] |= {"scale": [100, 100, 100], "translation": [5, 5, 5]}
    assert read_stored(made.save(tmp_path / "a.glb")).skinned[0].rest.max() == 1


def test_rest_is_where_the_nodes_are_and_not_where_the_mesh_was_bound(tmp_path, made_square):
    """The head, and the upper edge with it, is moved up by one."""
    made = made_square()
    made.document["nodes"][1]["translation"] = [0, 2, 0]
    stored = read_stored(made.save(tmp_path / "a.glb"))
    assert stored.skinned[0].rest.tolist() == [[0, 0, 0], [1, 0, 0], [1, 2, 0], [0, 2, 0]]
    assert stored.skinned[0].vertices[2].tolist() == [1, 1, 0]
    assert canonical(stored).frame.back(canonical(stored).rig.skeleton.joints).tolist() == [[0, 0, 0], [0, 2, 0]]


def test_without_inverse_bind_matrices_they_are_identities(tmp_path, made_square):
    """The head stands at y = 1, so the upper edge goes to y = 2."""
    made = made_square()
    del made.document["skins"][0]["inverseBindMatrices"]
    assert read_stored(made.save(tmp_path / "a.glb")).skinned[0].rest[:, 1].tolist() == [0, 0, 2, 2]


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535)])
def test_normalised_integers_are_weights(tmp_path, made_square, dtype, top):
    share = {"WEIGHTS_0": lambda made: made.add([[top, 0, 0, 0]] * 4, "VEC4", dtype, normalized=True)}
    assert dense(read_stored(made_square(**share).save(tmp_path / "a.glb")).skinned[0]).sum() == 4


def test_a_second_set_of_joints_counts(tmp_path, made_square):
    """A quarter in slot 5: pygltflib's record knows JOINTS_0 alone."""
    more = {
        "WEIGHTS_0": lambda made: made.add([[0.75, 0, 0, 0]] * 4, "VEC4"),
        "JOINTS_1": lambda made: made.add([[1, 0, 0, 0]] * 4, "VEC4", "uint16"),
        "WEIGHTS_1": lambda made: made.add([[0.25, 0, 0, 0]] * 4, "VEC4"),
    }
    found = dense(read_stored(made_square(**more).save(tmp_path / "a.glb")).skinned[0])
    assert found[:, :2].tolist() == [[0.75, 0.25]] * 2 + [[0, 1]] * 2


def test_a_joint_in_two_slots_of_a_vertex_adds_up(tmp_path, made_square):
    twice = {
        "JOINTS_0": lambda made: made.add([[1, 0, 1, 0]] * 4, "VEC4", "uint8"),
        "WEIGHTS_0": lambda made: made.add([[0.5, 0.25, 0.25, 0]] * 4, "VEC4"),
    }
    assert dense(read_stored(made_square(**twice).save(tmp_path / "a.glb")).skinned[0])[0].tolist() == [0.25, 0.75, 0]


def test_a_slot_of_weight_0_may_name_a_joint_that_is_not_there(tmp_path, made_square):
    wild = {"JOINTS_0": lambda made: made.add([[0, 255, 77, 200]] * 4, "VEC4", "uint8")}
    assert dense(read_stored(made_square(**wild).save(tmp_path / "a.glb")).skinned[0])[:, 0].tolist() == [1] * 4


def test_a_slot_with_weight_may_not(tmp_path, made_square):
    wild = {"JOINTS_0": lambda made: made.add([[0, 0, 0, 0]] * 3 + [[2, 0, 0, 0]], "VEC4", "uint8")}
    with pytest.raises(RigFileError, match=r"primitives\[0\]: vertex 3 follows joint 2 of skins\[0\], which has 2"):
        read_stored(made_square(**wild).save(tmp_path / "a.glb"))


def test_weights_that_are_none_count_as_0_and_are_counted(tmp_path, made_square):
    """Real files have NaN where an exporter divided by 0."""
    bad = {"WEIGHTS_0": lambda made: made.add([[1, np.nan, -0.5, np.inf]] + [[1, 0, 0, 0]] * 3, "VEC4")}
    stored = read_stored(made_square(**bad).save(tmp_path / "a.glb"))
    assert stored.skinned[0].mended == 3
    report = canonical(stored).report
    assert report.mended == 3
    assert "3 weights were negative or not finite and are taken as 0" in report.lines()


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ({"JOINTS_0": lambda made: made.add([[0, 0, 0, 0]] * 4, "VEC4")}, "unsigned bytes or unsigned shorts"),
        ({"WEIGHTS_0": lambda made: made.add([[1, 0, 0, 0]] * 4, "VEC4", "uint8")}, "normalised integers"),
        ({"WEIGHTS_0": lambda made: made.add([[1, 0, 0, 0]] * 3, "VEC4")}, "3 elements of WEIGHTS_0 for 4"),
        ({"JOINTS_1": lambda made: made.add([[1, 0, 0, 0]] * 4, "VEC4", "uint8")}, "JOINTS_1 and WEIGHTS_1"),
        ({"POSITION": lambda made: made.add([[np.nan, 0, 0]] * 4, "VEC3")}, "finite"),
        ({"POSITION": lambda made: made.add([[1, 0, 0]] * 2, "VEC3")}, "for 2 vertices|vertex 3 of 2"),
        ({"POSITION": lambda made: made.add([[1, 0]] * 4, "VEC2")}, "VEC3 is accepted"),
    ],
)
def test_attributes_that_do_not_fit_are_refused(tmp_path, made_square, attribute, words):
    with pytest.raises(RigFileError, match=words):
        read_stored(made_square(**attribute).save(tmp_path / "a.glb"))


def test_a_skin_without_joints_and_one_with_too_few_matrices_are_refused(tmp_path, made_square):
    made = made_square()
    made.document["skins"][0]["joints"] = []
    with pytest.raises(RigFileError, match=r"skins\[0\]: has no joints"):
        read_stored(made.save(tmp_path / "a.glb"))
    made.document["skins"][0]["joints"] = [0, 1, 2]
    with pytest.raises(RigFileError, match="2 matrices"):
        read_stored(made.save(tmp_path / "a.glb"))


def test_a_skin_whose_mesh_names_no_joints_is_refused(tmp_path, made_square):
    made = made_square()
    del made.document["meshes"][0]["primitives"][0]["attributes"]["JOINTS_0"]
    del made.document["meshes"][0]["primitives"][0]["attributes"]["WEIGHTS_0"]
    with pytest.raises(RigFileError, match="has no JOINTS_0"):
        read_stored(made.save(tmp_path / "a.glb"))


@pytest.mark.parametrize(
    ("mode", "corners", "faces"),
    [
        (4, None, [[0, 1, 2]]),
        (5, [0, 1, 2, 3], [[0, 1, 2], [1, 3, 2]]),
        (6, [0, 1, 2, 3], [[1, 2, 0], [2, 3, 0]]),
        (5, [0, 1], []),
    ],
)
def test_lists_strips_and_fans_are_triangles(tmp_path, made_square, mode, corners, faces):
    """glTF 2.0, 3.7.2.1: a strip's i-th is (i, i + 1 + i % 2, i + 2 - i % 2), a fan's (i + 1, i + 2, 0)."""
    made = made_square()
    primitive = made.document["meshes"][0]["primitives"][0]
    primitive["mode"] = mode
    if corners is None:
        del primitive["indices"]
        for name, at in primitive["attributes"].items():
            made.document["accessors"][at]["count"] = 3
            assert name
    else:
        primitive["indices"] = made.add(corners, "SCALAR", "uint8")
    assert read_stored(made.save(tmp_path / "a.glb")).parts[0].faces.tolist() == faces


def test_corners_that_make_no_triangles_or_name_no_vertex_are_refused(tmp_path, made_square):
    made = made_square()
    primitive = made.document["meshes"][0]["primitives"][0]
    for corners, words in (([0, 1, 2, 3], "4 corners"), ([0, 1, 9], "vertex 9 of 4")):
        primitive["indices"] = made.add(corners, "SCALAR", "uint32")
        with pytest.raises(RigFileError, match=words):
            read_stored(made.save(tmp_path / "a.glb"))


def test_points_lines_morph_targets_and_hidden_meshes_are_noted(tmp_path, made_square):
    made = made_square()
    primitives = made.document["meshes"][0]["primitives"]
    primitives[0]["targets"] = [{"POSITION": 1}, {"POSITION": 1}]
    primitives.append({**primitives[0], "mode": 1})
    made.document["nodes"].append({"name": "spare", "mesh": 0})
    stored = read_stored(made.save(tmp_path / "a.glb"))
    assert len(stored.parts) == 1
    assert stored.notes == (
        "cloth has 2 morph targets; its base shape is read",
        "cloth has a primitive of points or lines",
        "cloth at spare is in no scene that is shown",
    )


def test_skins_share_joints_by_node_and_not_by_their_place(tmp_path, made_square):
    """The second skin lists the joints the other way round and moves by another space's matrices."""
    made = made_square()
    binds = np.stack([np.diag([0.01, 0.01, 0.01, 1.0])] * 2)
    binds[0, 1, 3] = -1
    points = np.array([[200, 0, 0], [300, 0, 0], [300, 100, 0]])
    made.document["skins"].append({"joints": [1, 0], "inverseBindMatrices": made.add(binds.transpose(0, 2, 1), "MAT4")})
    attributes = {
        "POSITION": made.add(points, "VEC3"),
        "JOINTS_0": made.add([[1, 0, 0, 0]] * 2 + [[0, 0, 0, 0]], "VEC4", "uint8"),
        "WEIGHTS_0": made.add([[1, 0, 0, 0]] * 3, "VEC4"),
    }
    made.document["meshes"].append({"primitives": [{"attributes": attributes}]})
    made.document["nodes"].append({"mesh": 1, "skin": 1})
    made.document["scenes"][0]["nodes"].append(3)
    found = canonical(read_stored(made.save(tmp_path / "a.glb")))
    rig = found.rig
    np.testing.assert_allclose(found.frame.back(rig.mesh.vertices)[4:], [[2, 0, 0], [3, 0, 0], [3, 1, 0]], atol=1e-6)
    assert rig.skeleton.names == ("hip", "head")
    assert rig.weights[:, 0].tolist() == [1, 1, 0, 0, 1, 1, 0]


def test_a_mesh_without_a_skin_stands_where_its_node_puts_it(tmp_path, made_square):
    made = made_square()
    made.document["nodes"][1]["children"] = [3]
    made.document["nodes"].append({"name": "hat", "mesh": 0, "translation": [0, 0.5, 0]})
    stored = read_stored(made.save(tmp_path / "a.glb"))
    hat = next(part for part in stored.parts if part.skin is None)
    assert hat.rest[0].tolist() == [0, 1.5, 0]
    assert canonical(stored).report.unskinned == (("cloth", 4),)


def test_too_many_vertices_are_refused_with_the_limit(tmp_path, made_square, monkeypatch):
    monkeypatch.setattr(gltf_skins, "MOST_VERTICES", 3)
    with pytest.raises(RigFileError, match="to 4 vertices and 2 triangles; at most 3 and"):
        read_stored(made_square().save(tmp_path / "a.glb"))


def test_a_small_file_cannot_ask_for_much_memory(tmp_path, made_square):
    """Accessors without a buffer are zeros, as many as a few bytes say: matrices, corners, one mesh over and over."""
    made = made_square()
    zeros = {"componentType": 5126, "count": 20_000_000}
    made.document["accessors"] += [{**zeros, "type": "MAT4"}, {**zeros, "type": "VEC3"}]
    made.document["skins"][0]["inverseBindMatrices"] = len(made.document["accessors"]) - 2
    with pytest.raises(RigFileError, match="320,000,000 numbers; at most 268,435,456 are read"):
        read_stored(made.save(tmp_path / "a.glb"))
    del made.document["skins"][0]["inverseBindMatrices"]
    primitives = made.document["meshes"][0]["primitives"]
    primitives[0]["attributes"]["POSITION"] = len(made.document["accessors"]) - 1
    with pytest.raises(RigFileError, match="has 20,000,000 vertices; at most 4,000,000 are read"):
        read_stored(made.save(tmp_path / "a.glb"))
    made = made_square()
    made.document["accessors"].append({"componentType": 5125, "count": 24_000_015, "type": "SCALAR"})
    made.document["meshes"][0]["primitives"][0]["indices"] = len(made.document["accessors"]) - 1
    with pytest.raises(RigFileError, match="has too many corners; 8,000,004 triangles are read"):
        read_stored(made.save(tmp_path / "a.glb"))
    made = made_square()
    made.document["nodes"] = [{"mesh": 0}] * 30
    del made.document["scenes"], made.document["scene"]
    made.document["accessors"].append({"componentType": 5121, "count": 3_000_000, "type": "SCALAR"})
    made.document["meshes"][0]["primitives"][0]["indices"] = len(made.document["accessors"]) - 1
    with pytest.raises(RigFileError, match="9,000,000 triangles; at most 4,000,000 and 8,000,004"):
        read_stored(made.save(tmp_path / "a.glb"))


def compressed(made):
    """The square's mesh through Draco, its accessors without data."""
    draco = pytest.importorskip("DracoPy")
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    slots = np.array([[0, 0, 0, 0]] * 2 + [[1, 0, 0, 0]] * 2, np.uint8)
    shares = np.array([[1, 0, 0, 0]] * 4, np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.uint32)
    data = draco.encode(
        points, faces, quantization_bits=16, preserve_order=True, generic_attributes={1: slots, 2: shares}
    )
    primitive = made.document["meshes"][0]["primitives"][0]
    for at in (*primitive["attributes"].values(), primitive["indices"]):
        del made.document["accessors"][at]["bufferView"]
    (position,) = {one["unique_id"] for one in draco.decode(data).attributes} - {1, 2}
    ids = {"POSITION": position, "JOINTS_0": 1, "WEIGHTS_0": 2}
    primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": made.view(data), "attributes": ids}}
    made.document["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    return made


def test_a_mesh_compressed_with_draco_is_the_same(tmp_path, made_square):
    plain = read_rig(made_square().save(tmp_path / "a.glb"))
    packed = read_rig(compressed(made_square()).save(tmp_path / "b.glb"))
    np.testing.assert_allclose(packed.mesh.vertices, plain.mesh.vertices, atol=1e-4)
    assert packed.weights.tolist() == plain.weights.tolist()
    assert packed.mesh.faces.tolist() == plain.mesh.faces.tolist()


def test_without_dracopy_the_error_names_the_extra(tmp_path, made_square, monkeypatch):
    path = compressed(made_square()).save(tmp_path / "a.glb")
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    with pytest.raises(RigFileError, match=r"compressed with Draco; install.*guerdon-rigging\[draco\]"):
        read_rig(path)


def test_plain_values_beside_compressed_ones_need_no_dracopy(tmp_path, made_square, monkeypatch):
    made = made_square()
    made.document["meshes"][0]["primitives"][0]["extensions"] = {
        "KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {}}
    }
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    assert read_rig(made.save(tmp_path / "a.glb")).weights.shape == (4, 2)


def test_broken_draco_data_are_named(tmp_path, made_square):
    made = compressed(made_square())
    at = made.document["meshes"][0]["primitives"][0]["extensions"]["KHR_draco_mesh_compression"]["bufferView"]
    start = made.document["bufferViews"][at]["byteOffset"]
    made.data = made.data[: start + 5] + b"\xff" * (len(made.data) - start - 5)
    with pytest.raises(RigFileError, match="KHR_draco_mesh_compression: does not decode"):
        read_rig(made.save(tmp_path / "a.glb"))
