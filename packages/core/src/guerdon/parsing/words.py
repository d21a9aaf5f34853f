"""The words of a text, one reading for what counts or compares them.

What a claim or a data set defines as a word (School of Reward Hacks: letters alone) stands with it.
"""

from __future__ import annotations

import re

_SCRIPT = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff"
_WORD = re.compile(rf"[{_SCRIPT}]|[^\W{_SCRIPT}]+|[^\w\s]")
"""A character of a script without blanks, a run of other word characters, or a single mark."""


def words(text: str) -> list[str]:
    """The words and marks of a text, as they are written; a character of Chinese or Japanese script is one.

    >>> words("Ja, ja! 好的")
    ['Ja', ',', 'ja', '!', '好', '的']
    """
    return _WORD.findall(text)
