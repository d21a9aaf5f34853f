"""The executor on honest queries: what it returns, and in which words it declines."""

import errno
import hashlib
import marshal
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from guerdon_sql import executions, file_states
from guerdon_sql.execute import Limits, is_deterministic, run
from guerdon_sql.file_states import SETTLED_NS
from guerdon_sql.gold import gold_results
from guerdon_sql.workers import Executor, default_executor

DEPT = [(1, "Sales", "Oslo"), (2, "R&D", "Bergen"), (3, "HR", "Oslo")]
EMP = [
    (1, "Ann", 1, 50, "Oslo"),
    (2, "Bob", 2, 70, "Bergen"),
    (3, "Cid", 2, 70, "Oslo"),
    (4, "Dee", 1, 40, None),
    (5, "Eve", None, 90, "Bergen"),
]


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The two tables of the Reasoning-SQL sheet, in a file whose name needs percent-encoding."""
    path = tmp_path_factory.mktemp("a?b#c d%41") / "company;x=1&mode=rw.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE dept(id, name, city)")
        connection.execute("CREATE TABLE emp(id, name, dept_id, salary, city)")
        connection.executemany("INSERT INTO dept VALUES (?, ?, ?)", DEPT)
        connection.executemany("INSERT INTO emp VALUES (?, ?, ?, ?, ?)", EMP)
    connection.close()
    return path


@pytest.fixture(scope="module")
def executor():
    with Executor(workers=2) as executor:
        yield executor


@pytest.fixture(params=["process", "worker"])
def execute(request, executor):
    return run if request.param == "process" else executor.run


def test_rows_keep_their_types(execute, company):
    result = execute("SELECT 1, 2.5, 'x', x'00ff', NULL, 9223372036854775807", company)
    assert result.status == "ok"
    assert result.ok
    assert result.rows == [(1, 2.5, "x", b"\x00\xff", None, 2**63 - 1)]
    assert [type(cell) for cell in result.rows[0]] == [int, float, str, bytes, type(None), int]
    assert 0 < result.elapsed_s < 5


def test_a_path_with_odd_characters_is_the_path_meant(execute, company):
    result = execute("SELECT name AS who, salary FROM emp WHERE salary > 60 ORDER BY id", company)
    assert (result.columns, result.rows) == (("who", "salary"), [("Bob", 70), ("Cid", 70), ("Eve", 90)])


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM emp;",
        "SELECT count(*) FROM emp; -- done",
        "/* first */ -- a comment\n SELECT count(*) FROM emp",
        "WITH e AS (SELECT * FROM emp) SELECT count(*) FROM e",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5) SELECT max(x) FROM n",
        "SELECT count(value) FROM json_each('[1, 2, 3, 4, 5]')",
        "SELECT count(*) FROM json_tree('[1, 2, 3, 4]')",
        "SELECT row_number() OVER (ORDER BY salary) FROM emp ORDER BY 1 DESC LIMIT 1",
        "SELECT length(group_concat(substr(name, 1, 1), '')) FROM emp",
        "SELECT 5 FROM dept WHERE city LIKE 'ber%' AND name GLOB 'R*'",
    ],
)
def test_honest_forms_run(execute, company, query):
    assert execute(query, company).rows == [(5,)]


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("", "rejected", "not a query"),
        ("  \n\t", "rejected", "not a query"),
        ("-- nothing", "rejected", "not a query"),
        ("/* open", "rejected", "not a query"),
        (";", "rejected", "not a query"),
        ("hello", "rejected", "HELLO"),
        ("VALUES (1)", "rejected", "VALUES"),
        ("EXPLAIN SELECT 1", "rejected", "EXPLAIN"),
        ("EXPLAIN QUERY PLAN SELECT 1", "rejected", "EXPLAIN"),
        ("SELECT 1; SELECT 2", "rejected", "more than one statement"),
        ("SELECT 1; DROP TABLE emp", "rejected", "more than one statement"),
        ("SELECT 'a\0b'", "rejected", "NUL"),
        ("SELECT '\ud800'", "rejected", "surrogate"),
        ("SELECT " + "1" * 100_001, "rejected", "more than 100,000"),
        ("SELECT '" + "é" * 60_000 + "'", "rejected", "bytes"),
        ("SELECT", "fail", "incomplete"),
        ("SELECT 'open", "fail", "unrecognized token"),
        ("SELECT nobody FROM emp", "fail", "no such column: nobody"),
        ("SELECT * FROM nowhere", "fail", "no such table: nowhere"),
        ("SELECT name FORM emp WHERE salary > 45", "fail", "syntax error"),
        ("SELECT ?", "fail", "binding"),
        ("SELECT random()", "rejected", "random"),
        ("SELECT * FROM emp ORDER BY RANDOM() LIMIT 1", "rejected", "random"),
        ("SELECT abs(-9223372036854775808)", "fail", "overflow"),
    ],
)
def test_each_refusal_has_its_word_and_reason(execute, company, query, status, reason):
    result = execute(query, company)
    assert result.status == status
    assert reason.lower() in result.error.lower()
    assert result.rows == []
    assert not result.ok


def test_a_missing_or_broken_database_is_the_tasks_fault(execute, tmp_path):
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "pointer.sqlite").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "cut.sqlite").write_bytes(b"SQLite format 3\0" + b"\x07" * 4096)
    for name in ("missing.sqlite", "empty.sqlite", "pointer.sqlite", "cut.sqlite", "", ".", "a\0b"):
        result = execute("SELECT * FROM sqlite_master", tmp_path / name if name else "")
        assert result.status == "invalid", name
        assert result.error
    assert not (tmp_path / "missing.sqlite").exists()


def test_too_many_rows_or_bytes_is_truncated_never_equal(execute, company):
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) SELECT x FROM n"
    few = Limits(max_rows=10)
    assert execute(numbers.format(10), company, few).status == "ok"
    over = execute(numbers.format(11), company, few)
    assert (over.status, len(over.rows)) == ("truncated", 10)
    wide = execute("SELECT printf('%.*c', 60000, 'x') FROM emp", company, Limits(max_bytes=200_000))
    assert wide.status == "truncated"
    assert "bytes" in wide.error


def test_text_that_is_not_utf8_is_kept_apart(execute, company):
    result = execute("SELECT CAST(x'ff41' AS TEXT), CAST(x'fe41' AS TEXT)", company)
    assert result.rows == [("\udcffA", "\udcfeA")]


def test_a_frozen_clock_reaches_every_form(execute, company):
    query = (
        "SELECT date('now'), date(), datetime('NOW', '+1 day'), CURRENT_DATE, current_timestamp, CURRENT_TIME, "
        "strftime('%Y', 'now'), strftime('%d'), julianday('now') - julianday('2024-02-28'), "
        "date('2020-01-31', '+1 month'), time(NULL)"
    )
    result = execute(query, company, Limits(now="2024-02-28 12:00:00"))
    expected = ("2024-02-28", "2024-02-28", "2024-02-29 12:00:00", "2024-02-28", "2024-02-28 12:00:00", "12:00:00")
    assert result.rows == [(*expected, "2024", "28", 0.5, "2020-03-02", None)]


def test_an_unreadable_clock_is_a_plain_failure(execute, company):
    assert execute("SELECT date('now')", company, Limits(now="soon")).status == "fail"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1", True),
        ("SELECT 'random()', \"now\" FROM t -- random()", True),
        ("SELECT random FROM t", True),
        ("SELECT RANDOM ()", False),
        ("SELECT hex(randomblob(4))", False),
        ("SELECT date('now')", False),
        ("SELECT date(' NOW ', '-1 day')", False),
        ("SELECT date()", False),
        ("SELECT strftime('%Y')", False),
        ("SELECT strftime('%Y', born) FROM t", True),
        ("SELECT date(born) FROM t", True),
        ("SELECT CURRENT_TIMESTAMP", False),
        ('SELECT "current_date" FROM t', True),
        ("SELECT now()", False),
        ("SELECT date(trim('now'))", False),
        ("SELECT date(max(born, died)), strftime('%Y', max('1', '2')) FROM t", True),
        ("SELECT strftime(max('%Y', '%d'))", False),
        ("SELECT date(born), 'now' FROM t WHERE x IN ('now')", True),
        ("SELECT max(date(born), time()) FROM t", False),
        ("SELECT (date('now'", False),
        ("SELECT today()", False),
        ("SELECT transaction_timestamp()", False),
        ("SELECT get_current_time()", False),
        ("SELECT get_current_timestamp()", False),
        ("SELECT current_localtime()", False),
        ("SELECT current_localtimestamp()", False),
        ("SELECT age(born) FROM t", False),
        ("SELECT age(died, born) FROM t", True),
        ("SELECT age, today, avg(age) FROM t", True),
    ],
)
def test_chance_and_clock_are_seen_in_the_text(query, expected):
    assert is_deterministic(query) is expected
    assert is_deterministic(query, clock_frozen=True) is (expected or "random" not in query.lower())


@pytest.mark.parametrize(
    "unit", ["date(", "date(1, (", "(", ")", "'", '"', "`", "[", "/*", "```", "--", "now ", "rand("]
)
def test_reading_any_text_takes_a_moment(unit):
    """100 kB is the longest text that is read at all."""
    start = time.process_time()
    is_deterministic("SELECT date, rand " + unit * (100_000 // len(unit)))
    assert time.process_time() - start < 1.0


def test_an_endless_query_ends_at_its_deadline(execute, company):
    start = time.process_time()
    query = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    assert execute(query, company, Limits(deadline_s=0.2)).status == "timeout"
    assert time.process_time() - start < 1.5


def test_one_long_machine_step_is_ended_by_ending_the_worker(executor, company):
    """printf fills two billion characters before it is told that they are too many: three seconds without a check."""
    long_step = "SELECT printf('%.*c', 2000000000, 'a')"
    items = [(f"SELECT {number}" if number != 5 else long_step, company) for number in range(40)]
    results = executor.run_many(items, Limits(deadline_s=0.3))
    assert [result.status for result in results] == ["ok"] * 5 + ["timeout"] + ["ok"] * 34
    assert [result.rows[0][0] for result in results if result.ok] == [number for number in range(40) if number != 5]
    assert results[5].cpu_s > 0.1


def test_running_out_of_memory_is_the_querys_failure(company):
    query = (
        "WITH RECURSIVE n(x, s) AS (SELECT 1, printf('%.*c', 100000, 'a') UNION ALL SELECT x + 1, s || x FROM n) "
        "SELECT count(*) FROM (SELECT DISTINCT s FROM n)"
    )
    with Executor(workers=1, limits=Limits(memory_bytes=32 * 2**20)) as executor:
        first, second = executor.run_many([(query, company), ("SELECT 1", company)])
    assert (first.status, first.error) == ("fail", "the query ran out of memory")
    assert second.ok


def test_results_come_in_order_and_equal_pairs_run_once(executor, company):
    queries = [f"SELECT {number % 7}" for number in range(100)]
    results = executor.run_many([(query, company) for query in queries])
    assert [result.rows for result in results] == [[(number % 7,)] for number in range(100)]
    assert len({id(result) for result in results}) == 7
    assert executor.run_many([]) == []


def test_large_queries_and_results_cross_the_pipes(executor, company):
    text = "x" * 90_000
    results = executor.run_many([(f"SELECT '{text}', {number} FROM emp, dept" * 1, company) for number in range(40)])
    assert all(result.rows == [(text, number)] * 15 for number, result in enumerate(results))


def test_a_killed_worker_costs_nothing(company):
    with Executor(workers=1) as executor:
        assert executor.run("SELECT 1", company).ok
        executor._pool[0].process.send_signal(signal.SIGKILL)
        time.sleep(0.05)
        results = executor.run_many([("SELECT 2", company), ("SELECT 3", company)])
        assert [result.rows for result in results] == [[(2,)], [(3,)]]


def test_a_query_that_kills_two_workers_is_to_blame_and_the_others_are_not(company, monkeypatch):
    """The fault is planted in the worker's boot text: a segmentation fault whenever the query holds a mark."""
    from guerdon_sql import workers

    planted = (
        "import sys, os, signal; sys.path.append(sys.argv[1]); import guerdon_sql.serve as s; kept = s.run\n"
        "def run(query, *rest):\n"
        "    if 'crash' in query: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return kept(query, *rest)\n"
        "s.run = run; s.main()"
    )
    monkeypatch.setattr(workers, "_BOOT", planted)
    with Executor(workers=2) as executor:
        queries = ["SELECT 'crash'" if number in (3, 9) else f"SELECT {number}" for number in range(20)]
        results = executor.run_many([(query, company) for query in queries])
    assert [result.status for result in results] == ["fail" if number in (3, 9) else "ok" for number in range(20)]
    assert "crashed the worker twice (signal SIGSEGV)" in results[3].error


