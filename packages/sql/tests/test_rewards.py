"""Expected numbers: the fact sheet's worked examples on its `dept`/`emp` database, and arithmetic by hand."""

import math
import os
import pickle
import sqlite3

import pytest

from guerdon.errors import ConfigError
from guerdon.rewards import Context, Reward
from guerdon.types import Group, Rollout, Score
from guerdon_sql import executions
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.rewards import (
    Execution,
    Format,
    FormatGraded,
    Ngram,
    Runs,
    SchemaLinking,
    reasoning_sql,
)

GOLD = "SELECT name FROM emp WHERE salary > 45"
PARIS = "SELECT name FROM emp WHERE city = 'Paris'"
CITIES = "SELECT DISTINCT city FROM emp WHERE city IS NOT NULL"
JOIN = "SELECT emp.name FROM emp JOIN dept ON emp.dept_id = dept.id WHERE dept.name = 'R&D'"
ALIASED = "SELECT T1.name FROM emp AS T1 INNER JOIN dept AS T2 ON T1.dept_id = T2.id WHERE T2.name = 'R&D'"


def laid_out(query):
    return f"<reasoning>\neasy\n</reasoning>\n<answer>\n```sql\n{query}\n```\n</answer>"


@pytest.fixture
def ask(employees):
    def ask(reward, query, gold=GOLD, database=employees):
        golds = (gold,) if isinstance(gold, str) else tuple(gold)
        question = SqlQuestion(id="q", question="?", db_id="employees", database=str(database), gold=golds)
        group = Group.of([Rollout.of(question, query)])
        return Context().scores(reward, [group])[0][0]

    return ask


# -- the sheet's table ---


@pytest.mark.parametrize(
    ("gold", "pred", "e0", "e1", "runs"),
    [
        (GOLD, GOLD.lower(), 1, 0, 1),  # E1 = 1 but for the authors' upper-case SELECT
        (GOLD, "SELECT e.name AS who FROM emp AS e WHERE e.salary > 45", 1, 1, 1),
        (GOLD, "SELECT name FROM emp WHERE salary > 60", 0, 0, 1),
        (GOLD, "SELECT * FROM emp WHERE salary > 45", 0, 0, 1),
        (GOLD, "SELECT name, id, dept_id, city, salary FROM emp", 0, 0, 1),
        (GOLD, "SELECT name FORM emp WHERE salary > 45", 0, 0, 0),
        (GOLD, "SELECT fullname FROM emp WHERE salary > 45", 0, 0, 0),
        (PARIS, "SELECT name FROM emp WHERE salary > 1000", 1, 0, 1),
        ("SELECT COUNT(*) FROM emp", "SELECT COUNT(id) FROM emp", 1, 1, 1),
        (CITIES, CITIES.replace("DISTINCT ", ""), 1, 1, 1),
        (JOIN, ALIASED, 1, 1, 1),
    ],
)
def test_the_sheets_worked_examples_run(ask, gold, pred, e0, e1, runs):
    assert ask(Execution(), pred, gold).value == e0
    assert ask(Execution(reading="paper"), pred, gold).value == e0
    assert ask(Execution(reading="released"), pred, gold).value == e1
    assert ask(Runs(), pred, gold).value == runs
    assert ask(Runs(reading="released"), pred, gold).value == runs


@pytest.mark.parametrize("blank", ["", " \n", "-- SELECT name", "/* nothing */ ;"])
def test_a_blank_text_runs_in_the_papers_reading_alone(ask, blank):
    """The sheet's row 8: E0 = E1 = 0, Y = 1 in the authors' code; repaired, nothing was asked, so nothing ran."""
    assert ask(Runs(reading="paper"), blank).value == 1.0
    assert ask(Runs(reading="released"), blank).value == 1.0
    assert ask(Runs(), blank).value == 0.0
    assert ask(Runs(), blank).status == "rejected"
    for reading in ("repaired", "paper", "released"):
        assert ask(Execution(reading=reading), blank).value == 0.0
    assert ask(Execution(reading="paper"), blank, gold=PARIS).value == 1.0  # no rows = no rows
    assert ask(Execution(), blank, gold=PARIS).value == 0.0


def test_the_totals_of_rows_two_and_three(ask):
    """3 + 1 + 1 + 1 + 1 = 7, and with the judge at 1.3 of 2: 1.3 + 1 + 1 + 0.714286 + 1 = 5.014286."""
    total = reasoning_sql(judge=Says(0.65))
    assert ask(total, laid_out("SELECT e.name AS who FROM emp AS e WHERE e.salary > 45")).value == pytest.approx(7.0)
    assert ask(total, laid_out("SELECT name FROM emp WHERE salary > 60")).value == pytest.approx(5.014286, abs=1e-6)


