"""No text raises, changes a file, or holds a core past its deadline; and no known cheat earns anything."""

import hashlib
import os
import sqlite3
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guerdon_sql.compare import compare
from guerdon_sql.execute import Limits, run
from guerdon_sql.workers import Executor

DEADLINE_S = 0.3
SLACK_S = 2.0
"""Grace before a worker is killed, its replacement's start, and a busy machine."""
LIMITS = Limits(deadline_s=DEADLINE_S, max_rows=10_000, memory_bytes=128 * 2**20)
BIG = "printf('%.*c', 900000, 'a')"
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT "

REFUSED = [
    "",
    " ",
    "\n\n",
    "-- nothing",
    "/* nothing */",
    "/* not even closed",
    ";",
    ";;;",
    "; SELECT 1",
    "DELETE FROM singer",
    "UPDATE singer SET age = 1",
    "INSERT INTO singer VALUES (9, 'x', 1)",
    "REPLACE INTO singer VALUES (1, 'x', 1)",
    "DROP TABLE singer",
    "ALTER TABLE singer RENAME TO s",
    "CREATE TABLE x(a)",
    "CREATE TEMP TABLE singer AS SELECT * FROM main.singer WHERE 0",
    "CREATE TEMP VIEW singer AS SELECT 1",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "CREATE TRIGGER x AFTER INSERT ON singer BEGIN SELECT 1; END",
    "WITH x AS (SELECT 1) DELETE FROM singer",
    "WITH x AS (SELECT 1) INSERT INTO singer SELECT 9, 'x', 1",
    "WITH x AS (SELECT 1) UPDATE singer SET age = 0",
    "SELECT 1; DELETE FROM singer",
    "ATTACH 'planted.sqlite' AS planted",
    "ATTACH ':memory:' AS planted",
    "DETACH main",
    "PRAGMA query_only=0",
    "PRAGMA writable_schema=1",
    "PRAGMA table_info(singer)",
    "SELECT * FROM pragma_query_only",
    "SELECT * FROM pragma_table_info('singer')",
    "VACUUM",
    "VACUUM INTO 'planted.sqlite'",
    "REINDEX",
    "ANALYZE",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT x",
    "EXPLAIN SELECT * FROM singer",
    "EXPLAIN QUERY PLAN SELECT 1",
    "VALUES (1, 'Ann', 30)",
    "SELECT 1\0",
    "\0",
    "\ud800",
    "SELECT '\udfff'",
    "SELECT load_extension('planted')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT zeroblob(10)",
    "SELECT hex(randomblob(16))",
    "SELECT name FROM singer ORDER BY random()",
    "SELECT length(replace(hex(zeroblob(200000000)), '0', 'ab'))",
    "SELECT " + "x" * 1_000_000,
    "x" * 1_000_000,
    "'" * 99_999,
    "((((((" * 10_000,
]
FAILING = [
    "SELECT 'open",
    'SELECT "open',
    "SELECT [open",
    "SELECT `open",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('planted.txt', 'x')",
    "SELECT edit('x')",
    "SELECT name FROM singer WHERE name REGEXP '(a+)+b'",
    "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "SELECT " + "NOT " * 5_000 + "1",
    "SELECT " + "-" * 1 + "+-" * 5_000 + "1",
    "SELECT " + "+".join("1" * 5_000),
    "SELECT " + ", ".join("1" * 600),
    " UNION ALL ".join(["SELECT 1"] * 5_000),
    "SELECT * FROM " + ", ".join(f"singer s{number}" for number in range(100)),
    "SELECT 1 IN (SELECT " * 300 + "1" + ")" * 300,
    "WITH " + ", ".join(f"a{n} AS (SELECT * FROM a{n - 1} x, a{n - 1} y)" for n in range(1, 40)) + " SELECT * FROM a39",
    f"SELECT {BIG} || {BIG}",
    f"SELECT 'b' LIKE '{'%a' * 2_000}'",
    f"SELECT json('{'[' * 5_000}')",
    "SELECT json_extract('{', '$')",
]
BOMBS = [
    "SELECT group_concat(a.name || b.name || c.name || d.name || e.name || f.name) FROM "
    + ", ".join(f"singer {name}" for name in "abcdefghij"),
    f"{ENDLESS}count(*) FROM r",
    f"{ENDLESS}x FROM r WHERE x < 0",
    f"{ENDLESS}max(x) FROM r ORDER BY 1",
    f"{ENDLESS}group_concat(x) FROM r",
    f"{ENDLESS}json_group_array(x) FROM r",
    f"{ENDLESS}sum(x) OVER (ORDER BY x) FROM r",
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x + 1 FROM r) SELECT count(*) FROM r",
    f"WITH RECURSIVE r(x, s) AS (SELECT 1, 'a' UNION ALL SELECT x + 1, {BIG} || x FROM r) "
    "SELECT count(DISTINCT s) FROM r",
    "SELECT count(*) FROM " + ", ".join(f"singer s{number}" for number in range(20)),
    "SELECT * FROM " + ", ".join(f"singer s{number}" for number in range(20)),
    f"{ENDLESS}x FROM r",
    f"{ENDLESS}{BIG} FROM r",
    f"{ENDLESS}{', '.join([BIG] * 50)} FROM r",
    f"WITH RECURSIVE r(x, s) AS (SELECT 1, {BIG} UNION ALL SELECT x + 1, s FROM r) "
    "SELECT sum(s LIKE '%a%a%a%a%a%b') FROM r",
    f"SELECT {BIG} LIKE '{'%a' * 400}%b'",
    f"SELECT {BIG} GLOB '{'*a' * 400}*b'",
    f"SELECT {BIG} GLOB '{'*[a-z]' * 150}b'",
    f"SELECT instr({BIG}, substr({BIG}, 1, 450000) || 'b')",
    f"SELECT length(replace({BIG}, substr({BIG}, 1, 450000) || 'b', 'c'))",
    f"SELECT length(trim({BIG}, substr({BIG}, 1, 450000) || 'b'))",
    "SELECT printf('%.*c', 2000000000, 'a')",
    "SELECT format('%2000000000d', 1)",
    "SELECT printf('%.2000000000f', 1.0)",
    f"{ENDLESS}(SELECT length(replace(hex({BIG}), '6', 'ab'))) FROM r WHERE x < 0",
    f"SELECT count(*) FROM json_each('[{','.join('1' * 40_000)}]') a, json_each('[{','.join('1' * 1_000)}]') b, singer",
]
QUICK = [*REFUSED, *FAILING]


