"""Pictures of attempts: the frame with what was planned and what was driven."""

from __future__ import annotations

import io
import json

import PIL.Image
import pytest

from guerdon.errors import TaskError
from guerdon_driving.drawing import PLAN_COLOUR, RIGHT_COLOUR, STRIP, WRONG_COLOUR
from guerdon_driving.examples import DrivingExample
from guerdon_driving.filed_tasks import JsonLines
from guerdon_driving.tasks import Highway
from guerdon_driving.trajectory_tasks import HighwayTrajectories

RIGHT, WRONG = "<answer> KEEP, LEFT_TURN </answer>", "<answer> STOP, STRAIGHT </answer>"
FUTURE = tuple((5.0 * i, 0.0, 0.0) for i in range(1, 7))
ANYTHING = ["", "no words", "<answer>", "<answer> KEEP, STOP, LEFT_TURN </answer>", "\x00\ud800 保持", "x" * 1_000_000]


@pytest.fixture
def example(tmp_path):
    """A frame of one colour, 64 by 64."""
    PIL.Image.new("RGB", (64, 64), (38, 52, 38)).save(tmp_path / "frame.png")
    return DrivingExample(id="1", image=str(tmp_path / "frame.png"), solution=RIGHT, future=FUTURE)


def drawn(task, example, completion):
    return PIL.Image.open(io.BytesIO(task.picture(example, completion))).convert("RGB")


def has(picture, colour, below=False):
    top = picture.height - STRIP
    part = picture.crop((0, top, picture.width, picture.height) if below else (0, 0, picture.width, top))
    near = 60 if below else 0  # letters have soft edges
    seen = (each for _, each in part.getcolors(1_000_000))
    return any(sum(abs(a - b) for a, b in zip(each, colour, strict=True)) <= near for each in seen)


def test_a_plan_is_an_arrow_and_words_in_the_colour_of_their_truth(example):
    right, wrong = (drawn(Highway(), example, text) for text in (RIGHT, WRONG))
    assert right.size == (384, 384 + STRIP)
    assert has(right, PLAN_COLOUR)
    assert has(right, RIGHT_COLOUR, below=True)
    assert not has(right, WRONG_COLOUR, below=True)
    assert has(wrong, WRONG_COLOUR, below=True)
    assert not has(wrong, RIGHT_COLOUR, below=True)


@pytest.mark.parametrize("text", ANYTHING, ids=lambda text: repr(text[:12]))
def test_what_names_no_one_plan_is_shown_without_an_arrow(example, text):
    for task in (Highway(), HighwayTrajectories(), JsonLines(path="x")):
        picture = drawn(task, example, text)
        assert not has(picture, PLAN_COLOUR)
        assert has(picture, WRONG_COLOUR, below=True)


def test_a_camera_frame_has_words_and_no_arrow(example, tmp_path):
    wide = PIL.Image.new("RGB", (1600, 900), (150, 185, 215))
    wide.save(tmp_path / "camera.jpg")
    seen = example.model_copy(update={"image": str(tmp_path / "camera.jpg")})
    picture = drawn(JsonLines(path="x"), seen, RIGHT)
    assert picture.size == (384, 216 + STRIP)
    assert has(picture, RIGHT_COLOUR, below=True)
    assert not has(drawn(Highway(view="front"), example, RIGHT), PLAN_COLOUR)


def test_a_path_is_drawn_over_the_driven_one(example):
    """Aside by 5 m both are seen; the driven path itself covers the driven one."""
    beside = f"<answer> {json.dumps([[x, 5.0] for x, _, _ in FUTURE])} </answer>"
    picture = drawn(HighwayTrajectories(), example, beside)
    assert has(picture, PLAN_COLOUR)
    assert has(picture, RIGHT_COLOUR)
    same = drawn(HighwayTrajectories(), example, HighwayTrajectories().reference(example))
    assert not has(same, RIGHT_COLOUR)
    assert not has(same, WRONG_COLOUR, below=True)


def test_a_trajectory_that_is_none_is_told(example):
    nan = "<answer> [[NaN, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0]] </answer>"
    picture = drawn(HighwayTrajectories(), example, nan)
    assert not has(picture, PLAN_COLOUR)
    assert has(picture, WRONG_COLOUR, below=True)


def test_a_blind_example_has_no_picture_and_a_broken_image_is_named(example, tmp_path):
    for task in (Highway(), HighwayTrajectories(), JsonLines(path="x")):
        assert task.picture(example.model_copy(update={"image": ""}), RIGHT) is None
        (tmp_path / "broken.png").write_bytes(b"no picture")
        with pytest.raises(TaskError, match=r"broken\.png"):
            task.picture(example.model_copy(update={"image": str(tmp_path / "broken.png")}), RIGHT)
