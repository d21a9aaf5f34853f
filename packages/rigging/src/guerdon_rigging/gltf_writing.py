"""Rigs written as .glb: one mesh, one skin, rest axes along the world's, the same bytes for the same rig."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from guerdon_rigging.canonical import Frame
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.rigs import ROOT, Floats, Ints, Rig
from guerdon_rigging.sampling import vertex_normals

LEAST = 1e-5
"""Weights below are not written."""
MOST_JOINTS = 1 << 16
"""What an unsigned short can name."""
_ROWS = 1 << 16
"""Rows of weights that are sorted at once."""
_TYPES = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}
_ARRAY, _INDICES = 34962, 34963


def write_rig(
    rig: Rig,
    path: Path | str,
    *,
    influences: Literal["four", "all"] = "four",
    frame: Frame | None = None,
    normals: bool = False,
    colours: Floats | None = None,
) -> None:
    """Write a rig where viewers and `read_rig` can read it.

    Args:
        rig: what to write.
        path: a .glb; its folder is there already.
        influences: a vertex's four largest weights, as every viewer reads them, or all of them in further sets
            (JOINTS_1, ...), which few viewers heed. Weights below 1e-5 are left out; rows are normalised again.
        frame: the frame the rig is in: it is undone, and the file is in the original's units.
        normals: write vertex normals, the triangles' weighted by area. Without, viewers draw facets.
        colours: (N, 3) in [0, 1]: of vertices, to look at weights.

    A vertex that follows no joint follows the root in the file, since viewers would else draw it at the origin.

    Raises:
        RigFileError: the rig has no triangles or too many joints, or the file cannot be written.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".glb":
        raise RigFileError(path, "", f"the name ends in {path.suffix!r}", "'.glb' is written")
    data = glb(rig, influences=influences, frame=frame, normals=normals, colours=colours, file=path)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise RigFileError(path, "", f"cannot be written: {error}") from error


