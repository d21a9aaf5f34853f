"""The answer in a completion, and exact match of short answers.

What is thought is no answer, and what is taken back neither: a block within a thought does not count, and nothing
stands after the block that does. No paper of these has a parser of answers to be faithful to.

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

NO_ANSWER = "no answer, or more behind its block"
"""Why an answer that is empty earns nothing."""


def answer_in(text: str) -> str:
    """The body of the last closed `<answer>` block outside of thoughts, without surrounding space; all that is not
    thought where there is none. Empty where something follows that block: "Correction: it was another" takes it back.

    >>> answer_in("<think>hm</think><answer> Oslo </answer>"), answer_in("<answer>Oslo</answer> No, Bergen.")
    ('Oslo', '')
    """
    said = without_thoughts(text)
    blocks = list(_ANSWER.finditer(said))
    if not blocks:
        return said
    return "" if said[blocks[-1].end() :].strip() else str(blocks[-1][1]).strip()


def without_thoughts(text: str) -> str:
    """What stands outside of `<think>` blocks, with a blank for each, without surrounding space.

    A block that is not closed goes to the end, and one that the prompt opened, so that only its end is here, from the
    start.

    >>> without_thoughts("hm</think> It is <think>is it?</think> Oslo <think>or")
    'It is   Oslo'
    """
    *closed, end = text.split("</think>")
    kept: list[str] = []
    for part in closed:
        before, opened, _ = part.partition("<think>")
        if opened:
            kept.append(before)
        else:
            kept.clear()
    return " ".join((*kept, end.partition("<think>")[0])).strip()


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
