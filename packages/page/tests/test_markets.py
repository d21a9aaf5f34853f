"""Markets with days that are held out, the best policy that knows one, and the recipe that learns one."""

import random
from importlib.util import find_spec

import pytest

from guerdon.errors import ConfigError
from guerdon_page.matching.environments import Allocation, MatchingWorld, TextWorld, instance_of
from guerdon_page.matching.exact import best_online, policy_value, rule_value
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.markets import Market, state, states

RARE = Market(2, (((0, 0.5), (1, 0.5)), ((1, 0.5),)), (0.1, 0.9))
"""Vertex 1 has nearly all views to come, vertex 0 hardly any."""


def first(left, alive, edges):
    """Greedy where chances are equal."""
    return min(edges, default=None)


def by_chance(left, alive, edges):
    return max(edges, key=lambda u: (edges[u], -u), default=None)


def test_a_market_is_its_seeds_and_a_day_its_draws():
    assert Market.made(4, 3) == Market.made(4, 3) != Market.made(4, 4)
    market = Market.made(4, 3)
    assert len(market.kinds) == len({tuple(u for u, _ in kind) for kind in market.kinds}) == 8
    assert sum(market.shares) == pytest.approx(1.0)
    assert all(0.4 <= p <= 0.6 for kind in market.kinds for _, p in kind)
    assert len(Market.made(2, 0).kinds) == 3  # {0}, {1} and {0, 1}: there are no more


def test_views_come_by_their_shares():
    """2,000 views of share .9: 1,800 +- 13.4 in one standard deviation; four of them are 54."""
    day = RARE.day(2000, random.Random(0))
    assert day.arrivals.count(RARE.kinds[1]) == pytest.approx(1800, abs=54)


@pytest.mark.parametrize("offline", [1, 7, 2.0])
def test_a_market_that_cannot_be_is_refused(offline):
    with pytest.raises(ConfigError, match="offline is"):
        Market.made(offline, 0)


def test_the_best_policy_keeps_a_view_from_whom_others_want():
    """Both want it: 0 has hardly another view to come. With no view left it does not matter, and the first is taken."""
    best = RARE.best(2)
    assert best(1, (True, True), {0: 0.5, 1: 0.5}) == 0
    mirrored = Market(2, (((0, 0.5), (1, 0.5)), ((0, 0.5),)), (0.1, 0.9)).best(2)
    assert mirrored(1, (True, True), {0: 0.5, 1: 0.5}) == 1
    assert mirrored(0, (True, True), {0: 0.5, 1: 0.5}) == 0
    assert best(1, (False, True), {}) is None


def test_what_a_policy_is_worth_on_a_day_by_hand():
    """Views {0, 1}, {1}, chances .5. Showing 0 first: .5 + .5. Showing 1 first: .5, and .5 of the second where that
    failed: .75."""
    day = Instance.of(2, [{0: 0.5, 1: 0.5}, {1: 0.5}])
    assert policy_value(day, RARE.best(2)) == 1.0
    assert policy_value(day, lambda left, alive, edges: 1) == 0.75
    assert policy_value(day, lambda left, alive, edges: None) == 0.0
    assert policy_value(day, lambda left, alive, edges: 7) == 0.0


@pytest.mark.parametrize("seed", range(6))
def test_a_policy_is_worth_what_the_rule_that_it_is_is_worth_and_never_more_than_the_best(seed):
    day = Market.made(4, seed).day(8, random.Random(seed))
    assert policy_value(day, by_chance) == pytest.approx(rule_value(day, "greedy"))
    assert policy_value(day, Market.made(4, seed).best(8)) <= best_online(day) + 1e-12


def test_over_all_days_nothing_beats_the_policy_that_knows_the_market():
    """The 8 days of 3 views, each with its chance, against greedy by number and by the number reversed."""
    import itertools
    import math

    days = [
        (math.prod(RARE.shares[kind] for kind in kinds), Instance(2, tuple(RARE.kinds[kind] for kind in kinds)))
        for kinds in itertools.product((0, 1), repeat=3)
    ]
    best, low, high = (
        sum(chance * policy_value(day, policy) for chance, day in days)
        for policy in (RARE.best(3), first, lambda left, alive, edges: max(edges, default=None))
    )
    assert best >= low > high


def test_days_of_one_market_are_a_task():
    task = Allocation(family="market", size=4, views=5, shown="offers", train_size=3, eval_size=2, seed=7)
    train, held_out = ([instance_of(one) for one in task.examples(split)] for split in ("train", "eval"))
    for day in (*train, *held_out):
        assert len(day.arrivals) == 5
        assert set(day.arrivals) <= set(Market.made(4, 7).kinds)
    assert not set(train) & set(held_out)
    with pytest.raises(ConfigError, match="offline is 7"):
        Allocation(family="market", size=7).examples("train")


def test_what_is_shown_of_offers_is_a_state_of_the_table():
    world = TextWorld(MatchingWorld(Instance.of(2, [{0: 1.0, 1: 0.5}, {0: 1.0, 1: 0.5}])), "offers")
    assert world.reset(seed=0) == "11/01" == state((True, True), (0, 1))
    task = Allocation(family="market", size=3, views=6, shown="offers", train_size=4, eval_size=0)
    rows, draw = set(states(3)), random.Random(0)
    assert len(rows) == 27
    for example in task.examples("train"):
        game = task.environment(example)
        seen, over = game.reset(seed=1), False
        while not over:
            assert seen in rows
            turn = game.world.step(draw.randrange(3))
            over = turn[2]
            seen = game.told(turn[0])


@pytest.mark.skipif(find_spec("torch") is None, reason="a table learns with torch: pip install 'guerdon[train]'")
@pytest.mark.model
@pytest.mark.slow
def test_the_recipe_learns(tmp_path):
    """A quarter of its steps, on 40 held-out days, exactly. Untrained, the table shows vertex 0 alone."""
    from guerdon.recipes import load_recipe
    from guerdon.recipes.running import run_recipe
    from guerdon.recipes.trained import trainer_of_run
    from guerdon_page.matching.tables import allocation_table, greedy_choice

    short = ["train.steps=15", "train.eval.examples=1", "task.with.train_size=240", "task.with.eval_size=40"]
    recipe = load_recipe("page-allocation", [*short, "train.optimizer.lr=0.3"])
    trainer = trainer_of_run(run_recipe(recipe, tmp_path / "run").path)
    days = [(instance_of(one), one.bound) for one in trainer.task.examples("eval")]
    before, after = (
        sum(policy_value(day, greedy_choice(table)) / bound for day, bound in days) / len(days)
        for table in (allocation_table(4), trainer.policy)
    )
    assert before < 0.3
    assert after > 0.7
