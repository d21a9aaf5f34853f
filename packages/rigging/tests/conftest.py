"""What several test files share: glTF files made by hand, and the folder of real ones, where there is one."""

from __future__ import annotations

import base64
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

COMPONENTS = {"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123, "uint32": 5125, "float32": 5126}


class MadeGltf:
    """A document that a test fills as it likes, and its one buffer."""

    def __init__(self):
        self.document = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": []}
        self.data = b""

    def view(self, raw, **more):
        self.data += b"\0" * (-len(self.data) % 4)
        self.document["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw), **more})
        self.data += raw
        return len(self.document["bufferViews"]) - 1

    def add(self, values, kind, dtype="float32", **more):
        """The index of a new accessor."""
        array = np.asarray(values, dtype)
        entry = {"bufferView": self.view(array.tobytes()), "componentType": COMPONENTS[dtype], "count": len(array)}
        self.document["accessors"].append({**entry, "type": kind, **more})
        return len(self.document["accessors"]) - 1

    def glb(self):
        document = {**self.document, "buffers": [{"byteLength": max(len(self.data), 1)}]}
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        data = (self.data or b"\0") + b"\0" * (-len(self.data or b"\0") % 4)
        body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
        return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body

    def gltf(self, uri=None):
        uri = uri or "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        return json.dumps({**self.document, "buffers": [{"byteLength": len(self.data), "uri": uri}]}).encode()

    def save(self, path):
        path.write_bytes(self.glb() if path.suffix == ".glb" else self.gltf())
        return path


def square(**attributes):
    """A square with its corners (0,0,0), (1,0,0), (1,1,0), (0,1,0); two joints, at the origin and above it, at y = 1.

    The lower edge follows the first, the upper one the second.
    """
    made = MadeGltf()
    points = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    binds = np.stack([np.eye(4), np.eye(4)])
    binds[1, 1, 3] = -1
    made.document |= {
        "scene": 0,
        "scenes": [{"nodes": [0, 2]}],
        "nodes": [
            {"name": "hip", "children": [1]},
            {"name": "head", "translation": [0, 1, 0]},
            {"name": "body", "mesh": 0, "skin": 0},
        ],
        "skins": [{"joints": [0, 1], "inverseBindMatrices": made.add(binds.transpose(0, 2, 1), "MAT4")}],
    }
    found = {
        "POSITION": made.add(points, "VEC3"),
        "JOINTS_0": made.add([[0, 0, 0, 0]] * 2 + [[1, 0, 0, 0]] * 2, "VEC4", "uint8"),
        "WEIGHTS_0": made.add([[1, 0, 0, 0]] * 4, "VEC4"),
    }
    found |= {name: make(made) for name, make in attributes.items()}
    indices = made.add([0, 1, 2, 0, 2, 3], "SCALAR", "uint16")
    made.document["meshes"] = [{"name": "cloth", "primitives": [{"attributes": found, "indices": indices}]}]
    return made


@pytest.fixture
def made_gltf():
    """An empty document."""
    return MadeGltf()


@pytest.fixture
def made_square():
    """A function that makes a skinned square; a keyword replaces an attribute by what its function adds."""
    return square


@pytest.fixture(scope="session")
def rigged_dir() -> Path:
    """The folder `rigged` of the data folder that GUERDON_DATA names."""
    root = os.environ.get("GUERDON_DATA")
    if not root:
        pytest.skip("GUERDON_DATA does not name the folder of real data")
    folder = Path(root) / "rigged"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}, which GUERDON_DATA names")
    return folder
