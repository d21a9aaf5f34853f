"""Rewards on prompts and completions, and on sampled transitions: distances, agreement, and what is unscored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from guerdon.comparing.agreement import agreement, kendall, pearson_distance, worst_disagreements
from guerdon.comparing.canonical import val
from guerdon.comparing.mdp import FiniteMDP
from guerdon.comparing.sampled import Pairs, bandit_distance, fitted_val, percentiles, sampled_distance
from guerdon.comparing.starc import distance
from guerdon.errors import ConfigError

NAN = float("nan")
numbers = arrays(np.float64, (5, 4), elements=st.integers(-20, 20).map(float))


def tabular(rewards_PM):
    """The bandit as a process: one state per prompt, each action back to where it came from; discount 0."""
    prompts, count = rewards_PM.shape
    table = np.zeros((prompts, count, prompts))
    table[np.arange(prompts), :, np.arange(prompts)] = 1.0
    return FiniteMDP(table, np.full(prompts, 1 / prompts), 0.0)


@given(numbers, numbers)
@settings(max_examples=50, deadline=None)
def test_the_bandits_distance_is_the_exact_one_of_its_table(first, second):
    assert bandit_distance(first, second, resamples=0).value == pytest.approx(
        float(distance(tabular(first), first, second)), abs=1e-7
    )


def test_the_bandits_distance_by_hand():
    """Centred: (-1, 0, 1) and (-1, 1, 0), both of squared length 2, product 1: rho 0.5, root of 2 - 1."""
    assert bandit_distance([[1, 2, 3]], [[10, 12, 11]], resamples=0).value == pytest.approx(1.0)


@given(numbers, st.floats(0.01, 100), arrays(np.float64, (5, 1), elements=st.integers(-9, 9).map(float)))
@settings(max_examples=50, deadline=None)
def test_scale_and_what_a_prompt_gets_as_a_whole_change_nothing(first, scale, shift):
    moved = scale * first + shift
    assert bandit_distance(first, moved, resamples=0).value == pytest.approx(0.0, abs=1e-6)
    flat = np.ptp(first, axis=1).max() == 0
    assert bandit_distance(first, -moved, resamples=0).value == pytest.approx(0.0 if flat else 2.0, abs=1e-6)


@pytest.mark.parametrize("offset", [1e6, 1e10, -1e10])
def test_a_large_offset_of_a_prompt_changes_nothing(offset):
    """(1, 2, 3) and (10, 12, 11) as above, the numbers exact at each offset."""
    first, second = [[offset + 1, offset + 2, offset + 3]], [[offset + 10, offset + 12, offset + 11]]
    found = bandit_distance(first, second, resamples=0).value
    assert found == pytest.approx(1.0, abs=1e-12)


def test_a_reward_without_a_preference_is_at_1_and_two_of_them_at_0():
    """0.1 three times over: the mean is off by a rounding, and that is no preference."""
    flat = [[0.1, 0.1, 0.1]]
    assert bandit_distance([[1, 2, 3]], flat, resamples=0).value == 1.0
    assert bandit_distance(flat, [[7, 7, 7]], resamples=0).value == 0.0


def test_what_either_leaves_unscored_leaves_both():
    """The third completion is unscored by the first reward, the second prompt has one left: it goes too."""
    first, second = [[1, 2, NAN, 3], [5, NAN, NAN, 9]], [[10, 12, 99, 11], [1, 2, 3, NAN]]
    assert bandit_distance(first, second, resamples=0).value == pytest.approx(1.0)
    found = agreement(first, second, resamples=0)
    assert (found.prompts, found.prompts_left_out, found.completions) == (1, 1, 3)
    assert found.unscored == (3, 1)


@pytest.mark.parametrize("nothing", [np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((3, 1)), np.full((2, 4), NAN)])
def test_with_nothing_to_compare_there_is_no_number(nothing):
    found = bandit_distance(nothing, nothing)
    assert np.isnan([found.value, found.low, found.high]).all()
    whole = agreement(nothing, nothing)
    assert whole.prompts == 0
    assert np.isnan([whole.epic, whole.rank.value, whole.same_best, *whole.cross_regret]).all()
    assert worst_disagreements(nothing, nothing) == []


@pytest.mark.parametrize(
    ("one", "other", "said"), [([[1, 2]], [[1]], "shape|arrays"), ([[1, np.inf]], [[1, 2]], "infinite")]
)
def test_what_cannot_be_compared_is_refused(one, other, said):
    with pytest.raises(ConfigError, match=said):
        Pairs.of(one, other)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Two rewards of correlation 0.6 within prompts: d = sqrt(0.8). Of 200 draws at least 88 % (95 - 4 sd)."""
    draw, held = np.random.default_rng(1), 0
    for _ in range(200):
        one = draw.normal(size=(60, 4))
        other = 0.6 * one + 0.8 * draw.normal(size=(60, 4))
        found = bandit_distance(one, other, resamples=200)
        assert found.low <= found.value <= found.high
        held += found.low <= np.sqrt(0.8) <= found.high
    assert held >= 176


