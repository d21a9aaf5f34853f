"""Rewards weighed by how far they are to be believed, and Ctrl-U's losses with the fact sheet's worked examples."""

from __future__ import annotations

import math

import pytest

from guerdon.advantages import group_relative, weighted_by
from guerdon.conformance import check_is_a_value
from guerdon.errors import ConfigError, RewardError
from guerdon.plugins.catalog import catalog, register_local
from guerdon.recipes import load_recipe
from guerdon.recipes.building import build_reward
from guerdon.rewards import Context, UncertaintyWeighted, ensemble, reward
from guerdon.rewards.uncertainty import confidence
from guerdon.types import Example, Group, Rollout, Score, Segment

nan = math.nan


@reward(name="test/first-v1", bounds=(0.0, 1.0))
def first(rollout):
    return float(rollout.answer.split()[0])


@reward(name="test/second-v1", bounds=(0.0, 1.0))
def second(rollout):
    found = rollout.answer.split()[1]
    return Score.unscored("no second look") if found == "none" else float(found)


LOOKS = ensemble([first, second], "mean", spread="range")


def one(text):
    return Rollout(Example(id="x"), (Segment("policy", text, action=0),))


# -- the reward ------------------------------------------------------------------------------------------------------


def test_the_value_is_the_pairs_mean_and_the_weight_stands_beside_it():
    """|0.9 - 0.4| = 0.5, and exp(-0.5 / 0.5) = 0.367879."""
    score = UncertaintyWeighted(LOOKS, tau=0.5)(one("0.9 0.4"))
    assert score.value == pytest.approx(0.65)
    assert score.parts["uncertainty"].value == pytest.approx(0.5)
    assert score.parts["weight"].value == pytest.approx(0.367879, abs=1e-6)


def test_the_penalty_costs_v_times_u():
    """0.65 - 0.2 * 0.5; bounds reach down by 0.2 * 1."""
    made = UncertaintyWeighted(LOOKS, penalty=0.2)
    assert made(one("0.9 0.4")).value == pytest.approx(0.55)
    assert made.bounds == (-0.2, 1.0)
    assert made(one("1 0")).value == pytest.approx(0.3)
    assert UncertaintyWeighted(LOOKS.named("both"), penalty=0.2).bounds == (-math.inf, 1.0)


def test_an_ensembles_std_does_as_well():
    made = UncertaintyWeighted(ensemble([first, second], "mean"))
    assert made(one("0.9 0.4")).parts["weight"].value == pytest.approx(math.exp(-0.25))


def test_looks_that_are_wrong_alike_keep_their_full_weight():
    """Pitfall 1: zero disagreement is not correctness."""
    assert UncertaintyWeighted(LOOKS)(one("0.2 0.2")).parts["weight"].value == 1.0


def test_without_a_second_look_there_is_no_score():
    score = UncertaintyWeighted(LOOKS)(one("0.9 none"))
    assert (score.scored, score.status) == (False, "abstain")
    assert "one of 2 members has a score" in score.why
    worst = UncertaintyWeighted(ensemble([first, second]))(one("0.9 none"))
    assert (worst.scored, worst.status) == (False, "infra")


def test_the_weight_reaches_the_advantage_of_the_pairs_mean():
    """Means 0.9 and 0.5, apart 0.4: +-0.2. The first's looks differ by 0.2, the second's by 1."""
    group = Group.of([one("1.0 0.8"), one("1 0")])
    scores = Context().scores(UncertaintyWeighted(LOOKS), [group])
    found = weighted_by("weight", group_relative(std=False)).estimate([group], scores)
    assert found.values == [[[pytest.approx(0.2 * math.exp(-0.2))], [pytest.approx(-0.2 * math.exp(-1.0))]]]


