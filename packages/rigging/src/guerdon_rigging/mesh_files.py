"""Meshes alone: .glb and .gltf by our own reader, .obj, .ply and .stl through trimesh."""

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
from guerdon_rigging.obj_looks import looking_obj
from guerdon_rigging.rigs import Mesh, RigError

GLTF = (".glb", ".gltf")
OTHERS = (".obj", ".ply", ".stl")
_LOOKING = re.compile(rb"^\s*(vt|vn|usemtl)\s|^\s*v(\s+[-+.\deE]+){6,7}\s*$", re.MULTILINE)
"""Lines of an .obj that say how it looks."""


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
        look = Look(tuple(pieces), stored.materials)
    return np.concatenate([part.rest for part in parts]), np.concatenate(faces), stored.notes, look


def _other(path: Path, kind: str, looks: bool) -> _Read:
    """Through trimesh, of which neither welding nor dropping is asked for: what is wrong is to be seen."""
    import trimesh

    data = read_limited(path, MOST_BYTES)
    options: dict[str, Any] = {"process": False, "skip_materials": True}
    if kind == "obj":
        if looks and _LOOKING.search(data):
            return looking_obj(path, data)
        data, options["maintain_order"] = _shape_alone(data), True
    try:
        found = trimesh.load(trimesh.util.wrap_as_stream(data), file_type=kind, **options)
        if hasattr(found, "to_mesh"):  # several groups or materials
            found = found.to_mesh()
    except Exception as error:  # a boundary: trimesh raises what it comes across in a broken file
        raise RigFileError(path, "", f"does not read as {kind.upper()}: {type(error).__name__}: {error}") from error
    vertices = np.array(getattr(found, "vertices", ()), np.float64).reshape(-1, 3)
    faces = np.array(getattr(found, "faces", ()), np.int64).reshape(-1, 3)
    coloured = getattr(getattr(found, "visual", None), "kind", None) if looks else None
    if coloured == "vertex":
        colours = {"COLOR_0": linear_colours(found.visual.vertex_colors)}
        return vertices, faces, (), Look((Piece(len(vertices), len(faces), path.stem, attributes=colours),))
    return vertices, faces, (f"the colours of its {coloured}s are not read",) if coloured else (), None


def _shape_alone(data: bytes) -> bytes:
    """An OBJ's vertices and faces and nothing else, in its own order.

    With texture coordinates, normals, groups or materials trimesh splits and reorders vertices, and leaves out those of
    no face. But RigNet's text rigs number the vertices of the file.
    """
    lines, count = [], 0
    for line in data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").splitlines():
        words = line.split()
        if words[:1] == [b"v"]:
            count += 1
            lines.append(b" ".join(words[:4]))  # what may follow are colours
        elif words[:1] == [b"f"]:
            corners = (word.partition(b"/")[0] for word in words[1:])
            lines.append(b" ".join([b"f", *(_counted(corner, count) for corner in corners)]))
    return b"\n".join(lines) + b"\n"


def _counted(corner: bytes, count: int) -> bytes:
    """A negative number counts back from the last vertex so far."""
    if corner[:1] == b"-" and corner[1:].isdigit():
        return b"%d" % (count + 1 - int(corner[1:]))
    return corner
