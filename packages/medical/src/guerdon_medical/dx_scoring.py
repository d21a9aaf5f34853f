r"""What Deep-DxSearch's reward is made of, as pure functions over names and rounds.

$$R = \sigma\,(0.8\,r + 0.05\,s + 0.15\,a)$$

r: what was retrieved, and how the queries differ (`structure_score`); s: the names looked up (`search_score`); a: the
names answered (`answer_score`). The format gate sigma and who wrote what are the reward's business, not these
functions'. Where the authors' functions read a text in a way that loses names, `released=True` reads as they do.

Source: Deep-DxSearch (arXiv 2508.15746); equations [code] of the fact sheet, from `MAGIC-AI4Med/Deep-DxSearch`.
"""

from __future__ import annotations

import bisect
import itertools
import json
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_ROUNDS, MAX_NAMES = 3, 10
"""More rounds than these, or more names in a search, earn nothing."""
LEAST_CHANGE = 2
"""So many terms must differ between two rounds."""
LEAST_CONTAINED = 4
"""Shorter names are in too many others to count as right by being contained [choice of the sheet]."""
MOST_WORDS, MOST_CHARS, MORE_WORDS = 16, 150, 3
"""Of one name; and by how many words an answered one may say more than the right one that it contains [choice]."""
STOP_WORDS = frozenset(
    {
        *("disease", "disorder", "syndrome", "type"),
        *("autosomal", "dominant", "recessive", "xlinked", "congenital", "familial", "hereditary"),
    }
)
"""Words that say of no disease which one it is [choice; three of them the sheet's]."""

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_BLANKS = re.compile(r"\s*")
_CLOSING = re.compile(r"'(?=\s*(?:,|\Z))")


@dataclass(frozen=True)
class Round:
    """One match: what was asked for and which diseases the records that came back have."""

    terms: tuple[str, ...]
    """As they were written; they are compared by `normalised`, and empty ones do not count."""
    diseases: tuple[str, ...]
    """Of all records, in their order."""


@dataclass(frozen=True)
class Weights:
    """Of the three parts."""

    structure: float = 0.8
    search: float = 0.05
    answer: float = 0.15

    def total(self, structure: float, search: float, answer: float) -> float:
        """The weighted sum of a trace whose format is right."""
        return self.structure * structure + self.search * search + self.answer * answer


EARLIER = Weights(0.3, 0.3, 0.4)
"""Of an earlier released version, in which the first part is `token_similarity` over the first round's diseases, and a
trace without a search earns nothing."""


def normalised(text: str) -> str:
    """N(s): lower case, no ASCII punctuation, no articles, and one final `s` less on each word longer than 1.

    It merges what differs by a letter alone: "Hepatitis A" and "Hepatitis" are one [a flaw of the code, kept].

    >>> normalised("The Crohn's Diseases")
    'crohn disease'
    """
    words = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
    return " ".join(word[:-1] if len(word) > 1 and word.endswith("s") else word for word in words)


def comma_parts(text: str, *, released: bool = False) -> tuple[str, ...]:
    """The parts of a list of names, stripped; empty ones are dropped, and commas in single quotes do not split.

    Args:
        text: what a policy or a tool wrote.
        released: as the authors' code reads: every apostrophe opens or closes a quote (one after a backslash, and only
            behind something, does not), the quotes stay, and what stands in a quote that never closes is lost. Else a
            quote is one that holds a whole part and is taken off, and every other apostrophe is a letter.

    >>> comma_parts("Crohn's disease, 'A, b', c")
    ("Crohn's disease", 'A, b', 'c')
    >>> comma_parts("Crohn's disease, Flu, Asthma", released=True)
    ()
    """
    parts = _released_parts(text) if released else _parts(text)
    return tuple(stripped for part in parts if (stripped := part.strip()))


def comma_list(names: Iterable[str]) -> str:
    """Names as a list that `comma_parts` reads as they are; one with a comma stands in single quotes.

    No list can hold a name in which an apostrophe stands before a comma (`carriers', mild`), or at both ends.

    >>> comma_list(["fever", "Ataxia, episodic"])
    "fever, 'Ataxia, episodic'"
    """
    return ", ".join(f"'{name}'" if "," in name else name for name in names)


def named_diseases(text: str, *, released: bool = False) -> tuple[str, ...]:
    """The diseases that a tool's answer to a match names, each as often as it stands there.

    Args:
        text: a JSON list of objects with `disease` (or `diseases`), a name or a list of names; anything else is read as
            a list with commas.
        released: as the authors' code reads, with commas alone: of such JSON the first disease of each record becomes
            `disease flu`, so that a record with one disease is never a hit.
    """
    if not released:
        try:
            records = json.loads(text)
        except (ValueError, RecursionError):
            records = None
        if isinstance(records, list) and all(isinstance(record, dict) for record in records):
            return tuple(name for record in records for name in _names(record))
    return comma_parts(text, released=released)


def is_hit(diseases: Sequence[str], gold: Sequence[str]) -> bool:
    """Whether one of the diseases is one of gold's, by `normalised`."""
    return not {normalised(name) for name in diseases}.isdisjoint(normalised(name) for name in gold)


def changes(rounds: Sequence[Round]) -> list[int]:
    """How many terms differ between each round and the next: the sizes of the symmetric differences."""
    terms = [{normalised(term) for term in one.terms if term.strip()} for one in rounds]
    return [len(one ^ other) for one, other in itertools.pairwise(terms)]


