"""Inside or not, by three ways that agree where all of them can."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from guerdon.errors import ConfigError
from guerdon_rigging.containment import inside
from guerdon_rigging.rigs import Mesh, RigError

pytest.importorskip("igl")
BALL = trimesh.creation.icosphere(3)
POINTS = np.random.default_rng(0).uniform(-1.2, 1.2, (500, 3))
WAYS = ("voxels", "winding", "rays")


def mesh(whole):
    return Mesh(np.array(whole.vertices, float), np.array(whole.faces, np.int64))


@pytest.mark.parametrize("way", WAYS)
def test_points_of_a_ball(way):
    """Away from the surface by more than a cell's diagonal, 2 / 64 times sqrt 3, all ways are the radius's."""
    radius = np.linalg.norm(POINTS, axis=1)
    clear = np.abs(radius - 1) > 0.06
    assert np.array_equal(inside(mesh(BALL), POINTS, way)[clear], radius[clear] < 1)


@pytest.mark.parametrize("way", ["voxels", "winding"])
def test_a_ball_with_a_hole_and_another_ball_beside_it(way):
    """The hole is .44 wide about the upper pole; below it, cells have nothing above, and are not asked."""
    open_ball = BALL.copy()
    open_ball.update_faces(BALL.triangles_center[:, 2] < 0.9)
    both = mesh(trimesh.util.concatenate(open_ball, BALL.copy().apply_translation((3, 0, 0))))
    found = inside(both, np.array([[0.6, 0, 0], [0.6, 0, -0.5], [3, 0, 0.5], [1.5, 0, 0], [0, 0, 3.0]]), way)
    assert found.tolist() == [True, True, True, False, False]


def test_rays_of_an_open_mesh_are_refused():
    open_ball = BALL.copy()
    open_ball.update_faces(np.arange(len(BALL.faces)) > 0)
    with pytest.raises(RigError, match="not closed"):
        inside(mesh(open_ball), POINTS, "rays")


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_inside_no_surface(way):
    with pytest.raises(RigError, match="no triangle"):
        inside(Mesh(np.zeros((1, 3)), np.zeros((0, 3), np.int64)), POINTS, way)


def test_ways_are_named():
    with pytest.raises(ConfigError, match="'voxels', 'winding' or 'rays'"):
        inside(mesh(BALL), POINTS, "guess")
