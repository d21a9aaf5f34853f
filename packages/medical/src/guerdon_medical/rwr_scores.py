r"""The numbers of Med-RwR, as pure functions.

| part | value | range |
|---|---|---|
| `accuracy` | 5 letter and text, 4 letter alone; 5 another gold to the letter | 0, 4, 5 |
| `format_score` | 1 valid, 3 valid with retrieval and an accuracy of 5; penalties | -2 to 3 |
| `length_score` | -1 unless 512 to 3072 characters | -1, 0 |
| `text_semantics` | cov(last retrieved) + cov(query) + density - [more than 5 entities] | -1 to 3 |
| `image_semantics` | .1 * scale * mean cosine of the image with the queries | ±.1 scale |
| `confidence_gain` | .1 * (l_end - l_begin) where right, .05 * (rank_begin - rank_end) where wrong | ±2 |

Source: the released plug-in of Med-RwR (arXiv 2510.18303), re-written; `reading="released"` keeps what silently does
nothing there. What is repaired: `A) text` and `A: text` are options as `A. text` is; a sentence ("I have ...") is none;
an option's entities are those of its text; behind the right letter another option is wrong, and other words than the
right text's are worth the letter alone; coverage compares whole words, and the last passages are searched, not the
prompt; letters are compared whatever their case.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guerdon_medical.entities import words_of
from guerdon_medical.rwr_traces import ALLOWED, BLOCKS, Reading, Trace, order_of

LETTERS = "ABCDEFGHIJ"
FLOOR = -20.0
"""Log-probs below it, infinite ones, and NaN count as this before they are compared [choice]."""
LEAST_CHARACTERS, MOST_CHARACTERS = 512, 3072
MOST_ENTITIES = 5
ABSENT_RANK = 10

Ranked = Sequence[tuple[str, float]]
"""Tokens that might follow `<answer>`, with their log-probs; empty where the turn has no answer."""

_MARK = re.compile(r"<[^<>]*>")
_LIKE_A_CALL = re.compile(r"=[A-Za-z]+>")
_VALID = re.compile(
    r"(?:\s*<think>[^<>]*</think>(?:\s*<query>[^<>]*</query>\s*<retrieve>[^<>]*</retrieve>)?)*"
    r"\s*<answer>[^<>\n]*</answer>\s*"
)
_SAID = re.compile(r"[\W_]*([A-Za-z0-9])(?:[\W_]+(.*))?", re.DOTALL)
"""A letter and what follows, whatever marks stand about it."""
_LETTER = re.compile(r"\b[A-J]\b")
_EMPTY = re.compile("|".join(rf"<{block}>\s*</{block}>" for block in BLOCKS))
_RELEASED_OPTION = re.compile(r"[A-Za-z0-9][.):\s]")
_OPTION = re.compile(r"(?:([A-Za-z])[.):]\s*|([0-9])[.):](?:\s+|$))(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Gold:
    """What is right."""

    answer: str
    """As the row has it, stripped."""
    letter: str = ""
    """Of an option, in lower case; empty where the answer is a text."""
    text: str = ""
    """What its entities are read from."""
    others: tuple[tuple[str, ...], ...] = ()
    """The words of the other options, those left out of which the right text has all."""


def gold_of(answer: str, options: Sequence[str] = (), reading: Reading = "repaired") -> Gold:
    """A row's answer, read.

    Args:
        answer: "B", "B. hip fracture", "B) hip fracture", or a text.
        options: of a multiple-choice row, as texts with or without their letters. With them an answer that is one of
            the texts is that option ("E. coli" may be A), a letter and a blank begin an option as well, and a letter
            behind the last option's is none; without, a letter and a dot, bracket or colon alone begin one.
        reading: see the module's head.

    >>> gold_of("B) hip fracture")
    Gold(answer='B) hip fracture', letter='b', text='hip fracture', others=())
    """
    whole = answer.strip()
    if reading == "released":
        alone = len(whole) == 1 and whole.isalpha()
        if not alone and not _RELEASED_OPTION.match(whole):
            return Gold(whole, "", whole)
        cut = whole.partition(".")[0].lower()
        return Gold(whole, cut, cut)
    texts = dict(zip(LETTERS.lower(), _option_texts(options), strict=False))
    if len(whole) == 1 and whole.isalpha():
        return _option(whole, whole.lower(), texts.get(whole.lower(), whole), texts)
    if named := next((letter for letter, text in texts.items() if text.lower() == whole.lower()), ""):
        return _option(whole, named, texts[named], texts)
    found = _OPTION.fullmatch(whole)
    if found is None and options:
        found = re.fullmatch(r"([A-Za-z])()\s+(.*)", whole, re.DOTALL)
    letter = "" if found is None else (found[1] or found[2]).lower()
    if found is None or (texts and letter not in texts):
        return Gold(whole, "", whole)
    return _option(whole, letter, found[3].strip() or texts.get(letter, whole), texts)


def _option(whole: str, letter: str, text: str, texts: Mapping[str, str]) -> Gold:
    others = (tuple(words_of(other)) for place, other in texts.items() if place != letter)
    own = set(words_of(text))
    # One within the right text ("edema" beside "lung edema") cannot be told from it.
    return Gold(whole, letter, text, tuple(words for words in others if not own.issuperset(words)))


def _option_texts(options: Sequence[str]) -> list[str]:
    """Without their letters, where each has its own; one alone may be a name, as "A. baumannii" is."""
    found = [_OPTION.fullmatch(one.strip()) for one in options]
    own = [
        one[3].strip()
        for one, letter in zip(found, LETTERS, strict=False)
        if one and one[1] in (letter, letter.lower())
    ]
    return own if len(own) == len(options) else [one.strip() for one in options]


_LITTLE = frozenset({"a", "an", "and", "at", "for", "in", "is", "it", "of", "on", "the", "this", "to", "with"})
"""Words that may stand beside the right text's and change nothing."""