def structure_score(rounds: Sequence[Round], gold: Sequence[str]) -> float:
    """r: whether the right disease was retrieved, and whether the queries were varied.

    With a hit in any round: 1; of several rounds .5 less where the last has none, and .5 less where two neighbours
    differ in fewer than two terms. Without: .2 (two rounds) or .4 (three) where all neighbours differ in two or more.
    After a hit a further round can only lose points.

    Args:
        rounds: in their order; more than three earn 0.
        gold: names of the right disease.

    Returns:
        In [0, 1]; 0.0 without rounds.
    """
    if not 1 <= len(rounds) <= MAX_ROUNDS:
        return 0.0
    varied = all(change >= LEAST_CHANGE for change in changes(rounds))
    hits = [is_hit(one.diseases, gold) for one in rounds]
    if any(hits):
        return 1.0 - 0.5 * (not hits[-1]) - 0.5 * (not varied)
    return {1: 0.0, 2: 0.2, 3: 0.4}[len(rounds)] if varied else 0.0


def token_similarity(predicted: Sequence[str], gold: Sequence[str]) -> float:
    r"""sim: the cube root of the share of gold's words, counted with repetition, that some predicted name has.

    $(\text{matched}/\text{total})^{1/3}$ over the words of N(N(name)). Recall alone: naming more never costs. One word
    of eight gives .5, and words such as "disease" count as any other.

    Returns:
        In [0, 1]; 0.0 where either side has no word.
    """
    said = {word for name in predicted for word in normalised(normalised(name)).split()}
    wanted = [word for name in gold for word in normalised(normalised(name)).split()]
    if not said or not wanted:
        return 0.0
    return float((sum(word in said for word in wanted) / len(wanted)) ** (1 / 3))


def is_one_name(text: str) -> bool:
    """Whether a text is short enough to name one disease: 16 words and 150 characters at most. The longest of 669 names
    of published cases has 14 words and 137 characters; a list of all of them in one mark would contain any.
    """
    return len(text) <= MOST_CHARS and len(text.split()) <= MOST_WORDS


def best_name_score(names: Sequence[str], gold: Sequence[str]) -> float:
    """a, repaired: the best of the names' own `token_similarity`, so that no words are collected over several.

    A name of more than `MORE_WORDS` words beyond gold's longest is a list, and earns 0.
    """
    most = max((len(name.split()) for name in gold), default=0) + MORE_WORDS
    return max((token_similarity([name], gold) for name in names if len(name.split()) <= most), default=0.0)


def search_score(names: Sequence[str], gold: Sequence[str]) -> float:
    """s: `token_similarity` of the names of the first search; 0 for none, or more than 10."""
    return token_similarity(names, gold) if 0 < len(names) <= MAX_NAMES else 0.0


def answer_score(names: Sequence[str], gold: Sequence[str]) -> float:
    """a: `token_similarity` of the names answered. How many these may be, the format gate has to say."""
    return token_similarity(names, gold)


def accuracy_at(names: Sequence[str], gold: Sequence[str], k: int, *, released: bool = False) -> bool:
    """Acc@k: one of the first k names is a gold one, or one of the two contains the other, in lower case.

    Args:
        names: as they were answered, in their order.
        gold: names of the right disease.
        k: how many count.
        released: any name may be contained, as in the authors' script, in which "a" is nearly always right. Else it has
            four characters or more, and more than half of the other's words that are none of `STOP_WORDS`: "disease"
            and "congenital" are in half of all names. And an answered name that contains gold's has at most three words
            more: it is no list.
    """
    if released:
        said, wanted = [name.lower() for name in names[:k]], [name.lower() for name in gold]
        return any(name in right or right in name for name in said for right in wanted)
    return any(_same_disease(name.lower().strip(), right.lower().strip()) for name in names[:k] for right in gold)


def _same_disease(name: str, right: str) -> bool:
    """Equal, or one of them within the other, if it is long enough and says which disease it is."""
    if name == right:
        return bool(name)
    if right in name:
        names_it = len(right) >= LEAST_CONTAINED and bool(_telling(right))
        return names_it and len(name.split()) <= len(right.split()) + MORE_WORDS
    return name in right and len(name) >= LEAST_CONTAINED and 2 * len(_telling(name)) > len(_telling(right))


def _telling(name: str) -> list[str]:
    """The words that say which disease it is."""
    return [word for word in normalised(name).split() if word not in STOP_WORDS and not word.isdigit()]


def _parts(text: str) -> list[str]:
    closing = [found.start() for found in _CLOSING.finditer(text)]
    parts: list[str] = []
    start = 0
    while start <= len(text):
        opened = _BLANKS.match(text, start).end()  # type: ignore[union-attr]
        if text[opened : opened + 1] == "'":
            at = bisect.bisect_right(closing, opened)
            if at < len(closing):
                parts.append(text[opened + 1 : closing[at]])
                comma = text.find(",", closing[at])
                start = len(text) + 1 if comma < 0 else comma + 1
                continue
        comma = text.find(",", start)
        end = len(text) if comma < 0 else comma
        parts.append(text[start:end])
        start = end + 1
    return parts


def _released_parts(text: str) -> list[str]:
    parts: list[str] = []
    part = ""
    quoted = False
    for character in text.strip() + ",":
        if character == "," and not quoted:
            parts.append(part)
            part = ""
            continue
        if character == "'" and not part.endswith("\\"):
            quoted = not quoted
        part += character
    return parts


def _names(record: dict[str, Any]) -> list[str]:
    found = record.get("disease", record.get("diseases"))
    names = found if isinstance(found, list) else [found]
    return [name for name in names if isinstance(name, str)]
