"""Pictures in prompts: decoded whole, and a broken one is named."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image
import pytest

from guerdon.errors import TaskError
from guerdon.parsing.images import opened
from guerdon.types import Image, Message, Prompt


def png(size: tuple[int, int] = (4, 3)) -> bytes:
    written = io.BytesIO()
    PIL.Image.new("RGBA", size, (255, 0, 0, 255)).save(written, "PNG", compress_level=0)
    return written.getvalue()


def test_a_picture_comes_back_in_rgb_from_a_file_and_from_bytes(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png())
    for image in (Image(str(tmp_path / "a.png")), Image(data=png())):
        picture = opened(image)
        assert (picture.mode, picture.size, picture.getpixel((0, 0))) == ("RGB", (4, 3), (255, 0, 0))


@pytest.mark.parametrize("content", [b"", b"not a picture", png((64, 64))[:9000]], ids=["empty", "text", "cut"])
def test_a_broken_picture_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(TaskError, match=r"broken\.png"):
        opened(Image(str(tmp_path / "broken.png")))


def test_a_missing_picture_is_named(tmp_path: Path):
    with pytest.raises(TaskError, match=r"none\.png' does not exist"):
        opened(Image(str(tmp_path / "none.png")))


def test_an_image_is_a_file_or_bytes_and_not_both_or_neither():
    for fields in ({}, {"path": "a.png", "data": b"x"}):
        with pytest.raises(ValueError, match="one of the two"):
            Image(**fields)


def test_a_prompt_tells_its_images_in_order():
    first, second = Image("a.png"), Image("b.png")
    messages = (Message("user", "one", (first,)), Message("user", "two"), Message("user", "three", (second,)))
    assert Prompt(messages).images == (first, second)