def accuracy(prediction: str | None, gold: Gold, reading: Reading = "repaired") -> float:
    """0, 4 or 5. Released, what follows the letter is not compared; repaired, it earns 0 where another option stands
    there (its letter in place of the right text, or all of its words), and 4 where the right text is known and is not
    what stands there ("hip fracture is excluded"), articles and their like apart.

    >>> [accuracy(said, gold_of("B. hip fracture")) for said in ("B. hip fracture", "B", "C. lung", None)]
    [5.0, 4.0, 0.0, 0.0]
    >>> gold = gold_of("B", ["lung edema", "hip fracture"])
    >>> [accuracy(said, gold) for said in ("B.hip fracture", "B. lung edema", "B or A")]
    [5.0, 0.0, 0.0]
    """
    said = prediction or ""
    if not gold.letter:
        return 5.0 if said and said.lower() == gold.answer.lower() else 0.0
    if reading == "released":
        first, *more = said.split(" ")
        return (5.0 if more else 4.0) if first.lower().replace(".", "") == gold.letter else 0.0
    found = _SAID.fullmatch(said)
    if found is None or found[1].lower() != gold.letter:
        return 0.0
    if not found[2]:
        return 4.0
    words = set(words_of(found[2]))
    if any(words.issuperset(other) for other in gold.others):
        return 0.0
    told = gold.text.lower() != gold.letter
    right = set(words_of(gold.text))
    if told and words.issuperset(right):
        return 5.0 if words - right <= _LITTLE else 4.0
    if any(letter.lower() != gold.letter for letter in _LETTER.findall(found[2])):
        return 0.0
    return 4.0 if told else 5.0


def format_score(trace: Trace, right: bool) -> float:
    """-2 to 3; `right` is an accuracy of 5.

    0 at once for `=letters>`, a tag that is none of the eight, a forged retrieve tag, or a retrieve block that no query
    block goes before. Blocks may have white space between them [choice].
    """
    text = trace.text
    if trace.forged or _LIKE_A_CALL.search(text) or any(mark not in ALLOWED for mark in _MARK.findall(text)):
        return 0.0
    order = order_of(text, ("query", "retrieve"))
    if any(block == "retrieve" and (place == 0 or order[place - 1] != "query") for place, block in enumerate(order)):
        return 0.0
    value = 0.0
    if _VALID.fullmatch(text):
        paid = 3.0 if right else 1.0
        value = paid if order else float(text.count("<think>") == 1)
    return value - bool(_EMPTY.search(text)) - ("\n\n\n" in text)


def length_score(characters: int) -> float:
    """0 where 512 to 3072 characters were written, without the retrieve blocks; else -1."""
    return 0.0 if LEAST_CHARACTERS <= characters <= MOST_CHARACTERS else -1.0


