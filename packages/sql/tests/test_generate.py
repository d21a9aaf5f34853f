import hashlib
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from guerdon.errors import TaskError
from guerdon_sql import generate
from guerdon_sql.generate_conditions import Condition, Speaker, joined, literal
from guerdon_sql.generate_domains import EVAL, TRAIN
from guerdon_sql.generate_drafts import ask
from guerdon_sql.generate_questions import LEVELS
from guerdon_sql.generate_schemas import draw_schema, fill
from guerdon_sql.generate_words import Column

SMALL = {"seed": 3, "sizes": {"train": 40, "eval": 40}, "weights": dict.fromkeys(LEVELS, 1.0), "tables_max": 4}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generated")
    generate.build(folder, **SMALL)
    return folder


def rows_of(folder: Path, split: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def contents(folder: Path) -> str:
    """A digest of the questions and of every table's rows."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        if path.suffix == ".sqlite":
            with sqlite3.connect(path) as connection:
                digest.update("\n".join(connection.iterdump()).encode())
            connection.close()
        else:
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("split", ["train", "eval"])
def test_every_gold_of_every_level_runs_and_says_something(built, split):
    rows = rows_of(built, split)
    assert sorted({row["level"] for row in rows}) == sorted(LEVELS)
    for row in rows:
        with sqlite3.connect(built / split / f"{row['db_id']}.sqlite") as connection:
            answer = connection.execute(row["gold"][0]).fetchall()
        connection.close()
        assert 1 <= len(answer) <= 60, row
        assert any(cell for line in answer for cell in line), row


def test_a_split_has_as_many_questions_as_asked_in_the_weights_proportions(tmp_path):
    """10 questions at 3:1:1 are 6, 2 and 2."""
    weights = {"filter": 3.0, "join": 1.0, "nested": 1.0}
    generate.build(tmp_path, seed=1, sizes={"train": 10}, weights=weights, tables_max=3)
    levels = [row["level"] for row in rows_of(tmp_path, "train")]
    assert {level: levels.count(level) for level in weights} == {"filter": 6, "join": 2, "nested": 2}


def test_the_splits_share_no_table_and_no_column_name_but_id_and_name():
    def names(domains):
        tables = {name for domain in domains for table in domain.entities for name in table.names}
        columns = {name for d in domains for table in d.entities for column in table.columns for name in column.names}
        return tables, columns | {f"{name}_id" for name in tables}

    (train_tables, train_columns), (eval_tables, eval_columns) = names(TRAIN), names(EVAL)
    assert not train_tables & eval_tables
    assert train_columns & eval_columns == {"name"}
    assert not {domain.name for domain in TRAIN} & {domain.name for domain in EVAL}


def test_no_two_columns_of_a_table_share_a_phrase_or_a_name():
    for domain in (*TRAIN, *EVAL):
        for table in domain.entities:
            phrases = [phrase for column in table.columns for phrase in column.says]
            names = [name for column in table.columns for name in column.names]
            assert len(set(phrases)) == len(phrases), (domain.name, table.name)
            assert len(set(names)) == len(names), (domain.name, table.name)


def test_a_foreign_key_names_a_table_that_stands_before_it():
    for domain in (*TRAIN, *EVAL):
        seen: set[str] = set()
        for table in domain.entities:
            assert all(ref.parent in seen for ref in table.refs), (domain.name, table.name)
            seen.add(table.name)


def test_every_reference_in_the_rows_is_resolved(built):
    for path in (built / "eval").glob("*.sqlite"):
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()


def test_another_process_with_another_hash_seed_builds_the_same(built, tmp_path):
    code = (
        "from pathlib import Path; from guerdon_sql import generate; "
        f"generate.build(Path({str(tmp_path)!r}), **{SMALL!r})"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": "7"}, check=True)
    assert contents(tmp_path) == contents(built)


def test_another_seed_builds_other_questions(built, tmp_path):
    generate.build(tmp_path, **{**SMALL, "seed": 4})
    mine, theirs = ({row["question"] for row in rows_of(folder, "train")} for folder in (built, tmp_path))
    assert len(mine & theirs) < 5


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_no_rival_of_a_kept_question_gives_its_answer(tmp_path, level):
    rng = random.Random("rivals")
    domain = next(domain for domain in TRAIN if domain.name == "library")
    schema = draw_schema(domain, rng, 4)
    while len(schema.tables) < 2:
        schema = draw_schema(domain, rng, 4)
    fill(schema, rng, tmp_path / "library.sqlite")
    connection = sqlite3.connect(tmp_path / "library.sqlite")
    speaker = Speaker(schema, connection, rng)
    kept = [asked[0] for _ in range(40) for kind in LEVELS[level] if (asked := ask(speaker, kind))]
    assert kept
    for draft in kept:
        answer = set(connection.execute(draft.gold))
        assert draft.rivals, draft
        for rival in draft.rivals:
            assert set(connection.execute(rival)) != answer, (draft, rival)
    connection.close()


def test_a_ranking_cut_by_a_limit_has_no_ties_at_its_edge(built):
    """One place more than asked for adds a row whose value differs: no reader can rank them otherwise."""
    seen = 0
    for row in rows_of(built, "train") + rows_of(built, "eval"):
        found = re.fullmatch(r"SELECT (.*) FROM (.*) ORDER BY (\S+)( DESC)? LIMIT (\d+)", row["gold"][0])
        if not found:
            continue
        seen += 1
        _, source, key, down, limit = found.groups()
        path = next(built.glob(f"*/{row['db_id']}.sqlite"))
        with sqlite3.connect(path) as connection:
            ranked = f"SELECT {key} FROM {source} ORDER BY 1{down or ''} LIMIT {int(limit) + 1}"
            values = [value for (value,) in connection.execute(ranked)]
        connection.close()
        assert None not in values, row
        assert len(set(values)) == int(limit) + 1, row
    assert seen


def test_questions_that_cannot_be_had_are_an_error_rather_than_a_loop(tmp_path):
    with pytest.raises(TaskError, match="at most 1 tables gives questions of the levels \\['join'\\]"):
        generate.build(tmp_path, seed=0, sizes={"train": 4}, weights={"join": 1.0}, tables_max=1)


@pytest.mark.parametrize(
    ("value", "text"), [(12, "12"), (12.5, "12.5"), (3.0, "3"), ("O'Neil", "'O''Neil'"), (123456.5, "123456.5")]
)
def test_a_value_is_written_as_sql(value, text):
    assert literal(value) == text


def condition(sql: str, says: str) -> Condition:
    return Condition(Column(("c",), "number", ("c",)), sql, says, ())


@pytest.mark.parametrize(
    ("first", "second", "word", "said"),
    [
        ("whose age is 3", "hired in 2020", "and", "hired in 2020 whose age is 3"),
        ("whose age is 3", "who smoke", "and", "whose age is 3 and who smoke"),
        ("from Oslo", "hired in 2020", "and", "from Oslo and hired in 2020"),
        ("whose age is 3", "from Oslo", "or", "from Oslo or whose age is 3"),
    ],
)
def test_two_conditions_are_said_participle_first_and_joined_as_people_would(first, second, word, said):
    one, two, words = joined(condition("1", first), condition("2", second), word)
    assert words == said
    assert said.startswith(one.says)
    assert said.endswith(two.says)
