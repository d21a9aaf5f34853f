"""SearchLLM's criteria that a rule can check, as pure functions from a session and an answer to a share in [0, 1].

All are stored as 1 = good, also those that the paper names after what is bad (hallucination, irrelevance, repetition).
Each gives None where it does not apply. They are rough stand-ins for the paper's judges [choice]: words in common do
not prove a claim, and each rule alone can be satisfied by a text that says little. Of meaning one thing is read, by
`guerdon_search.denials`: a sentence with a word of denial does not say what one without says.

Source: SearchLLM (arXiv 2603.10473), table 5 [paper]; the rules and their numbers [choice].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from guerdon_search.denials import denies
from guerdon_search.lexical import content_words
from guerdon_search.sessions import SearchSession
from guerdon_search.topical import distinct_trigrams, tokens

REFUSALS = ("not enough evidence", "no evidence", "cannot answer", "cannot say", "could not find", "unable to answer")
"""What marks an answer that declines, in lower case."""
LEAST_WORDS, MOST_WORDS, NO_WORDS = 20, 400, 800
ENOUGH_CLAIMS = 5
MAX_CHARS = 50_000
"""Longer answers break the format; nothing else of them is looked at."""

_CITATION = re.compile(r"\[Doc ([1-9][0-9]{0,3})\]")
_CITATION_LIKE = re.compile(r"\[\s*doc(?:ument)?s?(?![a-z])[^\]\n]{0,40}\]?", re.IGNORECASE)
"""What must be a citation, if it is well formed: "[doc 1]" and "[Documents 1, 2]", and not "[documentary]"."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_HEADING, _ITEM = re.compile(r"#{1,6}(?:\s|$)"), re.compile(r"(?:[-*+]|\d+\.)(?:\s|$)")

Criterion = Callable[[SearchSession, str], float | None]
RuleName = Literal[
    "claim-hallucination",
    "no-supply-reject",
    "format",
    "response-length",
    "evidence-irrelevant",
    "claim-diversity",
    "answer-firstness",
    "redundant-repetition",
]
"""The criteria that a rule can check."""


def cited(answer: str) -> list[int]:
    """Numbers of the documents that are cited, each once, in order of appearance.

    >>> cited("So it is [Doc 2], and so [Doc 1][Doc 2].")
    [2, 1]
    """
    return list(dict.fromkeys(int(number) for number in _CITATION.findall(answer)))


def sentences(answer: str) -> list[str]:
    r"""Sentences that hold a word, without headings, list marks and citations.

    >>> sentences("# Title\n- One [Doc 1]. Two!")
    ['One .', 'Two!']
    """
    found = []
    for line in _SENTENCE_END.split(answer):
        text = line.strip()
        if _HEADING.match(text):
            continue
        text = _CITATION.sub("", _ITEM.sub("", text, count=1) if _ITEM.match(text) else text).strip()
        if content_words(text):
            found.append(text)
    return found


def declines(answer: str) -> bool:
    """Whether a marker of refusal stands in it."""
    said = answer.lower()
    return any(marker in said for marker in REFUSALS)


def well_formed(session: SearchSession, answer: str) -> float:
    """1 where the answer is non-empty Markdown whose fences close, whose headings and items say something, and whose
    citations are `[Doc i]` with i among the evidence; else 0. Within a fence anything goes: code is not Markdown.
    """
    if not answer.strip() or len(answer) > MAX_CHARS:
        return 0.0
    lines: list[str] = []
    fenced = False
    for line in map(str.strip, answer.split("\n")):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            lines.append(line)
    if fenced or sum(line.count("**") for line in lines) % 2:
        return 0.0
    for line in lines:
        for mark in (_HEADING, _ITEM):
            found = mark.match(line)
            if found and not line[found.end() :].strip():
                return 0.0
    shaped = all(_CITATION.fullmatch(one) for one in _CITATION_LIKE.findall(answer))
    return float(shaped and all(number <= len(session.evidence) for number in cited(answer)))


def right_length(session: SearchSession, answer: str) -> float:
    """1 from 20 to 400 words, and straight down to 0 at 0 and at 800."""
    count = len(answer.split())
    if count < LEAST_WORDS:
        return count / LEAST_WORDS
    return min(max((NO_WORDS - count) / (NO_WORDS - MOST_WORDS), 0.0), 1.0)


_Document = Sequence[tuple[frozenset[str], bool]]
"""Of each sentence its content words, and whether it denies."""


def _document(text: str) -> _Document:
    split = ((frozenset(content_words(one)), denies(one)) for one in _SENTENCE_END.split(text))
    return [(words, denied) for words, denied in split if words]


def _holds(document: _Document, words: frozenset[str]) -> bool:
    """Whether at least half of the words are in the document."""
    found = frozenset[str]().union(*(one for one, _ in document))
    return 2 * len(words & found) >= len(words)


