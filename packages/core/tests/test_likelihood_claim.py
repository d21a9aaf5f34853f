"""The claim on likelihood rewards runs, and can fail."""

import pytest

pytest.importorskip("numpy")

from guerdon.claims.likelihood import ARMS, SFT, LikelihoodRewards
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog


def small(**changes):
    return LikelihoodRewards(**{"steps": 120, "learning_rate": 3.0, "prompts": 6, **changes})


def test_it_is_offered_by_name():
    assert catalog().load("claims", "likelihood_rewards") is LikelihoodRewards


def test_long_references_leave_probabilities_at_chance_and_not_their_logs():
    result = small().run([0])
    found = {one.name: one.mean for one in result.measurements}
    assert result.held, str(result)
    assert found["60 tokens, prob: good reasoning"] == pytest.approx(0.125, abs=1e-3)
    assert found["60 tokens, base RL: good reasoning"] == pytest.approx(0.125, abs=1e-3)
    assert found["60 tokens, log-prob: good reasoning"] > 0.9
    assert all(found[f"2 tokens, {arm}: good reasoning"] >= 0.4 for arm in ARMS)


def test_it_does_not_hold_where_nothing_is_learnt_or_the_long_reference_is_short():
    assert not small(steps=2).run([0]).held
    assert not small(long=3).run([0]).held  # probabilities teach there


def test_the_same_seed_gives_the_same_numbers():
    claim = small(steps=30)
    assert claim.train("avg-prob", 2, 1) == claim.train("avg-prob", 2, 1) != claim.train("avg-prob", 2, 2)


def test_nothing_but_the_reference_is_learnt_without_a_reasoning():
    """One in eight reasonings is good: its logit reaches the cap 4, q = e^4 / (e^4 + 9) = .8585; else .1304."""
    learnt = small(steps=400).train(SFT, 60, 0)
    assert learnt.good == pytest.approx(1 / 8)
    assert learnt.token == pytest.approx((-0.152619 + 7 * -2.037041) / 8, abs=1e-3)


def test_reasoning_collapses_where_the_reference_is_learnt_without_it():
    """One logit behind all bad reasonings is learnt before they lose; one behind each of them is not."""
    shared = small(steps=400).train("log-prob", 60, 0, both=True)
    assert shared.good == pytest.approx(1 / 8, abs=0.05)
    assert shared.token == pytest.approx(-0.152619, abs=1e-3)
    assert small(steps=400, logits="each").train("log-prob", 60, 0, both=True).good > 0.5


def test_two_equal_lengths_are_no_comparison():
    with pytest.raises(ConfigError, match="shorter"):
        small(long=2)


@pytest.mark.claim
def test_the_claim_holds_at_its_full_size():
    assert LikelihoodRewards().run().held
