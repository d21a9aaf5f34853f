r"""Reading a planner's words: which actions an answer names, and whether the completion has the layout asked for.

```
<think> reasoning </think> <answer> KEEP, STRAIGHT </answer>
```
Two parsers, of which neither repairs anything. `tolerant` takes the first answer block, over several lines, upper-cases
it, and wants a list: actions between white space and punctuation, with `SPEED`, `PATH` and `AND` beside them at most.
Anything else there, and there is no plan: "do NOT decelerate" names DECELERATE, too. Nor is there one without a block.
`released` takes the first answer block that lies on one line, stripped, or without one the whole completion less its
answer tags, and knows what stands between two `", "`, to the letter.

It does not look at the reasoning, and knows words alone, never parts of them: LEFT_TURN is no LEFT_CHANGE. Time and
memory are linear in the text, whatever a policy writes: one search after the other, each from where the last one ended.

Source: AlphaDrive (arXiv 2503.07608), released code; the tolerant parser is ours [choice]. The sheet's takes the words
of `[A-Z_]+` and passes over the rest, so that a plan and its negation are one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS, Axis

Parser = Literal["tolerant", "released"]

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"

_SPEED, _PATH = frozenset[str](SPEED_ACTIONS), frozenset[str](PATH_ACTIONS)
_SHOWN = 40
"""Characters of what should not stand in a block, in a reason."""
_BESIDE = frozenset(("SPEED", "PATH", "AND"))
"""Words that a list of actions may hold."""
_TOKEN = re.compile(r"""\w+|[^\w\s,;:./|&+*()[\]{}"'`-]""")
"""A word, a number, or a sign that no list needs (¬, !, ~)."""
_BETWEEN = re.compile(rf"{THINK_CLOSE}\s*{ANSWER_OPEN}")


class Plan(NamedTuple):
    """The actions that a text names, each once, axis by axis."""

    speed: frozenset[str] = frozenset()
    path: frozenset[str] = frozenset()

    def on(self, axis: Axis) -> frozenset[str]:
        """Those of one axis."""
        return self.speed if axis == "speed" else self.path


def read_plan(text: str, parser: Parser = "tolerant") -> Plan:
    r"""The actions that an answer, or a solution, names.

    >>> sorted(read_plan("<think> KEEP? </think>\n<answer>\nstop, LEFT_TURN\n</answer>").speed)
    ['STOP']
    >>> read_plan("<answer> STOP,LEFT_TURN </answer>", "released")
    Plan(speed=frozenset(), path=frozenset())
    """
    if parser == "released":
        block = block_on_one_line(text)
        said = text.replace(ANSWER_OPEN, "").replace(ANSWER_CLOSE, "") if block is None else block.strip()
        words = frozenset(said.split(", "))
    else:
        words = _tokens(text)
        if words - _SPEED - _PATH - _BESIDE:
            return Plan()
    return Plan(words & _SPEED, words & _PATH)


def _tokens(text: str) -> frozenset[str]:
    """Of the first answer block, upper-cased."""
    return frozenset(_TOKEN.findall((first_block(text) or "").upper()))


@lru_cache(maxsize=4096)
def read_solution(text: str, parser: Parser) -> Plan:
    """`read_plan` of a solution, kept: all attempts at an example ask for the same one."""
    return read_plan(text, parser)


def first_block(text: str) -> str | None:
    r"""What stands in the first answer block, line breaks and all; None where none is opened and closed.

    >>> first_block("<answer> KEEP,\nSTRAIGHT </answer> <answer> STOP </answer>")
    ' KEEP,\nSTRAIGHT '
    """
    start = text.find(ANSWER_OPEN)
    end = text.find(ANSWER_CLOSE, start + len(ANSWER_OPEN)) if start >= 0 else -1
    return text[start + len(ANSWER_OPEN) : end] if end >= 0 else None


def block_on_one_line(text: str) -> str | None:
    r"""What stands in the first answer block that lies on one line; None where there is none.

    The same as the first match of `<answer>(.*?)</answer>` where a dot matches no line break, without the time that
    such an expression takes on many open tags.

    >>> block_on_one_line("<answer>\nKEEP\n</answer> <answer> STOP </answer>")
    ' STOP '
    """
    start = text.find(ANSWER_OPEN)
    while start >= 0:
        begin = start + len(ANSWER_OPEN)
        line_end = text.find("\n", begin)
        line_end = len(text) if line_end < 0 else line_end
        if (end := text.find(ANSWER_CLOSE, begin, line_end)) >= 0:
            return text[begin:end]
        start = text.find(ANSWER_OPEN, line_end)  # what follows on this line has no closing tag either
    return None


def laid_out(thought: str, answer: str) -> str:
    """A completion in the layout.

    >>> laid_out("so", "KEEP, STRAIGHT")
    '<think> so </think> <answer> KEEP, STRAIGHT </answer>'
    """
    return f"{THINK_OPEN} {thought} {THINK_CLOSE} {ANSWER_OPEN} {answer} {ANSWER_CLOSE}"


def unread(text: str) -> str:
    """Why no action was found in an answer, for `Score.why`."""
    if ANSWER_OPEN not in text:
        return "no answer block"
    if first_block(text) is None:
        return "the answer block is not closed"
    tokens = _tokens(text)
    if tokens & (_SPEED | _PATH) and (others := sorted(tokens - _SPEED - _PATH - _BESIDE)):
        return f"the answer block is no list of actions: {', '.join(others)[:_SHOWN]!r} stands there too"
    return "no known action in the answer block"


def format_fault(text: str) -> str:
    r"""What keeps a whole completion from the layout; "" where nothing does.

    The same as asking for a full match of `<think>.*?</think>\s*<answer>.*?</answer>` where a dot matches anything:
    further blocks within pass, text before, after and between the two parts does not.

    >>> format_fault("<think> so </think>\n<answer> KEEP, STRAIGHT </answer>")
    ''
    >>> format_fault("<think> so </think> hence <answer> KEEP, STRAIGHT </answer>")
    'lacks </think> and <answer> with at most white space between them'
    """
    if not text.startswith(THINK_OPEN):
        return f"does not begin with {THINK_OPEN}"
    if not text.endswith(ANSWER_CLOSE):
        return f"does not end with {ANSWER_CLOSE}"
    if not _BETWEEN.search(text, len(THINK_OPEN), len(text) - len(ANSWER_CLOSE)):
        return f"lacks {THINK_CLOSE} and {ANSWER_OPEN} with at most white space between them"
    return ""
