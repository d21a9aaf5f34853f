"""Reported numbers, by hand."""

import math

import pytest

from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_resume.answers import Verdict, read, written
from guerdon_resume.examples import ResumeExample
from guerdon_resume.keywords import Keywords, policy_of
from guerdon_resume.metrics import Right, expected_calibration_error, measured, screening_metrics
from guerdon_resume.tasks import Screening


def example(number, selected, score=50.0):
    return ResumeExample(id=str(number), status="APPROVE" if selected else "REJECT", score=score, job_skills=("SQL",))


GOLD = [example(0, True, 80), example(1, True, 70), example(2, True, 60), example(3, False, 40), example(4, False, 20)]
ANSWERS = [
    written("SELECTED", 90, [], 0),
    written("REJECTED", 50, [], 0),
    "no verdict",
    written("SELECTED", 60, [], 0),
    written("REJECTED", 20, [], 0),
]


def test_rates_are_those_of_the_confusion_matrix():
    """Of 3 good: 1 selected, 1 rejected, 1 unread. Of 2 bad: 1 and 1. Scores off by 10, 20, 20, 0."""
    found = measured([read(text) for text in ANSWERS], GOLD)
    assert (found.count, found.unread) == (5, 1)
    assert found.accuracy == pytest.approx(2 / 5)
    assert found.recall == pytest.approx(1 / 3)
    assert found.precision == pytest.approx(1 / 2)
    assert found.balanced_accuracy == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found.f1 == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert found.mae == pytest.approx(12.5)
    assert found.rmse == pytest.approx(15.0)
    assert found.brier == pytest.approx((0.1**2 + 0.5**2 + 0.6**2 + 0.2**2) / 4)


def test_task_metrics_mean_the_same_numbers():
    groups = [Group.of([Rollout.of(one, text)]) for one, text in zip(GOLD, ANSWERS, strict=True)]
    means = {}
    for name, metric in screening_metrics().items():
        scores = [row[0] for row in Context().scores(metric, groups)]
        numbers = [score.value for score in scores if score.scored]
        means[name] = sum(numbers) / len(numbers)
    found = measured([read(text) for text in ANSWERS], GOLD)
    assert means["accuracy"] == pytest.approx(found.accuracy)
    assert means["recall"] == pytest.approx(found.recall)
    assert means["status"] == pytest.approx((2 - 2 - 2 - 1 + 0) / 5)
    assert means["precision"] == pytest.approx(found.precision)
    assert means["MAE"] == pytest.approx(found.mae)
    assert means["Brier"] == pytest.approx(found.brier)
    assert means["readable"] == pytest.approx(4 / 5)


def test_nothing_to_divide_by_is_no_number():
    found = measured([Verdict("REJECTED", 10)], [example(0, False, None)])
    assert math.isnan(found.precision)
    assert math.isnan(found.recall)
    assert math.isnan(found.mae)
    assert math.isnan(measured([], []).accuracy)


def test_as_many_verdicts_as_examples_are_needed():
    with pytest.raises(ValueError, match="shorter"):
        measured([Verdict(), Verdict()], [example(0, True)])


def test_calibration_is_by_bins_of_equal_width():
    """Bins .0-.1, .8-.9 and the last: (2 * |.05 - .5| + 1 * |.85 - 1| + 1 * |1 - 1|) / 4."""
    stated = [(0.05, True), (0.05, False), (0.85, True), (1.0, True)]
    assert expected_calibration_error(stated) == pytest.approx((0.9 + 0.15) / 4)
    assert math.isnan(expected_calibration_error([]))
    with pytest.raises(ValueError, match=r"1\.5"):
        expected_calibration_error([(1.5, True)])


def test_a_baseline_is_a_policy_too():
    from guerdon.protocols import Sampling

    task = Screening(train_size=0, eval_size=20)
    groups = policy_of(Keywords()).sample(task, task.examples("eval"), 1, Sampling(), seed=0)
    rates = [row[0].value for row in Context().scores(Right(), groups)]
    found = measured([read(text) for text in Keywords()(task.examples("eval"))], task.examples("eval"))
    assert sum(rates) / 20 == pytest.approx(found.accuracy)
