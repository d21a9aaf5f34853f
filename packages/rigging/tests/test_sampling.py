"""Points on surfaces, and points far apart."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import Mesh, RigError
from guerdon_rigging.sampling import areas, farthest_points, surface_points, vertex_normals


def mesh(vertices, faces):
    return Mesh(np.array(vertices, float), np.array(faces, np.int64).reshape(-1, 3))


# A triangle of area 1, one of 3, one that is a line and one that is a point.
FOUR = mesh(
    [(0, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 2), (0, -3, 0), (1, 0, 0)], [(0, 1, 2), (1, 0, 5), (0, 3, 4), (1, 1, 1)]
)


def test_areas_and_normals():
    size, normals = areas(FOUR)
    assert size.tolist() == [1, 0, 3, 0]
    assert normals.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_a_vertexs_normal_is_that_of_its_triangles_by_area():
    """At (0, 0, 0) an area of 1 along z and one of 3 along x; at (1, 0, 0) a triangle without area; one is alone."""
    found = vertex_normals(mesh([*FOUR.vertices, (9, 9, 9)], FOUR.faces))
    np.testing.assert_allclose(found[0], np.array([3, 0, 1]) / np.sqrt(10))
    assert found[[2, 3]].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert found[[5, 6]].tolist() == [[0, 0, 0], [0, 0, 0]]


def test_points_fall_by_area_and_never_on_triangles_without_one():
    """3 of 4 on the larger; 4 standard deviations of 20,000 draws are .012."""
    found = surface_points(FOUR, 20_000, np.random.default_rng(0))
    assert set(found.faces.tolist()) == {0, 2}
    assert (found.faces == 2).mean() == pytest.approx(0.75, abs=0.0125)


def test_points_lie_on_their_triangle_uniformly():
    """The mean of the corners is the centre, and a quarter of a triangle is beyond each half of an edge."""
    found = surface_points(FOUR, 20_000, np.random.default_rng(1))
    assert found.shares.min() >= 0
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    np.testing.assert_allclose(found.shares.mean(axis=0), 1 / 3, atol=0.01)
    for corner in range(3):
        assert (found.shares[:, corner] > 0.5).mean() == pytest.approx(0.25, abs=0.0125)
    np.testing.assert_allclose(found.points, found.values(FOUR.vertices))
    assert np.array_equal(found.normals, areas(FOUR)[1][found.faces])


def test_weights_are_taken_between_the_corners():
    found = surface_points(FOUR, 50, np.random.default_rng(2))
    weights = np.eye(6)
    np.testing.assert_allclose(found.values(weights).sum(axis=1), 1)
    np.testing.assert_allclose(found.values(weights)[np.arange(50)[:, None], found.corners], found.shares)


def test_the_same_seed_draws_the_same_points():
    first, second = (surface_points(FOUR, 9, np.random.default_rng(3)).points for _ in range(2))
    assert np.array_equal(first, second)


def test_some_triangles_alone_can_be_drawn_from():
    found = surface_points(FOUR, 100, np.random.default_rng(0), among=np.array([True, True, False, True]))
    assert set(found.faces.tolist()) == {0}


def test_a_surface_without_area_is_refused():
    for flat in (mesh([(0, 0, 0)], []), mesh([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [(0, 1, 2)])):
        with pytest.raises(RigError, match="area"):
            surface_points(flat, 1, np.random.default_rng(0))


def test_the_farthest_point_comes_next():
    """From 0: 10 is farthest; then 4 (4 away) and not 9 (1 away)."""
    line = np.array([[0.0, 0, 0], [1, 0, 0], [4, 0, 0], [9, 0, 0], [10, 0, 0]])
    assert farthest_points(line, 5).tolist() == [0, 4, 2, 1, 3]
    assert farthest_points(line, 2, start=2).tolist() == [2, 4]


def test_coinciding_points_are_each_taken_once():
    assert sorted(farthest_points(np.zeros((6, 3)), 6).tolist()) == [0, 1, 2, 3, 4, 5]


def test_more_points_than_there_are_is_an_error():
    with pytest.raises(ConfigError, match="from 0 to 2"):
        farthest_points(np.zeros((2, 3)), 3)
    assert farthest_points(np.zeros((0, 3)), 0).tolist() == []