@pytest.fixture(scope="module")
def singers(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "singers.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE singer(id INTEGER PRIMARY KEY, name TEXT, age INTEGER)")
        rows = [(number, f"singer {number}", 20 + number % 50) for number in range(50)]
        connection.executemany("INSERT INTO singer VALUES (?, ?, ?)", rows)
    connection.close()
    return path


@pytest.fixture(scope="module")
def executor():
    with Executor(workers=1, limits=LIMITS) as executor:
        executor.run("SELECT 1", "none")
        yield executor


@pytest.fixture(autouse=True)
def untouched(singers, tmp_path, monkeypatch):
    """Every test here runs in an empty folder and must leave it, the database and its folder as they were."""
    monkeypatch.chdir(tmp_path)
    before = _state(singers)
    yield
    assert _state(singers) == before
    assert os.listdir(tmp_path) == []


def _state(path):
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, sorted(os.listdir(path.parent))


def _shown(text):
    return repr(text[:50])


@pytest.mark.parametrize("query", REFUSED, ids=_shown)
def test_what_is_not_one_plain_query_is_rejected(singers, executor, query):
    for result in (run(query, singers, LIMITS), executor.run(query, singers)):
        assert result.status == "rejected"
        assert result.error
        assert result.rows == []


@pytest.mark.parametrize("query", FAILING, ids=_shown)
def test_what_cannot_run_fails_with_a_reason(singers, executor, query):
    result = executor.run(query, singers)
    assert result.status in ("fail", "rejected"), result
    assert result.error


@pytest.mark.parametrize("query", BOMBS, ids=_shown)
def test_no_bomb_outlives_its_deadline_or_passes_for_an_answer(singers, executor, query):
    result = executor.run(query, singers)
    assert result.cpu_s < DEADLINE_S + SLACK_S
    assert result.status in ("timeout", "fail", "truncated") or len(result.rows) == 1, result.status
    after = executor.run("SELECT count(*) FROM singer", singers)
    assert after.rows == [(50,)]