def test_the_interval_is_the_same_each_time_and_of_the_seed():
    one, other = np.random.default_rng(0).normal(size=(2, 20, 4))
    assert bandit_distance(one, other, seed=1) == bandit_distance(one, other, seed=1)
    assert bandit_distance(one, other, seed=1).low != bandit_distance(one, other, seed=2).low


def test_a_mean_is_resampled_with_its_standard_error():
    """1,000 ones and 1,000 zeros: se of the mean is 0.5 / sqrt(2000) = 0.01118, 1.96 of them each way."""
    rows = np.stack([np.repeat([0.0, 1.0], 1000), np.ones(2000)], axis=1)
    low, high = percentiles(rows, lambda sums: sums[..., 0] / sums[..., 1], resamples=2000)
    assert high - low == pytest.approx(2 * 1.96 * 0.01118, rel=0.1)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 2, 3], [1, 3, 2], 1 / 3),
        ([1, 1, 2], [1, 2, 3], 2 / np.sqrt(2 * 3)),
        ([1, 1, 2, 2], [1, 2, 1, 2], 0.0),
    ],
)
def test_kendalls_tau_b_by_hand(one, other, wanted):
    """The fourth: pairs (1,3) and (2,3) agree, (1,2) is tied on one side: 2 / sqrt(2 * 3)."""
    assert kendall(np.array(one, float), np.array(other, float)) == pytest.approx(wanted)


def test_kendall_has_no_number_where_a_side_is_flat_and_takes_many():
    assert np.isnan(kendall(np.ones(3), np.arange(3.0)))
    assert np.isnan(kendall(np.array([]), np.array([])))
    many = np.arange(1500.0)
    assert kendall(many, many) == pytest.approx(1.0)


def test_agreement_by_hand():
    """Prompt 0: the first picks its third completion, worth 1 of [0, 4] to the second; the second picks its first,
    worth 0 of [0, 2]. Prompt 1: both pick the second completion.

    Of the second's range 4 + 2 = 6 the first's picks lose 3; of the first's 2 + 1 = 3 the second's lose 2. A random
    pick loses (4 - 5/3) + (2 - 1) = 10/3 of the 6, and (2 - 1) + (1 - 0.5) = 1.5 of the 3.
    """
    first, second = [[0, 1, 2], [0, 1, NAN]], [[4, 0, 1], [0, 2, NAN]]
    found = agreement(first, second, [[0, 0, 0], [0, 0, 1]], resamples=0)
    assert found.unscored == (0, 0)
    assert found.flat == (0, 0)
    assert (found.prompts, found.completions) == (2, 5)
    assert found.same_best == 0.5
    assert found.cross_regret == (pytest.approx(3 / 6), pytest.approx(2 / 3))
    assert found.chance_regret == (pytest.approx(10 / 18), pytest.approx(0.5))
    assert found.rank.value == pytest.approx((-1 / 3 + 1.0) / 2)


def test_ties_for_the_best_are_picked_alike():
    """The first has two best, worth 0 and 1 to the second: half of its range is lost. They share a best one."""
    found = agreement([[1, 1, 0]], [[0, 1, 0]], resamples=0)
    assert found.cross_regret == (0.5, 0.0)
    assert found.same_best == 1.0


def test_prompts_that_a_reward_does_not_tell_apart_are_counted_and_not_agreed_upon():
    found = agreement([[1, 1], [0, 1]], [[0, 1], [1, 0]], resamples=0)
    assert found.flat == (1, 0)
    assert found.same_best == 0.0
    assert found.rank.value == -1.0


