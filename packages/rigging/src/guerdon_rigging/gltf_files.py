"""The container: a .glb or .gltf file as a document and its buffers.

Buffers come from the GLB's binary chunk, from data URIs, and from files in the document's own folder or below it;
nothing else is opened, and nothing is fetched. Sizes are looked at before anything of that size is made.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from guerdon_rigging.file_errors import RigFileError, read_beside, read_limited
from guerdon_rigging.gltf_json import Entry, parsed

MOST_BYTES = 1 << 30
"""The largest file, and the largest buffer, that is read: 1 GiB."""

MOST_NUMBERS = 1 << 28
"""The most numbers that all accessors of a file may hold together: two gigabytes of float64. The largest mesh that is
read, 4,000,000 vertices with two sets of joints and 8,000,000 triangles, has 100 million; with normals, tangents,
colours and two sets of texture coordinates, which count again wherever their mesh is shown, 220 million."""

_HEADER = struct.Struct("<4sII")
_CHUNK = struct.Struct("<I4s")

READ = frozenset({"KHR_draco_mesh_compression", "KHR_mesh_quantization"})
"""Extensions that change where positions come from, and are read."""
_HARMLESS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "MSFT_texture_", "KHR_lights_", "KHR_animation_", "VRM")
"""How the names of extensions begin that change how a mesh looks and not where it is."""


@dataclass(frozen=True)
class Gltf:
    """An opened file."""

    file: Path
    document: Entry
    binary: bytes | None
    """The binary chunk of a GLB."""
    _buffers: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)
    _taken: list[int] = field(default_factory=lambda: [0], compare=False, repr=False)

    def take(self, accessor: Entry, numbers: int) -> None:
        """Put down how many numbers an accessor is about to make of the buffers, which a small file may say many times.

        Raises:
            RigFileError: with those read before they are more than `MOST_NUMBERS`.
        """
        self._taken[0] += numbers
        if self._taken[0] > MOST_NUMBERS:
            accessor.fail(
                f"brings what is read of the file to {self._taken[0]:,} numbers", f"at most {MOST_NUMBERS:,} are read"
            )

    def buffer(self, index: Entry) -> bytes:
        """The bytes of the buffer that an index names, read when first asked for.

        Raises:
            RigFileError: it is missing, shorter than it says, outside the document's folder, or on a network.
        """
        entry = self.document.member("buffers", index, "a buffer")
        if entry.where not in self._buffers:
            self._buffers[entry.where] = self._load(entry, first=entry.where == "buffers[0]")
        return self._buffers[entry.where]

    def _load(self, entry: Entry, first: bool) -> bytes:
        length = entry.need("byteLength").integer(1, MOST_BYTES + 1)
        uri = entry.get("uri")
        if uri is None:
            if not first or self.binary is None:
                entry.fail("has no 'uri'", "only the first buffer of a .glb with a binary chunk may go without")
            data = self.binary
        elif not isinstance(uri.value, str):
            uri.fail("is no string", "a data URI or the name of a file is needed")
        elif uri.value.startswith("data:"):
            data = decoded(uri)
        else:
            data = read_beside(uri.file, uri.where, unquote(uri.value), MOST_BYTES)
        if len(data) < length:
            entry.fail(f"says {length:,} bytes and has {len(data):,}", "the file is cut off")
        return data[:length] if len(data) > length else data


def open_gltf(path: Path | str) -> Gltf:
    """Open a .glb or .gltf; which of the two it is says its first bytes, not its name.

    Raises:
        RigFileError: it cannot be read, is neither, is of another version, is cut off, or needs an extension that
            changes where the mesh is and is not read here.
    """
    file = Path(path).expanduser()
    data = read_limited(file, MOST_BYTES)
    if data[:4] == b"glTF":
        document, binary = _chunks(file, data)
    elif data[:3] == b"\xef\xbb\xbf" or data.lstrip()[:1] == b"{":
        document, binary = data, None
    else:
        raise RigFileError(file, "", f"begins with {data[:4]!r}", "a .glb begins with b'glTF', a .gltf with a brace")
    found = parsed(file, document)
    version = found.need("asset").text("version")
    if not version.startswith("2."):
        raise RigFileError(file, "asset.version", f"is {version!r}", "glTF 2 is read")
    for entry in found.members("extensionsRequired"):
        name = entry.value
        if not isinstance(name, str) or not (name in READ or name.startswith(_HARMLESS)):
            entry.fail(
                f"the file needs the extension {name!r}",
                f"of those that change geometry, {' and '.join(sorted(READ))} are read; export without it",
            )
    return Gltf(file, found, binary)


def _chunks(file: Path, data: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk; chunks of other kinds are passed over, as glTF asks."""
    if len(data) < _HEADER.size:
        raise RigFileError(file, "header", f"the file has {len(data)} bytes", "a .glb has 12 at least: it is cut off")
    _, version, length = _HEADER.unpack_from(data)
    if version != 2:
        raise RigFileError(file, "header", f"version {version}", "GLB version 2 is read")
    if length > len(data):
        raise RigFileError(file, "header", f"says {length:,} bytes and the file has {len(data):,}", "it is cut off")
    at, number = _HEADER.size, 0
    document: bytes | None = None
    binary: bytes | None = None
    while at < length:
        where = f"chunk {number} at byte {at}"
        if length - at < _CHUNK.size:
            raise RigFileError(file, where, f"{length - at} bytes are left", "a chunk's header has 8: it is cut off")
        size, kind = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if size > length - at:
            raise RigFileError(file, where, f"says {size:,} bytes and {length - at:,} are left", "it is cut off")
        if number == 0 and kind != b"JSON":
            raise RigFileError(file, where, f"is of the kind {kind!r}", "the first chunk is b'JSON'")
        if number == 0:
            document = data[at : at + size]
        elif kind == b"BIN\0" and binary is None:
            binary = data[at : at + size]
        at, number = at + size, number + 1
    if document is None:
        raise RigFileError(file, "", "has no chunk", "a .glb has one of JSON")
    return document, binary


def decoded(uri: Entry) -> bytes:
    """The bytes of a data URI."""
    head, comma, body = uri.value.partition(",")
    if not comma:
        uri.fail("is a data URI without a comma", "data:...;base64,... is accepted")
    try:
        if head.endswith(";base64"):
            return base64.b64decode(unquote(body), validate=True)
        return unquote_to_bytes(body)
    except (binascii.Error, ValueError) as error:
        uri.fail(f"is a data URI that does not decode: {error}")
