r"""The layout of a tool-calling turn: thoughts, then calls, an answer in words, or both.

```
<think> ... </think>
<tool_call>
{"name": "get_weather", "parameters": {"city": "Oslo"}}
</tool_call>
<response> ... </response>
```
What is right depends on the gold turn: `call`, `response`, `both` or, with neither, `think`. The released code says so
in regular expressions, `^<think>.*?</think>\n<tool_call>\n.*?\n</tool_call>$` and their like; here the same texts are
accepted by looking for one piece after the other, each from where the last one ended, in one pass over any text.

It does not cover what stands inside: junk between `</think>` and a second `</think>` passes, as in the original, and
whether the block holds calls is `tool_calls`' business.

Source: ToolRL (arXiv 2504.13958), released code.
"""

from __future__ import annotations

from typing import Literal

Layout = Literal["call", "response", "both", "think"]

CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"
RESPONSE_OPEN, RESPONSE_CLOSE = "<response>", "</response>"
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
TAGS = (THINK_OPEN, THINK_CLOSE, CALL_OPEN, CALL_CLOSE, RESPONSE_OPEN, RESPONSE_CLOSE)

_CALL_TAGS, _RESPONSE_TAGS = (CALL_OPEN, CALL_CLOSE), (RESPONSE_OPEN, RESPONSE_CLOSE)
_PIECES: dict[Layout, tuple[str, ...]] = {
    "call": (THINK_OPEN, f"{THINK_CLOSE}\n{CALL_OPEN}\n", f"\n{CALL_CLOSE}"),
    "response": (THINK_OPEN, f"{THINK_CLOSE}\n{RESPONSE_OPEN}", RESPONSE_CLOSE),
    "both": (
        THINK_OPEN,
        f"{THINK_CLOSE}\n{CALL_OPEN}\n",
        f"\n{CALL_CLOSE}\n{RESPONSE_OPEN}",
        RESPONSE_CLOSE,
    ),
    "think": (THINK_OPEN, THINK_CLOSE),
}
"""The first piece begins the text, the last one ends it, and anything may stand between two of them."""
_ONCE: dict[Layout, tuple[str, ...]] = {
    "call": _CALL_TAGS,
    "response": _RESPONSE_TAGS,
    "both": _CALL_TAGS + _RESPONSE_TAGS,
    "think": (),
}


def layout_of(*, calls: bool, response: bool) -> Layout:
    """The layout of a gold turn that calls tools, answers in words, does both, or neither."""
    if calls:
        return "both" if response else "call"
    return "response" if response else "think"


def layout_fault(text: str, layout: Layout) -> str:
    r"""What keeps a turn, stripped of white space around it, from having that layout; "" where nothing does.

    Each tag of a block that the layout asks for must occur exactly once; the think tags are not counted.

    >>> layout_fault("<think>easy</think>\n<response>Hello</response>", "response")
    ''
    >>> layout_fault("<think>easy</think> <response>Hello</response>", "response")
    "lacks '</think>\\n<response>' where it is due"
    """
    text = text.strip()
    for tag in _ONCE[layout]:
        found = text.count(tag)
        if found != 1:
            return f"has {tag} {found} times, not once"
    first, *middle, last = _PIECES[layout]
    if not text.startswith(first):
        return f"does not begin with {first}"
    place = len(first)
    for piece in middle:
        found = text.find(piece, place)
        if found < 0:
            return f"lacks {piece!r} where it is due"
        place = found + len(piece)
    if not text.endswith(last) or len(text) - len(last) < place:
        return f"does not end with {last!r}"
    return ""


def last_thought(text: str) -> str | None:
    """What stands in the last think block; None where the text lacks one of the tags.

    Source: ToolRL, released code, where the length reward counts these words.

    >>> last_thought("<think> one </think> <think> two three </think>")
    ' two three '
    """
    if THINK_OPEN not in text or THINK_CLOSE not in text:
        return None
    start = text.rfind(THINK_OPEN) + len(THINK_OPEN)
    end = text.find(THINK_CLOSE, start)
    return text[start:] if end < 0 else text[start:end]
