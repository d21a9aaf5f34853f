import random
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from guerdon.conformance import check_is_a_value, check_reward, check_task
from guerdon.protocols import Task
from guerdon.rewards import Reward, reward
from guerdon.transforms import chain, clip, scale
from guerdon.types import Example, Message, Prompt, Score


@dataclass(frozen=True)
class Echoes(Task):
    """Say the id."""

    name: ClassVar[str] = "test/echoes"
    same: bool = False

    def examples(self, split):
        return [Example(id=f"{'' if self.same else split}{i}") for i in range(3)]

    def prompt(self, example):
        return Prompt((Message("user", f"Say {example.id}"),))

    def reference(self, example):
        return example.id


@dataclass(frozen=True)
class Echo(Reward, name="test/echo-v1", bounds=(0.0, 1.0)):
    strict: bool = True

    def score(self, rollout):
        said = rollout.answer == rollout.example.id if self.strict else rollout.example.id in rollout.answer
        return Score(float(said))


@reward(bounds=(0.0, 1.0))
def short(rollout):
    return float(len(rollout.answer) < 20)


@dataclass(frozen=True)
class Fragile(Echo, name="test/fragile-v1"):
    def score(self, rollout):
        rollout.answer.encode()
        return super().score(rollout)


@dataclass(frozen=True)
class Moody(Echo, name="test/moody-v1"):
    def score(self, rollout):
        return Score(random.random()) if rollout.answer == "" else super().score(rollout)


@dataclass(frozen=True)
class Unbounded(Echo, name="test/unbounded-v1"):
    def score(self, rollout):
        return Score(float(len(rollout.answer)) if len(rollout.answer) > 100 else rollout.answer == rollout.example.id)


@dataclass(frozen=True)
class Shrugs(Echo, name="test/shrugs-v1"):
    def score(self, rollout):
        return super().score(rollout) if rollout.answer.isprintable() else Score.unscored("cannot read that")


@dataclass(frozen=True)
class Listed(Echo, name="test/listed-v1"):
    words: list = field(default_factory=list)


@dataclass(frozen=True)
class Reticent(Echo, name="test/reticent-v1"):
    def __repr__(self):
        return "Reticent(...)"


def test_a_sound_reward_passes():
    check_reward(Echo(), Echoes(), cheats=["", lambda example: f"{example.id} {example.id}"])
    check_task(Echoes(), Echo())


@pytest.mark.parametrize(
    "tree",
    [
        0.5 * Echo() + 0.25 * short,
        (0.3 * Echo()).gated_by(short, above=0.5),
        Echo().then(chain(scale(2.0), clip(-1.0, 1.5))).named("x") + 0.1 * short,
        2.0 * (0.123456789 * Echo()),
        Echo().unless(short),
        Echo() + 3.0 * (Echo(strict=False).named("loose") + short),
    ],
    ids=repr,
)
def test_any_tree_of_values_is_a_value(tree):
    check_is_a_value(tree)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (Fragile(), "raised UnicodeEncodeError"),
        (Moody(), "when asked again"),
        (Unbounded(), "outside its stated bounds"),
        (Shrugs(), "unscored as infra"),
        (Listed(), "cannot be hashed"),
        (Reticent(), "rebuilds another|does not rebuild"),
        (0.5 * Echo() + 0.5 * Echo(strict=False).named("loose"), "gives the cheat"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_each_broken_promise_is_said_in_a_sentence(broken, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_reward(broken, Echoes(), cheats=[lambda example: f"not {example.id}"])


def test_gold_that_does_not_earn_the_top_is_named():
    with pytest.raises(AssertionError, match=r"reference answer of example 'train0' Score\(1\.0\), not 2"):
        check_reward(Echo(), Echoes(), top=2.0)


def test_a_reward_within_a_function_is_told_to_move():
    @reward(bounds=(0.0, 1.0))
    def local(rollout):
        return 1.0

    with pytest.raises(AssertionError, match=r"does not pickle|define it in a module"):
        check_is_a_value(local)


def test_splits_that_share_an_example_are_found():
    with pytest.raises(AssertionError, match="'0' is in both splits"):
        check_task(Echoes(same=True))


@dataclass(frozen=True)
class Scattered(Echoes):
    """Echoes of which the first and the last belong together."""

    def unit(self, example):
        return f"{example.id[:-1]}{int(example.id[-1]) % 2}"


@dataclass(frozen=True)
class Parted(Echoes):
    """Echoes that all belong together, in both splits."""

    def unit(self, example):
        return "all"


def test_examples_that_belong_together_stand_side_by_side_and_in_one_split():
    with pytest.raises(AssertionError, match="unit 'train0' do not stand side by side"):
        check_task(Scattered())
    with pytest.raises(AssertionError, match="unit 'all' has examples in both splits"):
        check_task(Parted())
