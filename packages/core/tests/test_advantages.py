import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.advantages import alive, group_relative, leave_one_out, streams
from guerdon.errors import ConfigError, RewardError
from guerdon.types import Example, Group, Rollout, Score, Segment, Stream

finite = st.floats(-1e6, 1e6)


def group(*steps: int) -> Group:
    """One rollout per argument, with that many policy steps."""
    example = Example(id="x")
    return Group.of([Rollout(example, (Segment("policy", token_ids=tuple(range(n))),)) for n in steps])


def scores(*values: float) -> list[Score]:
    return [Score.unscored("broken") if math.isnan(value) else Score(value) for value in values]


def first_steps(advantages) -> list[list[float]]:
    return [[steps[0] for steps in row] for row in advantages.values]


def test_the_sheets_worked_example_of_a_group_relative_advantage():
    """(7, 5.014286, 1, 1): mean 3.503572, unbiased std 3.002389 (reasoning_sql, worked examples)."""
    found = group_relative().estimate([group(1, 1, 1, 1)], [scores(7, 5.014286, 1, 1)])
    assert first_steps(found)[0] == pytest.approx([1.1645, 0.5032, -0.8338, -0.8338], abs=5e-5)
    assert found.dead == [False]
    assert found.unscored == 0


def test_without_std_only_the_mean_goes():
    """Mean of 1, 0, 0.5 is 0.5."""
    assert first_steps(group_relative(std=False).estimate([group(1, 1, 1)], [scores(1, 0, 0.5)])) == [[0.5, -0.5, 0.0]]


def test_ddof_zero_divides_by_n():
    """Values 1 and -1: population std 1, sample std sqrt(2)."""
    pair = [group(1, 1)], [scores(1, -1)]
    assert first_steps(group_relative(ddof=0, epsilon=0.0).estimate(*pair)) == [[1.0, -1.0]]
    assert first_steps(group_relative(ddof=1, epsilon=0.0).estimate(*pair))[0] == pytest.approx([0.5**0.5, -(0.5**0.5)])


def test_leave_one_out_compares_with_the_mean_of_the_others():
    """3 against (1+2)/2, 1 against (3+2)/2, 2 against (3+1)/2."""
    assert first_steps(leave_one_out().estimate([group(1, 1, 1)], [scores(3, 1, 2)])) == [[1.5, -1.5, 0.0]]


def test_each_policy_step_carries_its_rollouts_advantage():
    found = group_relative(std=False).estimate([group(3, 0, 2)], [scores(2, 1, 0)])
    assert found.values == [[[1.0, 1.0, 1.0], [], [-1.0, -1.0]]]


@pytest.mark.parametrize("estimator", [group_relative(), group_relative(std=False), leave_one_out()])
def test_an_unscored_rollout_leaves_the_statistics_and_is_marked(estimator):
    with_hole = estimator.estimate([group(1, 2, 1)], [scores(1, math.nan, 0)])
    without = estimator.estimate([group(1, 1)], [scores(1, 0)])
    assert [with_hole.values[0][0], with_hole.values[0][2]] == without.values[0]
    assert with_hole.values[0][1] == [0.0, 0.0]
    assert with_hole.scored == [[True, False, True]]
    assert with_hole.unscored == 1


@pytest.mark.parametrize("estimator", [group_relative(epsilon=0.0), group_relative(std=False), leave_one_out()])
@pytest.mark.parametrize("values", [(0.1 + 0.2, 0.3), (1.0, math.nan), (math.nan, math.nan), (5.0, 5.0, 5.0)])
def test_a_dead_group_gets_zeros_and_is_reported(estimator, values):
    """0.1 + 0.2 and 0.3 differ by 5.6e-17: rounding, not a preference."""
    found = estimator.estimate([group(*[1] * len(values))], [scores(*values)])
    assert found.dead == [True]
    assert first_steps(found) == [[0.0] * len(values)]


@given(
    st.lists(st.lists(finite, min_size=1, max_size=6), min_size=1, max_size=4), st.sampled_from([0, 1]), st.booleans()
)
def test_advantages_of_a_group_are_finite_and_sum_to_zero(rows, ddof, std):
    groups = [group(*[1] * len(row)) for row in rows]
    for estimator in (group_relative(std=std, ddof=ddof), leave_one_out()):
        for row, raw in zip(first_steps(estimator.estimate(groups, [scores(*row) for row in rows])), rows, strict=True):
            assert all(math.isfinite(value) for value in row)
            assert abs(sum(row)) <= 1e-8 * (1 + max(map(abs, raw)))


