"""Importance weights between engine and trainer, with numbers made by hand on a table of four answers."""

import math

import pytest

torch = pytest.importorskip("torch", reason="the trainer needs torch; the extra guerdon[train] is not installed")

from pydantic import ValidationError  # noqa: E402

from guerdon.advantages import Advantages  # noqa: E402
from guerdon.errors import PolicyError  # noqa: E402
from guerdon.losses.correction import importance_weights  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.trainer import TrainConfig  # noqa: E402
from guerdon.trainer.updates import reinforce  # noqa: E402
from guerdon.types import Example, Group, Prompt, Rollout, Segment  # noqa: E402

OLD = [0.5, 0.9, 0.1, 0.3]
ENGINE = [0.5, 0.3, 0.5, 0.2]
"""Ratios 1, 3, 0.2 and 1.5."""


def weights_of(*args, **options):
    old, engine = (torch.tensor(values, dtype=torch.float64).log() for values in (OLD, ENGINE))
    weight, outside = importance_weights(old, engine, *args, **options)
    return weight.tolist(), outside.tolist()


def test_truncation_holds_the_ratio_at_the_cap():
    weight, outside = weights_of(cap=2.0)
    assert weight == pytest.approx([1.0, 2.0, 0.2, 1.5])
    assert outside == [False, True, False, False]


def test_masking_drops_what_lies_outside_both_bounds():
    weight, outside = weights_of("mask", cap=2.0, floor=0.5)
    assert weight == pytest.approx([1.0, 0.0, 0.0, 1.5])
    assert outside == [False, True, True, False]


def test_the_weight_carries_no_gradient():
    old = torch.tensor([-1.0], requires_grad=True)
    assert not importance_weights(old, torch.tensor([-2.0]))[0].requires_grad


def updated(correction=None, engine=(0.05, 0.25), updates=1):
    """The table after one step of plain gradient descent at rate 1: minus the gradient; and the metrics.

    Both answers have probability 1/4 in the trainer; the engine drew them with the probabilities given. Advantages are
    +1 for `a` and -1 for `b`, each step weighs 1/2.
    """
    policy = TabularPolicy(["s"], "abcd")
    question = Example(id="s")
    rollouts = [
        Rollout(question, (Segment("policy", text, logprobs=(math.log(p),) if p else (), action=place),), Prompt())
        for place, (text, p) in enumerate(zip("ab", engine, strict=True))
    ]
    advantages = Advantages([[[1.0], [-1.0]]], [False], [[True, True]])
    loss = {"engine_correction": correction}
    config = TrainConfig.model_validate({"loss": loss, "optimizer": {"grad_clip": None}, "updates_per_batch": updates})
    optimizer = torch.optim.SGD(policy.parameters(), lr=1.0)
    metrics = reinforce(policy, [Group.of(rollouts)], advantages, config, optimizer, 1.0)
    return policy.logits_SA.detach()[0].tolist(), metrics


def test_without_correction_both_answers_pull_alike():
    """1/2 (e_a - p) - 1/2 (e_b - p) = (1/2, -1/2, 0, 0)."""
    assert updated()[0] == pytest.approx([0.5, -0.5, 0.0, 0.0])


def test_a_truncated_ratio_multiplies_the_step():
    """r_a = 0.25/0.05 = 5, cut to 2: (e_a - p) - 1/2 (e_b - p) = (0.75 + 0.125, -0.25 - 0.375, -0.125, -0.125)."""
    logits, metrics = updated({"cap": 2.0})
    assert logits == pytest.approx([0.875, -0.625, -0.125, -0.125])
    assert metrics["correction_mean"] == pytest.approx(1.5)
    assert metrics["corrected_share"] == pytest.approx(0.5)


def test_a_masked_step_teaches_nothing():
    """Only - 1/2 (e_b - p) is left: (0.125, -0.375, 0.125, 0.125)."""
    logits, metrics = updated({"kind": "mask", "cap": 2.0})
    assert logits == pytest.approx([0.125, -0.375, 0.125, 0.125])
    assert metrics["correction_mean"] == pytest.approx(0.5)


def test_an_engine_that_agrees_changes_nothing():
    assert updated({}, engine=(0.25, 0.25))[0] == updated(engine=(0.25, 0.25))[0]


def test_the_disagreement_is_measured_with_or_without_correction():
    """|log 5| / 2, and the k3 estimate (5 - 1 - log 5) / 2, of KL(engine || trainer)."""
    for correction in (None, {}):
        metrics = updated(correction)[1]
        assert metrics["sampler_gap"] == pytest.approx(math.log(5) / 2)
        assert metrics["sampler_kl"] == pytest.approx((4 - math.log(5)) / 2)
    assert "corrected_share" not in updated()[1]


def test_the_ratio_is_that_of_the_weights_that_sampled_in_every_pass():
    """Second pass of two: the first moved the table, the correction stays that of the first."""
    _, metrics = updated({}, updates=2)
    assert metrics["correction_mean"] == pytest.approx(1.5)


def test_an_engine_without_logprobs_is_refused():
    with pytest.raises(PolicyError, match="engine_correction needs"):
        updated({}, engine=(0.25, None))
    assert updated(engine=(0.25, None))[1]["sampler_gap"] == pytest.approx(0.0)


@pytest.mark.parametrize("wrong", [{"cap": 0}, {"kind": "mask", "cap": 1, "floor": 2}, {"floor": 0.5}, {"kind": "tis"}])
def test_a_correction_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        TrainConfig.model_validate({"loss": {"engine_correction": wrong}})
