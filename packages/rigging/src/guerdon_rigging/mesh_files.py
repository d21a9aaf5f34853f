"""Meshes alone: .glb, .gltf and .obj by our own readers, .ply and .stl through trimesh."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guerdon_rigging.file_errors import RigFileError, read_limited
from guerdon_rigging.gltf_files import MOST_BYTES
from guerdon_rigging.gltf_primitives import MOST_FACES, MOST_VERTICES
from guerdon_rigging.gltf_skins import read_stored
from guerdon_rigging.looks import Look, Piece, linear_colours
from guerdon_rigging.obj_files import parsed_obj
from guerdon_rigging.obj_looks import looking_obj
from guerdon_rigging.rigs import Mesh, RigError

GLTF = (".glb", ".gltf")
OBJ = ".obj"
OTHERS = (OBJ, ".ply", ".stl")


def read_mesh(path: Path | str) -> Mesh:
    """All triangles of a file, in its own units, pieces side by side.

    Of glTF: every mesh of the scene, placed by its node, or by its joints where it has a skin. Vertices are as stored:
    `guerdon_rigging.canonical.welded` makes one of those that hard edges and seams store several times. Up to 4,000,000
    vertices; what has more should be decimated first.

    Raises:
        RigFileError: the ending is another, the file is broken or too large, it has no triangle, or a position is not
            finite.
    """
    return read_whole(path).mesh


@dataclass(frozen=True, eq=False)
class MeshFile:
    """A file's triangles, and what else it holds."""

    mesh: Mesh
    notes: tuple[str, ...] = ()
    """What was not read, a line each: morph targets, lines, meshes that no scene shows."""
    look: Look | None = None
    """Where it was asked for and the file says how its surfaces look; its pieces make up the mesh."""


def read_whole(path: Path | str, looks: bool = False) -> MeshFile:
    """As `read_mesh`, and what else the file holds.

    Args:
        path: the file.
        looks: read how surfaces look, too: of glTF and .obj materials, textures, normals and colours, of .ply the
            colours of vertices. An .obj's vertices are then those of glTF, split at seams.

    Raises:
        RigFileError: as `read_mesh`; or a picture or an attribute is broken.
    """
    path = Path(path).expanduser()
    notes: tuple[str, ...] = ()
    look: Look | None = None
    ending = path.suffix.lower()
    if ending in GLTF:
        vertices, faces, notes, look = _gltf(path, looks)
    elif ending == OBJ:
        vertices, faces, notes, look = _obj(path, looks)
    elif ending in OTHERS:
        vertices, faces, notes, look = _other(path, ending[1:], looks)
    else:
        raise RigFileError(path, "", f"the name ends in {path.suffix!r}", f"{', '.join(GLTF + OTHERS)} are read")
    if not len(faces):
        raise RigFileError(path, "", f"{len(vertices):,} vertices and no triangle", "a mesh is needed, not points")
    if len(vertices) > MOST_VERTICES or len(faces) > MOST_FACES:
        raise RigFileError(
            path, "", f"{len(vertices):,} vertices and {len(faces):,} triangles",
            f"at most {MOST_VERTICES:,} and {MOST_FACES:,} are read; decimate it",
        )  # fmt: skip
    try:
        return MeshFile(Mesh(vertices, faces), notes, look)
    except RigError as error:
        raise RigFileError(path, "", str(error)) from error


_Read = tuple[Any, Any, tuple[str, ...], Look | None]


def _gltf(path: Path, looks: bool) -> _Read:
    stored = read_stored(path, looks)
    parts = stored.parts
    if not parts:
        raise RigFileError(path, "", "its scene shows no mesh", "a mesh is needed")
    firsts = np.cumsum([0, *(len(part.rest) for part in parts[:-1])])
    faces = [part.faces + first for part, first in zip(parts, firsts, strict=True)]
    look = None
    if stored.materials is not None:
        pieces = (
            Piece(len(part.rest), len(part.faces), part.name, part.node, part.looks, part.material) for part in parts
        )
        look = Look(tuple(pieces), stored.materials, facets=True)
    return np.concatenate([part.rest for part in parts]), np.concatenate(faces), stored.notes, look


def _obj(path: Path, looks: bool) -> _Read:
    read = parsed_obj(path, read_limited(path, MOST_BYTES))
    if looks and read.looks:
        vertices, faces, notes, look = looking_obj(path, read)
        return vertices, faces, (*read.notes, *notes), look
    return read.vertices, read.corners[:, :, 0], read.notes, None


def _other(path: Path, kind: str, looks: bool) -> _Read:
    """Through trimesh, of which neither welding nor dropping is asked for: what is wrong is to be seen."""
    import trimesh

    data = read_limited(path, MOST_BYTES)
    if kind == "stl" and (missing := _missing_of_stl(data)):
        raise RigFileError(path, "", f"ends too early: {missing}", "the whole file is needed")
    try:
        found = trimesh.load(trimesh.util.wrap_as_stream(data), file_type=kind, process=False, skip_materials=True)
        vertices = np.array(getattr(found, "vertices", ()), np.float64).reshape(-1, 3)
        faces = np.array(getattr(found, "faces", ()), np.int64).reshape(-1, 3)
    except Exception as error:  # a boundary: trimesh raises what it comes across in a broken file
        raise RigFileError(path, "", f"does not read as {kind.upper()}: {type(error).__name__}: {error}") from error
    if kind == "ply" and (missing := _missing_of_ply(data, len(vertices), len(faces))):
        raise RigFileError(path, "", f"ends too early: {missing}", "the whole file is needed")
    if not looks:
        return vertices, faces, (), None
    notes: list[str] = []
    listed = found.metadata.get("_ply_raw", {}).get("vertex", {}).get("properties", {})
    if {"nx", "ny", "nz"} & set(listed):
        notes.append("its normals are not read: they are made anew")
    coloured = getattr(getattr(found, "visual", None), "kind", None)
    if coloured == "vertex":
        colours = {"COLOR_0": linear_colours(found.visual.vertex_colors)}
        return vertices, faces, tuple(notes), Look((Piece(len(vertices), len(faces), path.stem, attributes=colours),))
    if coloured is not None:
        what = "the colours of its faces" if coloured == "face" else "its texture"
        notes.append(f"{what} cannot be carried over")
    return vertices, faces, tuple(notes), None


def _missing_of_ply(data: bytes, vertices: int, faces: int) -> str:
    """What a file says that it holds and does not; trimesh takes what there is without a word."""
    head = data[: max(data.find(b"end_header"), 0)]
    for name, found in ((b"vertex", vertices), (b"face", faces)):  # a polygon is one triangle at least
        told = re.search(rb"element\s+" + name + rb"\s+([0-9]{1,18})\b", head)
        if told and found < int(told[1]):
            return f"it says {int(told[1]):,} of {name.decode()}, and {found:,} are there"
    return ""


def _missing_of_stl(data: bytes) -> str:
    """The same of .stl, before trimesh takes what is too short for a binary file to be text."""
    if data.lstrip()[:5] == b"solid" and b"facet" in data[:1000]:
        return "" if b"endsolid" in data[-1000:] else "there is no endsolid"
    if len(data) >= 84 and (said := int.from_bytes(data[80:84], "little")) > (len(data) - 84) // 50:
        return f"it says {said:,} triangles, and {(len(data) - 84) // 50:,} are there"
    return ""
