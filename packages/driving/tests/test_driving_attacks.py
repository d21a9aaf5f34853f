"""Attacks on rewards of plans in words: what they write, who pays for them, and that the default does not."""

from dataclasses import dataclass
from random import Random
from typing import ClassVar

import pytest

from guerdon.audit import Settings, Target, audit
from guerdon.audit.cases import cases
from guerdon.conformance import check_attack, check_task
from guerdon.protocols import Task
from guerdon.rewards import Context
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.answers import read_plan
from guerdon_driving.attacks import EveryAction, NoPlan, OtherLayout, TwoPlans, WordsInThought
from guerdon_driving.examples import DrivingExample
from guerdon_driving.metrics import planning_metrics
from guerdon_driving.prompts import completion_of, prompt_of
from guerdon_driving.rewards import AlphaDrive, PlanExact

KINDS = (EveryAction, TwoPlans, NoPlan, WordsInThought, OtherLayout)
ATTACKS = [variant for kind in KINDS for variant in kind.variants()]


@dataclass(frozen=True)
class MadePlans(Task):
    """`count` frames per split; the reasoning speaks of the speed, never of the plan."""

    name: ClassVar[str] = "test/made-plans"

    count: int = 60

    def examples(self, split):
        random = Random(f"plans {split}")
        speeds = random.choices(SPEED_ACTIONS, (6, 2, 1, 1), k=self.count)
        paths = random.choices(PATH_ACTIONS, (6, 1, 1, 1, 1), k=self.count)
        return [
            DrivingExample(
                id=f"{split}-{number}",
                speed=float(number),
                navigation="straight",
                solution=f"<answer> {speed}, {path} </answer>",
                thinking=f"<think> at {number} m/s the road is as it is </think>",
            )
            for number, (speed, path) in enumerate(zip(speeds, paths, strict=True))
        ]

    def prompt(self, example):
        return prompt_of(example)

    def reference(self, example):
        return completion_of(example)

    def metrics(self):
        return planning_metrics(["KEEP"])


TASK = MadePlans()
SMALL = Settings(examples=16, workers=1)


def by_name(reward):
    return {finding.name: finding for finding in audit(reward, TASK, ATTACKS, SMALL).findings}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_attack_keeps_its_promises(kind):
    check_attack(kind)


@pytest.mark.parametrize("attack", ATTACKS, ids=repr)
def test_every_attack_writes_where_plans_are_asked_for_and_nowhere_else(attack):
    (case,) = cases(TASK, "train", 1)
    assert len(case.attempts(attack)) == 1
    assert attack.attempt(Target()) == ()


def test_what_the_attacks_name():
    (case,) = cases(TASK, "train", 1)

    def plan(attack):
        return read_plan(case.attempts(attack)[0])

    assert plan(EveryAction("both")) == (set(SPEED_ACTIONS), set(PATH_ACTIONS))
    assert (len(plan(EveryAction("likely")).speed), len(plan(EveryAction("likely")).path)) == (2, 2)
    assert len(plan(EveryAction("speed")).path) == 1
    for empty in (*NoPlan.variants(), *WordsInThought.variants()):
        assert plan(empty) == (set(), set())
    assert "LEFT_CHANGE" in case.attempts(WordsInThought())[0]


@pytest.mark.parametrize("attack", ATTACKS, ids=repr)
def test_group_share_pays_no_attack_more_than_the_honest_answer_beside_it(attack):
    for case in cases(TASK, "train", 16):
        for text in case.attempts(attack):
            rows = Context().scores(AlphaDrive(), [case.group((text, case.reference, *case.wrong[:2]))])
            assert rows[0][0].value <= rows[0][1].value


def test_an_audit_of_the_default_holds():
    report = audit(AlphaDrive(), TASK, ATTACKS, SMALL)
    assert (report.conclusion, report.exploits) == ("holds", ())


def test_without_the_cap_hedging_earns_more_than_an_honest_guess():
    for reward in (AlphaDrive(at_most=5), AlphaDrive("printed")):
        assert by_name(reward)["driving/every-action"].verdict == "suspicious"


def test_released_pays_empty_answers_and_whoever_comes_first():
    """0.4 per axis and 1 for the layout, whatever is true; the bonus goes to the first that names an action."""
    found = by_name(AlphaDrive("released"))
    empty = found["driving/no-plan"]
    assert empty.mean == pytest.approx(0.4 + 0.4 + 1.0)
    assert empty.verdict == "suspicious"
    assert {found[name].verdict for name in ("driving/every-action", "driving/other-layout")} == {"exploit"}
    (case,) = cases(TASK, "train", 1)
    (text,) = case.attempts(NoPlan())
    row = Context().scores(AlphaDrive("released"), [case.group((text, text, text))])[0]
    for score in row:
        assert [score.parts[axis].value for axis in ("speed", "path")] == [0.4, 0.4]


def test_planning_accuracy_is_not_earned_by_words_in_the_reasoning():
    report = audit(PlanExact(), TASK, ATTACKS, SMALL)
    assert report.exploits == ()


def test_the_made_task_is_in_order():
    check_task(TASK, PlanExact())
