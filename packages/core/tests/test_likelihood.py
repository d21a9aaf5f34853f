"""The formulas of likelihood rewards: the fact sheet's worked examples, and what has no number."""

import math

import pytest

from guerdon.advantages import leave_one_out, log_mean_exp
from guerdon.errors import ConfigError
from guerdon.rewards.likelihood import (
    CLAMP,
    VARIANTS,
    debiased,
    direct_coefficients,
    efficiencies,
    geometric_mean,
    jepo_weights,
    length_adjusted_perplexity,
    likelihood_value,
    perplexity,
    perplexity_ranks,
    sequence_logprob,
)
from guerdon.types import Example, Group, Rollout, Score


def logs(*probabilities):
    return [math.log(q) if q else -math.inf for q in probabilities]


Q = logs(0.9, 0.5, 0.8)


@pytest.mark.parametrize(
    ("variant", "value"),
    [("log-prob", -1.021651), ("avg-log-prob", -0.340550), ("prob", 0.36), ("avg-prob", 0.733333), ("jepo", -1.021651)],
)
def test_three_tokens_are_worth_what_example_1_says(variant, value):
    assert likelihood_value(Q, variant) == pytest.approx(value, abs=1e-6)


def test_three_tokens_have_the_geometric_mean_and_perplexity_of_example_1():
    assert geometric_mean(Q) == pytest.approx(0.711379, abs=1e-6)
    assert perplexity(Q) == pytest.approx(1.405721, abs=1e-6)


@pytest.mark.parametrize(("q", "log", "prob", "mean"), [(0.9, -6.32163, 0.001797, 0.9), (0.5, -41.5888, 8.67e-19, 0.5)])
def test_sixty_tokens_leave_no_probability_and_keep_their_mean(q, log, prob, mean):
    tokens = logs(*[q] * 60)
    assert likelihood_value(tokens, "log-prob") == pytest.approx(log, rel=1e-5)
    assert likelihood_value(tokens, "prob") == pytest.approx(prob, rel=1e-3)
    assert likelihood_value(tokens, "avg-prob") == pytest.approx(mean)


def test_a_mean_of_probabilities_hides_one_impossible_token():
    assert likelihood_value(logs(0.01, 0.99), "avg-prob") == pytest.approx(0.5)
    assert geometric_mean(logs(0.01, 0.99)) == pytest.approx(0.0995, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "advantages"),
    [
        ((1, 0, 0, 0), (1, -0.333333, -0.333333, -0.333333)),
        ((0.2, 0.2), (0, 0)),
        ((-1, -2, -6), (3, 1.5, -4.5)),
        (logs(0.5, 0.1, 0.1), (1.609438, -0.804719, -0.804719)),
        ((-200, -201, -205), (3, 1.5, -4.5)),
    ],
)
def test_each_attempt_is_held_against_the_mean_of_the_others(values, advantages):
    assert leave_one_out().centred(list(values)) == pytest.approx(advantages, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "value", "advantages"),
    [
        (logs(0.5, 0.1, 0.1), -1.455287, (0.847298, -0.251314, -0.251314)),
        ([-200.0, -201.0, -205.0], -200.780437, (0.894560, -0.094005, -0.400551)),
    ],
)
def test_jepo_credits_what_the_groups_log_mean_owes_to_each(values, value, advantages):
    assert log_mean_exp.value(values) == pytest.approx(value, abs=1e-6)
    assert log_mean_exp().centred(values) == pytest.approx(advantages, abs=1e-6)


def test_probabilities_of_long_answers_vanish_where_their_logs_do_not():
    """exp(-200) is 1.4e-87: the advantages have that size, and an update calls the group dead."""
    values = [likelihood_value([value], "prob") for value in (-200.0, -201.0, -205.0)]
    assert 1e-88 < max(map(abs, leave_one_out().centred(values))) < 1e-86
    group = Group.of([Rollout.of(Example(id="x"), "a")] * 3)
    assert leave_one_out().estimate([group], [[Score(value) for value in values]]).dead == [True]
    logged = [[Score(value) for value in (-200.0, -201.0, -205.0)]]
    assert log_mean_exp().estimate([group], logged).dead == [False]


def test_equal_attempts_are_dead_for_jepo_too():
    group = Group.of([Rollout.of(Example(id="x"), "a")] * 2)
    assert log_mean_exp().estimate([group], [[Score(-3.0), Score(-3.0)]]).dead == [True]


