import pickle
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from guerdon.errors import BoundsError, ConfigError, RewardError
from guerdon.rewards import Context, Reward, reward
from guerdon.serve.remote import Remote
from guerdon.types import Example, Group, Rollout, Score


def group(*texts: str, name: str = "e") -> Group:
    return Group.of([Rollout.of(Example(id=name), text, index=k) for k, text in enumerate(texts)])


def values(rows):
    return [[score.value for score in row] for row in rows]


@dataclass(frozen=True)
class Length(Reward, name="test/length-v2", bounds=(0.0, 100.0)):
    most: int = 100

    def score(self, rollout):
        return Score(float(min(len(rollout.answer), self.most)))


@dataclass(frozen=True)
class Shortest(Reward, bounds=(0.0, 1.0)):
    def score_group(self, group):
        least = min(len(rollout.answer) for rollout in group.rollouts)
        return [Score(float(len(rollout.answer) == least)) for rollout in group.rollouts]


@dataclass(frozen=True)
class Everyone(Reward, bounds=(0.0, 1e9)):
    def score_batch(self, groups, context):
        return [[Score(float(sum(map(len, groups))))] * len(group) for group in groups]


@dataclass(frozen=True, eq=False)
class Lies(Reward, name="test/lies", bounds=(0.0, 1.0)):
    what: object

    def score_batch(self, groups, context):
        return self.what


@reward(bounds=(0.0, 1.0))
def polite(rollout):
    return "please" in rollout.answer


def shouts(rollout):
    return float(rollout.answer.isupper())


loud = reward(shouts)


def test_each_width_maps_down_to_the_narrowest_that_is_overridden():
    batch = [group("a", "bb"), group("ccc")]
    assert values(Length().score_batch(batch, Context())) == [[1.0, 2.0], [3.0]]
    assert values(Shortest().score_batch(batch, Context())) == [[1.0, 0.0], [1.0]]
    assert values(Everyone().score_batch(batch, Context())) == [[3.0, 3.0], [3.0]]
    assert (Length.sees, Shortest.sees, Everyone.sees) == ("rollout", "group", "batch")


def test_labels_leave_out_domain_and_version():
    assert Length().label == "length"
    assert Shortest.name == "shortest"
    assert Shortest().label == "shortest"


def test_a_function_is_a_reward_and_still_a_function():
    assert polite(Rollout.of(Example(id="1"), "yes, please")) == Score(1.0)
    assert polite.name == "polite"
    assert polite.bounds == (0.0, 1.0)


@pytest.mark.parametrize("one", [Length(), Length(most=3), Shortest(), polite, loud], ids=repr)
def test_rewards_pickle_and_compare_as_values(one):
    copied = pickle.loads(pickle.dumps(one))
    assert copied == one
    assert hash(copied) == hash(one)


def test_fields_make_the_difference():
    assert Length(3) != Length(4)
    assert repr(Length(3)) == "Length(most=3)"


def test_a_function_within_a_function_does_not_pickle():
    @reward
    def local(rollout):
        return 0.0

    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(local)


ONE = Score(1.0)


