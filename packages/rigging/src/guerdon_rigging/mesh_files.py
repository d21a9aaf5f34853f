"""Meshes alone: .glb and .gltf by our own reader, .obj, .ply and .stl through trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from guerdon_rigging.file_errors import RigFileError, read_limited
from guerdon_rigging.gltf_files import MOST_BYTES
from guerdon_rigging.gltf_skins import MOST_VERTICES, read_stored
from guerdon_rigging.rigs import Mesh, RigError

MOST_FACES = 2 * MOST_VERTICES + 4
"""Triangles of a closed surface on the most vertices that are read."""
GLTF = (".glb", ".gltf")
OTHERS = (".obj", ".ply", ".stl")


def read_mesh(path: Path | str) -> Mesh:
    """All triangles of a file, in its own units, pieces side by side.

    Of glTF: every mesh of the scene, placed by its node, or by its joints where it has a skin. Vertices are as stored:
    `guerdon_rigging.canonical.welded` makes one of those that hard edges and seams store several times. Up to 4,000,000
    vertices; what has more should be decimated first.

    Raises:
        RigFileError: the ending is another, the file is broken or too large, it has no triangle, or a position is not
            finite.
    """
    path = Path(path).expanduser()
    ending = path.suffix.lower()
    if ending in GLTF:
        vertices, faces = _gltf(path)
    elif ending in OTHERS:
        vertices, faces = _other(path, ending[1:])
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
        return Mesh(vertices, faces)
    except RigError as error:
        raise RigFileError(path, "", str(error)) from error


def _gltf(path: Path) -> tuple[Any, Any]:
    parts = read_stored(path).parts
    if not parts:
        raise RigFileError(path, "", "its scene shows no mesh", "a mesh is needed")
    firsts = np.cumsum([0, *(len(part.rest) for part in parts[:-1])])
    faces = [part.faces + first for part, first in zip(parts, firsts, strict=True)]
    return np.concatenate([part.rest for part in parts]), np.concatenate(faces)


def _other(path: Path, kind: str) -> tuple[Any, Any]:
    """Through trimesh, of which neither welding nor dropping is asked for: what is wrong is to be seen."""
    import trimesh

    data = read_limited(path, MOST_BYTES)
    try:
        found = trimesh.load(trimesh.util.wrap_as_stream(data), file_type=kind, process=False, skip_materials=True)
        if hasattr(found, "to_mesh"):  # several groups or materials
            found = found.to_mesh()
    except Exception as error:  # a boundary: trimesh raises what it comes across in a broken file
        raise RigFileError(path, "", f"does not read as {kind.upper()}: {type(error).__name__}: {error}") from error
    vertices = np.array(getattr(found, "vertices", ()), np.float64).reshape(-1, 3)
    faces = np.array(getattr(found, "faces", ()), np.int64).reshape(-1, 3)
    return vertices, faces