def test_what_is_no_uncertainty_is_named():
    with pytest.raises(ConfigError, match=r"part is 'doubt'; ensemble has the parts 'first', 'second', 'missing'"):
        UncertaintyWeighted(LOOKS, part="doubt")(one("0.9 0.4"))
    with pytest.raises(RewardError, match="an uncertainty is >= 0"):
        UncertaintyWeighted(ensemble([first, (-1.0 * second).named("minus")], "mean"), part="minus")(one("0.9 0.4"))
    with pytest.raises(ConfigError, match="called 'weight', as another part is"):
        UncertaintyWeighted(LOOKS.named("weight"))
    for wrong in ({"tau": 0.0}, {"tau": nan}, {"penalty": -1.0}, {"penalty": math.inf}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            UncertaintyWeighted(LOOKS, **wrong)


def test_it_is_a_value_and_a_recipe_builds_it():
    made = UncertaintyWeighted(LOOKS, tau=0.5, penalty=0.1)
    check_is_a_value(made)
    register_local("rewards", "test/first-v1", first)
    register_local("rewards", "test/second-v1", second)
    try:
        looks = {
            "use": "ensemble",
            "with": {"members": ["test/first", "test/second"], "how": "mean", "spread": "range"},
        }
        node = {"use": "uncertainty", "with": {"reward": looks, "tau": 0.5, "penalty": 0.1}}
        assert build_reward(load_recipe({"task": "any", "policy": "scripted", "reward": node}).reward) == made
    finally:
        catalog.cache_clear()


def test_confidence_falls_from_one():
    assert [confidence(u, 0.5) for u in (0.0, 0.5)] == [1.0, pytest.approx(math.exp(-1.0))]


# -- the losses ------------------------------------------------------------------------------------------------------


@pytest.fixture
def losses():
    pytest.importorskip("torch")
    from guerdon.losses import uncertainty

    return uncertainty


def logits(*pixels):
    """(1, 2 classes, pixels)."""
    import torch

    return torch.tensor([[[pixel[0] for pixel in pixels], [pixel[1] for pixel in pixels]]], dtype=torch.float64)


PRIMARY = ((2.0, 0.0), (0.0, 0.0))
AUXILIARY = ((0.0, 0.0), (3.0, 0.0))


def segmented(losses, auxiliary=AUXILIARY, primary=PRIMARY, labels=(0, 1), t=100, step=5000, scale=0.1, **options):
    import torch

    loss, valid = losses.segmentation_loss(logits(*primary), torch.tensor([labels]))
    u = losses.segmentation_uncertainty(logits(*primary), logits(*auxiliary))
    terms = losses.weighted_reward(loss, u, torch.tensor([t]), valid_BP=valid, **options)
    return loss, u, terms, float(terms.total(step, scale=scale))


def close(value):
    return pytest.approx(value, abs=2e-6)


def test_example_1_no_disagreement_is_the_plain_loss(losses):
    loss, u, terms, extra = segmented(losses, PRIMARY)
    assert loss[0].tolist() == close([0.126928, 0.693147])
    assert u[0].tolist() == close([0.0, 0.0])
    assert (float(terms.reward), float(terms.uncertainty), extra) == close((0.410038, 0.0, 0.041004))


def test_example_2_disagreement_weighs_down_and_its_direction_matters(losses):
    _, u, terms, extra = segmented(losses)
    assert u[0].tolist() == close([0.433781, 0.502282])
    assert (-u[0]).exp().tolist() == close([0.648054, 0.605148])
    assert (float(terms.reward), float(terms.uncertainty), extra) == close((0.250856, 0.468032, 0.493117))
    _, swapped, _, _ = segmented(losses, auxiliary=PRIMARY, primary=AUXILIARY)
    assert swapped[0].tolist() == close([0.327813, 0.855440])


def test_example_3_ignored_pixels_leave_the_reward_and_not_the_uncertainty(losses):
    _, _, terms, _ = segmented(losses, labels=(0, 255))
    assert (float(terms.reward), float(terms.uncertainty)) == close((0.082256, 0.468032))
    _, _, terms, _ = segmented(losses, labels=(255, 255))
    assert (float(terms.reward), float(terms.uncertainty)) == close((0.0, 0.468032))


def test_example_4_times_are_masked_and_the_reward_is_ramped_up(losses):
    assert segmented(losses, t=400)[3] == close(0.493117)
    _, _, terms, extra = segmented(losses, t=401)
    assert (float(terms.reward), float(terms.uncertainty), extra) == (0.0, 0.0, 0.0)
    assert segmented(losses, step=2500)[3] == close(0.480574)
    assert segmented(losses, step=0)[3] == close(0.468032)
    assert losses.ramp(0, 1.0, 0) == 1.0


def test_example_5_depth(losses):
    """The sheet's numbers are those of maps that are divided already; divided here, (1, .4) against (1, .5) is .005."""
    import torch

    one, other, target = (torch.tensor([row], dtype=torch.float64) for row in ((0.5, 0.2), (0.7, 0.2), (0.4, 0.2)))
    t = torch.tensor([100])
    u = losses.depth_uncertainty(one, other)
    terms = losses.weighted_reward(losses.depth_loss(one, target), u, t)
    assert (float(terms.reward), float(terms.uncertainty)) == close((0.004094, 0.1))
    assert float(terms.total(5000, penalty=0.1)) == close(0.014094)
    same = losses.weighted_reward(losses.depth_loss(one, target), losses.depth_uncertainty(one, one), t)
    assert (float(same.reward), float(same.total(5000, penalty=0.1))) == close((0.005, 0.005))
    divided = losses.depth_loss(losses.over_maximum(one), losses.over_maximum(target))
    assert divided[0].tolist() == close([0.0, 0.01])
    assert losses.over_maximum(torch.zeros(1, 3)).tolist() == [[0.0, 0.0, 0.0]]


def test_example_6_a_masked_image_changes_no_mean(losses):
    import torch

    primary, auxiliary = (torch.cat([logits(*pixels)] * 2) for pixels in (PRIMARY, AUXILIARY))
    loss, valid = losses.segmentation_loss(primary, torch.tensor([[0, 1], [0, 1]]))
    u = losses.segmentation_uncertainty(primary, auxiliary)
    terms = losses.weighted_reward(loss, u, torch.tensor([100, 900]), valid_BP=valid)
    assert (float(terms.reward), float(terms.uncertainty)) == close((0.250856, 0.468032))
    assert [losses.second_look(t) for t in (0, 399, 400, 998, 999)] == [1, 400, 401, 999, 999]


def test_a_batch_of_masked_times_is_zero_even_where_the_estimate_is_no_number(losses):
    import torch

    bad = torch.full((2, 3), nan)
    terms = losses.weighted_reward(bad, bad, torch.tensor([401, 999]))
    assert (float(terms.reward), float(terms.uncertainty)) == (0.0, 0.0)


def test_gradients_flow_through_the_weight_unless_detached(losses):
    """d/dU of l exp(-U) is -l exp(-U) = -1/e at l = U = 1; the penalty's gradient stays either way."""
    import torch

    for detach, expected in ((False, -math.exp(-1.0) + 1.0), (True, 1.0)):
        u = torch.ones(1, 1, requires_grad=True)
        losses.weighted_reward(torch.ones(1, 1), u, torch.tensor([0]), detach=detach).total(5000).backward()
        assert float(u.grad) == pytest.approx(expected, abs=1e-6)


def test_a_weighting_by_one_jacobian_cancels(losses):
    """Two looks that move alike: detached or not, the gradient is the same (|o1 - o2| does not move)."""
    import torch

    found = []
    for detach in (False, True):
        x = torch.tensor([[0.3, 0.9]], requires_grad=True)
        u = losses.depth_uncertainty(x, x + torch.tensor([[0.5, 0.1]]))
        losses.weighted_reward(losses.depth_loss(x, torch.zeros(1, 2)), u, torch.tensor([0]), detach=detach).total(
            5000
        ).backward()
        found.append(x.grad)
    torch.testing.assert_close(*found)


def test_edges_compare_channel_0_and_pay_for_all(losses):
    """(B 1, C 2, P 1): |1 - 3| = 2; mean of (1 - 0)^2 and (2 - 0)^2 is 2.5."""
    import torch

    one, other = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[3.0], [9.0]]])
    assert losses.edge_uncertainty(one, other).tolist() == [[2.0]]
    assert losses.edge_loss(one, torch.zeros_like(one)).tolist() == [[2.5]]


