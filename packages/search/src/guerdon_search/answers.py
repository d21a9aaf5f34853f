"""The answer in a completion, and exact match of short answers.

The normal form is SQuAD's, as question answering with search reports it [memory]: lower case, no punctuation, no
articles, single spaces.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

_ANSWER = re.compile(r"<answer>((?:(?!</?answer>).)*)</answer>", re.DOTALL)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def answer_in(text: str) -> str:
    """The body of the last closed `<answer>` block, without surrounding space; the whole text where there is none.

    >>> answer_in("<think>hm</think><answer> Oslo </answer>")
    'Oslo'
    """
    found = _ANSWER.findall(text)
    return str(found[-1] if found else text).strip()


def normal(text: str) -> str:
    """The normal form in which short answers are compared.

    >>> normal("The  Eiffel-Tower!")
    'eiffeltower'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def told(golds: Sequence[str]) -> tuple[str, ...]:
    """The gold answers that say something: those whose normal form is not empty, which "." and "the" are not.

    Of one that says nothing a verifier finds every answer to hold it.
    """
    return tuple(gold for gold in golds if normal(gold))


def exact_match(answer: str, golds: Sequence[str]) -> bool:
    """Whether the answer's normal form is that of a gold answer; an empty one never is.

    >>> exact_match("the Seine.", ("Seine", "La Seine"))
    True
    """
    said = normal(answer)
    return bool(said) and said in {normal(gold) for gold in golds}
