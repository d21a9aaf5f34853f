"""Losses of columns: worked examples 7 to 9 of the fact sheet `skintokens`."""

import math

import pytest
import torch

from guerdon_rigging.skin_losses import SkinLoss, bce, dice, mse

pytestmark = pytest.mark.model

TARGET = torch.tensor([1.0, 0.5, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("predicted", "dices", "entropies", "squares"),
    [
        ([1.0, 0.5, 0, 0, 0, 0, 0, 0], 0.0, 0.086644, 0.0),
        ([0.0] * 8, 0.999920, 2.590409, 0.156250),
        ([0.5] * 8, 0.538445, 0.693147, 0.218750),
        ([0.9, 0.5, 0.3, 0.3, 0, 0, 0, 0], 0.076302, 0.188983, 0.023750),
        ([1.0, 0, 0, 0, 0, 0, 0, 0], 0.111106, 0.863470, 0.031250),
    ],
)
def test_three_losses_of_five_predictions(predicted, dices, entropies, squares):
    """Worked example 7. Soft targets never reach a cross entropy of 0: two halves of log 2 over 8."""
    p = torch.tensor(predicted)
    got = [float(loss(p, TARGET)) for loss in (dice, bce, mse)]
    assert got == pytest.approx([dices, entropies, squares], abs=2e-6)


def test_dice_is_harsh_on_a_bone_without_support():
    """Worked example 8: 1 - 1e-4 / (8 x 1e-4 + 1e-4)."""
    empty = torch.zeros(8)
    assert float(dice(empty, empty)) == 0.0
    assert float(dice(torch.full((8,), 0.01), empty)) == pytest.approx(0.888889, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "active", "inactive"),
    [(dice, -0.46039, 0.00336), (bce, -0.15789, 0.01053), (mse, -0.015, 0.001)],
)
def test_dice_pulls_at_the_few_that_are_active(loss, active, inactive):
    """Worked example 9: 137 : 1 an entry, where cross entropy pulls 15 : 1 and squared error 15 : 1 of far less."""
    target = torch.zeros(100)
    target[:5] = 0.8
    p = torch.full((100,), 0.05, requires_grad=True)
    loss(p, target).backward()
    assert p.grad[0].item() == pytest.approx(active, abs=6e-6)
    assert p.grad[-1].item() == pytest.approx(inactive, abs=6e-6)


def test_dice_is_a_mean_over_bones():
    """A hit and a miss: (0 + .999920) / 2."""
    both = dice(torch.stack([TARGET, torch.zeros(8)]), torch.stack([TARGET, TARGET]))
    assert float(both) == pytest.approx(0.999920 / 2, abs=1e-6)


def test_the_loss_is_the_sum_of_its_weighted_terms():
    """All .5: 1 x .693147 + .1 x .218750 + 1 x .538445."""
    half = torch.full((8,), 0.5)
    assert float(SkinLoss()(half, TARGET)) == pytest.approx(0.693147 + 0.021875 + 0.538445, abs=2e-6)
    assert float(SkinLoss(0.0, 1.0, 0.0)(half, TARGET)) == pytest.approx(0.218750, abs=1e-6)


def test_a_sure_mistake_costs_a_finite_amount():
    """p is held in [1e-6, 1 - 1e-6], and log(1e-6) = -13.8155."""
    wrong = torch.tensor([0.0, 0.0], requires_grad=True)
    loss = bce(wrong, torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(-math.log(1e-6) / 2, abs=1e-4)
    loss.backward()
    assert torch.isfinite(wrong.grad).all()


def test_points_that_do_not_count_change_nothing():
    counted = torch.tensor([1.0] * 8 + [0.0])
    p, w = torch.cat([torch.full((8,), 0.5), torch.tensor([1.0])]), torch.cat([TARGET, torch.tensor([0.0])])
    got = [float(loss(p, w, counted)) for loss in (dice, bce, mse)]
    assert got == pytest.approx([0.538445, 0.693147, 0.218750], abs=2e-6)
