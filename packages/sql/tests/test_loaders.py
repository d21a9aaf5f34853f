import sqlite3

import pytest

from guerdon.errors import TaskError
from guerdon_sql.limits import Result
from guerdon_sql.loaders import bird_descriptions, check_golds, database_in
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.schema_text import database_summary, quoted
from guerdon_sql.workers import Executor


def make_database(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return path


@pytest.mark.parametrize("db_id", ["../secret", "/etc/passwd", "", "..", "a/b", "a\nb"])
def test_a_db_id_that_is_a_path_is_refused(tmp_path, db_id):
    with pytest.raises(TaskError, match="not the plain name of a database"):
        database_in([tmp_path], nested=False)(db_id, "row 1")


def test_a_missing_database_lists_where_it_was_looked_for(tmp_path):
    find = database_in([tmp_path / "one", tmp_path / "two"], nested=True)
    with pytest.raises(
        TaskError, match=r"row 7: no database 'shop'; looked for .*one/shop/shop\.sqlite' and .*two/shop"
    ):
        find("shop", "row 7")


def test_descriptions_are_read_in_all_the_encodings_they_come_in(tmp_path):
    folder = tmp_path / "database_description"
    folder.mkdir()
    header = "original_column_name,column_name,column_description,data_format,value_description\n"
    (folder / "Emp.csv").write_bytes(("\ufeff" + header + 'City ,city,"the city,\nof birth",text,\n').encode("utf-8"))
    (folder / "dept.csv").write_bytes(
        (header + "name,,caf\u00e9,text,\nbudget,yearly budget,,real,\n").encode("latin-1")
    )
    assert bird_descriptions(tmp_path / "x.sqlite") == {
        ("emp", "city"): "the city, of birth",
        ("dept", "name"): "caf\u00e9",
        ("dept", "budget"): "yearly budget",
    }


def question(path, *gold):
    return SqlQuestion(id="q1", question="?", db_id="d", database=str(path), gold=gold)


def test_a_gold_that_does_not_run_is_named_with_file_question_and_database(tmp_path):
    path = make_database(tmp_path / "d.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    with pytest.raises(TaskError, match=r"dev\.json: the gold query of q1 on .*d\.sqlite: .*no such table: missing"):
        check_golds([question(path, "SELECT a FROM missing")], on_bad="raise", source="dev.json")


def test_a_bad_gold_leaves_its_question_and_a_question_without_golds_leaves(tmp_path):
    path = make_database(tmp_path / "d.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    good, bad = "SELECT a FROM t", "SELECT b FROM t"
    questions, dropped = check_golds([question(path, bad, good), question(path, bad)], on_bad="drop", source="dev.json")
    assert [each.gold for each in questions] == [(good,)]
    assert len(dropped) == 2
    assert "no such column: b" in dropped[0]


def test_golds_are_checked_by_the_rules_of_scoring(tmp_path):
    """100,001 rows are more than a reward compares: such a gold would leave every answer unscored."""
    path = make_database(tmp_path / "d.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    long = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) SELECT x FROM n"
    fits, too_long = long.format(100_000), long.format(100_001)
    questions, dropped = check_golds([question(path, fits, too_long)], on_bad="drop", source="dev.json")
    assert [each.gold for each in questions] == [(fits,)]
    assert "truncated" in dropped[0]


def test_a_gold_that_reads_the_clock_stays_for_a_reward_that_freezes_it(tmp_path):
    path = make_database(tmp_path / "d.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    runs, fails = "SELECT date('now')", "SELECT date('now'), b FROM t"
    questions, dropped = check_golds([question(path, runs, fails)], on_bad="drop", source="dev.json")
    assert [each.gold for each in questions] == [(runs,)]
    assert "no such column: b" in dropped[0]


@pytest.mark.parametrize("on_bad", ["raise", "drop"])
def test_trouble_of_ours_never_drops_a_question(tmp_path, monkeypatch, on_bad):
    path = make_database(tmp_path / "d.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (1);")

    def lost(self, items, limits):
        return [Result("infra", error="no process to be had") for _ in items]

    monkeypatch.setattr(Executor, "prove_many", lost)
    with pytest.raises(TaskError, match=r"dev\.json: could not run .*no process to be had.*this machine's trouble"):
        check_golds([question(path, "SELECT a + 0 FROM t")], on_bad=on_bad, source="dev.json")


SHOP = """
CREATE TABLE dept (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE emp (id INTEGER PRIMARY KEY, dept_id INTEGER REFERENCES dept, "full name" TEXT, "order" INT);
CREATE TABLE works (emp INTEGER REFERENCES emp(id), dept INTEGER REFERENCES dept(id), PRIMARY KEY (emp, dept));
"""


def test_the_compact_summary_is_a_line_per_table(tmp_path):
    path = make_database(tmp_path / "d.sqlite", SHOP)
    assert database_summary(path).splitlines() == [
        "dept(id, name)",
        'emp(id, dept_id -> dept.id, "full name", "order")',
        "works(emp -> emp.id, dept -> dept.id)",
    ]


def test_the_create_summary_builds_the_same_columns_and_keys(tmp_path):
    """SQLite itself reads the summary back: an empty database made from it has the same summary."""
    path = make_database(tmp_path / "d.sqlite", SHOP)
    text = database_summary(path, "create")
    again = make_database(tmp_path / "again.sqlite", text)
    assert database_summary(again, "create") == text
    assert '  "full name" TEXT,' in text
    assert "  PRIMARY KEY (emp, dept)" in text


def test_descriptions_stand_as_comments(tmp_path):
    path = make_database(tmp_path / "d.sqlite", SHOP)
    notes = {("dept", "name"): "as on the door"}
    assert "  name TEXT -- as on the door" in database_summary(path, "create", descriptions=notes)
    assert database_summary(path, descriptions=notes, tables=["DEPT"]) == "dept(id, name)\n-- name: as on the door"


def test_what_is_no_database_is_said_so(tmp_path):
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to be looked at as one by its header" * 9)
    with pytest.raises(TaskError, match="cannot read the schema of"):
        database_summary(tmp_path / "text.sqlite")
    with pytest.raises(TaskError, match="no database at"):
        database_summary(tmp_path / "nowhere.sqlite")


@pytest.mark.parametrize(
    ("name", "text"), [("emp", "emp"), ("a b", '"a b"'), ("Order", '"Order"'), ('q"', '"q"""'), ("1st", '"1st"')]
)
def test_names_are_quoted_where_sql_needs_it(name, text):
    assert quoted(name) == text
