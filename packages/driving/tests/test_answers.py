"""Both parsers and the layout: the sheet's cases, and linear time on what a policy may write."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guerdon.conformance import hostile_texts
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.answers import Plan, block_on_one_line, first_block, format_fault, read_plan, unread

THOUGHT = "<think> the lane is clear </think>"
PIECES = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<answer>", "</answer>", " ", "\n", "KEEP", ", ", "STOP", "LEFT_TURN", "x", "\u2028"]
    ),
    max_size=14,
).map("".join)


def plan(speed=(), path=()):
    return Plan(frozenset(speed), frozenset(path))


def answered(words):
    return f"{THOUGHT} <answer> {words} </answer>"


# -- the layout: worked example 4 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "<think>a</think><answer>b</answer>",
        "<think>a</think> \n\t<answer>b</answer>",
        "<think>a</think><think>b</think><answer>c</answer>",
        "<think>a</think><answer>b</answer><answer>c</answer>",
        "<think></think><answer></answer>",
        "<think>\na\n</think>\n<answer>\nb\n</answer>",
    ],
)
def test_example_4_what_keeps_the_layout(text):
    assert format_fault(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        " <think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer>\n",
        "<think>a</think> so <answer>b</answer>",
        "<answer>b</answer><think>a</think>",
        "<answer>b</answer>",
        "<think>a</think>",
        "<think>a</think><answer>",
        "",
    ],
)
def test_example_4_what_breaks_the_layout(text):
    assert format_fault(text) != ""


@settings(deadline=None)  # a busy machine is no fault
@given(PIECES)
def test_the_layout_is_what_the_released_expression_accepts(text):
    released = re.fullmatch(r"<think>.*?</think>\s*<answer>.*?</answer>", text, re.DOTALL)
    assert (format_fault(text) == "") == bool(released)


# -- blocks ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)  # a busy machine is no fault
@given(PIECES)
def test_both_blocks_are_what_the_expressions_find(text):
    for found, flags in ((block_on_one_line(text), 0), (first_block(text), re.DOTALL)):
        match = re.search(r"<answer>(.*?)</answer>", text, flags)
        assert found == (match[1] if match else None)


# -- the released parser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (answered("DECELERATE, LEFT_CHANGE"), plan(["DECELERATE"], ["LEFT_CHANGE"])),
        (answered("DECELERATE,LEFT_CHANGE"), plan()),
        (answered("DECELERATE,  LEFT_CHANGE"), plan(["DECELERATE"])),
        (answered("decelerate, left_change"), plan()),
        (f"{THOUGHT}\n<answer>\nDECELERATE, LEFT_CHANGE\n</answer>", plan()),
        ("DECELERATE, LEFT_CHANGE", plan(["DECELERATE"], ["LEFT_CHANGE"])),
        ("DECELERATE, LEFT_CHANGE</answer>", plan(["DECELERATE"], ["LEFT_CHANGE"])),
        (" DECELERATE, LEFT_CHANGE", plan([], ["LEFT_CHANGE"])),  # without a block nothing is stripped
        ("<answer>\nSTOP\n</answer> <answer>KEEP, STRAIGHT</answer>", plan(["KEEP"], ["STRAIGHT"])),
        ("", plan()),
    ],
)
def test_the_released_parser_takes_words_to_the_letter(text, expected):
    assert read_plan(text, "released") == expected


# -- the tolerant parser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (answered("DECELERATE,LEFT_CHANGE"), plan(["DECELERATE"], ["LEFT_CHANGE"])),
        (answered("Decelerate and left_change."), plan(["DECELERATE"], ["LEFT_CHANGE"])),
        (f"{THOUGHT}\n<answer>\nSTOP\nSTRAIGHT\n</answer>", plan(["STOP"], ["STRAIGHT"])),
        ("<answer> KEEP </answer><answer> STOP </answer>", plan(["KEEP"])),
        ("STOP, STRAIGHT", plan()),
        ("<think> STOP, STRAIGHT </think> <answer> </answer>", plan()),
        ("<answer> STOP, STRAIGHT", plan()),
        (answered("KEEP, STRAIGHT, KEEP, STRAIGHT"), plan(["KEEP"], ["STRAIGHT"])),
        (answered("保持, 直行"), plan()),
        (answered("mantener, recto"), plan()),
        (answered("Speed: KEEP; path: STRAIGHT"), plan(["KEEP"], ["STRAIGHT"])),
        (answered("KEEP / STRAIGHT"), plan(["KEEP"], ["STRAIGHT"])),
        # Which of the words are meant, no list of words tells.
        (answered("do NOT decelerate, go STRAIGHT"), plan()),
        (answered("KEEP, STRAIGHT unless a car comes"), plan()),
        (answered("не STOP, STRAIGHT"), plan()),
        (answered("¬STOP, STRAIGHT"), plan()),
        (answered("0 STOP, STRAIGHT"), plan()),
    ],
)
def test_the_tolerant_parser_reads_the_first_block_and_nothing_else(text, expected):
    assert read_plan(text) == expected


def test_a_turn_is_no_change_and_a_part_of_a_word_no_action():
    for words in ("LEFT", "TURN", "LEFT TURN", "LEFT_TURNING", "KEEPING", "NONSTOP", "_STOP_"):
        assert read_plan(answered(words)) == plan()
    assert read_plan(answered("LEFT_TURN")).path == {"LEFT_TURN"}


def test_all_words_are_read_as_all_words():
    for parser in ("tolerant", "released"):
        every = answered(", ".join([*SPEED_ACTIONS, *PATH_ACTIONS]))
        assert read_plan(every, parser) == plan(SPEED_ACTIONS, PATH_ACTIONS)


def test_what_could_not_be_read_is_told():
    assert unread("KEEP") == "no answer block"
    assert unread("<answer> KEEP") == "the answer block is not closed"
    assert unread("<answer> gas! </answer>") == "no known action in the answer block"
    told = "the answer block is no list of actions: 'DO, NOT' stands there too"
    assert unread(answered("do NOT STOP")) == told
    # What the released parser alone does not read is a list all the same (sheet, worked example 3).
    assert unread(answered("DECELERATE,LEFT_CHANGE")) == "no known action in the answer block"


# -- whatever a policy writes ----------------------------------------------------------------------------------------

LONG = [
    "<answer>" * 125_000,
    "<answer>\n" * 110_000,
    "<answer></answer>" * 60_000,
    "<think>" + "</think>" * 125_000 + "</answer>",
    "<think>" + "</think> " * 110_000 + "x</answer>",
    "<think></think>" + " " * 1_000_000 + "x</answer>",
    "<answer>" + "KEEP, STRAIGHT, " * 60_000 + "</answer>",
    "<answer>" + "a" * 1_000_000 + "</answer>",
    "\n" * 1_000_000,
]


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_a_megabyte_is_read_in_a_moment(text):
    """What is quadratic takes minutes on these; a busy machine takes some tenths of a second."""
    start = time.process_time()
    for parser in ("tolerant", "released"):
        read_plan(text, parser)
    format_fault(text)
    unread(text)
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("parser", ["tolerant", "released"])
def test_hostile_texts_name_no_action(parser):
    for text in hostile_texts():
        assert read_plan(text, parser) == plan()
