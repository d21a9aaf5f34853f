import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.advantages import alive, group_relative, leave_one_out
from guerdon.errors import ConfigError
from guerdon.types import Example, Group, Rollout, Score, Segment

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
