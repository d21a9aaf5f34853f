from dataclasses import dataclass
from typing import ClassVar

import pytest

from guerdon.errors import PolicyError
from guerdon.policies.scripted import ScriptedPolicy
from guerdon.protocols import Sampling, Task
from guerdon.types import Example, Prompt


@dataclass(frozen=True)
class Sums(Task):
    name: ClassVar[str] = "test/sums"

    def examples(self, split):
        return [Example(id="a"), Example(id="b")]

    def prompt(self, example):
        return Prompt(forced="Answer: ")


def completions(policy, n):
    groups = policy.sample(Sums(), Sums().examples("train"), n, Sampling(), seed=0)
    return [[rollout.completion for rollout in group.rollouts] for group in groups]


def test_it_says_its_lines_and_begins_again():
    policy = ScriptedPolicy({"a": ["1", "2"], "b": ["3"]})
    assert completions(policy, 3) == [["Answer: 1", "Answer: 2", "Answer: 1"], ["Answer: 3"] * 3]


def test_a_function_may_write_the_lines():
    assert completions(ScriptedPolicy(lambda example: [example.id * 2]), 1) == [["Answer: aa"], ["Answer: bb"]]


def test_an_example_without_lines_is_named():
    with pytest.raises(PolicyError, match="nothing for example 'b'"):
        completions(ScriptedPolicy({"a": ["1"]}), 1)


def test_there_is_nothing_to_learn(tmp_path):
    pytest.importorskip("torch")
    policy = ScriptedPolicy({"a": ["1"], "b": ["2"]})
    group = policy.sample(Sums(), Sums().examples("train"), 2, Sampling(), seed=0)[0]
    assert policy.logprobs(group.rollouts).lengths == (0, 0)
    assert policy.parameters() == []
    policy.save(tmp_path / "p")
    policy.load(tmp_path / "p")
    policy.updated()
    assert policy.snapshot().version == 1
