"""The claims' worlds beside the product, that they can fail, and that they hold."""

import math
from dataclasses import replace

import numpy as np
import pytest

from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_page.engagement import discount
from guerdon_page.level_rewards import ItemModel, PageModel
from guerdon_page.linear_models import fitted_world
from guerdon_page.matching import claim as matching_claim
from guerdon_page.matching.claim import MatchingClaim
from guerdon_page.pagellm import PageLLM
from guerdon_page.pagellm_claim import (
    PageLLMClaim,
    contexts_of,
    draw_pages,
    item_values,
    mixed_values,
    page_values,
    quality,
)
from guerdon_page.prompts import written
from guerdon_page.worlds import World, appeal, best_page, expected_clicks

EXAMPLES = [World().context("test", number) for number in range(5)]
SMALL = PageLLMClaim(pages=200, rounds=3, held_out=20)


def drawn(seed=0, group=4, weights=None):
    weights = np.zeros(8) if weights is None else weights
    seen = contexts_of(EXAMPLES).repeated(group)
    return seen, *draw_pages(weights[:5], weights[5:], seen, 6, np.random.default_rng(seed))


def pages_in_ids(page_NK, group=4):
    """The ids of each page, by context."""
    return [[EXAMPLES[row // group].items[place].id for place in page_NK[row]] for row in range(len(page_NK))]


def test_the_claims_rewards_are_the_products():
    fitted = fitted_world(World(), 200, "published")
    seen, page, _ = drawn()
    ids = pages_in_ids(page)
    for row, one in enumerate(ids):
        example = EXAMPLES[row // 4]
        assert page_values(fitted, seen, page)[row] == pytest.approx(fitted.page_score(example, one))
        assert item_values(fitted, seen, page)[row] == pytest.approx(fitted.item_scores(example, one))
    groups = [
        Group.of([Rollout.of(example, written(one, "json")) for one in ids[4 * number : 4 * number + 4]])
        for number, example in enumerate(EXAMPLES)
    ]
    for alpha in (0.0, 0.5, 1.0):
        models = (kind(pages=200, reading="published") for kind in (PageModel, ItemModel))
        mixture = PageLLM(*models, alpha=alpha)
        scores = [score.value for row in Context().scores(mixture, groups) for score in row]
        found = mixed_values(page_values(fitted, seen, page), item_values(fitted, seen, page), 4, alpha)
        assert found == pytest.approx(scores)


def test_the_claims_measures_are_the_shops():
    seen, page, _ = drawn()
    ndcg, utility = quality(seen, page)
    for row, ids in enumerate(pages_in_ids(page)):
        example = EXAMPLES[row // 4]
        gained = sum(discount(place) * value for place, value in enumerate(appeal(example, ids), 1))
        assert ndcg[row] == pytest.approx(gained / best_page(example, discount)[1])
        assert utility[row] == pytest.approx(expected_clicks(example, ids) / sum(1 / k for k in range(1, 7)))


def test_pages_are_orders_of_different_candidates():
    _, page, _ = drawn(weights=np.linspace(-1.0, 1.0, 8))
    assert all(len(set(row)) == 6 for row in page.tolist())


def test_the_gradient_is_that_of_the_log_probability():
    """Its mean over many pages is 0, and a heavier first feature draws items that have more of it."""
    weights = np.array([0.8, 0, 0, -0.5, -0.5, 0.3, 0, 0])
    seen, page, gradient = drawn(group=3000, weights=weights)
    error = gradient.std(0) / math.sqrt(len(gradient))
    assert (np.abs(gradient.mean(0)) < 4.5 * error + 1e-12).all()
    uniform = drawn(group=3000)[1]
    rows = np.arange(len(page))[:, None]
    assert seen.features_CIF[rows, page][..., 0].mean() > seen.features_CIF[rows, uniform][..., 0].mean() + 0.1


def test_the_same_seed_measures_the_same_and_another_does_not():
    first, again, other = (SMALL.measure(seed, (None, 0.5)) for seed in (0, 0, 1))
    assert first == again != other


def test_pagellms_claim_can_fail_where_there_is_no_time_to_learn():
    result = replace(SMALL, rounds=1).run((0, 1))
    assert not result.held
    assert len(result.measurements) == 10


def test_pagellms_claim_can_fail_where_one_stream_is_thrown_away(monkeypatch):
    """Were the mixture the page's alone, it would lead it by nothing."""
    from guerdon_page import pagellm_claim

    monkeypatch.setattr(
        pagellm_claim, "mixed_values", lambda page, item, group, alpha: mixed_values(page, item, group, 1.0)
    )
    result = replace(SMALL, rounds=20).run((0,))
    assert not result.held
    assert result.measurements[-2].values == (0.0,)


QUICK = MatchingClaim(copies=10, runs=400, thick_runs=2000, graphs=4)


def test_the_matching_claim_measures_the_same_for_the_same_seed():
    first, again, other = (QUICK.measure(seed) for seed in (0, 0, 1))
    assert first == again != other


def test_the_matching_claim_can_fail_where_balance_forgets_loads(monkeypatch):
    """Balance without a decay is greedy, which the reversed triangle is made for."""
    played = matching_claim.simulate

    def forgets(instance, rule, **options):
        return played(instance, rule, **options, rate=0.0 if rule == "balance" else 1.0)

    monkeypatch.setattr(matching_claim, "simulate", forgets)
    result = QUICK.run((0,))
    assert not result.held
    assert {one.name: one for one in result.measurements}["reversed triangle, balance less greedy"].mean == 0.0


@pytest.mark.claim
def test_page_and_item_rewards_together_beat_either_alone():
    done = []
    result = PageLLMClaim().run(range(6), lambda *at: done.append(at))
    assert result.held, result
    assert done[-1][:2] == (6, 6)
    values = {measurement.name: measurement.mean for measurement in result.measurements}
    assert values["NDCG, both"] == pytest.approx(0.93, abs=0.015)
    assert values["NDCG, both less page only"] >= 0.05
    assert values["NDCG, both less item only"] >= 0.05


@pytest.mark.claim
def test_balance_keeps_its_ratios_and_the_hardest_graph_gives_no_rule_more():
    result = MatchingClaim().run(range(6))
    assert result.held, result
    values = {measurement.name: measurement.mean for measurement in result.measurements}
    assert values["thick Z, balance"] == pytest.approx(0.621, abs=0.004)
    assert values["thick Z, ranking"] == pytest.approx(0.601, abs=0.004)
    assert values["thick Z, random"] == pytest.approx(0.579, abs=0.004)
    assert values["reversed triangle, greedy"] == pytest.approx(0.513, abs=0.004)
    assert values["reversed triangle, balance"] == pytest.approx(0.626, abs=0.004)
    assert values["guarantees broken"] == 0.0
