"""Accessors: strides, offsets, normalised integers, sparse ones; counts are checked before memory is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_accessors import read_accessor
from guerdon_rigging.gltf_files import Gltf
from guerdon_rigging.gltf_json import Entry

FILE = Path("made.glb")


def read(made, index=0, kinds=("VEC4", "VEC3", "SCALAR", "MAT4", "MAT3")):
    document = {**made.document, "buffers": [{"byteLength": max(len(made.data), 1)}]}
    return read_accessor(Gltf(FILE, Entry(FILE, "", document), made.data), Entry(FILE, "here", index), kinds)


def test_bytes_are_shares_of_255_worked_example_3(made_gltf):
    """128 76 51 0 read back: .501961 .298039 .2 0; 85 / 255 is a third."""
    made_gltf.add([[128, 76, 51, 0], [85, 85, 85, 0]], "VEC4", "uint8", normalized=True)
    expected = [[0.501961, 0.298039, 0.2, 0], [1 / 3, 1 / 3, 1 / 3, 0]]
    np.testing.assert_allclose(read(made_gltf), expected, atol=5e-7)


def test_shorts_are_shares_of_65535_and_signed_ones_do_not_pass_minus_1(made_gltf):
    made_gltf.add([65535, 13107], "SCALAR", "uint16", normalized=True)
    made_gltf.add([-128, -127, 127], "SCALAR", "int8", normalized=True)
    np.testing.assert_allclose(read(made_gltf), [1, 0.2])
    np.testing.assert_allclose(read(made_gltf, 1), [-1, -1, 1])


def test_integers_without_the_word_stay_integers(made_gltf):
    made_gltf.add([3, 200], "SCALAR", "uint8")
    assert read(made_gltf).tolist() == [3, 200]


def test_offsets_of_view_and_accessor_add_up_and_strides_skip(made_gltf):
    """Rows of five floats: two that are not ours, then three that are."""
    rows = np.arange(20, dtype=np.float32).reshape(4, 5)
    made_gltf.data = b"\xee" * 8
    view = made_gltf.view(rows.tobytes(), byteStride=20)
    made_gltf.document["accessors"].append(
        {"bufferView": view, "byteOffset": 8, "componentType": 5126, "count": 4, "type": "VEC3"}
    )
    np.testing.assert_array_equal(read(made_gltf), rows[:, 2:])


def test_a_matrix_is_stored_by_columns(made_gltf):
    """Worked example 1: 0 1 0 0, -1 0 0 0, 0 0 1 0, 5 6 7 1 has the rows (0,-1,0,5) (1,0,0,6) (0,0,1,7)."""
    made_gltf.add([[0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1]], "MAT4")
    assert read(made_gltf)[0].tolist() == [[0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]]


def test_columns_of_a_matrix_of_bytes_begin_at_multiples_of_four(made_gltf):
    stored = np.array([[1, 2, 3, 99, 4, 5, 6, 99, 7, 8, 9, 99]], np.uint8)
    made_gltf.document["accessors"].append(
        {"bufferView": made_gltf.view(stored.tobytes()), "componentType": 5121, "count": 1, "type": "MAT3"}
    )
    assert read(made_gltf)[0].tolist() == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]


@pytest.mark.parametrize("base", [True, False])
def test_sparse_elements_replace_those_of_the_view_or_zeros(made_gltf, base):
    made_gltf.add([[1, 1, 1]] * 5, "VEC3")
    at = made_gltf.view(np.array([1, 4], np.uint16).tobytes())
    new = made_gltf.view(np.array([[7, 8, 9], [4, 5, 6]], np.float32).tobytes())
    entry = made_gltf.document["accessors"][0]
    entry["sparse"] = {
        "count": 2,
        "indices": {"bufferView": at, "componentType": 5123},
        "values": {"bufferView": new},
    }
    if not base:
        del entry["bufferView"]
    rest = [float(base)] * 3
    assert read(made_gltf).tolist() == [rest, [7, 8, 9], rest, rest, [4, 5, 6]]


def test_sparse_elements_beyond_the_accessor_are_refused(made_gltf):
    made_gltf.add([[1, 1, 1]] * 2, "VEC3")
    at = made_gltf.view(np.array([2], np.uint8).tobytes())
    new = made_gltf.view(np.ones(3, np.float32).tobytes())
    made_gltf.document["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": at, "componentType": 5121},
        "values": {"bufferView": new},
    }
    with pytest.raises(RigFileError, match=r"sparse\.indices: names element 2 of 2"):
        read(made_gltf)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 10**9}, r"accessors\[0\].count.*1000000000"),
        ({"count": 44_739_242}, "reach beyond"),
        ({"count": 3}, "reach beyond"),
        ({"count": 0}, "count"),
        ({"count": -1}, "count"),
        ({"count": True}, "count"),
        ({"byteOffset": 4}, "reach beyond"),
        ({"byteOffset": -4}, "byteOffset"),
        ({"componentType": 5124}, "5124"),
        ({"componentType": [5126]}, "componentType"),
        ({"type": "VEC2"}, "VEC2"),
        ({"type": ["VEC3"]}, "type"),
        ({"bufferView": 9}, "bufferView"),
        ({"bufferView": None}, "bufferView"),
    ],
)
def test_an_accessor_that_lies_is_refused_before_memory_is_asked_for(made_gltf, change, words):
    made_gltf.add([[1, 2, 3]] * 2, "VEC3")
    made_gltf.document["accessors"][0] |= change
    with pytest.raises(RigFileError, match=words):
        read(made_gltf)


@pytest.mark.parametrize(
    "change", [{"byteLength": 10**12}, {"byteOffset": 25}, {"byteStride": 8}, {"byteStride": 1000}]
)
def test_a_view_that_lies_is_refused(made_gltf, change):
    made_gltf.add([[1, 2, 3]] * 2, "VEC3")
    made_gltf.document["bufferViews"][0] |= change
    with pytest.raises(RigFileError, match=r"bufferViews\[0\]"):
        read(made_gltf)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_found(made_gltf, bad):
    made_gltf.add([[1, 2, 3], [1, bad, 3]], "VEC3")
    with pytest.raises(RigFileError, match=r"accessors\[0\]: element 1 is"):
        read(made_gltf)


def test_an_accessor_that_is_not_there_is_refused(made_gltf):
    with pytest.raises(RigFileError, match="here: is 0"):
        read(made_gltf)
