import json
import math
import sys
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon_code.tool_calls import MAX_DEPTH, MAX_DIGITS, Call, Malformed, call_of, calls_in, line_of, read_json, shown

PING = '{"name": "ping", "parameters": {}}'


def block(lines):
    return f"<think>a</think>\n<tool_call>\n{lines}\n</tool_call>"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.dictionaries(st.text(), values, max_size=4))
def test_a_written_call_is_read_back(name, parameters):
    line = line_of(name, parameters)
    assert "\n" not in line
    (call,) = calls_in(block(line))
    assert (call.name, call.parameters, call.extra) == (name, parameters, False)


@pytest.mark.parametrize("tag", ["<tool_call>", "</tool_call>", "<think>", "</think>", "<response>", "</response>"])
def test_a_tag_inside_a_value_does_not_end_the_block(tag):
    line = line_of(tag, {tag: f"a {tag} b"})
    assert tag not in line
    assert calls_in(block(line)) == [Call(tag, {tag: f"a {tag} b"})]


def test_calls_come_in_the_order_of_their_lines_and_white_space_around_them_is_free():
    text = block(f'\n\n  {PING}  \r\n\t{{"parameters": {{"x": 1}}, "name": "get weather"}}\n\n')
    assert calls_in(text) == [Call("ping", {}), Call("get weather", {"x": 1})]


def test_the_first_opening_tag_and_the_next_closing_tag_hold_the_block():
    assert calls_in(f"x<tool_call>{PING}</tool_call>y<tool_call>junk</tool_call>") == [Call("ping", {})]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no <tool_call>"),
        (PING, "no <tool_call>"),
        (f"<tool_call>{PING}", "no </tool_call> after <tool_call>"),
        (f"</tool_call><tool_call>{PING}", "no </tool_call> after <tool_call>"),
        (block(""), "line 1 of the block is not JSON"),
        (block(f"{PING}\n\n{PING}"), "line 2 of the block is not JSON"),
        (block(json.dumps(json.loads(PING), indent=1)), "line 1 of the block is not JSON"),
        (block(f"[{PING}]"), "line 1 of the block is not a JSON object"),
        (block("1"), "line 1 of the block is not a JSON object"),
        (block("{name: 'ping', parameters: {}}"), "line 1 of the block is not JSON"),
        (block('{"parameters": {}}'), "line 1 of the block has no 'name' that is a text"),
        (block('{"name": 1, "parameters": {}}'), "line 1 of the block has no 'name' that is a text"),
        (block('{"name": "ping"}'), "line 1 of the block has no 'parameters' that are a mapping"),
        (block('{"name": "ping", "parameters": []}'), "line 1 of the block has no 'parameters' that are a mapping"),
        (block('{"name": "ping", "arguments": {}}'), "line 1 of the block has no 'parameters' that are a mapping"),
        (block('{"name": "a\x00", "parameters": {}}'), "line 1 of the block is not JSON (Invalid control character"),
    ],
)
def test_what_is_no_call_is_named_by_its_line(text, said):
    with pytest.raises(Malformed) as caught:
        calls_in(text)
    assert str(caught.value).startswith(said)


def test_of_a_key_that_comes_twice_the_last_one_counts():
    assert call_of('{"name": "a", "name": "b", "parameters": {"x": 1, "x": 2}}') == Call("b", {"x": 2})


def test_further_members_are_noticed():
    assert call_of('{"name": "a", "parameters": {}, "id": 7}') == Call("a", {}, extra=True)


def test_each_nan_is_an_object_of_its_own():
    """A list holding one shared object would be equal to itself, NaN or not."""
    assert read_json("[NaN]") != read_json("[NaN]")
    assert read_json("[Infinity, -Infinity, 1e999]") == [math.inf, -math.inf, math.inf]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_has_a_limit_whatever_stands_in_texts(opening, closing):
    def nested(depth):
        return opening * depth + '"[[[[{{{{"' + closing * depth

    read_json(nested(MAX_DEPTH))
    read_json('"' + "[" * 100_000 + '"')
    read_json('["\\"' + "[" * 100_000 + '"]')
    with pytest.raises(Malformed, match=f"nests more than {MAX_DEPTH} deep"):
        read_json(nested(MAX_DEPTH + 1))
    with pytest.raises(Malformed, match="nests"):
        read_json(nested(200_000))


def test_deep_nesting_is_refused_the_same_from_a_deep_stack():
    """Python's own limit counts the caller's frames too."""

    def below(frames):
        if frames:
            return below(frames - 1)
        return read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)

    assert below(sys.getrecursionlimit() // 2) == read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_a_whole_number_has_a_limit_of_digits():
    assert read_json("9" * MAX_DIGITS) == 10**MAX_DIGITS - 1
    assert read_json("-" + "9" * MAX_DIGITS) == 1 - 10**MAX_DIGITS
    for sign in ("", "-"):
        with pytest.raises(Malformed, match="more than 640 digits"):
            read_json(sign + "9" * (MAX_DIGITS + 1))


@pytest.mark.parametrize(
    "line",
    [
        "[" * 1_000_000,
        '{"a":' * 200_000,
        '"' * 1_000_000,
        '[["' + '\\"' * 500_000,
        "[" * 65 + '"' + "\\" * 1_000_000,
        "9" * 1_000_000,
        "0." + "9" * 1_000_000,
        "\n" * 1_000_000,
        "\n".join([PING] * 25_000),
    ],
    ids=lambda line: repr(line[:6]),
)
def test_a_megabyte_is_read_or_refused_in_a_moment(line):
    start = time.process_time()
    with suppress(Malformed):
        calls_in(block(line))
    assert time.process_time() - start < 2.0


@given(st.text(), st.booleans())
def test_no_text_raises_anything_else(text, inside):
    try:
        assert calls_in(block(text) if inside else text)
    except Malformed as error:
        str(error).encode()


def test_evidence_is_short_and_printable():
    assert shown("a" * 100) == f"'{'a' * 40}'"
    assert shown("\ud800\x00") == "'\\ud800\\x00'"
