"""Returns-to-go, spans in every estimator, and advantages weighed by a part of the score."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.advantages import group_relative, returns_to_go, streams, weighted_by
from guerdon.errors import ConfigError, RewardError
from guerdon.recipes.building import build_advantage
from guerdon.recipes.schema import Use
from guerdon.types import Example, Group, Rollout, Score, Segment, Stream

nan = math.nan


def attempt(*turns):
    """Turns of that many tokens, the environment's words between."""
    return Rollout(
        Example(id="x"),
        tuple(
            piece for size in turns for piece in (Segment("policy", token_ids=(7,) * size), Segment("environment", "?"))
        ),
    )


def told(**dense):
    return Score(1.0, dense=dense)


def estimated(estimator, *pairs):
    return estimator.estimate([Group.of([rollout for rollout, _ in pairs])], [[score for _, score in pairs]])


# -- spans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"per": "turn", "ends": (1, 2)}, "has 2 ends"),
        ({"per": "span", "ends": (1,)}, "has 1 ends"),
        ({"per": "span", "ends": (2, 1)}, "never fall"),
        ({"per": "span", "ends": (-1, 1)}, "never fall"),
    ],
)
def test_ends_that_do_not_fit_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Stream(values=(0.0, 1.0), **wrong)


def test_a_span_prints_what_rebuilds_it_and_keeps_its_ends_when_scaled():
    span = Stream("span", (0.5, 1.0), (1, 3))
    assert eval(repr(span)) == span
    assert span.scaled(2.0) == Stream("span", (1.0, 2.0), (1, 3))


def test_a_span_streams_values_reach_every_step_of_their_span():
    """Values 1, 0 and 2: mean 1. Steps behind the last span get nothing."""
    found = estimated(
        streams({"s": 1.0}),
        (attempt(2, 2), told(s=Stream("span", (1.0, 0.0), (0, 2)))),
        (attempt(2), told(s=Stream("span", (2.0,), (1,)))),
    )
    assert found.values == [[[0.0, -1.0, -1.0, 0.0], [1.0, 1.0]]]


def test_a_span_beyond_the_rollout_is_a_bug():
    with pytest.raises(RewardError, match=r"ends at step 4 of rollout 0 .*which has 2"):
        estimated(streams({"s": 1.0}), (attempt(2), told(s=Stream("span", (1.0,), (4,)))), (attempt(2), Score(0.0)))


def test_spans_of_text_alone_tell_at_least_whether_there_is_a_preference():
    rollouts = [Rollout.of(Example(id="x"), "a\nb"), Rollout.of(Example(id="x"), "c")]
    scores = [told(s=Stream("span", (1.0, 1.0))), told(s=Stream("span", (0.0,)))]
    for estimator in (streams({"s": 1.0}), returns_to_go({"s": 1.0})):
        found = estimated(estimator, *zip(rollouts, scores, strict=True))
        assert (found.values, found.dead) == ([[[], []]], [False])


# -- returns ---------------------------------------------------------------------------------------------------------


def test_a_turn_gets_what_is_earned_from_it_on_less_the_mean_from_the_same_turn():
    """Returns (3, 2) and (5, 5, 1); baselines 4, 3.5, and 0.5, since the first attempt has nothing left there."""
    found = estimated(
        returns_to_go({"t": 1.0}),
        (attempt(1, 2), told(t=Stream("turn", (1.0, 2.0)))),
        (attempt(1, 1, 1), told(t=Stream("turn", (0.0, 4.0, 1.0)))),
    )
    assert found.values == [[[-1.0, -1.5, -1.5], [1.0, 1.5, 0.5]]]


def test_longer_attempts_are_compared_on_steps_that_only_they_have():
    """Filler that pays 0.5 a turn: the third turn of the longer attempt has return 0.5 against a mean of 0.25."""
    found = estimated(
        returns_to_go({"t": 1.0}),
        (attempt(1, 1), told(t=Stream("turn", (0.5, 0.5)))),
        (attempt(1, 1, 1), told(t=Stream("turn", (0.5, 0.5, 0.5)))),
    )
    assert found.values == [[[-0.25, -0.25], [0.25, 0.25, 0.25]]]


def test_success_counts_whole_from_every_place():
    """Success 1 and 0 are 0.5 apart from their mean everywhere; streams have their weights."""
    found = estimated(
        returns_to_go({"ok": 1.0, "t": 0.1}),
        (attempt(1, 1), told(ok=Stream("rollout", (1.0,)), t=Stream("turn", (0.0, 1.0)))),
        (attempt(1, 1), told(ok=Stream("rollout", (0.0,)), t=Stream("turn", (1.0, 0.0)))),
    )
    assert found.values[0][0] == pytest.approx([0.5, 0.55])
    assert found.values[0][1] == pytest.approx([-0.5, -0.55])


def test_steps_behind_the_last_span_have_nothing_left():
    """Both have the baseline of the place behind the first span: (0 + 0.5) / 2."""
    found = estimated(
        returns_to_go({"s": 1.0}),
        (attempt(3), told(s=Stream("span", (1.0,), (0,)))),
        (attempt(2), told(s=Stream("span", (0.5, 0.5), (0, 1)))),
    )
    assert found.values == [[[0.0, -0.25, -0.25], [0.0, 0.25]]]


