"""How the mesh of a Wavefront .obj looks: its .mtl and pictures, through trimesh, as glTF has them.

What it covers: files are opened beside the .obj or below its folder and nowhere else; what is missing there is told.
What it does not: .mtl knows more than glTF (bump maps, specular colours, textures that are moved or scaled), which is
left behind.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guerdon_rigging.file_errors import RigFileError, read_beside
from guerdon_rigging.gltf_files import MOST_BYTES
from guerdon_rigging.looks import GREY, Look, Materials, Picture, Piece, directions, linear_colours, picture_kind
from guerdon_rigging.rigs import Floats, Ints, Singles

_REPEATING: dict[str, int] = {"wrapS": 10497, "wrapT": 10497}
_NUMBERS = {"-o": 3, "-s": 3, "-t": 3, "-mm": 2}
"""How many numbers may follow an option of a texture; one word follows any other."""


def looking_obj(path: Path, data: bytes) -> tuple[Floats, Ints, tuple[str, ...], Look]:
    """The vertices (N, 3), triangles (M, 3) and look of an .obj, and what of it could not be read.

    A vertex for each that differs in texture coordinates, normal or material, as glTF asks; those of no triangle are
    left out.

    Args:
        path: the file, whose folder the .mtl and pictures are looked for in.
        data: its bytes.

    Raises:
        RigFileError: the file does not parse.
    """
    import trimesh

    folder = _Folder(path)
    try:
        found = trimesh.load(
            trimesh.util.wrap_as_stream(data), file_type="obj", resolver=folder, process=False, group_material=True
        )
    except Exception as error:  # a boundary: trimesh raises what it comes across in a broken file
        raise RigFileError(path, "", f"does not read as OBJ: {type(error).__name__}: {error}") from error
    shapes: Mapping[str, Any] = getattr(found, "geometry", {path.stem: found})
    surfaces = {name: shape for name, shape in shapes.items() if len(getattr(shape, "faces", ()))}
    pieces: list[Piece] = []
    materials: list[dict[str, Any]] = []
    names: list[str] = []
    for name, shape in surfaces.items():
        material = getattr(shape.visual, "material", None)
        materials.append(GREY | {"name": name} if material is None else _material(name, material, names))
        count = len(shape.vertices)
        pieces.append(Piece(count, len(shape.faces), path.stem, 0, _attributes(shape), len(materials) - 1))
    firsts = np.cumsum([0, *(piece.vertices for piece in pieces)])
    vertices = [np.asarray(shape.vertices, np.float64) for shape in surfaces.values()]
    faces = [np.asarray(shape.faces, np.int64) + first for shape, first in zip(surfaces.values(), firsts, strict=False)]
    arrays: dict[str, list[Any]] = {"materials": materials}
    if names:
        arrays |= {
            "textures": [{"source": at, "sampler": 0} for at in range(len(names))],
            "samplers": [dict(_REPEATING)],
        }
    pictures = tuple(Picture({"name": Path(name).name} | folder.kinds[name], folder.held[name]) for name in names)
    notes = tuple(f"{name!r}, which it names, could not be read" for name in folder.missing)
    look = Look(tuple(pieces), Materials(arrays, pictures))
    return (
        np.concatenate([np.zeros((0, 3)), *vertices]),
        np.concatenate([np.zeros((0, 3), np.int64), *faces]),
        notes,
        look,
    )


def _attributes(shape: Any) -> dict[str, Singles]:
    """Texture coordinates, normals and colours that are the file's own."""
    found: dict[str, Singles] = {}
    uv = getattr(shape.visual, "uv", None)
    if uv is not None:
        up = np.asarray(uv, np.float32)[:, :2]
        found["TEXCOORD_0"] = np.nan_to_num(np.stack([up[:, 0], 1 - up[:, 1]], axis=1), posinf=0, neginf=0)
    if "vertex_normals" in shape._cache:  # set where the file has them, made on asking where it has not
        found["NORMAL"] = directions(np.asarray(shape.vertex_normals, np.float64), (0.0, 0.0, 1.0))
    if getattr(shape.visual, "kind", None) == "vertex":
        found["COLOR_0"] = linear_colours(shape.visual.vertex_colors)
    return found


