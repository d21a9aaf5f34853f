"""The canonical rig: normalised rows, welded vertices, one tree, a frame that can be undone; and what is reported."""

from __future__ import annotations

import time

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging import canonical as module
from guerdon_rigging.canonical import WELD, Report, canonical, read_rig, read_skeleton, welded
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_skins import read_stored


def found(made, tmp_path, **options):
    return canonical(read_stored(made.save(tmp_path / "a.glb")), **options)


def test_rows_that_do_not_sum_to_1_are_normalised_worked_example_9(tmp_path, made_square):
    """(.5, 0) alone would shrink (1,0,0) to (.5,0,0); a row of zeros keeps its place and stays zero."""
    half = {"WEIGHTS_0": lambda made: made.add([[0.5, 0, 0, 0], [0.5, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]], "VEC4")}
    got = found(made_square(**half), tmp_path)
    assert got.frame.back(got.rig.mesh.vertices).tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert got.rig.weights.tolist() == [[1, 0], [1, 0], [0, 1], [0, 0]]
    assert (got.report.unnormalised, got.report.unweighted) == (2, 1)


def test_a_vertex_of_no_weight_moves_with_its_neighbour_in_another_pose(tmp_path, made_square):
    """The head went up by one and so did the corner beside the one that follows it."""
    none = {"WEIGHTS_0": lambda made: made.add([[1, 0, 0, 0]] * 3 + [[0, 0, 0, 0]], "VEC4")}
    made = made_square(**none)
    made.document["nodes"][1]["translation"] = [0, 2, 0]
    stored = read_stored(made.save(tmp_path / "a.glb"))
    assert stored.skinned[0].rest[3].tolist() in ([0, 2, 0], [0, 1, 0])  # both neighbours are one away


def test_vertices_stored_twice_are_one_and_the_map_leads_back(tmp_path, made_square):
    """A hard edge stores (1,0,0) and (1,1,0) again; weights that differ are averaged and counted."""
    made = made_square(
        POSITION=lambda made: made.add([[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 0, 1e-6], [2, 0, 0]], "VEC3"),
        JOINTS_0=lambda made: made.add([[0, 0, 0, 0]] * 3 + [[1, 0, 0, 0]] * 3, "VEC4", "uint8"),
        WEIGHTS_0=lambda made: made.add([[1, 0, 0, 0]] * 6, "VEC4"),
    )
    made.document["meshes"][0]["primitives"][0]["indices"] = made.add([0, 1, 2, 3, 4, 5], "SCALAR", "uint8")
    got = found(made, tmp_path)
    assert got.places.tolist() == [0, 1, 2, 2, 1, 3]
    assert got.rig.mesh.faces.tolist() == [[0, 1, 2], [2, 1, 3]]
    assert got.rig.weights.tolist() == [[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]]
    assert (got.report.stored, got.report.welded, got.report.welded_apart) == (6, 2, 4)


def test_welding_twice_is_welding_once():
    """Pairs on either side of a decimal's edge, where rounding would keep both and, a hair later, one."""
    rng = np.random.default_rng(0)
    spread = rng.uniform(-1, 1, (500, 3))
    points = np.concatenate([spread, spread + rng.uniform(-0.4, 0.4, (500, 3)) * WELD])
    faces = np.arange(999).reshape(-1, 3)
    mesh, frame, places, _ = welded("made", points, faces)
    again, _, still, _ = welded("made", mesh.vertices.astype(np.float32).astype(np.float64), mesh.faces)
    assert len(mesh.vertices) == 500
    assert still.tolist() == list(range(500))
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(frame.back(mesh.vertices)[places[:999]], points[:999], atol=3 * WELD)


def test_a_million_vertices_in_one_place_are_one_and_not_a_trillion_pairs():
    rng = np.random.default_rng(1)
    points = np.concatenate([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], rng.uniform(0, 1e-7, (200_000, 3))])
    faces = np.concatenate([[[0, 1, 2]], 3 + np.arange(199_998).reshape(-1, 3)])
    mesh, _, places, flat = welded("made", points, faces)
    assert (len(mesh.vertices), flat) == (3, 66_666)
    assert (places[3:200_001] == 0).all()


def test_triangles_of_no_area_and_vertices_of_no_triangle_are_left_out_and_counted(tmp_path, made_square):
    made = made_square()
    corners = [0, 1, 2, 0, 0, 1, 0, 1, 1]
    made.document["meshes"][0]["primitives"][0]["indices"] = made.add(corners, "SCALAR", "uint8")
    got = found(made, tmp_path)
    assert got.rig.mesh.faces.tolist() == [[0, 1, 2]]
    assert got.places.tolist() == [0, 1, 2, -1]
    assert (got.report.degenerate, got.report.unused, got.report.welded) == (2, 1, 0)
    assert got.report.lines() == ["1 vertex of no triangle was left out", "2 triangles of no area were left out"]


