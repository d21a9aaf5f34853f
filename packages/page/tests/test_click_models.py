"""Click models against their sums by hand, their own likelihoods, and logs made of them."""

import itertools
import math

import numpy as np
import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_page.click_models import DynamicBayesian, PositionBased, cascade, fit_position_based
from guerdon_page.sessions import Session, read_sessions

ATTRACTION = np.array([[0.5, 0.4, 0.2], [0.1, 0.9, 0.0]])
MODELS = [PositionBased((1.0, 0.5, 0.25)), cascade(), DynamicBayesian(0.7, 0.9)]


def test_a_place_is_looked_at_and_the_item_liked():
    assert MODELS[0].chances(ATTRACTION)[0] == pytest.approx([0.5, 0.2, 0.05])
    assert PositionBased.reciprocal(3).examination == (1.0, 0.5, pytest.approx(1 / 3))


def test_a_cascade_ends_with_its_first_click():
    """.5; then .5 * .4; then .5 * .6 * .2."""
    assert cascade().chances(ATTRACTION)[0] == pytest.approx([0.5, 0.2, 0.06])
    clicks = cascade().simulate(np.tile(ATTRACTION[:1], (500, 1)), np.random.default_rng(0))
    assert clicks.sum(1).max() == 1


def test_readers_go_on_until_they_are_satisfied_or_tired():
    """.5; then .9 (1 - .35) .4; then .9^2 (1 - .35) (1 - .28) .2."""
    assert MODELS[2].chances(ATTRACTION)[0] == pytest.approx([0.5, 0.234, 0.81 * 0.65 * 0.72 * 0.2])


@pytest.mark.parametrize("model", MODELS)
def test_the_chances_of_all_click_patterns_add_up_to_one_and_to_each_places_chance(model):
    patterns = np.array(list(itertools.product([0, 1], repeat=3)))
    for row in ATTRACTION:
        likely = np.exp(model.log_likelihood(np.tile(row, (8, 1)), patterns))
        assert likely.sum() == pytest.approx(1.0)
        assert likely @ patterns == pytest.approx(model.chances(row[None])[0])


@pytest.mark.parametrize("model", MODELS)
def test_a_simulation_clicks_as_often_as_its_model_says(model):
    clicks = model.simulate(np.repeat(ATTRACTION, 20_000, axis=0), np.random.default_rng(0))
    found = clicks.reshape(2, 20_000, 3).mean(1)
    assert np.abs(found - model.chances(ATTRACTION)).max() < 4 * math.sqrt(0.25 / 20_000)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("clicks", [[[0, 1, 0]], [[0, 1], [1, 0]], [[0, 2, 0]] * 2, [[0, math.nan, 0]] * 2])
def test_clicks_of_another_shape_or_that_are_none_are_refused(model, clicks):
    with pytest.raises(ConfigError, match="clicks"):
        model.log_likelihood(ATTRACTION, clicks)


def test_two_clicks_are_impossible_in_a_cascade():
    assert cascade().log_likelihood(ATTRACTION[:1], [[1, 1, 0]])[0] == -math.inf


def test_an_empty_page_has_no_clicks():
    for model in MODELS:
        assert model.chances(np.zeros((2, 0))).shape == (2, 0)
        assert model.simulate(np.zeros((2, 0)), np.random.default_rng(0)).shape == (2, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
def test_an_attraction_that_is_no_chance_is_refused_with_its_place(value):
    for model in MODELS:
        with pytest.raises(ConfigError, match="place 2 of page 0"):
            model.chances([[0.1, value, 0.2]])


def test_options_that_are_no_chances_are_refused():
    for make in (lambda: PositionBased((1.0, 1.5)), lambda: DynamicBayesian(-0.1), lambda: DynamicBayesian(0.5, 2.0)):
        with pytest.raises(ConfigError, match="chances from 0 to 1"):
            make()
    with pytest.raises(ConfigError, match="4 places"):
        MODELS[0].chances([[0.1] * 4])


def test_position_bias_and_attraction_are_told_apart_where_items_move():
    random = np.random.default_rng(0)
    truth = np.array([0.8, 0.6, 0.4, 0.2, 0.1])
    items = np.array([random.permutation(5)[:3] for _ in range(20_000)])
    clicks = MODELS[0].simulate(truth[items], random)
    found, rates = fit_position_based(items, clicks)
    assert found.examination == pytest.approx((1.0, 0.5, 0.25), abs=0.03)
    assert [rates[item] for item in range(5)] == pytest.approx(truth, abs=0.04)


def test_rare_clicks_are_fitted_as_well():
    """Rates below 1%, as of Open Bandit: after 50 rounds the third place is at .32, in the end at .27."""
    random = np.random.default_rng(1)
    truth = np.array([0.009, 0.007, 0.005, 0.003, 0.002])
    items = np.argsort(random.random((200_000, 5)), axis=1)[:, :3]
    found, rates = fit_position_based(items, MODELS[0].simulate(truth[items], random))
    # About 1,000 clicks at the first place and 250 at the third: 7% each, at one standard error.
    assert found.examination == pytest.approx((1.0, 0.5, 0.25), rel=0.2)
    assert [rates[item] for item in range(5)] == pytest.approx(truth, rel=0.25)


def test_short_pages_are_filled_up_and_no_pages_refused():
    found, rates = fit_position_based([[0, 1], [1, -1]], [[1, 0], [0, 0]])
    assert set(rates) == {0, 1}
    assert len(found.examination) == 2
    for nothing in (np.zeros((0, 3)), [[-1, -1]]):
        with pytest.raises(ConfigError, match="an item or more"):
            fit_position_based(nothing, nothing)
    for clicks in ([[1, 0, 0]], [[2, 0]]):
        with pytest.raises(ConfigError, match="clicks"):
            fit_position_based([[0, 1]], clicks)


def test_sessions_are_read_as_the_source_writes_them(tmp_path):
    path = tmp_path / "log.tsv"
    path.write_text(
        "1\t0\tQ\t7\t2\tu1\tu2\tu3\n1\t9\tC\tu2\n1\t20\tQ\t8\t2\tu2\tu4\n1\t22\tC\tu2\n1\t30\tC\tu3\n1\t31\tC\tu9\n"
    )
    assert read_sessions(path) == [
        Session("1", "7", ("u1", "u2", "u3"), (False, True, True)),
        Session("1", "8", ("u2", "u4"), (True, False)),
    ]


@pytest.mark.parametrize("line", ["1\t0\tX\t7", "1 0 Q 7 2 u1", "1\t0\tC\tu1\tu2"])
def test_a_line_of_another_form_is_named(tmp_path, line):
    path = tmp_path / "log.tsv"
    path.write_text("1\t0\tQ\t7\t2\tu1\n" + line + "\n")
    with pytest.raises(TaskError, match="line 2"):
        read_sessions(path)
