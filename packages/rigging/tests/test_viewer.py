"""A written rig opens, bends and shows its colours in a real browser: three.js in headless Chromium.

Run by `python -m nox -s viewer`, which installs three.js. Both sides pose the rig and draw it through the same camera,
one by three.js's skinning on WebGL, the other by `guerdon_rigging.skinning` and rays.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue

import numpy as np
import pytest
from PIL import Image

from guerdon_rigging.baselines import ClosestBone
from guerdon_rigging.cameras import Camera, framed
from guerdon_rigging.creatures import creature
from guerdon_rigging.drawing import palette, silhouette, visible_colours
from guerdon_rigging.filed_meshes import filed_mesh
from guerdon_rigging.gltf_writing import glb
from guerdon_rigging.posing import in_pose, random_turns
from guerdon_rigging.rigs import Floats, Mesh, Rig, Skeleton

SIZE = 384
WAIT_S = 60.0
THREE = os.environ.get("GUERDON_THREE", "")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
KEEP = os.environ.get("GUERDON_VIEWER_SHOTS", "")
"""A folder to keep the pictures in, for people to look at."""

pytestmark = [
    pytest.mark.skipif(not THREE, reason="GUERDON_THREE names no folder of three.js; see `nox -s viewer`"),
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]
TYPES = {".js": "text/javascript", ".html": "text/html", ".json": "application/json", ".glb": "model/gltf-binary"}


@dataclass
class Site:
    """What the page asks for, and what it posts back."""

    files: dict[str, bytes]
    posted: Queue[tuple[str, bytes]] = field(default_factory=Queue)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Serves the files, and three.js below /three/."""
        site, three = self, Path(THREE).resolve()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = site.files.get(self.path)
                if body is None and self.path.startswith("/three/"):
                    file = (three / self.path.removeprefix("/three/")).resolve()
                    body = file.read_bytes() if file.is_relative_to(three) and file.is_file() else None
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", TYPES.get(Path(self.path).suffix, "text/plain"))
                self.end_headers()
                self.wfile.write(body or b"")

            def do_POST(self) -> None:
                site.posted.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@contextmanager