def test_the_group_of_the_sheet_has_the_sheets_advantages():
    from guerdon.advantages import group_relative

    found = group_relative(std=True, ddof=1, epsilon=1e-4).centred([7, 5.014286, 1, 1])
    assert found == pytest.approx([1.1645, 0.5032, -0.8338, -0.8338], abs=1e-4)


class Says(Reward, name="test/says", bounds=(0.0, 1.0)):
    """A judge that always says the same."""

    def __init__(self, value):
        self.value = value

    def score(self, rollout):
        return Score(self.value)


# -- the total ---


def test_without_a_judge_a_right_answer_still_earns_seven(ask):
    """The judge is asked only where execution is 0: 3 + 1 + 1 + 1 + 1."""
    score = ask(reasoning_sql(), laid_out(GOLD))
    assert score.value == 7.0
    assert {name: part.value for name, part in score.parts.items()} == {
        "execution": 1.0,
        "runs": 1.0,
        "schema-linking": 1.0,
        "ngram": 1.0,
        "format": 1.0,
    }


def test_the_released_total_is_recall_and_the_graded_layout(ask):
    """3 + 1 + 1 + 1 + 0.5 for an answer that ends in a line break."""
    total = reasoning_sql(reading="released")
    assert total.bounds[1] == 6.5
    assert ask(total, laid_out(GOLD) + "\n").value == pytest.approx(6.5)
    assert ask(total, laid_out("SELECT name, id, dept_id, city, salary FROM emp")).parts["schema-linking"].value == 1.0


def test_the_total_is_what_its_parts_make_by_hand(ask):
    query = laid_out("SELECT * FROM emp WHERE salary > 45")
    parts = [ask(part, query).value for part in (Execution(), Runs(), SchemaLinking(), Ngram(), Format())]
    weights = [3, 1, 1, 1, 1]
    assert ask(reasoning_sql(), query).value == pytest.approx(sum(w * v for w, v in zip(weights, parts, strict=True)))


def test_the_total_prints_pickles_and_compares():
    total = reasoning_sql(timeout_s=2.0)
    assert pickle.loads(pickle.dumps(total)) == total != reasoning_sql()
    assert repr(total).startswith("(3.0 * Execution(fallback='whole', timeout_s=2.0")
    assert total.bounds == (0.0, 7.0)
    assert reasoning_sql(judge=Says(1.0)).bounds == (0.0, 7.0)  # E and J exclude each other: 3 + 4, or 2 + 4
    assert reasoning_sql(judge=Says(1.0), execution_weight=1.0).bounds == (0.0, 6.0)  # 1 + 4, or 2 + 4
    assert total.sees == "rollout"


# -- execution ---


@pytest.mark.parametrize(
    ("query", "status", "why"),
    [
        (GOLD, "ok", "4 rows, as gold (bird_set)"),
        ("SELECT name FROM emp", "fail", "5 rows, gold has 4 (bird_set)"),
        ("SELECT id FROM emp WHERE salary > 45", "fail", "4 rows, as many as gold, but not the same (bird_set)"),
        ("SELECT fullname FROM emp", "fail", "no such column: fullname"),
        ("DELETE FROM emp", "rejected", "not a query: it starts with DELETE, not SELECT or WITH"),
    ],
)
def test_the_evidence_says_in_a_line_what_happened(ask, query, status, why):
    score = ask(Execution(), query)
    assert (score.status, score.why) == (status, why)


@pytest.mark.parametrize(
    ("comparison", "same", "doubled", "turned", "swapped"),
    [("bird_set", 1, 1, 1, 0), ("bag", 1, 0, 1, 0), ("ordered", 1, 0, 0, 0), ("spider", 1, 0, 0, 1)],
)
def test_each_comparison_mode_has_its_own_idea_of_same(ask, comparison, same, doubled, turned, swapped):
    """Order counts for `spider` because the gold says ORDER BY; its columns may be swapped."""
    gold = "SELECT id, name FROM dept ORDER BY id"
    reward = Execution(comparison=comparison)
    assert ask(reward, gold, gold).value == same
    assert ask(reward, "SELECT id, name FROM dept UNION ALL SELECT 1, 'Sales'", gold).value == doubled
    assert ask(reward, gold + " DESC", gold).value == turned
    assert ask(reward, "SELECT name, id FROM dept ORDER BY id", gold).value == swapped


def test_numbers_within_the_tolerance_are_the_same(ask):
    gold, near = "SELECT AVG(salary) FROM emp", "SELECT AVG(salary) + 1e-7 FROM emp"
    assert ask(Execution(), near, gold).value == 0.0
    assert ask(Execution(tolerance=1e-6), near, gold).value == 1.0


