"""Pictures of rigs without a display: the mesh in soft light, its weights as colours, its bones on top.

    Path("horse.png").write_bytes(picture(rig))
    Path("horse.gif").write_bytes(turntable(rig))

Rays are cast by embree on the CPU, twice as many each way as the picture has pixels. Each joint has a colour; a vertex
has the mixture that its weights say, so a smooth fade is a shared vertex and a hard edge is none.
"""

from __future__ import annotations

import io
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from embreex import mesh_construction, rtcore_scene
from PIL import Image, ImageDraw

from guerdon.fields import one_of, whole_number
from guerdon_rigging.cameras import Camera, framed, snug
from guerdon_rigging.rigs import Floats, Ints, Mesh, Rig, RigError, Skeleton
from guerdon_rigging.sampling import areas, vertex_normals

Colours = Literal["weights", "plain"]
Form = Literal["gif", "strip"]
Bytes = npt.NDArray[np.uint8]

FINER = 2
"""Rays per pixel in each direction."""
TOP, BOTTOM = np.array([250.0, 251, 253]), np.array([228.0, 232, 238])
"""The background's colours."""
PLAIN = np.array([0.80, 0.79, 0.77])
"""A mesh's colour without weights."""
CREASE = np.cos(np.radians(40))
"""Where a triangle turns off its vertices' normals by more, it is shaded flat."""
LIGHTS = (((0.5, 0.8, 0.7), 0.62), ((-0.8, 0.3, 0.35), 0.22), ((0.0, 0.4, -1.0), 0.12))
"""Directions to them in the camera's axes, and how strong: key, fill, rim."""


def picture(
    rig: Rig,
    yaw: float = 30.0,
    *,
    pitch: float = 12.0,
    size: int = 512,
    colours: Colours = "weights",
    bones: bool = True,
) -> bytes:
    """A square PNG of the rig.

    Args:
        rig: in any units.
        yaw: degrees about the upright axis; 0 is from the front.
        pitch: degrees from above, between -90 and 90.
        size: pixels a side.
        colours: of the mesh: its weights, a colour per joint, or a plain grey.
        bones: drawn over the mesh.

    Raises:
        RigError: the mesh has no triangle.
        ConfigError: another word for `colours`, no pixel, or an angle that is none.
    """
    return _png(image(rig, snug(rig.mesh.vertices, yaw, pitch), size=size, colours=colours, bones=bones))


