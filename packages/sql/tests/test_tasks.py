import json
import os
import pickle
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon.types import Example, Group, Rollout
from guerdon_sql.tasks import Folder, Generated, JsonLines

LEVELS = ("filter", "aggregate", "join", "group", "nested")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("GUERDON_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def generated(cache):
    return Generated(seed=5, train_size=25, eval_size=25)


def make_database(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE emp (name TEXT, pay INT); INSERT INTO emp VALUES ('Ann', 1), ('Bob', 2);"
        )
    connection.close()
    return path


BIRD_ROW = {
    "question_id": 7,
    "db_id": "firm",
    "question": "Who earns most?",
    "evidence": "earns refers to pay",
    "SQL": "SELECT name FROM emp ORDER BY pay DESC LIMIT 1",
    "difficulty": "simple",
}
SPIDER_ROW = {
    "db_id": "firm",
    "query": "SELECT count(*) FROM emp",
    "query_toks": ["SELECT", "count", "(", "*", ")", "FROM", "emp"],
    "query_toks_no_value": ["select", "count", "(", "*", ")", "from", "emp"],
    "question": "How many are there?",
    "question_toks": ["How", "many", "are", "there", "?"],
    "sql": {"from": {"table_units": [["table_unit", 0]], "conds": []}, "limit": None},
}
JSON_ROW = {
    "id": "q-1",
    "db_id": "firm",
    "question": "Who is there?",
    "gold_sql": ["SELECT name FROM emp", "SELECT name, pay FROM emp"],
    "evidence": "",
    "category": "basic",
    "evidence_full": None,
    "reference_now": None,
    "gold_rows": 2,
}


@pytest.fixture
def bird(tmp_path):
    make_database(tmp_path / "dev_databases" / "firm" / "firm.sqlite")
    (tmp_path / "dev.json").write_text(json.dumps([BIRD_ROW]))
    return tmp_path


@pytest.fixture
def spider(tmp_path):
    make_database(tmp_path / "database" / "firm" / "firm.sqlite")
    (tmp_path / "dev.json").write_text(json.dumps([SPIDER_ROW]))
    (tmp_path / "train_spider.json").write_text(json.dumps([SPIDER_ROW, SPIDER_ROW]))
    (tmp_path / "tables.json").write_text("[]")
    return tmp_path


@pytest.fixture
def lines(tmp_path):
    for name in ("firm", "club"):
        make_database(tmp_path / "databases" / f"{name}.sqlite")
    rows = [JSON_ROW, JSON_ROW | {"id": "q-2", "db_id": "club", "gold_sql": "SELECT pay FROM emp"}]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def rewrite(folder: Path, name: str, rows: list[dict]) -> None:
    (folder / name).write_text(json.dumps(rows) if name.endswith(".json") else "\n".join(map(json.dumps, rows)))


# generated ------------------------------------------------------------------------------------------------------------


def test_a_generated_split_has_its_size_its_levels_and_databases_of_its_own(generated):
    train, held_out = generated.examples("train"), generated.examples("eval")
    assert (len(train), len(held_out)) == (25, 25)
    assert {example.level for example in train} == {example.level for example in held_out} == set(LEVELS)
    assert not {example.db_id for example in train} & {example.db_id for example in held_out}
    assert not {example.database for example in train} & {example.database for example in held_out}
    assert len({example.id for example in (*train, *held_out)}) == 50


def test_the_reference_earns_the_top_of_every_reward(generated):
    from guerdon.rewards.base import Context
    from guerdon_sql.rewards import Execution, Format, Ngram, Runs, SchemaLinking

    groups = [Group.of([Rollout.of(each, generated.reference(each))]) for each in generated.examples("eval")]
    for reward in (Execution(), Runs(), SchemaLinking(), Ngram(), Format()):
        scores = [row[0] for row in reward.score_batch(groups, Context())]
        assert [score.value for score in scores] == [1.0] * len(groups), reward


def test_the_plain_reference_earns_the_top_of_the_plain_total(generated):
    from guerdon.rewards.base import Context
    from guerdon_sql.rewards import reasoning_sql

    plain = replace(generated, layout="plain")
    groups = [Group.of([Rollout.of(each, plain.reference(each))]) for each in plain.examples("eval")]
    scores = reasoning_sql(layout="plain").score_batch(groups, Context())
    assert [row[0].value for row in scores] == [7.0] * len(groups)


def test_another_questions_query_hardly_ever_earns_execution(generated):
    """Of the pairs of questions about one database, few have equal answers, and none by an accident of emptiness."""
    from guerdon.rewards.base import Context
    from guerdon_sql.rewards import Execution

    examples = generated.examples("eval")
    pairs = [(one, two) for one in examples for two in examples if one.db_id == two.db_id and one.id != two.id]
    groups = [Group.of([Rollout.of(one, generated.reference(two))]) for one, two in pairs]
    right = sum(row[0].value for row in Execution().score_batch(groups, Context()))
    assert len(pairs) >= 50
    assert right <= 0.03 * len(pairs)


def test_the_prompt_is_short_and_shows_the_schema_and_the_question(generated):
    for example in generated.examples("eval"):
        prompt = generated.prompt(example)
        assert [message.role for message in prompt.messages] == ["system", "user"]
        assert example.schema_text in prompt.messages[1].content
        assert example.question in prompt.messages[1].content
        assert sum(len(message.content) for message in prompt.messages) < 900


def test_files_are_made_once_and_the_look_of_the_prompt_does_not_remake_them(generated):
    made = generated.folder.stat().st_mtime_ns
    other = Generated(seed=5, train_size=25, eval_size=25, layout="plain", schema_style="create")
    assert other.folder == generated.folder
    assert other.examples("eval")[0].schema_text.startswith("CREATE TABLE")
    assert generated.folder.stat().st_mtime_ns == made
    assert Generated(seed=6, train_size=25, eval_size=25).folder != generated.folder


def test_two_processes_that_build_at_once_read_the_same(tmp_path):
    code = (
        "from guerdon_sql.tasks import Generated; task = Generated(train_size=30, eval_size=30); "
        "print([e.question for s in ('train', 'eval') for e in task.examples(s)])"
    )
    environment = {**os.environ, "GUERDON_CACHE": str(tmp_path)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], env={**environment, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in running)
    assert first == second
    assert len(first) > 1000
    assert len(list((tmp_path / "sql").iterdir())) == 1, "no scratch folder is left behind"


def test_a_task_is_its_fields(generated):
    assert eval(repr(generated)) == generated  # the fields are the whole configuration
    assert pickle.loads(pickle.dumps(generated)) == generated
    assert Generated(levels=["filter"], mix=[1]) == Generated(levels=("filter",), mix=(1.0,))


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), sqlite3.OperationalError("database or disk is full")]
)
def test_a_disk_that_fills_up_while_building_is_said_and_leaves_nothing(error, tmp_path, monkeypatch):
    def full(folder, **_):
        (folder / "half").write_text("")
        raise error

    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path))
    monkeypatch.setattr("guerdon_sql.generate.build", full)
    with pytest.raises(TaskError, match=r"cannot write the cache at .*(No space|full).*Set GUERDON_CACHE"):
        Generated(train_size=1, eval_size=1).examples("eval")
    assert list((tmp_path / "sql").iterdir()) == []


