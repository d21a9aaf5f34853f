r"""Reading the calls out of a turn, strictly, whatever the text.

Between the first `<tool_call>` and the next `</tool_call>` stands one JSON object a line, with a `name` (text) and
`parameters` (a mapping). Anything else is malformed and said so in words: a blank or pretty-printed line, a value over
the limits below, control characters in a text (JSON forbids them). Other members of the object are noticed and do no
harm; of a key that comes twice the last one counts, as Python reads JSON; NaN and the infinities, which Python reads
too, are values, and NaN equals nothing.

Time and memory are linear in the text. Limits, so that no result depends on the interpreter's settings or on how deep
the caller's stack is: `MAX_DEPTH` brackets within one another, `MAX_DIGITS` digits of a whole number.

Source: ToolRL (arXiv 2504.13958), released code; it splits at a second opening tag too, and accepts a closing tag in
front of the opening one, which this does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guerdon_code.tool_layout import CALL_CLOSE, CALL_OPEN, TAGS

MAX_DEPTH = 64
"""Lists and mappings within one another."""
MAX_DIGITS = 640
"""Digits of a whole number: the least to which Python's own limit can be set."""

_SHOWN = 40
# A text (to its end, where it never closes) or a bracket. Possessive, so that no place is looked at twice.
_TEXT_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]}]', re.DOTALL)


class Malformed(ValueError):  # noqa: N818 - reads as what it is: `except Malformed`
    """What a policy wrote is no list of calls; the message says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    name: str
    parameters: Mapping[str, Any]
    extra: bool = False
    """Whether the object had members beside these two: such a call is never wholly equal to another."""


def calls_in(text: str) -> list[Call]:
    r"""The calls of a turn, in order; at least one.

    Raises:
        Malformed: a tag is missing, or a line is not one call.

    >>> calls_in('<tool_call>\n{"name": "ping", "parameters": {}}\n</tool_call>')
    [Call(name='ping', parameters={}, extra=False)]
    """
    start = text.find(CALL_OPEN)
    if start < 0:
        raise Malformed(f"no {CALL_OPEN}")
    start += len(CALL_OPEN)
    end = text.find(CALL_CLOSE, start)
    if end < 0:
        raise Malformed(f"no {CALL_CLOSE} after {CALL_OPEN}")
    calls = []
    for number, line in enumerate(text[start:end].strip().split("\n"), 1):
        try:
            calls.append(call_of(line))
        except Malformed as error:
            raise Malformed(f"line {number} of the block {error}: {shown(line)}") from None
    return calls


def call_of(line: str) -> Call:
    """The call that one line is.

    Raises:
        Malformed: it is not an object with a name and parameters, or over a limit.
    """
    found = read_json(line)
    if not isinstance(found, dict):
        raise Malformed("is not a JSON object")
    name, parameters = found.get("name"), found.get("parameters")
    if not isinstance(name, str):
        raise Malformed("has no 'name' that is a text")
    if not isinstance(parameters, dict):
        raise Malformed("has no 'parameters' that are a mapping")
    return Call(name, parameters, len(found) > 2)


def line_of(name: str, parameters: Mapping[str, Any]) -> str:
    r"""A call as a line: `call_of` reads it back, and no tag stands in it.

    >>> line_of("post", {"text": "</tool_call>"})
    '{"name": "post", "parameters": {"text": "\\u003c/tool_call>"}}'
    """
    line = json.dumps({"name": name, "parameters": parameters}, ensure_ascii=False, allow_nan=False)
    return line.replace("<", "\\u003c") if any(tag in line for tag in TAGS) else line


def read_json(text: str) -> Any:
    """The value of a JSON text, within the limits.

    Raises:
        Malformed: it is not JSON, or over a limit.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and _too_deep(text):
        raise Malformed(f"nests more than {MAX_DEPTH} deep")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"is not JSON ({error.msg} at character {error.pos})") from None


def shown(value: object) -> str:
    """A value as evidence: printable, and short enough for a log line."""
    text = ascii(value[:_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}..."


def _too_deep(text: str) -> bool:
    depth = 0
    for found in _TEXT_OR_BRACKET.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif found[0] in "]}":
            depth -= 1
    return False


def _whole_number(digits: str) -> int:
    if len(digits.removeprefix("-")) > MAX_DIGITS:
        raise Malformed(f"has a whole number of more than {MAX_DIGITS} digits")
    return int(digits)


# `float` for constants makes each NaN an object of its own: Python's default is one object, which a list that holds it
# would take for equal to itself.
_DECODER = json.JSONDecoder(parse_int=_whole_number, parse_constant=float)