def turntable(
    rig: Rig,
    *,
    frames: int = 24,
    size: int = 320,
    pitch: float = 12.0,
    colours: Colours = "weights",
    bones: bool = True,
    form: Form = "gif",
) -> bytes:
    """The rig from all around: a GIF that turns once in about two seconds, or a PNG strip of `frames` views.

    Raises:
        RigError: the mesh has no triangle.
        ConfigError: no frame, another word for `form`, or what `picture` refuses.
    """
    whole_number("frames", frames, 1)
    one_of("form", form, get_args(Form))
    scene = _Scene(rig.mesh)
    views = [
        image(
            rig,
            framed(rig.mesh.vertices, 30 + 360 * frame / frames, pitch),
            size=size,
            colours=colours,
            bones=bones,
            scene=scene,
        )
        for frame in range(frames)
    ]
    if form == "strip":
        return _png(strip(views))
    out = io.BytesIO()
    first, *rest = [view.quantize(128, dither=Image.Dither.NONE) for view in views]
    first.save(out, "GIF", save_all=True, append_images=rest, duration=max(2000 // frames, 40), loop=0)
    return out.getvalue()


def strip(views: list[Image.Image]) -> Image.Image:
    """Pictures of one height side by side."""
    joined = Image.new("RGB", (sum(view.width for view in views), views[0].height))
    at = 0
    for view in views:
        joined.paste(view, (at, 0))
        at += view.width
    return joined


def image(
    rig: Rig,
    camera: Camera,
    *,
    size: int = 512,
    colours: Colours = "weights",
    bones: bool = True,
    scene: _Scene | None = None,
) -> Image.Image:
    """As `picture`, through a camera of one's own."""
    whole_number("size", size, 1)
    one_of("colours", colours, get_args(Colours))
    fine = size * FINER
    scene = scene or _Scene(rig.mesh)
    tints = palette(len(rig.skeleton))
    if colours == "weights":
        loose = np.maximum(1 - rig.weights.sum(axis=1, keepdims=True), 0)  # what follows no joint is plain
        own = np.clip(rig.weights @ tints + loose * PLAIN, 0, 1)
        own = 0.12 + 0.88 * own
    else:
        own = np.broadcast_to(PLAIN, (len(rig.mesh.vertices), 3))
    canvas = Image.fromarray(scene.shaded(camera, fine, own))
    canvas = canvas.resize((size, size), Image.Resampling.BOX)
    return _with_bones(canvas, rig.skeleton, camera, tints) if bones else canvas


def silhouette(mesh: Mesh, camera: Camera, size: int) -> npt.NDArray[np.bool_]:
    """(size, size): the pixels whose middle sees the mesh."""
    scene = _Scene(mesh)
    seen = np.zeros((size, size), bool)
    rows, columns, _ = scene.hits(camera, size)
    seen[rows, columns] = True
    return seen


def visible_colours(mesh: Mesh, camera: Camera, size: int, colours: Floats) -> Floats:
    """(size, size, 3): the vertices' colours, (N, 3), where their mesh is seen, without light; NaN elsewhere."""
    scene = _Scene(mesh)
    seen = np.full((size, size, 3), np.nan)
    rows, columns, (triangle, where) = scene.hits(camera, size)
    seen[rows, columns] = np.einsum("pc,pcx->px", where, colours[mesh.faces[triangle]])
    return seen


def palette(count: int) -> Floats:
    """(count, 3) in [0, 1]: colours that neighbours in the list do not share.

    Hues go round by the golden angle, so that any run of joints has hues far apart; lightness alternates.
    """
    index = np.arange(count)
    hue = np.radians(25 + 137.508 * index)
    lightness = np.array([0.72, 0.58, 0.82])[index % 3]
    chroma = np.array([0.14, 0.16, 0.11])[index % 3]
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    # OKLab to linear sRGB (Ottosson 2020), then its gamma
    roots = lab @ np.array(
        [[1, 1, 1], [0.3963377774, -0.1055613458, -0.0894841775], [0.2158037573, -0.0638541728, -1.291485548]]
    )
    linear = roots**3 @ np.array(
        [
            [4.0767416621, -1.2684380046, -0.0041960863],
            [-3.3077115913, 2.6097574011, -0.7034186147],
            [0.2309699292, -0.3413193965, 1.7076147010],
        ]
    )
    linear = np.clip(linear, 0, 1)
    found: Floats = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return found


class _Scene:
    """A mesh that rays can be cast at, from several cameras."""

    def __init__(self, mesh: Mesh) -> None:
        if not len(mesh.faces):
            raise RigError("the mesh has no triangle; there is nothing to draw")
        self._mesh = mesh
        corners = mesh.vertices[mesh.faces]
        self._flat = areas(mesh)[1]
        self._smooth = vertex_normals(mesh)
        self._scene = rtcore_scene.EmbreeScene()
        mesh_construction.TriangleMesh(self._scene, corners.astype(np.float32))

    def hits(self, camera: Camera, size: int) -> tuple[Ints, Ints, tuple[Ints, Floats]]:
        """Rows and columns of the pixels that see the mesh; which triangle, and where in it (P, 3)."""
        pixels, _ = camera.project(self._mesh.vertices, size)
        low = np.clip(np.floor(pixels.min(axis=0)) - 1, 0, size).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, size).astype(int)
        grid = np.meshgrid(np.arange(low[1], high[1]), np.arange(low[0], high[0]), indexing="ij")
        rows, columns = (line.ravel() for line in grid)
        ways = camera.directions(columns, rows, size).astype(np.float32)
        eyes = np.broadcast_to(camera.eye.astype(np.float32), ways.shape).copy()
        found = self._scene.run(eyes, ways, output=True)
        hit = np.flatnonzero(found["primID"] >= 0)
        u, v = found["u"][hit].astype(np.float64), found["v"][hit].astype(np.float64)
        return rows[hit], columns[hit], (found["primID"][hit].astype(np.int64), np.stack([1 - u - v, u, v], axis=1))

    def shaded(self, camera: Camera, size: int, colours: Floats) -> Bytes:
        """(size, size, 3): the mesh in those colours of its vertices, (N, 3), on the background."""
        canvas = np.repeat(np.linspace(TOP, BOTTOM, size)[:, None], size, axis=1)
        rows, columns, (triangle, where) = self.hits(camera, size)
        corners = self._mesh.faces[triangle]
        normals = _unit(np.einsum("pc,pcx->px", where, self._smooth[corners]))
        flat = self._flat[triangle]
        sharp = (normals * flat).sum(axis=1) < CREASE
        normals[sharp] = flat[sharp]
        ways = camera.directions(columns, rows, size)
        normals *= np.where((normals * ways).sum(axis=1, keepdims=True) > 0, -1, 1)  # seen from within: two-sided
        facing = normals @ camera.axes.T
        light = 0.34 + 0.10 * facing[:, 1]
        for way, strength in LIGHTS:
            towards = np.array(way) / np.linalg.norm(way)
            light = light + strength * np.clip((facing @ towards + 0.25) / 1.25, 0, 1)
        edge = np.clip(1 - np.abs((normals * ways).sum(axis=1)), 0, 1) ** 3
        own = np.einsum("pc,pcx->px", where, colours[corners])
        shine = 0.10 * np.clip(facing @ (np.array([0.35, 0.55, 0.76])), 0, 1) ** 24
        canvas[rows, columns] = 255 * np.clip(own * (light - 0.22 * edge)[:, None] + shine[:, None], 0, 1)
        return canvas.round().astype(np.uint8)


def _with_bones(canvas: Image.Image, skeleton: Skeleton, camera: Camera, tints: Floats) -> Image.Image:
    """The skeleton drawn over a picture: a slim kite from each joint to each child, a dot on each joint."""
    fine = canvas.width * FINER
    layer = Image.new("RGBA", (fine, fine), (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    spots, depths = camera.project(skeleton.joints, fine)
    near = 0.05 * camera.distance
    dot = max(fine / 190, 3.0)
    line = max(round(fine / 512), 1)
    dark = (38, 42, 52, 255)
    for joint in np.argsort(-depths, kind="stable").tolist():
        colour = (*(int(255 * one) for one in 0.25 + 0.75 * tints[joint]), 255)
        for child in skeleton.children[joint]:
            start, end = spots[joint], spots[child]
            if min(depths[joint], depths[child]) < near:  # it ends beside or behind the eye
                if max(depths[joint], depths[child]) < near:
                    continue
                share = (near - depths[joint]) / (depths[child] - depths[joint])
                way = skeleton.joints[child] - skeleton.joints[joint]
                (cut,), _ = camera.project((skeleton.joints[joint] + share * way)[None], fine)
                start, end = (cut, end) if depths[joint] < near else (start, cut)
            _kite(pen, start, end, dot * 1.15, colour, dark, line)
    for joint in np.argsort(-depths, kind="stable").tolist():
        if depths[joint] < near:
            continue
        x, y = spots[joint].tolist()
        radius = dot * (1.35 if joint == 0 else 1.0)
        fill = (255, 255, 255, 255) if joint else (255, 214, 64, 255)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill, outline=dark, width=line)
    layer.putalpha(layer.getchannel("A").point(lambda alpha: int(alpha * 0.86)))
    small = layer.resize(canvas.size, Image.Resampling.BOX)
    return Image.alpha_composite(canvas.convert("RGBA"), small).convert("RGB")


def _kite(
    pen: ImageDraw.ImageDraw,
    start: Floats,
    end: Floats,
    width: float,
    fill: tuple[int, ...],
    outline: tuple[int, ...],
    line: int,
) -> None:
    way = end - start
    long = float(np.linalg.norm(way))
    if long < 1:
        return
    across = np.array([-way[1], way[0]]) / long * min(width, 0.3 * long)
    belly = start + way * min(0.18, 2 * width / long)
    corners = [tuple(point.tolist()) for point in (start, belly + across, end, belly - across)]
    pen.polygon(corners, fill=fill, outline=outline, width=line)


def _unit(vectors: Floats) -> Floats:
    found: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return found


def _png(drawn: Image.Image) -> bytes:
    out = io.BytesIO()
    drawn.save(out, "PNG")
    return out.getvalue()
