import math
import re

import pytest

from guerdon.diagnostics.charts import line_chart, moving_mean, nice_ticks, stacked_chart, step_ticks, thin, tick_labels
from guerdon.diagnostics.intervals import mean_interval, t_95, wilson


def test_the_wilson_interval_matches_its_published_example():
    """Newcombe (1998), table I: 81 of 263, 0 of 20, 1 of 29."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@pytest.mark.parametrize(("share", "count"), [(1.2, 10), (-0.1, 10), (math.nan, 10), (0.5, 0)])
def test_an_interval_of_no_share_is_refused(share, count):
    with pytest.raises(ValueError, match="wilson needs"):
        wilson(share, count)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.5, 1.0]),
        (-3.2, 8.9, [-5.0, 0.0, 5.0, 10.0]),
        (0.0, 0.0, [0.0, 0.5, 1.0]),
        (2e-5, 2e-5, [1e-5, 2e-5, 3e-5]),
    ],
)
def test_ticks_are_round_and_cover_the_values(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 7.0, 1e9])
def test_there_are_few_ticks_at_any_scale(scale):
    ticks = nice_ticks(-0.37 * scale, 0.81 * scale)
    assert 3 <= len(ticks) <= 7
    assert ticks[0] <= -0.37 * scale
    assert ticks[-1] >= 0.81 * scale
    assert len(set(tick_labels(ticks))) == len(ticks)


def test_step_labels_keep_their_distance_and_their_ends():
    assert step_ticks(0, 7)[0::10] == [0]
    assert step_ticks(0, 7)[-1] == 7
    assert step_ticks(0, 1003) == [0, 500, 1003]


def test_thinning_keeps_the_spike_that_matters():
    values = [0.0] * 5000
    values[3210] = 9.0
    chosen = thin({"a": values}, 240)
    assert 3210 in chosen
    assert (chosen[0], chosen[-1]) == (0, 4999)
    assert len(chosen) <= 240


def test_a_moving_mean_passes_over_gaps():
    assert moving_mean([1.0, math.nan, 3.0], 3) == [1.0, 2.0, 3.0]
    assert all(map(math.isnan, moving_mean([math.nan] * 4, 3)))


def test_a_gap_breaks_the_line():
    chart = line_chart("x", [0, 1, 2, 3, 4], {"x": [1.0, 2.0, math.nan, 4.0, 5.0]})
    path = re.search(r'class="line s0" d="([^"]*)"', chart)[1]
    assert path.count("M") == 2


def test_nothing_finite_draws_nothing():
    assert line_chart("x", [0, 1], {"x": [math.nan, math.inf]}) == ""
    assert line_chart("x", [], {"x": []}) == ""
    assert stacked_chart("x", [0, 1], {"x": [math.nan, math.nan]}) == ""


def test_a_single_step_is_a_dot_with_its_value():
    chart = line_chart("x", [3], {"x": [0.25]})
    assert "lone" in chart
    assert "<b>0.250</b>" in chart
    assert stacked_chart("t", [3], {"a": [1.0], "b": [2.0]})


def test_a_title_tells_what_the_eye_sees():
    chart = line_chart("loss & co", [0, 1], {"loss": [2.0, 1.0]})
    assert "<title>loss &amp; co: loss from 2.000 to 1.000</title>" in chart


def test_an_interval_of_none_or_all_ends_there_exactly():
    assert wilson(0.0, 300)[0] == 0.0
    assert wilson(1.0, 300)[1] == 1.0


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (29, 2.045), (120, 1.980), (5000, 1.960)]
)
def test_students_t_is_as_in_its_table(freedom, quantile):
    assert t_95(freedom) == pytest.approx(quantile, abs=5e-4)


def test_students_t_has_no_step_where_its_expansion_takes_over():
    assert t_95(1999) == pytest.approx(t_95(2000), abs=2e-6)


def test_what_is_unscored_is_not_counted():
    found = mean_interval([math.nan, 0.0, 1.0, math.nan])
    assert (found.count, found.kind) == (2, "Wilson")
    assert (found.low, found.high) == wilson(0.5, 2)


@pytest.mark.parametrize("values", [[], [math.nan], [0.3], [0.3, 0.3, 0.3]])
def test_values_that_tell_no_spread_have_no_interval(values):
    assert mean_interval(values) is None


@pytest.mark.parametrize("value", [0.0, 1e-5, 0.03, 0.95, 0.999, 1.0])
def test_a_flat_share_has_an_axis_from_0_to_1_at_most(value):
    ticks = nice_ticks(value, value)
    assert 0.0 <= ticks[0] <= value <= ticks[-1] <= 1.0
    assert ticks[0] < ticks[-1]


@pytest.mark.parametrize("value", [2.63805, -0.0371, 31415.9, -1.0, -31.0])
def test_a_flat_line_has_round_labels_on_its_side_of_0(value):
    """Two digits at most: 1.63805 and 2.63805 stood there. A line that all but stands still has them too."""
    for ticks in (nice_ticks(value, value), nice_ticks(value, value + 1e-6 * abs(value))):
        labels = tick_labels(ticks)
        assert len(set(labels)) == len(labels)
        assert all(len(label.strip("−0.kM").replace(".", "")) <= 2 for label in labels)
        assert ticks[0] <= value <= ticks[-1]
        assert min(ticks) * max(ticks) >= 0.0
