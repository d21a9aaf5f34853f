"""Questions from files: the folder layouts of BIRD and Spider, and JSON lines.

Pure reading: a file becomes `SqlQuestion`s whose databases exist, and everything wrong with it is a `TaskError` that
names the file, the row, the field and what is accepted. Whether the golds run is `check_golds`' business.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from guerdon.errors import TaskError
from guerdon.parsing.rows import FileRow
from guerdon_sql.questions import SqlQuestion

Source = Literal["auto", "bird", "spider"]
SchemaText = Callable[[str, Path], str]
"""(db_id, path of the database) -> text for the prompt."""


@dataclass(frozen=True)
class Fields:
    """What a layout calls things; an empty name: the layout has no such field."""

    gold: str
    id: str = ""
    evidence: str = ""
    level: str = ""


BIRD = Fields(gold="SQL", id="question_id", evidence="evidence", level="difficulty")
SPIDER = Fields(gold="query")
JSONL = Fields(gold="gold_sql", id="id", evidence="evidence", level="category")


def questions_of(
    rows: Iterable[FileRow],
    fields: Fields,
    database: Callable[[str, str], Path],
    schema_text: SchemaText,
    *,
    stem: str,
    evidence: str | None = None,
    limit: int | None = None,
) -> list[SqlQuestion]:
    """Typed questions from rows.

    Args:
        rows: as `guerdon.parsing.rows.read_rows` yields them. Fields beyond the known ones are left alone.
        fields: what the layout calls things.
        database: (db_id, place) -> path of an existing file, or a TaskError.
        schema_text: called once per database.
        stem: ids of rows without an id are `<stem>-<number from 0>`.
        evidence: take the hint from this field instead; "" for no hints.
        limit: stop after so many.

    Raises:
        TaskError: a field is missing or of the wrong type, an id comes twice, a database is not there.
    """
    hint = fields.evidence if evidence is None else evidence
    texts: dict[str, str] = {}
    ids: dict[str, str] = {}
    found: list[SqlQuestion] = []
    for number, row in enumerate(rows):
        if limit is not None and number >= limit:
            break
        db_id = row.text("db_id")
        path = database(db_id, row.place)
        if db_id not in texts:
            texts[db_id] = schema_text(db_id, path)
        stated = row.fields.get(fields.id)
        known = f"{stem}-{number}" if stated is None else str(stated)
        if known in ids:
            raise TaskError(f"{row.place}: the id {known!r} is taken by {ids[known]}; ids must differ")
        ids[known] = row.place
        found.append(
            SqlQuestion(
                id=known,
                question=row.text("question"),
                db_id=db_id,
                database=str(path),
                gold=_golds(row, fields.gold),
                evidence=_hint(row, hint),
                schema_text=texts[db_id],
                level=row.text(fields.level, optional=True) if fields.level else "",
            )
        )
    return found


def _hint(row: FileRow, field: str) -> str:
    """The hint, and the instant that the gold takes as now, where the row states one."""
    words = row.text(field, optional=True) if field else ""
    now = row.text("reference_now", optional=True)
    return f"{words} The present time is {now}.".strip() if now else words


def _golds(row: FileRow, field: str) -> tuple[str, ...]:
    value = row.fields.get(field)
    if isinstance(value, str):
        value = [value]
    if not (isinstance(value, list) and value and all(isinstance(gold, str) and gold.strip() for gold in value)):
        raise row.fault(field, "a query or a list of queries")
    return tuple(value)


def database_in(folders: Sequence[Path], *, nested: bool) -> Callable[[str, str], Path]:
    """How to find a database: `<folder>/<db_id>/<db_id>.sqlite` where nested, else `<folder>/<db_id>.sqlite`."""

    def find(db_id: str, place: str) -> Path:
        if not re.fullmatch(r"[\w .&()-]+", db_id) or db_id.strip(". ") != db_id:
            raise TaskError(f"{place}: db_id {db_id!r} is not the plain name of a database")
        tried = [(folder / db_id if nested else folder) / f"{db_id}.sqlite" for folder in folders]
        for path in tried:
            if path.is_file():
                return path
        raise TaskError(f"{place}: no database {db_id!r}; looked for {' and '.join(repr(str(path)) for path in tried)}")

    return find


def bird_descriptions(database: Path) -> dict[tuple[str, str], str]:
    """Column meanings from the `database_description/<table>.csv` files beside a BIRD database; {} without them.

    The files come in UTF-8 with a mark, in UTF-8, and in Latin-1 (whatever does not decode as UTF-8); their columns
    are `original_column_name, column_name, column_description, data_format, value_description`.
    """
    found: dict[tuple[str, str], str] = {}
    for path in sorted((database.parent / "database_description").glob("*.csv")):
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        for row in csv.DictReader(io.StringIO(text, newline="")):
            name = (row.get("original_column_name") or "").strip()
            words = (row.get("column_description") or row.get("column_name") or "").split()
            if name and words:
                found[path.stem.lower(), name.lower()] = " ".join(words)
    return found


class Checked(NamedTuple):
    """What `check_golds` kept, and what it did not."""

    questions: list[SqlQuestion]
    dropped: tuple[str, ...]
    """One line per gold that does not run: the question's id, its database, and the reason."""