@pytest.mark.parametrize(
    ("what", "error", "sentence"),
    [
        ([], RewardError, "gave 0 lists of scores for 1 groups"),
        ([[ONE]], RewardError, "gave 1 scores for the 2 rollouts of example 'e'"),
        ([[ONE, Score(float("nan"))]], RewardError, "gave nan with status 'ok' to rollout 1"),
        ([[ONE, Score(0.5, status="infra")]], RewardError, "gave 0.5 with status 'infra'"),
        ([[ONE, Score(0.5, status="great")]], RewardError, "gave 0.5 with status 'great'"),
        ([[ONE, Score(1.5)]], BoundsError, r"gave 1\.5 to rollout 1 of example 'e', outside its stated bounds \(0"),
        ([[ONE, Score(float("inf"))]], BoundsError, "gave inf"),
        ([[ONE, 0.5]], RewardError, "gave 0.5 to rollout 1 of example 'e'; a Score is needed"),
        ([[ONE, Score("1")]], RewardError, "raised TypeError"),
        (None, RewardError, "raised TypeError"),
    ],
)
def test_a_reward_that_lies_is_named_with_the_sample(what, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        Context().scores(Lies(what), [group("a", "b")])
    assert "test/lies" in str(caught.value)


def test_a_reward_with_a_list_is_told_to_use_a_tuple():
    @dataclass(frozen=True)
    class Listed(Length):
        words: list = field(default_factory=list)

    with pytest.raises(ConfigError, match=r"unhashable type: 'list'.*tuples"):
        Context().scores(Listed(), [group("a")])


class Sum(Example):
    a: int


@dataclass(frozen=True)
class Adds(Reward, bounds=(0.0, 1.0)):
    def score(self, rollout):
        return Score(float(rollout.answer == str(rollout.example_as(Sum).a)))


@dataclass(frozen=True)
class AddsTogether(Adds, name="adds"):
    def score_batch(self, groups, context):
        return [[self.score(rollout) for rollout in group.rollouts] for group in groups]


@pytest.mark.parametrize(
    "one", [Adds(), AddsTogether(), reward(name="adds")(Adds().score), Adds() + Length()], ids=repr
)
def test_a_reward_beside_a_task_it_was_not_written_for_is_a_wrong_setting_and_no_bug(one):
    with pytest.raises(ConfigError, match=r"reward adds scores Sum, and the task gives Example 'e'\. Name a"):
        Context().scores(one, [group("a")])


def test_a_reward_that_raises_is_named_with_the_sample():
    @reward
    def picky(rollout):
        return 1.0 / len(rollout.answer)

    with pytest.raises(RewardError, match=r"picky raised ZeroDivisionError: .* on rollout 1 of example 'e'") as caught:
        Context().scores(picky, [group("a", "")])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_infinite_bounds_do_not_let_infinity_through():
    with pytest.raises(BoundsError):
        Context().scores(reward(lambda rollout: float("inf")), [group("a")])


@pytest.mark.parametrize("bounds", [(1, 0), (float("nan"), 1.0), (0.0,), 1.0, ("a", 1)])
def test_bounds_that_are_none_are_refused_whoever_states_them(bounds):
    with pytest.raises(ConfigError, match=r"^silent: bounds .* are not \(low, high\) with low <= high$"):
        reward(name="silent", bounds=bounds)(lambda rollout: 0.0)
    with pytest.raises(ConfigError, match=r"^remote-v1 at http://x: bounds .* are not \(low, high\)"):
        Remote("http://x", bounds=bounds)


def test_reversed_bounds_are_refused_when_the_class_is_made():
    with pytest.raises(ConfigError, match="low <= high"):

        class Backwards(Reward, bounds=(1.0, 0.0)):
            pass


def test_a_batch_is_scored_once_per_reward():
    calls = []

    @reward
    def counted(rollout):
        calls.append(1)
        return 0.0

    context, batch = Context(), [group("a", "b")]
    context.scores(counted + 2.0 * counted.named("again"), batch)
    assert len(calls) == 2
    context.scores(counted, [group("a")])
    assert len(calls) == 3


def test_what_is_prepared_per_example_is_prepared_once():
    @dataclass(frozen=True)
    class Prepared(Reward):
        calls: ClassVar[list] = []

        def prepare(self, example):
            self.calls.append(example.id)
            return example.id * 2

        def score(self, rollout):
            return Score(float(rollout.answer == self.prepared(rollout.example)))

    batch = [group("aa", "x", "aa", name="a"), group("bb", name="b")]
    assert values(Context().scores(Prepared(), batch)) == [[1.0, 0.0, 1.0], [1.0]]
    assert Prepared.calls == ["a", "b"]


def test_any_reward_can_be_called_on_one_rollout():
    """A look at a number: 0.75 * 1 + 0.25 * 0.5, gated by a part that is 1."""

    @reward(bounds=(0.0, 1.0))
    def one(rollout):
        return 1.0

    @reward(bounds=(0.0, 1.0))
    def half(rollout):
        return 0.5

    score = (0.75 * one + 0.25 * half).gated_by(one)(Rollout.of(Example(id="1"), "x"))
    assert score.value == 0.875


def test_a_call_holds_a_reward_to_its_bounds():
    @reward(bounds=(0.0, 1.0))
    def two(rollout):
        return 2.0

    with pytest.raises(BoundsError):
        two(Rollout.of(Example(id="1"), "x"))


def test_a_setting_that_cannot_be_used_here_is_not_called_a_bug():
    @reward
    def needs(rollout):
        raise ConfigError("there is no such layer on this machine")

    class Needs(Reward):
        def score(self, rollout):
            raise ConfigError("there is no such layer on this machine")

    for each in (needs, Needs()):
        with pytest.raises(ConfigError, match=r"^there is no such layer on this machine$"):
            each(Rollout.of(Example(id="1"), "x"))


@reward(unaudited="it counts words; audit the answer")
def counts_words(rollout):
    return float(len(rollout.answer.split()))


def test_a_function_says_why_an_audit_of_it_would_say_nothing_and_travels_with_that():
    assert counts_words.unaudited == "it counts words; audit the answer"
    assert (2 * counts_words).unaudited == counts_words.unaudited
    assert pickle.loads(pickle.dumps(counts_words)).unaudited == counts_words.unaudited
