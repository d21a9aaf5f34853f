"""Whatever the bytes, reading gives a rig or a `RigFileError`: nothing else is raised, and nothing runs away."""

from __future__ import annotations

import json
import struct
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guerdon_rigging.canonical import canonical
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.filed_meshes import filed_mesh
from guerdon_rigging.gltf_skins import read_stored
from guerdon_rigging.gltf_writing import glb
from guerdon_rigging.mesh_files import read_mesh
from guerdon_rigging.rigs import Mesh, Rig, Skeleton
from guerdon_rigging.text_rigs import rig_of_text

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ONE = Skeleton(np.zeros((1, 3)), np.array([-1]))
MESH = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
WORDS = ["joints", "hier", "root", "skin", "a", "b", "0", "1", "-1", "nan", "1e999", "\n"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 2, 3, 255, 2**31, 2**63, 10**400, 1e300, 0.5, "", "VEC3", "MAT4", "\ud800"])
    | st.integers(-3, 8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["mesh", "skin", "uri"]), inner),
    max_leaves=6,
)


def refusal(read):
    """What the refusal says, None where there was none; anything else that is raised fails the test."""
    try:
        read()
    except RigFileError as error:
        return str(error)
    return None


def rigged(path):
    """What `guerdon rig` makes of a file whose every vertex follows one joint, looks and all."""
    held = filed_mesh(path)
    rig, look = held.restored(Rig(held.mesh, ONE, np.ones((len(held.mesh.vertices), 1))))
    glb(rig, look=look, file=path)


def outcome(path, data):
    """A rig with a mesh, or an error that names the file."""
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (lambda: canonical(read_stored(path)), lambda: read_mesh(path), lambda: rigged(path)):
            assert path.name in (refusal(read) or path.name)


@quick
@given(st.binary(max_size=200))
def test_random_bytes(tmp_path, data):
    outcome(tmp_path / "a.glb", data)
    outcome(tmp_path / "a.glb", struct.pack("<4sII", b"glTF", 2, 12 + len(data)) + data)


@quick
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 40))
def test_a_rig_with_bytes_changed_and_its_end_cut(tmp_path, made_square, changes, cut):
    data = bytearray(made_square().glb())
    for at, value in changes:
        data[at % len(data)] = value
    outcome(tmp_path / "a.glb", bytes(data[: len(data) - cut]))


def places(value, path=()):
    """Every place of a document."""
    found = [path]
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        found += places(inner, (*path, key))
    return found


@quick
@given(st.data())
def test_a_document_with_values_changed(tmp_path, made_square, data):
    made = made_square(
        NORMAL=lambda made: made.add([[0, 0, 1]] * 4, "VEC3"), TEXCOORD_0=lambda made: made.add([[0, 1]] * 4, "VEC2")
    )
    made.document |= {
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "extensions": {"KHR_x": {}}}],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"wrapS": 33071}],
        "images": [{"uri": "a.png"}, {"bufferView": 0, "mimeType": "image/png"}],
    }
    made.document["meshes"][0]["primitives"][0]["material"] = 0
    made.document = json.loads(json.dumps(made.document))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(places(made.document)[1:]))
        inner = made.document
        for key in path:
            inner = inner[key]
        inner[last] = data.draw(VALUES)
    outcome(tmp_path / "a.glb", made.glb())


@pytest.mark.parametrize("image", [None, 1, "a.png", []])
def test_a_picture_that_is_no_object_is_refused_by_its_place(tmp_path, made_square, image):
    """Found by the test above."""
    made = made_square()
    made.document |= {"images": [image]}
    path = tmp_path / "a.glb"
    path.write_bytes(made.glb())
    with pytest.raises(RigFileError, match=r"images\[0\].*an object is needed"):
        filed_mesh(path)


@quick
@given(st.data())
def test_a_real_number_of_any_size_in_the_buffer(tmp_path, made_square, data):
    """Positions, weights and matrices of any finite size: no overflow becomes a rig that is not finite."""
    made = made_square()
    numbers = np.frombuffer(made.data[:200], np.float32).copy()
    for _ in range(data.draw(st.integers(1, 4))):
        numbers[data.draw(st.integers(0, 49))] = data.draw(st.floats(width=32))
    made.data = numbers.tobytes() + made.data[200:]
    made.document["nodes"][1]["scale"] = [data.draw(st.floats(allow_nan=False, allow_infinity=False)), 1, 1]
    outcome(tmp_path / "a.glb", made.glb())


@quick
@given(st.text(max_size=80) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_a_rig_or_names_what_is_wrong(text):
    assert "a text rig" in (refusal(lambda: rig_of_text(text, MESH)) or "a text rig")


@pytest.mark.parametrize("ending", ["obj", "ply", "stl"])
@quick
@given(data=st.binary(max_size=120))
def test_random_bytes_of_other_formats(tmp_path, ending, data):
    heads = {"obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "ply": b"ply\nformat ascii 1.0\n", "stl": b"solid a\n"}
    path = tmp_path / f"a.{ending}"
    for head in (b"", heads[ending]):
        path.write_bytes(head + data)
        assert path.name in (refusal(lambda: read_mesh(path)) or path.name)


OBJ_WORDS = [
    "v",
    "vt",
    "vn",
    "f",
    "usemtl",
    "mtllib",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "1/1",
    "1//1",
    "2/1/1",
    "nan",
    "1e99",
    "\n",
]
MTL_WORDS = ["newmtl", "Kd", "d", "Ns", "map_Kd", "norm", "a", "b.mtl", "-o", "-s", "1", "nan", "image", "\n"]


@quick
@given(st.lists(st.sampled_from(OBJ_WORDS), max_size=40), st.lists(st.sampled_from(MTL_WORDS), max_size=24))
def test_words_of_an_obj_and_its_materials(tmp_path, words, said):
    (tmp_path / "b.mtl").write_text(" ".join(said))
    head = "mtllib b.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvn 0 0 1\nf 1/1/1 2 3\n"
    path = tmp_path / "a.obj"
    path.write_text(head + " ".join(words))
    for read in (lambda: read_mesh(path), lambda: rigged(path)):
        assert path.name in (refusal(read) or path.name)
