import pytest

from guerdon.errors import ConfigError
from guerdon_sql.prompts import HOUSE_RULES, chat_prompt, check_options, completion, reasoning
from guerdon_sql.questions import SqlQuestion

QUESTION = SqlQuestion(
    id="1",
    question="Who earns more than 45?",
    db_id="company",
    database="company.sqlite",
    gold=("SELECT name FROM emp WHERE salary > 45",),
    evidence="earns is emp.salary",
    schema_text="emp(id, name, salary)",
)


def test_the_user_is_shown_schema_hint_and_question_in_this_order():
    user = chat_prompt(QUESTION).messages[1]
    assert user.role == "user"
    assert user.content == ("emp(id, name, salary)\nHint: earns is emp.salary\nQuestion: Who earns more than 45?")


def test_a_question_without_a_hint_has_no_hint_line():
    assert "Hint" not in chat_prompt(QUESTION.model_copy(update={"evidence": ""})).messages[1].content


def test_the_system_text_states_the_layout():
    tags = chat_prompt(QUESTION, "tags").messages[0].content
    assert [tags.index(mark) for mark in ("<reasoning>", "</reasoning>", "<answer>", "```sql", "</answer>")] == sorted(
        tags.index(mark) for mark in ("<reasoning>", "</reasoning>", "<answer>", "```sql", "</answer>")
    )
    plain = chat_prompt(QUESTION, "plain").messages[0].content
    assert "```sql" in plain
    assert "<answer>" not in plain


def test_full_rules_are_the_thirteen_of_the_sheet():
    assert len(HOUSE_RULES) == 13
    system = chat_prompt(QUESTION, rules="full").messages[0].content
    assert all(f"{number}. {rule}" in system for number, rule in enumerate(HOUSE_RULES, 1))
    assert HOUSE_RULES[0] not in chat_prompt(QUESTION).messages[0].content


def test_a_plain_completion_is_the_fenced_query():
    assert completion("SELECT 1", "plain") == "```sql\nSELECT 1\n```"


def test_a_tagged_completion_has_the_sheets_layout():
    assert completion("SELECT name FROM emp") == (
        "<reasoning>\nemp: name\n</reasoning>\n<answer>\n```sql\nSELECT name FROM emp\n```\n</answer>"
    )


@pytest.mark.parametrize(
    ("gold", "line"),
    [
        ("SELECT COUNT(*) FROM emp", "emp"),
        ("SELECT city FROM emp GROUP BY city HAVING AVG(salary) > 5", "emp: city, salary"),
        ("SELECT name FROM dept WHERE id NOT IN (SELECT dept_id FROM emp)", "dept, emp: name, id, dept_id"),
        ("SELECT FROM WHERE emp (((", ""),
    ],
)
def test_the_reasoning_is_one_line_of_tables_and_columns(gold, line):
    assert "\n" not in reasoning(gold)
    assert reasoning(gold) == line or not line


def test_options_that_do_not_exist_are_refused_by_name():
    with pytest.raises(ConfigError, match="layout is 'xml'; accepted are 'tags', 'plain'"):
        check_options("xml", "none")
    with pytest.raises(ConfigError, match="rules is 'all'; accepted are 'none', 'full'"):
        check_options("tags", "all")
