"""Primitives: triangles, positions, and which joints each vertex follows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from guerdon_rigging.gltf_accessors import accessor_at, accessor_count, read_accessor
from guerdon_rigging.gltf_files import Gltf
from guerdon_rigging.gltf_json import Entry
from guerdon_rigging.rigs import Floats, Ints, Singles

DRACO = "KHR_draco_mesh_compression"
MOST_VERTICES = 4_000_000
"""Vertices of a file, instances counted each."""
MOST_FACES = 2 * MOST_VERTICES + 4
"""Triangles of a file, instances counted each: those of a closed surface on the most vertices."""
SETS = ("JOINTS_", "WEIGHTS_")
LOOKS = {
    re.compile("NORMAL"): ("VEC3",),
    re.compile("TANGENT"): ("VEC4",),
    re.compile("TEXCOORD_[0-7]"): ("VEC2",),
    re.compile("COLOR_[0-7]"): ("VEC3", "VEC4"),
}
"""The names of attributes that say how a surface looks, and their types."""
_UNDRAWN = {0: "points", 1: "lines", 2: "a loop of lines", 3: "a strip of lines"}


@dataclass(frozen=True, eq=False)
class Primitive:
    """One piece of a mesh, as it is stored."""

    vertices: Floats
    """(N, 3), in the mesh's own space."""
    faces: Ints
    """(M, 3)."""
    slots: Ints
    """(N, S): places in the skin's list of joints, four for each set; any number where the weight is 0."""
    weights: Floats
    """(N, S): as stored, normalised integers as floats."""
    notes: tuple[str, ...] = field(default=())
    """What is there and was not read."""
    looks: dict[str, Singles] = field(default_factory=dict)
    """(N, 2 to 4) each, by its attribute's name; what is not finite is 0. Empty where it was not asked for."""
    material: int | None = None
    """Its index in the document; not looked up."""


def read_primitive(gltf: Gltf, primitive: Entry, looks: bool = False) -> Primitive | None:
    """A primitive's triangles, None where it draws points or lines.

    Args:
        gltf: the opened file.
        primitive: where it stands in it.
        looks: read the attributes of `LOOKS` too, and which material it has.

    Raises:
        RigFileError: no positions, attributes of different lengths, indices beyond the vertices, a set of joints
            without its weights, or what `read_accessor` refuses.
    """
    mode = primitive.optional("mode", 4, 0, 7)
    if mode in _UNDRAWN:
        return None
    attributes = dict(primitive.need("attributes").named())
    if "POSITION" not in attributes:
        primitive.need("attributes").fail("has no POSITION", "a mesh needs positions")
    compressed = primitive.get("extensions")
    draco = compressed.get(DRACO) if compressed is not None else None
    values: dict[str, npt.NDArray[Any]] = {}
    corners: npt.NDArray[Any] | None
    asked = wanted(attributes, looks)
    # Beside the compressed values a file may keep plain ones, for readers that know no Draco.
    if draco is not None and accessor_at(gltf, attributes["POSITION"]).get("bufferView") is None:
        from guerdon_rigging.gltf_draco import decompressed

        values, corners = decompressed(gltf, primitive, draco, asked)
    else:
        vertices = accessor_count(accessor_at(gltf, attributes["POSITION"]))
        if vertices > MOST_VERTICES:
            attributes["POSITION"].fail(
                f"has {vertices:,} vertices", f"at most {MOST_VERTICES:,} are read; decimate it"
            )
        indices = primitive.get("indices")
        if indices is not None and accessor_count(accessor_at(gltf, indices)) > 3 * MOST_FACES:
            indices.fail("has too many corners", f"{MOST_FACES:,} triangles are read; decimate it")
        corners = None if indices is None else read_accessor(gltf, indices, ("SCALAR",))
        if corners is not None and corners.dtype.kind != "u":
            primitive.need("indices").fail("names an accessor that is not of unsigned integers")
    for name, at, kinds in asked:
        if name not in values:
            values[name] = read_accessor(gltf, at, kinds, finite=name == "POSITION")
    positions = np.asarray(values["POSITION"], np.float64)
    faces = _triangles(primitive, mode, len(positions), corners)
    slots, weights = _influences(primitive, values, len(positions))
    notes = (
        [f"{len(targets)} morph targets; its base shape is read"] if (targets := primitive.members("targets")) else []
    )
    if not looks:
        return Primitive(positions, faces, slots, weights, tuple(notes))
    singles: dict[str, Singles] = {}
    for name in filter(_look, values):
        with np.errstate(over="ignore"):
            singles[name] = values[name].astype(np.float32)
        if not np.isfinite(singles[name]).all():
            notes.append(f"values of {name} that are not finite, which are taken as 0")
            singles[name] = np.nan_to_num(singles[name], posinf=0, neginf=0)
    notes += [f"the attribute {name}, which is not read" for name in attributes if name not in values]
    notes += [f"{name}, which is not read" for name, _ in (compressed.named() if compressed else ()) if name != DRACO]
    named = primitive.get("material")
    material = (
        None if named is None else named.integer(0, len(gltf.document.members("materials")), "index of a material")
    )
    return Primitive(positions, faces, slots, weights, tuple(notes), singles, material)


