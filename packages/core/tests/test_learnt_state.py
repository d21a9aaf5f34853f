"""What was learnt goes back to the node it was learnt by, and to no other."""

from dataclasses import dataclass

import pytest

from guerdon.errors import ConfigError
from guerdon.rewards import Context, Reward, reward
from guerdon.rewards.identities import identity
from guerdon.rewards.learning import load_state, state_of
from guerdon.transforms import center, chain, clip, min_max, standardize
from guerdon.types import Example, Group, Rollout

CLOSE = standardize(scope="running")


@reward
def long(rollout):
    return float(len(rollout.answer))


@reward
def vowels(rollout):
    return float(sum(letter in "aeiou" for letter in rollout.answer))


@dataclass(frozen=True)
class AtLeast(Reward, name="test/at-least-v1"):
    count: int
    unit: str = "letters"

    def score(self, rollout):
        raise NotImplementedError


def taught(tree, *answers):
    """The tree, after one batch of these answers."""
    groups, context = [Group.of([Rollout.of(Example(id="x"), answer) for answer in answers])], Context()
    scores = context.scores(tree, groups)
    for node in [node for node in _nodes(tree) if node.stateful]:
        node.update(groups, scores, context)
    return tree


def _nodes(tree):
    return [tree, *(node for child in tree.children for node in _nodes(child))]


def mean_of(tree, name):
    """The running mean that the term of that name keeps."""
    held = next(node for node in _nodes(tree) if node.stateful and node.label == name)
    return held.state_dict()["state"][1]


def test_two_terms_may_swap_their_places_and_each_keeps_its_own_statistics():
    """Lengths 2 and 6: mean 4. Vowels 1 and 3: mean 2."""
    kept = state_of(taught(long.then(CLOSE) + vowels.then(CLOSE), "ab", "banana"))
    other = vowels.then(CLOSE) + long.then(CLOSE)
    load_state(other, kept)
    assert (mean_of(other, "long"), mean_of(other, "vowels")) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (long.then(CLOSE), vowels.named("long").then(CLOSE)),
        (long.then(min_max()), long.then(chain(center(), min_max()))),
        (long.then(CLOSE), long.then(center())),
        (long.then(CLOSE), long.then(standardize(scope="running", ddof=0))),
        (long.then(CLOSE), (2.0 * long).then(CLOSE)),
        (AtLeast(3).then(CLOSE), AtLeast(4).then(CLOSE)),
    ],
)
def test_what_other_options_learnt_is_refused_with_both_of_them_named(was, now):
    with pytest.raises(ConfigError) as caught:
        load_state(now, state_of(was))
    assert f"no state of `{identity(now)}`, and nothing here has the state of `{identity(was)}`" in str(caught.value)
    assert "another folder" in str(caught.value)


@pytest.mark.parametrize(
    "now",
    [
        0.5 * long.then(CLOSE),
        (3.0 * long.then(CLOSE) + 2.0 * vowels).gated_by(vowels),
        long.then(CLOSE).named("size"),
        long.then(CLOSE).then(clip(-1.0, 1.0)),
    ],
)
def test_what_stands_around_the_node_does_not_matter(now):
    kept = state_of(taught(long.then(CLOSE), "ab", "banana"))
    load_state(now, kept)
    assert state_of(now) == kept


def test_a_refused_state_loads_nothing():
    here = long.then(CLOSE) + vowels.then(CLOSE)
    before = state_of(here)
    with pytest.raises(ConfigError):
        load_state(here, state_of(taught(long.then(CLOSE), "ab", "banana")))
    assert state_of(here) == before


def test_what_stands_by_default_is_not_part_of_the_words():
    """So that an option which a later release adds takes nobody's state away."""
    assert identity(AtLeast(3)) == identity(AtLeast(3.0, "letters")) == "test/at-least-v1(count=3)"
    assert identity(AtLeast(3, "words")) == "test/at-least-v1(count=3, unit='words')"


def test_modules_and_addresses_are_no_part_of_the_words():
    anonymous = reward(lambda rollout: 0.0, name="silent")
    words = identity((long + anonymous).then(CLOSE))
    assert words == "(long + silent).then(standardize(scope='running'))"


def test_of_long_words_the_place_is_shown_where_they_differ():
    was, now = (AtLeast(1, "x" * 900 + end).then(CLOSE) for end in ("old", "new"))
    with pytest.raises(ConfigError) as caught:
        load_state(now, state_of(was))
    assert all(end in str(caught.value) for end in ("xxold'", "xxnew'"))
    assert len(str(caught.value)) < 900
