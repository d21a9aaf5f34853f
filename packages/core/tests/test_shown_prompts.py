"""A row's prompt that shows pictures, read back: each in the message that the row says, or the row is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guerdon.errors import ConfigError
from guerdon.trainer.records import rollout_of, row_of
from guerdon.types import Example, Image, Message, Prompt, Rollout, Segment

A, B, C = (Image(f"{name}.png") for name in "abc")
EXAMPLE = Example(id="x")
TWO = Prompt((Message("user", "first", (A,)), Message("assistant", "hm"), Message("user", "then", (B, C))))


def read(said: list[dict[str, Any]], prompt: Prompt = TWO, **fields: Any) -> list[tuple[str, tuple[Image, ...]]]:
    row = {"example": "x", "completion": "yes", "prompt": said, **fields}
    return [(message.content, message.images) for message in rollout_of(row, EXAMPLE, prompt).prompt.messages]


def said(*messages: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": content, **({"images": shown[0]} if shown else {})}
        for role, content, *shown in messages
    ]


def test_what_was_written_is_read_back():
    """Beside a system message that stands in the row alone, too."""
    rollout = Rollout(EXAMPLE, (Segment("policy", "yes"),), TWO)
    row = json.loads(json.dumps(row_of(rollout)))
    assert [message.get("images") for message in row["prompt"]] == [[0], None, [1, 2]]
    assert rollout_of(row, EXAMPLE, TWO) == rollout
    row["prompt"].insert(0, {"role": "system", "content": "Be brief."})
    shown = [message.images for message in rollout_of(row, EXAMPLE, TWO).prompt.messages]
    assert shown == [(), (A,), (), (B, C)]


def test_a_row_says_which_picture_a_message_shows_by_name_or_place():
    expected = [("b", (B,)), ("ca", (C, A))]
    assert read(said(("user", "b", ["b.png"]), ("user", "ca", ["c.png", "a.png"]))) == expected
    assert read(said(("user", "b", [1]), ("user", "ca", [2, 0]))) == expected


def test_places_are_those_of_the_rows_own_list():
    """The task lists a, b, c by now, and listed c, a, b when the row was written; files that were moved keep order."""
    row = said(("user", "ca", [0, 1]), ("user", "b", [2]))
    assert read(row, images=["c.png", "a.png", "b.png"]) == [("ca", (C, A)), ("b", (B,))]
    assert read(row, images=["/old/a.png", "/old/b.png", "/old/c.png"]) == [("ca", (A, B)), ("b", (C,))]


@pytest.mark.parametrize(
    "row",
    [
        said(("user", "x", [0, 1])),  # one is left out
        said(("user", "x", [0, 1, 2, 2])),  # one stands twice
        said(("user", "x", [0, 1, 3])),
        said(("user", "x", ["a.png", "b.png", "d.png"])),
        said(("user", "x", "a.png")),
        said(("user", "x", [None, 1, 2])),
    ],
)
def test_pictures_that_are_not_the_tasks_are_refused(row: list[dict[str, Any]]):
    with pytest.raises(ConfigError, match="the row of 'x' has a prompt of its own, and it is not clear"):
        read(row)


def test_two_pictures_of_one_name_are_told_apart_by_place_alone():
    one, other = Image(data=b"12"), Image(data=b"34")
    prompt = Prompt((Message("user", "x", (one,)), Message("user", "y", (other,))))
    row = said(("user", "x", [0]), ("user", "y", [1]))
    assert read(row, prompt, images=["2 bytes", "2 bytes"]) == [("x", (one,)), ("y", (other,))]
    with pytest.raises(ConfigError, match="'2 bytes' is none of the task's 2 images, or more than one"):
        read(said(("user", "x", ["2 bytes"]), ("user", "y", [1])), prompt)


ONE = Prompt((Message("user", "look", (A,)),))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (said(("user", "look\n\nThe door is shut.")), [(A,)]),  # an environment's first words behind it
        (said(("user", "other words")), [(A,)]),
        (said(("system", "Be brief."), ("user", "look")), [(), (A,)]),
        (said(("user", "Hi"), ("assistant", "Hello"), ("user", "look")), [(), (), (A,)]),
        (said(("user", "look"), ("assistant", "hm"), ("user", "look")), [(A,), (), ()]),
    ],
)
def test_a_row_that_does_not_say_is_read_by_who_speaks_and_what(row: list[dict[str, Any]], expected: Any):
    assert [images for _, images in read(row, ONE)] == expected


def test_messages_in_another_order_keep_their_pictures():
    row = said(("user", "then"), ("assistant", "hm"), ("user", "first"))
    assert read(row) == [("then", (B, C)), ("hm", ()), ("first", (A,))]


@pytest.mark.parametrize(
    "row",
    [
        said(("system", "look")),  # nobody that the task asks as
        said(("system", "s"), ("user", "one"), ("user", "two")),  # either of two
        said(("system", "s"), ("user", "look"), ("user", "look")),
    ],
)
def test_a_row_that_leaves_it_open_is_refused(row: list[dict[str, Any]]):
    with pytest.raises(ConfigError, match=r"messages may be the user's that shows 1 image\(s\)"):
        read(row, ONE)


def test_a_prompt_of_words_takes_any_row():
    assert read(said(("system", "s"), ("user", "x")), Prompt((Message("user", "y"),))) == [("s", ()), ("x", ())]
