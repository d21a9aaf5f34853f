import math

import pytest

torch = pytest.importorskip("torch", reason="losses are torch functions; the extra guerdon[train] is not installed")

from guerdon.errors import ConfigError  # noqa: E402
from guerdon.losses.averaging import step_weights  # noqa: E402
from guerdon.losses.divergences import k1, k2, k3  # noqa: E402
from guerdon.losses.surrogate import ClippedSurrogate, negative_log_likelihood  # noqa: E402


def surrogate(loss, ratio, advantage, weight=1.0):
    """The loss of one step whose probability ratio and advantage are given."""
    logp = torch.tensor([math.log(ratio)], dtype=torch.float64, requires_grad=True)
    terms = loss(logp, torch.zeros(1, dtype=torch.float64), torch.tensor([advantage]), torch.tensor([weight]))
    terms.loss.backward()
    return float(terms.loss.detach()), float(logp.grad), terms


def test_token_averaging_counts_every_token_of_the_batch_alike():
    """Lengths 2 and 4: 1/6 each."""
    assert step_weights([2, 4], [True, True], "token") == [1 / 6, 1 / 6]


def test_sequence_averaging_counts_every_sequence_alike():
    """1/(2*2) and 1/(2*4)."""
    assert step_weights([2, 4], [True, True], "sequence") == [0.25, 0.125]


def test_constant_averaging_divides_by_a_fixed_length():
    """Two sequences, C = 8: 1/16 whatever their lengths."""
    assert step_weights([2, 4], [True, True], "constant", constant=8) == [1 / 16, 1 / 16]


@pytest.mark.parametrize("average", ["token", "sequence", "constant"])
def test_an_unscored_sequence_weighs_nothing_and_is_not_counted(average):
    kept = step_weights([2], [True], average, constant=8)
    assert step_weights([2, 4], [True, False], average, constant=8) == [*kept, 0.0]


def test_an_empty_completion_is_not_a_sequence():
    assert step_weights([0, 4], [True, True], "sequence") == [0.0, 0.25]


def test_nothing_scored_weighs_nothing():
    assert step_weights([3, 4], [False, False], "token") == [0.0, 0.0]


def test_inside_the_clip_range_the_loss_is_minus_ratio_times_advantage():
    """ratio 1.1, A 2: loss -2.2, and d loss / d logp = -A ratio = -2.2."""
    loss, grad, terms = surrogate(ClippedSurrogate(), 1.1, 2.0)
    assert loss == pytest.approx(-2.2)
    assert grad == pytest.approx(-2.2)
    assert terms.clip_share == 0.0


def test_a_good_step_gains_nothing_beyond_one_plus_clip_high():
    """ratio 1.5, A 1, clip_high 0.28: held at -1.28, no gradient."""
    loss, grad, terms = surrogate(ClippedSurrogate(clip_high=0.28), 1.5, 1.0)
    assert loss == pytest.approx(-1.28)
    assert grad == 0.0
    assert terms.clip_share == 1.0


def test_a_bad_step_gains_nothing_below_one_minus_clip_low():
    """ratio 0.5, A -1: held at 0.8, no gradient."""
    loss, grad, terms = surrogate(ClippedSurrogate(), 0.5, -1.0)
    assert loss == pytest.approx(0.8)
    assert grad == 0.0
    assert terms.clip_share == 1.0


def test_a_bad_step_that_grew_is_not_clipped_unless_dual():
    """ratio 5, A -1: loss 5; with c = 3 it is held at 3 and has no gradient."""
    assert surrogate(ClippedSurrogate(), 5.0, -1.0)[:2] == pytest.approx((5.0, 5.0))
    assert surrogate(ClippedSurrogate(dual_clip=3.0), 5.0, -1.0)[:2] == pytest.approx((3.0, 0.0))


def test_on_policy_the_gradient_is_minus_advantage_times_weight():
    assert surrogate(ClippedSurrogate(), 1.0, 0.7, weight=0.25)[1] == pytest.approx(-0.175)


def test_the_divergence_is_added_with_its_weight():
    """log p = log 0.5, log q = log 0.25: q/p = 0.5, k3 = 0.5 - 1 - log 0.5 = 0.193147."""
    p, q = torch.tensor([math.log(0.5)]), torch.tensor([math.log(0.25)])
    terms = ClippedSurrogate(kl_weight=0.1)(p, p, torch.zeros(1), torch.ones(1), q)
    assert float(terms.loss) == pytest.approx(0.0193147, abs=1e-6)
    assert terms.kl == pytest.approx(0.193147, abs=1e-6)


def test_the_three_estimators_by_hand():
    """log p - log q = log 2."""
    p, q = torch.tensor([math.log(0.5)]), torch.tensor([math.log(0.25)])
    assert float(k1(p, q)) == pytest.approx(0.693147, abs=1e-6)
    assert float(k2(p, q)) == pytest.approx(0.240227, abs=1e-6)
    assert float(k3(p, q)) == pytest.approx(0.193147, abs=1e-6)


def test_imitation_is_the_weighted_negative_log_likelihood():
    """(log 2 + log 4) / 2."""
    logp = torch.tensor([math.log(0.5), math.log(0.25)])
    assert float(negative_log_likelihood(logp, torch.tensor([0.5, 0.5]))) == pytest.approx(1.039721, abs=1e-6)


@pytest.mark.parametrize(
    ("field", "value"), [("clip_low", -0.1), ("clip_low", 1.5), ("clip_high", -1.0), ("dual_clip", 1.0)]
)
def test_an_impossible_clip_is_named(field, value):
    with pytest.raises(ConfigError, match=f"loss.{field} is {value}"):
        ClippedSurrogate(**{field: value})