def test_one_is_told_as_one_and_several_as_several():
    ones = Report(9, 1, 1, 1, 1, 1, 1, 1, dropped_joints=("a",), unskinned=(("hat", 1),))
    assert ones.lines() == [
        "1 of 9 stored vertices was welded to another",
        "1 welded vertex had other weights; the mean was taken",
        "1 vertex of no triangle was left out",
        "1 triangle of no area was left out",
        "1 row of weights did not sum to 1 and was normalised",
        "1 vertex follows no joint",
        "1 weight was negative or not finite and is taken as 0",
        "1 joint that moves nothing was left out",
        "hat (1 vertex) follows no joint and was left out",
    ]
    several = Report(9, 2, 2, 2, 2, 2, 2, 2, dropped_joints=("a", "b"), roots=("a", "b"), unskinned=(("hat", 2000),))
    assert several.lines() == [
        "2 of 9 stored vertices were welded to others",
        "2 welded vertices had other weights; the mean was taken",
        "2 vertices of no triangle were left out",
        "2 triangles of no area were left out",
        "2 rows of weights did not sum to 1 and were normalised",
        "2 vertices follow no joint",
        "2 weights were negative or not finite and are taken as 0",
        "2 joints that move nothing were left out",
        "2 roots were joined under a new one",
        "hat (2,000 vertices) follows no joint and was left out",
    ]
    assert Report(9).lines() == []


