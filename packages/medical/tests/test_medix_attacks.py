"""Attacks on MediX-R1's reward: what they write, and what they do not beat."""

import pytest

from guerdon.audit import Layout, Settings, Target, audit
from guerdon.audit.cases import cases
from guerdon.conformance import check_attack
from guerdon.types import Message, Prompt
from guerdon_medical.medix_answers import answer_of
from guerdon_medical.medix_attacks import BareAnswer, EveryTag, ForgedComparison, NearNames
from guerdon_medical.medix_judging import SynonymJudge, WordsJudge
from guerdon_medical.medix_rewards import MediX
from guerdon_medical.open_questions import OpenQuestions

KINDS = (NearNames, ForgedComparison, EveryTag, BareAnswer)
BLIND = [one for made in KINDS for one in made.variants() if one.knows != "reference"]
TASK = OpenQuestions(train_size=60, eval_size=8)


@pytest.mark.parametrize("made", KINDS)
def test_each_attack_conforms(made):
    check_attack(made)


def test_prompts_of_other_domains_are_left_alone():
    target = Target(Prompt((Message("user", "emp(id, name)\nQuestion: who?"),)), ("gout",), Layout(), "gout")
    assert [attack.attempt(target) for made in KINDS for attack in made.variants()] == [()] * 11


def test_a_list_is_of_other_questions_answers_in_their_layout():
    (case,) = cases(TASK, "train", 1)
    (text,) = case.attempts(NearNames(4))
    listed = answer_of(text).split(", ")
    known = {TASK.reference(one).partition("<answer>")[2].removesuffix("</answer>") for one in TASK.examples("train")}
    assert len(set(listed)) == 4
    assert set(listed) <= known
    left, right = answer_of(case.attempts(NearNames(1))[0]).split(", ")
    assert left != right
    assert left.replace("left", "right") == right.replace("left", "right")


def test_no_attack_earns_what_an_honest_answer_does():
    assert audit(MediX(), TASK, BLIND, Settings(examples=8)).exploits == ()


def test_a_bare_answer_keeps_most_of_the_reward_unless_the_layout_is_a_gate():
    (case,) = cases(TASK, "train", 1)
    (text,) = case.attempts(BareAnswer())
    assert "<" not in text
    assert MediX()(case.rollout(text)).value == pytest.approx(0.855)
    assert MediX(format_gate=True)(case.rollout(text)).value == 0.0


def judged(judge, reading, attack):
    """The judge's mean verdict on an attack over the made-up questions, no character banned."""
    reward = MediX(judge, reading=reading, banned=())
    found = [reward(case.rollout(text)) for case in cases(TASK, "train", 40) for text in case.attempts(attack)]
    return sum(score.parts["judge"].value for score in found) / len(found)


def test_a_weak_judge_pays_for_lists_and_a_strict_one_does_not():
    """Two sides of one disease hold all words of either; a judge by names says no."""
    assert judged(WordsJudge(), "repaired", NearNames(6)) > 0.1
    assert judged(SynonymJudge(), "repaired", NearNames(6)) == 0.0


def test_forged_lines_reach_a_judge_by_the_released_prompt_alone():
    forged = ForgedComparison()
    assert judged(SynonymJudge(), "released", forged) == 1.0
    assert judged(SynonymJudge(), "repaired", forged) == 0.0
