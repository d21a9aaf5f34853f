"""What every task is held to, wherever it is asked."""

from dataclasses import dataclass

import pytest

from guerdon.errors import TaskError
from guerdon.protocols import Task
from guerdon.types import Example, Prompt


class Bare(Task):
    def examples(self, split):
        return [Example(id="1")]

    def prompt(self, example):
        return "Sum?"


class Named(Bare):
    name = "test/named"


def test_a_task_without_a_name_is_refused_when_it_is_made():
    with pytest.raises(TaskError, match=r"the task Bare has no name; give its class one: name = \"domain/thing-v1\""):
        Bare()


def test_a_name_may_be_an_option():
    @dataclass(frozen=True)
    class Chosen(Bare):
        name: str

    assert Chosen("test/chosen").name == "test/chosen"


def test_a_prompt_that_is_a_text_is_refused_where_it_is_asked_for():
    with pytest.raises(TaskError, match=r"test/named gives 'Sum\?' as the prompt of example '1'; a guerdon.Prompt"):
        Named().prompt(Example(id="1"))


def test_a_subclass_may_ask_its_base():
    class Polite(Named):
        def prompt(self, example):
            return Prompt(forced="yes")

    class Politer(Polite):
        def prompt(self, example):
            return Prompt(forced=super().prompt(example).forced + ", please")

    assert Politer().prompt(Example(id="1")).forced == "yes, please"
