"""Losses over preferences: the fact sheets' worked examples, and sums by hand."""

import math

import pytest

torch = pytest.importorskip("torch", reason="losses need torch; the extra guerdon[train] is not installed")

from guerdon.errors import ConfigError  # noqa: E402
from guerdon.losses.preference import average_weights, bradley_terry, dpo, kto, odin  # noqa: E402


def one(*numbers):
    return torch.tensor(numbers)


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


# -- DPO, KTO ---------------------------------------------------------------------------------------------------------


def test_dpo_is_plain_arithmetic():
    """beta .1, log-ratios 2 and -1: -log sigmoid(.3)."""
    terms = dpo(one(2.0), one(-1.0), beta=0.1)
    assert float(terms.loss) == pytest.approx(-log_sigmoid(0.3))
    assert terms.margin == pytest.approx(0.3)
    assert terms.accuracy == 1.0


def test_an_offset_is_what_the_chosen_must_lead_by():
    assert float(dpo(one(2.0), one(-1.0), beta=0.1, offsets_P=one(0.5)).loss) == pytest.approx(-log_sigmoid(-0.2))


def test_modpos_loss_is_dpos_with_its_margin_divided():
    """MODPO: -log sigmoid((beta D - dm) / w); beta .1, D 3, dm .4, w .5: -log sigmoid(-.2)."""
    terms = dpo(one(2.0), one(-1.0), beta=0.1 / 0.5, offsets_P=one(0.4 / 0.5))
    assert float(terms.loss) == pytest.approx(-log_sigmoid(-0.2))


def test_pair_weights_scale_pairs_and_not_the_number_divided_by():
    """Two pairs at log 2, weights 1 and 0: half of log 2."""
    assert float(dpo(one(0.0, 0.0), one(0.0, 0.0), weights_P=one(1.0, 0.0)).loss) == pytest.approx(math.log(2) / 2)


def test_a_tie_counts_half():
    assert dpo(one(0.0, 1.0), one(0.0, 0.0)).accuracy == 0.75


def test_dpos_gradient_lifts_the_chosen_and_lowers_the_rejected():
    """At equal log-ratios the slope of each is beta / 2."""
    chosen, rejected = one(0.0).requires_grad_(), one(0.0).requires_grad_()
    dpo(chosen, rejected, beta=0.1).loss.backward()
    assert chosen.grad.tolist() == pytest.approx([-0.05])
    assert rejected.grad.tolist() == pytest.approx([0.05])


def test_a_nan_log_ratio_is_not_hidden():
    assert math.isnan(float(dpo(one(math.nan, 0.0), one(0.0, 0.0)).loss))


def test_kto_weighs_answers_against_the_baseline():
    """beta 1, z0 .5: desirable at 1 -> 1 - sigmoid(.5); undesirable at 0 -> 1 - sigmoid(.5), twice as heavy."""
    side = 1 - 1 / (1 + math.exp(-0.5))
    loss = kto(one(1.0, 0.0), torch.tensor([True, False]), 0.5, beta=1.0, undesirable_weight=2.0)
    assert float(loss) == pytest.approx((side + 2 * side) / 2)


def test_ktos_baseline_never_goes_below_zero():
    flags = torch.tensor([True])
    assert float(kto(one(1.0), flags, -3.0)) == float(kto(one(1.0), flags, 0.0))


# -- reward models ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "plain", "regularised"), [((1.0, 0.0), 0.313262, 0.318262), ((3.0, 2.0), 0.313262, 0.378262)]
)
def test_reg_adds_the_squares_of_both_scores(pair, plain, regularised):
    """PAR's worked example 9."""
    chosen, rejected = (one(value) for value in pair)
    assert float(bradley_terry(chosen, rejected).loss) == pytest.approx(plain, abs=1e-6)
    assert float(bradley_terry(chosen, rejected, squares=0.005).loss) == pytest.approx(regularised, abs=1e-6)


@pytest.mark.parametrize(
    ("chosen", "rejected", "loss"), [(1.0, 0.0, 0.323262), (1.0, -1.0, 0.126928), (11.0, 10.0, 4.723262)]
)
def test_centring_charges_for_a_shift_that_the_margin_does_not_show(chosen, rejected, loss):
    """The ensembles' worked example 6, eta .01."""
    assert float(bradley_terry(one(chosen), one(rejected), centering=0.01).loss) == pytest.approx(loss, abs=1e-6)


def test_a_margin_is_what_the_chosen_must_lead_by():
    assert float(bradley_terry(one(1.0), one(0.0), margins_P=one(1.0)).loss) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("chosen", "rejected", "loss"), [(1.2, 0.2, 0.313262), (0.2, 1.2, 1.313262), (1.0, 1.0, 0.693147)]
)
def test_a_pairs_loss_depends_on_its_lead_alone(chosen, rejected, loss):
    """PageLLM's worked example 4."""
    assert float(bradley_terry(one(chosen), one(rejected)).loss) == pytest.approx(loss, abs=1e-6)