def browsing(site: Site, profile: Path) -> Iterator[Callable[[], tuple[str, bytes]]]:
    """The page open in a browser with a new profile; what is called gives the next post."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), site.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    flags = (
        "--headless --no-sandbox --use-angle=swiftshader --enable-unsafe-swiftshader --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage"
    )
    command = [str(BROWSER), *flags.split(), f"--user-data-dir={profile}"]
    log = (profile.parent / "browser.log").open("wb")
    browser = subprocess.Popen(
        [*command, f"http://127.0.0.1:{server.server_address[1]}/viewer.html"], stdout=log, stderr=log
    )

    def following() -> tuple[str, bytes]:
        try:
            return site.posted.get(timeout=WAIT_S)
        except Empty:
            said = (profile.parent / "browser.log").read_text(errors="replace")[-2000:]
            pytest.fail(f"the page posted nothing in {WAIT_S:.0f} s; the browser says: {said}")

    try:
        yield following
    finally:
        browser.terminate()
        try:
            browser.wait(20)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()
        log.close()
        server.shutdown()
        server.server_close()


def browsed(written: bytes, name: str, turns: Floats, camera: Camera, folder: Path) -> tuple[Floats, Floats]:
    """What the browser shows of a file, lit and with its vertices' colours as they are: (SIZE, SIZE, 4), in [0, 1]."""
    shot = {
        "size": SIZE,
        "eye": camera.eye.tolist(),
        "target": camera.target,
        "field_of_view": camera.field_of_view,
        "turns": turns.tolist(),
    }
    files = {
        "/viewer.html": Path(__file__).with_name("viewer.html").read_bytes(),
        "/shot.json": json.dumps(shot).encode(),
        "/rig.glb": written,
    }
    pictures = []
    with browsing(Site(files), folder / "profile") as following:
        for wanted in ("/lit", "/flat"):
            path, body = following()
            assert path == wanted, body.decode(errors="replace")
            if KEEP:
                (Path(KEEP) / f"{name}-{wanted[1:]}.png").write_bytes(body)
            pictures.append(np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"), float) / 255)
    return pictures[0], pictures[1]


def overlap(first: Floats, second: Floats) -> float:
    """Intersection over union of two masks."""
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize(("kind", "seed"), [("quadruped", 7), ("humanoid", 4), ("crane", 2)])
def test_a_browser_shows_the_pose_that_we_compute(kind: str, seed: int, tmp_path: Path) -> None:
    """Outlines overlap by 99 %, which the rest pose's do not; colours say that it is the outside that is seen."""
    rig = creature(kind, seed)
    compare(rig, random_turns(rig, seed, degrees=40), tmp_path)


def test_a_browser_shows_what_guerdon_rig_gives_back_in_the_units_of_a_file(tmp_path: Path) -> None:
    """A mesh a hundred times larger and elsewhere, each of its triangles with corners of its own."""
    first = creature("bird", 3)
    corners = first.mesh.vertices[first.mesh.faces.ravel()] * 100 + [300, 20, -50]
    split = Mesh(corners, np.arange(len(corners)).reshape(-1, 3))
    path = tmp_path / "bird.obj"
    path.write_text(
        "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in split.vertices)
        + "".join(f"f {a} {b} {c}\n" for a, b, c in split.faces + 1)
    )
    held = filed_mesh(path)
    weights = ClosestBone()(held.mesh, first.skeleton)
    rig, _ = held.restored(Rig(held.mesh, first.skeleton, weights))
    assert len(rig.mesh.vertices) == len(corners)
    compare(rig, random_turns(rig, 1, degrees=40), tmp_path)


CUBE = """
mtllib cube.mtl
v -1 -1 -1\nv 1 -1 -1\nv 1 1 -1\nv -1 1 -1\nv -1 -1 1\nv 1 -1 1\nv 1 1 1\nv -1 1 1
vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1
usemtl signs
f 5/1 6/2 7/3 8/4\nf 2/1 1/2 4/3 3/4\nf 6/1 2/2 3/3 7/4\nf 1/1 5/2 8/3 4/4\nf 8/1 7/2 3/3 4/4\nf 1/1 2/2 6/3 5/4
"""


def test_a_browser_shows_the_picture_that_a_rigged_mesh_wears(tmp_path: Path) -> None:
    """On a cube's front: red and green above, blue and yellow below, as the picture has them."""
    signs = np.array([[[230, 20, 20], [20, 230, 20]], [[20, 20, 230], [230, 230, 20]]], np.uint8)
    Image.fromarray(signs.repeat(32, axis=0).repeat(32, axis=1)).save(tmp_path / "signs.png")
    (tmp_path / "cube.mtl").write_text("newmtl signs\nKd 1 1 1\nmap_Kd signs.png\n")
    (tmp_path / "cube.obj").write_text(CUBE)
    held = filed_mesh(tmp_path / "cube.obj")
    skeleton = Skeleton(np.array([[0, -0.5, 0], [0, 0.5, 0.0]]), np.array([-1, 0]))
    one = np.eye(2)[np.zeros(len(held.mesh.vertices), int)]
    written = held.write(Rig(held.mesh, skeleton, one, "cube"), tmp_path / "cube.glb")
    camera = framed(written.mesh.vertices, yaw=0, pitch=0)
    lit, _ = browsed((tmp_path / "cube.glb").read_bytes(), "cube", np.zeros((2, 3)), camera, tmp_path)
    rows, columns = np.nonzero(lit[..., 3] > 0.5)
    top, left, height, width = rows.min(), columns.min(), np.ptp(rows), np.ptp(columns)
    seen = {
        (down, across): lit[int(top + height * (1 + 2 * down) / 4), int(left + width * (1 + 2 * across) / 4), :3] > 0.4
        for down in (0, 1)
        for across in (0, 1)
    }
    assert {place: colour.tolist() for place, colour in seen.items()} == {
        (0, 0): [True, False, False],
        (0, 1): [False, True, False],
        (1, 0): [False, False, True],
        (1, 1): [True, True, False],
    }


def compare(rig: Rig, turns: Floats, folder: Path) -> None:
    """Both sides' pictures of the rig in that pose."""
    posed = in_pose(rig, turns)
    camera = framed(posed.mesh.vertices, yaw=35, pitch=15)
    colours = rig.weights @ palette(len(rig.skeleton))
    lit, flat = browsed(glb(rig, normals=True, colours=colours), rig.name, turns, camera, folder)
    seen = flat[..., 3] > 0.5
    ours = silhouette(posed.mesh, camera, SIZE)
    assert overlap(seen, ours) >= 0.99
    assert overlap(seen, silhouette(rig.mesh, camera, SIZE)) < 0.9
    assert lit[seen][:, :3].std() > 0.05  # shaded, not a stain
    expected = visible_colours(posed.mesh, camera, SIZE, colours)
    both = seen & ours
    assert np.abs(flat[both][:, :3] - expected[both]).mean() < 0.01