def _agrees(document: _Document, words: frozenset[str], denied: bool) -> bool:
    """Whether a sentence that shares most of the words denies as this one does."""
    most = max((len(words & one) for one, _ in document), default=0)
    return any(len(words & one) == most and other == denied for one, other in document)


def claims_supported(session: SearchSession, answer: str) -> float | None:
    """The share of sentences of which at least half of the content words are in one cited document, and which deny
    something just where that document's nearest sentence, by shared words, does: "was not opened" has no support in
    "was opened".

    None without evidence: then declining is all there is to check. 0 where nothing is said or nothing is cited.
    """
    if not session.evidence:
        return None
    documents = [
        _document(session.evidence[number - 1].text) for number in cited(answer) if number <= len(session.evidence)
    ]
    said = sentences(answer)
    if not said or not documents:
        return 0.0
    supported = 0
    for sentence in said:
        words, denied = frozenset(content_words(sentence)), denies(sentence)
        supported += any(_holds(one, words) and _agrees(one, words, denied) for one in documents)
    return supported / len(said)


def declines_rightly(session: SearchSession, answer: str) -> float:
    """1 where the answer declines if and only if there is no evidence."""
    return float(declines(answer) == (not session.evidence))


def core_first(session: SearchSession, answer: str) -> float | None:
    """1 / rank of the first sentence that holds a key term; 0 where no sentence does; None where no term is known.

    A sentence that denies what the evidence says plainly, or the other way round, holds no core.
    """
    if not session.key_terms:
        return None
    terms = [term.lower() for term in session.key_terms]
    documents = [_document(one.text) for one in session.evidence]
    for rank, sentence in enumerate(sentences(answer), 1):
        if any(term in sentence.lower() for term in terms):
            words, denied = frozenset(content_words(sentence)), denies(sentence)
            told = [one for one in documents if _holds(one, words)]
            if not told or any(_agrees(one, words, denied) for one in told):
                return 1.0 / rank
    return 0.0


def claims_diverse(session: SearchSession, answer: str) -> float:
    """The share of sentences that say something new, by their content words; 1 from five distinct ones on."""
    said = sentences(answer)
    distinct = len({frozenset(content_words(sentence)) for sentence in said})
    if not said:
        return 0.0
    return 1.0 if distinct >= ENOUGH_CLAIMS else distinct / len(said)


def not_repeating(session: SearchSession, answer: str) -> float:
    """The share of the answer's trigrams of tokens that are distinct, citations apart; 0 where nothing is said."""
    words = tokens(_CITATION.sub("", answer[:MAX_CHARS]).lower())
    return distinct_trigrams(words) if words else 0.0


def cites_relevant(session: SearchSession, answer: str) -> float | None:
    """The share of the cited documents that are relevant; 0 where none is cited; None where relevance is not known."""
    if not session.evidence or any(one.relevant is None for one in session.evidence):
        return None
    numbers = cited(answer)
    right = sum(number <= len(session.evidence) and bool(session.evidence[number - 1].relevant) for number in numbers)
    return right / len(numbers) if numbers else 0.0


RULES: Mapping[RuleName, Criterion] = {
    "claim-hallucination": claims_supported,
    "no-supply-reject": declines_rightly,
    "format": well_formed,
    "response-length": right_length,
    "evidence-irrelevant": cites_relevant,
    "claim-diversity": claims_diverse,
    "answer-firstness": core_first,
    "redundant-repetition": not_repeating,
}
"""By the paper's name of the criterion."""

BOTTOM_LINES: Mapping[str, str] = {
    "highlight-hallucination": "the first sentence has no obvious hallucination",
    "claim-hallucination": "claim by claim, nothing is unsupported by the evidence",
    "llm-knowledge": "facts agree with what is known outside the evidence",
    "no-supply-reject": "where there is no evidence the answer declines properly",
    "self-consistency": "the answer does not contradict itself",
    "answer-quality": "the answer is language and not gibberish",
    "multi-round": "the answer neither repeats nor contradicts earlier turns",
    "format": "the answer is structured, well-formed Markdown",
    "response-length": "the length is within its range",
}
BEHAVIOURS: Mapping[str, str] = {
    "query-satisfaction": "what was asked is answered",
    "planning-quality": "the plan suits the query, also where the intent is uncertain",
    "evidence-beneficiality": "the evidence that is used helps",
    "evidence-conflict": "the evidence that is used does not conflict, or the conflict is told",
    "evidence-irrelevant": "the evidence that is used is not off topic",
    "evidence-satisfaction": "the evidence that is used covers what is needed",
    "evidence-diversity": "the evidence that is used is varied",
    "claim-diversity": "there are several distinct and relevant claims",
    "answer-useful": "little is off topic",
    "answer-firstness": "the core of the answer comes first",
    "redundant-repetition": "nothing is said again and again",
}
"""The paper's two layers: what each criterion asks for, in our words; 1 = good for all."""
