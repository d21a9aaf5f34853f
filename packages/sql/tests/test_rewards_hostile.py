"""Whatever a policy writes: a score within bounds, the same one twice, an untouched database, and no core held."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_sql.metrics import SoftF1
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.rewards import Execution, Runs, SchemaLinking, reasoning_sql

GOLD = "SELECT name FROM emp WHERE salary > 45"
NOBODY = "SELECT name FROM emp WHERE city = 'Paris'"
TIMEOUT_S = 0.5

CHEATS = [
    "",
    " ",
    ";",
    "-- SELECT name FROM emp WHERE salary > 45",
    "/* SELECT name FROM emp WHERE salary > 45 */",
    "DELETE FROM emp",
    "DELETE FROM emp RETURNING name",
    "INSERT INTO emp SELECT * FROM emp",
    "UPDATE emp SET salary = 46",
    "DROP TABLE emp",
    "CREATE TEMP TABLE emp AS SELECT * FROM main.emp WHERE 0",
    "CREATE TABLE copy AS SELECT * FROM emp",
    "ATTACH 'stolen.sqlite' AS other",
    "PRAGMA query_only = 0",
    "PRAGMA table_info(emp)",
    "SELECT * FROM pragma_table_info('emp')",
    "VACUUM INTO 'stolen.sqlite'",
    "EXPLAIN SELECT name FROM emp WHERE salary > 45",
    "VALUES ('Ann')",
    "BEGIN; SELECT name FROM emp WHERE salary > 45",
    "SELECT name FROM emp WHERE salary > 45; DELETE FROM emp",
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('stolen', 'x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT random() FROM emp",
    "WITH gone AS (SELECT 1) DELETE FROM emp",
    "REPLACE INTO emp (id) VALUES (1)",
    "REINDEX",
    "ANALYZE",
]

HEAVY = [
    "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT * FROM t",
    "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT COUNT(*) FROM t",
    "SELECT length(replace(hex(zeroblob(200000000)), '0', 'ab'))",
    "SELECT printf('%.*c', 2000000000, 'x')",
    "SELECT " + "a." * 300 + "b FROM emp a",
    "SELECT * FROM " + ", ".join(f"emp e{i}" for i in range(20)),
    "SELECT name FROM emp WHERE name LIKE '" + "%a" * 400 + "'",
    "SELECT group_concat(a.name || b.name) FROM emp a, emp b, emp c, emp d, emp e, emp f, emp g, emp h",
    "SELECT " + "date(" * 19_000,
]

ODD = [
    "\x00",
    GOLD + "\x00",
    "\ud800",
    "SELECT '\ud800'",
    "SELECT x'00'",
    "SELECT NULL",
    "SELECT 9e999, -9e999, 9e999 - 9e999",
    "SELECT 9223372036854775807 + 1",
    "SELECT CAST(x'ff' AS TEXT)",
    "SELECT 'a' AS \"x\ny\"",
    "SELECT " + "1," * 600 + "1",
    "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "SELECT 1" + " UNION SELECT 1" * 400,
    "SELECT '" + "x" * 1_000_000 + "'",
    "x" * 1_000_000,
    "```sql" * 100_000,
    "<reasoning>" * 50_000,
    "<answer>\n```sql\nSELECT 1",
    "<reasoning>\n</reasoning>\n<answer>\n```sql\n" + GOLD + "\n```\n</answer>" * 2,
    "IF " * 2_000,
    "𝓢ELECT 名前 FROM emp",
]


def short(text):
    return f"{text[:24]!r}.{len(text)}"


@pytest.fixture(scope="module")
def score(employees):
    def score(reward, text, gold=GOLD):
        question = SqlQuestion(id="q", question="?", db_id="employees", database=str(employees), gold=(gold,))
        return Context().scores(reward, [Group.of([Rollout.of(question, text)])])[0][0]

    return score


@pytest.mark.parametrize("cheat", CHEATS, ids=short)
def test_a_known_cheat_earns_nothing_for_running_or_being_right(score, cheat, employees):
    before = employees.read_bytes(), sorted(employees.parent.iterdir())
    for gold in (GOLD, NOBODY):  # the second has no rows: what returns none must not count as equal to it
        for reward in (Execution(), Runs(), SoftF1()):
            found = score(reward, cheat, gold)
            assert found.value == 0.0, (reward, found)
            assert found.status in ("rejected", "fail")
    assert (employees.read_bytes(), sorted(employees.parent.iterdir())) == before


def test_listing_every_column_beats_nobody_under_jaccard(score):
    """5 columns and the table, of which 3 are right: 3 / 6; recall pays 1."""
    every = "SELECT id, name, dept_id, salary, city FROM emp"
    assert score(SchemaLinking(), every).value == 0.5
    assert score(SchemaLinking("recall"), every).value == 1.0
    assert score(Execution(), every).value == 0.0


@pytest.mark.parametrize("text", [*HEAVY, *ODD], ids=short)
def test_heavy_and_odd_texts_end_in_time_and_score_the_same_twice(score, text, employees):
    before = employees.read_bytes()
    total = reasoning_sql(timeout_s=TIMEOUT_S)
    start = time.process_time()
    found = score(total, text)
    assert time.process_time() - start < 4.0  # the query's own time is its worker's, which ends it
    assert found.scored
    assert total.bounds[0] <= found.value <= total.bounds[1]
    assert found.value < 7.0
    again = score(total, text)
    assert (again.value, again.status) == (found.value, found.status)
    assert all(len(part.why) <= 160 for part in found.parts.values())
    assert employees.read_bytes() == before


@pytest.mark.parametrize("reading", ["repaired", "paper", "released"])
def test_every_reading_survives_everything_at_once(employees, reading):
    question = SqlQuestion(id="q", question="?", db_id="employees", database=str(employees), gold=(GOLD,))
    rollouts = [Rollout.of(question, text) for text in [*CHEATS, *ODD, *HEAVY[:3]]]
    total = reasoning_sql(reading=reading, timeout_s=TIMEOUT_S)
    for found in Context().scores(total, [Group.of(rollouts)])[0]:
        assert found.scored
        assert total.bounds[0] <= found.value <= total.bounds[1]


DOUBLED = ", ".join(f"a{n} AS (SELECT max(p.x) x FROM a{n - 1} p, a{n - 1} q)" for n in range(1, 24))
ENDLESS_TO_COMPILE = f"INSERT INTO dept (id) WITH a0 AS (SELECT 1 x), {DOUBLED} SELECT x FROM a23"
"""Each level doubles what SQLite expands before it runs anything; with 23 of them it never ends."""


@pytest.mark.parametrize("reading", ["repaired", "paper", "released"])
def test_compiling_what_is_not_run_is_boxed_in_as_well(employees, reading):
    question = SqlQuestion(id="q", question="?", db_id="employees", database=str(employees), gold=(GOLD,))
    texts = [ENDLESS_TO_COMPILE, "DELETE FROM emp", "DELETE FROM nowhere", ";"]
    start = time.process_time()
    rollouts = [Rollout.of(question, text) for text in texts]
    (found,) = Context().scores(Runs(reading=reading, timeout_s=TIMEOUT_S), [Group.of(rollouts)])
    assert time.process_time() - start < 0.5
    assert [score.value for score in found] == ([0.0] * 4 if reading == "repaired" else [0.0, 1.0, 0.0, 1.0])
    assert found[0].status in ("timeout", "rejected")  # as it runs out of time or of memory


WORDS = (
    "SELECT FROM WHERE name emp salary ( ) , * ; ' \" ` [ ] -- /* */ 45 > = AS e . \x00 DELETE é ```sql ``` LIMIT UNION"
)
TAGS = ["<reasoning>\n", "\n</reasoning>\n", "\n<answer>\n", "\n</answer>", "\n"]
PIECES = [*WORDS.split(), *TAGS]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join))
def test_any_text_at_all_has_a_score_within_bounds_and_the_same_one_twice(score, text):
    for total in (reasoning_sql(timeout_s=TIMEOUT_S), reasoning_sql(reading="released", timeout_s=TIMEOUT_S)):
        first, second = score(total, text), score(total, text)
        assert first == second
        assert first.scored
        assert total.bounds[0] <= first.value <= total.bounds[1]


# -- real databases ---


@pytest.fixture(scope="module")
def real(data_dir):
    lines = (data_dir / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        SqlQuestion(
            id=row["id"],
            question=row["question"],
            db_id=row["db_id"],
            database=str(data_dir / "databases" / f"{row['db_id']}.sqlite"),
            gold=tuple(row["gold_sql"]),
        )
        for row in map(json.loads, lines)
    ]


def test_every_real_gold_query_earns_the_top_and_so_does_every_alternative(real):
    groups = [Group.of([Rollout.of(question, gold) for gold in question.gold]) for question in real]
    assert len(groups) == 222
    for reward in (Execution(), Runs(), SoftF1()):
        for group, row in zip(groups, Context().scores(reward, groups), strict=True):
            assert [score.value for score in row] == [1.0] * len(row), (reward.name, group.example.id)


def test_a_gold_laid_out_as_asked_earns_seven(real):
    answers = [
        Group.of([Rollout.of(q, f"<reasoning>\n</reasoning>\n<answer>\n```sql\n{q.gold[0]}\n```\n</answer>")])
        for q in real
    ]
    for (score,) in Context().scores(reasoning_sql(), answers):
        assert score.value == 7.0, score


def test_another_questions_gold_is_almost_never_right(real):
    """Of 3,000 pairs of first golds of one database 17 agree as sets, mostly small answers: 34, asked both ways.

    (The data's notes count 3,001 pairs: one is of two questions with the same gold query.)
    """
    firsts = [question.model_copy(update={"gold": question.gold[:1]}) for question in real]
    groups = [
        Group.of(
            [Rollout.of(one, other.gold[0]) for other in firsts if other.db_id == one.db_id and other.gold != one.gold]
        )
        for one in firsts
    ]
    scores = Context().scores(Execution(), groups)
    assert sum(map(len, groups)) == 2 * 3000
    assert sum(score.value for row in scores for score in row) <= 2 * 17
