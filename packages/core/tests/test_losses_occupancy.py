"""Divergences of whole responses as a loss: the sheet's numbers, exact micro-batches, and a training run."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="losses are torch functions; the extra guerdon[train] is not installed")

from guerdon.advantages import group_relative  # noqa: E402
from guerdon.comparing.divergences import sequence_divergences  # noqa: E402
from guerdon.errors import ConfigError  # noqa: E402
from guerdon.losses.occupancy import SEQUENCE_KINDS, SequencePenalty, chi2_terms, kl_terms  # noqa: E402
from guerdon.policies.tabular import TabularPolicy  # noqa: E402
from guerdon.rewards import reward  # noqa: E402
from guerdon.trainer.config import TrainConfig  # noqa: E402
from guerdon.trainer.optimizers import adamw  # noqa: E402
from guerdon.trainer.updates import reinforce  # noqa: E402
from guerdon.types import Example, Group, Rollout, Score, Segment  # noqa: E402


@pytest.mark.parametrize(
    ("ratios", "chi2", "kl"), [([0.0, 0.0], 0.0, 0.0), ([1.0, -1.0], 1.086161, 0.543081), ([12.0, 0.0], 33038.70, 5.5)]
)
def test_the_estimates_of_the_sheet(ratios, chi2, kl):
    ratios_R = torch.tensor(ratios, dtype=torch.float64)
    assert float(chi2_terms(ratios_R).mean()) == pytest.approx(chi2, rel=1e-6, abs=1e-6)
    assert float(kl_terms(ratios_R).mean()) == pytest.approx(kl, rel=1e-5, abs=1e-6)


def test_torch_and_numpy_say_the_same():
    ratios = np.random.default_rng(0).normal(scale=8.0, size=200)
    found, ratios_R = sequence_divergences(ratios), torch.tensor(ratios)
    assert float(chi2_terms(ratios_R).mean()) == pytest.approx(found.chi2, rel=1e-12)
    assert float(kl_terms(ratios_R).mean()) == pytest.approx(found.kl, rel=1e-12)
    assert SequencePenalty("sequence_sqrt_chi2", 1.0).value(found.chi2) == pytest.approx(found.sqrt_chi2)


def test_a_far_response_pulls_along_the_tangent_and_no_gradient_is_infinite():
    """At 1000 the slope of e^z is that at 10; that of e^-z all but nothing."""
    ratios_R = torch.tensor([1000.0, -1000.0, 2.0], dtype=torch.float64, requires_grad=True)
    chi2_terms(ratios_R).sum().backward()
    e10, e2 = np.exp(10.0), np.exp(2.0)
    np.testing.assert_allclose(ratios_R.grad.numpy(), [e10 - 1 / e10, 1 / e10 - e10, e2 - 1 / e2], rtol=1e-12)


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_micro_batches_add_up_to_the_penalty_and_to_its_gradient(kind):
    penalty = SequencePenalty(kind, 0.7)
    whole = torch.tensor([0.3, -1.2, 0.8, 2.0, -0.1], dtype=torch.float64, requires_grad=True)
    mean = penalty.terms(whole).mean()
    loss = 0.7 * (mean.clamp(min=1e-4).sqrt() if kind == "sequence_sqrt_chi2" else mean)
    loss.backward()
    cut = whole.detach().clone().requires_grad_(True)
    total = 0.0
    for piece in (slice(0, 2), slice(2, 5)):
        share = penalty.share(cut[piece], 5, float(mean.detach()))
        share.backward()
        total += float(share.detach())
    assert total == pytest.approx(float(loss.detach()))
    np.testing.assert_allclose(cut.grad.numpy(), whole.grad.numpy(), rtol=1e-12)


def test_at_the_reference_the_root_has_no_gradient_and_is_a_hundredth():
    ratios_R = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    share = SequencePenalty("sequence_sqrt_chi2", 1.0).share(ratios_R, 3, 0.0)
    share.backward()
    assert float(share.detach()) == pytest.approx(0.01)
    assert ratios_R.grad.abs().max() == 0.0


def test_the_gradient_is_half_of_chi_squareds_and_that_of_the_other_kl():
    """In the mean over all responses of a table, each as often as the policy writes it."""
    logits = torch.tensor([0.1, -0.4, 0.9, 0.0], dtype=torch.float64, requires_grad=True)
    base = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    log_policy = logits.log_softmax(0)
    (got,) = torch.autograd.grad((log_policy.exp().detach() * chi2_terms(log_policy - base.log())).sum(), logits)
    log_policy = logits.log_softmax(0)
    wanted = 0.5 * (log_policy.exp() ** 2 / base).sum() - (base * log_policy).sum()
    np.testing.assert_allclose(got.numpy(), torch.autograd.grad(wanted, logits)[0].numpy(), rtol=1e-9)


def test_another_kind_is_refused():
    with pytest.raises(ConfigError, match="sequence_chi2"):
        SequencePenalty("chi2", 1.0)
    with pytest.raises(ValueError, match="divergence"):
        TrainConfig(loss={"divergence": "k4", "kl_weight": 0.1})
    with pytest.raises(ValueError, match="no effect with kl_weight 0"):
        TrainConfig(loss={"divergence": "sequence_kl"})


def batch(policy, actions):
    """One group: the policy's actions on state "s"."""
    example = Example(id="s")
    rollouts = [
        Rollout(example, (Segment("policy", action, action=policy.actions.index(action)),), index=place)
        for place, action in enumerate(actions)
    ]
    return [Group.of(rollouts)]


