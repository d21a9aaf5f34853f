"""Pictures of rigs: what is where, in which colour, and from which side."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guerdon.errors import ConfigError
from guerdon_rigging.cameras import Camera, framed, snug
from guerdon_rigging.creatures import creature
from guerdon_rigging.drawing import image, palette, picture, silhouette, turntable
from guerdon_rigging.rigs import Mesh, Rig, RigError, Skeleton


def square(joint_x: float = 0.0) -> Rig:
    """A square of side 2 in the plane z = 0: the left half (x < 0) follows joint 0, the right half joint 1."""
    x, y = np.meshgrid([-1, -1e-9, 1e-9, 1], [-1.0, 1])
    vertices = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    faces = np.array([[low + k, low + k + 1, low + k + 5] for low in [0] for k in range(3)])
    faces = np.concatenate([faces, np.array([[k, k + 5, k + 4] for k in range(3)])])
    weights = np.stack([vertices[:, 0] < 0, vertices[:, 0] > 0], axis=1).astype(float)
    skeleton = Skeleton(np.array([[joint_x, 0, 0], [joint_x + 0.5, 0, 0]]), np.array([-1, 0]))
    return Rig(Mesh(vertices, faces), skeleton, weights)


FRONT = Camera(yaw=0, pitch=0, distance=4, field_of_view=2 * np.degrees(np.arctan(0.5)))
"""At distance 4 a picture is 4 units high: a square of side 2 covers its middle half."""


def test_a_bone_that_ends_behind_the_eye_is_cut_and_drawn_slim() -> None:
    """From the middle of the picture to (9, 0, 500), behind an eye at z = 4 or so: it is drawn to the right edge."""
    held = square()
    far = Skeleton(np.array([[0.0, 0, 0], [9, 0, 500]]), np.array([-1, 0]))
    rig = Rig(held.mesh, far, held.weights)
    bare, drawn = (np.asarray(image(rig, FRONT, size=128, bones=bones), float) for bones in (False, True))
    changed = np.abs(drawn - bare).max(axis=2) > 8
    assert 0 < changed.mean() < 0.06
    assert not changed[:, :56].any(), "nothing of it lies to the left"


def test_a_silhouette_is_where_geometry_says() -> None:
    """64 pixels for 4 units: the square covers pixels 16 to 47 in both directions."""
    seen = silhouette(square().mesh, FRONT, 64)
    expected = np.zeros((64, 64), bool)
    expected[16:48, 16:48] = True
    np.testing.assert_array_equal(seen, expected)


def test_a_point_is_projected_where_its_ray_is_cast() -> None:
    camera = Camera(yaw=40, pitch=25, distance=3, target=(0.1, 0.2, -0.1))
    ways = camera.directions(np.array([10, 50]), np.array([20, 33]), 64)
    pixels, depth = camera.project(camera.eye + 2.5 * ways, 64)
    np.testing.assert_allclose(pixels, [[10.5, 20.5], [50.5, 33.5]])
    assert (depth > 0).all()


def test_left_is_where_a_figure_that_faces_us_has_it() -> None:
    """From the front (+z) +x is to the right and +y up; from the left side (+x) the front is to the left."""
    points = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    front, _ = FRONT.project(points, 64)
    np.testing.assert_allclose(front[:2], [[48, 32], [32, 16]], atol=1e-9)
    side, _ = Camera(yaw=90, pitch=0, distance=4).project(points, 64)
    assert side[2, 0] < 32


def test_a_half_has_the_colour_of_its_joint() -> None:
    """The hue of a lit pixel is the joint's own: light scales colours, and tints them little."""
    drawn = np.asarray(image(square(), FRONT, size=64, bones=False), float)
    for column, tint in ((24, palette(2)[0]), (40, palette(2)[1])):
        got = drawn[32, column]
        assert np.argmax(got) == np.argmax(tint)
        assert np.corrcoef(got, tint)[0, 1] > 0.97