def each_result(asked, limits):
    visited = []
    executions.each_result(asked, limits, lambda *visit: visited.append(visit))
    return visited


@pytest.fixture
def plant(monkeypatch):
    """Have every worker started in this test run `fault`, which may replace `s.run`, before it serves."""
    from guerdon_sql import workers

    def plant(fault):
        head = "import os, sys, time; sys.path.append(sys.argv[1]); import guerdon_sql.serve as s; kept = s.run\n"
        monkeypatch.setattr(workers, "_BOOT", f"{head}{fault}\ns.main()")

    return plant


def test_an_exception_in_a_worker_is_our_fault(company, plant):
    plant("def run(query, *rest):\n    assert 'bug' not in query\n    return kept(query, *rest)\ns.run = run")
    with Executor(workers=1) as executor:
        results = executor.run_many([(f"SELECT {what}", company) for what in ("1", "'bug'", "2")])
    assert [result.status for result in results] == ["ok", "infra", "ok"]
    assert "exit status 1" in results[1].error


def test_a_worker_that_never_gets_the_processor_is_our_fault(company, plant):
    """It sleeps; after ten deadlines and the grace, 1 s, it is given up."""
    plant("s.run = lambda *_: time.sleep(60)")
    limits = Limits(deadline_s=0.05)
    with Executor(workers=1, limits=limits) as executor:
        result = executor.run("SELECT 1", company)
        assert (result.status, result.error) == ("infra", "the worker did not get the processor")
        assert gold_results([("SELECT 1", company)], limits, executor)[0].status == "infra"


