import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon_sql.answers import extract


def test_the_last_fenced_block_is_the_answer():
    assert extract("```sql\nSELECT 1\n``` then ```sql\nSELECT 2\n``` done") == "SELECT 2"


def test_without_a_block_the_whole_text_is_the_answer():
    assert extract("  SELECT 1\n") == "SELECT 1"


def test_without_a_block_nothing_is_the_answer_if_asked_so():
    assert extract("SELECT 1", fallback="none") == ""


def test_the_sheets_layout_gives_the_query_alone():
    text = "<reasoning>\neasy\n</reasoning>\n<answer>\n```sql\nSELECT 1\n```\n</answer>"
    assert extract(text) == "SELECT 1"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("```sql\nSELECT 1", "```sql\nSELECT 1"),  # never closed, so no block: the whole text
        ("```sql\nSELECT 1\n``` ```sql\nSELECT 2", "SELECT 1"),  # the last *closed* one
        ("```sql A ```sql B ```", "A"),  # from left to right: the second fence closes the first block
        ("```sql``````sql X ```", "X"),
        ("```sql   ```", ""),
        ("```\nSELECT 1\n```", "```\nSELECT 1\n```"),  # fenced, but not as SQL
        ("", ""),
    ],
)
def test_fences_are_matched_from_left_to_right(text, query):
    assert extract(text) == query


@pytest.mark.parametrize("unit", ["```sql", "```", "`", "```sql ```", "\x00", "<answer>"])
def test_a_megabyte_takes_a_moment(unit):
    start = time.process_time()
    extract(unit * (1_000_000 // len(unit)))
    assert time.process_time() - start < 1.0


@given(st.text(st.sampled_from("`sql S\n")))
def test_it_agrees_with_the_regular_expression_it_stands_for(text):
    import re

    blocks = re.findall(r"```sql(.*?)```", text, flags=re.DOTALL)
    assert extract(text) == (blocks[-1] if blocks else text).strip()
