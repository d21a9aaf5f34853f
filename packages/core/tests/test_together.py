"""Rows that come one by one are scored in batches, and each gets its own score, or its own error."""

import threading

import pytest

from guerdon import reward
from guerdon.adapters.together import Failed, Together, answers_of
from guerdon.errors import RewardError
from guerdon.grading import Grader


@reward
def number(rollout):
    return float(rollout.answer)


def row(text):
    return {"example": {"id": "1"}, "completion": text}


class Slow(Grader):
    """Waits in its first call until told, and counts the rows of each call."""

    def __post_init__(self):
        super().__post_init__()
        self.begun, self.go_on, self.calls = threading.Event(), threading.Event(), []

    def grade(self, rows, *arguments, **options):
        self.calls.append(len(rows))
        self.begun.set()
        assert self.go_on.wait(10)
        return super().grade(rows, *arguments, **options)


@pytest.fixture
def slow():
    grader = Slow(number)
    yield grader
    grader.go_on.set()


def test_what_waits_is_one_batch_and_every_row_gets_its_own_score(slow):
    """The first row is alone, the nine that come meanwhile are one call."""
    together = Together(slow.grade)
    first = together.ask(row("0"))
    assert slow.begun.wait(10)
    rest = [together.ask(row(str(value))) for value in range(1, 10)]
    slow.go_on.set()
    assert [future.result(10).value for future in (first, *rest)] == [float(value) for value in range(10)]
    assert slow.calls == [1, 9]


def test_a_bug_concerns_the_row_that_shows_it_alone(slow):
    together = Together(slow.grade)
    together.ask(row("0"))
    assert slow.begun.wait(10)
    futures = [together.ask(row(text)) for text in ("1", "no number", "2")]
    slow.go_on.set()
    assert futures[0].result(10).value == 1.0
    assert futures[2].result(10).value == 2.0
    with pytest.raises(RewardError, match="no number"):
        futures[1].result(10)


def test_one_broken_row_of_many_is_found_by_halves():
    """Among 64: 64, then 32 + 32, 16 + 16 ... 1 + 1, of which one half of each pair is whole: 1 + 2 * 6 calls."""
    calls = []

    def answer(items):
        calls.append(len(items))
        if 37 in items:
            raise ValueError("thirty-seven")
        return [10 * item for item in items]

    found = answers_of(answer, list(range(64)))
    assert [each for each in found if not isinstance(each, Failed)] == [10 * n for n in range(64) if n != 37]
    assert str(found[37].error) == "thirty-seven"
    assert len(calls) == 13


def test_a_row_nobody_waits_for_any_more_is_left_out(slow):
    together = Together(slow.grade)
    together.ask(row("0"))
    assert slow.begun.wait(10)
    gone, kept = together.ask(row("1")), together.ask(row("2"))
    assert gone.cancel()
    slow.go_on.set()
    assert kept.result(10).value == 2.0
    assert slow.calls == [1, 1]


def test_a_wrong_number_of_answers_is_a_bug_and_not_a_shifted_list():
    with pytest.raises(AssertionError, match="2 answers to 1 questions"):
        Together(lambda items: [0, 0]).ask(1).result(10)