def wanted(attributes: dict[str, Entry], looks: bool = False) -> list[tuple[str, Entry, tuple[str, ...]]]:
    """The attributes that are read, with the types they may have: where vertices are and what they follow, and with
    `looks` how they look.
    """
    found: list[tuple[str, Entry, tuple[str, ...]]] = []
    for name, at in attributes.items():
        if name == "POSITION":
            found.append((name, at, ("VEC3",)))
        elif name.startswith(SETS):
            found.append((name, at, ("VEC4",)))
        elif looks and (kinds := _look(name)):
            found.append((name, at, kinds))
    return found


def _look(name: str) -> tuple[str, ...]:
    """The types of an attribute of `LOOKS`, none for others."""
    return next((kinds for names, kinds in LOOKS.items() if names.fullmatch(name)), ())


def _triangles(primitive: Entry, mode: int, vertices: int, indices: npt.NDArray[Any] | None) -> Ints:
    """(M, 3): lists, strips and fans alike, wound as the first triangle is."""
    corners = np.arange(vertices) if indices is None else indices.astype(np.int64)
    if len(corners) and corners.max() >= vertices:
        primitive.fail(f"names vertex {corners.max()} of {vertices}")
    if mode == 4:
        if len(corners) % 3:
            primitive.fail(f"has {len(corners)} corners", "triangles have three each")
        return corners.reshape(-1, 3)
    first = np.arange(max(len(corners) - 2, 0))
    if mode == 5:  # every second triangle of a strip is wound the other way
        return corners[np.stack([first, first + 1 + first % 2, first + 2 - first % 2], axis=1)]
    return corners[np.stack([first + 1, first + 2, np.zeros_like(first)], axis=1)]


def _influences(primitive: Entry, values: dict[str, npt.NDArray[Any]], vertices: int) -> tuple[Ints, Floats]:
    """All sets side by side."""
    for name, found in values.items():
        if len(found) != vertices:
            primitive.fail(f"has {len(found)} elements of {name} for {vertices} vertices")
    slots, weights = [np.zeros((vertices, 0), np.int64)], [np.zeros((vertices, 0))]
    sets = sorted({name.split("_", 1)[1] for name in values if name.startswith(SETS)})
    for one in sets:
        joints, shares = values.get(f"JOINTS_{one}"), values.get(f"WEIGHTS_{one}")
        if joints is None or shares is None:
            primitive.fail(f"has of JOINTS_{one} and WEIGHTS_{one} the one and not the other", "they go together")
        if joints.dtype not in (np.uint8, np.uint16):
            primitive.fail(f"has JOINTS_{one} of {joints.dtype}", "unsigned bytes or unsigned shorts are accepted")
        if shares.dtype.kind != "f":
            primitive.fail(f"has WEIGHTS_{one} of plain integers", "floats or normalised integers are accepted")
        slots.append(joints.astype(np.int64))
        weights.append(shares)
    return np.concatenate(slots, axis=1), np.concatenate(weights, axis=1)