@given(st.lists(st.integers(-8, 8), min_size=2, max_size=6), st.integers(-100, 100))
def test_a_shift_of_all_scores_changes_nothing(row, shift):
    for estimator in (group_relative(), leave_one_out()):
        plain = estimator.estimate([group(*[1] * len(row))], [scores(*map(float, row))])
        moved = estimator.estimate([group(*[1] * len(row))], [scores(*[float(value + shift) for value in row])])
        assert first_steps(plain)[0] == pytest.approx(first_steps(moved)[0], abs=1e-9)


def test_alive_groups_differ_and_their_mean_lies_inside():
    rows = [scores(1, 1), scores(0, 1), scores(0, math.nan), scores(0.9, 1.0)]
    assert alive(rows) == [False, True, False, True]
    assert alive(rows, high=0.95) == [False, True, False, False]


def test_a_missing_row_of_scores_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        group_relative().estimate([group(1, 1)], [])


@pytest.mark.parametrize("wrong", [{"ddof": 2}, {"epsilon": -1.0}, {"epsilon": math.nan}])
def test_a_wrong_option_is_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        group_relative(**wrong)


def test_alive_takes_the_estimators_word_for_what_is_dead():
    rows = [scores(1, 1), scores(0, 1), scores(0, 1)]
    assert alive(rows, [False, True, False], high=0.9) == [False, False, True]


# -- streams ---------------------------------------------------------------------------------------------------------

nan = math.nan


def talk(*turns: int) -> Rollout:
    """A prefix of ours, then turns of so many tokens, each answered by an environment of three tokens."""
    segments = [Segment("forced", token_ids=(0, 0))]
    for steps in turns:
        segments.append(Segment("policy", token_ids=tuple(range(steps))))
        segments.append(Segment("environment", token_ids=(7, 7, 7)))
    return Rollout(Example(id="x"), tuple(segments))


def scored(value: float = 1.0, **dense: Stream) -> Score:
    return Score(value, dense=dense)


def per_rollout(value: float) -> Stream:
    return Stream("rollout", (value,))


def per_turn(*values: float) -> Stream:
    return Stream("turn", values)


def per_step(*values: float) -> Stream:
    return Stream("step", values)


def test_each_stream_is_centred_on_its_own_and_a_turns_value_reaches_all_its_tokens():
    """Trajectories 1 and 0: +-0.5. Turns 0, 1, 0.5, 0.5, 0.5: mean 0.5 over all five, not a mean per trajectory."""
    pair = Group.of([talk(2, 1), talk(1, 1, 3)])
    row = [
        scored(traj=per_rollout(1.0), turn=per_turn(0.0, 1.0)),
        scored(traj=per_rollout(0.0), turn=per_turn(0.5, 0.5, 0.5)),
    ]
    found = streams({"traj": 1.0, "turn": 2.0}).estimate([pair], [row])
    assert found.values == [[[-0.5, -0.5, 1.5], [-0.5] * 5]]
    assert found.dead == [False]


def test_longer_trajectories_have_more_say_in_the_mean_of_a_turn_stream():
    """(1 + 0 + 0 + 0) / 4, where trajectories alone would give (1 + 0) / 2."""
    row = [scored(turn=per_turn(1.0)), scored(turn=per_turn(0.0, 0.0, 0.0))]
    found = streams({"turn": 1.0}).estimate([Group.of([talk(1), talk(1, 1, 1)])], [row])
    assert found.values == [[[0.75], [-0.25] * 3]]


def test_a_step_stream_is_laid_over_the_turns_in_order():
    """Steps 1 2 3 | 0 0: mean 1.2."""
    row = [scored(step=per_step(1.0, 2.0, 3.0)), scored(step=per_step(0.0, 0.0))]
    found = streams({"step": 1.0}).estimate([Group.of([talk(2, 1), talk(2)])], [row])
    assert found.values[0][0] == pytest.approx([-0.2, 0.8, 1.8])
    assert found.values[0][1] == pytest.approx([-1.2, -1.2])


def test_one_turn_of_one_token_is_no_puzzle():
    """All three kinds have one value here; what each is is said, and the three sums are the same."""
    pair = Group.of([talk(1), talk(1)])
    for made in (per_rollout, per_turn, per_step):
        row = [scored(any=made(1.0)), scored(any=made(0.0))]
        assert streams({"any": 1.0}).estimate([pair], [row]).values == [[[0.5], [-0.5]]]


