"""The simulator against exact values, its hard families, the ratio checker."""

import math

import pytest

from guerdon.errors import ConfigError
from guerdon_page.matching.exact import rule_value, s_opt
from guerdon_page.matching.hard_instances import against_greedy, star, thick_z, triangular, twelve
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.ratios import GUARANTEES, applies, random_instance, ratios
from guerdon_page.matching.simulation import simulate

SMALL = [
    Instance.of(2, [{0: 0.6, 1: 0.5}, {0: 0.6, 1: 0.2}, {0: 0.3, 1: 0.4}]),
    Instance.of(3, [{0: 0.5, 2: 0.45}] * 3 + [{}] + [{0: 0.5}] * 3 + [{1: 0.2, 2: 0.9}]),
    Instance.of(2, [{0: 0.5, 1: 0.5}] * 3, weights=(1.0, 2.5)),
]


@pytest.mark.parametrize("rule", ["balance", "greedy", "ranking", "random"])
@pytest.mark.parametrize("instance", SMALL, ids=["unequal", "gaps", "weighted"])
def test_a_simulation_agrees_with_the_exact_value(instance, rule):
    found = simulate(instance, rule, runs=20_000, seed=3)
    assert abs(found.value - rule_value(instance, rule)) < 4 * found.std_error


def test_the_same_seed_plays_the_same_runs():
    one, again, other = (simulate(SMALL[0], "ranking", runs=5000, seed=seed) for seed in (0, 0, 1))
    assert one == again != other


def test_finished_vertices_are_not_attempted():
    """A vertex that succeeds at once is attempted once, whatever comes after."""
    found = simulate(Instance.of(1, [{0: 1.0}] * 5), "balance", runs=10)
    assert (found.value, found.attempts) == (1.0, 1.0)


def test_ties_at_random_are_no_longer_luck():
    """Example 5 and its mirror: by number 1.5625 and 1.1875, at random the same for both."""
    lucky = Instance.of(2, [{0: 0.5, 1: 0.5}] * 2 + [{1: 0.5}] * 2)
    values = [simulate(one, "greedy", runs=40_000, ties="random") for one in (lucky, lucky.relabelled([1, 0]))]
    assert values[0].value == pytest.approx(1.375, abs=0.02)
    assert values[1].value == pytest.approx(1.375, abs=0.02)


def test_a_decay_too_steep_for_a_float_is_no_success():
    """1 - .5^3 whatever the decay: exp(-2000 * .5) is 0 in float64."""
    found = simulate(Instance.of(1, [{0: 0.5}] * 3), "balance", rate=2000.0, runs=20_000)
    assert abs(found.value - 0.875) < 4 * found.std_error
    assert found.attempts == pytest.approx(1.75, abs=0.03)


@pytest.mark.parametrize("rule", ["balance", "greedy"])
def test_ties_go_to_the_smallest_number_in_spite_of_rounding(rule):
    """.1 and .2 tried of vertex 0, .3 of vertex 1, whose decays differ in the last bit; 0 is next, and 1 is left."""
    rows = [{0: 0.1}, {0: 0.2}, {1: 0.3}, {0: 0.4, 1: 0.4}, {1: 0.9}]
    for instance in (Instance.of(2, rows), Instance.of(2, [*rows[:4], {0: 0.9}])):
        found = simulate(instance, rule, runs=40_000)
        assert abs(found.value - rule_value(instance, rule)) < 4 * found.std_error


def test_a_faster_decay_is_another_rule():
    instance = Instance.of(2, [{0: 0.5, 1: 0.45}] * 3 + [{0: 0.5}] * 3)
    assert simulate(instance, "balance", rate=0.0, runs=9000) == simulate(instance, "greedy", runs=9000)


@pytest.mark.parametrize("options", [{"runs": 0}, {"ties": "luck"}, {"rate": math.nan}, {"rule": "luck"}])
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError):
        simulate(SMALL[0], **{"rule": "balance", **options})


