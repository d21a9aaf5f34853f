"""How the mesh of a Wavefront .obj looks: its .mtl and pictures, as glTF has them.

What it covers: files are opened beside the .obj or below its folder and nowhere else, and of pictures such as begin as
one that is known; what is missing or is none is told. What it does not: .mtl knows more than glTF (bump maps, specular
colours, textures that are moved or scaled). Maps that are left behind are told.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from guerdon.counting import counting
from guerdon_rigging.file_errors import RigFileError, read_beside
from guerdon_rigging.gltf_files import MOST_BYTES
from guerdon_rigging.looks import GREY, Look, Materials, Picture, Piece, directions, linear_colours, picture_kind
from guerdon_rigging.obj_files import ObjFile
from guerdon_rigging.rigs import Floats, Ints, Singles

_REPEATING = {"wrapS": 10497, "wrapT": 10497}
_OPTIONS = {"-o": 3, "-s": 3, "-t": 3, "-mm": 2}
"""How many numbers may follow an option of a texture; one word follows any other."""
_MAPS = {"bump", "disp", "decal", "refl"}
"""Names of textures that do not begin with `map_`."""
_MOST_PIXELS = 1 << 26
"""Of a picture that has to be decoded."""
_DECODED = ("BMP", "GIF", "TGA", "TIFF", "WEBP")
"""What glTF does not know and becomes PNG."""

Lines = Mapping[str, Sequence[str]]
"""What an .mtl says of one material: the words behind each key, in small letters."""


def looking_obj(path: Path, obj: ObjFile) -> tuple[Floats, Ints, tuple[str, ...], Look]:
    """The vertices (N, 3), triangles (M, 3) and look of an .obj, and what of it is left behind.

    A vertex for each that differs in texture coordinates, normal or material, as glTF asks; those of no triangle are
    left out.

    Args:
        path: the file, whose folder the .mtl and pictures are looked for in.
        obj: what it holds.
    """
    folder = _Folder(path)
    said = _libraries(obj, folder)
    materials = [_material(name, said.get(name), folder) for name in obj.names]
    pieces, places, faces = [], [], []
    first = 0
    for at in range(len(obj.names)):
        corners = obj.corners[obj.materials == at]
        kept, mine = _distinct(corners.reshape(-1, 3))
        attributes = _attributes(obj, kept, obj.names[at], folder)
        pieces.append(Piece(len(kept), len(corners), path.stem, 0, attributes, at))
        places.append(kept[:, 0])
        faces.append(mine.reshape(-1, 3) + first)
        first += len(kept)
    used = np.concatenate([np.zeros(0, np.int64), *places])
    if idle := len(obj.vertices) - len(np.unique(used)):
        folder.notes.append(
            counting(idle, "vertex of no triangle was left out", "vertices of no triangle were left out")
        )
    arrays: dict[str, list[Any]] = {"materials": materials}
    if folder.pictures:
        arrays["textures"] = [{"source": at, "sampler": 0} for at in range(len(folder.pictures))]
        arrays["samplers"] = [dict(_REPEATING)]
    look = Look(tuple(pieces), Materials(arrays, tuple(folder.pictures)))
    return obj.vertices[used], np.concatenate([np.zeros((0, 3), np.int64), *faces]), tuple(folder.notes), look


def _distinct(corners: Ints) -> tuple[Ints, Ints]:
    """The different rows of corners (K, 3), and which of them each is, (K,)."""
    pairs = (corners[:, 1] + 1) * (corners[:, 2].max(initial=0) + 2) + corners[:, 2] + 1
    _, pairs = np.unique(pairs, return_inverse=True)
    _, firsts, which = np.unique(
        corners[:, 0] * (pairs.max(initial=0) + 1) + pairs, return_index=True, return_inverse=True
    )
    return corners[firsts], which


def _attributes(obj: ObjFile, corners: Ints, name: str, folder: _Folder) -> dict[str, Singles]:
    """Texture coordinates, normals and colours of the vertices of one piece, (K, 3) as corners."""
    found: dict[str, Singles] = {}
    _, coordinates, normals = corners.T
    if (coordinates >= 0).any():
        if (coordinates < 0).any():
            folder.notes.append(f"some corners of the material {name!r:.80} have no texture coordinates; 0, 0 is taken")
        up = np.where(coordinates[:, None] >= 0, obj.coordinates[coordinates], (0.0, 1.0))
        found["TEXCOORD_0"] = np.stack([up[:, 0], 1 - up[:, 1]], axis=1).astype(np.float32)
        if not np.isfinite(found["TEXCOORD_0"]).all():
            folder.notes.append(f"texture coordinates of the material {name!r:.80} are not finite; they are 0")
            found["TEXCOORD_0"] = np.nan_to_num(found["TEXCOORD_0"], posinf=0, neginf=0)
    if (normals >= 0).all():
        found["NORMAL"] = directions(obj.normals[normals], (0.0, 0.0, 1.0))
    elif (normals >= 0).any():
        folder.notes.append(f"some corners of the material {name!r:.80} have no normal; normals are made anew")
    if len(obj.colours):
        shades = np.rint(255 * np.clip(np.nan_to_num(obj.colours[corners[:, 0]]), 0, 1)).astype(np.uint8)
        found["COLOR_0"] = linear_colours(np.concatenate([shades, np.full((len(shades), 1), 255, np.uint8)], axis=1))
    return found


def _libraries(obj: ObjFile, folder: _Folder) -> dict[str, Lines]:
    """What the .mtl files say of each material; a line may name one file, blanks and all, or several."""
    found: dict[str, dict[str, Sequence[str]]] = {}
    for line in obj.libraries:
        whole = folder.read(line, quietly=len(line.split()) > 1)
        texts = [whole] if whole is not None else [folder.read(name) for name in line.split()]
        for text in filter(None, texts):
            current: dict[str, Sequence[str]] = {}
            for words in map(str.split, text.decode("utf-8", "replace").splitlines()):
                if words[:1] and words[0].lower() == "newmtl":
                    current = found.setdefault(" ".join(words[1:]), {})
                elif words and not words[0].startswith("#"):
                    current[words[0].lower()] = words[1:]
    return dict(found)


def _material(name: str, said: Lines | None, folder: _Folder) -> dict[str, Any]:
    """A glTF material. Colours are taken as they stand, as the exporters of today write them. [choice]"""
    if said is None:
        if name:
            folder.notes.append(f"the material {name!r:.80} is in no file that could be read; it is grey")
        return {**GREY, "name": name} if name else dict(GREY)
    colour = _numbers(said, "kd", 3) or 3 * _numbers(said, "kd", 1) or [0.8, 0.8, 0.8]
    opacity = (_numbers(said, "d", 1) or [1 - share for share in _numbers(said, "tr", 1)] or [1.0])[0]
    shine = _numbers(said, "ns", 1)
    rough = _numbers(said, "pr", 1) or [(2 / (shine[0] + 2)) ** 0.5 if shine and shine[0] >= 0 else 0.8]
    surface: dict[str, Any] = {
        "baseColorFactor": [_share(one) for one in (*colour, opacity)],
        "metallicFactor": _share((_numbers(said, "pm", 1) or [0.0])[0]),
        "roughnessFactor": _share(rough[0]),
    }
    found: dict[str, Any] = {"name": name, "doubleSided": True, "pbrMetallicRoughness": surface}
    glow = [_share(one) for one in _numbers(said, "ke", 3)]
    for key, holder, texture in (
        ("map_kd", surface, "baseColorTexture"),
        ("map_ke", found, "emissiveTexture"),
        ("norm", found, "normalTexture"),
    ):
        place = folder.picture(said[key]) if key in said else None
        if place is not None:
            holder[texture] = {"index": place}
    if any(glow):
        found["emissiveFactor"] = glow
    elif "emissiveTexture" in found:
        found["emissiveFactor"] = [1.0, 1.0, 1.0]
    left = [key for key in said if (key.startswith("map_") or key in _MAPS) and key not in ("map_kd", "map_ke")]
    if left:
        folder.notes.append(f"of the material {name!r:.80} {', '.join(left)} cannot be carried over")
    return found if opacity >= 1 else found | {"alphaMode": "BLEND"}


def _numbers(said: Lines, key: str, count: int) -> list[float]:
    """The first finite numbers of a line; none where there are fewer."""
    try:
        numbers = [float(word) for word in said.get(key, ())[:count]]
    except ValueError:
        return []
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else []


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


@dataclass
class _Folder:
    """The files that an .obj names, as they are asked for."""

    path: Path
    notes: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    places: dict[str, int | None] = field(default_factory=dict)
    """Of the pictures, by the name of each; None for what could not be read."""
    size: int = 0
    """Of all pictures, in bytes."""

    def read(self, name: str, *, quietly: bool = False) -> bytes | None:
        """The bytes of a file with slashes of either kind; None and a note where it cannot be read."""
        try:
            return read_beside(self.path, "", name.replace("\\", "/"), MOST_BYTES)
        except RigFileError as error:
            if not quietly:
                self.notes.append(f"{name!r:.200}, which it names, is not carried over: {error.found:.200}")
            return None

    def picture(self, words: Sequence[str]) -> int | None:
        """The place of a texture's picture, read when first asked for."""
        name, moved = _plain(words)
        if moved:
            self.notes.append(f"the texture {name!r:.200} is moved or scaled, which is not carried over")
        if name not in self.places:
            self.places[name] = self._picture(name)
        return self.places[name]

    def _picture(self, name: str) -> int | None:
        data = self.read(name)
        if data is None:
            return None
        try:
            data, kind = _known(data)
        except Exception:  # noqa: BLE001 - a boundary: PIL raises what it comes across in a broken picture
            known = f"PNG, JPEG, {', '.join(_DECODED)}"
            self.notes.append(
                f"{name!r:.200}, which it names, is none of {known}, or too large, and is not carried over"
            )
            return None
        self.size += len(data)
        if self.size > MOST_BYTES:
            raise RigFileError(
                self.path, "", f"its pictures have {self.size:,} bytes", f"at most {MOST_BYTES:,} are read"
            )
        self.pictures.append(Picture({"name": name.rpartition("/")[2], "mimeType": kind}, data))
        return len(self.pictures) - 1


def _plain(words: Sequence[str]) -> tuple[str, bool]:
    """A texture's file without its options, and whether one of them moves or scales it."""
    left, moved = list(words), False
    while len(left) > 1 and left[0].startswith("-"):
        option, at = left[0].lower(), 1
        while at < len(left) - 1 and at <= _OPTIONS.get(option, 0) and _numbers({"": left[at:]}, "", 1):
            at += 1
        still = [1.0] if option == "-s" else [0.0]
        moved |= option in ("-o", "-s", "-t") and any([float(word)] != still for word in left[1:at])
        left = left[at:] if option in _OPTIONS else left[2:]
    return " ".join(left).replace("\\", "/"), moved


def _known(data: bytes) -> tuple[bytes, str]:
    """A picture as glTF knows it, and its kind: PNG and JPEG as they are, a few others as PNG."""
    if (kind := picture_kind(data)) in ("image/png", "image/jpeg"):
        return data, kind
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of PIL's: that a picture is large
        opened = Image.open(io.BytesIO(data), formats=_DECODED)
    if opened.width * opened.height > _MOST_PIXELS:
        raise ValueError("too large")
    buffer = io.BytesIO()
    opened.convert("RGBA").save(buffer, "PNG")
    return buffer.getvalue(), "image/png"