def test_bones_are_drawn_over_the_mesh_and_plain_meshes_are_grey() -> None:
    bare = np.asarray(image(square(), FRONT, size=64, colours="plain", bones=False), int)
    boned = np.asarray(image(square(), FRONT, size=64, colours="plain"), int)
    changed = np.argwhere((bare != boned).any(axis=2))
    assert changed[:, 1].min() >= 28
    assert changed[:, 1].max() <= 44
    assert np.ptp(bare[32, 24]) < 16


def test_joints_that_stand_side_by_side_have_colours_apart() -> None:
    colours = palette(60)
    assert ((colours >= 0) & (colours <= 1)).all()
    assert np.linalg.norm(np.diff(colours, axis=0), axis=1).min() > 0.25


def test_a_turntable_keeps_everything_in_its_picture() -> None:
    """A frame of background is left on every view."""
    rig = creature("insect", 2)
    strip = np.asarray(Image.open(io.BytesIO(turntable(rig, frames=4, size=96, form="strip"))))
    assert strip.shape == (96, 4 * 96, 3)
    for yaw in (0, 45, 130, 260):
        seen = silhouette(rig.mesh, framed(rig.mesh.vertices, yaw), 96)
        assert seen.any()
        assert not seen[[0, -1]].any()
        assert not seen[:, [0, -1]].any()


@pytest.mark.parametrize(("kind", "yaw"), [("snake", 0), ("snake", 90), ("chest", 30), ("fish", 200)])
def test_a_single_picture_is_filled(kind: str, yaw: float) -> None:
    """Its longer side takes 88 % of the picture, and its middle is the picture's, to a pixel."""
    mesh = creature(kind, 6).mesh
    rows, columns = np.nonzero(silhouette(mesh, snug(mesh.vertices, yaw), 200))
    spans = np.array([[rows.min(), rows.max() + 1], [columns.min(), columns.max() + 1]])
    assert 173 <= np.ptp(spans, axis=1).max() <= 179
    np.testing.assert_allclose(spans.mean(axis=1), 100, atol=1.5)


def test_a_turntable_is_a_gif_that_turns() -> None:
    shown = Image.open(io.BytesIO(turntable(creature("lamp", 2), frames=3, size=64)))
    assert (shown.format, getattr(shown, "n_frames", 1)) == ("GIF", 3)


def test_a_picture_is_a_png_of_the_size_asked_for_and_always_the_same() -> None:
    first, second = picture(square(), size=80), picture(square(), size=80)
    assert first == second
    assert Image.open(io.BytesIO(first)).size == (80, 80)


def test_a_mesh_without_triangles_cannot_be_drawn() -> None:
    bare = Rig(Mesh(np.zeros((1, 3)), np.zeros((0, 3), np.int64)), square().skeleton, np.ones((1, 2)) / 2)
    with pytest.raises(RigError, match="no triangle"):
        picture(bare)


@pytest.mark.parametrize(
    ("draw", "wrong", "said"),
    [
        (picture, {"colours": "foo"}, "colours is 'foo'; accepted are 'weights', 'plain'"),
        (turntable, {"colours": "foo"}, "colours is 'foo'"),
        (turntable, {"form": "mp4"}, "form is 'mp4'; accepted are 'gif', 'strip'"),
        (turntable, {"frames": 0}, "frames is 0; a whole number >= 1 is needed"),
        (turntable, {"frames": 2.5}, "frames is 2.5"),
        (picture, {"size": 0}, "size is 0; a whole number >= 1 is needed"),
        (turntable, {"size": 64.0}, "size is 64.0"),
        (picture, {"yaw": float("nan")}, "yaw is nan; a finite number of degrees is needed"),
        (picture, {"yaw": "left"}, "yaw is 'left'"),
        (picture, {"pitch": 90}, "pitch is 90; a number of degrees between -90 and 90 is needed"),
        (turntable, {"pitch": float("inf")}, "pitch is inf"),
    ],
)
def test_a_picture_of_nothing_that_is_known_is_refused(draw: Any, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        draw(square(), **wrong)


def test_vertices_without_weights_are_plain() -> None:
    rig = square()
    drawn = np.asarray(image(Rig(rig.mesh, rig.skeleton, 0 * rig.weights), FRONT, size=32, bones=False), int)
    assert np.ptp(drawn[16, 12]) < 16