def test_a_pairs_weight_scales_its_own_loss():
    """PageLLM's sheet: weights 2.214421 and 3.985264, scores (.5, .1) and (-.2, .3); weighted mean .809394."""
    weights = torch.tensor([2.214421, 3.985264])
    loss = bradley_terry(torch.tensor([0.5, -0.2]), torch.tensor([0.1, 0.3]), weights_P=weights / weights.mean()).loss
    assert float(loss) == pytest.approx(0.809394, abs=1e-6)


def test_half_precision_scores_are_compared_in_float32():
    """11 - 10 and 0.01 * 441, in bfloat16 off by 0.02."""
    chosen, rejected = one(11.0).bfloat16(), one(10.0).bfloat16()
    assert float(bradley_terry(chosen, rejected, centering=0.01).loss) == pytest.approx(4.723262, abs=1e-5)


ODIN = {
    "quality_R": (1.0, 0.5, 0.2, -0.3),
    "length_R": (0.4, -0.1, 0.1, -0.2),
    "tokens_R": (100.0, 50.0, 80.0, 40.0),
    "quality_head_W": (1.0, 0.0, 1.0),
    "length_head_W": (1.0, 1.0, 0.0),
}


def odin_of(**changes):
    return odin(**{name: one(*values) for name, values in {**ODIN, **changes}.items()})


def test_odin_is_the_sum_of_its_three_terms():
    """PAR's worked example 10."""
    terms = odin_of()
    assert terms.preference == pytest.approx(0.314245, abs=1e-6)
    assert terms.correlation == pytest.approx(-0.216930, abs=1e-6)
    assert terms.orthogonality == pytest.approx(0.5, abs=1e-6)
    assert float(terms.loss) == pytest.approx(0.597314, abs=1e-6)


def test_equally_long_answers_skip_odins_correlations():
    """.314245 + .5, and a gradient that is a number."""
    quality = one(*ODIN["quality_R"]).requires_grad_()
    rest = {name: one(*values) for name, values in ODIN.items() if name != "quality_R"}
    terms = odin(quality, **{**rest, "tokens_R": one(50.0, 50.0, 50.0, 50.0)})
    assert terms.loss.item() == pytest.approx(0.814245, abs=1e-6)
    terms.loss.backward()
    assert torch.isfinite(quality.grad).all()


def test_a_constant_length_head_skips_its_own_correlation_alone():
    """What is left is |corr(Q, L)|: Q - .35 = (.65,.15,-.15,-.65), L - 67.5 = (32.5,-17.5,12.5,-27.5):
    34.5 / sqrt(.89 * 2275) = 34.5 / 44.997222 = .766714."""
    assert odin_of(length_R=(0.1,) * 4).correlation == pytest.approx(0.766714, abs=1e-6)


def test_a_constant_whose_mean_is_rounded_is_still_constant():
    """Six times .1 sums to .6000000238 in float32: what is left of it is no correlation."""
    rows = {"length_R": (0.1,) * 6, "quality_R": (0.3,) * 6, "tokens_R": (3.0, 1.0, 4.0, 1.0, 5.0, 9.0)}
    assert odin_of(**rows).correlation == 0.0


def test_a_constant_whose_rows_are_rounded_apart_is_still_constant():
    """One unit in float32's last place: a correlation with it, and its gradient, would be that of the rounding."""
    assert odin_of(length_R=(0.1, 0.1, 0.1, 0.10000001)).correlation == odin_of(length_R=(0.1,) * 4).correlation


@pytest.mark.parametrize("rows", [(), (1.0,), (1.0, 2.0, 3.0)])
def test_odin_refuses_rows_that_are_no_pairs(rows):
    with pytest.raises(ConfigError, match="rows"):
        odin_of(quality_R=rows, length_R=rows, tokens_R=rows)


# -- WARM -------------------------------------------------------------------------------------------------------------


def test_warm_averages_weights():
    states = [{"w": one(1.0, 3.0)}, {"w": one(3.0, 5.0)}]
    assert average_weights(states)["w"].tolist() == [2.0, 4.0]
    assert average_weights(states, [0.75, 0.25])["w"].tolist() == [1.5, 3.5]


def test_averaged_weights_keep_their_type_and_their_buffers():
    state = {"w": one(0.1).bfloat16(), "steps": torch.tensor([7])}
    averaged = average_weights([state, state, state])
    assert averaged["w"].dtype == torch.bfloat16
    assert torch.equal(averaged["w"], state["w"])
    assert averaged["steps"].tolist() == [7]


@pytest.mark.parametrize(
    ("states", "shares"),
    [
        ([], None),
        ([{"w": 1.0}, {"v": 1.0}], None),
        ([{"w": 1.0}, {"w": 1.0, "v": 1.0}], None),
        ([{"w": 1.0}], [0.5]),
        ([{"w": 1.0}], [0.5, 0.5]),
    ],
)
def test_states_that_do_not_go_together_are_refused(states, shares):
    with pytest.raises(ConfigError, match="average_weights"):
        average_weights([{name: one(value) for name, value in state.items()} for state in states], shares)


def test_buffers_that_differ_are_refused():
    with pytest.raises(ConfigError, match="'n'"):
        average_weights([{"n": torch.tensor([1])}, {"n": torch.tensor([2])}])
