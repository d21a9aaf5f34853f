"""What an environment paid, as a reward."""

import math

import pytest

from guerdon.advantages import returns_to_go
from guerdon.conformance import check_is_a_value
from guerdon.protocols import Turn
from guerdon.rewards.environment_return import EnvironmentReturn
from guerdon.types import Example, Group, Rollout, Segment


def attempt(*paid, stop="environment"):
    segments = []
    for reward in paid:
        turn = None if reward is None else Turn("next", reward)
        segments += [Segment("policy", "a", action=0, observation=turn), Segment("environment", "next")]
    return Rollout(Example(id="x"), tuple(segments), stop=stop)


def test_the_turns_rewards_are_added_up_and_kept_apart():
    found = EnvironmentReturn()(attempt(0.5, 0.0, 0.25))
    assert (found.value, found.status) == (0.75, "ok")
    assert found.dense["turns"].values == (0.5, 0.0, 0.25)


def test_each_turn_is_credited_with_what_is_still_to_come():
    group = Group.of([attempt(0.5, 0.0, 0.25)])
    scores = [[EnvironmentReturn()(group.rollouts[0])]]
    found = returns_to_go({"turns": 1.0}, baseline="none").estimate([group], scores)
    assert found.values == [[[0.75, 0.25, 0.25]]]


def test_a_cut_attempt_keeps_what_it_earned_and_says_that_it_was_cut():
    found = EnvironmentReturn()(attempt(0.5, None, stop="length"))
    assert (found.value, found.status) == (0.5, "truncated")


def test_a_text_that_nobody_answered_has_no_return():
    found = EnvironmentReturn()(Rollout.of(Example(id="x"), "a"))
    assert (found.status, math.isnan(found.value)) == ("abstain", True)


@pytest.mark.parametrize("paid", [math.nan, math.inf])
def test_an_environment_that_pays_no_number_is_broken(paid):
    assert EnvironmentReturn()(attempt(1.0, paid)).status == "invalid"


def test_it_is_a_value_and_says_that_texts_cannot_audit_it():
    check_is_a_value(EnvironmentReturn())
    assert "environment" in EnvironmentReturn().unaudited
