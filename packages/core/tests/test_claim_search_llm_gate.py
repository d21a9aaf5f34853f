"""The claim runs, can fail, and combines scores as the reward does."""

import numpy as np
import pytest

from guerdon.claims.search_llm_gate import ARMS, BEHAVIOURS, BOTTOM_LINES, SearchLlmGate, useless_or_unsafe
from guerdon.rewards import reward
from guerdon.rewards.gated_aggregate import GatedAggregate
from guerdon.types import Example, Rollout, Segment

SMALL = SearchLlmGate(rounds=120, contexts=12)


def criterion(place):
    return reward(name=f"test/c{place}-v1", bounds=(0.0, 1.0))(lambda rollout: rollout.segments[0].action[place])


@pytest.mark.parametrize(("arm", "gate"), [("gated", "soft"), ("hard gate", "hard")])
def test_an_arm_is_the_reward_of_that_gate(arm, gate):
    random = np.random.default_rng(0)
    lines, traits = random.random((5, BOTTOM_LINES)), random.random((5, BEHAVIOURS))
    made = GatedAggregate(
        {f"line{i}": criterion(i) for i in range(BOTTOM_LINES)},
        {f"trait{i}": criterion(BOTTOM_LINES + i) for i in range(BEHAVIOURS)},
        gate=gate,
    )
    for row, expected in zip(np.hstack([lines, traits]), ARMS[arm](lines, traits), strict=True):
        rollout = Rollout(Example(id="x"), (Segment("policy", action=tuple(map(float, row))),))
        assert made(rollout).value == pytest.approx(expected, abs=1e-12)


def test_the_claim_runs_and_holds_reduced():
    result = SMALL.run([0])
    assert result.held
    found = {one.name: one.values[0] for one in result.measurements}
    assert found["violations, start"] == pytest.approx(0.53, abs=0.06)
    assert found["unsafe over safe but useless, gated"] > 0.9
    assert found["unsafe over safe but useless, hard gate"] < 0.1


def test_it_fails_where_nothing_tempts():
    """Without the bonus a sum has no reason to break bottom lines."""
    assert not SearchLlmGate(rounds=120, contexts=12, bonus=0.0).run([0]).held


def test_the_same_seed_measures_the_same():
    tiny = SearchLlmGate(rounds=5, contexts=3)
    assert tiny.run([1]).to_json() == tiny.run([1]).to_json()


def test_the_limit_by_hand():
    """Nine bottom lines, one broken: .598822 * 1 against 1 * .1; the product gives 0 against .1."""
    world = useless_or_unsafe()
    assert ARMS["gated"](world.lines, world.traits)[0] == pytest.approx([0.1, 0.598822], abs=1e-6)
    assert ARMS["hard gate"](world.lines, world.traits)[0] == pytest.approx([0.1, 0.0])


@pytest.mark.parametrize("arm", ["gated", "hard gate"])
def test_it_fails_where_the_limit_of_either_gate_is_not_as_said(monkeypatch, arm):
    """Each gate in the other's place: the figures "> .5" and "< .5" are part of the verdict."""
    other = {"gated": "hard gate", "hard gate": "gated"}[arm]
    monkeypatch.setitem(ARMS, arm, ARMS[other])
    result = SMALL.run([0])
    assert not result.held
    found = {one.name: one.values[0] for one in result.measurements}
    assert found["violations, gated"] < 0.05  # all else is as it should be
