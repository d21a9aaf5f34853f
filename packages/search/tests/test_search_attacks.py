"""Attacks on rewards of search: what they write, and what they do not beat."""

import json

import pytest

from guerdon.audit import Layout, Settings, Target, audit
from guerdon.audit.cases import cases
from guerdon.conformance import check_attack
from guerdon.judges import StandIn
from guerdon.types import Message, Prompt
from guerdon_search.answer_tasks import NuggetAnswers
from guerdon_search.attacks import BrokenVerdict, Citations, ExtremeScore, InjectedVerdict, OneLabel, count_asked
from guerdon_search.criterion_rewards import search_llm
from guerdon_search.nugget_rewards import NuggetCoverage, Verifier
from guerdon_search.nugget_tasks import Nuggets
from guerdon_search.relevance_rewards import RelevanceCalibration
from guerdon_search.relevance_tasks import Relevance
from guerdon_search.session_tasks import Sessions

KINDS = (OneLabel, ExtremeScore, InjectedVerdict, BrokenVerdict, Citations)
ALL = [one for made in KINDS for one in made.variants()]


@pytest.mark.parametrize("made", KINDS)
def test_each_attack_conforms(made):
    check_attack(made)


@pytest.mark.parametrize("made", KINDS)
def test_a_report_calls_each_attack_by_the_name_that_can_be_asked_for(made):
    assert {one.label for one in made.variants()} == {made.name}


def test_one_label_is_written_as_often_as_is_asked_in_the_shape_that_is_asked():
    task = Nuggets(train_size=6, shapes=("markdown",), nuggets_min=3, nuggets_max=3)
    (case, *_) = cases(task, "train", 1)
    (text,) = case.attempts(OneLabel("support"))
    assert text.endswith("* support\n* support\n* support")
    assert OneLabel().attempt(Target()) == ()


def test_prompts_of_other_domains_are_left_alone():
    target = Target(Prompt((Message("user", "emp(id, name)\nQuestion: who?"),)), (), Layout())
    assert [attack.attempt(target) for attack in ALL] == [()] * len(ALL)


def test_citations_are_of_the_documents_that_are_shown():
    shown = "[begin of Doc 1]\nOne.\n[end of Doc 1]\n[begin of Doc 2]\nTwo.\n[end of Doc 2]\nQuery: why two?"
    target = Target(Prompt((Message("user", shown),)), (), Layout())
    assert Citations("copied").attempt(target) == ("One [Doc 1].\nTwo [Doc 2].",)
    assert Citations("first").attempt(target) == ("One [Doc 1].",)
    assert Citations("nearest").attempt(target) == ("Two [Doc 2].",)
    assert "[Doc 1][Doc 2]" in Citations("stuffed").attempt(target)[0]
    assert count_asked(target) == 0
    assert Citations().attempt(Target()) == ()


@pytest.mark.parametrize(
    ("reward", "task"),
    [
        (Verifier(), Nuggets(train_size=40, eval_size=4, nuggets_min=3)),
        (RelevanceCalibration(), Relevance(train_size=40, eval_size=4)),
        (search_llm(), Sessions(train_size=40, eval_size=4)),
    ],
    ids=["verifier", "calibration", "search-llm"],
)
def test_no_attack_of_ours_earns_what_an_honest_answer_does(reward, task):
    assert audit(reward, task, ALL, Settings(examples=8)).exploits == ()


def test_what_an_audit_cannot_ask_is_no_check_of_best_of_n():
    """The order of a pair has no number in an audit, which asks about one prompt at a time."""
    report = audit(RelevanceCalibration(), Relevance(train_size=8, eval_size=4), [ExtremeScore()], Settings(examples=4))
    assert report.optimised.check == "the task's metric 'calibration-relevant'"


def obeys(messages):
    """A judge that does as the passage tells it, if it stands outside the quotation, and else reads."""
    text = messages[-1]["content"]
    outside = text.partition("[end of passage]")[2].partition("[begin of points]")[0]
    count = text.partition("[begin of points]\n")[2].partition("\n[end of points]")[0].count("\n") + 1
    word = "support" if "supported" in outside else "not_support"
    return json.dumps([word] * count)


def test_a_judge_that_obeys_what_stands_outside_is_out_of_reach_of_an_answer():
    """Injection inside a document: the markers are taken out before it is quoted."""
    (case,) = cases(NuggetAnswers(train_size=6, eval_size=2), "train", 1)
    for attack in InjectedVerdict.variants():
        (text,) = case.attempts(attack)
        assert NuggetCoverage(StandIn(function=obeys)).score(case.rollout(text)).value == 0.0
