"""The container: headers, chunks, buffers beside the file, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import struct

import pytest

from guerdon.errors import GuerdonError
from guerdon_rigging import file_errors, gltf_files
from guerdon_rigging.canonical import read_rig
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_files import open_gltf
from guerdon_rigging.gltf_json import Entry
from guerdon_rigging.rigs import RigError


def written(tmp_path, data, name="a.glb"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def refused(path, *words):
    with pytest.raises(RigFileError) as caught:
        read_rig(path)
    message = str(caught.value)
    assert path.name in message
    assert all(word in message for word in words), message
    return caught.value


def test_an_error_is_one_of_guerdons_and_survives_a_process(tmp_path):
    error = refused(tmp_path / "none.glb", "no such file")
    assert isinstance(error, RigError | GuerdonError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.where, again.found) == (str(error), error.where, error.found)


def test_a_folder_and_a_name_that_cannot_be_are_no_files(tmp_path):
    refused(tmp_path, "no such file")
    with pytest.raises(RigFileError):
        read_rig("a\0b.glb")


def test_a_file_of_another_kind_is_told_by_its_first_bytes(tmp_path):
    refused(written(tmp_path, b""), "begins with b''")
    refused(written(tmp_path, b"ply\nformat"), "begins with b'ply")


def test_an_ending_does_not_decide_which_of_the_two_it_is(tmp_path, made_square):
    assert read_rig(written(tmp_path, made_square().gltf(), "text.glb")).weights.shape == (4, 2)
    assert read_rig(written(tmp_path, made_square().glb(), "binary.gltf")).weights.shape == (4, 2)


def test_a_byte_order_mark_is_no_harm(tmp_path, made_square):
    assert len(read_rig(written(tmp_path, b"\xef\xbb\xbf" + made_square().gltf(), "a.gltf")).mesh.faces) == 2


@pytest.mark.parametrize("length", [4, 11, 12, 15, 19, 24, 200])
def test_a_file_that_is_cut_off_says_so(tmp_path, made_square, length):
    refused(written(tmp_path, made_square().glb()[:length]), "cut off")


def test_a_chunk_that_reaches_beyond_the_file_is_cut_off(tmp_path, made_square):
    data = bytearray(made_square().glb())
    data[12:16] = struct.pack("<I", 0xFFFFFFF0)
    refused(written(tmp_path, bytes(data)), "chunk 0 at byte 12", "cut off")


def test_glb_version_1_and_gltf_1_are_refused_by_number(tmp_path, made_square):
    data = bytearray(made_square().glb())
    data[4] = 1
    refused(written(tmp_path, bytes(data)), "version 1")
    made = made_square()
    made.document["asset"]["version"] = "1.0"
    refused(made.save(tmp_path / "old.gltf"), "asset.version", "'1.0'")


def test_the_first_chunk_is_the_document(tmp_path, made_square):
    data = bytearray(made_square().glb())
    data[16:20] = b"BIN\0"
    refused(written(tmp_path, bytes(data)), "the first chunk is b'JSON'")


def test_chunks_of_other_kinds_are_passed_over(tmp_path, made_square):
    data = made_square().glb() + struct.pack("<I4s", 4, b"ODD ") + b"1234"
    data = data[:8] + struct.pack("<I", len(data)) + data[12:]
    assert read_rig(written(tmp_path, data)).weights.shape == (4, 2)


@pytest.mark.parametrize("text", [b"{", b'{"a": NaN}', b"{\xff}", b'{"a":' + b"[" * 100_000])
def test_text_that_is_no_json_is_named(tmp_path, text):
    refused(written(tmp_path, text, "a.gltf"), "JSON", "does not parse")


def test_an_entry_of_the_wrong_kind_is_named_with_its_place(tmp_path, made_square):
    made = made_square()
    made.document["nodes"][1]["children"] = "head"
    refused(made.save(tmp_path / "a.glb"), "nodes[1].children", "'head'")


def test_a_buffer_beside_the_file_is_read(tmp_path, made_square):
    made = made_square()
    (tmp_path / "some data.bin").write_bytes(made.data)
    (tmp_path / "a.gltf").write_bytes(made.gltf("some%20data.bin"))
    assert read_rig(tmp_path / "a.gltf").weights.shape == (4, 2)


@pytest.mark.parametrize(
    "uri", ["../secret.bin", "sub/../../secret.bin", "%2e%2e/secret.bin", "{absolute}", "link.bin"]
)
def test_nothing_outside_of_the_folder_is_opened(tmp_path, made_square, uri):
    made = made_square()
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(made.data)
    os.symlink(tmp_path / "secret.bin", inside / "link.bin")
    (inside / "a.gltf").write_bytes(made.gltf(uri.format(absolute=tmp_path / "secret.bin")))
    refused(inside / "a.gltf", "buffers[0].uri", "outside")


@pytest.mark.parametrize("uri", ["https://example.org/a.bin", "file:///etc/passwd", "a\\b.bin", "a\0b"])
def test_nothing_is_fetched(tmp_path, made_square, uri):
    (tmp_path / "a.gltf").write_bytes(made_square().gltf(uri))
    refused(tmp_path / "a.gltf", "buffers[0].uri", "nothing is fetched")


@pytest.mark.parametrize("uri", ["data:;base64", "data:;base64,!!!!", "data:;base64,AAA"])
def test_a_data_uri_that_does_not_decode_is_named(tmp_path, made_square, uri):
    (tmp_path / "a.gltf").write_bytes(made_square().gltf(uri))
    refused(tmp_path / "a.gltf", "buffers[0].uri", "data URI")


def test_a_missing_buffer_names_the_document_and_the_buffer(tmp_path, made_square):
    (tmp_path / "a.gltf").write_bytes(made_square().gltf("gone.bin"))
    refused(tmp_path / "a.gltf", "buffers[0].uri", "'gone.bin'", "no such file")


def test_a_buffer_shorter_than_it_says_is_cut_off(tmp_path, made_square):
    made = made_square()
    document = json.loads(made.gltf())
    document["buffers"][0]["byteLength"] += 1000
    refused(written(tmp_path, json.dumps(document).encode(), "a.gltf"), "buffers[0]", "cut off")


@pytest.mark.parametrize("name", ["EXT_meshopt_compression", "KHR_meshopt_compression", "EXT_mesh_gpu_instancing"])
def test_an_extension_that_moves_the_mesh_is_refused_by_name(tmp_path, made_square, name):
    made = made_square()
    made.document["extensionsRequired"] = ["KHR_materials_unlit", name]
    refused(made.save(tmp_path / "a.glb"), "extensionsRequired[1]", name)


def test_a_view_compressed_without_being_required_is_refused_by_name(tmp_path, made_square):
    made = made_square()
    made.document["bufferViews"][1]["extensions"] = {"EXT_meshopt_compression": {}}
    refused(made.save(tmp_path / "a.glb"), "bufferViews[1]", "EXT_meshopt_compression")


def test_a_file_too_large_is_not_read(tmp_path, made_square, monkeypatch):
    path = made_square().save(tmp_path / "a.glb")
    monkeypatch.setattr(gltf_files, "MOST_BYTES", 1000)
    monkeypatch.setattr(file_errors.Path, "read_bytes", lambda self: pytest.fail("it was read"))
    refused(path, "at most 1,000 are read")


def test_a_buffer_is_read_once(tmp_path, made_square):
    gltf = open_gltf(made_square().save(tmp_path / "a.gltf"))
    first = Entry(gltf.file, "here", 0)
    assert gltf.buffer(first) is gltf.buffer(first)
