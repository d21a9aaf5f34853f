"""Over-long and repeated completions: what they cost, in tokens or in words, whatever the text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.conformance import check_is_a_value, hostile_texts
from guerdon.errors import ConfigError
from guerdon.parsing.words import words
from guerdon.plugins.catalog import catalog
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward
from guerdon.rewards import Repetition, SoftOverlong
from guerdon.types import Example, Rollout, Segment


def tokens(*turns):
    return Rollout(Example(id="x"), tuple(Segment("policy", "?", tuple(ids)) for ids in turns))


def text(written):
    return Rollout.of(Example(id="x"), written)


@pytest.mark.parametrize(
    ("length", "value"), [(0, 0.0), (80, 0.0), (81, -0.05), (90, -0.5), (100, -1.0), (101, -1.0), (10_000, -1.0)]
)
def test_the_penalty_grows_in_a_straight_line_over_the_cache(length, value):
    """Limit 100, cache 20: (80 - length) / 20 between."""
    assert SoftOverlong(100, 20).score(tokens(range(length))).value == pytest.approx(value)


def test_length_is_counted_over_all_turns_and_in_words_where_there_are_no_tokens():
    talk = tokens(range(50), range(40))
    assert SoftOverlong(100, 20).score(talk).value == pytest.approx(-0.5)
    score = SoftOverlong(10, 10).score(text("one two, 三四"))
    assert (score.value, score.parts["length"].value) == (-0.5, 5.0)


@pytest.mark.parametrize(
    ("n", "ids", "value"),
    [
        (2, "abab", -1 / 3),  # ab ba ab
        (1, "aaaa", -3 / 4),
        (3, "aaaaa", -2 / 3),
        (3, "ab", 0.0),
        (3, "", 0.0),
        (2, "abcd", 0.0),
    ],
)
def test_repeated_n_grams_cost_their_share(n, ids, value):
    assert Repetition(n).score(tokens([ord(one) for one in ids])).value == pytest.approx(value)
    assert Repetition(n, 0.5).score(tokens([ord(one) for one in ids])).value == pytest.approx(value / 2)


def test_a_turn_that_repeats_another_costs_and_none_reaches_over_into_the_next():
    """abc | abc: two of four bigrams (ab bc ab bc); c | a makes none."""
    assert Repetition(2).score(tokens(b"abc", b"abc")).value == pytest.approx(-0.5)


def test_words_are_told_apart_in_any_script():
    assert words("Straße STRASSE naïve 漢字かな, é!") == ["Straße", "STRASSE", "naïve", *"漢字かな", ",", "é", "!"]
    assert Repetition(1).score(text("Straße STRASSE")).value == pytest.approx(-1 / 2)
    assert Repetition(2).score(text("好的好的好的")).value == pytest.approx(-3 / 5)
    assert Repetition(3).score(text("🏁" * 12)).value == pytest.approx(-9 / 10)


@pytest.mark.parametrize("written", list(hostile_texts()), ids=lambda one: repr(one[:12]))
def test_any_text_stays_in_bounds(written):
    for made in (SoftOverlong(100, 20), Repetition()):
        value = made(text(written)).value
        assert -1.0 <= value <= 0.0
        assert math.copysign(1.0, value) < 0.0 or value == 0.0
        assert repr(value) != "-0.0"


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(1, 4))
def test_the_share_of_repeats_is_never_all(ids, n):
    assert -1.0 < Repetition(n).score(tokens(ids)).value <= 0.0


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (SoftOverlong, {"max_length": 10, "cache": 0}),
        (SoftOverlong, {"max_length": 10, "cache": 11}),
        (Repetition, {"n": 0}),
        (Repetition, {"weight": -1.0}),
        (Repetition, {"weight": math.nan}),
    ],
)
def test_wrong_options_are_named(made, options):
    with pytest.raises(ConfigError, match=made.__name__):
        made(**options)


def test_both_are_values_and_recipes_build_them():
    check_is_a_value(SoftOverlong(100, 20))
    check_is_a_value(Repetition(4, 0.5))
    catalog.cache_clear()
    terms = [
        {"use": "soft-overlong", "with": {"max_length": 100, "cache": 20}},
        {"use": "repetition", "with": {"n": 4, "weight": 0.5}},
    ]
    recipe = load_recipe({"task": "any", "policy": "scripted", "reward": {"sum": terms}})
    assert build_reward(recipe.reward) == SoftOverlong(100, 20) + Repetition(4, 0.5)
