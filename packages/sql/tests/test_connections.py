"""Connections that are kept: no query finds another's traces on them, nor yesterday's file."""

import os
import sqlite3
import time

import pytest

from guerdon_sql import connections
from guerdon_sql.connections import Connections, Unopened
from guerdon_sql.execute import run
from guerdon_sql.file_states import SETTLED_NS
from guerdon_sql.limits import Limits
from guerdon_sql.workers import Executor

SETTLE_S = SETTLED_NS / 1e9 + 0.02


def write(path, script):
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()


@pytest.fixture
def table(tmp_path):
    """A settled file with one table `t` of one column `a` and the rows 1, 2, 3."""
    path = tmp_path / "t.sqlite"
    write(path, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)")
    time.sleep(SETTLE_S)
    return path


@pytest.fixture
def opened(monkeypatch):
    """The paths opened so far."""
    paths = []

    class Counted(connections.Connection):
        def __init__(self, path, *rest):
            paths.append(path)
            super().__init__(path, *rest)

    monkeypatch.setattr(connections, "Connection", Counted)
    return paths


def test_one_file_is_opened_once_for_many_queries(table, opened):
    kept = Connections()
    queries = [
        "SELECT sum(a) FROM t",
        "SELECT nobody FROM t",
        "DELETE FROM t",
        "SELECT random()",
        "SELECT count(*) FROM t",
    ]
    statuses = [run(query, table, Limits(), kept).status for query in queries]
    assert statuses == ["ok", "fail", "rejected", "rejected", "ok"]
    assert opened == [str(table)]


def test_without_kept_connections_each_query_opens_the_file(table, opened):
    for _ in range(2):
        assert run("SELECT sum(a) FROM t", table).rows == [(6,)]
    assert opened == [str(table)] * 2


@pytest.mark.parametrize("how", ["in place", "in place, times put back", "replaced"])
def test_a_changed_file_is_opened_anew(table, opened, how):
    kept, before = Connections(), os.stat(table)
    assert run("SELECT sum(a) FROM t", table, Limits(), kept).rows == [(6,)]
    if how == "replaced":
        other = table.with_name("other.sqlite")
        write(other, "CREATE TABLE t (a); INSERT INTO t VALUES (10), (20), (30)")
        os.replace(other, table)
    else:
        write(table, "UPDATE t SET a = 10 * a")
    if how == "in place, times put back":
        os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run("SELECT sum(a) FROM t", table, Limits(), kept).rows == [(60,)]
    assert len(opened) == 2


def test_a_file_changed_just_now_is_not_kept_open(table, opened):
    """A second change within one tick of the kernel's clock leaves the same times."""
    write(table, "UPDATE t SET a = 0")
    kept = Connections()
    for _ in range(2):
        assert run("SELECT sum(a) FROM t", table, Limits(), kept).rows == [(0,)]
    assert len(opened) == 2


def test_a_query_stopped_at_its_deadline_takes_its_connection_along(table, opened):
    kept = Connections()
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    limits = Limits(deadline_s=0.05)
    assert run(endless, table, limits, kept).status == "timeout"
    assert run("SELECT sum(a) FROM t", table, limits, kept).rows == [(6,)]
    assert len(opened) == 2


def test_each_query_has_the_whole_of_its_own_deadline(table):
    """Four queries of 0.1 s or more on one connection whose limit is 0.3 s: the clock starts anew for each."""
    kept, limits = Connections(), Limits(deadline_s=0.3)
    counting = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) SELECT count(*) FROM n"
    rows = 10_000
    while run(counting.format(rows), table, limits, kept).cpu_s < 0.1:
        rows *= 2
    spent = [run(counting.format(rows), table, limits, kept) for _ in range(4)]
    assert [result.status for result in spent] == ["ok"] * 4
    assert sum(result.cpu_s for result in spent) > 0.3


