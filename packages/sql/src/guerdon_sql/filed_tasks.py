"""Tasks whose questions somebody else wrote: the folders of BIRD and Spider, and JSON lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Split
from guerdon_sql.loaders import (
    BIRD,
    JSONL,
    SPIDER,
    SchemaText,
    Source,
    bird_descriptions,
    check_golds,
    database_in,
    questions_of,
)
from guerdon_sql.options import whole
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.schema_text import database_summary
from guerdon_sql.sql_tasks import SqlTask

Hints = Literal["evidence", "evidence_full", "none"]


@dataclass(frozen=True, kw_only=True)
class _Filed(SqlTask):
    """A task whose questions somebody else wrote."""

    root: str = ""
    """The folder that holds everything."""
    limit: int | None = None
    """Take so many rows of each split, from the top; None for all."""
    check: Literal["run", "none"] = "run"
    """`run` every gold when a split is loaded, or trust them."""
    on_bad: Literal["raise", "drop"] = "raise"
    """What a gold that does not run does: stop with a TaskError, or leave and be listed in `dropped`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.root:
            raise ConfigError(f"root of {self.name} is empty; the path of a folder is needed")
        if self.limit is not None:
            whole("limit", self.limit, 1)
        one_of("check", self.check, ("run", "none"))
        one_of("on_bad", self.on_bad, ("raise", "drop"))

    @cached_property
    def _dropped(self) -> dict[str, tuple[str, ...]]:
        return {}

    @property
    def dropped(self) -> tuple[str, ...]:
        """Golds left out of the splits loaded so far: id, database and reason of each."""
        return tuple(line for lines in self._dropped.values() for line in lines)

    @property
    def _folder(self) -> Path:
        folder = Path(self.root).expanduser()
        if not folder.is_dir():
            raise TaskError(f"root of {self.name} is {self.root!r}, which is not a folder")
        return folder

    def _checked(self, split: Split, questions: Sequence[SqlQuestion], source: Path) -> tuple[SqlQuestion, ...]:
        if self.check == "none":
            return tuple(questions)
        kept, self._dropped[split] = check_golds(questions, on_bad=self.on_bad, source=str(source))
        return tuple(kept)


@dataclass(frozen=True, kw_only=True)
class Folder(_Filed):
    """BIRD's or Spider's files as they are unpacked.

    BIRD: rows of `question, db_id, SQL, evidence`, perhaps `question_id, difficulty`; `<db_id>/<db_id>.sqlite` in root
    or in `train_databases`, `dev_databases`, `databases`. Spider: rows of `question, query, db_id`; databases in
    `database`. Other fields are left alone.
    """

    name: ClassVar[str] = "sql/folder-v1"

    source: Source = "auto"
    """Whose layout: `bird`, `spider`, or `auto`: by the first row's fields."""
    train: str = ""
    """File of the train split, in root; empty: the first there of `train.json`, `train_spider.json`."""
    eval: str = ""
    """File of the eval split; empty: `dev.json`."""
    databases: str = ""
    """Folder of the databases, in root; empty: the usual ones."""
    descriptions: bool = False
    """Put BIRD's column descriptions into the schema text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("source", self.source, get_args(Source))

    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read the split's file."""
        root = self._folder
        usual = ("train.json", "train_spider.json") if split == "train" else ("dev.json",)
        named = (self.train if split == "train" else self.eval) or next(
            (name for name in usual if (root / name).is_file()), usual[0]
        )
        rows = list(read_rows(root / named, "questions"))
        if not rows:
            return ()
        bird = self.source == "bird" or (self.source == "auto" and "SQL" in rows[0].fields)
        if self.source == "auto" and not bird and "query" not in rows[0].fields:
            raise TaskError(
                f"{rows[0].place} has neither the field 'SQL' (BIRD) nor 'query' (Spider), but "
                f"{', '.join(rows[0].fields) or 'none'}"
            )
        short = "train" if split == "train" else "dev"
        usual_folders = (f"{short}_databases", "databases", "database", ".")
        folders = [root / self.databases] if self.databases else [root / name for name in usual_folders]

        def schema_text(db_id: str, path: Path) -> str:
            notes = bird_descriptions(path) if self.descriptions else None
            return database_summary(path, self.schema_style, descriptions=notes)

        found = questions_of(
            rows,
            BIRD if bird else SPIDER,
            database_in([folder for folder in folders if folder.is_dir()] or folders[-1:], nested=True),
            schema_text,
            stem=f"{'bird' if bird else 'spider'}-{short}",
            limit=self.limit,
        )
        return self._checked(split, found, root / named)


@dataclass(frozen=True, kw_only=True)
class JsonLines(_Filed):
    """Rows of `db_id, question, gold_sql`, perhaps `id, evidence, category`, one JSON object a line.

    `gold_sql` is a query or a list of them, any of which is right. Databases are `databases/<db_id>.sqlite`; column
    descriptions come from `schemas.jsonl` where it is there. One file serves both splits, parted by database.
    """

    name: ClassVar[str] = "sql/jsonl-v1"

    questions: str = "questions.jsonl"
    """The file, in root."""
    train_databases: tuple[str, ...] = ()
    """Databases to learn from; the questions on all others are the eval split."""
    hints: Hints = "evidence"
    """Which field the prompt's hint is from; `evidence_full` falls back to none where the row has null."""
    descriptions: bool = False
    """Put the column descriptions of `schemas.jsonl` into the schema text."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "train_databases", tuple(self.train_databases))
        one_of("hints", self.hints, get_args(Hints))

    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read the rows whose database belongs to the split."""
        root = self._folder
        path = root / self.questions
        rows = list(read_rows(path, "questions"))
        known = {row.fields.get("db_id") for row in rows}
        for db_id in self.train_databases:
            if db_id not in known:
                there = ", ".join(sorted(map(str, known)))
                raise ConfigError(
                    f"train_databases has {db_id!r}, about which {str(path)!r} asks nothing; it has {there}"
                )
        rows = [row for row in rows if (row.fields.get("db_id") in self.train_databases) == (split == "train")]
        found = questions_of(
            rows,
            JSONL,
            database_in([root / "databases"], nested=False),
            self._schema_text(root / "schemas.jsonl"),
            stem=f"{path.stem}-{split}",
            evidence="" if self.hints == "none" else self.hints,
            limit=self.limit,
        )
        return self._checked(split, found, path)

    def _schema_text(self, path: Path) -> SchemaText:
        notes: dict[str, dict[tuple[str, str], str]] = {}
        if self.descriptions and path.is_file():
            for row in read_rows(path, "schemas"):
                try:
                    notes[row.fields["db_id"]] = {
                        (table["name"].lower(), column["name"].lower()): column["description"] or ""
                        for table in row.fields["tables"]
                        for column in table["columns"]
                    }
                except (KeyError, TypeError, AttributeError) as error:
                    raise TaskError(
                        f"{row.place} is not of the form db_id, tables [name, columns [name, description]]: {error!r}"
                    ) from error
        return lambda db_id, database: database_summary(database, self.schema_style, descriptions=notes.get(db_id))
