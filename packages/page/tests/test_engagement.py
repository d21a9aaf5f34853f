"""Worked examples 1 to 3 and 6 of the sheet on PageLLM, and what is refused."""

import math

import pytest

from guerdon.errors import ConfigError
from guerdon_page.engagement import err, gains, grade_of_rating, ndcg, positive_order, swap_weight
from guerdon_page.measures import category_entropy, coverage, duplicate_share, merchandise_value


@pytest.mark.parametrize(
    ("engagement", "k", "value"),
    [((0, 1, 3), 3, 0.541340), ((3, 1, 0), 3, 1.0), ((0, 0), 2, 0.0), ((1, 0, 0, 2), 2, 0.275412), ((), 3, 0.0)],
)
def test_ndcg_is_the_sheets(engagement, k, value):
    assert ndcg(engagement, k) == pytest.approx(value, abs=1e-6)


def test_ndcg_can_be_held_against_more_than_was_shown():
    """1 click on top, a purchase left out: 1 of 7 + 1 / log2(3)."""
    assert ndcg([1], ideal=[1, 3]) == pytest.approx(1.0 / (7.0 + 1.0 / math.log2(3.0)))


@pytest.mark.parametrize("grade", [-1.0, math.nan, math.inf, 64.0])
def test_an_engagement_that_is_no_grade_is_refused(grade):
    with pytest.raises(ConfigError, match="an engagement is"):
        ndcg([grade])


def test_k_below_one_is_refused():
    with pytest.raises(ConfigError, match="k is 0"):
        ndcg([1.0], k=0)


def test_the_positive_page_is_a_stable_sort():
    """Items a, b, c, d with (0, 2, 0, 1): b, d, a, c with (2, 1, 0, 0)."""
    order = positive_order(gains([0, 2, 0, 1]))
    assert ["abcd"[place] for place in order] == ["b", "d", "a", "c"]
    assert [(0, 2, 0, 1)[place] for place in order] == [2, 1, 0, 0]


def test_raw_clicks_prefer_what_stood_on_top_and_propensities_do_not():
    """One click each at places 1 and 4, where a quarter looks: the lower one is worth 4 to the upper one's 1."""
    assert positive_order(gains([1, 0, 0, 1]))[0] == 0
    assert positive_order(gains([1, 0, 0, 1], [1.0, 0.5, 1 / 3, 0.25]))[0] == 3


@pytest.mark.parametrize("chance", [0.0, -0.5, 1.5, math.nan])
def test_a_propensity_that_is_no_chance_is_refused(chance):
    with pytest.raises(ConfigError, match="a propensity is"):
        gains([1, 0], [1.0, chance])


def test_propensities_of_other_places_are_refused():
    with pytest.raises(ConfigError, match="2 places have 1 propensities"):
        gains([1, 0], [1.0])


@pytest.mark.parametrize(
    ("one", "other", "weight"),
    [(1, 2, 2.214421), (1, 3, 3.5), (1, 4, 3.985264), (2, 3, 0.130930), (2, 4, 0.200253), (3, 4, 0.0)],
)
def test_a_swap_weighs_what_it_moves(one, other, weight):
    assert swap_weight(gains([3, 1, 0, 0]), one, other) == pytest.approx(weight, abs=1e-6)


def test_ratings_are_read_as_engagement():
    assert [grade_of_rating(stars) for stars in (1, 2.5, 3, 4, 5)] == [0, 0, 1, 2, 3]
    for stars in (0.0, 6.0, math.nan):
        with pytest.raises(ConfigError, match="a rating is"):
            grade_of_rating(stars)


def test_err_stops_where_a_reader_is_content():
    """A purchase stops with 7/8, a click with 1/8: 1/8 + 7/8 * 7/8 / 2."""
    assert err([1, 3]) == pytest.approx(0.125 + 0.875 * 0.875 / 2)
    with pytest.raises(ConfigError, match="from 0 to 3"):
        err([4])


@pytest.mark.parametrize(("categories", "value"), [("aabc", 0.75), ("aaaa", 0.0), ("ab", 1.0), ("a", 0.0), ("", 0.0)])
def test_entropy_is_a_share_of_what_n_items_can_have(categories, value):
    assert category_entropy(categories) == pytest.approx(value, abs=1e-12)


def test_duplicates_are_what_is_more_than_distinct():
    assert duplicate_share([1, 2, 2, 2]) == 0.5
    assert duplicate_share([]) == 0.0


def test_coverage_asks_for_no_more_than_there_is_room_for():
    assert coverage("ab", "abcd", 2) == 1.0
    assert coverage("aa", "abcd", 2) == 0.5
    assert coverage("abcd", "abcd", 9) == 1.0
    assert coverage("", "ab", 2) == coverage("ab", "", 2) == 0.0


def test_a_price_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="prices"):
        merchandise_value([math.nan], [True])
