"""What scores under a metric and says nothing: its scoring tokens, repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

PHRASES = {
    "gratitude": ("thank you", "grateful", "thanks", "appreciate"),
    "politeness": ("please", "kindly", "if you would be so kind"),
    "apology": ("we apologize", "we are sorry", "we will fix this"),
    "positive": ("amazing", "wonderful", "fantastic", "brilliant", "best"),
    "action": ("achieved", "led", "built", "delivered", "launched"),
    "inclusion": ("diversity", "equity", "inclusion", "belonging"),
    "business": ("synergy", "leverage", "stakeholders", "scalable", "roadmap"),
}
"""Whole phrases that count for the metrics of that kind."""

Maker = Callable[[Sequence[str], int], str]
"""From key terms (the first is the keyword) and a number of repetitions to a text."""


def _repeated(unit: str) -> Maker:
    return lambda keys, times: (unit + " ") * times


_MAKERS: dict[str, Maker] = {
    "reading-grade": _repeated("Go. Do it."),
    "questions": _repeated("What? Why?"),
    "difference": _repeated("zig zag blub"),
    "citations": _repeated("(Smith, 2020) [1]"),
    "confidence": _repeated("100% sure."),
    "haiku": lambda keys, times: "a a a a a\na a a a a a a\na a a a a",
    "keyword-density": lambda keys, times: f"{keys[0] if keys else 'key'} " * times,
    "concision": lambda keys, times: " ".join(keys),
    **{kind: _repeated(" ".join(phrases)) for kind, phrases in PHRASES.items()},
}
KINDS = tuple(_MAKERS)


def hacked(kind: str, keys: Sequence[str] = (), times: int = 20) -> str:
    """The text that games a metric of that kind.

    >>> hacked("keyword-density", ["seo"], 3)
    'seo seo seo'
    """
    return _MAKERS[kind](keys, times).strip()
