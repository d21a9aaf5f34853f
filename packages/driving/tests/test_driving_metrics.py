"""Evaluation: F1 per class and planning accuracy by hand, and likeness of the reasoning."""

import math
from importlib.util import find_spec

import pytest

from guerdon.conformance import check_is_a_value
from guerdon.errors import ConfigError
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_driving.answers import Plan, read_plan
from guerdon_driving.examples import DrivingExample
from guerdon_driving.metrics import (
    ClassF1,
    ReasoningBleu,
    bleu4,
    class_f1,
    corpus_bleu4,
    planning_accuracy,
    planning_metrics,
    reasoning,
)

needs_sacrebleu = pytest.mark.skipif(
    find_spec("sacrebleu") is None, reason="needs guerdon-driving[reasoning], which brings sacrebleu"
)


def plans(*words):
    return [read_plan(f"<answer> {each} </answer>") for each in words]


def rollout(truth, said, thinking="", thought="t"):
    example = DrivingExample(id=truth, solution=f"<answer> {truth} </answer>", thinking=thinking)
    return Rollout.of(example, f"<think> {thought} </think> <answer> {said} </answer>")


TRUTH = ("KEEP, STRAIGHT", "KEEP, LEFT_TURN", "STOP, STRAIGHT", "STOP, STRAIGHT")
SAID = ("KEEP, STRAIGHT", "STOP, LEFT_TURN", "STOP, STRAIGHT", "KEEP, STOP")


def test_class_f1_by_hand():
    """KEEP: 1 right, 1 too many, 1 missed; STOP: 2, 1, 0; STRAIGHT: 2, 0, 1; LEFT_TURN: 1, 0, 0."""
    found = class_f1(plans(*SAID), plans(*TRUTH))
    expected = {"KEEP": 2 / 4, "STOP": 4 / 5, "STRAIGHT": 4 / 5, "LEFT_TURN": 1.0}
    assert {action: value for action, value in found.items() if not math.isnan(value)} == pytest.approx(expected)
    assert len(found) == 9


def test_planning_accuracy_asks_for_both_axes():
    assert planning_accuracy(plans(*SAID), plans(*TRUTH)) == 0.5
    assert math.isnan(planning_accuracy([], []))


def test_predictions_and_truths_must_be_as_many():
    for metric in (class_f1, planning_accuracy):
        with pytest.raises(ValueError, match="zip"):
            metric([Plan()], [])


def test_the_mean_over_an_evaluation_is_the_f1_of_the_data_set():
    groups = [
        Group.of([rollout(truth, said)], key=str(n)) for n, (truth, said) in enumerate(zip(TRUTH, SAID, strict=True))
    ]
    rows = Context().scores(ClassF1("STOP"), groups)
    assert [row[0].value for row in rows] == pytest.approx([4 / 5] * 4)
    none = Context().scores(ClassF1("ACCELERATE"), groups)
    assert {row[0].status for row in none} == {"abstain"}


def test_a_word_in_the_reasoning_is_no_prediction():
    """The released evaluator would count it, and a wrong class as right beside it."""
    groups = [Group.of([rollout("STOP, STRAIGHT", "KEEP, STRAIGHT", thought="STOP")])]
    assert Context().scores(ClassF1("STOP"), groups)[0][0].value == 0.0
    assert planning_metrics()["planning_accuracy"](groups[0].rollouts[0]).value == 0.0


def test_a_broken_solution_leaves_the_f1_of_the_others():
    broken = Rollout.of(DrivingExample(id="x", solution="KEEP"), "<answer> KEEP </answer>")
    groups = [Group.of([broken]), Group.of([rollout("KEEP, STRAIGHT", "KEEP, STRAIGHT")])]
    (one,), (other,) = Context().scores(ClassF1("KEEP"), groups)
    assert (one.status, other.value) == ("invalid", 1.0)


def test_an_unknown_action_is_told():
    with pytest.raises(ConfigError, match="action is 'DRIVE'; accepted are KEEP"):
        ClassF1("DRIVE")


def test_a_task_reports_what_is_asked_for():
    assert list(planning_metrics(["KEEP"])) == ["planning_accuracy", "speed", "path", "format", "f1/KEEP"]
    for metric in planning_metrics(["KEEP"]).values():
        check_is_a_value(metric)


# -- reasoning -------------------------------------------------------------------------------------------------------


def test_the_reasoning_is_the_first_think_block():
    assert reasoning("<think> a b </think><think> c </think>") == "a b"
    assert reasoning("<think> a") == reasoning("</think> a <think>") == reasoning("") == ""
    assert len(reasoning("<think>" + "a" * 1_000_000 + "</think>")) == 20_000


@needs_sacrebleu
def test_bleu_by_hand():
    """Of 5 words 4 agree, of 4 pairs 3, of 3 triples 2, of 2 fours 1: 4/5 * 3/4 * 2/3 * 1/2 = 0.2; equal lengths."""
    assert bleu4("the car ahead slows down", "the car ahead slows down") == pytest.approx(1.0)
    assert bleu4("the car ahead slows now", "the car ahead slows down") == pytest.approx(0.2**0.25)
    assert bleu4("", "the car ahead slows down") == 0.0
    assert bleu4("STOP", "stop") == pytest.approx(1.0)


@needs_sacrebleu
def test_corpus_bleu_counts_over_all_texts():
    """Beside the five words above, five that agree wholly: 9/10, 7/8, 5/6, 3/4."""
    wanted = ["the car ahead slows down", "a b c d e"]
    said = ["the car ahead slows now", "a b c d e"]
    assert corpus_bleu4(said, wanted) == pytest.approx((9 / 10 * 7 / 8 * 5 / 6 * 3 / 4) ** 0.25)
    with pytest.raises(ValueError, match="0 texts"):
        corpus_bleu4([], [])


@needs_sacrebleu
def test_reasoning_is_compared_where_there_is_one():
    metric = ReasoningBleu()
    thinking = "<think> the car ahead slows down </think>"
    assert metric(rollout("KEEP, STRAIGHT", "x", thinking, "the car ahead slows now")).value == pytest.approx(0.2**0.25)
    assert metric(rollout("KEEP, STRAIGHT", "x", "the car ahead slows down", "the car ahead slows down")).value == 1.0
    assert metric(rollout("KEEP, STRAIGHT", "x")).status == "abstain"
    unthought = Rollout.of(DrivingExample(id="1", thinking=thinking), "<answer> KEEP </answer>")
    assert (metric(unthought).value, metric(unthought).status) == (0.0, "fail")


@pytest.mark.skipif(find_spec("sacrebleu") is not None, reason="sacrebleu is installed")
def test_without_sacrebleu_the_extra_is_named():
    with pytest.raises(ConfigError, match=r"guerdon-driving\[reasoning\]"):
        bleu4("a", "a")
