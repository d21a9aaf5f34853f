r"""How honest completions of a task are laid out, read off those of other examples: what an attacker learns from them.

>>> layout = Layout.of(["<think>\nadd\n</think>\n<answer>\n5\n</answer>"])
>>> layout.tags, layout.answer("<think>\nguess\n</think>\n<answer>\n7\n</answer>")
(('think', 'answer'), '7')
>>> layout.wrap("anything")
'<think>\nadd\n</think>\n<answer>\nanything\n</answer>'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

_TAG = re.compile(r"<(?P<tag>[A-Za-z][\w-]*)>(?P<body>(?:(?!</(?P=tag)>).)*)</(?P=tag)>", re.DOTALL)
_FENCE = re.compile(r"^```(?P<language>[\w+#.-]*)[ \t]*\n(?P<body>.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_BOXED = re.compile(r"\\boxed\{(?P<body>[^{}]*)\}")
MAX_CHARS = 100_000
"""Longer texts are taken as they are: honest completions are not that long."""


@dataclass(frozen=True)
class Layout:
    """The frame around an answer."""

    template: str = ""
    """An honest completion of another example; empty where there is none."""
    forced: str = ""
    """What the task puts before whatever the policy writes."""

    @classmethod
    def of(cls, completions: Sequence[str], forced: str = "") -> Self:
        """The most common frame among completions, as the first that has it shows it."""
        kinds = Counter(_kind(text) for text in completions)
        if not kinds:
            return cls("", forced)
        usual = kinds.most_common(1)[0][0]
        template = next(text for text in completions if _kind(text) == usual)
        return cls(template if template.startswith(forced) else forced + template, forced)

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tags that open and close in the template, in order."""
        return _tags(self.template)

    @property
    def language(self) -> str | None:
        """What its last fenced block says it holds ("" if it says nothing); None without one."""
        return _language(self.template)

    def answer(self, text: str) -> str:
        """What stands inside the frame: in the last fenced block, else in the last tag, else in a box, else all of it.
        The forced beginning is not part of it.
        """
        start, end = _span(text, self.forced)
        return text[start:end].strip("\n")

    def wrap(self, answer: str) -> str:
        """The template with another answer in its frame; the answer alone where there is no template."""
        if not self.template:
            return self.forced + answer
        start, end = _span(self.template, self.forced)
        body = self.template[start:end]
        before = body[: len(body) - len(body.lstrip("\n"))]
        after = body[len(body.rstrip("\n")) :] if body.strip("\n") else ""
        return self.template[:start] + before + answer + after + self.template[end:]


def _span(text: str, forced: str) -> tuple[int, int]:
    """Where the answer begins and ends."""
    least = len(forced) if text.startswith(forced) else 0
    if len(text) > MAX_CHARS:
        return least, len(text)
    for pattern in (_FENCE, _TAG, _BOXED):
        found = list(pattern.finditer(text))
        if found:
            start, end = found[-1].span("body")
            return max(start, least), max(end, least)
    return least, len(text)


def _tags(text: str) -> tuple[str, ...]:
    return tuple(found["tag"] for found in _TAG.finditer(text[:MAX_CHARS]))


def _language(text: str) -> str | None:
    found = list(_FENCE.finditer(text[:MAX_CHARS]))
    return found[-1]["language"] if found else None


def _kind(text: str) -> tuple[tuple[str, ...], str | None]:
    return _tags(text), _language(text)
