"""Skills that are everyday words or single letters: Go, Excel, R, C. Which of their mentions are the skill.

A word needs its capital, and a letter no initial's dot; in a list of skills either may be spelled as it likes. It does
not cover a person called Julia, a sentence that says "Go is fun", or "Python, R. Smith", which is read as an initial.
"""

from __future__ import annotations

import re

_NAMES = (
    "access ada angular ant asana basic bash beam blender chef confluence crystal dart ember excel express flask go "
    "helm hive illustrator julia lean less maya nomad notion oracle outlook pig premiere project puppet react rest "
    "ruby rust sage salt scratch segment shell sketch slack snowflake soap spark spring square storm stripe swift "
    "teams unity vault visio word zoom"
)
_WORDS = frozenset(_NAMES.split())
"""Names of products and languages that are words of English; what is one by its trade (budgeting) is none."""
_ITEM_BEFORE = re.compile(r"(?:^|[,;:|/(•·▪\n])[^\S\n]*(?:(?:and|or|&) |[-*–•] *)?$", re.IGNORECASE)
_ITEM_AFTER = re.compile(r"[^\S\n]*(?:$|[,;|/)•·▪\n]|\.\s*(?:\n|$)|(?:and|or|&) )", re.IGNORECASE)
_TOLD_BEFORE = re.compile(
    r"\b(?:using|microsoft|ms|(?:experience[sd]?|skills?|skilled|proficien\w+|programm\w+|written|wrote|knowledge|"
    r"expert\w*|fluent|worked|trained|years?) (?:in|of|with)|(?:language|languages)) $",
    re.IGNORECASE,
)
_SENTENCE_BEFORE = re.compile(r"(?:^|[.!?:\n•]\s*|[\n•]\s*[-*–] *)$")
_VERB_AFTER = re.compile(
    r" (?:at|in|to|on|by|as|of|under|beyond|above|the|a|an|out|up|down|through|over|when|anywhere|further)\b"
)
"""After a word at the beginning of a sentence: "Excel at", "Go to"."""
_NO_LETTER_BEFORE = re.compile(
    r"(?:[.&'’°-]|\d ?|\b[A-Z]\. ?|\b(?:vitamin|grade|class|section|plan|hepatitis|group|type|level|series|appendix|"
    r"figure|option|category|block|tier|phase|building|room|terminal|radio) )$",
    re.IGNORECASE,
)
_NO_LETTER_AFTER = re.compile(
    r"[&.'’-]\w|\. ?[^\W\d_]|[- ](?:suite|level|section)\b|(?i:\. [^\W\d_])"
    r"| (?!Developer|Engineer|Program|Language|Shiny|Studio|Markdown|Script|Code|Package)[A-Z][a-z]"
)
"""After a letter: it is an initial, or another word's ("R&D", "C-suite")."""


def is_everyday(words: str) -> bool:
    """Whether a skill, in normal form, is a word or a letter that means something else as well.

    >>> is_everyday("go"), is_everyday("r"), is_everyday("sql"), is_everyday("go language")
    (True, True, False, False)
    """
    return words in _WORDS or (len(words) == 1 and words.isalpha())


def is_skill_at(text: str, start: int, end: int) -> bool:
    """Whether the everyday word at a place of a text, in its own spelling, is meant as a skill.

    >>> is_skill_at("Ready to go", 9, 11), is_skill_at("Uses Go", 5, 7)
    (False, True)
    """
    before, after = text[max(0, start - 40) : start], text[end : end + 40]
    if start > 40:
        before = f"_{before}"  # where the text was cut is no beginning of a line
    if end - start == 1 and (_NO_LETTER_BEFORE.search(before) or _NO_LETTER_AFTER.match(after)):
        return False
    if (_ITEM_BEFORE.search(before) and _ITEM_AFTER.match(after)) or _TOLD_BEFORE.search(before):
        return True
    if not text[start].isupper():
        return False
    if end - start == 1:
        return text[start:end] != "I" and text[start:end] != "A"
    shouted = text[start:end].isupper() and re.search(r"[A-Z]{2} $", before)  # "READY TO GO": a line in capitals
    return not shouted and not (_SENTENCE_BEFORE.search(before) and _VERB_AFTER.match(after))
