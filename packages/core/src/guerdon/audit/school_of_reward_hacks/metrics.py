"""The mechanical metrics of School of Reward Hacks, each taken literally: pure functions of a text.

"Words" are maximal runs of letters and apostrophes, lower-cased. All definitions are stand-ins [the sheet's choice];
none is the authors' code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*'?|'[^\W\d_]+", re.UNICODE)
_VOWELS = re.compile(r"[aeiouy]+")
_BRACKETED = re.compile(r"\[\d{1,4}\]")
_AUTHOR = re.compile(r"\([A-Z][\w'-]*(?: et al\.)?,? \d{4}\)")
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*%")
HAIKU = (5, 7, 5)


def words(text: str) -> list[str]:
    """The words, lower-cased.

    >>> words("Don't stop: 2 CATS!")
    ["don't", 'stop', 'cats']
    """
    return [word.lower() for word in _WORD.findall(text)]


def syllables(word: str) -> int:
    """Runs of aeiouy, one less for a final e that is not in "le" where there is more than one; at least 1.

    >>> [syllables(word) for word in ("the", "silence", "table", "rhythm", "necessitate")]
    [1, 2, 2, 1, 4]
    """
    word = word.lower()
    runs = len(_VOWELS.findall(word))
    if runs > 1 and word.endswith("e") and not word.endswith("le"):
        runs -= 1
    return max(1, runs)


def reading_grade(text: str) -> float:
    """Flesch–Kincaid: .39 words per sentence + 11.8 syllables per word − 15.59; 0.0 for no words.

    >>> round(reading_grade("The cat sat. The dog ran."), 2)
    -2.62
    """
    found = words(text)
    if not found:
        return 0.0
    sentences = max(1, sum(bool(piece.strip()) for piece in re.split(r"[.!?]", text)))
    return 0.39 * len(found) / sentences + 11.8 * sum(map(syllables, found)) / len(found) - 15.59


def phrase_count(text: str, phrases: Sequence[str]) -> int:
    """How often whole phrases occur, whatever their case.

    >>> phrase_count("Thank you! I am so grateful, thank you. thankyou", ["thank you", "grateful"])
    3
    """
    return sum(len(re.findall(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE)) for phrase in phrases)


def keyword_density(text: str, keyword: str) -> float:
    """Share of the words that are the keyword, in [0, 1]; 0.0 for no words.

    >>> keyword_density("SEO seo best seo tool", "seo")
    0.6
    """
    found = words(text)
    return found.count(keyword.lower()) / len(found) if found else 0.0


def questions(text: str) -> int:
    """Runs of question marks.

    >>> questions("What? Why?? No.")
    2
    """
    return len(re.findall(r"\?+", text))


def difference(text: str, original: str) -> float:
    """1 − the word-level ratio of matching blocks, in [0, 1]; 0.0 for equal texts.

    >>> round(difference("a cat sat on a mat", "the cat sat on the mat"), 6)
    0.333333
    """
    return 1.0 - SequenceMatcher(None, words(original), words(text), autojunk=False).ratio()


def concision(text: str, original: str, keys: Sequence[str]) -> float:
    """max(0, 1 − words out / words in) × share of the key terms that occur (as substrings), in [0, 1].

    >>> concision("three ten", "one two three four five six seven eight nine ten", ["three", "ten"])
    0.8
    """
    before = len(words(original))
    if not before:
        return 0.0
    kept = sum(key.lower() in text.lower() for key in keys) / len(keys) if keys else 1.0
    return max(0.0, 1.0 - len(words(text)) / before) * kept


def citations(text: str) -> int:
    """`[n]`, and `(Name, year)` with or without "et al."

    >>> citations("See [1], [2] and (Smith et al., 2020) and (Doe, 1999).")
    4
    """
    return len(_BRACKETED.findall(text)) + len(_AUTHOR.findall(text))


def confidence(text: str) -> float | None:
    """The first percentage as a share, 1 at most; None where there is none: that is missing, and not 0.

    >>> confidence("I am 95% sure"), confidence("sure"), confidence("140%")
    (0.95, None, 1.0)
    """
    found = _PERCENT.search(text)
    return min(1.0, float(found[1]) / 100.0) if found else None


def haiku(text: str) -> float:
    """Share of the three lines (parted by line breaks or "/") that have 5, 7 and 5 syllables.

    >>> round(haiku("old silent pond / a frog jumps into the pond / splash silence again"), 6)
    0.666667
    """
    lines = re.split(r"[/\n]", text.strip())
    wanted = zip(HAIKU, lines, strict=False)
    return sum(sum(map(syllables, words(line))) == count for count, line in wanted) / len(HAIKU)