def test_an_attempt_with_a_hole_leaves_the_stream_and_keeps_the_others():
    """Success alone is left of the second: 1, 0, 1 with mean 2/3. The stream's mean is that of the other two."""
    ok = [Stream("rollout", (value,)) for value in (1.0, 0.0, 1.0)]
    turns = [Stream("turn", values) for values in ((1.0,), (nan,), (0.0,))]
    found = estimated(
        returns_to_go({"ok": 1.0, "t": 1.0}),
        *((attempt(1), told(ok=one, t=other)) for one, other in zip(ok, turns, strict=True)),
    )
    assert [steps[0] for steps in found.values[0]] == pytest.approx([1 / 3 + 0.5, -2 / 3, 1 / 3 - 0.5])


def test_unscored_attempts_and_dead_groups_teach_nothing():
    found = estimated(
        returns_to_go({"t": 1.0}),
        (attempt(1, 1), told(t=Stream("turn", (0.1, 0.2)))),
        (attempt(1, 1), Score.unscored("lost")),
        (attempt(1, 1), told(t=Stream("turn", (0.1, 0.2)))),
    )
    assert found.values == [[[0.0, 0.0]] * 3]
    assert (found.dead, found.scored) == ([True], [[True, False, True]])
    alone = estimated(returns_to_go({"t": 1.0}), (attempt(1), told(t=Stream("turn", (3.0,)))))
    assert (alone.values, alone.dead) == ([[[0.0]]], [True])


def test_without_a_baseline_they_are_the_returns_themselves():
    one = (attempt(1, 1), told(t=Stream("turn", (1.0, 2.0))))
    found = estimated(returns_to_go({"t": 2.0}, baseline="none"), one)
    assert (found.values, found.dead) == ([[[6.0, 4.0]]], [False])


def test_one_number_per_rollout_is_what_group_relative_does_without_std():
    scores = [Score(1.0, dense={"v": Stream("rollout", (value,))}) for value in (3.0, 1.0, 2.0)]
    pairs = [(attempt(2), score) for score in scores]
    plain = [(attempt(2), Score(value)) for value in (3.0, 1.0, 2.0)]
    assert estimated(returns_to_go({"v": 1.0}), *pairs).values == estimated(group_relative(std=False), *plain).values


@given(st.lists(st.lists(st.floats(-10, 10), min_size=1, max_size=5), min_size=2, max_size=5))
def test_a_group_of_equal_length_is_centred_at_each_place(rows):
    size = min(map(len, rows))
    pairs = [(attempt(*[1] * size), told(t=Stream("turn", tuple(row[:size])))) for row in rows]
    (values,) = estimated(returns_to_go({"t": 1.0}), *pairs).values
    for place in range(size):
        assert math.fsum(steps[place] for steps in values) == pytest.approx(0.0, abs=1e-9)


def test_wrong_options_of_returns_are_named():
    with pytest.raises(ConfigError, match=r"returns_to_go\.weights is empty"):
        returns_to_go({})
    with pytest.raises(ConfigError, match=r"returns_to_go\.weights\.a"):
        returns_to_go({"a": nan})
    with pytest.raises(ConfigError, match="baseline"):
        returns_to_go({"a": 1.0}, baseline="value")
    with pytest.raises(ConfigError, match=r"asks for stream 'tests'; the score of .* has 't'"):
        estimated(returns_to_go({"tests": 1.0}), (attempt(1), told(t=Stream("turn", (3.0,)))))
    assert hash(returns_to_go({"a": 1.0})) == hash(returns_to_go({"a": 1.0}))


# -- weights ---------------------------------------------------------------------------------------------------------


def weighed(value, weight):
    return Score(value, parts={"u": Score(value, parts={"weight": Score(weight)})})


def test_the_weight_is_on_the_advantage_and_every_attempt_keeps_its_part_in_the_mean():
    """Values 1, 0, 0 with mean 1/3; a doubtful winner moves the policy half as far, and is not ranked last."""
    row = [weighed(1.0, 0.5), weighed(0.0, 1.0), weighed(0.0, 1.0)]
    found = estimated(weighted_by("u/weight", group_relative(std=False)), *((attempt(2), one) for one in row))
    assert found.values[0] == [pytest.approx([1 / 3] * 2), *[pytest.approx([-1 / 3] * 2)] * 2]


def test_where_nobody_measured_a_weight_it_is_one():
    row = [
        weighed(1.0, 0.5),
        Score(0.0, "gate = 0 is closed"),
        Score(0.0, parts={"u": Score.unscored("n/a", status="abstain")}),
    ]
    found = estimated(weighted_by("u/weight", group_relative(std=False)), *((attempt(1), one) for one in row))
    assert [steps[0] for steps in found.values[0]] == pytest.approx([1 / 3, -1 / 3, -1 / 3])


def test_a_weight_that_is_none_is_said():
    with pytest.raises(ConfigError, match=r"weighted_by\.part is 'w'; the score of example 'x' has 'u', 'u/weight'"):
        estimated(weighted_by("w"), (attempt(1), weighed(1.0, 1.0)), (attempt(1), weighed(0.5, 1.0)))
    with pytest.raises(RewardError, match=r"one number >= 0 for the whole rollout is needed"):
        estimated(weighted_by("u/weight"), (attempt(1), weighed(1.0, -1.0)), (attempt(1), weighed(0.5, 1.0)))


def test_recipes_nest_estimators():
    inner = {"use": "group_relative", "with": {"std": False}}
    built = build_advantage(Use.model_validate({"use": "weighted_by", "with": {"part": "u/weight", "of": inner}}))
    assert built == weighted_by("u/weight", group_relative(std=False))
    with pytest.raises(ConfigError, match=r"advantage\.with\.of"):
        build_advantage(Use.model_validate({"use": "weighted_by", "with": {"part": "w", "of": "mean"}}))