GOLDS_AT_ONCE = 64
"""Golds handed to the worker processes together: their rows are in memory until the last of them has run."""
_SOME_TIME = "2024-01-31 12:00:00"
"""Stands in for the reward's `now`, which a task does not know, where a gold reads the clock: whether it runs hardly
depends on the time."""


def check_golds(questions: Sequence[SqlQuestion], *, on_bad: Literal["raise", "drop"], source: str) -> Checked:
    """Run every gold as scoring does: in worker processes, within the limits of `sql/execution-v1`, and twice.

    A gold that does not run leaves its question; a question without golds leaves the task. One that reads the clock
    stays if it runs under a frozen one: the reward's `now` is to be set for it.

    Raises:
        TaskError: `on_bad="raise"` and one does not run; the message names the file, the question and the database.
            Or, whatever `on_bad`, one could not be tried, which is no fault of its.
    """
    from guerdon.progress import progress

    pairs = list(dict.fromkeys((gold, question.database) for question in questions for gold in question.gold))
    troubles: dict[tuple[str, str], str] = {}
    kept: list[SqlQuestion] = []
    dropped: list[str] = []
    with progress("running the gold queries", len(pairs)) as bar:
        for start in range(0, len(pairs), GOLDS_AT_ONCE):
            some = pairs[start : start + GOLDS_AT_ONCE]
            troubles |= _troubles(some, source)
            bar.advance(len(some))
    for question in questions:
        good = []
        for gold in question.gold:
            trouble = troubles[gold, question.database]
            if not trouble:
                good.append(gold)
                continue
            reason = f"{question.id} on {question.database}: {trouble}; {gold!r}"
            if on_bad == "raise":
                raise TaskError(
                    f"{source}: the gold query of {reason}. Repair or remove the row, or set "
                    'on_bad="drop" to leave such rows out, or check="none" not to run golds at the start'
                )
            dropped.append(reason)
        if good:
            kept.append(
                question if len(good) == len(question.gold) else question.model_copy(update={"gold": tuple(good)})
            )
    return Checked(kept, tuple(dropped))


def _troubles(pairs: Sequence[tuple[str, str]], source: str) -> dict[tuple[str, str], str]:
    """What keeps each (gold, database) from judging; empty where nothing does."""
    from guerdon_sql.file_states import file_state
    from guerdon_sql.gold import asks_the_time, gold_results
    from guerdon_sql.rewards import Execution

    timed = [pair for pair in pairs if asks_the_time(*pair, file_state(pair[1]))]
    plain = [pair for pair in pairs if pair not in timed]
    found: dict[tuple[str, str], str] = {}
    for some, reward in ((plain, Execution()), (timed, Execution(now=_SOME_TIME))):
        for pair, result in zip(some, gold_results(some, reward.limits), strict=True):
            if result.status == "infra":
                raise TaskError(
                    f"{source}: could not run the gold query {pair[0]!r} on {pair[1]}: {result.error}. That is this "
                    "machine's trouble, not the row's: mend it and try again, or set check=\"none\" not to run golds "
                    "at the start"
                )
            found[pair] = "" if result.ok else result.error
    return found
