import json
import re
import sqlite3
from pathlib import Path

import yaml

from guerdon_sql.filed_tasks import JsonLines

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)\n```\n", README.replace("```sql\\n{}\\n```\\n", "FENCED"), flags=re.DOTALL)


def test_the_first_snippet_prints_what_the_page_says(capsys):
    """3 + 1 + 1 + 1 + 1 = 7; and 1 + 1 + 0.714286 + 1 for the other, whose bigrams agree in 5 of 7."""
    exec(SNIPPETS[0].replace("FENCED", "```sql\\n{}\\n```\\n"), {})
    printed = re.search(r"prints\n\n```\n(.*?)```", README, flags=re.DOTALL)
    assert printed is not None
    assert capsys.readouterr().out == printed[1]


def test_the_second_snippet_runs():
    names = {}
    exec(SNIPPETS[1], names)
    assert names["mine"].bounds == (0.0, 2.5)


def test_every_reward_on_the_page_is_registered():
    from guerdon.plugins.catalog import catalog

    ours = {entry.name for entry in catalog().entries("rewards")}
    tasks = {entry.name for entry in catalog().entries("tasks")}
    assert set(re.findall(r"`(sql/[a-z0-9-]+-v\d)`", README)) <= ours | tasks


def fenced(language):
    return re.findall(rf"```{language}\n(.*?)```\n", README, flags=re.DOTALL)


def test_the_lines_of_ones_own_questions_are_read_as_the_page_says(tmp_path):
    """The page's lines, its task and its column's meaning; one question on each side."""
    (tmp_path / "databases").mkdir()
    for name in ("shop", "firm"):
        with sqlite3.connect(tmp_path / "databases" / f"{name}.sqlite") as database:
            database.execute("CREATE TABLE emp (name TEXT, salary INTEGER)")
        database.close()
    (tmp_path / "questions.jsonl").write_text(fenced("jsonl")[0])
    (described,) = re.findall(r"`(\{\"db_id\".*\})`", README)
    (tmp_path / "schemas.jsonl").write_text(described + "\n")
    (use,) = [task for text in fenced("yaml") if (task := yaml.safe_load(text).get("task"))]
    task = JsonLines(**{**use["with"], "root": str(tmp_path), "descriptions": True})
    (learnt,), (held_out,) = task.examples("train"), task.examples("eval")
    assert (learnt.id, learnt.db_id, learnt.gold) == ("1", "shop", ("SELECT name FROM emp WHERE salary > 45",))
    assert "in thousands a year" in learnt.schema_text
    assert (held_out.id, held_out.evidence) == ("2", "not known: NULL")


def test_the_optional_fields_of_a_question_do_what_the_page_says(tmp_path):
    (tmp_path / "databases").mkdir()
    with sqlite3.connect(tmp_path / "databases" / "shop.sqlite") as database:
        database.execute("CREATE TABLE emp (name TEXT)")
    database.close()
    row = {"db_id": "shop", "question": "When?", "gold_sql": "SELECT 1", "reference_now": "2024-05-01", "more": 1}
    lines = [row, {**row, "evidence_full": "all of it", "category": "hard"}]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    first, second = JsonLines(root=str(tmp_path), hints="evidence_full").examples("eval")
    assert (first.id, first.evidence) == ("questions-eval-0", "The present time is 2024-05-01.")
    assert (second.level, second.evidence) == ("hard", "all of it The present time is 2024-05-01.")
    assert {"db_id", "question", "gold_sql"} == set(re.findall(r"^\| `(\w+)` \| needed", README, flags=re.MULTILINE))


def test_every_task_on_the_page_is_registered():
    from guerdon.plugins.catalog import catalog

    ours = {entry.name for entry in catalog().entries("tasks") if entry.name.startswith("sql/")}
    assert set(re.findall(r"^\| `(sql/[a-z0-9-]+-v\d)` \| [^|]+ \|$", README, flags=re.MULTILINE)) == ours