def test_a_cache_that_cannot_be_written_says_how_to_choose_another(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path / "file"))
    with pytest.raises(TaskError, match=r"cannot write the cache at .*Set GUERDON_CACHE"):
        Generated(train_size=1, eval_size=1).examples("eval")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"levels": ("filter", "hard")}, r"levels\[1\] is 'hard'; accepted are 'filter', 'aggregate'"),
        ({"levels": ()}, "one or more different ones"),
        ({"mix": (1.0,)}, "5 numbers above 0 are needed"),
        ({"mix": (1, 1, 1, 1, 0)}, "5 numbers above 0 are needed"),
        ({"tables_max": 5}, "tables_max is 5; a whole number from 1 to 4"),
        ({"tables_max": 1}, "levels has 'join'"),
        ({"train_size": -1}, "train_size is -1; a whole number at least 0"),
        ({"layout": "xml"}, "layout is 'xml'"),
        ({"schema_style": "ddl"}, "schema_style is 'ddl'; accepted are 'compact', 'create'"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_accepted(fields, message):
    with pytest.raises(ConfigError, match=message):
        Generated(**fields)


def test_a_split_that_does_not_exist_is_refused(generated):
    with pytest.raises(ConfigError, match="split is 'test'; accepted are 'train', 'eval'"):
        generated.examples("test")


def test_an_example_of_another_task_is_refused(generated):
    with pytest.raises(TypeError, match="not Example"):
        generated.prompt(Example(id="1"))


# folder ---------------------------------------------------------------------------------------------------------------


def test_a_bird_folder_is_read_with_hint_and_difficulty(bird):
    (example,) = Folder(root=str(bird)).examples("eval")
    assert (example.id, example.level, example.evidence) == ("7", "simple", "earns refers to pay")
    assert example.gold == (BIRD_ROW["SQL"],)
    assert example.schema_text == "emp(name, pay)"


def test_bird_databases_may_lie_in_root_itself(bird):
    (bird / "dev_databases" / "firm").rename(bird / "firm")
    (bird / "dev_databases").rmdir()
    assert Folder(root=str(bird)).examples("eval")[0].database == str(bird / "firm" / "firm.sqlite")


def test_birds_column_descriptions_are_put_in_when_asked_for(bird):
    folder = bird / "dev_databases" / "firm" / "database_description"
    folder.mkdir()
    (folder / "emp.csv").write_text("original_column_name,column_name,column_description\npay,,yearly pay\n")
    (example,) = Folder(root=str(bird), descriptions=True, schema_style="create").examples("eval")
    assert "  pay INT -- yearly pay" in example.schema_text


def test_a_spider_folder_is_read_with_its_original_fields(spider):
    task = Folder(root=str(spider))
    assert [example.id for example in task.examples("train")] == ["spider-train-0", "spider-train-1"]
    (example,) = task.examples("eval")
    assert (example.id, example.gold, example.question) == (
        "spider-dev-0",
        (SPIDER_ROW["query"],),
        SPIDER_ROW["question"],
    )


def test_a_limit_takes_rows_from_the_top(spider):
    assert len(Folder(root=str(spider), limit=1).examples("train")) == 1


def test_a_missing_split_file_is_named(bird):
    with pytest.raises(TaskError, match=r"no questions at '.*/train\.json'; that folder has dev\.json"):
        Folder(root=str(bird)).examples("train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": None}, r"dev\.json', row 2: field 'question' is None; a text is needed"),
        ({"SQL": ""}, r"row 2: field 'SQL' is ''; a query or a list of queries is needed"),
        ({"db_id": "moon"}, r"row 2: no database 'moon'; looked for .*moon/moon\.sqlite"),
        ({"evidence": 3}, r"row 2: field 'evidence' is 3; a text is needed"),
        ({"question_id": 7}, r"row 2: the id '7' is taken by .*row 1"),
        ({"SQL": "SELECT wage FROM emp"}, r"dev\.json: the gold query of 8 on .*no such column: wage"),
    ],
)
def test_a_wrong_row_names_file_row_field_and_what_is_accepted(bird, change, message):
    rewrite(bird, "dev.json", [BIRD_ROW, BIRD_ROW | {"question_id": 8} | change])
    with pytest.raises(TaskError, match=message):
        Folder(root=str(bird)).examples("eval")


