"""The fact sheet's worked examples on constrained RLHF, 1 to 5 and 7 to 9, and its pitfalls."""

import math

import pytest

from guerdon.errors import ConfigError
from guerdon.rewards.lagrange import (
    MultiplierSteps,
    component_weights,
    mixed_advantage,
    objective_factor,
    reached,
    satisfaction,
    squashed,
    standardized,
)

THETA = {"intent": 0.44, "meteor": 0.238}
NONE_YET = {"intent": 0.0, "meteor": 0.0}


def test_example_1_equality_mixes_with_tanh():
    components = {"intent": [1.0, 0.0], "meteor": [2.0, -1.0]}
    mixed = mixed_advantage([1.0, -1.0], components, {"intent": 0.5, "meteor": -0.2}, "xi")
    assert mixed == pytest.approx([1.802625, -1.537883], abs=1e-6)


@pytest.mark.parametrize(("value", "expected"), [(0.0, [2.5, -1.5]), (10.0, [2.99995, -1.00005])])
def test_example_2_inequality_mixes_with_a_sigmoid(value, expected):
    components = {"intent": [1.0, 0.0], "meteor": [2.0, -1.0]}
    mixed = mixed_advantage([1.0, -1.0], components, dict.fromkeys(components, value), "mu")
    assert mixed == pytest.approx(expected, abs=1e-5)


def test_examples_3_two_equality_steps_with_momentum():
    steps = MultiplierSteps("xi")
    first, velocity = steps.step(NONE_YET, {}, {"intent": 0.5, "meteor": 0.1}, THETA)
    assert first == pytest.approx({"intent": -0.006, "meteor": 0.0138}, abs=1e-12)
    second, _ = steps.step(first, velocity, {"intent": 0.3, "meteor": 0.3}, THETA)
    assert second == pytest.approx({"intent": 0.0073995, "meteor": 0.0089812}, abs=1e-7)


def test_example_4_an_inequality_step():
    moved, _ = MultiplierSteps("mu").step(NONE_YET, {}, {"intent": 0.5, "meteor": 0.1}, THETA)
    assert moved == pytest.approx({"intent": -0.0015, "meteor": 0.00345}, abs=1e-12)


@pytest.mark.parametrize("kind", ["mu", "xi"])
def test_example_5_a_large_violation_is_clipped(kind):
    moved, _ = MultiplierSteps(kind).step({"a": 0.0}, {}, {"a": 9.0}, {"a": 0.0})
    assert moved["a"] == pytest.approx(-0.05, abs=1e-12)


def test_the_clip_is_of_the_whole_gradient_and_keeps_its_direction():
    """Gradient (3, 4) has norm 5: scaled to (0.3, 0.4), times 0.1."""
    moved, _ = MultiplierSteps("xi").step({"a": 0.0, "b": 0.0}, {}, {"a": 3.0, "b": 4.0}, {"a": 0.0, "b": 0.0})
    assert moved == pytest.approx({"a": -0.03, "b": -0.04}, abs=1e-12)


def test_example_7_a_component_is_standardised_with_ddof_1():
    assert standardized([1.0, 2.0, 4.0]) == pytest.approx([-0.872872, -0.218218, 1.091089], abs=1e-6)


@pytest.mark.parametrize("values", [[0.1, 0.1, 0.1], [3.0], []])
def test_example_7_a_constant_minibatch_gives_zeros(values):
    assert standardized(values).tolist() == [0.0] * len(values)


def test_example_8_all_components_have_to_be_within_five_percent():
    assert reached({"intent": 0.45, "meteor": 0.238}, THETA)
    assert not reached({"intent": 0.44, "meteor": 0.226}, THETA)  # 5.04 % off


def test_example_9_satisficing_pays_at_the_end_alone():
    values = {"intent": 0.5, "meteor": 0.2}
    assert satisfaction(values, THETA) == pytest.approx(-0.005044, abs=1e-12)
    assert satisfaction(values, THETA, finished=False) == 0.0


def test_below_its_threshold_a_component_gains_weight_and_above_it_loses():
    for kind in ("mu", "xi", "unsquashed"):
        moved, _ = MultiplierSteps(kind).step(dict.fromkeys(THETA, 0.5), {}, {"intent": 0.1, "meteor": 0.9}, THETA)
        weights = component_weights(moved, kind)
        before = component_weights(dict.fromkeys(THETA, 0.5), kind)
        assert weights["intent"] > before["intent"]
        assert weights["meteor"] < before["meteor"]


