import pytest

from guerdon_sql.formats import fence_alone, tag_score, tags_in_order

GOOD = "<reasoning>\neasy\n</reasoning>\n<answer>\n```sql\nSELECT 1\n```\n</answer>"


@pytest.mark.parametrize("text", [GOOD, f"Sure!\n{GOOD}\nThat is all.", GOOD.replace("\n", "")])
def test_all_tags_once_and_in_order_keep_the_layout(text):
    assert tags_in_order(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        GOOD.replace("</answer>", ""),
        GOOD.replace("<reasoning>", ""),
        GOOD + GOOD,
        GOOD + "</answer>",
        "<answer>1</answer><reasoning>2</reasoning>",
        "<reasoning><answer></reasoning></answer>",
        "</reasoning><reasoning><answer></answer>",
        "<Reasoning></Reasoning><answer></answer>",
    ],
)
def test_anything_else_does_not(text):
    assert not tags_in_order(text)


def test_other_tags_may_be_asked_for():
    assert tags_in_order("<think>x</think><sql>y</sql>", ("think", "sql"))


@pytest.mark.parametrize("text", ["```sql\nSELECT 1\n```", "\n```sql\nSELECT 1,\n2\n```\n"])
def test_a_fenced_block_alone_keeps_the_plain_layout(text):
    assert fence_alone(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "```sql\n```",
        "```sql\n\n```",
        "```\nSELECT 1\n```",
        "```sql\nSELECT 1",
        "Sure!\n```sql\nSELECT 1\n```",
        "```sql\nSELECT 1\n```\n```sql\nSELECT 2\n```",
        GOOD,
    ],
)
def test_nothing_else_keeps_the_plain_layout(text):
    assert not fence_alone(text)


def test_the_graded_score_is_a_half_when_a_line_break_ends_the_text():
    """4 eighths; after the last "\\n</answer>\\n" 0 characters, after the last "\\n</answer>" 1, of which 1 is free."""
    assert tag_score(GOOD + "\n") == pytest.approx(0.5, abs=1e-12)


def test_the_graded_score_of_a_text_that_ends_at_the_tag_loses_for_all_of_it():
    """No "\\n</answer>\\n": the third part loses 0.001 * len(all); the fourth gets 0.125 - 0.001 * (0 - 1) = 0.126."""
    assert len(GOOD) == 68
    assert tag_score(GOOD) == pytest.approx(0.125 + 0.125 + 0.125 - 0.068 + 0.126, abs=1e-12)


def test_two_thousand_characters_that_end_at_the_tag_cost_two():
    """0.5 + 0.001 - 0.001 * 2000 = -1.499: the sheet's "gets -1.5"."""
    long = GOOD.replace("easy", "easy" + "." * (2000 - len(GOOD)))
    assert tag_score(long) == pytest.approx(-1.499, abs=1e-12)


def test_text_after_the_closing_tag_is_charged_twice():
    """10 characters after "\\n</answer>\\n", 11 after "\\n</answer>", of which 1 is free: 0.5 - 0.010 - 0.010."""
    assert tag_score(GOOD + "\n" + "x" * 10) == pytest.approx(0.48, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("", 0.0),
        ("SELECT 1", 0.0),
        ("<reasoning>\n", 0.125),
        ("<reasoning>\n<reasoning>\n", 0.0),
        ("\n</answer>", 0.126),  # nothing after it, and one character is free
        ("\n<answer>\n", 0.125 - 0.010),
        ("\n</reasoning>\n", 0.125),
    ],
)
def test_each_tag_is_worth_an_eighth(text, score):
    assert tag_score(text) == pytest.approx(score, abs=1e-12)