def test_with_std_each_stream_is_divided_by_its_own_spread():
    """(1, -1) and (10, -10) both have population std as large as their values."""
    pair = Group.of([talk(1), talk(1)])
    row = [scored(a=per_rollout(1.0), b=per_turn(-10.0)), scored(a=per_rollout(-1.0), b=per_turn(10.0))]
    found = streams({"a": 1.0, "b": 0.5}, std=True, ddof=0, epsilon=0.0).estimate([pair], [row])
    assert found.values == [[[0.5], [-0.5]]]


def test_one_stream_per_rollout_is_what_group_relative_does_with_values():
    groups, row = [group(1, 3, 2)], scores(3, 1, nan)
    dense = [Score(s.value, status=s.status, dense={"v": per_rollout(s.value)} if s.scored else {}) for s in row]
    for std in (True, False):
        assert streams({"v": 1.0}, std=std).estimate(groups, [dense]) == group_relative(std=std).estimate(groups, [row])


def test_an_unscored_rollout_leaves_every_stream():
    row = [
        scored(traj=per_rollout(1.0), turn=per_turn(4.0)),
        Score.unscored("the sandbox failed"),
        scored(traj=per_rollout(0.0), turn=per_turn(2.0, 0.0)),
    ]
    groups = [Group.of([talk(1), talk(2, 2), talk(1, 1)])]
    found = streams({"traj": 1.0, "turn": 1.0}).estimate(groups, [row])
    assert found.values == [[[2.5], [0.0] * 4, [-0.5, -2.5]]]
    assert found.scored == [[True, False, True]]
    assert found.unscored == 1


def test_a_turn_without_a_value_leaves_its_streams_mean_and_keeps_the_others():
    """Turns 4, 0 have mean 2; the lost turn's tokens carry the trajectory's advantage alone."""
    row = [scored(traj=per_rollout(1.0), turn=per_turn(nan, 4.0)), scored(traj=per_rollout(0.0), turn=per_turn(0.0))]
    found = streams({"traj": 1.0, "turn": 1.0}).estimate([Group.of([talk(1, 1), talk(1)])], [row])
    assert found.values == [[[0.5, 2.5], [-2.5]]]


@pytest.mark.parametrize(
    "row",
    [
        [scored(turn=per_turn(0.1 + 0.2, 0.3)), scored(turn=per_turn(0.3))],
        [scored(turn=per_turn(1.0, 0.0)), Score.unscored("lost")],
        [scored(turn=per_turn(1.0, nan)), scored(turn=per_turn(nan))],
        [Score(0.0), Score(0.0)],
    ],
    ids=["rounding", "one scored", "one value", "bare zeros"],
)
def test_a_group_without_a_preference_in_any_stream_is_dead(row):
    found = streams({"turn": 1.0}).estimate([Group.of([talk(2, 1), talk(1)])], [row])
    assert found.dead == [True]
    assert found.values == [[[0.0] * 3, [0.0]]]


def test_streams_that_cancel_leave_a_dead_group():
    """0.1 * 3 and 0.3 differ by 5.6e-17: what is left of them is rounding."""
    row = [scored(a=per_rollout(3.0), b=per_turn(-0.3)), scored(a=per_rollout(0.0), b=per_turn(0.0))]
    found = streams({"a": 0.1, "b": 1.0}).estimate([group(1, 2)], [row])
    assert found.dead == [True]
    assert found.values == [[[0.0], [0.0, 0.0]]]


def test_equal_totals_with_unequal_turns_are_alive_and_the_reverse_is_dead():
    pair = Group.of([talk(1, 1), talk(1, 1)])
    same_total = [scored(1.0, turn=per_turn(0.0, 1.0)), scored(1.0, turn=per_turn(1.0, 0.0))]
    same_turns = [scored(1.0, turn=per_turn(0.5, 0.5)), scored(0.0, turn=per_turn(0.5, 0.5))]
    assert streams({"turn": 1.0}).estimate([pair, pair], [same_total, same_turns]).dead == [False, True]
    assert group_relative().estimate([pair, pair], [same_total, same_turns]).dead == [True, False]


def test_rollouts_of_text_alone_have_no_steps_and_still_a_preference():
    texts = Group.of([Rollout.of(Example(id="x"), "a"), Rollout.of(Example(id="x"), "b")])
    found = streams({"turn": 1.0}).estimate([texts], [[scored(turn=per_turn(1.0)), scored(turn=per_turn(0.0))]])
    assert found.values == [[[], []]]
    assert found.dead == [False]