def _material(name: str, material: Any, names: list[str]) -> dict[str, Any]:
    """A glTF material of an .mtl's; the file of its picture is put down in `names`.

    Colours are taken as they stand, as the exporters of today write them. [choice]
    """
    said = {key.lower(): value for key, value in material.kwargs.items()}
    colour = _numbers(said.get("kd"), 3) or [0.8, 0.8, 0.8]
    opacity = _numbers(said.get("d"), 1) or [1 - share for share in _numbers(said.get("tr"), 1)] or [1.0]
    shine = _numbers(said.get("ns"), 1)
    rough = _numbers(said.get("pr"), 1) or [(2 / (shine[0] + 2)) ** 0.5 if shine and shine[0] >= 0 else 0.8]
    metal = _numbers(said.get("pm"), 1) or [0.0]
    surface: dict[str, Any] = {
        "baseColorFactor": [min(max(one, 0.0), 1.0) for one in (*colour, *opacity)],
        "metallicFactor": min(max(metal[0], 0.0), 1.0),
        "roughnessFactor": min(max(rough[0], 0.0), 1.0),
    }
    # Where there are texture coordinates and no material, trimesh has a picture of its own, which is of no file.
    file = None if material.image is None else material.image.info.get("file_path")
    if file is not None:
        if file not in names:
            names.append(file)
        surface["baseColorTexture"] = {"index": names.index(file)}
    found = {"name": name, "doubleSided": True, "pbrMetallicRoughness": surface}
    if any(glow := _numbers(said.get("ke"), 3)):
        found["emissiveFactor"] = [min(max(one, 0.0), 1.0) for one in glow]
    return found if opacity[0] >= 1 else found | {"alphaMode": "BLEND"}


def _numbers(value: Any, count: int) -> list[float]:
    """The finite numbers of a line of an .mtl; none where it has others."""
    words = value if isinstance(value, list | tuple) else [] if value is None else [value]
    try:
        numbers = [float(word) for word in words[:count]]
    except ValueError:
        return []
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else []


class _Folder:
    """What trimesh asks for the files that an .obj names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held: dict[str, bytes] = {}
        self.kinds: dict[str, dict[str, str]] = {}
        self.missing: dict[str, None] = {}

    def get(self, name: str) -> bytes:
        """The bytes of a file, as it is named there: behind options, with slashes of either kind.

        Raises:
            FileNotFoundError: it is not there, or outside of the folder, or a picture that does not open.
        """
        try:
            data = read_beside(self.path, "", _plain(name), MOST_BYTES)
            if not name.lower().endswith(".mtl"):
                self.held[name], self.kinds[name] = _known(data)
        except Exception as error:  # trimesh passes over whatever is raised here: it is told later
            self.missing[_plain(name)] = None
            raise FileNotFoundError(name) from error
        return data

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)


def _plain(name: str) -> str:
    """A file's name without a texture's options."""
    words = name.split()
    while words and words[0].startswith("-") and len(words) > 1:
        most, at = _NUMBERS.get(words[0].lower(), 0), 1
        while most and at < len(words) and at <= most and _numbers(words[at], 1):
            at += 1
        words = words[at if most else 2 :]
    return " ".join(words).replace("\\", "/")


def _known(data: bytes) -> tuple[bytes, dict[str, str]]:
    """A picture as glTF knows it: PNG and JPEG as they are, others as PNG."""
    if kind := picture_kind(data):
        return data, {"mimeType": kind}
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGBA").save(buffer, "PNG")
    return buffer.getvalue(), {"mimeType": "image/png"}