def glb(
    rig: Rig,
    *,
    influences: Literal["four", "all"] = "four",
    frame: Frame | None = None,
    normals: bool = False,
    colours: Floats | None = None,
    file: Path | str = "a rig to be written",
) -> bytes:
    """The bytes that `write_rig` writes.

    Raises:
        RigFileError: the rig has no triangles, or more than 65,536 joints.
    """
    mesh, skeleton = rig.mesh, rig.skeleton
    vertices = mesh.vertices if frame is None else frame.back(mesh.vertices)
    joints = skeleton.joints if frame is None else frame.back(skeleton.joints)
    if not len(mesh.faces):
        raise RigFileError(file, "", "the rig's mesh has no triangles", "a file needs one at least")
    if len(skeleton) > MOST_JOINTS:
        raise RigFileError(file, "", f"the rig has {len(skeleton):,} joints", f"at most {MOST_JOINTS:,} are written")
    chunk = _Chunk()
    positions = vertices.astype(np.float32)
    attributes = {"POSITION": chunk.add(positions, "VEC3", _ARRAY, limits=True)}
    if normals:
        facing = vertex_normals(mesh)
        facing[~facing.any(axis=1)] = (0.0, 0.0, 1.0)  # glTF asks for length 1 everywhere
        attributes["NORMAL"] = chunk.add(facing.astype(np.float32), "VEC3", _ARRAY)
    if colours is not None:
        if colours.shape != (len(vertices), 3):
            raise RigFileError(file, "", f"colours of the shape {colours.shape}", f"({len(vertices)}, 3) is needed")
        shades = np.rint(255 * np.clip(np.nan_to_num(colours), 0, 1)).astype(np.uint8)
        opaque = np.concatenate([shades, np.full((len(shades), 1), 255, np.uint8)], axis=1)
        attributes["COLOR_0"] = chunk.add(opaque, "VEC4", _ARRAY, normalised=True)
    slots, weights = influence_sets(rig.weights, 4 if influences == "four" else len(skeleton))
    small = np.uint8 if len(skeleton) <= 256 else np.uint16
    for at in range(0, slots.shape[1], 4):
        attributes[f"JOINTS_{at // 4}"] = chunk.add(slots[:, at : at + 4].astype(small), "VEC4", _ARRAY)
        attributes[f"WEIGHTS_{at // 4}"] = chunk.add(weights[:, at : at + 4].astype(np.float32), "VEC4", _ARRAY)
    index = np.uint16 if len(vertices) < 1 << 16 else np.uint32
    corners = chunk.add(mesh.faces.reshape(-1).astype(index), "SCALAR", _INDICES)
    binds = np.tile(np.eye(4, dtype=np.float32), (len(skeleton), 1, 1))
    binds[:, 3, :3] = -joints  # stored by columns: the last column is the last row here
    name = rig.name or "rig"
    surface = {"attributes": attributes, "indices": corners, "material": 0}
    skin = {"joints": list(range(len(skeleton))), "inverseBindMatrices": chunk.add(binds.reshape(-1, 16), "MAT4")}
    document = {
        "asset": {"version": "2.0", "generator": "guerdon-rigging"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(skeleton)]}],
        "nodes": [*_joint_nodes(rig, joints), {"name": name, "mesh": 0, "skin": 0}],
        "meshes": [{"name": name, "primitives": [surface]}],
        "skins": [skin | {"skeleton": 0}],
        "materials": [{"doubleSided": True, "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8}}],
        "accessors": chunk.accessors,
        "bufferViews": chunk.views,
        "buffers": [{"byteLength": len(chunk.data)}],
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(chunk.data), b"BIN\0") + chunk.data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def influence_sets(weights: Floats, most: int) -> tuple[Ints, Floats]:
    """Each row's largest weights, as glTF's attributes have them.

    Args:
        weights: (N, J), >= 0.
        most: influences kept of a vertex.

    Returns:
        Joints and weights, both (N, S): S the least multiple of four that holds every row's. Largest first, the lower
        joint first among equals; rows sum to 1; an empty slot is joint 0 with weight 0, and a row of zeros is joint 0
        with weight 1.
    """
    counts = (weights >= LEAST).sum(axis=1)
    size = -(-max(1, min(most, int(counts.max(initial=0)))) // 4) * 4
    slots = np.zeros((len(weights), size), np.int64)
    kept = np.zeros((len(weights), size))
    width = min(most, size, weights.shape[1])
    for at in range(0, len(weights), _ROWS):
        rows = weights[at : at + _ROWS]
        order = np.argsort(-rows, axis=1, kind="stable")[:, :width]
        slots[at : at + _ROWS, :width] = order
        kept[at : at + _ROWS, :width] = np.take_along_axis(rows, order, axis=1)
    kept[kept < LEAST] = 0
    empty = ~kept.any(axis=1)
    slots[kept == 0] = 0
    kept[empty, 0] = 1
    return slots, kept / kept.sum(axis=1, keepdims=True)


def _joint_nodes(rig: Rig, joints: Floats) -> list[dict[str, Any]]:
    """A node for each joint, moved from its parent and not turned."""
    parents = rig.skeleton.parents
    moved = joints - np.where(parents[:, None] == ROOT, 0.0, joints[np.maximum(parents, 0)])
    nodes: list[dict[str, Any]] = []
    for at, children in enumerate(rig.skeleton.children):
        node: dict[str, Any] = {"name": rig.skeleton.names[at] if rig.skeleton.names else f"joint {at}"}
        node["translation"] = moved[at].tolist()
        if children:
            node["children"] = list(children)
        nodes.append(node)
    return nodes


class _Chunk:
    """The binary chunk as it grows, and what the document says of it."""

    def __init__(self) -> None:
        self.data = b""
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(
        self,
        values: npt.NDArray[Any],
        kind: str,
        target: int | None = None,
        *,
        limits: bool = False,
        normalised: bool = False,
    ) -> int:
        """Append an array at a multiple of four bytes; the index of its accessor."""
        raw = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)}
        if target is not None:
            view["target"] = target
        entry: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": _TYPES[values.dtype.str[1:]],
            "count": len(values),
            "type": kind,
        }
        if normalised:
            entry["normalized"] = True
        if limits:
            entry |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.views.append(view)
        self.accessors.append(entry)
        self.data += raw + b"\0" * (-len(raw) % 4)
        return len(self.accessors) - 1
