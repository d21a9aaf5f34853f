"""Frames show where the ego vehicle, the others, the road and the limit are."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_driving.drawing import save_gif, with_plan
from guerdon_driving.frames import ALIKE, EGO, FASTER, GRASS, ROAD, SLOWER, bird, box, frame, relative_colour
from guerdon_driving.recordings import Lane, Moment, Notice, Recording


def recording(other: tuple[float, float] = (20.0, 0.0), speed: float = 10.0, brake: float = 0.0) -> Recording:
    """A straight road of one 4 m lane along x, the ego vehicle at the origin, one car `other` metres ahead and left."""
    x = np.arange(-40.0, 101.0, 2.0)
    centre = np.stack([x, 0 * x], axis=1)
    lane = Lane(("a", "b"), centre, centre + np.array([0, 2]), centre - np.array([0, 2]), ("solid", "solid"))
    poses = np.array([[[0.0, 0, 0], [*other, 0]]])
    return Recording(
        kind="highway",
        seed=0,
        limit=50 / 3.6,
        poses=poses,
        speeds=np.array([[10.0, speed]]),
        brakes=np.array([[0.0, brake]]),
        sizes=np.array([[5.0, 2.0], [5.0, 2.0]]),
        statics=np.zeros((0, 5)),
        lanes=(lane,),
        oncoming=(),
        intersections=(),
        moments=(Moment(0, (0,), Notice(), ""),),
    )


def near(pixel: tuple[int, ...], colour: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 40


def test_the_ego_vehicle_is_green_a_quarter_from_below():
    """128 pixels show 80 m, 20 of them behind: row 128 * 60/80 = 96; the middle of the box is its dark windscreen's
    rear, so the pixel below it is looked at.
    """
    assert near(bird(recording(), 0, (0,)).getpixel((64, 97)), EGO)


def test_a_car_is_where_it_is():
    """20 m ahead: 32 pixels up; 4 m to the left: 6.4 pixels to the left."""
    left = bird(recording((20.0, 4.0)), 0, (0,))
    assert near(left.getpixel((64 - 6, 96 - 32 + 1)), ALIKE)
    assert not near(left.getpixel((64 + 6, 96 - 32 + 1)), ALIKE)


def test_road_and_grass():
    picture = bird(recording(), 0, (0,))
    assert near(picture.getpixel((65, 110)), ROAD)
    assert picture.getpixel((10, 60)) == GRASS


@pytest.mark.parametrize(("difference", "colour"), [(-8.0, SLOWER), (-50.0, SLOWER), (0.0, ALIKE), (8.0, FASTER)])
def test_colours_tell_relative_speed(difference, colour):
    assert relative_colour(difference) == colour


def test_a_car_that_brakes_shows_it():
    assert bird(recording(brake=-3.0), 0, (0,)).tobytes() != bird(recording(brake=-0.5), 0, (0,)).tobytes()


def test_the_sign_tells_the_limit():
    import dataclasses

    fifty = recording()
    ninety = dataclasses.replace(fifty, limit=90 / 3.6)
    signs = [bird(each, 0, (0,)).crop((0, 0, 24, 24)).tobytes() for each in (fifty, ninety)]
    assert signs[0] != signs[1]


@pytest.mark.parametrize("view", ["bird", "front"])
def test_a_frame_has_the_size_asked_for(view):
    given = recording()
    assert frame(given, given.moments[0], size=64, view=view).size == (64, 64)


def test_a_box_turned_by_a_right_angle_is_as_wide_as_it_was_long():
    corners = box(1.0, 2.0, np.pi / 2, 4.0, 2.0)
    assert np.allclose(np.ptp(corners, axis=0), (2.0, 4.0))
    assert np.allclose(corners.mean(axis=0), (1.0, 2.0))


def test_a_plan_is_drawn_and_words_that_are_none_are_no_error():
    picture = bird(recording(), 0, (0,))
    drawn = with_plan(picture, ("KEEP", "LEFT_TURN"), ("KEEP", "STRAIGHT"))
    assert drawn.size == (384, 384 + 34)
    assert with_plan(picture, ("?", "?")).size == drawn.size


def test_a_gif_has_all_frames(tmp_path):
    from PIL import Image

    frames = [with_plan(bird(recording((d, 0.0)), 0, (0,)), ("KEEP", "STRAIGHT")) for d in (10.0, 20.0, 30.0)]
    save_gif(frames, tmp_path / "e.gif")
    with Image.open(tmp_path / "e.gif") as opened:
        assert opened.n_frames == 3
    with pytest.raises(ValueError, match="no frames"):
        save_gif([], tmp_path / "none.gif")
