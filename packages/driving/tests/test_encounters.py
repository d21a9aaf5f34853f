"""First encounters of many boxes with many objects, and areas of many scenes, in one go."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_driving import encounters as module
from guerdon_driving.encounters import Pairs, encounters
from guerdon_driving.polygons import Area, contains, held, in_any

SIZE = np.array([[4.0, 2.0]])


def way(begin, speed, moments=6):
    return np.stack([begin + speed * np.arange(moments), np.zeros(moments), np.zeros(moments)], axis=-1)


def met(pairs, others, boxes=None):
    boxes = np.stack([way(0.0, 2.0), way(0.0, 0.0)]) if boxes is None else boxes
    found = encounters(boxes, np.repeat(SIZE, len(boxes), axis=0), others, np.repeat(SIZE, len(others), axis=0), pairs)
    return [each.tolist() for each in (found.rows, found.objects, found.moments)]


def test_only_the_first_overlap_is_told():
    """Boxes of 4 m touch at 4 m between centres: 2 m a moment from 0 reach 10 - 4 = 6 at moment 3; one stands."""
    assert met(Pairs.of([2], [1]), way(10.0, 0.0)[None]) == [[0], [0], [3]]


def test_objects_of_another_scene_are_not_met():
    others = np.stack([way(10.0, 0.0), way(8.0, 0.0)])
    assert met(Pairs.of([1, 1], [1, 1]), others) == [[0], [0], [3]]
    assert met(Pairs.of([2, 0], [1, 1]), others) == [[0], [0], [3]]
    assert met(Pairs.of([2], [2]).without(np.array([True, False])), others) == [[0], [1], [2]]


def test_what_is_not_there_is_not_met_and_nobody_meets_nobody():
    assert met(Pairs.of([2], [1]), np.full((1, 6, 3), np.nan)) == [[], [], []]
    assert met(Pairs.of([2], [0]), np.zeros((0, 6, 3))) == [[], [], []]


@pytest.mark.parametrize("most", [1, 7, 1_000])
def test_parts_of_any_size_find_the_same(monkeypatch, most):
    monkeypatch.setattr(module, "_MOST", most)
    others = np.stack([way(10.0, 0.0), way(50.0, 0.0), way(3.0, 0.0)])
    assert met(Pairs.of([2], [3]), others) == [[0, 0, 1], [0, 2, 2], [3, 0, 0]]


def test_each_point_is_compared_with_its_own_area_only():
    """A square, a triangle with a vertex at a point's own height, and one far away."""
    square, triangle = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), np.array([[0.0, 0], [4, 0], [2, 1]])
    areas = [Area.of(each) for each in (square, triangle, square + 100)]
    points = np.array([[1.0, 1.5], [2.0, 1.0], [3.0, 1.0], [2.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    which = np.array([0, 0, 0, 1, 1, 2])
    assert held(areas, which, points).tolist() == [True, True, False, True, False, False]
    assert held([], which[:0], points[:0]).tolist() == []


def test_a_union_is_that_of_the_points_own_scene():
    near, far = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), np.array([[5.0, 0], [7, 0], [7, 2], [5, 2]])
    points = np.array([[1.0, 1.0], [6.0, 1.0]] * 3)
    areas = [[Area.of(near), Area.of(far)], [], [Area.of(far)]]
    assert in_any(areas, np.repeat(np.arange(3), 2), points).tolist() == [True, True, False, False, False, True]
    assert contains(far, points[1])
