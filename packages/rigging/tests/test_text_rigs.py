"""RigNet's text rigs, there and back; and the line that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.rigs import Mesh, Rig, Skeleton
from guerdon_rigging.text_rigs import rig_of_text, rig_text, skeleton_of_text

MESH = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
TEXT = """\
joints hip 0.0 0.1 0.0
joints spine 0.0 0.5 0.0
root hip
skin 0 hip 0.75 spine 0.25
skin 2 spine 1.0
hier hip spine
"""


def test_a_text_is_read_line_by_line():
    rig = rig_of_text(TEXT, MESH, "two")
    assert rig.skeleton.names == ("hip", "spine")
    assert rig.skeleton.joints.tolist() == [[0, 0.1, 0], [0, 0.5, 0]]
    assert rig.skeleton.parents.tolist() == [-1, 0]
    assert rig.weights.tolist() == [[0.75, 0.25], [0, 0], [0, 1]]
    assert rig.name == "two"


def test_a_text_that_was_read_is_written_the_same():
    assert rig_text(rig_of_text(TEXT, MESH)) == TEXT


def test_every_digit_comes_back():
    rng = np.random.default_rng(0)
    rig = Rig(MESH, Skeleton(rng.normal(size=(4, 3)), np.array([-1, 0, 1, 0])), rng.dirichlet(np.ones(4), 3))
    again = rig_of_text(rig_text(rig), MESH)
    assert again.weights.tolist() == rig.weights.tolist()
    assert again.skeleton.joints.tolist() == rig.skeleton.joints.tolist()


def test_names_are_made_such_that_the_format_can_hold_them():
    skeleton = Skeleton(np.zeros((4, 3)), np.array([-1, 0, 1, 2]), ("left arm", "left arm", "", "left_arm_2"))
    names = skeleton_of_text(rig_text(Rig(MESH, skeleton, np.zeros((3, 4))))).names
    assert names == ("left_arm", "left_arm_2", "joint2", "left_arm_2_2")


def test_joints_that_are_named_before_their_parents_follow_them():
    text = "joints tip 0 2 0\njoints hip 0 0 0\njoints mid 0 1 0\nroot hip\nhier mid tip\nhier hip mid\nskin 1 tip 1\n"
    rig = rig_of_text(text, MESH)
    assert rig.skeleton.names == ("hip", "mid", "tip")
    assert rig.weights[1].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bones a 0 0 0", "line 7: begins with 'bones'; joints, root, hier, skin are accepted"),
        ("joints a 0 0", "line 7: 3 words"),
        ("joints hip 0 0 0", "line 7: a second joint named 'hip'"),
        ("joints a 0 nan 0", "line 7: the number nan"),
        ("joints a 0 x 0", "line 7: 'x' for a number"),
        ("root spine", "line 7: a second root"),
        ("root", "line 7: 0 words"),
        ("hier hip", "line 7: 1 words"),
        ("hier hip spine", "line 7: a second parent of 'spine'"),
        ("hier spine hip", "line 7: a parent of the root"),
        ("hier hip ghost", "line 7: the joint 'ghost'"),
        ("joints lone 0 0 0", "the joint 'lone' does not hang on the root"),
        ("skin 1", "line 7: 1 words"),
        ("skin 1 hip", "line 7: 2 words"),
        ("skin 1 hip 1 spine", "line 7: 4 words"),
        ("skin -1 hip 1", "line 7: the vertex '-1'"),
        ("skin ² hip 1", "line 7: the vertex"),
        ("skin 0 hip 1", "line 7: a second line of vertex 0"),
        ("skin 3 hip 1", "line 7: vertex 3; the mesh has 3"),
        ("skin 1 ghost 1", "line 7: the joint 'ghost'"),
        ("skin 1 hip -1", "line 7: the weight -1"),
        ("skin 1 hip inf", "line 7: the number inf"),
        ("skin 1 hip 1 hip 0", "line 7: the joint 'hip' twice"),
    ],
)
def test_a_wrong_line_is_named(line, words):
    with pytest.raises(RigFileError) as caught:
        rig_of_text(TEXT + line + "\n", MESH, file="a.txt")
    assert "'a.txt'" in str(caught.value)
    assert words in str(caught.value)


def test_a_ring_of_joints_hangs_on_nothing():
    with pytest.raises(RigFileError, match="'a' does not hang on the root"):
        skeleton_of_text("joints r 0 0 0\njoints a 0 0 0\njoints b 0 0 0\nroot r\nhier a b\nhier b a\n")


@pytest.mark.parametrize("text", ["", "joints a 0 0 0\n", "joints a 0 0 0\nroot b\n"])
def test_a_text_without_a_root_is_none(text):
    with pytest.raises(RigFileError, match="root NAME is needed"):
        skeleton_of_text(text)
