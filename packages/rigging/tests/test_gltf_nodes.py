"""Where nodes stand: matrices by columns, T R S, trees that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_files import Gltf
from guerdon_rigging.gltf_json import Entry
from guerdon_rigging.gltf_nodes import local_matrix, read_nodes

FILE = Path("made.glb")


def nodes(*entries, **more):
    return read_nodes(Gltf(FILE, Entry(FILE, "", {"nodes": list(entries), **more}), None))


def test_translation_rotation_scale_worked_example_1():
    """Rows (0,-2,0,1) (2,0,0,2) (0,0,2,3); the point (1,0,0) goes to (1,4,3)."""
    value = {"translation": [1, 2, 3], "rotation": [0, 0, 0.5**0.5, 0.5**0.5], "scale": [2, 2, 2]}
    matrix = local_matrix(Entry(FILE, "nodes[0]", value))
    np.testing.assert_allclose(matrix[:3], [[0, -2, 0, 1], [2, 0, 0, 2], [0, 0, 2, 3]], atol=1e-12)
    np.testing.assert_allclose(matrix @ [1, 0, 0, 1], [1, 4, 3, 1], atol=1e-12)


def test_sixteen_numbers_are_columns_worked_example_1():
    value = {"matrix": [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]}
    matrix = local_matrix(Entry(FILE, "nodes[0]", value))
    assert matrix[:3].tolist() == [[0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7]]


def test_a_rounded_quaternion_turns_and_does_not_scale():
    matrix = local_matrix(Entry(FILE, "nodes[0]", {"rotation": [0, 0, 0.7071, 0.7071]}))
    np.testing.assert_allclose(matrix[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)


def test_a_child_stands_where_its_ancestors_put_it():
    """The parent scales by 100 and stands at (1, 0, 0); the child is one unit above: (1, 100, 0)."""
    found = nodes({"translation": [0, 1, 0]}, {"scale": [100, 100, 100], "translation": [1, 0, 0], "children": [0]})
    assert found.matrices[0, :3, 3].tolist() == [1, 100, 0]
    assert found.parents.tolist() == [1, -1]
    assert found.order == (1, 0)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"children": [0]}], "its own ancestor"),
        ([{}, {"children": [2]}, {"children": [1]}], r"nodes\[1\]: is its own ancestor"),
        ([{"children": [2]}, {"children": [2]}, {}], r"nodes\[1\]: has the child 2, which nodes\[0\] has too"),
        ([{"children": [1, 1]}, {}], "which nodes"),
        ([{"children": [5]}], r"nodes\[0\].children\[0\]"),
        ([{"matrix": [1, 2]}], "16 numbers"),
        ([{"scale": [1, "2", 3]}], "3 numbers"),
        ([{"translation": [1, 10**400, 3]}], "finite"),
        ([{"rotation": [0, 0, 0, 0]}], "quaternion"),
        ([{"scale": [1e200] * 3, "children": [1]}, {"scale": [1e200] * 3}], "finite"),
    ],
)
def test_what_is_no_tree_or_no_place_is_refused(entries, words):
    with pytest.raises(RigFileError, match=words):
        nodes(*entries)


def test_the_scene_decides_what_is_shown():
    entries = [{"children": [1]}, {}, {}]
    assert nodes(*entries).shown == (0, 1, 2)
    assert nodes(*entries, scenes=[{"nodes": [0]}]).shown == (0, 1)
    assert nodes(*entries, scenes=[{"nodes": [0]}, {"nodes": [2]}], scene=1).shown == (2,)


def test_a_very_deep_tree_is_no_recursion():
    chain = [{"children": [at + 1], "translation": [0, 1, 0]} for at in range(5000)] + [{}]
    assert nodes(*chain).matrices[-1, 1, 3] == 5000
