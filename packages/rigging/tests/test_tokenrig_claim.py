"""The claim of TokenRig: its policy's gradient, its two stages, what it does without files, and that it can fail."""

import numpy as np
import pytest

from guerdon_rigging.pointer_policy import drawn, features, likelihood_gradient, path_features, place_of, true_picks
from guerdon_rigging.rig_sources import known_rig
from guerdon_rigging.tokenrig_claim import BLIND, SPOILT, TokenRigClaim, spoilt_shares

QUICK = TokenRigClaim(made=2, warm_steps=10, steps=3, meshes=2, group_size=3, samples=2)


@pytest.fixture(scope="module")
def place():
    return place_of(known_rig("made:fish:0"), "fish", np.random.default_rng(0))


def test_features_before_the_first_pick_have_no_distance(place):
    first = features(place, None)[0]
    assert (first[:, 1] == first[:, 2]).all()
    assert (first[:, 3:] == 0).all()
    later = features(place, np.full((1, len(place.candidates)), 0.1))[0]
    assert (later[:, 2] == 0).all()
    assert later[:, 5] == pytest.approx(np.exp(-1.0))
    assert later[:, 6] == pytest.approx(0.1 * place.depth)


def log_likelihood(theta, path, picks):
    seen, gone = path
    logits = seen @ theta + gone
    return (logits[np.arange(len(picks)), picks] - np.log(np.exp(logits).sum(axis=1))).mean()


def test_the_gradient_is_that_of_finite_differences(place):
    picks = true_picks(place)
    path, theta = path_features(place, picks), np.linspace(-1, 1, 7)
    found = likelihood_gradient(theta, path, picks)
    for axis in range(7):
        step = np.zeros(7)
        step[axis] = 1e-5
        slope = (log_likelihood(theta + step, path, picks) - log_likelihood(theta - step, path, picks)) / 2e-5
        assert found[axis] == pytest.approx(slope, abs=1e-6)


def test_the_gradient_of_a_draw_is_that_of_its_path(place):
    theta = np.linspace(-2, 2, 7)
    attempts = drawn(theta, place, 3, np.random.default_rng(0))
    for joints, gradient in zip(attempts.joints, attempts.gradients, strict=True):
        picks = np.array([np.linalg.norm(place.candidates - joint, axis=1).argmin() for joint in joints])
        assert len(set(picks.tolist())) == 14
        assert gradient == pytest.approx(likelihood_gradient(theta, path_features(place, picks), picks))


def test_supervision_raises_the_likelihood(place):
    picks = true_picks(place)
    path = path_features(place, picks)
    theta = TokenRigClaim(warm_steps=20).warmed([place])
    assert log_likelihood(theta, path, picks) > log_likelihood(np.zeros(7), path, picks)


def test_grpo_raises_the_reward(place):
    claim = TokenRigClaim(steps=40, meshes=1, samples=64)
    after = claim.reinforced(np.zeros(7), [place], 0)
    assert claim.evaluated(after, [place], 0).reward > claim.evaluated(np.zeros(7), [place], 0).reward + 0.05


@pytest.mark.slow
def test_without_files_it_is_measured_on_made_creatures_and_says_so(monkeypatch):
    monkeypatch.delenv("GUERDON_DATA", raising=False)
    result = QUICK.run((0, 1))
    assert any("GUERDON_DATA" in part for part in result.not_run)
    assert {len(one.values) for one in result.measurements} == {2}
    assert not result.held  # after three updates nothing has fallen by 2 %


def test_spoilt_rigs_are_paid_less_and_r_sc_does_not_see_a_swap():
    shares = spoilt_shares([known_rig("made:quadruped:0")], 0)
    assert shares.pop(BLIND) == 0
    assert shares == {name: 1.0 for name in SPOILT if name != BLIND}


@pytest.mark.model
def test_its_update_is_that_of_the_clipped_surrogate(place):
    """At the weights that sampled, the loss's gradient is the advantage-weighted mean of the draws' gradients."""
    torch = pytest.importorskip("torch")
    from guerdon.losses.surrogate import ClippedSurrogate

    theta = np.linspace(-1, 1, 7)
    attempts = drawn(theta, place, 4, np.random.default_rng(1))
    credit = [1.0, -0.5, 0.25, -0.75]
    weights = torch.tensor(theta, requires_grad=True)
    logprobs = []
    for joints in attempts.joints:
        picks = np.array([np.linalg.norm(place.candidates - joint, axis=1).argmin() for joint in joints])
        seen, gone = (torch.tensor(part) for part in path_features(place, picks))
        logprobs.append(torch.log_softmax(seen @ weights + gone, dim=1)[torch.arange(14), torch.tensor(picks)])
    steps = torch.cat(logprobs)
    spread = torch.tensor(credit, dtype=torch.float64).repeat_interleave(14)
    share = torch.full((56,), 1 / 56, dtype=torch.float64)
    ClippedSurrogate()(steps, steps.detach(), spread, share).loss.backward()
    assert -weights.grad.numpy() == pytest.approx(np.array(credit) @ attempts.gradients / 4)
