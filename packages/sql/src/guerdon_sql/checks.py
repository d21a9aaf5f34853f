"""What `guerdon doctor` shows of the executor: each layer that confines a query, put to the test on this machine.

A layer is `ok` if a query made to get past it was stopped there. Each probe tries one thing; what the layers hold
against is tested at length by the package's own tests, and what they do not cover stands at the head of `execute` and
`workers`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from guerdon.diagnostics.findings import Finding
from guerdon_sql.limits import Limits, Result
from guerdon_sql.workers import BY_KILL, Executor

_DEADLINE_S = 0.2
_MEMORY_BYTES = 32 * 2**20
_ADVICE = "do not score queries of unknown intent on this machine"

WRITES = ("WITH x AS (SELECT 1) DELETE FROM t", "ATTACH 'planted.sqlite' AS planted", "CREATE TEMP TABLE t (a)")
FUNCTION = "SELECT randomblob(1)"
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r"
GREEDY = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 500) SELECT count(DISTINCT {}) FROM r"
READS_A_FILE = "SELECT * FROM read_csv('{}')"


def sandbox() -> Iterator[Finding]:
    """One finding per layer; about a second."""
    limits = Limits(memory_bytes=_MEMORY_BYTES)
    with tempfile.TemporaryDirectory(prefix="guerdon-doctor-") as folder, Executor(1, limits) as executor:
        path = Path(folder) / "probe.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        before = path.read_bytes()

        plain = executor.run("SELECT a FROM t", path)
        separate = plain.ok and plain.mode == "worker"
        yield _layer("worker processes", separate, "queries run in processes of their own", plain)
        if not separate:
            return

        refused = executor.run(FUNCTION, path)
        authorized = refused.status == "rejected" and "not allowed" in refused.error
        yield _layer("authorizer", authorized, f"refuses what is not on its list ({refused.error})", refused)

        writes = [executor.run(query, path) for query in WRITES]
        untouched = path.read_bytes() == before and [each.name for each in Path(folder).iterdir()] == [path.name]
        kept = untouched and all(result.status == "rejected" for result in writes)
        yield _layer(
            "read-only", kept, "writing, attaching and temporary tables are refused; nothing was left", *writes
        )

        endless = executor.run(ENDLESS, path, replace(limits, deadline_s=_DEADLINE_S))
        spent = f"an endless query of {_DEADLINE_S:g} s ended after {endless.cpu_s:.2f} processor seconds"
        interrupted = endless.status == "timeout" and not endless.error.endswith(BY_KILL)  # the kill is behind it
        yield _layer("processor-time limit", interrupted, spent, endless)

        greedy = executor.run(GREEDY.format("printf('%.*c', 900000, 'a') || x"), path)
        bounded = greedy.status == "fail" and "memory" in greedy.error
        said = f"a query that asks for 450 MB of {_MEMORY_BYTES // 2**20} MiB was stopped"
        yield _layer("memory limit", bounded, said, greedy)

        yield _duckdb(Path(folder), executor)


def _duckdb(folder: Path, executor: Executor) -> Finding:
    """DuckDB reads files by name in any query, unless it is told not to."""
    try:
        version = importlib.metadata.version("duckdb")
    except importlib.metadata.PackageNotFoundError:
        return Finding("sql: DuckDB", "not installed", "absent", "python -m pip install 'guerdon-sql[duckdb]'")
    import duckdb

    path, secret = folder / "probe.duckdb", folder / "secret.csv"
    secret.write_text("a\n1\n")
    duckdb.connect(str(path)).close()
    reads = executor.run(READS_A_FILE.format(secret), path, Limits(memory_bytes=256 * 2**20))
    return _layer("DuckDB", reads.status == "rejected", f"{version}, external access disabled", reads)


def _layer(name: str, holds: bool, said: str, *tried: Result) -> Finding:
    if holds:
        return Finding(f"sql: {name}", said)
    got = "; ".join(f"{result.status}: {result.error or f'{len(result.rows)} rows'}" for result in tried)
    return Finding(f"sql: {name}", f"does not hold here ({got})", "problem", _ADVICE)
