"""Nelder and Mead's search over thresholds: what it finds, what it asks, and when it stops."""

import math

import pytest

from guerdon.controllers.proxy_points import NelderMead, start_simplex
from guerdon.errors import ConfigError

START = [{"x": 0.2, "y": 0.2}, {"x": 1.2, "y": 0.3}, {"x": 0.4, "y": 1.1}]


def hill(vertex):
    return 1.0 - (vertex["x"] - 0.6) ** 2 - 2.0 * (vertex["y"] - 0.5) ** 2


def asked(settings, evaluate, simplex):
    seen = []

    def told(vertex):
        seen.append(dict(vertex))
        return evaluate(vertex)

    return settings.search(told, simplex), seen


def test_it_climbs_a_smooth_hill():
    found = NelderMead(spread=1e-6, iterations=60, budget=200).search(hill, START)
    assert found.stopped == "spread"
    assert found.thresholds["x"] == pytest.approx(0.6, abs=0.02)
    assert found.thresholds["y"] == pytest.approx(0.5, abs=0.02)
    assert found.score == max(one.score for one in found.evaluations)


def test_reflection_then_expansion_by_hand():
    """On a slope towards larger x the worst is 0, its mirror in 1 is 2, and twice as far is 3."""
    _, seen = asked(NelderMead(iterations=1), lambda vertex: vertex["x"], [{"x": 0.0}, {"x": 1.0}])
    assert seen == [{"x": 0.0}, {"x": 1.0}, {"x": 2.0}, {"x": 3.0}]


def test_outside_contraction_by_hand():
    """Scores 10 at 0, 0 at 1 and 5 at -1: the mirror is better than the worst only, so half of the way, -0.5."""
    scores = {0.0: 10.0, 1.0: 0.0, -1.0: 5.0, -0.5: 9.0}
    _, seen = asked(NelderMead(iterations=1), lambda vertex: scores[vertex["x"]], [{"x": 0.0}, {"x": 1.0}])
    assert [vertex["x"] for vertex in seen] == [0.0, 1.0, -1.0, -0.5]


def test_inside_contraction_fails_and_all_shrink_towards_the_best_by_hand():
    """Nothing beats the worst: neither -1 nor 0.5; then 1 moves halfway to 0, which is 0.5 and known already."""
    scores = {0.0: 10.0, 1.0: 0.0, -1.0: -5.0, 0.5: -1.0}
    found, seen = asked(NelderMead(iterations=1), lambda vertex: scores[vertex["x"]], [{"x": 0.0}, {"x": 1.0}])
    assert [vertex["x"] for vertex in seen] == [0.0, 1.0, -1.0, 0.5]
    assert found.iterations == 1


def test_a_vertex_close_to_one_that_was_tried_is_not_tried_again():
    _, seen = asked(NelderMead(iterations=0), hill, [START[0], {"x": 0.2, "y": 0.204}, START[2]])
    assert len(seen) == 2
    _, seen = asked(NelderMead(iterations=0), hill, [START[0], {"x": 0.2, "y": 0.206}, START[2]])
    assert len(seen) == 3


def test_the_budget_is_never_exceeded_and_the_best_so_far_comes_back():
    found, seen = asked(NelderMead(spread=1e-12, iterations=100, budget=7), hill, START)
    assert (len(seen), found.stopped) == (7, "budget")
    assert found.score == max(hill(vertex) for vertex in seen)


def test_it_stops_where_the_scores_no_longer_differ():
    found, seen = asked(NelderMead(), lambda vertex: 0.5, START)
    assert (len(seen), found.stopped, found.iterations) == (3, "spread", 0)


def test_evaluations_come_in_the_order_they_were_made_since_each_trains_on():
    found, seen = asked(NelderMead(iterations=5), hill, START)
    assert [one.thresholds for one in found.evaluations] == seen
    assert hill(seen[found.best]) == found.score


def test_names_travel_whatever_their_order():
    """Pitfall 3: the released search orders its components otherwise than its thresholds."""
    turned = [{"y": vertex["y"], "x": vertex["x"]} for vertex in START]
    one, other = NelderMead().search(hill, START), NelderMead().search(hill, [START[0], *turned[1:]])
    assert one == other


def test_a_first_simplex_lies_between_its_ends_and_follows_its_seed():
    low, high = {"x": 0.1, "y": 0.2}, {"x": 1.3, "y": 0.3}
    simplex = start_simplex(low, high, 4)
    assert len(simplex) == 3
    assert all(low[name] <= vertex[name] <= high[name] for vertex in simplex for name in low)
    assert simplex == start_simplex(low, high, 4) != start_simplex(low, high, 5)


@pytest.mark.parametrize(
    ("simplex", "said"),
    [
        ([], "empty"),
        (START[:2], "2 vertices of 2 thresholds"),
        ([*START[:2], {"x": 1.0}], "the same names"),
        ([*START[:2], {"x": 1.0, "y": math.nan}], "finite thresholds"),
    ],
)
def test_what_is_no_simplex_is_refused(simplex, said):
    with pytest.raises(ConfigError, match=said):
        NelderMead().search(hill, simplex)


def test_a_score_that_is_no_number_stops_the_search():
    with pytest.raises(ConfigError, match="scored nan"):
        NelderMead().search(lambda vertex: math.nan, START)


@pytest.mark.parametrize("options", [{"reflection": 0.0}, {"expansion": 1.0}, {"shrink": 1.0}, {"budget": 0}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError, match="NelderMead"):
        NelderMead(**options)


def test_ends_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigError, match="low < high"):
        start_simplex({"x": 1.0}, {"x": 0.5}, 0)
