"""How a question becomes a chat prompt, and how a right completion looks.

`tags` is the two-tag layout of Reasoning-SQL (arXiv 2503.23157): `<reasoning>` lines `</reasoning>`, then `<answer>`
around a fenced SQL block. `plain` is the fenced block alone. Prompts are kept short, since a small model on a
processor pays for every token.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, get_args

from guerdon.fields import one_of
from guerdon.types import Message, Prompt
from guerdon_sql.formats import Layout
from guerdon_sql.questions import SqlQuestion

Rules = Literal["none", "full"]

_SYSTEM: dict[Layout, str] = {
    "tags": "Write one SQLite query that answers the question. Reply exactly so:\n"
    "<reasoning>\ntables: columns\n</reasoning>\n<answer>\n```sql\nquery\n```\n</answer>",
    "plain": "Write one SQLite query that answers the question. Reply with it alone:\n```sql\nquery\n```",
}

HOUSE_RULES = (
    "Return the columns the question asks for, and no others.",
    "Before MAX or MIN over several tables, join them.",
    "For distinct rows in an order, GROUP BY first, then ORDER BY.",
    "Expect NULL: filter it with IS NOT NULL, or join so that it drops out.",
    "Read only the tables that the answer needs.",
    "Where a hint is given, do as it says.",
    "Use DISTINCT where the question wants different values.",
    "Where two columns could be meant, compare their descriptions and take the closer one.",
    "Keep columns apart: do not glue strings together.",
    "Prefer INNER JOIN to nested queries.",
    "Use functions that SQLite has, and no others.",
    "Take dates apart with STRFTIME.",
    "Answer the whole question in one query.",
)
"""The sheet's thirteen rules for the writer of the query, in our words."""


def check_options(layout: str, rules: str) -> None:
    """Refuse options that do not exist.

    Raises:
        ConfigError: names the option and what is accepted.
    """
    one_of("layout", layout, get_args(Layout))
    one_of("rules", rules, get_args(Rules))


def chat_prompt(question: SqlQuestion, layout: Layout = "tags", rules: Rules = "none") -> Prompt:
    """System text with the layout (and, on request, the house rules); then schema, hint and question."""
    system = _SYSTEM[layout]
    if rules == "full":
        system += "\nRules:\n" + "\n".join(f"{number}. {rule}" for number, rule in enumerate(HOUSE_RULES, 1))
    lines = [question.schema_text]
    if question.evidence:
        lines.append(f"Hint: {question.evidence}")
    lines.append(f"Question: {question.question}")
    return Prompt((Message("system", system), Message("user", "\n".join(lines))))


def completion(gold: str, layout: Layout = "tags") -> str:
    """The completion that earns the top: the layout around the gold query, with one line of reasoning.

    >>> print(completion("SELECT name FROM emp WHERE salary > 45"))
    <reasoning>
    emp: name, salary
    </reasoning>
    <answer>
    ```sql
    SELECT name FROM emp WHERE salary > 45
    ```
    </answer>
    """
    block = f"```sql\n{gold}\n```"
    if layout == "plain":
        return block
    return f"<reasoning>\n{reasoning(gold)}\n</reasoning>\n<answer>\n{block}\n</answer>"


@lru_cache(maxsize=4096)
def reasoning(gold: str) -> str:
    """One line that says what to read: tables, then columns, in the order of the query.

    Linking the question's words to the schema is most of the work; a longer chain would cost a small model more tokens
    than it earns. A query that does not parse is read by its words after FROM and JOIN.

    >>> reasoning("SELECT b.title FROM book AS b JOIN author AS a ON b.author_id = a.id WHERE a.name = 'Ann'")
    'book, author: title, author_id, id, name'
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(gold, dialect="sqlite")
        tables = [table.name for table in tree.find_all(exp.Table, bfs=False)]
        columns = [column.name for column in tree.find_all(exp.Column, bfs=False)]
    except (SqlglotError, RecursionError):
        tables, columns = re.findall(r"(?i)\b(?:from|join)\s+(\w+)", gold), []
    named = ", ".join(dict.fromkeys(tables))
    return f"{named}: {', '.join(dict.fromkeys(columns))}" if columns else named
