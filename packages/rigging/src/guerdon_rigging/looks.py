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
_BEGIN = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"\xabKTX 20\xbb\r\n\x1a\n": "image/ktx2"}
"""How pictures begin that glTF knows, or an extension of it; WebP's first four bytes are followed by its size."""
_UNCARRIED = ("animations", "cameras")
"""Arrays of a document of which nothing is carried over."""


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
    extensions: tuple[str, ...] = ()
    """Names of those in use here, in order."""
    required: frozenset[str] = frozenset()
    """Of them, those that the document cannot be shown without."""
    copyright: str = ""
    """Whose the document is, in its own words."""
    notes: tuple[str, ...] = ()
    """What could not be read, or is not carried over."""


@dataclass(frozen=True, eq=False)
class Look:
    """A mesh's pieces and the materials that they name."""

    pieces: tuple[Piece, ...]
    materials: Materials = field(default_factory=Materials)
    facets: bool = False
    """Whether pieces without normals are to be drawn in facets, as glTF has it; else normals may be made for them."""

    def of(self, vertices: npt.NDArray[np.bool_], faces: npt.NDArray[np.bool_]) -> Look:
        """What is left of it where only some vertices, (N,), and triangles, (M,), are."""
        pieces, at, corner = [], 0, 0
        for piece in self.pieces:
            kept = vertices[at : at + piece.vertices]
            left = int(faces[corner : corner + piece.faces].sum())
            attributes = {name: values[kept] for name, values in piece.attributes.items()}
            pieces.append(Piece(int(kept.sum()), left, piece.name, piece.node, attributes, piece.material))
            at, corner = at + piece.vertices, corner + piece.faces
        return Look(tuple(pieces), self.materials, self.facets)


def read_materials(gltf: Gltf) -> Materials:
    """The materials of a document, with the bytes of their pictures.

    A picture that is a file beside the document and cannot be read, or does not begin as one that is known, stays named
    as it is, with a note: meshes are often handed on without theirs, and no other file of a folder is to end up in what
    is written.

    Raises:
        RigFileError: a picture within the file is broken, or an index names no texture, sampler or picture.
    """
    document = gltf.document
    members = {name: document.members(name) for name in (*ARRAYS, "images")}
    notes: list[str] = []
    pictures: list[Picture] = []
    held = 0
    for entry in members["images"]:
        pictures.append(_picture(gltf, entry, notes))
        held += len(pictures[-1].data or b"")
        if held > MOST_BYTES:
            entry.fail(f"brings the pictures to {held:,} bytes", f"at most {MOST_BYTES:,} are carried over")
    for texture in members["textures"]:
        for key, array in (("source", "images"), ("sampler", "samplers")):
            if texture.get(key) is not None:
                document.member(array, texture.need(key), "one")
    used: set[str] = set()
    for entry in (one for name in members for one in members[name]):
        for inner in _objects(entry):
            if inner.where.endswith("Texture") and inner.get("index") is not None:
                document.member("textures", inner.need("index"), "a texture")
            if (extensions := inner.get("extensions")) is not None:
                used.update(name for name, _ in extensions.named())
    left = {name: len(document.members(name)) for name in _UNCARRIED}
    notes += [f"{count} {name} are not carried over" for name, count in left.items() if count]
    whole = document.get("extensions")
    notes += [f"{name} of the document is not carried over" for name, _ in (whole.named() if whole is not None else ())]
    required = {str(entry.value) for entry in document.members("extensionsRequired")}
    return Materials(
        {name: [one.value for one in members[name]] for name in ARRAYS if members[name]},
        tuple(pictures),
        tuple(sorted(used)),
        frozenset(required & used),
        document.need("asset").text("copyright"),
        tuple(notes),
    )


def _picture(gltf: Gltf, entry: Entry, notes: list[str]) -> Picture:
    told = entry.text("mimeType")  # fails where the entry is no object
    said = {key: value for key, value in entry.value.items() if key not in ("uri", "bufferView")}
    uri = entry.get("uri")
    if uri is None:
        buffer, start, length, _ = view_bytes(gltf, entry.need("bufferView"))
        data = buffer[start : start + length]
    elif entry.text("uri").startswith("data:"):
        data = decoded(uri)
        told = told or entry.text("uri").partition(",")[0].removeprefix("data:").partition(";")[0]
    else:
        name = unquote(entry.text("uri"))
        try:
            data = read_beside(gltf.file, entry.where, name, MOST_BYTES)
            why = "" if picture_kind(data) else "is no picture that glTF knows"
        except RigFileError as error:
            why = error.found
        if why:
            notes.append(f"{entry.where}, {name!r:.200}, is named and not carried over: {why:.200}")
            return Picture(dict(entry.value), None)
    kind = picture_kind(data) or told
    if not kind:
        entry.fail(f"begins with {data[:8]!r} and has no 'mimeType'", "PNG, JPEG, WebP and KTX2 are known without one")
    return Picture(said | {"mimeType": kind}, data)


def picture_kind(data: bytes) -> str:
    """`image/png`, `image/jpeg`, `image/webp` or `image/ktx2`, by how a picture begins; else empty."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for begins, kind in _BEGIN.items() if data.startswith(begins)), "")


def _objects(entry: Entry) -> Iterator[Entry]:
    """An entry, which has to be an object, and every object within it."""
    entry.get("name")  # fails where it is none
    waiting = [entry]
    while waiting:
        one = waiting.pop()
        if isinstance(one.value, dict):
            yield one
            waiting += [inner for _, inner in one.named()]
        elif isinstance(one.value, list):
            waiting += [Entry(one.file, f"{one.where}[{at}]", value) for at, value in enumerate(one.value)]


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
