"""`SqlQuestion`: one question over one database, as every task of this package yields it."""

from __future__ import annotations

from guerdon.types import Example


class SqlQuestion(Example):
    """A question, the database it is about, and the queries that answer it right."""

    question: str
    """What is asked, in the user's words."""
    db_id: str
    """The database's short name; examples of one split share no `db_id` with the other."""
    database: str
    """Path of the database file."""
    gold: tuple[str, ...]
    """Queries any of which is right: a prediction is right when it agrees with one of them. At least one."""
    evidence: str = ""
    """A hint that goes with the question (BIRD's `evidence`, defog's instructions)."""
    schema_text: str = ""
    """The part of the schema that the prompt shows, as CREATE statements."""
    level: str = ""
    """How hard it is, in the words of its source."""
    tables: tuple[str, ...] = ()
    """Tables the gold query reads, where known."""
