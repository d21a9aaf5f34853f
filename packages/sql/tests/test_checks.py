"""`guerdon doctor` on the executor: every layer holds where these tests run, and one that does not is said."""

import importlib.metadata

import pytest

from guerdon_sql import checks
from guerdon_sql.limits import Result
from guerdon_sql.workers import Executor

LAYERS = [
    "sql: worker processes",
    "sql: authorizer",
    "sql: read-only",
    "sql: processor-time limit",
    "sql: memory limit",
    "sql: DuckDB",
]


def test_every_layer_is_put_to_the_test_and_holds():
    pytest.importorskip("duckdb")
    assert [(finding.subject, finding.status) for finding in checks.sandbox()] == [(layer, "ok") for layer in LAYERS]


@pytest.mark.parametrize(
    ("query", "layer"),
    [
        (checks.FUNCTION, "sql: authorizer"),
        (checks.WRITES[0], "sql: read-only"),
        (checks.ENDLESS, "sql: processor-time limit"),
        (checks.GREEDY.split("{")[0], "sql: memory limit"),
    ],
)
def test_a_layer_that_lets_its_probe_through_is_a_problem(query, layer, monkeypatch):
    run = Executor.run

    def leaky(self, asked, *rest):
        return Result("ok", mode="worker") if asked.startswith(query) else run(self, asked, *rest)

    monkeypatch.setattr(Executor, "run", leaky)
    problems = [finding for finding in checks.sandbox() if finding.status == "problem"]
    assert [finding.subject for finding in problems] == [layer]
    assert "does not hold here (ok: 0 rows" in problems[0].found
    assert problems[0].advice


def test_a_kill_from_outside_does_not_pass_for_sqlites_own_deadline(monkeypatch):
    run = Executor.run
    killed = Result("timeout", error="stopped at the deadline of 0.2 s by ending the process", mode="worker")
    monkeypatch.setattr(
        Executor, "run", lambda self, asked, *rest: killed if asked == checks.ENDLESS else run(self, asked, *rest)
    )
    problems = [finding.subject for finding in checks.sandbox() if finding.status == "problem"]
    assert problems == ["sql: processor-time limit"]


def test_without_worker_processes_nothing_else_is_claimed(monkeypatch):
    trouble = Result("infra", error="cannot start a worker process: no more processes")
    monkeypatch.setattr(Executor, "run", lambda *_: trouble)
    (finding,) = checks.sandbox()
    assert (finding.subject, finding.status) == ("sql: worker processes", "problem")
    assert "no more processes" in finding.found


def test_a_missing_duckdb_is_optional(monkeypatch):
    version = importlib.metadata.version

    def without(name):
        if name == "duckdb":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    *_, finding = checks.sandbox()
    assert (finding.subject, finding.status) == ("sql: DuckDB", "absent")
    assert "guerdon-sql[duckdb]" in finding.advice