def test_any_of_several_golds_makes_an_answer_right(ask):
    golds = ("SELECT name FROM dept", "SELECT id FROM dept", "SELECT nothing FROM nowhere")
    assert ask(Execution(), "SELECT id FROM dept", golds).value == 1.0
    assert ask(SchemaLinking(), "SELECT id FROM dept", golds).value == 1.0
    assert ask(Ngram(), "SELECT id FROM dept", golds).value == 1.0
    assert ask(Execution(), "SELECT city FROM dept", golds).value == 0.0


def test_a_gold_that_does_not_run_is_not_the_answers_fault(ask):
    score = ask(Execution(), "SELECT 1", gold="SELECT * FROM missing")
    assert (score.status, score.why) == ("invalid", "the gold query did not run (fail): no such table: missing")
    assert math.isnan(score.value)
    assert ask(reasoning_sql(), laid_out("SELECT 1"), gold="SELECT * FROM missing").status == "invalid"
    assert ask(Execution(), "SELECT 1", gold=()).status == "invalid"


def test_a_missing_or_foreign_database_makes_the_task_invalid(ask, tmp_path):
    text = tmp_path / "text.sqlite"
    text.write_text("this is no database, but it is long enough to be one")
    for database in (tmp_path / "none.sqlite", text, tmp_path):
        for reward in (Execution(), Runs()):
            score = ask(reward, GOLD, database=database)
            assert score.status in ("invalid", "infra")
            assert not score.scored
    assert ask(Execution(), GOLD, database=tmp_path / "none.sqlite").status == "invalid"


def test_a_slow_query_is_a_timeout_with_its_limit_in_the_evidence(ask):
    endless = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT COUNT(*) FROM t"
    for reward in (Execution(timeout_s=0.1), Runs(timeout_s=0.1)):
        score = ask(reward, endless)
        assert (score.value, score.status, score.why) == (0.0, "timeout", "timed out after 0.1 s")


def test_a_result_over_the_cap_is_truncated_and_never_equal(ask):
    many = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t LIMIT {}) SELECT x FROM t"
    assert ask(Execution(max_rows=10), many.format(11), GOLD).status == "truncated"
    assert ask(Runs(max_rows=10), many.format(11), GOLD).value == 1.0
    assert ask(Execution(max_rows=10), many.format(12), many.format(11)).status == "invalid"


def test_the_released_reading_compares_the_first_five_thousand_rows(ask):
    """6,000 and 7,000 rows differ, their first 5,000 do not: a flaw, and faithful."""
    many = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t LIMIT {}) SELECT x FROM t"
    assert ask(Execution(reading="released"), many.format(6000), many.format(7000)).value == 1.0
    assert ask(Execution(reading="paper"), many.format(6000), many.format(7000)).value == 0.0


def test_the_released_reading_turns_quoted_names_into_texts(ask):
    """'name' four times over, as a set one row, against four names."""
    quoted = 'SELECT "name" FROM emp WHERE salary > 45'
    assert ask(Execution(), quoted).value == 1.0
    assert ask(Execution(reading="released"), quoted).value == 0.0
    assert ask(Execution(reading="released"), quoted, gold=quoted).value == 1.0


def test_what_could_change_something_runs_in_the_papers_reading_and_changes_nothing(ask, employees):
    before = employees.read_bytes()
    paper = Runs(reading="paper")
    for query in ("DELETE FROM emp", "CREATE TABLE x (y)", "PRAGMA query_only = 0", "ATTACH 'x.db' AS x", "VALUES (1)"):
        assert ask(paper, query).value == 1.0, query
        assert ask(Runs(), query).value == 0.0, query
    for query in ("DELETE FROM nowhere", "hello", "QUERY PLAN SELECT 1", "SELECT 1; SELECT 2", "\0"):
        assert ask(paper, query).value == 0.0, query
    assert employees.read_bytes() == before
    assert not os.path.exists("x.db")


# -- one execution, one answer ---


def test_all_parts_and_all_attempts_share_one_execution(monkeypatch, employees):
    ran = []
    monkeypatch.setattr(
        executions, "_run", lambda asked, *rest, real=executions._run: ran.extend(asked) or real(asked, *rest)
    )
    executions.forget()
    question = SqlQuestion(id="q", question="?", db_id="e", database=str(employees), gold=(GOLD,))
    group = Group.of([Rollout.of(question, laid_out(query)) for query in (GOLD, "SELECT 1", GOLD, "SELECT 1")])
    for _ in range(2):
        Context().scores(reasoning_sql(), [group])
    assert ran == [(GOLD, str(employees)), ("SELECT 1", str(employees))]