def test_a_row_of_neither_layout_lists_its_fields(bird):
    rewrite(bird, "dev.json", [{"question": "?", "gold": "SELECT 1"}])
    with pytest.raises(TaskError, match=r"neither the field 'SQL' \(BIRD\) nor 'query' \(Spider\), but question, gold"):
        Folder(root=str(bird)).examples("eval")


def test_a_missing_field_lists_those_that_are_there(bird):
    rewrite(bird, "dev.json", [SPIDER_ROW | {"sql": None}])
    with pytest.raises(TaskError, match="field 'SQL' is missing; the row has db_id, query, "):
        Folder(root=str(bird), source="bird").examples("eval")


def test_a_bad_gold_can_be_dropped_and_is_listed(bird):
    rewrite(bird, "dev.json", [BIRD_ROW, BIRD_ROW | {"question_id": 8, "SQL": "DELETE FROM emp"}])
    task = Folder(root=str(bird), on_bad="drop")
    assert [example.id for example in task.examples("eval")] == ["7"]
    assert len(task.dropped) == 1
    assert task.dropped[0].startswith("8 on ")


def test_golds_can_be_trusted_unrun(bird):
    rewrite(bird, "dev.json", [BIRD_ROW | {"SQL": "SELECT wage FROM emp"}])
    assert len(Folder(root=str(bird), check="none").examples("eval")) == 1


