"""How a dialogue becomes a prompt, and how a right turn looks.

The system text has the role, a numbered list of tools, the three steps, the layout and notes; the user text is the
record of the dialogue so far, each piece in a tag that says whose it is. So a turn in mid-dialogue is one example.

Source: ToolRL (arXiv 2504.13958), Procedure; the words are ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from guerdon.types import Message, Prompt
from guerdon_code.tool_calls import Call
from guerdon_code.tool_examples import ToolExample, gold_calls
from guerdon_code.tool_layout import (
    CALL_CLOSE,
    CALL_OPEN,
    RESPONSE_CLOSE,
    RESPONSE_OPEN,
    THINK_CLOSE,
    THINK_OPEN,
    Layout,
)

Speaker = Literal["user", "tool_call", "response", "obs"]

_HEAD = (
    "You are an assistant who can call tools. Serve the user with tool calls, with an answer in words, or with both."
)
_STEPS = """\
Steps of each turn:
1. Think: recall what was said and what the user is after.
2. Decide on tools: where one is needed, name it and its parameters.
3. Respond: where words are needed, write them."""
_LAYOUT = """\
Layout of a turn:
<think> your reasoning </think>
<tool_call>
{"name": "tool name", "parameters": {"parameter name": "value"}}
{"name": "another tool", "parameters": {}}
</tool_call>
<response> your answer </response>"""
_NOTES = """\
Notes:
1. Always begin with <think>. After it comes <tool_call>, <response>, or both; leave out what is not needed.
2. One call a line, each a JSON object with "name" and "parameters"; a call without parameters has {}.
3. Earlier turns are given in the record of the dialogue, what tools returned as <obs>."""


class Piece(NamedTuple):
    """A piece of the dialogue so far."""

    speaker: Speaker
    text: str


def system_text(tools: Sequence[Mapping[str, Any]], rules: Iterable[str] = ()) -> str:
    """Role, tools, steps, layout and notes.

    Args:
        tools: each with `name`, perhaps `description` and `parameters` (any JSON; type words are shown as they are).
        rules: what the dialogue's own system messages say.
    """
    listed = [
        f"{number}. Name: {tool['name']}\nDescription: {tool.get('description', '')}\n"
        f"Parameters: {json.dumps(tool.get('parameters', {}), ensure_ascii=False)}"
        for number, tool in enumerate(tools, 1)
    ]
    return "\n\n".join([_HEAD, "\n".join(["Tools:", *listed]), _STEPS, _LAYOUT, _NOTES, *rules])


def user_text(record: Iterable[Piece]) -> str:
    r"""The record of the dialogue.

    >>> print(user_text([Piece("user", "Weather in Oslo?"), Piece("obs", "9 C")]))
    Record of the dialogue:
    <user> Weather in Oslo? </user>
    <obs> 9 C </obs>
    """
    return "\n".join(["Record of the dialogue:", *(_tagged(piece) for piece in record)])


def _tagged(piece: Piece) -> str:
    between = "\n" if piece.speaker == "tool_call" else " "
    return f"<{piece.speaker}>{between}{piece.text}{between}</{piece.speaker}>"


def chat_prompt(example: ToolExample) -> Prompt:
    """System and user message; a text that is empty is left out."""
    texts = (Message("system", example.system), Message("user", example.user))
    return Prompt(tuple(message for message in texts if message.content))


def completion(example: ToolExample) -> str:
    r"""The turn that earns the top: a short thought, then what gold has.

    >>> line = '{"name": "get_weather", "parameters": {"city": "Oslo"}}'
    >>> print(completion(ToolExample(id="1", calls=(line,))))
    <think> get_weather is what serves the user here. </think>
    <tool_call>
    {"name": "get_weather", "parameters": {"city": "Oslo"}}
    </tool_call>
    """
    return turn(_thought(gold_calls(example.calls)), example.calls, example.response, example.layout)


def turn(thought: str, lines: Sequence[str], response: str, layout: Layout) -> str:
    """A turn of that layout from its pieces."""
    pieces = [f"{THINK_OPEN} {thought} {THINK_CLOSE}"]
    if layout in ("call", "both"):
        pieces += [CALL_OPEN, *lines, CALL_CLOSE]
    if layout in ("response", "both"):
        pieces.append(f"{RESPONSE_OPEN} {response} {RESPONSE_CLOSE}")
    return "\n".join(pieces)


def _thought(calls: Sequence[Call]) -> str:
    """One line that says which tools to call; a name that could be taken for a tag stays out of it."""
    if not calls:
        return "None of the tools is needed here."
    names = list(dict.fromkeys(call.name for call in calls))
    if any("<" in name or "\n" in name for name in names):
        return "Tools are needed here."
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} what serves the user here."