def test_a_mesh_of_no_area_at_all_is_refused():
    with pytest.raises(RigFileError, match="none of its 1 triangles has an area"):
        welded("made", np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([[0, 1, 2]]))
    with pytest.raises(RigFileError, match="no mesh"):
        welded("made", np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(RigFileError, match="no mesh"):
        welded("made", np.zeros((0, 3)), np.zeros((0, 3), np.int64))


def with_joints(made, nodes, joints):
    """The square on other nodes: the mesh's node is the last, its skin's binds are identities."""
    made.document["nodes"] = [*nodes, {"mesh": 0, "skin": 0}]
    made.document["skins"] = [{"joints": joints}]
    del made.document["scenes"], made.document["scene"]
    return made


def test_joints_that_move_nothing_are_dropped_and_those_between_stay(tmp_path, made_square):
    """hip owns, spine owns nothing but leads to the head, which owns; tip and tail own nothing and lead nowhere."""
    nodes = [
        {"name": "hip", "children": [1, 4]},
        {"name": "spine", "children": [2]},
        {"name": "head", "children": [3]},
        {"name": "tip"},
        {"name": "tail"},
    ]
    made = with_joints(made_square(JOINTS_0=joints_0_and_2), nodes, [0, 1, 2, 3, 4])
    got = found(made, tmp_path)
    assert got.rig.skeleton.names == ("hip", "spine", "head")
    assert got.rig.skeleton.parents.tolist() == [-1, 0, 1]
    assert got.report.dropped_joints == ("tip", "tail")
    whole = found(made, tmp_path, joints="all")
    assert whole.rig.skeleton.names == ("hip", "spine", "head", "tip", "tail")
    assert whole.rig.skeleton.parents.tolist() == [-1, 0, 1, 2, 0]


def joints_0_and_2(made):
    return made.add([[0, 0, 0, 0]] * 2 + [[2, 0, 0, 0]] * 2, "VEC4", "uint8")


def test_parents_are_found_through_nodes_that_are_no_joints_and_come_first(tmp_path, made_square):
    """The skin names the head before the hip, and a plain node stands between them."""
    nodes = [{"name": "head"}, {"name": "between", "children": [0]}, {"name": "hip", "children": [1]}]
    got = found(with_joints(made_square(), nodes, [0, 2]), tmp_path)
    assert got.rig.skeleton.names == ("hip", "head")
    assert got.rig.skeleton.parents.tolist() == [-1, 0]
    assert got.joint_nodes.tolist() == [2, 0]
    assert got.rig.weights.tolist() == [[0, 1]] * 2 + [[1, 0]] * 2


def test_several_roots_hang_on_a_new_one_where_the_largest_trees_root_is(tmp_path, made_square):
    nodes = [
        {"name": "ik", "translation": [0.5, 0, 0]},
        {"name": "hip", "translation": [0.25, 0, 0], "children": [2]},
        {"name": "head"},
    ]
    got = found(with_joints(made_square(JOINTS_0=joints_0_and_2), nodes, [0, 1, 2]), tmp_path)
    skeleton = got.rig.skeleton
    assert skeleton.names == ("root", "ik", "hip", "head")
    assert skeleton.parents.tolist() == [-1, 0, 0, 2]
    assert skeleton.joints[0].tolist() == skeleton.joints[2].tolist()
    assert got.rig.weights[:, 0].tolist() == [0] * 4
    assert got.joint_nodes.tolist() == [-1, 0, 1, 2]
    assert got.report.roots == ("ik", "hip")


def test_a_root_that_moves_nothing_is_no_second_root(tmp_path, made_square):
    nodes = [{"name": "ik"}, {"name": "hip", "children": [2]}, {"name": "head"}]
    ones = {"JOINTS_0": lambda made: made.add([[1, 0, 0, 0]] * 2 + [[2, 0, 0, 0]] * 2, "VEC4", "uint8")}
    got = found(with_joints(made_square(**ones), nodes, [0, 1, 2]), tmp_path)
    assert got.rig.skeleton.names == ("hip", "head")
    assert (got.report.roots, got.report.dropped_joints) == ((), ("ik",))


def test_a_file_in_order_has_nothing_to_report(tmp_path, made_square):
    assert found(made_square(), tmp_path).report.lines() == []


def test_units_and_mirrors_do_not_matter(tmp_path, made_square):
    """The whole scene scaled by 0.01 and mirrored: the same box, x the other way."""
    made = made_square()
    made.document["nodes"].append({"children": [0], "scale": [-0.01, 0.01, 0.01]})
    made.document["scenes"][0]["nodes"] = [3, 2]
    straight = read_rig(made_square().save(tmp_path / "b.glb"))
    got = found(made, tmp_path).rig
    np.testing.assert_allclose(got.mesh.vertices, straight.mesh.vertices * [-1, 1, 1], atol=1e-9)
    assert (normals(straight) == [0, 0, 1]).all()
    assert (normals(got) == [0, 0, 1]).all()  # a mirror turns windings round, and with them the front


def normals(rig):
    from guerdon_rigging.sampling import areas

    return areas(rig.mesh)[1]


def test_a_mirrored_node_shows_its_mesh_from_the_same_side(tmp_path, made_square):
    """Without a skin too; and joints that were mirrored already when they were bound mirror nothing."""
    made = made_square()
    made.document["nodes"][2] = {"mesh": 0, "scale": [1, 1, -1]}
    (part,) = read_stored(made.save(tmp_path / "a.glb")).parts
    assert part.faces.tolist() == [[2, 1, 0], [3, 2, 0]]
    bound = made_square()
    bound.document["nodes"][0]["scale"] = [-1, 1, 1]
    binds = np.stack([np.diag([-1.0, 1, 1, 1])] * 2)
    binds[1, 1, 3] = -1
    bound.document["skins"][0]["inverseBindMatrices"] = bound.add(binds.transpose(0, 2, 1), "MAT4")
    (part,) = read_stored(bound.save(tmp_path / "b.glb")).parts
    assert part.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_a_file_that_has_no_rig_says_so(tmp_path, made_square):
    made = made_square()
    del made.document["nodes"][2]["skin"]
    with pytest.raises(RigFileError, match="no mesh in it follows joints"):
        found(made, tmp_path)
    nothing = {"WEIGHTS_0": lambda made: made.add([[0, 0, 0, 0]] * 4, "VEC4")}
    with pytest.raises(RigFileError, match="every weight is 0"):
        found(made_square(**nothing), tmp_path)


def test_more_weights_than_memory_should_hold_are_refused(tmp_path, made_square, monkeypatch):
    monkeypatch.setattr(module, "MOST_WEIGHTS", 7)
    with pytest.raises(RigFileError, match="4 vertices follow 2 joints; at most 7"):
        found(made_square(), tmp_path)


def test_a_misspelt_choice_of_joints_is_a_setting(tmp_path, made_square):
    with pytest.raises(ConfigError, match=r"canonical\.joints"):
        found(made_square(), tmp_path, joints="some")


def test_a_skeleton_is_read_without_its_mesh_in_the_files_units(tmp_path, made_square):
    """Nothing follows the joints, and the node above them scales by ten."""
    made = made_square()
    made.document["nodes"] = [{"name": "hip", "children": [1]}, {"name": "head", "translation": [0, 1, 0]}]
    made.document["nodes"].append({"children": [0], "scale": [10, 10, 10]})
    made.document["scenes"][0]["nodes"] = [2]
    del made.document["meshes"]
    skeleton, changed = read_skeleton(made.save(tmp_path / "a.glb"))
    assert changed == ()
    assert skeleton.names == ("hip", "head")
    assert skeleton.joints.tolist() == [[0, 0, 0], [0, 10, 0]]
    del made.document["skins"]
    with pytest.raises(RigFileError, match="skins: there are none"):
        read_skeleton(made.save(tmp_path / "a.glb"))


def test_as_many_roots_as_joints_are_read_in_linear_time(tmp_path, made_square):
    """20,000 of them; by looking at all joints for each root they took half a minute."""
    made = made_square()
    made.document["nodes"] = [{"name": str(at)} for at in range(20_000)]
    made.document["skins"] = [{"joints": list(range(20_000))}]
    made.document["scenes"][0]["nodes"] = list(range(20_000))
    del made.document["meshes"]
    path = made.save(tmp_path / "a.glb")
    before = time.process_time()
    skeleton, changed = read_skeleton(path)
    assert len(skeleton) == 20_001
    assert changed == ("20,000 roots were joined under a new one",)
    assert time.process_time() - before < 10
