r"""Staying on topic without preference data: R3's arithmetic as pure functions.

With $r$ a dot product of two texts' vectors, n tokens, and the share RP of distinct trigrams:

* open-ended queries: $R = r(query, answer) \cdot \frac{n}{100} \cdot RP$
* closed-ended ones: $R = F(r(reference, answer)) \cdot RP$ with $F(r) = \frac{r}{top} \cdot \frac{L}{100}$, a straight
  line from [0, top] to [0, 5.12] for L = 512.

**Readings.** `released` clips nothing: a negative relevance makes longer answers worse and repeated ones better, length
pays without end, F goes on beyond the range, and an empty answer to a closed query is paid for whatever the encoder
finds in nothing; and its encoder reads what stands behind a stop string, where nothing else is looked at. `repaired`:
relevance is held to [0, top], tokens to L, an empty answer earns 0, and the encoder reads what is counted. (The sheet
would have the first and the last of these as options; here all repairs are one reading, as everywhere in guerdon.)

**Not covered** by either reading: trigrams that a counter keeps distinct, so that "1 QUERY 2 QUERY ..." is long, on
topic and unrepeated; and in the closed branch whatever shares the reference's words, such as its negation, or another
name in place of the right one.

`top` belongs to the encoder: 3.5 is Contriever's. `fitted_top` measures that of another.

Source: R3 (arXiv 2402.03469), the authors' reward module [code].
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guerdon.retrieval.vectors import encoded

if TYPE_CHECKING:
    from guerdon.protocols import Encoder

Reading = Literal["repaired", "released"]
Factor = Literal["length", "repetition", "relevance", "branching"]
FACTORS: tuple[Factor, ...] = ("length", "repetition", "relevance", "branching")
CONTRIEVER_TOP = 3.5
MAX_LENGTH, DIVISOR = 512, 100

_TOKEN = re.compile(r"\w+|[^\w\s]+")
_ROLES = ("Human:", "Assistant:", "User:", "System:")
_STOPS = (*_ROLES, "\n\n\n\n", "\n\n--", "\n\n____")
"""The note names the first two roles and says "..."; the others are a guess [choice]."""
_ROLE = re.compile("|".join(map(re.escape, _ROLES)))
_SYSTEM = re.compile(r"\s*System:.*?(?=Human:|Assistant:|User:)", re.DOTALL)


def cleaned(answer: str) -> str:
    r"""The answer up to where it begins to play both roles: stripped, cut at the first stop string, stripped.

    >>> cleaned("Sure. It is 4.\n\n\n\nHuman: next?")
    'Sure. It is 4.'
    """
    text = answer.strip(" \n")
    places = [place for stop in _STOPS if (place := text.find(stop)) >= 0]
    return (text[: min(places)] if places else text).strip(" \n")


def query_text(query: str, history: Sequence[str] = ()) -> str:
    """Earlier user turns and the query, without role markers and a system text before them, joined by single spaces.

    What an assistant said in between stays [choice]: the note on the released code does not say.

    >>> query_text("System: Be brief. Human:  and of  Norway?", ["What is the capital of Sweden?"])
    'What is the capital of Sweden? and of Norway?'
    """
    system = _SYSTEM.match(query)
    asked = query[system.end() :] if system else query
    return " ".join(_ROLE.sub(" ", " ".join((*history, asked))).split())


def tokens(text: str) -> list[str]:
    """Runs of word characters, and runs of marks.

    >>> tokens("It's 4.")
    ['It', "'", 's', '4', '.']
    """
    return _TOKEN.findall(text)


def distinct_trigrams(words: Sequence[str]) -> float:
    """RP: the share of trigrams that are distinct, in (0, 1]; 1 where there are none. A counter that changes from line
    to line passes: a known hack.
    """
    count = len(words) - 2
    return len(set(zip(words, words[1:], words[2:], strict=False))) / count if count > 0 else 1.0


def closed_value(relevance: float, top: float = CONTRIEVER_TOP, max_length: int = MAX_LENGTH) -> float:
    """F: [0, top] to [0, max_length / 100], and on beyond.

    >>> round(closed_value(1.4), 6)
    2.048
    """
    return relevance / top * (max_length / DIVISOR)


@dataclass(frozen=True)
class Topical:
    """The factors of one answer, and their product."""

    relevance: float
    """As it was used: clipped where the reading clips."""
    length: float
    repetition: float
    value: float
    outside: bool
    """Whether the relevance lay outside [0, top]."""


def topical(
    answer: str,
    relevance: float,
    closed: bool,
    *,
    top: float = CONTRIEVER_TOP,
    max_length: int = MAX_LENGTH,
    factors: Collection[Factor] = FACTORS,
    reading: Reading = "repaired",
) -> Topical:
    """R3 of one answer.

    Args:
        answer: as written; it is cleaned before its tokens are counted.
        relevance: to the query where open, to the reference where closed; finite.
        closed: the kind of query.
        top: the upper end of the encoder's usual range, > 0.
        max_length: L, in tokens.
        factors: which of the four are on; one that is off is the factor 1 (`branching` off: every query is open).
        reading: see the module's head.

    Raises:
        ValueError: the relevance is not finite, or `top` is not above 0.

    >>> topical("The capital of France is Paris.", 1.4, closed=False).value
    0.098
    """
    if not math.isfinite(relevance) or not 0.0 < top < math.inf:
        raise ValueError(f"relevance is {relevance!r} and top {top!r}; a finite number, and one above 0, are needed")
    words = tokens(cleaned(answer))
    outside = not 0.0 <= relevance <= top
    if reading == "repaired":
        relevance = min(max(relevance, 0.0), top)
    count = min(len(words), max_length) if reading == "repaired" else len(words)
    length = count / DIVISOR if "length" in factors else 1.0
    repetition = distinct_trigrams(words) if "repetition" in factors else 1.0
    on_topic = relevance if "relevance" in factors else 1.0
    if closed and "branching" in factors:
        value = (closed_value(relevance, top, max_length) if "relevance" in factors else 1.0) * repetition
    else:
        value = on_topic * length * repetition
    if not words and reading == "repaired":
        value = 0.0
    return Topical(on_topic, length, repetition, value, outside)


def fitted_top(encoder: Encoder, pairs: Sequence[tuple[str, str]], quantile: float = 0.95) -> float:
    """The upper end of F for an encoder: a quantile of the dot products of a reference and a text like it.

    Args:
        encoder: the one that the reward will ask.
        pairs: a reference, and another good answer to the same query; at least one.
        quantile: in (0, 1].

    Raises:
        ValueError: there are no pairs, or what comes out is not above 0.
        RetrievalError: the encoder gave what is not a finite vector for each text.
    """
    import numpy as np

    if not pairs:
        raise ValueError("no pairs to fit to; a reference and a text like it are needed")
    references = encoded(encoder, [one for one, _ in pairs], kind="passage").astype(float)
    likes = encoded(encoder, [other for _, other in pairs], kind="passage")
    top = float(np.quantile((references * likes).sum(axis=1), quantile))
    if not top > 0.0:
        raise ValueError(
            f"the {quantile:g} quantile of {len(pairs)} dot products is {top:g}; a number above 0 is needed"
        )
    return top