def test_the_pearson_distance_sees_what_whole_prompts_get_and_the_starc_distance_does_not():
    first, second = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [10.0, 11.0]])
    found = agreement(first, second, resamples=0)
    assert found.starc.value == pytest.approx(0.0, abs=1e-7)
    assert found.epic == pytest.approx(np.sqrt(0.5 * (1 - 1 / np.sqrt(101))))


@pytest.mark.parametrize(("other", "wanted"), [([2, 4, 6], 0.0), ([3, 2, 1], 1.0)])
def test_the_pearson_distance_ends_at_0_and_1(other, wanted):
    assert pearson_distance(np.array([1.0, 2.0, 3.0]), np.array(other, float)) == pytest.approx(wanted, abs=1e-7)
    assert np.isnan(pearson_distance(np.ones(3), np.array(other, float)))
    assert np.isnan(pearson_distance(np.array([0.3, 0.1 + 0.2, 0.3]), np.array(other, float)))


def test_the_worst_disagreement_is_the_pair_the_rewards_see_most_differently():
    """Prompt 1 is ordered oppositely; prompt 0 alike; prompt 2 has one completion."""
    first, second = [[0, 1, 2], [0, 5, 1], [1, NAN, NAN]], [[0, 1, 2], [5, 0, 1], [3, NAN, NAN]]
    worst = worst_disagreements(first, second, count=5)
    assert (worst[0].prompt, worst[0].upper, worst[0].lower) == (1, 1, 0)
    assert (worst[0].first, worst[0].second, worst[0].reversed) == ((5.0, 0.0), (0.0, 5.0), True)
    assert all(each.prompt != 2 for each in worst)
    assert worst_disagreements(first, first) == []


def test_the_fitted_val_of_all_transitions_is_the_exact_one():
    """One-hot features and each next state as often as it happens: least squares solve Bellman's equation."""
    draw = np.random.default_rng(0)
    halves = draw.integers(0, 3, size=(3, 2, 2))  # two equally likely next states per state and action
    table = np.zeros((3, 2, 3))
    for place in np.ndindex(3, 2):
        for following in halves[place]:
            table[(*place, following)] += 0.5
    mdp, reward = FiniteMDP(table, np.full(3, 1 / 3), 0.9), draw.normal(size=(3, 2, 3))
    states = np.repeat(np.arange(3), 2)
    actions = np.tile(np.arange(2), 3)
    following = halves.reshape(6, 2)
    rewards = reward[states[:, None], actions[:, None], following]
    found = fitted_val(rewards, np.eye(3)[states], np.eye(3)[following], 0.9, ridge=0.0)
    np.testing.assert_allclose(found, val(mdp, reward)[states, actions, 0], atol=1e-9)


def test_sampled_transitions_order_rewards_by_what_they_are_apart():
    """A noisy copy of a shaped reward is nearer than an unrelated one; shaping alone is almost at 0."""
    draw = np.random.default_rng(0)
    now = draw.normal(size=(2000, 1))
    action = draw.integers(0, 2, size=(2000, 1)) * 2.0 - 1.0
    then = 0.7 * now + 0.3 * action + 0.1 * draw.normal(size=(2000, 8))

    def features(x):
        return np.stack([np.ones_like(x), x, x**2, x**3], axis=-1)

    def canonical(rewards):
        return fitted_val(rewards, features(now[:, 0]), features(then), 0.9)

    base = -np.abs(then - 1.0)
    shaping = 0.9 * then**2 - now**2
    noisy = base + 0.5 * np.sin(5 * action + now)
    apart = [
        sampled_distance(canonical(base), canonical(other), resamples=100).value
        for other in (3.0 * (base + shaping), noisy, np.cos(7 * now) * action + 0 * then)
    ]
    assert apart[0] < 0.02 < apart[1] < apart[2]


def test_samples_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="shapes are"):
        fitted_val(np.zeros((3, 2)), np.zeros((3, 4)), np.zeros((3, 1, 4)), 0.9)
    with pytest.raises(ConfigError, match="not finite"):
        fitted_val([[NAN]], [[1.0]], [[[1.0]]], 0.9)
    with pytest.raises(ConfigError, match="discount"):
        fitted_val([[1.0]], [[1.0]], [[[1.0]]], 1.0)
    with pytest.raises(ConfigError, match="one length"):
        sampled_distance([1.0], [1.0, 2.0])
    assert np.isnan(sampled_distance([], []).value)
