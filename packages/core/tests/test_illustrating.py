"""A task draws its attempts; a drawing that fails costs the picture and not the report."""

from __future__ import annotations

from dataclasses import dataclass

from guerdon.protocols import Split, Task
from guerdon.recipes.illustrating import illustrator
from guerdon.types import Example, Prompt


@dataclass(frozen=True)
class Plain(Task):
    name = "plain"

    def examples(self, split: Split) -> list[Example]:
        return [Example(id=f"plain-{split}")]

    def prompt(self, example: Example) -> Prompt:
        return Prompt()


@dataclass(frozen=True)
class Drawn(Plain):
    name = "drawn"

    def examples(self, split: Split) -> list[Example]:
        return [Example(id=f"drawn-{split}")]

    def picture(self, example: Example, completion: str) -> bytes | None:
        if completion == "bad":
            raise ValueError("cannot be drawn")
        return f"{example.id}: {completion}".encode()


def test_attempts_are_drawn_by_the_task_of_their_example():
    draw = illustrator(Plain(), Drawn())
    assert draw is not None
    assert draw({"example": "drawn-eval", "completion": "x"}) == b"drawn-eval: x"
    assert draw({"example": "plain-eval", "completion": "x"}) is None
    assert draw({"example": "unknown"}) is None


def test_a_drawing_that_fails_is_left_out():
    draw = illustrator(Drawn())
    assert draw is not None
    assert draw({"example": "drawn-train", "completion": "bad"}) is None


def test_nothing_is_loaded_where_no_task_draws():
    assert illustrator(Plain()) is None
