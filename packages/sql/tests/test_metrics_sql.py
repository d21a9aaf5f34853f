import pytest

from guerdon.errors import ConfigError
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_sql.metrics import SoftF1, ValidEfficiency
from guerdon_sql.questions import SqlQuestion


@pytest.fixture
def ask(employees):
    def ask(metric, query, *gold):
        question = SqlQuestion(id="q", question="?", db_id="employees", database=str(employees), gold=gold)
        return metric.score(Rollout.of(question, query))

    return ask


GOLD = "SELECT name FROM dept ORDER BY id"


def test_a_missing_row_costs_its_share(ask):
    """Two of three rows found: tp = 2, fn = 1, so 2*2 / (2*2 + 1)."""
    assert ask(SoftF1(), GOLD + " LIMIT 2", GOLD).value == 0.8


def test_the_best_gold_counts_and_a_broken_one_is_passed_over(ask):
    assert ask(SoftF1(), GOLD, "SELECT city FROM dept", "SELECT * FROM missing", GOLD).value == 1.0
    assert ask(SoftF1(), GOLD, "SELECT * FROM missing").status == "invalid"


@pytest.mark.parametrize("query", ["", "DELETE FROM dept", "SELECT nothing FROM dept"])
def test_an_answer_without_a_table_has_no_overlap(ask, query):
    assert ask(SoftF1(), query, GOLD).value == 0.0
    assert ask(ValidEfficiency(), query, GOLD).value == 0.0


def test_a_right_answer_is_timed_and_a_wrong_one_is_not(ask):
    assert 50.0 <= ask(ValidEfficiency(repeats=2), GOLD + ";", GOLD).value <= 112.0
    assert ask(ValidEfficiency(formula="ves", repeats=2), GOLD, GOLD).value > 0.0
    wrong = ask(ValidEfficiency(), "SELECT 1", GOLD)
    assert (wrong.value, wrong.status) == (0.0, "fail")


@pytest.mark.parametrize("right", [2, 8])
def test_right_answers_in_one_batch_are_timed_after_all_have_run(employees, right):
    """They were timed while the executor handed over results, which waits for itself: two of them never ended."""
    question = SqlQuestion(id="q", question="?", db_id="employees", database=str(employees), gold=(GOLD,))
    answers = [f"{GOLD} -- {number}" for number in range(right)]
    group = Group.of([Rollout.of(question, text) for text in [*answers, "SELECT 1"]])
    scores = Context().scores(ValidEfficiency(repeats=1), [group])[0]
    assert all(score.value > 0.0 for score in scores[:-1])
    assert scores[-1].value == 0.0


def test_wrong_options_are_refused():
    for make in (lambda: SoftF1(cells="all"), lambda: ValidEfficiency(repeats=0), lambda: ValidEfficiency(formula="x")):
        with pytest.raises(ConfigError, match="accepted"):
            make()
