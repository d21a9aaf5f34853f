"""The worked examples of the sheet on online matching, exactly."""

import json
import math

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_page.matching.bounds import configuration_lp, matching_lp, subset_lp
from guerdon_page.matching.exact import best_online, rule_value, s_opt
from guerdon_page.matching.hard_instances import star, triangular, twelve
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.rules import budgeted, plan
from guerdon_page.matching.vanishing import limit_value

BOTH = {0: 1.0, 1: 1.0}
EXAMPLES = {
    "1": (1, [{0: 0.25}] * 4, (0.683594, 0.683594, 0.683594, 0.683594, 0.683594, 1.0)),
    "2": (2, [BOTH, {0: 1.0}], (1.0, 1.0, 1.5, 1.0, 2.0, 2.0)),
    "2, the other": (2, [BOTH, {1: 1.0}], (2.0, 2.0, 1.5, 2.0, 2.0, 2.0)),
    "3": (2, [{0: 0.9, 1: 0.9}] * 3, (1.971, 1.971, 1.971, 1.89, 1.971, 2.0)),
    "4": (2, [{0: 0.6, 1: 0.5}, {0: 0.6, 1: 0.2}, {0: 0.3, 1: 0.4}], (1.312, 1.312, 1.223, 1.24, 1.42, 1.566667)),
    "5": (2, [{0: 0.5, 1: 0.5}] * 2 + [{1: 0.5}] * 2, (1.375, 1.5625, 1.375, 1.375, 1.5625, 2.0)),
    "6": (2, [{0: 0.5, 1: 0.45}] * 3 + [{0: 0.5}] * 3, (1.5425, 1.445625, 1.605953, 1.41875, 1.771453, 2.0)),
    "9": (2, [{}, {0: 0.0}], (0.0,) * 6),
}
STAR = Instance.typed(3, star(3), 4)


@pytest.mark.parametrize("number", EXAMPLES)
def test_rules_and_benchmarks_have_the_sheets_values(number):
    """Balance, greedy, ranking, non-adaptive, S-OPT, Matching LP."""
    offline, arrivals, wanted = EXAMPLES[number]
    instance = Instance.of(offline, arrivals)
    rules = [rule_value(instance, rule) for rule in ("balance", "greedy", "ranking")]
    found = [*rules, plan(instance)[1], s_opt(instance), matching_lp(instance)]
    assert found == pytest.approx(wanted, abs=1e-6)


def test_the_star_with_four_copies():
    found = [rule_value(STAR, "balance"), rule_value(STAR, "ranking"), s_opt(STAR), matching_lp(STAR)]
    assert found == pytest.approx([1.98143, 1.909332, 2.195283, 3.0], abs=1e-6)


def test_greedys_luck_with_ties_is_gone_when_the_graph_is_relabelled():
    """Example 5 with its last two arrivals seeing {0}."""
    instance = Instance.of(2, [{0: 0.5, 1: 0.5}] * 2 + [{0: 0.5}] * 2)
    assert rule_value(instance, "greedy") == pytest.approx(1.1875)
    assert rule_value(instance, "balance") == pytest.approx(1.375)
    lucky = Instance.of(2, EXAMPLES["5"][1])
    assert lucky.relabelled([1, 0]) == instance


def test_the_configuration_lp_is_no_bound_for_large_chances_and_the_subset_lp_is_a_tight_one():
    instance = Instance.of(2, EXAMPLES["3"][1])
    assert configuration_lp(instance) == pytest.approx(1.9)
    assert configuration_lp(instance) < s_opt(instance) == pytest.approx(1.971)
    assert subset_lp(instance) == pytest.approx(1.998, abs=1e-6)


@pytest.mark.parametrize(("number", "value"), [("4", 1.54), ("5", 1.6875), ("1", 0.683594)])
def test_the_subset_lp_has_the_sheets_values(number, value):
    assert subset_lp(Instance.of(*EXAMPLES[number][:2])) == pytest.approx(value, abs=1e-6)


def test_the_best_in_arrival_order_gets_less_than_the_best_in_any():
    instance = Instance.of(2, EXAMPLES["4"][1])
    assert best_online(instance) == pytest.approx(1.36)
    assert best_online(instance) < s_opt(instance)


@pytest.mark.parametrize("number", [*EXAMPLES, "star"])
def test_no_rule_beats_the_best_and_the_benchmarks_stand_in_order(number):
    instance = STAR if number == "star" else Instance.of(*EXAMPLES[number][:2])
    best = best_online(instance)
    for rule in ("balance", "greedy", "ranking", "random"):
        assert rule_value(instance, rule) <= best + 1e-9
    assert plan(instance)[1] <= best + 1e-9 <= s_opt(instance) + 2e-9
    assert s_opt(instance) <= subset_lp(instance) + 1e-7 <= matching_lp(instance) + 2e-7


E2, E3 = math.exp(-2), math.exp(-3)


@pytest.mark.parametrize(
    ("offline", "types", "share"),
    [
        (1, triangular(1), 1 - 1 / math.e),
        (2, triangular(2), 0.622589),
        (3, triangular(3), 1 - 11 / (18 * math.e) - 5 * E2 / 6 - 5 * E3 / 6),
        (5, triangular(5), 0.622417),
        (4, star(4), 0.604996),
        (12, twelve(), 0.592873),
    ],
)
def test_the_limit_of_vanishing_chances_is_the_sheets(offline, types, share):
    assert limit_value(offline, types) / offline == pytest.approx(share, abs=1e-6)