def test_a_batch_of_nothing_but_hostile_texts_loses_no_honest_one(singers, executor):
    texts = [text for place, query in enumerate(QUICK) for text in (query, f"SELECT {place}, count(*) FROM singer")]
    results = executor.run_many([(text, singers) for text in texts])
    assert [result.rows for result in results[1::2]] == [[(place, 50)] for place in range(len(QUICK))]
    assert not any(result.ok for result in results[::2])


@pytest.mark.parametrize("gold", ["SELECT name FROM singer WHERE age > 1000", "SELECT name FROM singer"])
@pytest.mark.parametrize("cheat", [*REFUSED[:22], "SELECT 1 WHERE 0; DELETE FROM singer"], ids=_shown)
def test_the_published_cheats_earn_nothing(singers, executor, gold, cheat):
    """Run before the gold on one connection, these emptied or shadowed its table, and empty equals empty."""
    got, wanted = executor.run_many([(cheat, singers), (gold, singers)])
    assert wanted.ok
    assert not (got.ok and compare(got.rows, wanted.rows))


def test_the_gold_of_an_empty_answer_is_met_by_an_honest_empty_answer(singers, executor):
    got, wanted = executor.run_many(
        [("SELECT id FROM singer WHERE 0", singers), ("SELECT name FROM singer WHERE age > 1000", singers)]
    )
    assert got.ok
    assert compare(got.rows, wanted.rows)


def test_a_wide_and_long_result_cannot_exhaust_this_process(singers):
    """Fifty columns of 0.9 MB in each of fifty rows are 2 GB; the caps end it after a row or two."""
    query = f"SELECT {', '.join([BIG] * 50)} FROM singer"
    start = time.process_time()
    assert run(query, singers, Limits(deadline_s=5.0, max_bytes=2**20)).status == "truncated"
    assert run(query, singers, Limits(deadline_s=0.1)).status in ("truncated", "timeout")
    assert time.process_time() - start < 4.0


VOCABULARY = """
SELECT FROM WHERE singer name age id , * ( ) ' " ; -- /* */ = < + || 1 0.5 'a' x'ff' NULL WITH RECURSIVE AS r UNION ALL
GROUP BY ORDER LIMIT 3 OFFSET JOIN ON count max group_concat LIKE GLOB CASE WHEN THEN END OVER PARTITION VALUES PRAGMA
ATTACH CREATE TEMP TABLE DELETE INSERT INTO DROP VACUUM json_each date 'now' strftime ? :a @b random printf
"""
WORDS = st.sampled_from(VOCABULARY.split())
HONEST = "SELECT name, count(*) FROM singer GROUP BY name HAVING age > 3"
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.characters(), max_size=30).map(lambda text: f"SELECT {text}"),
    st.lists(WORDS, max_size=25).map(" ".join),
    st.lists(WORDS, max_size=25).map(lambda words: "SELECT " + " ".join(words)),
    st.builds(
        lambda query, at, piece: query[: at % len(query)] + piece + query[at % len(query) + 1 :],
        st.sampled_from([HONEST, *(query for query in FAILING if len(query) < 300)]),
        st.integers(0, 10_000),
        st.one_of(st.characters(), WORDS),
    ),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
def test_any_text_gives_a_result(singers, text):
    start = time.process_time()
    result = run(text, singers, LIMITS)
    assert time.process_time() - start < DEADLINE_S + SLACK_S
    assert result.status in ("ok", "fail", "timeout", "rejected", "truncated")
    assert (result.error == "") == result.ok
    assert result.ok or result.status == "truncated" or result.rows == []
    if result.ok:
        assert all(len(row) == len(result.columns) for row in result.rows)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, max_size=8))
def test_a_worker_says_what_this_process_says(singers, executor, texts):
    batch = executor.run_many([(text, singers) for text in texts])
    for text, result in zip(texts, batch, strict=True):
        here = run(text, singers, LIMITS)
        if "timeout" not in (here.status, result.status):
            assert (result.status, result.rows, result.error) == (here.status, here.rows, here.error)
