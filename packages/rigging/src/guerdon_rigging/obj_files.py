"""Wavefront .obj: what its lines say, in the order in which they say it.

Own, because RigNet's text rigs number the vertices of the file, and readers of materials split and reorder them. Tabs,
indented and continued lines, comments behind a line, and corners that count back from where they stand are read.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from guerdon.counting import counting
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_primitives import MOST_FACES, MOST_VERTICES
from guerdon_rigging.rigs import Floats, Ints

_PLAIN = {b"g", b"o", b"s", b"mg"}
"""Groups, objects and smoothing, which change nothing here."""
_UNREAD = {b"l": "line", b"p": "point", b"curv": "curve", b"curv2": "curve", b"surf": "free-form surface"}
_NUMBERS = {b"v": 3, b"vt": 1, b"vn": 3}
"""How many numbers a line has at least."""


@dataclass(frozen=True, eq=False)
class ObjFile:
    """What an .obj holds."""

    vertices: Floats
    """(N, 3)."""
    colours: Floats
    """(N, 3), as written; (0, 3) where not every vertex has one."""
    coordinates: Floats
    """(T, 2): of textures, v upwards."""
    normals: Floats
    """(L, 3)."""
    corners: Ints
    """(M, 3, 3): of each corner of each triangle its vertex, its texture coordinates and its normal; -1 for none."""
    materials: Ints
    """(M,): which of `names` each triangle is of."""
    names: tuple[str, ...]
    """Of materials, in the order in which they are used; empty for triangles before any was named."""
    libraries: tuple[str, ...]
    """What `mtllib` lines name."""
    notes: tuple[str, ...]
    """What is there and was not read."""

    @property
    def looks(self) -> bool:
        """Whether it says anything of how its surface looks."""
        return any(map(len, (self.coordinates, self.normals, self.colours))) or self.names not in ((), ("",))


def parsed_obj(path: Path, data: bytes) -> ObjFile:
    """Read an .obj; polygons become fans of triangles.

    Args:
        path: the file, for messages.
        data: its bytes.

    Raises:
        RigFileError: a line does not parse, a face names vertices that are not there, or there are too many of either.
    """
    numbers = {key: array("d") for key in _NUMBERS}
    colours, corners, materials = array("d"), array("q"), array("q")
    names: dict[str, int] = {}
    libraries: list[str] = []
    unread: Counter[tuple[str, str]] = Counter()
    """Of a noun and what follows it, which is the same in the plural."""
    counts = dict.fromkeys(_NUMBERS, 0)
    material, held = "", b""
    for number, raw in enumerate(data.splitlines(), 1):
        line = held + raw
        held = b""
        if line.endswith(b"\\"):
            held = line[:-1] + b" "
            continue
        words = line.split()
        key = words[0] if words else b"#"
        try:
            if key in _NUMBERS:
                found = [float(word) for word in _said(words)]
                if len(found) < _NUMBERS[key]:
                    raise ValueError(f"{len(found)} numbers, {_NUMBERS[key]} are needed")
                counts[key] += 1
                numbers[key].extend(found[:3] if key != b"vt" else [*found[:2], 0.0][:2])
                if key == b"v" and len(found) >= 6:
                    colours.extend(found[3:6])
            elif key == b"f":
                face = [_corner(word, counts) for word in _said(words)]
                if len(face) < 3:
                    unread["face", " of fewer than three corners"] += 1
                place = names.setdefault(material, len(names))
                for second, third in pairwise(face[1:]):
                    corners.extend((*face[0], *second, *third))
                    materials.append(place)
            elif key == b"usemtl":
                material = line.strip()[6:].strip().decode("utf-8", "replace")
            elif key == b"mtllib":
                libraries.append(line.strip()[6:].strip().decode("utf-8", "replace"))
            elif key in _UNREAD:
                unread[_UNREAD[key], ""] += 1
            elif key not in _PLAIN and not key.startswith(b"#"):
                unread["line", f" beginning with {key[:20].decode('utf-8', 'replace')!r}"] += 1
        except ValueError as error:
            raise RigFileError(path, f"line {number}", f"{line[:80]!r} does not parse: {error}") from error
        if counts[b"v"] > MOST_VERTICES or len(materials) > MOST_FACES:
            raise RigFileError(
                path, f"line {number}",
                f"brings the file to {counts[b'v']:,} vertices and {len(materials):,} triangles",
                f"at most {MOST_VERTICES:,} and {MOST_FACES:,} are read; decimate it",
            )  # fmt: skip
    table = np.array(corners, np.int64).reshape(-1, 3, 3)
    if table.size and table[:, :, 0].max() >= counts[b"v"]:
        raise RigFileError(path, "", f"a face names vertex {table[:, :, 0].max() + 1} of {counts[b'v']}")
    for column, key, what in ((1, b"vt", "texture coordinates"), (2, b"vn", "normals")):
        beyond = table[:, :, column] >= counts[key]
        if beyond.any():
            unread["corner", f" whose {what} are not there"] += int(beyond.sum())
            table[:, :, column][beyond] = -1
    whole = len(colours) == 3 * counts[b"v"]
    if len(colours) and not whole:
        unread["colour", " of some vertices and not of others"] += len(colours) // 3
    return ObjFile(
        np.array(numbers[b"v"]).reshape(-1, 3),
        np.array(colours if whole else ()).reshape(-1, 3),
        np.array(numbers[b"vt"]).reshape(-1, 2),
        np.array(numbers[b"vn"]).reshape(-1, 3),
        table,
        np.array(materials, np.int64),
        tuple(names),
        tuple(libraries),
        tuple(
            counting(count, f"{noun}{which} in it is not read", f"{noun}s{which} in it are not read")
            for (noun, which), count in unread.items()
        ),
    )


def _said(words: list[bytes]) -> list[bytes]:
    """The words of a line behind its first, without a comment."""
    comment = next((at for at, word in enumerate(words) if word.startswith(b"#")), len(words))
    return words[1:comment]


def _corner(word: bytes, counts: dict[bytes, int]) -> tuple[int, int, int]:
    """`7/2/1`, `7//1`, `7/2` or `7`, from 1 up or from -1 down, as indices from 0; -1 where there is none."""
    found = [-1, -1, -1]
    fields = word.split(b"/")
    if len(fields) > 3:
        raise ValueError(f"the corner {word[:40]!r} has {len(fields)} parts, at most 3 are read")
    for at, (field, key) in enumerate(zip(fields, counts, strict=False)):
        if field or not at:
            number = int(field)
            found[at] = number - 1 if number > 0 else counts[key] + number
            if number == 0 or found[at] < 0:
                raise ValueError(f"the corner {word[:40]!r} counts from 1, or back to the first")
    return found[0], found[1], found[2]