def text_semantics(
    queries: Sequence[str],
    retrieved: Sequence[str],
    gold_entities: Sequence[str],
    query_entities: Sequence[str],
    reading: Reading = "repaired",
) -> float:
    """-1 to 3; 0 without a query.

    Args:
        queries: in order.
        retrieved: what the retrieve blocks say; the last one counts.
        gold_entities: of the gold text.
        query_entities: of all queries joined by a blank, each once.
        reading: `released` finds nothing in what was retrieved, since it searches the prompt there, and takes "is" for
            covered by "this".
    """
    if not queries:
        return 0.0
    asked = " ".join(queries).lower()
    seen = coverage(gold_entities, retrieved[-1], reading) if retrieved and reading == "repaired" else 0.0
    if reading == "repaired":
        named, words = sum(len(words_of(one)) for one in query_entities), len(words_of(asked))
    else:
        named, words = sum(len(one.split(" ")) for one in query_entities), len(asked.split(" "))
    density = min(1.0, named / words) if words else 0.0
    return seen + coverage(gold_entities, asked, reading) + density - (len(query_entities) > MOST_ENTITIES)


def coverage(entities: Sequence[str], text: str, reading: Reading = "repaired") -> float:
    """The share of the entities' words that the text has: as words, or (released) as substrings; 0 of no words."""
    if reading == "released":
        wanted = {word for one in entities for word in one.lower().split(" ") if word}
        lower = text.lower()
        found = sum(word in lower for word in wanted)
    else:
        wanted = {word for one in entities for word in words_of(one)}
        found = len(wanted & set(words_of(text)))
    return found / len(wanted) if wanted else 0.0


def image_semantics(cosines: Sequence[float], scale: float = 10.0) -> float:
    """.1 * scale * the mean cosine; 0 without one. The released service's scale is not known: 10 puts the part within
    ±1, like the others [choice], as is the mean in place of one query drawn at random.
    """
    if not cosines:
        return 0.0
    return 0.1 * scale * math.fsum(max(-1.0, min(1.0, one)) for one in cosines) / len(cosines)


def looked_for(trace: Trace) -> tuple[str, ...]:
    """What an image is compared with: the queries; without one, the first sentence, tags removed."""
    said = tuple(one for one in trace.queries if one)
    if said:
        return said
    first = _MARK.sub("", trace.text).partition(".")[0].strip()
    return (first,) if first else ()


def confidence_gain(begin: Ranked, end: Ranked, letter: str, right: bool, reading: Reading = "repaired") -> float:
    """What the answer gained between the first turn and the last.

    Args:
        begin: of the first turn, before anything was retrieved.
        end: of the last.
        letter: the gold one.
        right: whether the prediction is.
        reading: `released` compares a lower-case letter with tokens as they are, and finds none.

    Returns:
        Where right, .1 times the gain in log-prob (missing: 0); where wrong, .05 times the ranks it rose (missing: 0 at
        the beginning, 10 at the end).

    >>> begin, end = [("A", -0.7), ("B", -1.2), ("C", -2.0)], [("B", -0.1), ("A", -2.5), ("C", -4.0)]
    >>> round(confidence_gain(begin, end, "b", True), 6), round(confidence_gain(begin, end, "b", False), 6)
    (0.11, 0.05)
    """
    before, after = _place(begin, letter, reading), _place(end, letter, reading)
    if right:
        return 0.1 * ((after[1] if after else 0.0) - (before[1] if before else 0.0))
    return 0.05 * ((before[0] if before else 0) - (after[0] if after else ABSENT_RANK))


def _place(ranked: Ranked, letter: str, reading: Reading) -> tuple[int, float] | None:
    """Rank from 0, and log-prob, of the letter."""
    held = sorted(((token, held_to_floor(value)) for token, value in ranked), key=lambda one: -one[1])
    for rank, (token, value) in enumerate(held):
        if (token == letter.lower()) if reading == "released" else (token.strip().lower() == letter.lower()):
            return rank, value
    return None


def held_to_floor(logprob: float) -> float:
    """At least the floor, and never NaN."""
    return max(FLOOR, min(0.0, logprob)) if logprob == logprob else FLOOR


def looks_again(confidence: float, threshold: float = 0.9) -> bool:
    """Whether the answer's first token is too unlikely, strictly; CDIR then looks for a similar case.

    >>> looks_again(0.9), looks_again(0.8999)
    (False, True)
    """
    return confidence < threshold