def moved(kind, tokens, weight=0.5):
    policy = TabularPolicy(["s"], ["a", "b", "c"])
    reference = policy.snapshot()
    with torch.no_grad():
        policy.logits_SA.copy_(torch.tensor([[2.0, 0.0, -1.0]]))
    groups = batch(policy, "aabca")
    scores = [[Score(float(rollout.completion == "c")) for rollout in groups[0].rollouts]]
    config = TrainConfig(loss={"kl_weight": weight, "divergence": kind}, tokens_per_microbatch=tokens)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    metrics = reinforce(policy, groups, group_relative().estimate(groups, scores), config, optimizer, 0.1, reference)
    return policy.logits_SA.detach().clone(), metrics


@pytest.mark.parametrize("kind", ["k3", *SEQUENCE_KINDS])
def test_an_update_does_not_depend_on_how_the_batch_is_cut(kind):
    whole, one = moved(kind, 8192)
    cut, other = moved(kind, 1)
    torch.testing.assert_close(whole, cut)
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-6)


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_the_divergence_is_logged_and_pulls_back_to_the_reference(kind):
    """Log-probs of the three actions by hand; the reference gives each a third."""
    weights = np.exp([2.0, 0.0, -1.0])
    ratios = np.log(weights / weights.sum() * 3)[[0, 0, 1, 2, 0]]
    found = sequence_divergences(ratios)
    wanted = {"sequence_kl": found.kl, "sequence_chi2": found.chi2, "sequence_sqrt_chi2": found.sqrt_chi2}[kind]
    logits, metrics = moved(kind, 8192, weight=5.0)
    assert metrics["divergence"] == pytest.approx(wanted, rel=1e-5)
    assert "kl" not in metrics
    assert logits.softmax(-1).max() < weights.max() / weights.sum()


def test_k3_is_logged_as_before():
    assert "divergence" not in moved("k3", 8192)[1]
    assert moved("k3", 8192)[1]["kl"] > 0.0


@reward(bounds=(0.0, 1.0))
def is_c(rollout):
    return float(rollout.completion == "c")


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_a_policy_trained_with_it_stays_nearer_its_start(kind):
    """80 updates on one state, sampled from the policy itself: with a weight, c stays rarer."""

    def trained(weight):
        policy = TabularPolicy(["s"], ["a", "b", "c"])
        reference = policy.snapshot()
        config = TrainConfig(loss={"kl_weight": weight, "divergence": kind if weight else "k3"})
        optimizer = adamw(policy.parameters(), config.optimizer)
        generator = torch.Generator().manual_seed(0)
        for _ in range(80):
            drawn = torch.multinomial(policy.action_probabilities(["s"])[0].detach(), 32, True, generator=generator)
            groups = batch(policy, [policy.actions[i] for i in drawn.tolist()])
            scores = [[is_c(rollout) for rollout in groups[0].rollouts]]
            reinforce(policy, groups, group_relative().estimate(groups, scores), config, optimizer, 0.1, reference)
        return float(policy.action_probabilities(["s"])[0, 2])

    assert trained(2.0) < 0.8 < trained(0.0)
