"""Boxes overlap where they do, whichever way the world is turned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon_driving.boxes import corners, overlap
from guerdon_driving.polygons import contains, reached

EGO, EGO_SIZE, OTHER_SIZE = np.zeros(3), (4.084, 1.85), (4.0, 1.8)


@pytest.mark.parametrize(
    ("pose", "wanted"),
    [
        ((4.0, 0.0, 0.0), True),
        ((4.05, 0.0, 0.0), False),
        ((0.0, 1.825, 0.0), True),
        ((0.0, 1.9, 0.0), False),
        ((3.2, 1.9, math.radians(45)), True),
        ((4.0, 2.5, math.radians(90)), False),
    ],
)
def test_the_sheets_boxes(pose, wanted):
    """Worked example 2."""
    assert bool(overlap(EGO, EGO_SIZE, np.array(pose), OTHER_SIZE)) is wanted


poses = st.tuples(st.floats(-8, 8), st.floats(-8, 8), st.floats(-7, 7)).map(np.array)
sizes = st.tuples(st.floats(0.2, 6), st.floats(0.2, 3))


def gap_is_clear(a, size_a, b, size_b):
    """Neither touching nor nearly so: then rounding cannot decide."""
    return overlap(a, np.array(size_a) + 1e-6, b, np.array(size_b) + 1e-6) == overlap(
        a, np.array(size_a) - 1e-6, b, np.array(size_b) - 1e-6
    )


@settings(deadline=None)
@given(poses, sizes, poses, sizes)
def test_overlap_is_mutual(a, size_a, b, size_b):
    if gap_is_clear(a, size_a, b, size_b):
        assert overlap(a, size_a, b, size_b) == overlap(b, size_b, a, size_a)


@settings(deadline=None)
@given(poses, sizes, poses, sizes, poses)
def test_overlap_does_not_depend_on_where_the_world_is_looked_at_from(a, size_a, b, size_b, frame):
    cos, sin = math.cos(frame[2]), math.sin(frame[2])

    def moved(pose):
        x, y, heading = pose
        return np.array([frame[0] + cos * x - sin * y, frame[1] + sin * x + cos * y, heading + frame[2]])

    if gap_is_clear(a, size_a, b, size_b):
        assert overlap(a, size_a, b, size_b) == overlap(moved(a), size_a, moved(b), size_b)


@settings(deadline=None)
@given(poses, sizes, poses, sizes)
def test_overlap_is_what_clipping_one_box_by_the_other_leaves(a, size_a, b, size_b):
    """Another way to the same answer: cut one rectangle by the half planes of the other, and see what is left."""
    if not gap_is_clear(a, size_a, b, size_b):
        return
    left = [tuple(corner) for corner in corners(b, size_b)]
    frame = corners(a, size_a)
    for start, end in zip(frame, np.roll(frame, -1, axis=0), strict=True):
        kept, run = [], end - start
        sides = [run[0] * (y - start[1]) - run[1] * (x - start[0]) for x, y in left]
        for place, (point, side) in enumerate(zip(left, sides, strict=True)):
            before, side_before = left[place - 1], sides[place - 1]
            if (side >= 0) != (side_before >= 0):
                share = side_before / (side_before - side)
                kept.append(tuple(np.array(before) + share * (np.array(point) - np.array(before))))
            if side >= 0:
                kept.append(point)
        left = kept
        if not left:
            break
    assert bool(left) == bool(overlap(a, size_a, b, size_b))


def test_batches_broadcast_and_one_that_is_not_there_overlaps_nothing():
    ego = np.zeros((3, 1, 5, 3))  # trajectories, objects, poses
    others = np.zeros((2, 5, 3))
    others[1, 2:] = np.nan
    found = overlap(ego, EGO_SIZE, others, np.array([[4.0, 2.0], [1.0, 1.0]])[:, None])
    assert found.shape == (3, 2, 5)
    assert found[:, 0].all()
    assert found[:, 1].tolist() == [[True, True, False, False, False]] * 3


def test_no_objects_are_no_overlaps():
    assert overlap(np.zeros((2, 1, 4, 3)), EGO_SIZE, np.zeros((0, 4, 3)), np.zeros((0, 1, 2))).shape == (2, 0, 4)


POLYGON = np.array([[0.0, 0], [6, 0], [6, 4], [3, 1], [0, 4]])  # a notch from above


@pytest.mark.parametrize(
    ("point", "wanted"),
    [
        ((1.0, 1.0), True),
        ((3.0, 0.5), True),
        ((3.0, 2.0), False),
        ((3.0, 1.0), True),
        ((6.0, 2.0), True),
        ((0.0, 0.0), True),
        ((4.0, 2.0), True),
        ((7.0, 0.0), False),
        ((-1.0, 4.0), False),
        ((3.0, 4.0), False),
        ((2.0, 0.0), True),
        ((float("nan"), 1.0), False),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_border_belongs_to_its_area(point, wanted, turned):
    polygon = POLYGON[::-1] if turned else POLYGON
    assert bool(contains(polygon, np.array(point))) is wanted


def test_many_points_are_as_each_alone_by_a_plain_count_of_crossings():
    rng = np.random.default_rng(0)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 30))
    star = np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(2, 10, (30, 1))
    points = rng.uniform(-10, 10, (2000, 2))

    def inside(x, y):
        odd = False
        for (x0, y0), (x1, y1) in zip(star, np.roll(star, -1, axis=0), strict=True):
            if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                odd = not odd
        return odd

    assert contains(star, points).tolist() == [inside(*point) for point in points]


@pytest.mark.parametrize(
    ("x", "wanted"), [(-3.0, False), (-2.0, True), (-1.0, True), (3.0, True), (7.5, True), (8.5, False)]
)
def test_a_box_reaches_an_area_by_corner_or_border(x, wanted):
    """The box is 4 m long; the area begins at 0 and ends at 6, so that -2 touches. At 3 a wide one covers it."""
    box = corners(np.array([x, 2.0, 0.0]), (4.0, 1.0))
    wide = corners(np.array([x, 2.0, 0.0]), (4.0, 20.0))
    square = np.array([[0.0, 0], [6, 0], [6, 4], [0, 4]])
    assert bool(reached(square, box)) is wanted
    assert bool(reached(square, wide)) is wanted


def test_an_area_within_the_box_is_reached():
    tiny = np.array([[-0.1, -0.1], [0.1, -0.1], [0.0, 0.1]])
    assert bool(reached(tiny, corners(EGO, EGO_SIZE)))
