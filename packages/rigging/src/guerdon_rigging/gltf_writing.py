"""Rigs written as .glb: one skin, rest axes along the world's, the same bytes for the same rig."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.frames import Frame
from guerdon_rigging.looks import GREY, Look, Materials, Piece
from guerdon_rigging.rigs import ROOT, Floats, Ints, Rig
from guerdon_rigging.sampling import vertex_normals

LEAST = 1e-5
"""Weights below are not written."""
MOST_JOINTS = 1 << 16
"""What an unsigned short can name."""
FAR = 100.0
"""A mesh whose middle is further away than this many times its size is written about its own middle."""
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
    look: Look | None = None,
) -> None:
    """Write a rig where viewers and `read_rig` can read it.

    Args:
        rig: what to write.
        path: a .glb; its folder is there already.
        influences: a vertex's four largest weights, as every viewer reads them, or all of them in further sets
            (JOINTS_1, ...), which few viewers heed. Weights below 1e-5 are left out; rows are normalised again.
        frame: the frame the rig is in: it is undone, and the file is in the original's units.
        normals: write vertex normals, the triangles' weighted by area, where `look` has none and does not want facets.
            Without, viewers draw facets.
        colours: (N, 3) in [0, 1]: of vertices, to look at weights; in place of those of `look`.
        look: materials, textures, and what vertices say of them; else all is of one grey material.

    A vertex that follows no joint follows the root in the file, since viewers would else draw it at the origin.

    Raises:
        RigFileError: the rig has no triangles or too many joints, or the file cannot be written.
        ValueError: `look` is of another mesh.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".glb":
        raise RigFileError(path, "", f"the name ends in {path.suffix!r}", "'.glb' is written")
    data = glb(rig, influences=influences, frame=frame, normals=normals, colours=colours, look=look, file=path)
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
    look: Look | None = None,
    file: Path | str = "a rig to be written",
) -> bytes:
    """The bytes that `write_rig` writes.

    Raises:
        RigFileError: the rig has no triangles, or more than 65,536 joints.
        ValueError: `look` is of another mesh.
    """
    mesh, skeleton = rig.mesh, rig.skeleton
    vertices = mesh.vertices if frame is None else frame.back(mesh.vertices)
    joints = skeleton.joints if frame is None else frame.back(skeleton.joints)
    if not len(mesh.faces):
        raise RigFileError(file, "", "the rig's mesh has no triangles", "a file needs one at least")
    if len(skeleton) > MOST_JOINTS:
        raise RigFileError(file, "", f"the rig has {len(skeleton):,} joints", f"at most {MOST_JOINTS:,} are written")
    name = rig.name or "rig"
    away = _offset(vertices)
    if not np.isfinite((vertices - away).astype(np.float32)).all():
        raise RigFileError(file, "", f"the mesh reaches to {np.abs(vertices).max():.3g}", "glTF holds single precision")
    look = look or Look((Piece(len(vertices), len(mesh.faces), name),))
    columns = _columns(rig, vertices - away, influences)
    if normals and not look.facets:
        facing = vertex_normals(mesh)
        facing[~facing.any(axis=1)] = (0.0, 0.0, 1.0)  # glTF asks for length 1 everywhere
        columns["NORMAL"] = facing.astype(np.float32)
    over: dict[str, npt.NDArray[Any]] = {}
    if colours is not None:
        if colours.shape != (len(vertices), 3):
            raise RigFileError(file, "", f"colours of the shape {colours.shape}", f"({len(vertices)}, 3) is needed")
        shades = np.rint(255 * np.clip(np.nan_to_num(colours), 0, 1)).astype(np.uint8)
        over["COLOR_0"] = np.concatenate([shades, np.full((len(shades), 1), 255, np.uint8)], axis=1)
    chunk = _Chunk()
    meshes = _meshes(chunk, look, mesh.faces, columns, over)
    binds = np.tile(np.eye(4, dtype=np.float32), (len(skeleton), 1, 1))
    binds[:, 3, :3] = away - joints  # stored by columns: the last column is the last row here
    skin = {"joints": list(range(len(skeleton))), "inverseBindMatrices": chunk.add(binds.reshape(-1, 16), "MAT4")}
    whose = {"copyright": look.materials.copyright} if look.materials.copyright else {}
    shown = [{"name": one["name"] or name, "mesh": at, "skin": 0} for at, one in enumerate(meshes)]
    document = {
        "asset": {"version": "2.0", "generator": "guerdon-rigging"} | whose,
        "scene": 0,
        "scenes": [{"nodes": [0, *range(len(skeleton), len(skeleton) + len(shown))]}],
        "nodes": [*_joint_nodes(rig, joints), *shown],
        "meshes": meshes,
        "skins": [skin | {"skeleton": 0}],
        **_materials(chunk, look.materials),
        "accessors": chunk.accessors,
        "bufferViews": chunk.views,
        "buffers": [{"byteLength": len(chunk.data)}],
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    body = b"".join(
        [struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(chunk.data), b"BIN\0"), chunk.data]
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def _offset(vertices: Floats) -> Floats:
    """(3,): what positions are written relative to: the middle of a mesh that is far from the origin for its size.

    Single precision would else bring its corners together. The joints' inverse bind matrices put it back.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = low / 2 + high / 2
    far: bool = np.abs(middle).max() > FAR * float((high - low).max())
    return middle if far else np.zeros(3)


def _columns(rig: Rig, vertices: Floats, influences: Literal["four", "all"]) -> dict[str, npt.NDArray[Any]]:
    """Where vertices are, and what they follow: a row for each."""
    joints = len(rig.skeleton)
    found: dict[str, npt.NDArray[Any]] = {"POSITION": vertices.astype(np.float32)}
    slots, weights = influence_sets(rig.weights, 4 if influences == "four" else joints)
    small = np.uint8 if joints <= 256 else np.uint16
    for at in range(0, slots.shape[1], 4):
        found[f"JOINTS_{at // 4}"] = slots[:, at : at + 4].astype(small)
        found[f"WEIGHTS_{at // 4}"] = weights[:, at : at + 4].astype(np.float32)
    return found


def _meshes(
    chunk: _Chunk,
    look: Look,
    faces: Ints,
    columns: Mapping[str, npt.NDArray[Any]],
    over: Mapping[str, npt.NDArray[Any]],
) -> list[dict[str, Any]]:
    """A mesh for each node that pieces are from, and in it a primitive for each piece that has triangles.

    Args:
        chunk: where attributes go.
        look: the pieces, in the order of vertices and triangles.
        faces: (M, 3).
        columns: attributes of all vertices, which a piece's own stand over.
        over: those that stand over a piece's own.

    Raises:
        ValueError: the pieces do not make up the mesh.
    """
    meshes: list[dict[str, Any]] = []
    first = corner = 0
    for _, pieces in groupby(look.pieces, lambda piece: piece.node):
        surfaces: list[dict[str, Any]] = []
        for piece in pieces:
            rows = slice(first, first + piece.vertices)
            corners = faces[corner : corner + piece.faces] - first
            if corners.size and not 0 <= corners.min() <= corners.max() < piece.vertices:
                raise ValueError(f"the piece {piece.name!r} of a look has triangles of another's vertices")
            first, corner = first + piece.vertices, corner + piece.faces
            if not piece.faces:
                continue
            values = {name: column[rows] for name, column in columns.items()} | dict(piece.attributes)
            values |= {name: column[rows] for name, column in over.items()}
            if "NORMAL" not in values:
                values.pop("TANGENT", None)  # without normals they say nothing
            attributes = {name: chunk.attribute(name, array) for name, array in values.items()}
            index = np.uint16 if piece.vertices < 1 << 16 else np.uint32
            indices = chunk.add(corners.reshape(-1).astype(index), "SCALAR", _INDICES)
            surface = {"attributes": attributes, "indices": indices}
            material = piece.material if look.materials.arrays.get("materials") else 0
            surfaces.append(surface if material is None else surface | {"material": material})
            name = piece.name
        if surfaces:
            meshes.append({"name": name, "primitives": surfaces})
    if (first, corner) != (len(columns["POSITION"]), len(faces)):
        raise ValueError(f"a look of {first} vertices and {corner} triangles is of another mesh")
    return meshes


def _materials(chunk: _Chunk, materials: Materials) -> dict[str, Any]:
    """What a document has of `looks.Materials`; one grey material where there are none."""
    found: dict[str, Any] = {"materials": [GREY]} | dict(materials.arrays)
    images = [
        dict(one.entry) if one.data is None else {**one.entry, "bufferView": chunk.view(one.data)}
        for one in materials.pictures
    ]
    if images:
        found["images"] = images
    if used := materials.extensions:
        found["extensionsUsed"] = list(used)
        if required := [name for name in used if name in materials.required]:
            found["extensionsRequired"] = required
    return found


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
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def attribute(self, name: str, values: npt.NDArray[Any]) -> int:
        """Append an attribute, (N, 2 to 4); the index of its accessor."""
        bytes_of_colour = name.startswith("COLOR_") and values.dtype == np.uint8
        kind = f"VEC{values.shape[1]}"
        return self.add(values, kind, _ARRAY, limits=name == "POSITION", normalised=bytes_of_colour)

    def add(
        self,
        values: npt.NDArray[Any],
        kind: str,
        target: int | None = None,
        *,
        limits: bool = False,
        normalised: bool = False,
    ) -> int:
        """Append an array; the index of its accessor."""
        raw = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        entry: dict[str, Any] = {
            "bufferView": self.view(raw, target),
            "componentType": _TYPES[values.dtype.str[1:]],
            "count": len(values),
            "type": kind,
        }
        if normalised:
            entry["normalized"] = True
        if limits:
            entry |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def view(self, raw: bytes, target: int | None = None) -> int:
        """Append bytes at a multiple of four; the index of their view."""
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        self.data += raw + b"\0" * (-len(raw) % 4)
        return len(self.views) - 1
