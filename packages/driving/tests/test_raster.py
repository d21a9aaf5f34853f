"""VAD's raster, with its flaws, under its own name."""

from __future__ import annotations

import math

import numpy as np

from guerdon_driving.boxes import overlap
from guerdon_driving.raster import EGO_SIZE, ego_cells, hits, painted, points_hit, vad_collision_rate


def world(*poses):
    """One car at these poses, 4.0 x 1.8 m, over six poses."""
    others = np.array([[pose] * 6 for pose in poses], dtype=float)
    return painted(others, np.array([[4.0, 1.8]] * len(poses)))


def path(x, y=0.0):
    return np.full((1, 6, 2), (x, y))


def test_the_ego_box_is_eight_by_four_cells():
    assert len(ego_cells()) == 32


def test_a_car_ahead_is_hit_and_one_beside_is_not():
    grid = world((10.0, 0.0, 0.0))
    assert hits(path(9.0), grid).all()
    assert not hits(path(0.0), grid).any()
    assert not hits(path(10.0, 4.0), grid).any()
    assert points_hit(path(10.0), grid).all()
    assert not points_hit(path(7.0), grid).any()
    assert not points_hit(path(80.0), grid).any()


def test_the_box_is_half_a_metre_ahead_of_itself():
    """The car's ends are at 8 and 12: 4.084 / 2 before its rear is 5.958, half a metre more than what is needed."""
    grid = world((10.0, 0.0, 0.0))
    assert hits(path(5.9), grid).all()
    assert not overlap(np.array([5.9, 0, 0]), EGO_SIZE, np.array([10.0, 0, 0]), (4.0, 1.8))
    assert not hits(path(13.9), grid).any()
    assert overlap(np.array([13.9, 0, 0]), EGO_SIZE, np.array([10.0, 0, 0]), (4.0, 1.8))


def test_the_raster_ignores_the_ego_heading():
    """Turned by a right angle, the true box reaches a car 2.6 m to its side; the raster's does not."""
    turned = np.full((1, 6, 3), (0.0, 0.0, math.pi / 2))
    grid = world((0.0, 2.6, 0.0))
    assert not hits(turned, grid).any()
    assert overlap(turned[0, 0], EGO_SIZE, np.array([0.0, 2.6, 0.0]), (4.0, 1.8))


def test_a_pose_where_the_human_collides_counts_nothing():
    """Hit at all six poses; where the human collides at the first two, four of six are left."""
    grid, human = world((10.0, 0.0, 0.0)), np.zeros((6, 2))
    assert vad_collision_rate(path(10.0), human, grid, until=6).tolist() == [1.0]
    human[:2] = 10.0, 0.0
    np.testing.assert_allclose(vad_collision_rate(path(10.0), human, grid, until=6), [4 / 6])
    np.testing.assert_allclose(vad_collision_rate(path(10.0), human, grid, until=2), [0.0])


def test_what_is_not_there_paints_nothing_and_nan_hits_nothing():
    assert not painted(np.full((1, 6, 3), np.nan), np.array([[4.0, 2.0]])).any()
    assert not world((200.0, 0.0, 0.0)).any()
    assert not hits(path(np.nan), np.ones((6, 200, 200), dtype=bool)).any()
