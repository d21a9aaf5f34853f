"""What a mesh, a skeleton and a rig promise, and refuse to be."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.rigs import Mesh, Rig, RigError, Skeleton

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]])


def test_an_edge_is_named_once_and_a_collapsed_triangle_has_none_to_itself():
    mesh = Mesh(CORNERS, np.array([[0, 1, 2], [2, 1, 3], [3, 3, 0]]))
    assert mesh.edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


def test_a_mesh_without_triangles_has_no_edges():
    assert Mesh(CORNERS, np.zeros((0, 3), np.int64)).edges.shape == (0, 2)


@pytest.mark.parametrize(
    ("vertices", "faces", "said"),
    [
        (CORNERS, np.array([[0, 1, 4]]), "name vertices 0 to 4; there are 4"),
        (CORNERS, np.array([[0, 1, -1]]), "name vertices -1 to 1"),
        (CORNERS[:, :2], np.array([[0, 1, 2]]), r"Mesh.vertices has the shape \(4, 2\)"),
        (np.where(CORNERS == 1, np.nan, CORNERS), np.array([[0, 1, 2]]), r"Mesh.vertices\[1\] is \[nan"),
        (CORNERS, np.array([[0, 1, 2.5]]), "Mesh.faces is an array of float64; one of whole numbers is needed"),
        (CORNERS, [[0, 1, 2]], "Mesh.faces is of the type list; a numpy array of whole numbers is needed"),
        (CORNERS.tolist(), np.array([[0, 1, 2]]), "Mesh.vertices is of the type list; a numpy array of numbers"),
        (CORNERS.astype(str), np.array([[0, 1, 2]]), "Mesh.vertices is an array of <U32; one of numbers"),
    ],
)
def test_what_is_no_mesh_is_refused(vertices, faces, said):
    with pytest.raises(RigError, match=said):
        Mesh(vertices, faces)


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ([-1, 2, 1], "joint 1 follows from 2"),
        ([-1, -1, 0], r"joints \[0, 1\] have no parent"),
        ([0, 0, 0], "joint 0 follows from 0"),
        ([-2, 0, 0], r"joints \[0\] have no parent"),
    ],
)
def test_a_skeleton_has_one_root_that_comes_first(parents, said):
    with pytest.raises(RigError, match=said):
        Skeleton(CORNERS[:3], np.array(parents))


def test_a_skeleton_has_a_joint_and_as_many_names():
    with pytest.raises(RigError, match="at least one joint"):
        Skeleton(np.zeros((0, 3)), np.zeros(0, np.int64))
    with pytest.raises(RigError, match="2 for 3 joints"):
        Skeleton(CORNERS[:3], np.array([-1, 0, 0]), ("a", "b"))


def test_a_skeleton_and_a_skin_are_arrays_of_numbers():
    with pytest.raises(RigError, match=r"Skeleton\.joints is of the type list"):
        Skeleton(CORNERS.tolist(), np.array([-1, 0, 0, 1]))
    with pytest.raises(RigError, match=r"Skeleton\.parents is an array of float64; one of whole numbers"):
        Skeleton(CORNERS, np.array([-1, 0, 0.5, 1]))
    mesh, one = Mesh(CORNERS, np.array([[0, 1, 2]])), Skeleton(CORNERS[:1], np.array([-1]))
    with pytest.raises(RigError, match=r"Rig\.weights is of the type list"):
        Rig(mesh, one, [[1]] * 4)


def test_children_are_told_in_order():
    assert Skeleton(CORNERS, np.array([-1, 0, 0, 1])).children == ((1, 2), (3,), (), ())


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.ones((4, 2)), r"Rig.weights has the shape \(4, 2\); \(4, 1\) is needed"),
        (-np.ones((4, 1)), "negative entry -1.0"),
        (np.full((4, 1), np.inf), r"Rig.weights\[0\] is \[inf\]"),
    ],
)
def test_weights_are_a_number_for_each_vertex_and_joint(weights, said):
    with pytest.raises(RigError, match=said):
        Rig(Mesh(CORNERS, np.array([[0, 1, 2]])), Skeleton(CORNERS[:1], np.array([-1])), weights)


def test_a_part_of_a_skeleton_keeps_what_leads_to_it() -> None:
    """A root with two arms; of the second the tip, joint 4, is marked, and its middle, joint 3, may be taken out."""
    whole = Skeleton(np.arange(15.0).reshape(5, 3), np.array([-1, 0, 1, 0, 3]), ("root", "a", "aa", "b", "bb"))
    marked = np.array([False, False, False, False, True])
    assert whole.leading(marked).tolist() == [True, False, False, True, True]
    assert not marked[0], "what is given stays as it is"
    part = whole.part(whole.leading(marked))
    assert (part.names, part.parents.tolist()) == (("root", "b", "bb"), [-1, 0, 1])
    np.testing.assert_array_equal(part.joints, whole.joints[[0, 3, 4]])
    without = whole.part(np.array([True, True, True, False, True]), heirs=np.array([0, 1, 2, 0, 4]))
    assert (without.names, without.parents.tolist()) == (("root", "a", "aa", "bb"), [-1, 0, 1, 0])
