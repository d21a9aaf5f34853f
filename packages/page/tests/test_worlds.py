"""The made shop: its click model, its best page, its logs."""

import itertools

import pytest

from guerdon.errors import ConfigError
from guerdon_page.engagement import discount
from guerdon_page.examples import Item, PageExample
from guerdon_page.worlds import World, appeal, best_page, click_chances, expected_clicks, logs


def shop():
    kinds = [("a", "x", "t"), ("b", "x", "t"), ("c", "x", ""), ("d", "y", "")]
    items = [Item(id=id, category=kind, same_as=same) for id, kind, same in kinds]
    return PageExample(id="1", items=items, length=3, attraction=(0.8, 0.6, 0.4, 0.2))


def test_a_click_falls_with_the_place_with_like_ones_above_and_to_zero_with_a_duplicate_above():
    """a: .8; c below one of its category: .4 * .75 / 2; b, a's twin, nothing; d alone in its category: .2 / 4."""
    assert click_chances(shop(), "acbd") == pytest.approx([0.8, 0.15, 0.0, 0.05])
    assert appeal(shop(), "aa") == [0.8, 0.0]


def test_only_what_is_on_the_page_counts():
    assert expected_clicks(shop(), ("a", "c", "d", "b")) == pytest.approx(0.8 + 0.15 + 0.2 / 3)


@pytest.mark.parametrize("weight", [lambda place: 1.0 / place, discount])
def test_the_best_page_is_the_best_of_all_pages(weight):
    for number in range(3):
        example = World(seed=1, candidates=6, length=4, twins=1).context("x", number)
        pages = itertools.permutations([item.id for item in example.items], 4)
        values = (sum(weight(k) * a for k, a in enumerate(appeal(example, page), 1)) for page in pages)
        page, value = best_page(example, weight)
        assert value == pytest.approx(max(values))
        assert value == pytest.approx(sum(weight(k) * a for k, a in enumerate(appeal(example, page), 1)))


def test_the_best_page_of_many_categories_takes_no_longer():
    """Sixty categories of two: the higher of each is worth its attraction, so the best ten of those, in order."""
    items = [Item(id=f"{kind}-{place}", category=str(kind)) for kind in range(60) for place in range(2)]
    attraction = [(kind + 1) / 100 / (1 + place) for kind in range(60) for place in range(2)]
    example = PageExample(id="1", items=items, length=10, attraction=attraction)
    page, value = best_page(example)
    assert page == tuple(f"{kind}-0" for kind in range(59, 49, -1))
    assert value == pytest.approx(sum((60 - place) / 100 / (place + 1) for place in range(10)))


def test_an_example_without_truth_is_refused():
    with pytest.raises(ConfigError, match="attraction"):
        best_page(shop().model_copy(update={"attraction": ()}))


def test_the_same_seed_makes_the_same_shop_and_another_another():
    assert World().logged("log", 3) == World().logged("log", 3) != World(seed=1).logged("log", 3)


def test_logs_have_position_bias():
    found = logs(World(), 600)
    clicks = [sum(one.engagement[place] > 0 for one in found) / 600 for place in range(6)]
    assert clicks[0] > 0.35 > 0.15 > clicks[5]
    assert found[0].propensities == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6])


def test_twins_are_of_one_category():
    for number in range(5):
        example = World().context("x", number)
        pairs = {}
        for item in example.items:
            if item.same_as:
                pairs.setdefault(item.same_as, []).append(item)
        assert sorted(map(len, pairs.values())) == [2, 2]
        assert all(one.category == other.category and one.title == other.title for one, other in pairs.values())


@pytest.mark.parametrize(
    "options", [{"categories": 0}, {"length": 10}, {"twins": 5}, {"noise": float("nan")}, {"candidates": 61}]
)
def test_a_shop_that_cannot_be_is_refused(options):
    with pytest.raises(ConfigError, match=r"is needed|are possible"):
        World(**options)