@pytest.mark.parametrize(("cpu_s", "status"), [(2.4, "infra"), (2.6, "timeout")])
def test_a_deadline_by_the_wall_clock_counts_if_half_of_it_was_spent(company, plant, cpu_s, status):
    """DuckDB's is one; the deadline is 5 s."""
    plant(f"s.run = lambda *_: s.Result('timeout', cpu_s={cpu_s})")
    with Executor(workers=1) as executor:
        assert executor.run("SELECT 1", company).status == status


def test_what_waits_behind_a_query_out_of_memory_is_no_suspect(company, plant, monkeypatch):
    """The worker answers and ends by itself; the others in flight it has not looked at."""
    from guerdon_sql import workers

    suspects, lost = [], workers._Batch.lost

    def watched(batch, *rest):
        lost(batch, *rest)
        suspects.extend(batch.suspects)

    monkeypatch.setattr(workers._Batch, "lost", watched)
    plant(
        "s.run = lambda query, *rest: s.Result('fail', error=s.OUT_OF_MEMORY) if 'big' in query else kept(query, *rest)"
    )
    with Executor(workers=1) as executor:
        results = executor.run_many([(f"SELECT {what}", company) for what in ("'big'", "1", "'big', 2", "3")])
    assert [result.error for result in results] == ["the query ran out of memory", ""] * 2
    assert suspects == []


