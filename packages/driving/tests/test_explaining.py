"""Reasoning is short, comes from the state, and never contradicts the answer."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.explaining import DECISIONS, explain
from guerdon_driving.recordings import Notice

NOTICES = (
    Notice(),
    Notice(gap=10.0, closing=5.0, left=True, left_free=True),
    Notice(gap=30.0, closing=-4.0, right=True),
    Notice(bend=1.2, turn="Left", turn_m=8.0, crossing=True, yields=True),
    Notice(gap=12.0, static=True, tilt=-0.15, turn="Right", turn_m=80.0),
)
PLANS = tuple(itertools.product(SPEED_ACTIONS, PATH_ACTIONS))


@pytest.mark.parametrize("notice", NOTICES)
@pytest.mark.parametrize("plan", PLANS)
def test_the_decision_said_is_the_label_and_no_other(notice, plan):
    for random in (None, Random(1), Random(2)):
        said = explain(notice, 8.0, 14.0, plan, random=random)
        decision = said.rpartition(":")[2]
        for action, ways in DECISIONS.items():
            assert any(way in decision for way in ways) == (action in plan), (action, said)


def test_the_state_is_told():
    said = explain(Notice(gap=8.0, closing=3.0), 14.0, 50 / 3.6, ("DECELERATE", "STRAIGHT"))
    assert said == "Car ahead near, slower; at limit 50. Keep distance: slow down, go straight."


def test_crossing_traffic_is_why_it_stops():
    said = explain(Notice(crossing=True, yields=True), 3.0, 11.1, ("STOP", "STRAIGHT"))
    assert "crossing car" in said
    assert "Give way" in said


@pytest.mark.parametrize("plan", PLANS)
def test_it_is_short_and_breaks_no_layout(plan):
    """About 20 to 30 tokens: at most 30 words and marks."""
    for notice in NOTICES:
        said = explain(notice, 8.0, 14.0, plan)
        assert len(said.replace(",", " ,").replace(";", " ;").split()) <= 30
        assert "<" not in said
        assert not set(said.replace(",", " ").split()) & {*SPEED_ACTIONS, *PATH_ACTIONS}


def test_variation_is_seeded():
    plan = PLANS[0]
    assert explain(Notice(), 8.0, 14.0, plan, random=Random(3)) == explain(Notice(), 8.0, 14.0, plan, random=Random(3))


def test_a_lane_that_is_not_there_is_no_reason():
    """An S-bend of a ramp moves the car aside, and no lane beside it is better."""
    assert "Follow the lane" in explain(Notice(), 17.0, 19.4, ("KEEP", "RIGHT_CHANGE"))
    assert "Better lane" in explain(Notice(right=True, right_free=True), 17.0, 19.4, ("KEEP", "RIGHT_CHANGE"))
