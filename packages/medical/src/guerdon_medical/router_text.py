"""R1-Router's normal form of answers, and how much of a reference an answer recalls.

The normal form is that of visual question answering, with the quirks of the authors' code, since their references were
made for it: "a" is no article here, "none" becomes 0, and one comma between two digits deletes *all* listed marks of
its text ("well-known" becomes "wellknown") instead of replacing those that touch no blank.

Source: R1-Router (arXiv 2505.22095), the released step reward. The authors' word tokeniser is white-space splitting
here [choice], which gives the same on normalised text except for apostrophes; the contractions are the usual English
ones [choice].
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_DIGITS = re.compile(r"\d,\d")
_STOP = re.compile(r"\.(?!\d)")
_STOPS = 32
"""So many full stops go at most: the authors pass a flag of Python's `re` where a count belongs."""
_NUMBERS = dict(
    zip(
        ("none", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        ("0", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"),
        strict=True,
    )
)
_ARTICLES = frozenset(("an", "the"))
_PUNCTUATION = ",.?!:;'\""
_FULL_FORMS = """
    ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's
    i'm i've isn't it'd it'll let's ma'am might've mightn't must've mustn't needn't not've o'clock oughtn't
    shan't she'd she's should've shouldn't somebody'd somebody'll somebody's someone'd someone'll someone's
    something'd something'll that's there'd there're there's they'd they'll they're they've 'twas wasn't we'd
    we've weren't what'll what're what's what've when's where'd where's where've who'd who'll who's who've
    why'll why're why's won't would've wouldn't y'all you'd you'll you're you've
"""
_CONTRACTIONS = {whole.replace("'", ""): whole for whole in _FULL_FORMS.split()}


def normal_form(text: str) -> str:
    """A text as answers are compared.

    >>> normal_form("The U.S. has 1,234 well-known (big) cities, none!")
    'us has 1234 wellknown big cities 0'
    >>> normal_form("a-b")
    'a b'
    """
    text = re.sub(r"[\n\r\t]", " ", text).strip()
    numbers = _DIGITS.search(text) is not None
    kept = text
    for mark in _MARKS:
        deleted = numbers or f"{mark} " in text or f" {mark}" in text
        kept = kept.replace(mark, "" if deleted else " ")
    words = (_NUMBERS.get(word, word) for word in _STOP.sub("", kept, count=_STOPS).lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def tokens(text: str) -> list[str]:
    """The words of a text's normal form, those of punctuation alone left out."""
    return [word for word in normal_form(text).split() if word not in _PUNCTUATION]


class Overlap(NamedTuple):
    """What an answer and a reference share, each a share in [0, 1]."""

    precision: float
    recall: float
    f1: float


def overlap(answer: str, reference: str) -> Overlap:
    """Words that are common, counted with repetition, over the answer's and over the reference's; an empty side has 0.

    >>> overlap("December 1899", "9 December 1899")
    Overlap(precision=1.0, recall=0.6666666666666666, f1=0.8)
    """
    mine, theirs = tokens(answer), tokens(reference)
    common = sum((Counter(mine) & Counter(theirs)).values())
    if not common:
        return Overlap(0.0, 0.0, 0.0)
    precision, recall = common / len(mine), common / len(theirs)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall))


def best_recall(answer: str, references: Sequence[str]) -> float:
    """The recall of the reference with the best F1, the first of equal ones; 0 where no F1 is above 0.

    Its mean over questions, times 100, is what the paper reports as F1-Recall.
    """
    best = Overlap(0.0, 0.0, 0.0)
    for reference in references:
        found = overlap(answer, reference)
        if found.f1 > best.f1:
            best = found
    return best.recall


SHORT = 5
"""Pieces, cut at single blanks, up to which a lone reference has to be recalled whole."""


def answer_value(answer: str, references: Sequence[str]) -> float:
    """What an answer step earns, in [0, 1]: 1 where the recall is 1, else 0; of one long reference, the recall itself.

    Long are more than five pieces of the *raw* reference between single blanks (so blanks in front count). Recall only:
    a list of many candidates earns 1, and of a short reference each word is needed.
    """
    recall = best_recall(answer, references)
    if len(references) == 1 and len(references[0].split(" ")) > SHORT:
        return recall
    return float(recall == 1.0)