def test_a_changed_database_is_asked_again(ask, tmp_path):
    path = tmp_path / "t.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    assert ask(Execution(), "SELECT 1", "SELECT x FROM t", path).value == 1.0
    connection.close()
    with sqlite3.connect(path) as connection:
        connection.executescript("UPDATE t SET x = 2; CREATE TABLE more (y)")
    connection.close()
    assert ask(Execution(), "SELECT 1", "SELECT x FROM t", path).value == 0.0


def test_what_is_kept_of_results_stays_within_its_bytes(ask):
    executions.forget()
    for number in range(30):
        ask(Execution(), f"SELECT {number}, hex(zeroblob(0)) || printf('%.*c', 200000, 'x')")
    assert 0 < executions._RESULTS.used_bytes <= executions._RESULTS.max_bytes


def test_one_rollout_alone_scores_as_it_does_in_a_batch(employees):
    question = SqlQuestion(id="q", question="?", db_id="e", database=str(employees), gold=(GOLD,))
    rollouts = [Rollout.of(question, laid_out(query)) for query in (GOLD, "SELECT 1", "", "SELECT name FROM emp")]
    for part in (Execution(), Runs(), SchemaLinking(), Ngram(), Format(), FormatGraded()):
        together = Context().scores(part, [Group.of(rollouts)])[0]
        assert [part.score(rollout) for rollout in rollouts] == together


# -- similarity and layout ---


def test_listing_every_column_is_free_under_recall_and_not_under_jaccard(ask):
    every = "SELECT name, id, dept_id, city, salary FROM emp"
    assert ask(SchemaLinking("recall"), every).value == 1.0
    score = ask(SchemaLinking(), every)
    assert (score.value, score.why) == (0.5, "adds city, dept_id, id (jaccard)")


def test_a_gold_that_does_not_parse_makes_similarity_abstain_and_leaves_the_rest(ask):
    assert ask(SchemaLinking(), GOLD, gold="SELECT 1").status == "abstain"
    total = ask(reasoning_sql(), laid_out("SELECT 1"), gold="SELECT 1")
    assert total.value == 6.0  # 3 + 1 + 1 + 1: no schema to link


def test_layout_is_read_from_the_whole_completion(ask):
    assert ask(Format(), laid_out("SELECT 1")).value == 1.0
    assert ask(Format(), "SELECT 1").value == 0.0
    assert ask(Format(("think",)), "<think></think>").value == 1.0
    assert ask(FormatGraded(), laid_out("SELECT 1") + "\n").value == pytest.approx(0.5)


def test_the_plain_layout_has_its_own_format_part(ask):
    """A right query in a fence alone: 3 + 1 + 1 + 1 + 1; without the fence the layout's 1 is lost."""
    assert ask(reasoning_sql(layout="plain"), f"```sql\n{GOLD}\n```").value == 7.0
    assert ask(reasoning_sql(layout="plain"), GOLD).value == 6.0
    assert ask(Format(layout="plain"), laid_out(GOLD)).value == 0.0


def test_an_answer_without_a_fence_is_the_whole_text_unless_told_otherwise(ask):
    assert ask(Execution(), GOLD).value == 1.0
    assert ask(Execution(fallback="none"), GOLD).value == 0.0


# -- options ---


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Execution(comparison="set"),
            "comparison is 'set'; accepted are 'bird_set', 'bag', 'ordered', 'spider'",
        ),
        (lambda: Execution(reading="faithful"), "reading is 'faithful'; accepted are 'repaired', 'paper', 'released'"),
        (lambda: Execution(timeout_s=0), "timeout_s is 0; accepted is a number above 0"),
        (lambda: Execution(tolerance=float("nan")), "tolerance is nan; accepted is a number from 0"),
        (lambda: Execution(reading="released", comparison="bag"), "comparison is 'bag'"),
        (lambda: Runs(max_rows=0), "max_rows is 0; accepted is a number from 1"),
        (lambda: Runs(now="tomorrow"), "now is 'tomorrow'; accepted is"),
        (lambda: SchemaLinking("precision"), "overlap is 'precision'; accepted are 'jaccard', 'recall'"),
        (lambda: Ngram(0), "n is 0; accepted is a number from 1"),
        (lambda: Ngram(fallback="last"), "fallback is 'last'; accepted are 'whole', 'none'"),
        (lambda: Format("reasoning"), "tags is 'reasoning'; a tuple of at least one tag's name is accepted"),
        (lambda: Format(()), "tags is ()"),
        (lambda: Format(layout="xml"), "layout is 'xml'; accepted are 'tags', 'plain'"),
        (lambda: reasoning_sql(reading="released", layout="plain"), "grades the tags of the layout 'tags'"),
    ],
)
def test_a_wrong_option_says_what_was_found_and_what_is_accepted(make, message):
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)
