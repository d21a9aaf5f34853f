"""The shapes, by the worked examples of the fact sheets of PAR (arXiv:2502.18770) and LSC (arXiv:2402.00742)."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.errors import ConfigError
from guerdon.rewards import shapes
from guerdon.rewards.shapes import centred, lsc, par, polynomial, sgfc, tanh_centred

nan = math.nan
SHAPES = [centred(), par(), par(3.0, first=1), tanh_centred(), polynomial(), sgfc(), lsc(), lsc(0.5, mode="released")]
numbers = st.floats(allow_nan=False, allow_infinity=False)
references = st.lists(numbers, min_size=1, max_size=6)


# -- PAR's worked examples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "stored", "expected"), [(2.0, [2.0], 0.5), (2.0, [0.0, 1.0, 4.0], 0.577020), (100.0, [0.0], 1.0)]
)
def test_par_is_the_mean_probability_to_beat_a_reference(value, stored, expected):
    assert par()(value, stored) == pytest.approx(expected, abs=5e-7)


def test_par_of_an_awful_answer_does_not_overflow():
    """exp(-100) = 3.72e-44."""
    assert par()(-100.0, [0.0]) == pytest.approx(3.72e-44, rel=1e-3)


@pytest.mark.parametrize(("k", "expected"), [(1.0, 0.731059), (2.0, 0.880797), (3.0, 0.952574)])
def test_a_greater_k_is_steeper(k, expected):
    assert par(k)(1.0, [0.0]) == pytest.approx(expected, abs=5e-7)


def test_par_counts_the_first_references_of_the_stored_list():
    """One: sigmoid(2 - 0) = 0.880797. Eleven stored, ten count: the last, that nobody beats, is not looked at."""
    assert par(first=1)(2.0, [0.0, 1.0, 4.0]) == pytest.approx(0.880797, abs=5e-7)
    assert par()(0.0, [0.0] * 10 + [1e9]) == 0.5
    assert par(first=None)(0.0, [0.0] * 10 + [1e9]) == pytest.approx(5 / 11)


@pytest.mark.parametrize(
    ("value", "stored", "expected"),
    [(1.0, [0.0, 1.0, 2.0], -1.340034), (0.0, [0.0], -0.693152), (5.0, [0.0, 1.0, 2.0, 3.0], -0.108943)],
)
def test_lsc_as_pars_repository_reads_it(value, stored, expected):
    assert lsc(mode="released")(value, stored) == pytest.approx(expected, abs=5e-7)


def test_the_released_level_adds_a_hundred_thousandth_to_the_std():
    """1 + 1.0364334 (1 + 1e-5)."""
    assert lsc(mode="released").level([0.0, 1.0, 2.0]) == pytest.approx(2.036444, abs=5e-7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-6.0, 0.0), (-2.0, 0.116985), (0.0, 0.500001), (1.0, 0.718861), (3.0, 0.962079), (6.0, 1.0)],
)
def test_the_fitted_polynomial_by_the_sheet(value, expected):
    """To 1.1e-6: the sheet's numbers are of the authors' rounded coefficients, ours of the fit itself (0.5 at 0)."""
    assert polynomial()(value, [0.0]) == pytest.approx(expected, abs=1.1e-6)


def test_the_polynomial_is_the_least_squares_fit():
    """Degree 5, through the sigmoid at 100 equally spaced points of [-5, 5]."""
    np = pytest.importorskip("numpy")
    points = np.linspace(-5.0, 5.0, 100)
    fitted = np.polyfit(points, 1.0 / (1.0 + np.exp(-points)), 5)
    for z in (-3.7, -1.0, 0.25, 2.0, 4.0):
        assert polynomial()(z, [0.0]) == pytest.approx(float(np.polyval(fitted, z)), abs=1e-8)


def test_slow_growth_fast_convergence_is_the_sigmoid_three_later():
    """sigmoid((4 - 3) - 0) = 0.731059; with k = 3, sigmoid(3) = 0.952574."""
    assert sgfc()(4.0, [0.0]) == pytest.approx(0.731059, abs=5e-7)
    assert sgfc(3.0)(4.0, [0.0]) == pytest.approx(0.952574, abs=5e-7)


def test_centred_and_tanh_by_hand():
    """3 - (1 + 4) / 2; tanh(1) = 0.761594, tanh(0) = 0."""
    assert centred()(3.0, [1.0, 4.0]) == 0.5
    assert tanh_centred()(1.0, [0.0, 1.0]) == pytest.approx(0.761594 / 2, abs=5e-7)


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_without_references_a_shape_is_undefined(shape):
    with pytest.raises(ConfigError, match="undefined without one"):
        shape(1.0, [])
    with pytest.raises(ConfigError, match="undefined without one"):
        shape.level([])


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_nan_stays_nan(shape):
    assert math.isnan(shape(nan, [0.0, 1.0]))


# -- LSC's worked examples ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apart", "expected"), [(0.0, -0.693147), (1.0, -0.313262), (-1.0, -1.313262), (-800.0, -800.0), (800.0, 0.0)]
)
def test_lsc_at_a_distance_from_the_reference(apart, expected):
    """One reference: the level is its own reward. -800 would be -inf as log(sigmoid(...))."""
    found = lsc()(apart, [0.0])
    assert found == pytest.approx(expected, abs=5e-7)
    assert found <= 0.0


@pytest.mark.parametrize(
    ("stored", "expected"),
    [([0.0, 1.0, 2.0], 2.036433), ([-1.0, 0.0, 1.0, 2.0, 3.0], 2.638745), ([0.4] * 5, 0.4), ([7.0], 7.0)],
)
def test_the_reference_level_is_a_quantile_of_the_fitted_normal(stored, expected):
    """mean + 1.0364334 std over n - 1; the empirical 0.85 quantile of the second is 2.4. No std: the mean."""
    assert lsc().level(stored) == pytest.approx(expected, abs=5e-7)


def test_the_slope_of_lsc_is_the_probability_to_be_worse():
    """sigmoid(-0.5) = 0.377541 at 0.5 above the level; 1 far below, 0 far above."""

    def slope(at):
        return (lsc()(at + 1e-5, [0.0]) - lsc()(at - 1e-5, [0.0])) / 2e-5

    assert slope(0.5) == pytest.approx(0.377541, abs=1e-6)
    assert slope(-50.0) == pytest.approx(1.0, abs=1e-6)
    assert slope(50.0) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [(1.0, [0.283105, 0.315799, 0.401096]), (0.5, [0.123579, 0.256284, 0.620137])],
)
def test_the_policy_that_lsc_asks_for(gamma, expected):
    """pi_0 exp(u / gamma) / Z with pi_0 (0.5, 0.3, 0.2), rewards (0, 1, 4), level 1."""
    weights = [p * math.exp(lsc()(r, [1.0]) / gamma) for p, r in zip((0.5, 0.3, 0.2), (0.0, 1.0, 4.0), strict=True)]
    assert [weight / sum(weights) for weight in weights] == pytest.approx(expected, abs=5e-7)


def test_the_raw_reward_asks_for_a_greedier_policy():
    """pi_0 exp(r) / Z; `centred` by the level 1 leaves it as it is."""
    weights = [p * math.exp(centred()(r, [1.0])) for p, r in zip((0.5, 0.3, 0.2), (0.0, 1.0, 4.0), strict=True)]
    assert [weight / sum(weights) for weight in weights] == pytest.approx([0.040866, 0.066651, 0.892483], abs=5e-7)


def test_lsc_keeps_the_order_of_one_property():
    values = [0.3, -2.0, 5.0, 0.31]
    shaped = [lsc()(value, [0.0, 1.0, 2.0]) for value in values]
    assert sorted(range(4), key=shaped.__getitem__) == sorted(range(4), key=values.__getitem__) == [1, 0, 3, 2]


def test_the_widest_references_still_have_a_level():
    """Their spread is no float; at the median it does not count."""
    assert lsc(0.5, mode="released")(0.0, [0.0, 1.7e308, -1.7e308]) == pytest.approx(-0.693147, abs=5e-7)
    assert math.isfinite(lsc().level([1.7e308, -1.7e308]))


def test_references_at_the_end_of_the_floats_have_a_mean():
    """Three thirds of the largest float, each rounded up, are more than it."""
    largest = 1.7976931348623157e308
    for count in range(1, 12):
        assert centred(first=None).level([largest] * count) == pytest.approx(largest)
        assert centred(first=None).level([-largest] * count) == pytest.approx(-largest)


def test_a_quantile_too_high_is_the_raw_reward_again_and_too_low_is_flat():
    high, low = lsc(1.0 - 1e-15), lsc(1e-15)
    stored = [0.0, 20.0]
    assert high(11.0, stored) - high(10.0, stored) == pytest.approx(1.0, abs=1e-6)
    assert low(11.0, stored) - low(10.0, stored) == pytest.approx(0.0, abs=1e-6)


# -- all of them -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@given(value=numbers, stored=references)
def test_any_finite_numbers_give_a_finite_number_within_bounds(shape, value, stored):
    found = shape(value, stored)
    assert math.isfinite(found)
    assert shape.bounds[0] <= found <= shape.bounds[1]
    assert math.isfinite(shape.level(stored))


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
@given(one=st.floats(-50, 50), more=st.floats(0, 50), stored=st.lists(st.floats(-50, 50), min_size=1, max_size=4))
def test_a_better_answer_is_never_shaped_lower(shape, one, more, stored):
    assert shape(one + more, stored) >= shape(one, stored) - 1e-12


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_a_shape_is_a_value(shape):
    rebuilt = eval(repr(shape), vars(shapes))
    assert rebuilt == shape
    assert hash(rebuilt) == hash(shape)
    assert pickle.loads(pickle.dumps(shape)) == shape


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: par(0.0), r"par\.k is 0\.0"),
        (lambda: sgfc(math.inf), r"sgfc\.k is inf"),
        (lambda: par(first=0), r"par\.first is 0"),
        (lambda: lsc(first=-1), r"lsc\.first is -1"),
        (lambda: centred(first=0), r"centred\.first is 0"),
        (lambda: lsc(1.0), r"lsc\.quantile is 1\.0"),
        (lambda: lsc(mode="paper"), r"lsc\.mode is 'paper'"),
    ],
)
def test_a_wrong_option_is_refused_at_start(build, said):
    with pytest.raises(ConfigError, match=said):
        build()