@pytest.mark.parametrize("estimator", [leave_one_out(), log_mean_exp()])
def test_a_group_of_one_gets_nothing_and_a_warning(estimator):
    group = Group.of([Rollout.of(Example(id="x"), "a")])
    with pytest.warns(RuntimeWarning, match="one attempt"):
        advantages = estimator.estimate([group], [[Score(-1.0)]])
    assert advantages.dead == [True]


def test_minus_infinity_is_the_clamp_among_logs_and_0_among_probabilities():
    tokens = logs(0.5, 0.0)
    assert sequence_logprob(tokens) == CLAMP == -1e4
    assert likelihood_value(tokens, "log-prob") == -1e4
    assert likelihood_value(tokens, "avg-log-prob") == -1e4
    assert likelihood_value(tokens, "prob") == 0.0
    assert likelihood_value(tokens, "avg-prob") == pytest.approx(0.25)
    assert perplexity([0.0]) == 1.0
    assert perplexity(tokens) == math.inf  # e^1e4 is no float


def test_the_only_finite_member_of_a_jepo_group_gets_the_distance_to_the_clamp():
    """log((e^-1 + 0) / 2) - (-1e4) = 1e4 - 1 - log 2; the others' value is the clamp, not minus infinity."""
    values = [likelihood_value([value], "jepo") for value in (-1.0, -math.inf)]
    assert log_mean_exp().centred(values) == pytest.approx([1e4 - 1 - math.log(2), -math.log(2)])


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_answer_without_tokens_or_with_a_nan_has_no_value(variant):
    with pytest.raises(ValueError, match="without tokens"):
        likelihood_value([], variant)
    with pytest.raises(ValueError, match="NaN"):
        likelihood_value([-1.0, math.nan], variant)


def test_an_unknown_variant_is_refused():
    with pytest.raises(ConfigError, match="log-prob"):
        likelihood_value(Q, "logprob")


@pytest.mark.parametrize("variant", ["prob", "avg-prob", "log-prob", "avg-log-prob"])
def test_direct_coefficients_are_the_values_derivatives(variant):
    """Against central differences of the value by each token's log-prob."""
    for place, coefficient in enumerate(direct_coefficients(Q, variant)):
        ends = []
        for step in (1e-6, -1e-6):
            moved = list(Q)
            moved[place] += step
            ends.append(likelihood_value(moved, variant))
        assert coefficient == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_a_value_at_its_clamp_has_no_derivative():
    for variant in ("log-prob", "avg-log-prob", "prob"):
        assert direct_coefficients(logs(0.5, 0.0), variant) == (0.0, 0.0)


def test_jepo_weights_are_the_size_of_the_group_times_its_softmax():
    """exp(l) = .5, .1, .1 has the mean .7 / 3: weights .5, .1, .1 over it."""
    assert jepo_weights(logs(0.5, 0.1, 0.1)) == pytest.approx([15 / 7, 3 / 7, 3 / 7])
    assert jepo_weights([-2000.0, -2001.0]) == pytest.approx([2 / (1 + math.exp(-1)), 2 / (1 + math.e)])


@pytest.mark.parametrize(("baseline", "form", "total"), [(0.4, 1.0, 0.4), (0.9, 1.0, 0.1), (0.4, 0.0, 0.3)])
def test_rlpr_pays_for_what_the_reasoning_adds(baseline, form, total):
    """B = .733333 from example 1; .9 * max(0, B - A0) + .1 * format."""
    assert 0.9 * debiased(likelihood_value(Q, "avg-prob"), baseline) + 0.1 * form == pytest.approx(total)


def test_nover_makes_long_reasonings_pay_less_for_the_same_loss():
    found = [length_adjusted_perplexity(1.2, tokens) for tokens in (1, 10, 100, 1000)]
    assert found == pytest.approx([3.320117, 1.822119, 1.491825, 1.349859], abs=1e-6)
    assert length_adjusted_perplexity(1.2, 0) == length_adjusted_perplexity(1.2, 1)


def test_nover_ranks_the_well_formed_and_gives_the_malformed_nothing():
    perplexities = [2.0, 3.0, 1.5, None]
    assert perplexity_ranks(perplexities) == pytest.approx([0.6667, 0.3333, 1, 0], abs=1e-4)
    assert efficiencies(perplexities, [50, 80, 60, 10]) == [0.5, 0.0, 0.5, 0.0]
    assert efficiencies([2.0, None], [50, 10]) == [0.0, 0.0]  # fewer than two to compare
    assert perplexity_ranks([None, None]) == [0.0, 0.0]