def test_finite_chances_lie_above_the_limit():
    """1 - (1 - 1/m)^m against 1 - 1/e."""
    above = [rule_value(Instance.typed(1, [[0]], m), "balance") - (1 - 1 / math.e) for m in (4, 8, 16)]
    assert above == sorted(above, reverse=True)
    assert above[-1] > 0.01


def test_loads_grow_on_failures_too():
    """0 fails at .2, so its load is .2 and 1 is next; were failures free, 0, the smaller number, would come again."""
    instance = Instance.of(2, [{0: 0.2, 1: 0.2}] * 2)
    assert rule_value(instance, "balance") == pytest.approx(0.4)
    unequal = Instance.of(2, [{0: 0.5, 1: 0.4}] * 2 + [{0: 0.5}])
    assert rule_value(unequal, "balance") != rule_value(unequal, "greedy")


def test_a_plan_wastes_attempts_and_rules_do_not():
    instance = Instance.of(2, [{0: 0.9, 1: 0.9}] * 3)
    assert plan(instance)[0] == [0, 1, 0]
    assert plan(instance)[1] < rule_value(instance, "greedy")


def test_the_decay_of_balance_is_an_option():
    """After a failure of 0: .3 exp(-.3) = .222 stays above 1's .2, as greedy has it; .3 exp(-.9) = .122 does not."""
    instance = Instance.of(2, [{0: 0.3, 1: 0.2}] * 2 + [{0: 0.3}])
    assert budgeted(0.0) == pytest.approx(1 - 1 / math.e)
    assert 0.0 < budgeted(5.0) < budgeted(0.5) < budgeted(0.0)
    steep = rule_value(instance, "balance", lambda load: math.exp(-3.0 * load))
    assert steep != rule_value(instance, "balance") == rule_value(instance, "greedy")
    assert rule_value(instance, "balance", lambda load: 1.0) == rule_value(instance, "greedy")


def test_weights_are_worth():
    """One view, both at .5: who is worth 3 is tried."""
    instance = Instance.of(2, [{0: 0.5, 1: 0.5}], weights=(1.0, 3.0))
    assert rule_value(instance, "greedy") == s_opt(instance) == best_online(instance) == matching_lp(instance) == 1.5
    assert plan(instance) == ([1], 1.5)
    assert instance.relabelled([1, 0]).weights == (3.0, 1.0)


def test_an_instance_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "instance.json"
    instance = Instance.of(2, [{0: 0.25, 1: 0.5}, {}], weights=(1.0, 2.0))
    path.write_text(json.dumps(instance.to_json()))
    assert Instance.from_json(path) == instance
    for text in (
        "[]",
        '{"offline": 1}',
        '{"offline": 1, "arrivals": [{"x": 1}]}',
        '{"offline": 1, "arrivals": [{"0": 2}]}',
        '{"offline": 2, "arrivals": [{"0": 0.5, "00": 0.4}]}',
        '{"offline": 2, "arrivals": [{"0": 0.5, "0": 0.4}]}',
        '{"offline": 2.7, "arrivals": [{"1": 0.5}]}',
        '{"offline": true, "arrivals": []}',
        '{"offline": 2, "arrivals": [{"1": "0.5"}]}',
        '{"offline": 2, "arrivals": [{"1": true}]}',
        '{"offline": 1, "arrivals": [], "weights": ["1"]}',
    ):
        path.write_text(text)
        with pytest.raises(TaskError, match="no instance can be read"):
            Instance.from_json(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Instance.of(1, [{0: math.nan}]), "chance nan"),
        (lambda: Instance.of(1, [{0: 1.5}]), "chance 1.5"),
        (lambda: Instance.of(1, [{0: -0.1}]), "chance -0.1"),
        (lambda: Instance.of(1, [{1: 0.5}]), "vertex 1"),
        (lambda: Instance(2, (((1, 0.5), (1, 0.5)),)), "twice"),
        (lambda: Instance.of(1, [], weights=[math.inf]), "weights"),
        (lambda: Instance.of(2, [], weights=[1.0]), "1 values for 2"),
        (lambda: Instance.of(-1, []), "offline is -1"),
        (lambda: Instance.typed(1, [[0]], 0), "copies is 0"),
        (lambda: Instance.of(2, []).relabelled([0, 0]), "permutation"),
        (lambda: limit_value(19, []), "vertices are possible"),
        (lambda: limit_value(1, [[1]]), "vertex 1"),
        (lambda: limit_value(1, [[0]], mass=math.nan), "mass is nan"),
        (lambda: rule_value(Instance.of(1, [{0: 0.5}] * 17), "greedy"), "17 arrivals"),
        (lambda: rule_value(Instance.of(8, []), "ranking"), "8 offline vertices"),
        (lambda: rule_value(Instance.of(1, []), "luck"), "accepted are"),
        (lambda: s_opt(Instance.of(30, [{0: 0.5}])), "states"),
        (lambda: best_online(Instance.of(30, [{0: 0.5}])), "states"),
        (lambda: configuration_lp(Instance.of(1, [{0: 0.1}] * 13)), "13 arrivals"),
        (lambda: subset_lp(STAR, most_rounds=1), "after 1 rounds"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(make, said):
    with pytest.raises(ConfigError, match=said):
        make()


def test_an_instance_without_vertices_or_arrivals_is_worth_nothing():
    for instance in (Instance.of(0, []), Instance.of(2, []), Instance.of(0, [{}])):
        assert rule_value(instance, "balance") == s_opt(instance) == matching_lp(instance) == subset_lp(instance) == 0.0
        assert configuration_lp(instance) == best_online(instance) == 0.0
