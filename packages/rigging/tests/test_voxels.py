"""Surface cells and filled cells: worked example 8 of rigging_geometry.md, and what the surface test guarantees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import Mesh, RigError
from guerdon_rigging.sampling import surface_points
from guerdon_rigging.voxels import Voxels, enclosed, solid_voxels, surface_voxels

CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
SQUARES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
BOX = np.array([half for a, b, c, d in SQUARES for half in ((a, b, c), (a, c, d))])


def box(low=(-1, -1, -1), high=(1, 1, 1), without=()):
    faces = np.delete(BOX, [2 * side + half for side in without for half in (0, 1)], axis=0)
    return Mesh(np.array(low) + CORNERS * (np.array(high, float) - low), faces)


def test_a_shell_is_filled():
    """Worked example 8: 26 cells, then 27."""
    shell = np.ones((3, 3, 3), bool)
    shell[1, 1, 1] = False
    assert enclosed(shell, 3).sum() == 27
    shell[1, 1, 0] = False
    assert enclosed(shell, 3).sum() == 25
    assert enclosed(shell, 2).sum() == 27


def test_filling_starts_anywhere_in_the_grid_and_nothing_stays_nothing():
    shell = np.zeros((9, 8, 7), bool)
    shell[4:7, 2:5, 3:6] = True
    shell[5, 3, 4] = False
    assert enclosed(shell).sum() == 27
    assert not enclosed(np.zeros((3, 3, 3), bool)).any()
    with pytest.raises(ConfigError):
        enclosed(shell, 1)


def test_a_box_is_its_walls_and_then_full():
    """8^3 cells, of which 6^3 are within."""
    surface = surface_voxels(box(), 8)
    assert surface.filled.shape == (8, 8, 8)
    assert surface.size == 0.25
    assert surface.origin.tolist() == [-1, -1, -1]
    assert surface.filled.sum() == 8**3 - 6**3
    assert solid_voxels(box(), 8).filled.all()


def test_the_resolution_is_that_of_the_longest_side():
    """A box 4 x 2 x 1 in a grid of 8: cells of .5; its cube is centred on it, so 4 of 8 cells are between its walls."""
    found = solid_voxels(box((0, 0, 0), (4, 2, 1)), 8)
    assert found.size == 0.5
    assert found.origin.tolist() == [0, -1, -1.5]
    low, high = found.indices.min(axis=0), found.indices.max(axis=0)
    assert low.tolist() == [0, 2, 3]
    # The far walls of y and z lie on the floor of the next cell, and are in it.
    assert high.tolist() == [7, 6, 5]


def test_an_open_box_is_filled_by_two_axes_only():
    assert solid_voxels(box(without=[0]), 8).filled.sum() < 8**3 - 6**2
    assert solid_voxels(box(without=[0]), 8, axes=2).filled.all()


def test_parts_are_filled_each():
    parts = [box(), box((2, -1, -1), (4, 1, 1))]
    both = Mesh(np.concatenate([one.vertices for one in parts]), np.concatenate([BOX, BOX + 8]))
    found = solid_voxels(both, 40)
    assert found.contains(np.array([[0.0, 0, 0], [3, 0, 0], [-0.99, 0.99, 0]])).all()


@pytest.mark.parametrize("resolution", [5, 16, 64])
def test_every_cell_with_a_point_of_the_surface_is_found(resolution):
    """Ten triangles across the whole grid, slivers among them, by 200,000 points drawn on them."""
    rng = np.random.default_rng(resolution)
    vertices = rng.uniform(-1, 1, (30, 3))
    vertices[2] = (vertices[0] + vertices[1]) / 2 + 1e-4
    tangle = Mesh(vertices, np.arange(30).reshape(10, 3))
    found = surface_voxels(tangle, resolution)
    drawn = surface_points(tangle, 200_000, rng).points
    assert found.contains(drawn).all()
    hit = np.zeros_like(found.filled)
    hit[tuple(found.cells(drawn)[0].T)] = True
    # What drawing misses is cells that are cut at a corner.
    assert hit.sum() > 0.9 * found.filled.sum()


def test_cells_the_surface_does_not_touch_are_not_set():
    """The plane x + y + z = 0 cuts a cell of size h where |x + y + z| of its centre is at most 1.5 h."""
    plane = Mesh(np.array([(1.0, 0, -1), (0, 1, -1), (-1, 1, 0), (-1, 0, 1), (0, -1, 1), (1, -1, 0)]),
                 np.array([(0, k, k + 1) for k in range(1, 5)]))  # fmt: skip
    found = surface_voxels(plane, 20)
    assert np.abs(found.centres.sum(axis=1)).max() <= 1.5 * found.size + 1e-9
    wanted = np.argwhere(np.abs(np.indices((20, 20, 20)).sum(axis=0) + 1.5 - 30) < 1.5 - 1e-9)
    inner = (np.abs(found.origin + (wanted + 0.5) * found.size) < 0.45).all(axis=1)
    assert found.filled[tuple(wanted[inner].T)].all()


def test_a_triangle_that_is_a_line_sets_its_line_and_a_point_its_cell():
    degenerate = Mesh(np.array([(0.0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5)]), np.array([(0, 2, 1), (0, 0, 0)]))
    found = surface_voxels(degenerate, 4)
    assert found.filled[np.arange(4), np.arange(4), np.arange(4)].all()


def test_the_upper_face_is_in_the_last_cell_and_beyond_it_is_outside():
    found = solid_voxels(box(), 10)
    assert found.cells(np.array([[1.0, -1, 0]]))[0].tolist() == [[9, 0, 5]]
    inside = found.contains(np.array([[1.0, 1, 1], [-1, -1, -1], [1.001, 0, 0], [0, 0, -5]]))
    assert inside.tolist() == [True, True, False, False]


@pytest.mark.filterwarnings("error")
def test_what_is_not_finite_is_outside():
    points = np.array([[np.nan, 0, 0], [np.inf, 0, 0], [0, 0, -np.inf], [0, 0, 1e308]])
    assert solid_voxels(box(), 10).contains(points).tolist() == [False] * 4


def test_centres_are_those_of_set_cells():
    grid = Voxels(np.zeros((2, 3, 4), bool), np.array([1.0, 0, 0]), 0.5)
    grid.filled[1, 2, 3] = True
    assert grid.centres.tolist() == [[1.75, 1.25, 1.75]]
    assert grid.contains(grid.centres).all()


def test_meshes_without_a_surface_are_refused():
    with pytest.raises(RigError, match="no triangle"):
        surface_voxels(Mesh(np.zeros((3, 3)), np.zeros((0, 3), np.int64)))
    with pytest.raises(RigError, match="extent"):
        surface_voxels(Mesh(np.ones((3, 3)), np.array([(0, 1, 2)])))
