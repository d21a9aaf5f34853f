import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon_code.answers import extract


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("a\n```py\nx\n```\nb\n```Python\ny\n```\nc", "y\n"),
        ("```\nx\n```\n```text\nnot code\n```", "x\n"),
        ("```python\nx\n```\n```python\ny", "y"),
        ("```python\nx\n```\n```python\n", ""),
        ("    return x\n```", "    return x\n"),
        ("```python\nx\n```\n```", "x\n"),
        ("  ```python\n  x\n  ```", "  x\n"),
        ("```sql\nx\n```", "```sql\nx\n```"),
        ("say ```python x``` inline", "say ```python x``` inline"),
        ("", ""),
    ],
)
def test_the_last_block_of_python_is_the_code(text, code):
    assert extract(text) == code


def test_without_a_block_there_may_be_nothing():
    assert extract("x = 1", fallback="none") == ""


@given(st.text(alphabet="`python\n \tx"))
def test_any_text_has_a_code_and_it_is_part_of_the_text(text):
    assert extract(text) in text
