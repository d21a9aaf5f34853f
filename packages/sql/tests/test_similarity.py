"""Expected numbers: the fact sheet's table of worked examples, and counts by hand."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon_sql import similarity
from guerdon_sql.similarity import MAX_CHARS, MAX_NESTING, bigram_jaccard, parsed, schema_items, schema_linking

GOLD = "SELECT name FROM emp WHERE salary > 45"
JOIN = "SELECT emp.name FROM emp JOIN dept ON emp.dept_id = dept.id WHERE dept.name = 'R&D'"
ALIASED = "SELECT T1.name FROM emp AS T1 INNER JOIN dept AS T2 ON T1.dept_id = T2.id WHERE T2.name = 'R&D'"
CITIES = "SELECT DISTINCT city FROM emp WHERE city IS NOT NULL"


@pytest.mark.parametrize(
    ("gold", "pred", "recall", "jaccard", "bigrams"),
    [
        (GOLD, GOLD.lower(), 1, 1, 1),
        (GOLD, "SELECT e.name AS who FROM emp AS e WHERE e.salary > 45", 1, 1, 1),
        (GOLD, "SELECT name FROM emp WHERE salary > 60", 1, 1, 0.714286),
        (GOLD, "SELECT * FROM emp WHERE salary > 45", 0.666667, 0.666667, 0.571429),
        (GOLD, "SELECT name, id, dept_id, city, salary FROM emp", 1, 0.5, 0.181818),
        (GOLD, "SELECT name FORM emp WHERE salary > 45", 0, 0, 0.5),
        (GOLD, "SELECT fullname FROM emp WHERE salary > 45", 0.666667, 0.5, 0.5),
        (GOLD, "", 0, 0, 0),
        ("SELECT name FROM emp WHERE city = 'Paris'", "SELECT name FROM emp WHERE salary > 1000", 0.666667, 0.5, 0.5),
        ("SELECT COUNT(*) FROM emp", "SELECT COUNT(id) FROM emp", 1, 0.5, 0.4),
        (CITIES, CITIES.replace("DISTINCT ", ""), 1, 1, 0.7),
        (JOIN, ALIASED, 1, 1, 0.318182),
    ],
)
def test_the_sheets_worked_examples(gold, pred, recall, jaccard, bigrams):
    assert schema_linking(gold, pred, "recall") == pytest.approx(recall, abs=1e-6)
    assert schema_linking(gold, pred) == pytest.approx(jaccard, abs=1e-6)
    assert bigram_jaccard(gold, pred) == pytest.approx(bigrams, abs=1e-6)


def test_items_are_unqualified_names_with_their_case_and_without_stars():
    assert schema_items("SELECT T.Name, U.*, COUNT(*) FROM Emp T, dept U") == {"Name", "Emp", "dept"}


def test_the_name_of_a_common_table_expression_counts_as_a_table():
    assert schema_items("WITH rich AS (SELECT name FROM emp) SELECT name FROM rich") == {"name", "emp", "rich"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- SELECT name FROM emp",
        "DELETE FROM emp",
        "SELECT 1; SELECT 2",
        "PRAGMA table_info(emp)",
        "hello",
        "SELECT 'a",
        "WITH x AS (SELECT 1) DELETE FROM emp",
        "INSERT INTO emp SELECT * FROM emp",
        "EXPLAIN SELECT name FROM emp",
        "\x00",
    ],
)
def test_what_is_not_one_query_has_no_items(text):
    assert schema_items(text) is None
    assert schema_linking(GOLD, text) == schema_linking(text, GOLD) == 0.0


def test_a_closing_semicolon_and_a_comment_are_allowed():
    assert schema_linking(GOLD, GOLD + "; -- done") == 1.0
    assert bigram_jaccard(GOLD, GOLD + "; -- done") == 1.0


def test_a_query_of_constants_shares_no_schema_with_itself():
    assert schema_linking("SELECT 1", "SELECT 1") == 0.0


def test_longer_runs_are_compared_if_asked():
    """7 words make 5 runs of three; the changed word is in the last alone: 4 shared of 6."""
    assert bigram_jaccard(GOLD, GOLD.replace("45", "60"), n=3) == pytest.approx(4 / 6)


def test_one_parse_serves_both_measures_and_every_gold(monkeypatch):
    texts = []
    monkeypatch.setattr(similarity, "_parse", lambda text, real=similarity._parse: texts.append(text) or real(text))
    pred = "SELECT name FROM emp WHERE salary > 4545"
    similarity._PARSED.clear()
    for _ in range(3):
        schema_linking(GOLD, pred)
        bigram_jaccard(GOLD, pred)
    assert texts == [GOLD, pred]


def test_the_cache_of_parses_stays_within_its_bytes():
    for number in range(30):
        parsed(f"SELECT {number}, " + ", ".join(f"c{i}" for i in range(500)))
    assert similarity._PARSED.used_bytes <= similarity._PARSED.max_bytes


DEEP = 5_000
HOSTILE = [
    "SELECT " + "(" * DEEP + "1" + ")" * DEEP,
    "SELECT " + "(" * DEEP,
    "SELECT * FROM " + "(SELECT * FROM " * (MAX_CHARS // 16),
    "SELECT " + "CASE WHEN " * (MAX_CHARS // 12) + "1",
    "SELECT " + "NOT " * (MAX_CHARS // 5) + "1",
    "SELECT " + "- " * (MAX_CHARS // 3) + "1",
    "SELECT 1" + "+1" * (MAX_CHARS // 3),
    "SELECT 1 WHERE " + "CAST IS " * (MAX_CHARS // 10),
    "SELECT " + "'" * 9_999,
    "SELECT " + '"' * 9_999,
    "SELECT /*" * 1_000,
    "SELECT 1" + " UNION SELECT 1" * 600,
    "SELECT 1;" * 1_000,
    ";" * 9_999,
    "IF " * 3_000,
    "\x00" * 9_999,
    "SELECT \x00 FROM emp",
    "SELECT '\ud800' FROM emp",
    "SELECT " + "x" * 1_000_000,
    "(" * 1_000_000,
    "SELECT " * 150_000,
    "𝕊ELECT ﬀ FROM \u202eemp",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:16]!r} x {len(text)}")
def test_hostile_text_costs_a_moment_and_keeps_its_place(text):
    start = time.process_time()
    for mode in ("jaccard", "recall"):
        assert 0.0 <= schema_linking(GOLD, text, mode) <= 1.0
    assert 0.0 <= bigram_jaccard(GOLD, text) <= 1.0
    assert time.process_time() - start < 2.0


def test_text_over_the_limits_resembles_nothing():
    long = GOLD + " " * MAX_CHARS
    assert bigram_jaccard(GOLD, long) == schema_linking(GOLD, long) == 0.0
    inside = "SELECT name FROM emp WHERE salary > " + "(" * MAX_NESTING + "45" + ")" * MAX_NESTING
    assert schema_linking(GOLD, inside) == 1.0
    assert schema_linking(GOLD, inside.replace("45", "(45)")) == 0.0


def test_the_parser_never_changes_the_recursion_limit():
    before = sys.getrecursionlimit()
    schema_linking(GOLD, HOSTILE[0])
    assert sys.getrecursionlimit() == before


TOKENS = "SELECT FROM WHERE ( ) , . * = - NOT CASE WHEN END AND IN AS WITH UNION JOIN ON a b emp 1 'x' \" ; -- /*"
SQL_LIKE = st.lists(st.sampled_from(TOKENS.split()), max_size=40).map(" ".join)


@given(SQL_LIKE | st.text(), SQL_LIKE | st.text())
def test_any_two_texts_have_a_share_and_order_does_not_matter_to_jaccard(left, right):
    assert 0.0 <= schema_linking(left, right) <= 1.0
    assert schema_linking(left, right) == schema_linking(right, left)
    assert 0.0 <= bigram_jaccard(left, right) == bigram_jaccard(right, left) <= 1.0


@given(SQL_LIKE)
def test_every_text_with_two_words_is_its_own_best_match(text):
    assert bigram_jaccard(text, text) == float(len(parsed(text).words) >= 2)