def test_a_root_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TaskError, match=r"root of sql/folder-v1 is '.*nowhere', which is not a folder"):
        Folder(root=str(tmp_path / "nowhere")).examples("eval")
    with pytest.raises(ConfigError, match="root of sql/folder-v1 is empty"):
        Folder()


# json lines -----------------------------------------------------------------------------------------------------------


def test_json_lines_take_one_gold_or_several_and_leave_other_fields_alone(lines):
    first, second = JsonLines(root=str(lines)).examples("eval")
    assert first.gold == tuple(JSON_ROW["gold_sql"])
    assert second.gold == ("SELECT pay FROM emp",)
    assert (first.id, first.level) == ("q-1", "basic")


def test_the_split_is_by_database(lines):
    task = JsonLines(root=str(lines), train_databases=["club"])
    assert [example.db_id for example in task.examples("train")] == ["club"]
    assert [example.db_id for example in task.examples("eval")] == ["firm"]
    with pytest.raises(ConfigError, match=r"train_databases has 'clubs', .*it has club, firm"):
        JsonLines(root=str(lines), train_databases=("clubs",)).examples("train")


def test_rows_without_an_id_get_one_that_the_other_split_does_not_have(lines):
    rewrite(lines, "questions.jsonl", [{**JSON_ROW, "id": None, "db_id": db_id} for db_id in ("club", "firm")])
    task = JsonLines(root=str(lines), train_databases=("club",))
    ids = [example.id for split in ("train", "eval") for example in task.examples(split)]
    assert ids == ["questions-train-0", "questions-eval-0"]


def test_the_hint_comes_from_the_field_that_is_asked_for(lines):
    rewrite(lines, "questions.jsonl", [JSON_ROW | {"evidence": "short", "evidence_full": "short and long"}])
    found = {hints: JsonLines(root=str(lines), hints=hints).examples("eval")[0].evidence for hints in
             ("evidence", "evidence_full", "none")}  # fmt: skip
    assert found == {"evidence": "short", "evidence_full": "short and long", "none": ""}


def test_the_instant_that_a_gold_takes_as_now_is_part_of_the_hint(lines):
    rewrite(lines, "questions.jsonl", [JSON_ROW | {"evidence": "Count days.", "reference_now": "2024-06-19 12:00:00"}])
    (example,) = JsonLines(root=str(lines)).examples("eval")
    assert example.evidence == "Count days. The present time is 2024-06-19 12:00:00."


def test_descriptions_come_from_the_schemas_file(lines):
    table = {"name": "emp", "columns": [{"name": "pay", "type": "INT", "description": "yearly pay"}]}
    (lines / "schemas.jsonl").write_text(json.dumps({"db_id": "firm", "tables": [table], "glossary": ""}))
    first, second = JsonLines(root=str(lines), descriptions=True).examples("eval")
    assert first.schema_text == "emp(name, pay)\n-- pay: yearly pay"
    assert second.schema_text == "emp(name, pay)"


def test_the_real_questions_load_as_they_are_and_every_gold_runs(data_dir):
    """222 questions are in the folder; check="run" raises on the first gold that does not run."""
    task = JsonLines(root=str(data_dir), descriptions=True)
    examples = task.examples("eval")
    assert len(examples) == 222
    assert task.dropped == ()
    assert len({example.level for example in examples}) == 17
    assert all(example.schema_text.count("(") > 1 for example in examples)