def test_of_all_the_penalty_grows_above_the_threshold_and_weights_start_at_a_half():
    """The sum is maximised while no component exceeds its threshold: the weight is 1 - s."""
    steps = MultiplierSteps("all")
    assert component_weights({"a": steps.start}, "all") == {"a": 0.5}
    above, _ = steps.step({"a": 0.0}, {}, {"a": 2.0}, {"a": 1.0})
    below, _ = steps.step({"a": 0.0}, {}, {"a": 0.0}, {"a": 1.0})
    assert component_weights(above, "all")["a"] < 0.5 < component_weights(below, "all")["a"]


def test_pitfall_2_and_3_names_decide_and_never_places():
    """The same numbers in another order give the same multipliers, for every kind."""
    for kind in ("mu", "xi", "all", "unsquashed"):
        start = {"intent": 0.3, "meteor": 0.6}
        one, _ = MultiplierSteps(kind).step(start, {}, {"intent": 0.5, "meteor": 0.1}, THETA)
        turned = {name: start[name] for name in reversed(start)}
        other, _ = MultiplierSteps(kind).step(
            turned, {}, {"meteor": 0.1, "intent": 0.5}, dict(reversed(list(THETA.items())))
        )
        assert one == other
    with pytest.raises(ConfigError, match="the same names"):
        mixed_advantage([0.0], {"intent": [0.0]}, {"meteor": 0.0}, "xi")


def test_an_unsquashed_multiplier_starts_at_a_half_and_rests_on_zero_without_sticking_to_it():
    steps = MultiplierSteps("unsquashed", grad_clip=math.inf)
    moved, velocity = steps.step({"a": steps.start}, {}, {"a": 9.0}, {"a": 0.0})
    assert (steps.start, moved["a"]) == (0.5, 0.0)
    again, _ = steps.step(moved, {"a": 0.0 * velocity["a"]}, {"a": 0.0}, {"a": 2.0})
    assert again["a"] == pytest.approx(0.2)


def test_pitfall_6_only_equality_pushes_a_component_down():
    assert squashed(-5.0, "xi") == pytest.approx(-0.9999092)
    assert 0.0 < squashed(-5.0, "mu") < 0.01
    assert squashed(-5.0, "unsquashed") == 0.0


def test_pitfall_7_the_weight_of_the_kl_lies_between_0_and_2n():
    assert objective_factor({"a": -20.0, "b": -20.0}, "xi") == pytest.approx(4.0)
    assert objective_factor({"a": -20.0, "b": -20.0}, "mu") == pytest.approx(2.0)
    assert objective_factor({"a": 40.0, "b": 40.0}, "xi") == 0.0
    assert objective_factor({"a": 3.0}, "unsquashed") == objective_factor({"a": 3.0}, "all") == 1.0


def test_a_squashed_multiplier_of_any_size_is_a_number():
    assert (squashed(-1e6, "mu"), squashed(1e6, "mu"), squashed(1e6, "xi")) == (0.0, 1.0, 1.0)


def test_a_limit_holds_multipliers_on_both_sides():
    steps = MultiplierSteps("xi", limit=0.01)
    up, _ = steps.step({"a": 0.0}, {}, {"a": 0.0}, {"a": 9.0})
    down, _ = steps.step({"a": 0.0}, {}, {"a": 9.0}, {"a": 0.0})
    assert (up["a"], down["a"]) == (0.01, -0.01)


def test_a_component_that_was_not_measured_stays_where_it_is():
    moved, velocity = MultiplierSteps("xi").step({"a": 0.1, "b": 0.2}, {"a": 0.7}, {"b": 9.0}, {"a": 0.0, "b": 0.0})
    assert (moved["a"], velocity["a"]) == (0.1, 0.7)
    assert moved["b"] < 0.2


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(ConfigError, match="component 'a' is"):
        MultiplierSteps("xi").step({"a": 0.0}, {}, {"a": value}, {"a": 0.0})


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "equality"},
        {"learning_rate": -1.0},
        {"learning_rate": math.nan},
        {"momentum": 1.0},
        {"grad_clip": 0.0},
        {"limit": 0.0},
        {"limit": math.inf},
    ],
)
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError, match=str(next(iter(options)))):
        MultiplierSteps(**options)


def test_pitfall_1_the_kl_part_keeps_its_size_unless_asked_otherwise():
    """A KL advantage of a thousandth stays one; standardised, it pulls as hard as any component."""
    small, components = [0.001, -0.001], {"a": [1.0, 1.0]}
    kept = mixed_advantage(small, components, {"a": 0.0}, "xi", standardize=True)
    blown = mixed_advantage(small, components, {"a": 0.0}, "xi", standardize=True, standardize_kl=True)
    assert kept == pytest.approx([0.001, -0.001])
    assert blown == pytest.approx([0.707102, -0.707102], abs=1e-5)
