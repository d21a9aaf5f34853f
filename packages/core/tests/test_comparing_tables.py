"""Finite decision processes: worked examples of the sheets (STARC 1-8, correlated proxies 9), and what must hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.comparing.canonical import CANONICAL, minimal, minimal_potential, shaped, val, val_potential
from guerdon.comparing.mdp import FiniteMDP
from guerdon.comparing.pearson import dard, dard_distance, epic, epic_distance
from guerdon.comparing.regret import average_reward, occupancy, optimal_policy, regret, return_of, state_values
from guerdon.comparing.starc import distance, standardized
from guerdon.errors import ConfigError

MDP = FiniteMDP(np.array([[[1, 0], [0.5, 0.5]], [[0, 1], [1, 0]]]), np.array([0.5, 0.5]), 0.9)
R1 = np.array([[[1, 0], [0, 2]], [[0, 0], [3, 0]]], dtype=float)
R2 = np.array([[[0, 0], [0, 1]], [[1, 0], [0, 0]]], dtype=float)
ZERO = np.zeros((2, 2, 2))
DISTANCES = {
    "starc": distance,
    "epic": epic_distance,
    "dard": dard_distance,
    "val_potential": lambda mdp, one, other: distance(mdp, one, other, "val_potential"),
    "minimal": lambda mdp, one, other: distance(mdp, one, other, "minimal"),
    "minimal_potential": lambda mdp, one, other: distance(mdp, one, other, "minimal_potential"),
}


def random_mdp(seed, states=4, actions=3, discount=0.9):
    draw = np.random.default_rng(seed)
    table = draw.dirichlet(np.ones(states), (states, actions))
    return FiniteMDP(table, draw.dirichlet(np.ones(states)), discount), draw


def redistributed(mdp, reward, draw):
    """The reward with noise whose mean over next states is 0 for each state and action."""
    noise = draw.normal(size=reward.shape)
    return reward + noise - mdp.expected(noise)[..., None]


def test_values_under_the_uniform_policy():
    np.testing.assert_allclose(state_values(MDP, R1), [11.451613, 12.096774], atol=1e-6)


def test_val_of_the_sheets_example():
    found = val(MDP, R1)
    np.testing.assert_allclose(found[..., 0], [[-0.145161, 0.145161], [-1.209677, 1.209677]], atol=1e-6)
    np.testing.assert_array_equal(found[..., 0], found[..., 1])


def test_val_potential_of_the_sheets_example():
    wanted = [[[-0.145161, -0.564516], [-1.145161, 1.435484]], [[-1.790323, -1.209677], [1.209677, -1.209677]]]
    np.testing.assert_allclose(val_potential(MDP, R1), wanted, atol=1e-6)


def test_epic_and_dard_of_the_sheets_example():
    np.testing.assert_allclose(epic(MDP, R1), [[[0.25, -0.75], [-0.75, 1.25]], [[-0.75, -0.75], [2.25, -0.75]]])
    wanted = [[[-0.1125, -0.325], [-1.1125, 1.675]], [[-1.05, -0.15], [1.95, -0.15]]]
    np.testing.assert_allclose(dard(MDP, R1), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("canonical", "norm", "wanted"),
    [
        ("val", "L2", 0.747074),
        ("val", "L1", 0.885714),
        ("val", "Linf", 0.88),
        ("val_potential", "L2", 1.453880),
        ("val_potential", "L1", 1.089825),
        ("val_potential", "Linf", 2.0),
        ("none", "L2", 1.115379),
    ],
)
def test_the_distance_of_the_sheets_two_rewards(canonical, norm, wanted):
    assert distance(MDP, R1, R2, canonical, norm) == pytest.approx(wanted, abs=1e-6)


def test_epic_and_dard_distances_of_the_sheets_two_rewards():
    assert epic_distance(MDP, R1, R2) == pytest.approx(0.658615, abs=1e-6)
    assert dard_distance(MDP, R1, R2) == pytest.approx(0.704752, abs=1e-6)


def test_a_distance_is_a_bound_and_not_the_regret():
    """Both rewards choose action 1 in both states, and yet they are 0.747 apart."""
    assert regret(MDP, R1, R2) == 0.0
    for reward in (R1, R2):
        np.testing.assert_array_equal(optimal_policy(MDP, reward), [[0, 1], [0, 1]])


@pytest.mark.parametrize("canonical", ["val", "val_potential", "minimal", "minimal_potential"])
def test_the_fixed_points_of_the_scale(canonical):
    potential = shaped(MDP, ZERO, [3.0, -2.0])
    assert distance(MDP, potential, ZERO, canonical) == 0.0
    assert distance(MDP, R1, potential, canonical) == pytest.approx(1.0, abs=1e-12)
    assert distance(MDP, R1, R1, canonical) == 0.0
    assert distance(MDP, R1, 5.0 * shaped(MDP, R1, [7.0, -1.0]), canonical) < 1e-12
    assert distance(MDP, R1, -R1, canonical) == pytest.approx(2.0, abs=1e-12)


def test_where_there_is_one_state_and_one_action_every_reward_is_alike():
    mdp = FiniteMDP(np.ones((1, 1, 1)), np.ones(1), 0.9)
    for measure in DISTANCES.values():
        assert measure(mdp, [[[1.0]]], [[[-3.0]]]) == 0.0
    assert regret(mdp, [[1.0]], [[-3.0]]) == 0.0


@pytest.mark.parametrize(
    ("transitions", "start", "discount", "said"),
    [
        ([[[0.5, 0.4], [1, 0]], [[1, 0], [1, 0]]], [1, 0], 0.9, r"row \(0, 0\) adds up to 0.9"),
        ([[[float("nan"), 1], [1, 0]], [[1, 0], [1, 0]]], [1, 0], 0.9, "nan at"),
        ([[[-0.5, 1.5], [1, 0]], [[1, 0], [1, 0]]], [1, 0], 0.9, "negative"),
        ([[[1, 0], [1, 0]]], [1], 0.9, "shape"),
        ([[[1, 0], [1, 0]], [[1, 0], [1, 0]]], [1, 0, 0], 0.9, "shape"),
        ([[[1, 0], [1, 0]], [[1, 0], [1, 0]]], [0.5, 0.4], 0.9, "adds up"),
        ([[[1, 0], [1, 0]], [[1, 0], [1, 0]]], [1, 0], 1.0, "discount is 1.0"),
        ([[[1, 0], [1, 0]], [[1, 0], [1, 0]]], [1, 0], float("nan"), "discount is nan"),
    ],
)
def test_a_process_that_is_none_is_refused(transitions, start, discount, said):
    with pytest.raises(ConfigError, match=said):
        FiniteMDP(np.array(transitions), np.array(start), discount)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_reward_that_is_not_finite_is_refused(bad):
    table = R1.copy()
    table[0, 1, 1] = bad
    with pytest.raises(ConfigError, match=r"at \(0, 1, 1\)"):
        distance(MDP, table, R2)


def test_a_reward_or_policy_of_another_shape_and_unknown_words_are_refused():
    with pytest.raises(ConfigError, match="a reward has the shape"):
        distance(MDP, np.zeros((2, 3)), R2)
    with pytest.raises(ConfigError, match="a policy has the shape"):
        return_of(MDP, R1, np.full((2, 3), 1 / 3))
    with pytest.raises(ConfigError, match="canonical is 'value'"):
        distance(MDP, R1, R2, "value")
    with pytest.raises(ConfigError, match="norm is 'L3'"):
        distance(MDP, R1, R2, norm="L3")
    with pytest.raises(ConfigError, match="one reward"):
        optimal_policy(MDP, np.stack([R1, R2]))


def test_a_reward_of_states_and_actions_is_that_of_all_next_states():
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(MDP.reward(table), np.repeat(table[..., None], 2, axis=-1))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_shaping_scaling_and_shifts_change_nothing_that_is_measured(seed):
    """A constant shift c is shaping by the constant c / (discount - 1): rewards of one step each pay it."""
    mdp, draw = random_mdp(seed)
    first, second = draw.normal(size=(2, 4, 3, 4))
    changed = draw.uniform(0.1, 5.0) * shaped(mdp, first, draw.normal(scale=3.0, size=4)) + draw.normal()
    for name, measure in DISTANCES.items():
        assert measure(mdp, changed, second) == pytest.approx(float(measure(mdp, first, second)), abs=1e-7), name
        assert measure(mdp, changed, first) == pytest.approx(0.0, abs=1e-6), name


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_only_val_and_the_minimal_form_see_through_redistribution(seed):
    mdp, draw = random_mdp(seed)
    reward = draw.normal(size=(4, 3, 4))
    moved = redistributed(mdp, reward, draw)
    apart = {name: float(measure(mdp, reward, moved)) for name, measure in DISTANCES.items()}
    assert apart.pop("starc") < 1e-12
    assert apart.pop("minimal") < 1e-12
    assert all(value > 1e-3 for value in apart.values()), apart


def test_what_is_paid_for_impossible_transitions_is_seen_by_none_but_val_and_the_minimal_form():
    """From state 0 action 0 never leads to state 1."""
    changed = R1.copy()
    changed[0, 0, 1] += 100.0
    assert distance(MDP, R1, changed) < 1e-12
    assert distance(MDP, R1, changed, "minimal") < 1e-12
    assert distance(MDP, R1, changed, "val_potential") > 0.5
    assert epic_distance(MDP, R1, changed) > 0.2


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_distance_is_symmetric_keeps_the_triangle_and_stays_within_0_and_2(seed):
    mdp, draw = random_mdp(seed)
    one, two, three = draw.normal(size=(3, 4, 3, 4))
    for canonical in CANONICAL:
        apart = float(distance(mdp, one, two, canonical))
        assert 0.0 <= apart <= 2.0 + 1e-12
        assert apart == pytest.approx(float(distance(mdp, two, one, canonical)), abs=1e-12)
        assert apart <= distance(mdp, one, three, canonical) + distance(mdp, three, two, canonical) + 1e-12


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_member_of_its_class_is_smaller_than_the_minimal_one(seed):
    mdp, draw = random_mdp(seed)
    reward = draw.normal(size=(4, 3, 4))
    for form, change in (
        (minimal, lambda r: redistributed(mdp, shaped(mdp, r, draw.normal(size=4)), draw)),
        (minimal_potential, lambda r: shaped(mdp, r, draw.normal(size=4))),
    ):
        smallest = form(mdp, reward)
        assert np.linalg.norm(smallest) <= np.linalg.norm(reward) + 1e-12
        assert np.linalg.norm(smallest) < np.linalg.norm(change(smallest))
        np.testing.assert_allclose(form(mdp, change(reward)), smallest, atol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_canonical_forms_keep_the_order_of_policies(seed):
    """c(R) differs from R by shaping and redistribution: J moves by a constant, the same for all policies."""
    mdp, draw = random_mdp(seed)
    reward = draw.normal(size=(4, 3, 4))
    policies = draw.dirichlet(np.ones(3), (5, 4))
    for name, form in CANONICAL.items():
        shift = return_of(mdp, form(mdp, reward), policies) - return_of(mdp, reward, policies)
        np.testing.assert_allclose(shift, shift[0], atol=1e-9, err_msg=name)


def test_a_stack_of_rewards_is_compared_at_once():
    mdp, draw = random_mdp(0)
    first, second = draw.normal(size=(2, 6, 4, 3, 4))
    for name, measure in DISTANCES.items():
        alone = [float(measure(mdp, one, other)) for one, other in zip(first, second, strict=True)]
        np.testing.assert_allclose(measure(mdp, first, second), alone, atol=1e-12, err_msg=name)


def test_a_standardized_reward_has_length_1_or_none():
    assert np.linalg.norm(standardized(MDP, R1)) == pytest.approx(1.0)
    assert not standardized(MDP, shaped(MDP, ZERO, [1e6, -1e6])).any()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_policy_iteration_finds_what_trying_all_policies_finds(seed):
    mdp, draw = random_mdp(seed, states=3, actions=2)
    reward = draw.normal(size=(3, 2, 3))
    every = np.eye(2)[np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T]
    returns = return_of(mdp, reward, every)
    assert return_of(mdp, reward, optimal_policy(mdp, reward)) == pytest.approx(returns.max())
    assert return_of(mdp, reward, optimal_policy(mdp, reward, goal="worst")) == pytest.approx(returns.min())
    other = draw.normal(size=(3, 2, 3))
    others = return_of(mdp, other, every)
    lost = (
        (returns.max() - returns[others.argmax()]) / np.ptp(returns),
        (others.max() - others[returns.argmax()]) / np.ptp(others),
    )
    assert regret(mdp, reward, other) == pytest.approx(sum(lost) / 2)


def test_among_tied_actions_a_policy_keeps_its_own():
    np.testing.assert_array_equal(optimal_policy(MDP, ZERO, start=[1, 0]), [[0, 1], [1, 0]])


def test_where_all_policies_are_equal_there_is_nothing_to_regret():
    assert regret(MDP, ZERO, shaped(MDP, ZERO, [1.0, 2.0])) == 0.0


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12])
def test_what_is_lost_does_not_depend_on_the_scale_of_a_reward(scale):
    """All, as below; what a constant of this size adds loses nothing."""
    assert regret(MDP, scale * R1, -R1) == pytest.approx(1.0)
    assert regret(MDP, scale * R1, scale * (R1 + 1.0)) == 0.0
    np.testing.assert_array_equal(optimal_policy(MDP, scale * R1), optimal_policy(MDP, R1))


def test_where_rewards_cancel_their_rounding_is_no_preference():
    """Both actions earn 0 in the mean, as the sum of three numbers that is not quite 0 in floating point."""
    thirds = FiniteMDP(np.full((3, 2, 3), 1 / 3), np.full(3, 1 / 3), 0.9)
    cancel = np.broadcast_to([[0.1, 0.2, -0.3], [0.3, -0.1, -0.2]], (3, 2, 3))
    assert regret(thirds, cancel, -cancel) == 0.0
    np.testing.assert_array_equal(optimal_policy(thirds, cancel, start=[1, 0, 1]), np.eye(2)[[1, 0, 1]])


def test_a_reward_loses_all_when_its_opposite_is_optimised():
    assert regret(MDP, R1, -R1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("leave", "first", "second"),
    [(0.1, [0.473684, 0.052632], 0.473684), (0.5, [0.090909, 0.090909], 0.818182)],
)
def test_occupancy_of_two_states_the_second_absorbing(leave, first, second):
    """Sheet on correlated proxies, example 9: action 1 leaves; discount 0.9."""
    mdp = FiniteMDP(np.array([[[1, 0], [0, 1]], [[0, 1], [0, 1]]]), np.array([1, 0]), 0.9)
    found = occupancy(mdp, [[1 - leave, leave], [1 - leave, leave]])
    np.testing.assert_allclose(found[0], first, atol=1e-6)
    assert found[1].sum() == pytest.approx(second, abs=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_mean_reward_under_an_occupancy_is_the_return_scaled(seed):
    mdp, draw = random_mdp(seed)
    reward, policies = draw.normal(size=(4, 3, 4)), draw.dirichlet(np.ones(3), (6, 4))
    shares = occupancy(mdp, policies)
    np.testing.assert_allclose(shares.sum(axis=(-2, -1)), 1.0)
    scaled = (1 - mdp.discount) * return_of(mdp, reward, policies)
    np.testing.assert_allclose(average_reward(shares, mdp.expected(reward)), scaled, atol=1e-12)
