import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon_code.tool_layout import TAGS, last_thought, layout_fault, layout_of

CALL = '<think>a</think>\n<tool_call>\n{"name": "f", "parameters": {}}\n</tool_call>'
RESPONSE = "<think>a</think>\n<response>hello</response>"
GOOD = {
    "call": CALL,
    "response": RESPONSE,
    "both": CALL + "\n<response>hello</response>",
    "think": "<think>a</think>",
}
PATTERNS = {  # as the fact sheet has them
    "call": r"^<think>.*?</think>\n<tool_call>\n.*?\n</tool_call>$",
    "response": r"^<think>.*?</think>\n<response>.*?</response>$",
    "both": r"^<think>.*?</think>\n<tool_call>\n.*?\n</tool_call>\n<response>.*?</response>$",
    "think": r"^<think>.*?</think>$",
}
COUNTED = {
    "call": ("<tool_call>", "</tool_call>"),
    "response": ("<response>", "</response>"),
    "both": ("<tool_call>", "</tool_call>", "<response>", "</response>"),
    "think": (),
}
pieces = st.lists(st.sampled_from([*TAGS, "\n", "a", " ", "</think>\n<tool_call>\n", "\n</tool_call>"]), max_size=12)


@pytest.mark.parametrize("layout", GOOD)
def test_each_gold_layout_takes_its_own_turn_and_no_other(layout):
    assert [name for name, text in GOOD.items() if not layout_fault(text, layout)] == [layout]


@pytest.mark.parametrize(
    ("calls", "response", "layout"),
    [(True, False, "call"), (False, True, "response"), (True, True, "both"), (False, False, "think")],
)
def test_the_layout_follows_from_what_gold_has(calls, response, layout):
    assert layout_of(calls=calls, response=response) == layout


@given(middle=pieces.map("".join), layout=st.sampled_from(sorted(PATTERNS)))
def test_one_pass_accepts_what_the_published_patterns_accept(middle, layout):
    for text in (middle, GOOD[layout][:9] + middle + GOOD[layout][9:]):
        text = text.strip()
        once = all(text.count(tag) == 1 for tag in COUNTED[layout])
        matched = re.search(PATTERNS[layout], text, re.DOTALL) is not None
        assert (layout_fault(text, layout) == "") == (matched and once)


def test_white_space_around_the_turn_does_not_count():
    assert layout_fault(f"\n {CALL}\n", "call") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has <tool_call> 0 times"),
        (CALL.replace("{}", "<tool_call>{}"), "has <tool_call> 2 times"),
        ("so " + CALL, "does not begin with <think>"),
        (CALL.replace("</think>\n", "</think>"), "lacks '</think>\\n<tool_call>\\n'"),
        (CALL + " done", "does not end with '\\n</tool_call>'"),
        ("<think>a</think>\n<tool_call>\n</tool_call>", "does not end with"),  # the two breaks must be two
    ],
)
def test_what_is_wrong_is_said(text, said):
    assert layout_fault(text, "call").startswith(said)


def test_junk_after_the_thoughts_passes_as_published():
    """The pattern is lazy but dotall: it looks on for a second `</think>`."""
    assert layout_fault(CALL.replace("</think>", "</think> junk </think>"), "call") == ""


def test_a_tag_mentioned_in_the_thoughts_breaks_the_layout():
    assert (
        layout_fault(CALL.replace("<think>a", "<think>I use <tool_call>"), "call")
        == "has <tool_call> 2 times, not once"
    )


@pytest.mark.parametrize("piece", ["<think>", "</think>\n<tool_call>\n", "\n</tool_call>", "<response>", "a\n"])
def test_a_megabyte_of_anything_takes_no_longer_than_reading_it(piece):
    text = "<think>" + piece * (1_000_000 // len(piece))
    start = time.process_time()
    for layout in PATTERNS:
        layout_fault(text, layout)
    last_thought(text)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("<think>one two</think>", "one two"),
        ("<think>one</think><think>two</think>", "two"),
        ("<think>one</think><think>two", "two"),  # both tags are there
        ("<think>one", None),
        ("one</think>", None),
        ("</think><think>", ""),
    ],
)
def test_the_last_thought_counts(text, thought):
    assert last_thought(text) == thought