def test_a_hard_limit_on_processor_time_is_left_as_it_is(company, plant):
    """Root may raise it, so that the planted `setrlimit` refuses as the kernel does everybody else."""
    plant(
        "r = s.resource; real = r.setrlimit; real(r.RLIMIT_CPU, (600, 600))\n"
        "def setrlimit(kind, limits):\n"
        "    if kind == r.RLIMIT_CPU and not 0 <= limits[0] <= limits[1] <= 600: raise ValueError('not allowed')\n"
        "    real(kind, limits)\n"
        "r.setrlimit = setrlimit"
    )
    with Executor(workers=1) as executor:
        assert executor.run("SELECT 1", company).rows == [(1,)]
        assert executor.run("SELECT 2", company, Limits(deadline_s=1000.0)).rows == [(2,)]


def test_compiling_says_what_sqlite_accepts_and_runs_nothing(executor, company):
    texts = ["DELETE FROM emp", "DELETE FROM nowhere", "SELECT 1", "PRAGMA user_version = 7", "QUERY PLAN SELECT 1"]
    texts += ["SELECT 1; SELECT 2", "SELECT '\ud800'", "SELECT 1\0", "SELECT " + "1" * 100_000]
    before = company.read_bytes()
    results = executor.compile_many([(text, company) for text in texts])
    assert [result.status for result in results] == ["ok", "fail", "ok", "ok", *["fail"] * 5]
    assert company.read_bytes() == before


