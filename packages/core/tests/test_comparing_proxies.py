"""Correlated proxies: the sheet's examples 1-3, 5, 7 and 8, the bound, and reports from samples."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guerdon.comparing.divergences import (
    action_divergence,
    chi_squared,
    gaussian_chi_squared,
    gaussian_kl,
    kl,
    sequence_divergences,
)
from guerdon.comparing.proxies import assess, assess_samples, correlated, lower_bound, penalty_weight
from guerdon.errors import ConfigError

NAN = float("nan")


def test_a_bandit_that_was_hacked():
    found = assess([0.5, 0.3, 0.19, 0.01], [0.1, 0.2, 0.2, 0.5], [0, 1, 2, 5], [0, 1, 2, -1])
    assert found.correlation == pytest.approx(0.749782, abs=1e-6)
    assert found.proxy_gain == pytest.approx(2.688499, abs=1e-6)
    assert found.true_gain == pytest.approx(-0.723259, abs=1e-6)
    assert found.chi2 == pytest.approx(24.36386, abs=1e-5)
    assert found.bound == pytest.approx(-0.770305, abs=1e-6)
    assert found.hacked


def test_a_bandit_that_was_not():
    found = assess([0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4], [0, 1, 2, 3], [0, 1, 2, 2.5])
    assert found.correlation == pytest.approx(0.992372, abs=1e-6)
    assert found.proxy_gain == pytest.approx(1.0)
    assert found.true_gain == pytest.approx(0.937240, abs=1e-6)
    assert found.chi2 == pytest.approx(1.208333, abs=1e-6)
    assert found.bound == pytest.approx(0.871132, abs=1e-6)
    assert not found.hacked


def test_chi_squared_of_the_sheet():
    assert chi_squared([0.5, 0.5], [0.5, 0.5]) == 0.0
    assert chi_squared([1, 0], [0.5, 0.5]) == 1.0
    assert chi_squared([0.2, 0.8], [0, 1]) == math.inf
    assert kl([0.2, 0.8], [0, 1]) == math.inf
    assert kl([1, 0], [0.5, 0.5]) == pytest.approx(math.log(2))


def test_a_constant_reward_is_no_proxy():
    found = assess([0.5, 0.5], [0.1, 0.9], [3.3, 3.3], [0, 1])
    assert math.isnan(found.correlation)
    assert not found.is_proxy
    assert not found.hacked
    assert math.isnan(found.proxy_gain)
    assert math.isnan(found.bound)
    assert math.isnan(found.penalty_weight)
    assert found.true_gain == pytest.approx(0.4 / 0.5)


def test_a_proxy_against_the_true_reward_is_none_whatever_it_loses():
    found = assess([0.5, 0.5], [0.1, 0.9], [0, 1], [1, 0])
    assert found.correlation == pytest.approx(-1.0)
    assert not found.hacked
    assert math.isnan(found.bound)


def test_beyond_what_the_base_does_nothing_is_promised():
    assert lower_bound(1.0, 2.0, math.inf) == -math.inf


def test_the_weight_of_the_sheet():
    assert penalty_weight(2.0, 0.6) == pytest.approx(1.6)
    assert math.isnan(penalty_weight(2.0, -0.6))


@given(st.integers(0, 100_000))
@settings(max_examples=100, deadline=None)
def test_the_bound_is_never_broken(seed):
    draw = np.random.default_rng(seed)
    base, policy = draw.dirichlet(np.ones(6)), draw.dirichlet(np.full(6, 0.3))
    proxy = draw.normal(size=6)
    true = proxy * draw.uniform(0.0, 2.0) + draw.normal(size=6)
    found = assess(base, policy, proxy, true)
    if found.is_proxy:
        assert found.true_gain >= found.bound - 1e-9


@pytest.mark.parametrize(
    ("base", "policy", "proxy", "said"),
    [
        ([0.5, 0.6], [0.5, 0.5], [0, 1], "no distribution"),
        ([0.5, 0.5], [0.5, NAN], [0, 1], "no distribution"),
        ([-0.5, 1.5], [0.5, 0.5], [0, 1], "no distribution"),
        ([0.5, 0.5], [1.0], [0, 1], "one shape"),
        ([0.5, 0.5], [0.5, 0.5], [0, 1, 2], "of the shape"),
        ([0.5, 0.5], [0.5, 0.5], [0, NAN], "not finite"),
    ],
)
def test_what_cannot_be_assessed_is_refused(base, policy, proxy, said):
    with pytest.raises(ConfigError, match=said):
        assess(base, policy, proxy, [0, 1])


@pytest.mark.parametrize(
    ("ratios", "chi2", "kl_", "root"),
    [
        ([0, 0], 0.0, 0.0, 0.01),
        ([1, -1], 1.086161, 0.543081, 1.042191),
        ([12, 0], 33038.70, 5.5, 181.7655),
    ],
)
def test_divergences_of_responses_from_their_log_ratios(ratios, chi2, kl_, root):
    found = sequence_divergences(ratios)
    assert found.chi2 == pytest.approx(chi2, rel=1e-6, abs=1e-6)
    assert found.kl == pytest.approx(kl_, rel=1e-5, abs=1e-6)
    assert found.sqrt_chi2 == pytest.approx(root, rel=1e-6)


@given(st.floats(-1e4, 1e4))
@example(3.2130431674257868e-15)
def test_no_response_takes_from_a_divergence(ratio):
    found = sequence_divergences([ratio])
    assert found.chi2 >= 0.0
    assert found.kl >= 0.0


def test_the_estimates_are_right_in_the_mean():
    """Over all four responses, each as often as the policy writes it."""
    policy, base = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.3, 0.2, 0.1])
    drawn = np.repeat(np.log(policy / base), [1, 2, 3, 4])
    found = sequence_divergences(drawn)
    assert found.chi2 == pytest.approx(chi_squared(policy, base))
    assert found.kl == pytest.approx(kl(policy, base))


@pytest.mark.parametrize("bad", [[], [NAN], [math.inf]])
def test_without_log_ratios_there_is_no_divergence(bad):
    with pytest.raises(ConfigError, match="finite log-ratios"):
        sequence_divergences(bad)


@pytest.mark.parametrize(
    ("mean", "std", "wanted"), [(0.0, 1.0, 0.0), (0.5, 1.0, 0.284025), (0.0, 0.5, 0.511858), (0.0, 1.5, math.inf)]
)
def test_chi_squared_of_gaussians(mean, std, wanted):
    assert gaussian_chi_squared(mean, std, 0.0, 1.0) == pytest.approx(wanted, abs=1e-6)


def test_the_closed_forms_are_the_integrals():
    """By sums over a fine grid."""
    x = np.linspace(-30, 30, 200_001)
    p = np.exp(-0.5 * ((x - 0.7) / 0.8) ** 2) / (0.8 * math.sqrt(2 * math.pi))
    q = np.exp(-0.5 * ((x + 0.1) / 1.1) ** 2) / (1.1 * math.sqrt(2 * math.pi))
    step = x[1] - x[0]
    assert gaussian_chi_squared(0.7, 0.8, -0.1, 1.1) == pytest.approx(float((p * p / q).sum() * step) - 1, rel=1e-6)
    inside = p > 0
    log_ratio = np.log(p[inside] / q[inside])
    assert gaussian_kl(0.7, 0.8, -0.1, 1.1) == pytest.approx(float((p[inside] * log_ratio).sum() * step), rel=1e-6)
    with pytest.raises(ConfigError, match="standard deviations"):
        gaussian_kl(0.0, 0.0, 0.0, 1.0)


def test_divergences_of_actions_are_means_over_states_and_fall_back_to_kl():
    """State 0: chi-squared 1, KL log 2. State 1: the reference never takes action 0 and neither does the policy: 0."""
    policy, base = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.0, 1.0]]
    assert action_divergence(policy, base, "chi2") == pytest.approx(0.5)
    assert action_divergence(policy, base, "kl") == pytest.approx(math.log(2) / 2)
    assert action_divergence(policy, base, "sqrt_chi2") == pytest.approx((1.0 + 0.01) / 2)
    with pytest.raises(ConfigError, match="kind is"):
        action_divergence(policy, base, "tv")


def test_a_state_of_infinite_chi_squared_gives_its_kl_which_is_infinite_too():
    """Of finite distributions both are infinite at once; of Gaussians chi-squared alone may be."""
    assert action_divergence([[0.5, 0.5]], [[1.0, 0.0]], "chi2") == math.inf


def test_the_correlation_is_weighted_by_what_the_base_does():
    """Three outcomes, the last with no weight: the first two go together."""
    found = correlated(np.array([0.0, 1.0, 9.0]), np.array([0.0, 2.0, -9.0]), np.array([0.5, 0.5, 0.0]))
    assert found == pytest.approx((1.0, 0.5, 1.0))


@pytest.mark.parametrize("constant", [[0.3, 0.1 + 0.2], [1e200, 1e200]])
def test_a_reward_that_is_constant_but_for_rounding_has_no_correlation_and_no_spread(constant):
    r, proxy_std, true_std = correlated(np.array([0.0, 1.0]), np.array(constant))
    assert np.isnan(r)
    assert (proxy_std, true_std) == (0.5, 0.0)


def test_large_rewards_are_correlated_as_small_ones():
    assert correlated(np.array([0.0, 1e200]), np.array([0.0, 2.0])) == pytest.approx((1.0, 0.5e200, 1.0))


def test_samples_in_their_proportions_give_the_exact_report():
    """Example 1 of the sheet, as 100 completions of the base and 10 of the policy, of eight prompts alike."""
    proxy, true = np.array([0.0, 1, 2, 5]), np.array([0.0, 1, 2, -1])
    base = np.repeat(np.arange(4), [50, 30, 19, 1])[None].repeat(8, axis=0)
    policy = np.repeat(np.arange(4), [1, 2, 2, 5])[None].repeat(8, axis=0)
    found = assess_samples(proxy[base], true[base], proxy[policy], true[policy], resamples=200)
    assert found.correlation.value == pytest.approx(0.749782, abs=1e-6)
    assert found.proxy_gain.value == pytest.approx(2.688499, abs=1e-6)
    assert found.true_gain.value == pytest.approx(-0.723259, abs=1e-6)
    assert found.true_gain.low == pytest.approx(found.true_gain.high)
    assert found.verdict == "hacked"
    assert found.completions == (800, 80)
    assert found.penalty_weight == pytest.approx(found.proxy_std * math.sqrt(1 - 0.749782**2), rel=1e-6)
    assert lower_bound(found.correlation.value, found.proxy_gain.value, found.safe_chi2) == pytest.approx(0.0, abs=1e-6)


def test_every_prompt_counts_alike_however_many_completions_it_has():
    """Base: prompt 0 earns 0 four times, prompt 1 earns 1 once: mean 0.5, std 0.5. Policy: 1 and 1. Gain 1."""
    base = [[0, 0, 0, 0], [1, NAN, NAN, NAN]]
    found = assess_samples(base, base, [[1], [1]], [[1], [1]], resamples=0)
    assert found.true_std == pytest.approx(0.5)
    assert found.true_gain.value == pytest.approx(1.0)
    assert found.correlation.value == pytest.approx(1.0)


def test_what_one_reward_leaves_unscored_counts_for_neither_and_is_counted():
    absent = (np.array([[0, 0, 0], [0, 0, 1]]), np.zeros((2, 2)))
    found = assess_samples(
        [[0, 1, 5], [0, 1, NAN]], [[0, 1, NAN], [1, 0, NAN]], [[1, 1], [NAN, 1]], [[1, 0], [1, NAN]], absent=absent
    )
    assert found.prompts == (1, 1)
    assert found.prompts_left_out == 1
    assert found.unscored == (1, 2)
    assert found.completions == (2, 2)


def test_without_a_prompt_in_common_there_is_no_verdict():
    found = assess_samples([[NAN]], [[1.0]], [[1.0]], [[1.0]])
    assert found.prompts == (0, 0)
    assert math.isnan(found.true_gain.value)
    assert found.verdict == "undecided"
    empty = np.zeros((0, 2))
    assert assess_samples(empty, empty, empty, empty).prompts == (0, 0)


def test_other_prompts_of_the_same_kind_are_two_samples():
    """Base 0 and 1 by halves over 400 prompts: mean 0.5, std 0.5. Policy 1 always: gain 1, its interval from the base's
    mean and std alone: std of the mean 0.025, so about 0.05 of a gain each way."""
    base = np.repeat([[0.0], [1.0]], 200, axis=0)
    found = assess_samples(base, base, np.ones((30, 2)), np.ones((30, 2)), paired=False)
    assert found.true_gain.value == pytest.approx(1.0)
    assert found.prompts == (400, 30)
    assert not found.paired
    assert 0.05 < found.true_gain.high - found.true_gain.low < 0.3
    assert found.verdict == "not hacked"


def test_pairs_are_surer_than_two_samples_where_prompts_differ_in_difficulty():
    draw = np.random.default_rng(0)
    level = draw.normal(scale=3.0, size=(50, 1))
    base, policy = level + draw.normal(size=(50, 4)), level + 0.5 + draw.normal(size=(50, 4))
    widths = []
    for paired in (True, False):
        found = assess_samples(base, base, policy, policy, paired=paired)
        widths.append(found.true_gain.high - found.true_gain.low)
        assert found.true_gain.value == pytest.approx((policy.mean() - base.mean()) / base.std())
    assert widths[0] < widths[1] / 2


def test_a_few_prompts_decide_nothing():
    draw = np.random.default_rng(0)
    base = draw.normal(size=(6, 4))
    true = base + draw.normal(size=(6, 4))
    found = assess_samples(base, true, base + 0.1, true + draw.normal(size=(6, 4)))
    assert found.true_gain.low < 0.0 < found.true_gain.high
    assert found.verdict == "undecided"


def test_large_rewards_lose_nothing_to_rounding():
    base = np.array([[0.0, 1.0], [0.0, 1.0]])
    found = assess_samples(base + 1e8, base, base + 1e8 + 0.5, base, resamples=0)
    assert found.correlation.value == pytest.approx(1.0)
    assert found.proxy_gain.value == pytest.approx(1.0)


@pytest.mark.parametrize("policy", [[[1.0]], [[math.inf], [1.0]]])
def test_samples_that_do_not_fit_are_refused(policy):
    with pytest.raises(ConfigError):
        assess_samples([[1.0], [2.0]], [[1.0], [2.0]], policy, policy)


@pytest.mark.parametrize("value", [0.1, 1e8 + 0.1, -1e-9])
def test_a_constant_is_constant_whatever_rounding_makes_of_its_mean(value):
    found = assess_samples([[value] * 3, [value, value, NAN]], [[0, 1, 2], [0, 1, NAN]], [[value]] * 2, [[1.0]] * 2)
    assert found.proxy_std == 0.0
    assert found.verdict == "not a proxy"
    weights = np.array([0.1, 0.2, 0.7])
    assert math.isnan(correlated(np.full(3, value), np.arange(3.0), weights)[0])


@pytest.mark.parametrize("prompts", [1, 2])
def test_one_or_two_prompts_decide_nothing_however_far_apart(prompts):
    """One has no interval at all; of two it would be too narrow."""
    base, policy = np.array([[0.0, 1.0, 2.0]] * prompts), np.array([[3.0, 4.0]] * prompts)
    found = assess_samples(base, base + np.array([0.0, 0.0, 0.1]), policy, -policy)
    assert found.verdict == "undecided"
    assert math.isnan(found.true_gain.low) is (prompts == 1)


def test_a_policy_that_lost_in_the_proxy_too_did_not_hack_it():
    draw = np.random.default_rng(0)
    base = draw.normal(size=(40, 4))
    assert assess_samples(base, base, base - 1.0, base - 1.0).verdict == "not optimised"
    found = assess([0.5, 0.5], [0.9, 0.1], [0, 1], [0, 1])
    assert (found.proxy_gain < 0.0, found.hacked) == (True, False)