def test_a_stream_of_a_part_is_named_by_its_path_and_a_part_by_its_own():
    """The part's stream as it is, before any weight; "b" is the part's value, one per rollout."""
    row = [
        Score(9.0, parts={"verpo": scored(1.0, turn=per_turn(1.0)), "b": Score(0.0)}),
        Score(8.0, parts={"verpo": scored(1.0, turn=per_turn(0.0)), "b": Score(4.0)}),
    ]
    assert streams({"verpo/turn": 1.0, "b": 0.5}).estimate([group(1, 1)], [row]).values == [[[-0.5], [0.5]]]


def test_behind_a_closed_gate_all_streams_are_zero_and_an_abstaining_part_counts_nowhere():
    """Mean of 3 and 0 is 1.5; of 3 and 1 (without the abstainer) 2."""
    closed = [scored(3.0, turn=per_turn(3.0)), Score(0.0, "gate = 0 is closed", {"gate": Score(0.0)})]
    assert streams({"turn": 1.0}).estimate([group(1, 1)], [closed]).values == [[[1.5], [-1.5]]]
    row = [Score(1.0, parts={"a": scored(v, turn=per_turn(v)), "b": Score(1.0)}) for v in (3.0, 1.0)]
    row.append(Score(1.0, parts={"a": Score.unscored("n/a", status="abstain"), "b": Score(1.0)}))
    assert streams({"a/turn": 1.0}).estimate([group(1, 1, 1)], [row]).values == [[[1.0], [-1.0], [0.0]]]


@pytest.mark.parametrize(
    ("row", "error", "said"),
    [
        ([Score(1.0), Score(0.0)], ConfigError, r"asks for stream 'turn'; the score of rollout 0 .*'x' has none"),
        (
            [Score(1.0, parts={"v": scored(turn=per_turn(1.0))}), Score(0.0)],
            ConfigError,
            r"'turn'; the score of rollout 0 of example 'x' has 'v', 'v/turn'",
        ),
        ([scored(turn=per_turn(1.0, 2.0)), Score(0.0)], RewardError, r"has 2 values per turn on rollout 0 .*has 1"),
        ([Score(0.0), scored(turn=per_step(1.0))], RewardError, r"has 1 values per step on rollout 1 .*has 2"),
        (
            [scored(turn=per_turn(1.0)), scored(turn=per_rollout(1.0))],
            RewardError,
            r"is per turn on rollout 0 and per rollout on rollout 1",
        ),
    ],
    ids=["no streams", "a path", "too many turns", "too few steps", "two kinds"],
)
def test_what_is_wrong_with_a_stream_is_said(row, error, said):
    with pytest.raises(error, match=said):
        streams({"turn": 1.0}).estimate([group(1, 2)], [row])


def test_streams_are_a_value():
    one, other = streams({"a": 1.0, "b": 2.0}), streams({"b": 2.0, "a": 1.0})
    assert one == other == eval(repr(one), {"streams": streams})
    assert hash(one) == hash(other)
    assert one != streams({"a": 1.0})


@pytest.mark.parametrize(("wrong", "named"), [({"a": nan}, r"weights\.a"), ({}, "empty")])
def test_wrong_weights_are_named(wrong, named):
    with pytest.raises(ConfigError, match=named):
        streams(wrong)


talks = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=2, max_size=5)


@given(talks, st.data())
def test_a_turn_streams_advantages_sum_to_zero_over_turns_and_a_shift_changes_nothing(shape, data):
    rollouts = Group.of([talk(*turns) for turns in shape])
    values = [[data.draw(st.floats(-100, 100)) for _ in turns] for turns in shape]

    def by_turn(rows):
        row = [scored(turn=per_turn(*each)) for each in rows]
        (steps,) = streams({"turn": 1.0}).estimate([rollouts], [row]).values
        return [[one[sum(turns[:t])] for t in range(len(turns))] for one, turns in zip(steps, shape, strict=True)]

    plain = by_turn(values)
    assert math.fsum(value for turns in plain for value in turns) == pytest.approx(0.0, abs=1e-9)
    moved = by_turn([[value + 10.0 for value in each] for each in values])
    for one, other in zip(plain, moved, strict=True):
        assert one == pytest.approx(other, abs=1e-9)
