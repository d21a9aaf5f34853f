"""VeRPO's worked examples, with the fact sheet's numbers, up to the advantages that training sees."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.advantages import group_relative
from guerdon.errors import ConfigError
from guerdon.types import Example, Group, Rollout, Segment
from guerdon_code.verpo import (
    Settings,
    advantages,
    bandwidth,
    densities,
    estimators,
    measures,
    pass_rates,
    scores,
    weigh,
)


def rows(text):
    """Trajectories apart by ",", turns by blanks, verdicts as digits; "-" is an attempt that was lost."""
    return [
        [None if turn == "-" else tuple(bit == "1" for bit in turn) for turn in one.split()] for one in text.split(",")
    ]


def flat(nested):
    return [value for row in nested for value in row]


def close(values):
    """The sheet prints six decimals."""
    return pytest.approx(values, abs=1.1e-6)


# -- the worked examples ---------------------------------------------------------------------------------------------


def test_example_1_a_gradient_although_nobody_solved_it():
    attempts = rows("1110,1100,1110,0000")
    found = weigh(attempts)
    assert found.rates == (0.75, 0.75, 0.5, 0.0)
    assert found.sigma == close(0.153093)
    assert found.densities == close((2.263603, 2.263603, 1.532022, 1.00484))
    assert found.weights == close((0.098573, 0.098573, 0.240127, 0.995182))
    assert flat(found.turns) == close([0.437272, 0.197146, 0.437272, 0.0])
    assert found.trajectories == (0.0,) * 4
    assert flat(advantages(attempts)) == close([0.16935, -0.070777, 0.16935, -0.267923])


def test_example_2_a_tie_is_a_tie():
    attempts = rows("10,01")
    found = weigh(attempts)
    assert found.rates == (0.5, 0.5)
    assert found.sigma == 1e-3
    assert found.densities == close((2.0, 2.0))
    assert found.weights == close((0.18394, 0.18394))
    assert advantages(attempts) == [[0.0], [0.0]]


def test_example_3_all_pass():
    attempts = rows("111,111")
    found = weigh(attempts)
    assert found.weights == close((0.045112,) * 3)
    assert flat(found.turns) == close([0.135335, 0.135335])
    assert found.trajectories == close((0.995, 0.995))
    assert advantages(attempts) == [[0.0], [0.0]]


def test_example_4_all_fail():
    attempts = rows("000,000")
    assert weigh(attempts).weights == close((1 / 3,) * 3)
    assert advantages(attempts) == [[0.0], [0.0]]


def test_example_5_one_of_four_solves_it():
    attempts = rows("1111,1110,1110,1110")
    found = weigh(attempts)
    assert found.rates == (1.0, 1.0, 1.0, 0.25)
    assert found.weights == close((0.045111, 0.045111, 0.045111, 0.606488))
    assert flat(found.turns) == close([0.741822, 0.135334, 0.135334, 0.135334])
    assert found.trajectories == close((0.995, 0.0, 0.0, 0.0))
    (alone,) = estimators()["outcome"].estimate([standing_in(attempts)], [scores(attempts)]).values
    assert flat(alone) == close([0.74625, -0.24875, -0.24875, -0.24875])
    assert flat(advantages(attempts)) == close([1.201116, -0.400372, -0.400372, -0.400372])


def test_example_6_several_turns():
    """Turns are centred over all six turns, trajectories over the two trajectories."""
    attempts, settings = rows("100 111,110 110 110 110"), Settings(gamma=0.9)
    found = weigh(attempts, settings)
    assert found.rates == close((1.0, 0.833333, 0.166667))
    assert found.sigma == close(0.180021)
    assert found.weights == close((0.081949, 0.114297, 0.715762))
    assert found.turns[0] == close((0.081949, 0.912008))
    assert found.turns[1] == close((0.196246,) * 4)
    assert found.trajectories == close((0.81, 0.0))
    earned, group = [scores(attempts, settings)], [standing_in(attempts)]
    (alone,) = estimators()["outcome"].estimate(group, earned).values
    assert alone == [[pytest.approx(0.405)] * 2, [pytest.approx(-0.405)] * 4]
    (local,) = estimators()["VeRPO, local only"].estimate(group, earned).values
    assert flat(local) == close([-0.214541, 0.615518] + [-0.100244] * 4)
    assert flat(advantages(attempts, settings)) == close([0.190459, 1.020518] + [-0.505244] * 4)


def test_example_7_eight_copies_of_an_easy_test_do_not_outweigh_a_hard_one():
    easy, hard = "111111110", "000000001"
    attempts = rows(f"{easy},{hard},{easy},{easy}")
    found = weigh(attempts)
    assert found.weights == close((0.027891,) * 8 + (0.60653,))
    assert flat(found.turns) == close([0.22313, 0.60653, 0.22313, 0.22313])
    assert flat(advantages(attempts)) == close([-0.09585, 0.28755, -0.09585, -0.09585])
    (ranked,) = estimators()["pass rate"].estimate([standing_in(attempts)], [scores(attempts)]).values
    assert flat(ranked)[1] == min(flat(ranked)) < 0.0


def standing_in(attempts, steps=1):
    """A group with as many turns, each of so many tokens and answered by an environment."""
    one_turn = (Segment("policy", token_ids=(0,) * steps), Segment("environment", token_ids=(1, 1)))
    return Group.of([Rollout(Example(id="x"), one_turn * len(turns)) for turns in attempts])


# -- what training sees ----------------------------------------------------------------------------------------------


def test_every_token_of_a_turn_gets_that_turns_advantage():
    """Example 6 with three tokens a turn."""
    attempts, settings = rows("100 111,110 110 110 110"), Settings(gamma=0.9)
    found = settings.estimator().estimate([standing_in(attempts, steps=3)], [scores(attempts, settings)])
    assert found.values[0][0] == close([0.190459] * 3 + [1.020518] * 3)
    assert found.values[0][1] == close([-0.505244] * 12)


def test_with_one_turn_each_the_values_alone_give_the_same_advantages():
    """Section 'Definitions' of the sheet: centring R_traj * gamma + beta * R_turn once is the same."""
    attempts, settings = rows("1111,1110,1110,0010"), Settings(beta=0.7)
    alone = group_relative(std=False).estimate([standing_in(attempts)], [scores(attempts, settings)]).values
    assert flat(flat(alone)) == pytest.approx(flat(advantages(attempts, settings)))


def test_beta_weighs_the_turns_and_zero_leaves_the_outcome():
    attempts = rows("11,10,10")
    plain, heavy, none = (advantages(attempts, Settings(beta=beta)) for beta in (1.0, 3.0, 0.0))
    outcome = [0.995 * 2 / 3, -0.995 / 3, -0.995 / 3]
    assert flat(none) == pytest.approx(outcome)
    for low, high, base in zip(flat(plain), flat(heavy), outcome, strict=True):
        assert high - base == pytest.approx(3.0 * (low - base))


def test_the_bandwidth_is_half_the_population_std_unless_told_otherwise():
    """Rates 0 and 1: population std 0.5."""
    assert bandwidth((0.0, 1.0)) == 0.25
    assert bandwidth((0.0, 1.0), "root") == pytest.approx(0.5 / math.sqrt(2.0))
    assert bandwidth((0.0, 1.0), 0.1) == 0.1
    assert bandwidth((0.5, 0.5), "root") == bandwidth((0.0, 1.0), 1e-9) == 1e-3


def test_densities_are_those_of_all_pairs():
    """Computed over distinct rates; here pair by pair."""
    rates, sigma = (0.0, 0.5, 0.5, 0.75, 0.5), 0.2
    pairs = [sum(math.exp(-((one - other) ** 2) / (2 * sigma**2)) for other in rates) for one in rates]
    assert densities(rates, sigma) == pytest.approx(pairs)


def test_a_score_says_how_many_tests_passed_and_how_much_of_the_weight():
    """Example 1: 0.437272 of 1.432455 is 31 %."""
    score = scores(rows("1110,1100,1110,0000"))[0]
    assert score.why == "3 of 4 tests passed, 31% of their weight"
    assert (score.status, score.parts["outcome"].value, score.parts["tests"].value) == ("fail", 0.0, 0.75)
    assert score.value == close(0.437272)


def test_a_score_tells_its_turns_apart():
    """Example 6: 0.081949 of 0.912008 is 9 %."""
    solved = scores(rows("100 111,110 110 110 110"))[0]
    first, second = (
        "turn 1: 1 of 3 tests passed, 9% of their weight",
        "turn 2: 3 of 3 tests passed, 100% of their weight",
    )
    assert solved.why == f"{first}; {second}"
    assert (solved.status, solved.parts["outcome"].value) == ("ok", 1.0)
    assert "turn 2: lost, the sandbox failed; turn 3" in scores(rows("100,110 - 110"))[1].why


def test_the_value_is_the_trajectory_plus_the_mean_of_its_turns():
    """Example 6: 0.81 + (0.081949 + 0.912008) / 2, and 0 + 0.196246."""
    earned = scores(rows("100 111,110 110 110 110"), Settings(gamma=0.9))
    assert [score.value for score in earned] == close([0.81 + 0.4969785, 0.196246])


# -- what the sandbox lost -------------------------------------------------------------------------------------------


def test_a_lost_attempt_leaves_the_pass_rates_and_the_means():
    """Beside it, single turns: the group without it gives the same numbers, and it gets nothing."""
    with_hole, without = rows("1110,-,1100,1110,0000"), rows("1110,1100,1110,0000")
    assert weigh(with_hole).weights == weigh(without).weights
    found = advantages(with_hole)
    assert found[1] == [0.0]
    assert found[:1] + found[2:] == advantages(without)
    assert scores(with_hole)[1].status == "infra"


def test_a_lost_turn_in_between_keeps_its_trajectorys_advantage_alone():
    """Turns: 0.5 of (1 0 1) ... the lost one has no share of equation 7, and the others are centred without it."""
    attempts, settings = rows("10 - 11,10 10"), Settings(gamma=1.0)
    first, second = advantages(attempts, settings)
    assert first[1] == pytest.approx(0.5)
    there = [first[0], first[2], *second]
    outcome = [0.5, 0.5, -0.5, -0.5]
    assert math.fsum(a - b for a, b in zip(there, outcome, strict=True)) == pytest.approx(0.0)
    assert weigh(attempts, settings).rates == (1.0, 0.25)


def test_a_trajectory_whose_last_attempt_was_lost_is_unscored_and_its_other_turns_still_say_how_hard_tests_are():
    attempts = rows("01 -,10,11")
    assert weigh(attempts).rates == pytest.approx((2 / 3, 2 / 3))
    assert [score.status for score in scores(attempts)] == ["infra", "fail", "ok"]
    assert advantages(attempts)[0] == [0.0, 0.0]


def test_a_group_that_was_lost_whole_is_unscored():
    assert [score.status for score in scores(rows("-,- -"))] == ["infra", "infra"]
    assert advantages(rows("-,- -")) == [[0.0], [0.0, 0.0]]
    assert math.isnan(measures([rows("-,-")])["rate/mean"])


# -- properties ------------------------------------------------------------------------------------------------------


@st.composite
def groups(draw, lost=False):
    """2 to 5 trajectories of 1 to 3 turns, 1 to 6 tests; some attempts lost."""
    tests = draw(st.integers(1, 6))
    row = st.lists(st.booleans(), min_size=tests, max_size=tests).map(tuple)
    return draw(st.lists(st.lists(row | st.none() if lost else row, min_size=1, max_size=3), min_size=2, max_size=5))


@given(groups(lost=True), st.randoms())
def test_permuting_tests_changes_no_advantage(attempts, shuffle):
    """Sums are rounded once, so that the order of tests cannot even change the last bit."""
    count = max((len(row) for turns in attempts for row in turns if row is not None), default=0)
    order = shuffle.sample(range(count), count)
    moved = [[row and tuple(row[j] for j in order) for row in turns] for turns in attempts]
    assert advantages(moved) == advantages(attempts)
    weights = weigh(attempts).weights
    assert weigh(moved).weights == tuple(weights[j] for j in order if weights)


@given(groups(lost=True), st.randoms())
def test_permuting_trajectories_permutes_their_advantages(attempts, shuffle):
    order = shuffle.sample(range(len(attempts)), len(attempts))
    found = advantages(attempts)
    moved = advantages([attempts[i] for i in order])
    for one, other in zip(moved, (found[i] for i in order), strict=True):
        assert one == pytest.approx(other, abs=1e-12)


@given(groups(lost=True))
def test_the_turns_share_sums_to_zero_over_turns_and_the_trajectorys_over_trajectories(attempts):
    earned, group = scores(attempts), standing_in(attempts)
    (local,) = estimators()["VeRPO, local only"].estimate([group], [earned]).values
    (outcome,) = estimators()["outcome"].estimate([group], [earned]).values
    assert math.fsum(flat(local)) == pytest.approx(0.0, abs=1e-9)
    assert math.fsum(one[0] for one in outcome) == pytest.approx(0.0, abs=1e-9)


@given(groups(lost=True))
def test_a_lost_turn_in_between_changes_no_pass_rate_and_no_weight(attempts):
    with_hole = [[None, *turns] for turns in attempts]
    assert weigh(with_hole).weights == weigh(attempts).weights
    assert flat(row[1:] for row in weigh(with_hole).turns) == pytest.approx(flat(weigh(attempts).turns), nan_ok=True)


@given(groups().map(lambda attempts: attempts[0][:1]), st.integers(2, 6))
def test_equal_attempts_teach_nothing(turns, count):
    assert advantages([turns] * count) == [[0.0]] * count


@given(groups(), st.integers(1, 40), st.sampled_from(["half", "root", 1e-3]))
def test_copies_of_a_test_are_worth_no_more_together_than_one_alone_could_be(attempts, copies, sigma):
    """Each of k copies has k neighbours at least: k * w / N <= w, whatever else there is."""
    found = weigh([[(row[0],) * copies + tuple(row[1:]) for row in turns] for turns in attempts], Settings(sigma=sigma))
    assert math.fsum(found.weights[:copies]) <= math.exp(-2.0 * found.rates[0])


@given(groups(), st.integers(1, 40))
def test_copies_of_a_test_without_neighbours_are_worth_what_it_was_worth(attempts, copies):
    """A bandwidth so narrow that only tests of the same rate are neighbours; delta is felt once, not k times."""
    narrow = Settings(sigma=1e-3)
    found = weigh([[(row[0],) * copies + tuple(row[1:]) for row in turns] for turns in attempts], narrow)
    once = weigh(attempts, narrow)
    if once.rates.count(once.rates[0]) == 1:
        assert math.fsum(found.weights[:copies]) == pytest.approx(once.weights[0], rel=2e-6)


@given(groups(lost=True))
def test_scores_lie_within_what_their_docstring_says(attempts):
    tests = max((len(row) for turns in attempts for row in turns if row is not None), default=0)
    for score in scores(attempts):
        assert not score.scored or 0.0 <= score.value <= 1.0 + tests
    for weight, density in zip(weigh(attempts).weights, weigh(attempts).densities, strict=True):
        assert 0.0 < weight < 1.0
        assert 1.0 <= density <= tests + 1e-9


# -- measures --------------------------------------------------------------------------------------------------------


def test_measures_compare_what_each_credit_leaves_dead():
    """By outcome: only the second teaches. By pass rate: the first two. By VeRPO: those and the hard-only answer."""
    found = measures([rows("10,11"), rows("1110,1111"), rows("100,001,100,100"), rows("00,00")])
    assert found["dead/outcome"] == 0.5
    assert found["dead/pass_rate"] == 0.5
    assert found["dead/verpo"] == 0.25
    assert found["rate/mean"] == pytest.approx((0.75 + 0.875 + 1 / 3 + 0.0) / 4)


def test_the_share_of_weight_on_the_frontier_is_that_of_tests_that_pass_less_often_than_one_in_five():
    """Example 1: the last of four tests is never passed, 0.995182 of 1.432455."""
    assert measures([rows("1110,1100,1110,0000")])["weight/frontier"] == pytest.approx(0.995182 / 1.432455, abs=1e-6)


def test_measures_of_nothing_are_no_numbers():
    assert all(math.isnan(value) for value in measures([]).values())


# -- what is wrong is named ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0.0},
        {"beta": -1.0},
        {"gamma": 0.0},
        {"gamma": 1.5},
        {"delta": 0.0},
        {"sigma": "third"},
        {"sigma": 0.0},
        {"alpha": math.nan},
        {"beta": math.inf},
        {"gamma": True},
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=rf"Settings\.{name} is {wrong[name]!r}; a finite number"):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("attempts", "said"),
    [
        ([[(True,)], []], "trajectory 1 has no turns"),
        ([[(True, False)], [(True,)]], "turn 0 of trajectory 1 has 1 verdicts where the first attempt has 2"),
        ([[(True,), ()]], "turn 1 of trajectory 0 has no tests"),
        ([[(True, -1)]], "turn 0 of trajectory 0, test 1: -1 is no verdict"),
    ],
    ids=["no turns", "unequal", "no tests", "a truthy code"],
)
def test_a_matrix_that_is_none_is_named(attempts, said):
    """-1, -2 and -3 are what common runners write for crashes, and truthy."""
    with pytest.raises(ValueError, match=said):
        pass_rates(attempts)


def test_a_batch_is_scored_in_a_small_fraction_of_a_second():
    """32 prompts, 16 samples, 64 tests; about 0.03 s on two busy cores, and far less than ten times that."""
    import time

    draw = random.Random(0)
    hard = [draw.random() for _ in range(64)]
    batch = [[[tuple(draw.random() < p for p in hard)] for _ in range(16)] for _ in range(32)]
    began = time.perf_counter()
    for attempts in batch:
        advantages(attempts)
    assert time.perf_counter() - began < 0.5