def test_workers_that_cannot_start_are_our_fault(company, monkeypatch):
    from guerdon_sql import workers

    monkeypatch.setattr(workers, "_BOOT", "raise SystemExit(7)")
    with Executor(workers=1) as executor:
        result = executor.run("SELECT 1", company)
    assert result.status == "infra"
    assert "exit status 7" in result.error


def test_nothing_is_left_behind(company):
    def handles():
        return len(os.listdir("/proc/self/fd"))

    with Executor(workers=1) as executor:
        executor.run("SELECT 1", company)
        before, pids = handles(), []
        for _ in range(3):
            pids.append(executor._pool[0].process.pid)
            late = executor.run("SELECT printf('%.*c', 2000000000, 'a')", company, Limits(deadline_s=0.01))
            assert late.status == "timeout"
            executor.run_many([(f"SELECT {number}", company) for number in range(50)])
        assert handles() == before
        pids.append(executor._pool[0].process.pid)
    assert len(set(pids)) == 4
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_fork_takes_no_workers_with_it(company):
    executor = default_executor()
    assert executor.run("SELECT 1", company).ok
    child = os.fork()
    if child == 0:
        ok = executor._pool == [] and default_executor().run("SELECT 2", company).rows == [(2,)]
        executor.close()
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert executor.run("SELECT 3", company).rows == [(3,)]


def test_an_executor_pickles_as_its_settings(company):
    copy = pickle.loads(pickle.dumps(Executor(workers=1, limits=Limits(deadline_s=2.0))))
    assert (copy.workers, copy.limits) == (1, Limits(deadline_s=2.0))
    result = run("SELECT 1", company)
    assert pickle.loads(pickle.dumps(result)) == result


def test_threads_may_share_an_executor(executor, company):
    answers = {}

    def ask(number):
        answers[number] = executor.run(f"SELECT {number}", company).rows

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [(number,)] for number in range(8)}


