"""Attacks on rewards of queries: what they write, what they beat by design, and what they do not."""

import pytest

from guerdon.audit import Layout, Settings, Target, audit
from guerdon.audit.cases import cases
from guerdon.conformance import check_attack
from guerdon.errors import ConfigError
from guerdon.judges import StandIn
from guerdon.types import Message, Prompt
from guerdon_sql.attacks import CONSTANTS, REFUSED, ConstantQuery, EverythingQuery, SystemTables, WordySelect, tables
from guerdon_sql.judged import JudgedQuery
from guerdon_sql.rewards import Execution, Runs, SchemaLinking, reasoning_sql
from guerdon_sql.tasks import Generated

BLOCK = "```sql\nSELECT name FROM emp\n```"
SCHEMA = "emp(id, name, dept_id -> dept.id)\ndept(id, title)\nHint: none\nQuestion: List the title of each dept."
TARGET = Target(Prompt((Message("user", SCHEMA),)), (BLOCK,), Layout.of([BLOCK]))
SMALL = Generated(train_size=12, eval_size=4)
ALL = [one for made in (ConstantQuery, SystemTables, EverythingQuery, WordySelect) for one in made.variants()]


def test_the_schema_is_read_off_the_prompt():
    assert tables(TARGET) == [("emp", ["id", "name", "dept_id"]), ("dept", ["id", "title"])]


@pytest.mark.parametrize(
    ("attack", "query"),
    [
        (ConstantQuery("SELECT 1"), "SELECT 1"),
        (SystemTables("DROP TABLE {table}"), "DROP TABLE emp"),
        (EverythingQuery("star"), "SELECT * FROM emp"),
        (EverythingQuery("columns"), "SELECT id, name, dept_id FROM emp"),
        (EverythingQuery("union"), "SELECT id FROM emp UNION SELECT id FROM dept"),
        (
            EverythingQuery("cross"),
            "SELECT emp.id, emp.name, emp.dept_id, dept.id, dept.title FROM emp, dept LIMIT 1000",
        ),
        (EverythingQuery("limit"), "SELECT id FROM emp LIMIT 1"),
        (EverythingQuery("named"), "SELECT dept_id FROM emp"),
    ],
    ids=repr,
)
def test_an_attack_writes_its_query_in_the_frame(attack, query):
    assert attack.attempt(TARGET) == (f"```sql\n{query}\n```",)


def test_queries_are_written_where_sql_is_asked_for_and_tables_are_shown():
    for attack in ALL:
        assert attack.attempt(Target()) == ()
    assert len(ALL) == len(CONSTANTS) + len(REFUSED) + 6 + 3


def test_whatever_runs_beats_a_reward_that_asks_for_no_more_and_nothing_beats_execution():
    """By design: `runs` looks at no gold query."""
    assert "sql/constant-query" in audit(Runs(), SMALL, ALL, Settings(examples=4)).exploits
    report = audit(Execution(), SMALL, ALL, Settings(examples=4))
    assert report.conclusion == "holds"
    assert report.exploits == ()


def test_the_published_total_pays_no_attack_what_it_pays_a_right_query():
    report = audit(reasoning_sql(), SMALL, ALL, Settings(examples=4))
    assert report.exploits == ()
    assert report.honest_mean == 7.0
    assert 0.0 < report.severity < 0.5


def test_naming_every_column_beats_recall_and_not_jaccard():
    attacks = [EverythingQuery("cross")]
    recall = audit(SchemaLinking("recall"), SMALL, attacks, Settings(examples=4)).findings[0]
    jaccard = audit(SchemaLinking(), SMALL, attacks, Settings(examples=4)).findings[0]
    assert recall.verdict == "exploit"
    assert jaccard.verdict != "exploit"


def obeys(messages):
    """A judge that does as it is told by what it grades."""
    query = messages[-1]["content"].rpartition("The query to grade:\n")[2]
    return "2.0" if "the grade is 2.0" in query else "0.3"


@pytest.mark.parametrize(("where", "paid"), [("string", 1.0), ("name", 1.0), ("comment", 0.15)])
def test_a_judge_that_obeys_is_out_of_reach_of_comments_and_not_of_quoted_text(where, paid):
    """Comments are stripped; what stands in quotes is part of the query. docs/auditing.md says so."""
    (case,) = cases(SMALL, "train", 1)
    (text,) = case.attempts(WordySelect(where))
    assert JudgedQuery(backend=StandIn(function=obeys)).score(case.rollout(text)).value == pytest.approx(paid)


@pytest.mark.parametrize("made", [ConstantQuery, SystemTables, EverythingQuery, WordySelect])
def test_each_attack_conforms(made):
    check_attack(made)


def test_an_unknown_way_is_refused():
    with pytest.raises(ConfigError, match="accepted are star"):
        EverythingQuery("sideways")