def test_one_run_has_no_error_and_nothing_to_match_is_zero():
    assert math.isnan(simulate(SMALL[0], "greedy", runs=1).std_error)
    assert simulate(Instance.of(2, [{}]), "balance", runs=3).value == 0.0
    assert simulate(Instance.of(0, []), "balance", runs=3).value == 0.0


def test_families_have_the_sheets_types():
    assert triangular(3) == [[0, 1, 2], [1, 2], [2]]
    assert thick_z(2) == [[0, 2, 3], [1, 2, 3], [2], [3]]
    assert star(3) == [[0, 1, 2], [1], [2]]
    assert twelve()[:4] == [[*range(12)], [*range(1, 12)], [*range(2, 12)], [*range(3, 11)]]
    assert twelve()[4:] == [[u] for u in range(4, 12)]
    assert against_greedy(2, 1).arrivals == (((0, 1.0), (1, 1.0)), ((0, 1.0),))


def test_a_guarantee_is_compared_with_its_own_benchmark_alone():
    """Balance gets .593 of the Matching LP on the hard graph: below .611, which is proved against S-OPT."""
    instance = Instance.typed(12, twelve(), 20)
    found = ratios(instance, "balance", benchmarks=("matching_lp",), runs=4000)
    assert {one.guarantee.against for one in found} == {"matching_lp"}
    assert all(one.ratio < 0.611 for one in found)
    assert all(one.holds for one in found)


def test_guarantees_speak_of_what_they_are_proved_for():
    told = {rule: [one.ratio for one in GUARANTEES if applies(one, SMALL[0], rule)] for rule in ("balance", "ranking")}
    assert told == {"balance": [], "ranking": []}  # neither equal nor vanishing
    assert [one.ratio for one in GUARANTEES if applies(one, SMALL[0], "greedy")] == [0.5]
    equal = Instance.typed(3, triangular(3), 4)
    assert [one.ratio for one in GUARANTEES if applies(one, equal, "balance")] == [0.5, 0.567, 0.611, 0.613]
    assert not any(applies(one, SMALL[2], "balance") for one in GUARANTEES)  # weighted


@pytest.mark.parametrize("equal", [False, True])
def test_what_is_proved_holds_on_small_graphs(equal):
    for seed in range(12):
        instance = random_instance(seed, equal=equal)
        for rule in ("balance", "ranking"):
            for found in ratios(instance, rule):
                assert found.holds, (seed, found)


def test_a_rule_that_falls_short_is_found():
    """Greedy on reversed labels gets .51 of the Matching LP; had it balance's name, its guarantee would be broken."""
    found = simulate(against_greedy(10, 20), "greedy", runs=4000)
    assert found.value / 10 < 0.567 - 3 * found.std_error / 10


def test_where_chances_differ_a_rule_that_does_not_look_at_them_has_no_half():
    """The sheet promises one half to whatever wastes nothing; of 1, .01 and .01 ranking and random get a third."""
    instance = Instance.of(3, [{0: 1.0, 1: 0.01, 2: 0.01}])
    for rule in ("ranking", "random"):
        assert rule_value(instance, rule) == pytest.approx(1.02 / 3)
        assert ratios(instance, rule) == []
    assert [one.ratio for one in ratios(instance, "greedy")] == [1.0]


@pytest.mark.parametrize("low", [0.01, 0.5])
def test_greedy_has_half_of_the_matching_lp_whatever_the_chances(low):
    for seed in range(12):
        (found,) = ratios(random_instance(seed, low=low, high=1.0), "greedy")
        assert found.holds, (seed, found)


def test_nothing_to_get_breaks_nothing():
    found = ratios(Instance.of(2, [{}]), "balance")
    assert found
    assert all(math.isnan(one.ratio) and one.holds for one in found)


def test_the_star_has_less_to_fear_from_s_opt_than_from_the_lp():
    instance = Instance.typed(3, star(3), 4)
    found = {(one.guarantee.against): one.ratio for one in ratios(instance, "balance")}
    assert found["s_opt"] == pytest.approx(1.98143 / 2.195283, abs=1e-5)
    assert found["matching_lp"] == pytest.approx(1.98143 / 3, abs=1e-5)
    assert s_opt(instance) < 3.0
