"""The same promises for DuckDB files."""

import hashlib
import os

import pytest

from guerdon_sql.execute import Limits, run
from guerdon_sql.workers import Executor

duckdb = pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")

COUNT = "SELECT count(*) AS n FROM singer"
LIMITS = Limits(deadline_s=0.5, max_rows=1_000, memory_bytes=256 * 2**20)


@pytest.fixture(scope="module")
def singers(tmp_path_factory):
    path = tmp_path_factory.mktemp("duck") / "singers.duckdb"
    with duckdb.connect(str(path)) as connection:
        columns = "range AS id, 'singer ' || range AS name, 20 + range % 50 AS age"
        connection.execute(f"CREATE TABLE singer AS SELECT {columns} FROM range(50)")
    return path


@pytest.fixture(scope="module")
def executor():
    with Executor(workers=1, limits=LIMITS) as executor:
        yield executor


@pytest.fixture(autouse=True)
def untouched(singers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = hashlib.sha256(singers.read_bytes()).hexdigest(), sorted(os.listdir(singers.parent))
    yield
    assert (hashlib.sha256(singers.read_bytes()).hexdigest(), sorted(os.listdir(singers.parent))) == before
    assert os.listdir(tmp_path) == []


def test_the_kind_of_file_decides_who_reads_it(singers, executor):
    for result in (run(COUNT, singers, LIMITS), executor.run(COUNT, singers)):
        assert (result.status, result.columns, result.rows) == ("ok", ("n",), [(50,)])


def test_cells_become_plain_values(singers):
    query = (
        "SELECT 1.5::DECIMAL(10, 2), 5::DECIMAL(10, 0), true, NULL, 'a'::BLOB, DATE '2020-01-31', "
        "[1, 2], {'a': 1}, 170141183460469231731687303715884105727, 'inf'::DOUBLE"
    )
    assert run(query, singers, LIMITS).rows == [
        (1.5, 5, True, None, b"a", "2020-01-31", (1, 2), (("a", 1),), 2**127 - 1, float("inf"))
    ]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "DELETE FROM singer",
        "INSERT INTO singer VALUES (1, 'x', 2)",
        "WITH x AS (SELECT 1) DELETE FROM singer",
        "WITH x AS (SELECT 1) INSERT INTO singer SELECT 1, 'x', 2",
        "CREATE TEMP TABLE singer AS SELECT 1",
        "COPY singer TO 'planted.csv'",
        "COPY (SELECT 1) TO 'planted.csv'",
        "EXPORT DATABASE 'planted'",
        "ATTACH 'planted.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET threads = 8",
        "SET enable_external_access = true",
        "CALL pragma_version()",
        "FROM singer",
        "EXPLAIN SELECT 1",
        "DESCRIBE singer",
        "CHECKPOINT",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT random()",
        "SELECT * FROM singer ORDER BY random() LIMIT 1",
        "SELECT * FROM singer USING SAMPLE 1",
        "SELECT uuid()",
        "SELECT uuidv4()",
        "SELECT uuidv7()",
        "SELECT 1\0",
        "SELECT '\ud800'",
    ],
)
def test_what_is_not_one_plain_query_on_this_file_is_rejected(singers, query):
    result = run(query, singers, LIMITS)
    assert result.status == "rejected", result
    assert result.error


@pytest.mark.parametrize(
    "query",
    [
        "SELECT",
        "SELECT 'open",
        "SELECT nobody FROM singer",
        "SELECT * FROM '/etc/passwd'",
        "SELECT getenv('HOME')",
        "SELECT 1 / 'x'",
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT " + "+".join("1" * 5_000),
        "SELECT " + ", ".join("1" * 600),
    ],
    ids=lambda query: query[:30],
)
def test_what_cannot_run_fails_with_a_reason(singers, query):
    result = run(query, singers, LIMITS)
    assert result.status == "fail"
    assert result.error


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM singer a, singer b, singer c, singer d, singer e, singer f",
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
        "SELECT length(repeat('a', 2000000000))",
        "SELECT list_sum(range(300000000))",
        "SELECT * FROM singer a, singer b, singer c",
    ],
)
def test_no_bomb_outlives_its_deadline(singers, executor, query):
    executor.run("SELECT 1", singers)  # importing DuckDB into a fresh worker is not the query's time
    result = executor.run(query, singers)
    assert result.status in ("timeout", "fail", "truncated")
    assert result.cpu_s < 3.0


@pytest.mark.parametrize(
    "query",
    [
        "SELECT current_date",
        "SELECT current_localtime(), current_localtimestamp()",
        "SELECT transaction_timestamp()",
        "SELECT get_current_time()",
        "SELECT age(TIMESTAMP '2020-01-31')",
    ],
)
def test_a_frozen_clock_refuses_what_it_cannot_freeze(singers, query):
    assert run(query, singers, Limits(now="2024-01-01")).status == "rejected"
    assert run(query, singers).ok


def test_a_damaged_file_is_the_tasks_fault(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "cut.duckdb"
    path.write_bytes(b"\0" * 8 + b"DUCK" + b"\xff" * 9_000)
    assert run("SELECT 1", path).status in ("invalid", "infra")


def test_without_the_extra_the_reason_names_it(singers, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    result = run("SELECT 1", singers)
    assert result.status == "infra"
    assert "guerdon-sql[duckdb]" in result.error
