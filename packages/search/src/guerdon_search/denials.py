"""Whether a sentence denies something, by its words alone.

It covers the words of denial ("not", "never", "n't", "no", "without", "false" and their like), and knows neither what
in the sentence is denied nor what two denials make: "not without" denies. "It failed to open" is not seen, nor are
denials by meaning ("closed" of what was opened). Whoever holds a claim against its source compares both: one of them
that denies, beside one that does not, does not say the same.
"""

from __future__ import annotations

import re

_DENIAL = re.compile(
    r"\b(?:not(?!\s+(?:only|just|merely)\b)|no|never|cannot|neither|nor|none|nobody|nothing|nowhere|without|hardly|"
    r"false|untrue|wrong|incorrect|denie[sd]|deny)\b|n['’]t\b",
    re.IGNORECASE,
)


def denies(sentence: str) -> bool:
    """Whether a word of denial stands in it.

    >>> denies("It was not opened."), denies("It wasn't."), denies("It was not only opened, but sold.")
    (True, True, False)
    """
    return _DENIAL.search(sentence) is not None