def test_workers_end_with_the_interpreter(company):
    """Even when it is killed: their stdin closes."""
    program = (
        "import sys, os, signal\nfrom guerdon_sql.workers import default_executor\n"
        "executor = default_executor(); executor.run('SELECT 1', sys.argv[1])\n"
        "print(executor._pool[0].process.pid, flush=True)\n"
        "if sys.argv[2] == 'kill': os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for way in ("exit", "kill"):
        command = [sys.executable, "-c", program, str(company), way]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        pid = int(done.stdout)
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists():
                break
            time.sleep(0.02)
        assert not Path(f"/proc/{pid}").exists(), way
        assert "Error" not in done.stderr


@pytest.fixture
def table(tmp_path):
    """A settled file with the value 1 in `t.a`."""
    path = tmp_path / "d.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    connection.close()
    time.sleep(SETTLED_NS / 1e9 + 0.02)
    return path


def update(path, value, times=None):
    """Change the value in place; `times` puts the file's own back, as copying tools do."""
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE t SET a = ?", (value,))
    connection.close()
    if times is not None:
        os.utime(path, ns=times)


def both_answers(path, executor):
    """What the gold and the prediction `SELECT a FROM t` give, by way of the caches."""
    gold = gold_results([("SELECT a FROM t", path)], executor=executor)[0]
    ((_, answer),) = each_result([("SELECT a FROM t", str(path))], Limits())
    return gold.rows[0][0], answer.rows[0][0]


def test_a_gold_result_is_kept_until_the_file_changes(table, executor):
    first = gold_results([("SELECT a FROM t", table)], executor=executor)[0]
    assert first.rows == [(1,)]
    assert gold_results([("SELECT a FROM t", table)] * 2, executor=executor) == [first, first]
    assert gold_results([("SELECT a FROM t", table)], executor=executor)[0] is first
    update(table, 2)
    assert gold_results([("SELECT a FROM t", table)], executor=executor)[0].rows == [(2,)]


def test_an_update_in_place_with_the_times_put_back_is_seen(table, executor):
    """Same file, same length, same time of modification: the time of the last change of status tells."""
    before = os.stat(table)
    assert both_answers(table, executor) == (1, 1)
    update(table, 2, (before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(table).st_mtime_ns == before.st_mtime_ns
    assert both_answers(table, executor) == (2, 2)
    time.sleep(SETTLED_NS / 1e9 + 0.02)
    assert both_answers(table, executor) == (2, 2)


def test_nothing_is_kept_of_a_file_changed_just_now(table, executor, monkeypatch):
    """A second change within one tick of the kernel's clock leaves the same times: here, all changes fall into one."""
    update(table, 2)
    real, frozen = os.stat, os.stat(table)
    monkeypatch.setattr(os, "stat", lambda path, **how: frozen if str(path) == str(table) else real(path, **how))
    monkeypatch.setattr(file_states.time, "time_ns", lambda: frozen.st_ctime_ns + 1)
    assert both_answers(table, executor) == (2, 2)
    update(table, 3)
    assert both_answers(table, executor) == (3, 3)


CLOCK_READERS = ["SELECT datetime('now')", "SELECT count(*) FROM t WHERE a < CURRENT_TIMESTAMP", "SELECT * FROM vd"]


@pytest.fixture
def views(table):
    """Beside `t`, a view that reads the clock, one over that view, and one that only speaks of dates."""
    with sqlite3.connect(table) as connection:
        connection.execute("CREATE VIEW today AS SELECT date('now') AS d")
        connection.execute("CREATE VIEW vd AS SELECT d FROM today")
        connection.execute("CREATE VIEW plain AS SELECT a AS updated FROM t")
    connection.close()
    time.sleep(SETTLED_NS / 1e9 + 0.02)
    return table


@pytest.mark.parametrize("gold", CLOCK_READERS)
def test_a_gold_query_that_reads_the_clock_needs_a_frozen_one(views, executor, gold):
    """Run again later, its own text would earn nothing."""
    result = gold_results([(gold, views)], executor=executor)[0]
    assert (result.status, "set `now`" in result.error) == ("invalid", True)
    assert gold_results([(gold, views)], Limits(now="2020-02-03 04:05:06"), executor)[0].ok


def test_a_gold_query_that_draws_at_random_says_so(views, executor):
    assert "at random" in gold_results([("SELECT a FROM t ORDER BY random()", views)], executor=executor)[0].error


def test_the_frozen_clock_holds_in_views(views, execute):
    """No word of the queries speaks of a date."""
    limits = Limits(now="2020-02-03 04:05:06")
    assert execute("SELECT d FROM vd", views, limits).rows == [("2020-02-03",)]
    assert execute("SELECT * FROM vd, plain", views, limits).rows == [("2020-02-03", 1)]


def test_what_is_asked_of_a_view_that_reads_the_clock_is_not_kept(views, monkeypatch):
    ran = []
    monkeypatch.setattr(
        executions, "_run", lambda asked, *rest, real=executions._run: ran.extend(asked) or real(asked, *rest)
    )
    asked = [(query, str(views)) for query in ("SELECT * FROM VD", "SELECT a FROM t")]
    frozen = Limits(now="2020-02-03 04:05:06")
    for limits in (Limits(), Limits(), frozen, frozen):
        assert all(result.ok for _, result in each_result(asked, limits))
    assert ran == [*asked, asked[0], *asked]


@pytest.mark.parametrize(("code", "status"), [(errno.EMFILE, "infra"), (errno.EIO, "infra"), (errno.EACCES, "invalid")])
def test_trouble_in_reading_a_file_is_not_remembered(table, monkeypatch, code, status):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", fail)
        result = run("SELECT a FROM t", table)
    assert (result.status, os.strerror(code) in result.error) == (status, True)
    assert run("SELECT a FROM t", table).rows == [(1,)]


def test_a_gold_query_that_cannot_judge_is_the_tasks_fault(company, executor, monkeypatch):
    bad = ["SELECT nobody FROM emp", "DELETE FROM emp", "SELECT random()", "SELECT a.* FROM emp a, emp b, emp c"]
    results = gold_results([(query, company) for query in bad], Limits(max_rows=100), executor)
    assert [result.status for result in results] == ["invalid"] * 4
    assert "no such column" in results[0].error


def test_a_gold_query_that_changes_its_answer_judges_nothing(company, plant):
    plant("s.run = lambda *_, count=iter(range(9)): s.Result('ok', ('a',), [(next(count),)])")
    with Executor(workers=1) as executor:
        result = gold_results([("SELECT fickle", company)], executor=executor)[0]
    assert result.status == "invalid"
    assert "two different results" in result.error


@pytest.mark.parametrize(("second", "status"), [("infra", "infra"), ("timeout", "invalid")])
def test_a_gold_query_that_runs_only_once_judges_nothing(company, plant, second, status):
    plant(f"s.run = lambda *_, runs=iter(('ok', '{second}')): s.Result(next(runs), ('a',), cpu_s=5.0)")
    with Executor(workers=1) as executor:
        assert gold_results([("SELECT tired", company)], executor=executor)[0].status == status


def test_each_of_a_gold_querys_two_runs_has_a_deadline_of_its_own(company, plant):
    """They take 0.8 s each of the 1 s allowed; a worker is ended from outside half a second after its time."""
    plant(
        "def run(*_):\n    end = time.process_time() + 0.8\n    while time.process_time() < end: pass\n"
        "    return s.Result('ok', ('a',), [(1,)])\ns.run = run"
    )
    with Executor(workers=1) as executor:
        assert gold_results([("SELECT 1", company)], Limits(deadline_s=1.0), executor)[0].ok


def test_no_query_leaves_a_trace_on_the_file(executor, company):
    def state():
        found = company.stat()
        return hashlib.sha256(company.read_bytes()).hexdigest(), found.st_mtime_ns, sorted(os.listdir(company.parent))

    before = state()
    for query in ("SELECT * FROM emp", "DELETE FROM emp", "SELECT 1; DELETE FROM emp"):
        run(query, company)
        executor.run(query, company)
    assert state() == before


def test_the_workers_imports_stay_light():
    """A worker starts without site-packages: nothing it imports may come from there."""
    root = str(Path(sys.modules["guerdon_sql"].__file__).parent.parent)
    program = "import sys; sys.path.append(sys.argv[1]); import guerdon_sql.serve; print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, root], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150


def test_limits_cross_the_pipe_as_plain_values():
    from dataclasses import astuple

    assert Limits(*marshal.loads(marshal.dumps(astuple(Limits(now="2024-01-01"))))) == Limits(now="2024-01-01")


def test_each_result_is_handed_over_while_others_run(executor, company):
    """Each has 10,000 bytes, in all 15 MB: no more than what is in flight is in memory at any time."""
    items = [(f"SELECT printf('%.*c', 10000, 'x'), {number % 1500}", company) for number in range(2000)]
    seen = {}
    tracemalloc.start()
    try:
        executor.run_each(items, lambda place, result: seen.setdefault(place, result.rows[0][1]))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == {number: number % 1500 for number in range(2000)}
    assert peak_bytes < 6e6


def test_what_a_visit_raises_is_raised_and_the_executor_goes_on(executor, company):
    items = [(f"SELECT {number}", company) for number in range(300)]

    def visit(place, result):
        raise KeyError(place)

    with pytest.raises(KeyError):
        executor.run_each(items, visit)
    assert [result.rows for result in executor.run_many(items)] == [[(number,)] for number in range(300)]


def test_visiting_results_in_short_turns_visits_each_once(company, monkeypatch):
    monkeypatch.setattr(executions, "AT_ONCE", 40)
    executions.forget()
    asked = [(f"SELECT {number % 150}", str(company)) for number in range(200)]
    for _ in range(2):
        visited = each_result(asked, Limits())
        assert sorted(pair for pair, _ in visited) == sorted(asked[:150])
        assert all(result.rows == [(int(query.split()[1]),)] for (query, _), result in visited)
