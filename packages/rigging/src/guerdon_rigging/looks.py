"""How a mesh looks: materials, textures, and what its vertices say of them; carried from one file into another.

A mesh of several pieces has them one after the other: the vertices of the second follow those of the first, and so do
its triangles. Nothing here is looked into: materials, textures and samplers are the document's own JSON, pictures its
own bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from guerdon_rigging.file_errors import RigFileError, read_beside
from guerdon_rigging.gltf_accessors import view_bytes
from guerdon_rigging.gltf_files import MOST_BYTES, Gltf, decoded
from guerdon_rigging.gltf_json import Entry
from guerdon_rigging.rigs import Floats, Singles

ARRAYS = ("materials", "textures", "samplers")
"""What a document says of surfaces, pictures aside; they name each other, and pictures, by index."""
GREY: dict[str, Any] = {
    "doubleSided": True,
    "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8},
}
"""The material of what has none."""
_MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""How the pictures that glTF knows begin."""


@dataclass(frozen=True, eq=False)
class Piece:
    """One surface: vertices and triangles of one material."""

    vertices: int
    faces: int
    name: str = ""
    """Of the mesh it is from."""
    node: int = 0
    """Pieces of one node stay one mesh."""
    attributes: Mapping[str, Singles] = field(default_factory=dict)
    """NORMAL, TANGENT, TEXCOORD_n, COLOR_n: (vertices, 2 to 4) each, as glTF defines them."""
    material: int | None = None


@dataclass(frozen=True)
class Picture:
    """One of a document's images."""

    entry: Mapping[str, Any]
    """As the document has it, without where its bytes are; with its `uri` where there are none."""
    data: bytes | None = field(repr=False)
    """None where the file beside the document cannot be read."""


@dataclass(frozen=True)
class Materials:
    """What a document says of surfaces."""

    arrays: Mapping[str, list[Any]] = field(default_factory=dict)
    """`ARRAYS`, as the document has them; those that are empty left out."""
    pictures: tuple[Picture, ...] = ()
    required: frozenset[str] = frozenset()
    """Extensions that the document cannot be shown without."""
    notes: tuple[str, ...] = ()
    """What could not be read."""

    @property
    def extensions(self) -> list[str]:
        """Names of the extensions in use here, in order."""
        return sorted(set(_extensions([*self.arrays.values(), *(dict(one.entry) for one in self.pictures)])))


@dataclass(frozen=True, eq=False)
class Look:
    """A mesh's pieces and the materials that they name."""

    pieces: tuple[Piece, ...]
    materials: Materials = field(default_factory=Materials)

    def of(self, vertices: npt.NDArray[np.bool_], faces: npt.NDArray[np.bool_]) -> Look:
        """What is left of it where only some vertices, (N,), and triangles, (M,), are."""
        pieces, at, corner = [], 0, 0
        for piece in self.pieces:
            kept = vertices[at : at + piece.vertices]
            left = int(faces[corner : corner + piece.faces].sum())
            attributes = {name: values[kept] for name, values in piece.attributes.items()}
            pieces.append(Piece(int(kept.sum()), left, piece.name, piece.node, attributes, piece.material))
            at, corner = at + piece.vertices, corner + piece.faces
        return Look(tuple(pieces), self.materials)


def read_materials(gltf: Gltf) -> Materials:
    """The materials of a document, with the bytes of their pictures.

    A picture that is a file beside the document and cannot be read stays named as it is, with a note: meshes are often
    handed on without theirs.

    Raises:
        RigFileError: a picture within the file is broken.
    """
    document = gltf.document
    arrays = {name: [one.value for one in members] for name in ARRAYS if (members := document.members(name))}
    notes: list[str] = []
    pictures: list[Picture] = []
    held = 0
    for entry in document.members("images"):
        pictures.append(_picture(gltf, entry, notes))
        held += len(pictures[-1].data or b"")
        if held > MOST_BYTES:
            entry.fail(f"brings the pictures to {held:,} bytes", f"at most {MOST_BYTES:,} are carried over")
    required = frozenset(str(entry.value) for entry in document.members("extensionsRequired"))
    return Materials(arrays, tuple(pictures), required, tuple(notes))


def _picture(gltf: Gltf, entry: Entry, notes: list[str]) -> Picture:
    data = _data(gltf, entry)
    if data is None:
        notes.append(f"{entry.where}, {entry.text('uri')!r}, could not be read; it is named and not carried over")
        return Picture(dict(entry.value), None)
    said = {key: value for key, value in entry.value.items() if key not in ("uri", "bufferView")}
    if kind := picture_kind(data):
        said["mimeType"] = kind
    elif "mimeType" not in said:
        entry.fail(f"begins with {data[:8]!r} and has no 'mimeType'", "PNG and JPEG are known without one")
    return Picture(said, data)


def _data(gltf: Gltf, entry: Entry) -> bytes | None:
    """None where it is a file that cannot be read, or on a network."""
    uri = entry.get("uri")
    if uri is None:
        buffer, start, length, _ = view_bytes(gltf, entry.need("bufferView"))
        return buffer[start : start + length]
    if entry.text("uri").startswith("data:"):
        return decoded(uri)
    try:
        return read_beside(uri.file, uri.where, unquote(uri.value), MOST_BYTES)
    except RigFileError:
        return None


def picture_kind(data: bytes) -> str:
    """`image/png` or `image/jpeg`, by how a picture begins; else empty."""
    return next((kind for begins, kind in _MAGIC.items() if data.startswith(begins)), "")


def directions(vectors: Floats, none: tuple[float, float, float]) -> Singles:
    """Vectors (N, 3) of length 1; `none` where one has no length, since glTF asks for length 1 everywhere."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    good = np.isfinite(lengths) & (lengths > 1e-20)
    return np.where(good, vectors / np.where(good, lengths, 1.0), none).astype(np.float32)


def linear_colours(shades: npt.NDArray[np.uint8]) -> Singles:
    """(N, 4) bytes of sRGB, as screens show them, and opacity, as glTF's linear numbers in [0, 1]."""
    shares = np.asarray(shades, np.float32) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    linear[:, 3] = shares[:, 3]
    return linear.astype(np.float32)


def _extensions(value: Any) -> Iterator[str]:
    """The names under every `extensions` of a piece of JSON."""
    if isinstance(value, dict):
        found = value.get("extensions")
        yield from found if isinstance(found, dict) else ()
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _extensions(one)