def test_half_precision_logits_are_compared_in_float32(losses):
    import torch

    far = torch.tensor([[[60000.0], [-60000.0]]], dtype=torch.float16)
    assert losses.segmentation_uncertainty(far, far).tolist() == [[0.0]]


def test_pictures_have_any_shape_and_what_does_not_fit_is_named(losses):
    import torch

    square = torch.ones(2, 4, 4)
    assert float(losses.weighted_reward(square, 0 * square, torch.tensor([0, 0])).reward) == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="do not go together"):
        losses.weighted_reward(square, square[:, :2], torch.tensor([0, 0]))
    with pytest.raises(ConfigError, match="do not go together"):
        losses.weighted_reward(square, square, torch.tensor([0]))
    with pytest.raises(ConfigError, match="tau"):
        losses.weighted_reward(square, square, torch.tensor([0, 0]), tau=0.0)


def test_what_does_not_count_leaves_the_gradients_finite(losses):
    """A NaN uncertainty at a masked time, and NaNs at an ignored pixel: of l exp(-U) = w at U = 0, dR/dw is 1."""
    import torch

    w = torch.ones(1, requires_grad=True)
    u = torch.tensor([[0.0, 0.0], [nan, nan]])
    terms = losses.weighted_reward(w * torch.ones(2, 2), u, torch.tensor([100, 900]))
    terms.reward.backward()
    assert (terms.reward.item(), w.grad.tolist()) == (1.0, [1.0])

    w = torch.ones(1, requires_grad=True)
    u = torch.tensor([[0.0, nan]])
    valid = torch.tensor([[True, False]])
    losses.weighted_reward(w * torch.ones(1, 2), u, torch.tensor([0]), valid_BP=valid).reward.backward()
    assert w.grad.tolist() == [1.0]