def test_limits_and_clocks_do_not_mix(table):
    kept = Connections()
    assert run("SELECT 1 UNION ALL SELECT 2", table, Limits(), kept).ok
    assert run("SELECT 1 UNION ALL SELECT 2", table, Limits(max_selects=1), kept).status == "fail"
    assert run("SELECT 1 UNION ALL SELECT 2", table, Limits(), kept).ok
    for now in ("2020-01-01 00:00:00", "2021-01-01 00:00:00"):
        assert run("SELECT date('now')", table, Limits(now=now), kept).rows == [(now[:10],)]
    assert run("SELECT date('now')", table, Limits(), kept).rows[0][0] > "2021-01-01"


def test_table_valued_functions_are_let_in_and_the_door_is_shut_again(table):
    kept = Connections()
    assert run("SELECT sum(a) FROM t", table, Limits(), kept).rows == [(6,)]
    assert run("SELECT sum(value) FROM json_each('[1, 2]')", table, Limits(), kept).rows == [(3,)]
    assert run("SELECT count(*) FROM json_tree('[1, 2]')", table, Limits(), kept).rows == [(3,)]
    for cheat in ("WITH x AS (SELECT 1) DELETE FROM t", "SELECT * FROM pragma_query_only -- json_each"):
        assert run(cheat, table, Limits(), kept).status == "rejected"


def test_text_that_is_not_utf8_is_read_so_only_for_its_own_query(table):
    kept = Connections()
    assert run("SELECT CAST(x'ff41' AS TEXT)", table, Limits(), kept).rows == [("\udcffA",)]
    assert run("SELECT 'é'", table, Limits(), kept).rows == [("é",)]


def test_a_truncated_query_leaves_nothing_running(table):
    kept, few = Connections(), Limits(max_rows=1)
    assert run("SELECT a FROM t", table, few, kept).status == "truncated"
    assert run("SELECT a FROM t WHERE a = 2", table, few, kept).rows == [(2,)]


def test_no_more_files_stay_open_than_there_is_room_for(tmp_path, opened):
    paths = [tmp_path / f"{number}.sqlite" for number in range(4)]
    for path in paths:
        write(path, "CREATE TABLE t (a)")
    time.sleep(SETTLE_S)
    kept = Connections(room=2)
    for _ in range(3):
        for path in paths:
            assert run("SELECT a FROM t", path, Limits(), kept).rows == []
    held = {os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
    assert len(held & {os.path.realpath(path) for path in paths}) == 2
    assert len(opened) == 12  # the least recently used goes first: in turn, each is gone when it is asked for again


def test_a_damaged_file_is_said_to_be_one(tmp_path):
    path = tmp_path / "cut.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"\x07" * 4096)
    with pytest.raises(Unopened) as caught, Connections().lend("SELECT 1", str(path), Limits(), ()):
        pass
    assert caught.value.outcome[0] == "invalid"


def test_a_worker_sees_a_file_change_between_two_queries(table):
    with Executor(workers=1) as executor:
        for factor in (1, 10, 100):
            assert executor.run("SELECT sum(a) FROM t", table).rows == [(6 * factor,)]
            assert executor.run("SELECT max(a) FROM t", table).rows == [(3 * factor,)]
            write(table, "UPDATE t SET a = 10 * a")


def test_a_virtual_table_is_refused_by_name_also_after_a_view_has_opened_it(tmp_path):
    path = tmp_path / "words.sqlite"
    try:
        write(
            path, "CREATE VIRTUAL TABLE w USING fts5(a); INSERT INTO w VALUES ('x'); CREATE VIEW v AS SELECT a FROM w"
        )
    except sqlite3.OperationalError as error:
        pytest.skip(f"this SQLite has no FTS5: {error}")
    time.sleep(SETTLE_S)
    kept = Connections()
    by_name = "SELECT a FROM w"
    first, _, third = (run(query, path, kept=kept).status for query in (by_name, "SELECT a FROM v", by_name))
    assert (first, third) == ("rejected", "rejected")