def test_rows_taken_before_decoding_keep_a_bad_estimate_out_of_shared_gradients(losses):
    """Latents (.5, NaN) times a decoder's w = 1, target 0: R = .25 w^2, dR/dw = .5; the whole batch decoded gives
    NaN."""
    import torch

    times, latents = torch.tensor([100, 900]), torch.tensor([[0.5], [nan]])
    found = []
    for rows in (losses.inside(times), torch.tensor([True, True])):
        w = torch.ones(1, requires_grad=True)
        loss = losses.depth_loss(w * latents[rows], torch.zeros(int(rows.sum()), 1))
        losses.weighted_reward(loss, torch.zeros_like(loss), times[rows]).reward.backward()
        found.append(float(w.grad))
    assert found[0] == 0.5
    assert math.isnan(found[1])
    assert losses.inside(torch.tensor([-1, 0, 400, 401])).tolist() == [False, True, True, False]
    none = losses.weighted_reward(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0))
    assert (float(none.reward), float(none.uncertainty)) == (0.0, 0.0)


def test_half_precision_is_as_good_as_single(losses):
    """All masked, 1e-10 would be 0 in float16 and the mean 0 / 0; a depth of 300 has a square beyond 65504."""
    import torch

    half = torch.full((1, 3), 0.5, dtype=torch.float16)
    masked = losses.weighted_reward(half, half, torch.tensor([500]))
    assert (float(masked.reward), float(masked.uncertainty)) == (0.0, 0.0)
    counted = losses.weighted_reward(half, 0.0 * half, torch.tensor([0]))
    assert float(counted.reward) == 0.5
    assert losses.depth_loss(600.0 * half, 0.0 * half).tolist() == [[90000.0] * 3]
    assert losses.edge_loss(600.0 * half[:, :, None], 0.0 * half[:, :, None]).tolist() == [[90000.0]]
