"""Whether a judge or an encoder tells names of one disease from names of another: a calibration set, and how it does.

A name and its synonym match; siblings in an ontology, left and right, and a name and its negation do not. The last two
are what an embedding's step at .8 is blind to. Source: the stand-in and the pitfalls of MediX-R1's sheet [choice].
"""

from __future__ import annotations

import bisect
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from guerdon.errors import ConfigError
from guerdon.judges import Judge
from guerdon.protocols import Encoder, JudgeBackend
from guerdon.retrieval.terms import terms
from guerdon_medical.answer_cosines import answer_cosines
from guerdon_medical.medix_judging import Synonyms, judge_messages, yes_or_no

T = TypeVar("T")
PairKind = Literal["synonym", "sibling", "side", "negation"]


@dataclass(frozen=True)
class Pair:
    """Two answers, and whether they mean the same."""

    answer: str
    gold: str
    match: bool
    kind: PairKind


@dataclass(frozen=True)
class Calibration:
    """How a judge or an encoder did on a set."""

    accuracy: Mapping[str, float]
    """Per kind of pair, over what is scored; NaN where nothing is."""
    balanced: float
    """The mean of the accuracies on pairs that match and on pairs that do not."""
    auc: float
    """The chance that a pair that matches scores above one that does not, a tie half. Of a judge's 0 and 1 it is
    `balanced`."""
    count: int
    unscored: int
    """Pairs on which a judge failed; they are in no figure."""


def calibration_pairs(synonyms: Synonyms, parents: Synonyms, *, count: int = 200, seed: int = 0) -> tuple[Pair, ...]:
    """At most `count` pairs of each kind, drawn from an order of `seed`.

    Args:
        synonyms: name to what else it is called. A synonym that two entries share is no pair: which is meant is open.
        parents: name to its broader terms, as `is_a` says; siblings are names that share one. A name that is listed
            as a synonym of the other is none.
        count: of each kind.
        seed: of the draw.

    Raises:
        ConfigError: `count` is below 1, or there is no name at all.
    """
    table = {name: tuple(_unlike(name, others)) for name, others in synonyms.items()}
    names = sorted({*table, *parents})
    if count < 1 or not names:
        raise ConfigError(
            f"calibration_pairs: count is {count!r} and there are {len(names)} names; 1 is needed of each"
        )
    drawn = random.Random(f"calibration {seed}")
    meant = Counter(tuple(terms(text)) for name, others in table.items() for text in {name, *others})
    matching = [
        Pair(other, name, True, "synonym")
        for name, others in sorted(table.items())
        for other in others
        if meant[tuple(terms(other))] == 1
    ]
    pairs = _some(matching, count, drawn)
    pairs += _some(_siblings(parents, table, drawn), count, drawn)
    some = _some(names, count, drawn)
    pairs += [Pair(f"left {name}", f"right {name}", False, "side") for name in some]
    pairs += [Pair(f"no {name}", name, False, "negation") for name in _some(names, count, drawn)]
    return tuple(pairs)


def judge_calibration(judge: JudgeBackend, pairs: Sequence[Pair], *, seed: int = 0) -> Calibration:
    """A judge's verdicts on all pairs, asked at once and read strictly.

    Raises:
        JudgeError: the judge failed for good.
    """
    asked = Judge(judge, yes_or_no, seed)
    verdicts = asked.ask([judge_messages(one.answer, one.gold) for one in pairs])
    return _calibration(pairs, [math.nan if one.value is None else float(one.value) for one in verdicts], 0.5)


def encoder_calibration(encoder: Encoder, pairs: Sequence[Pair], *, threshold: float = 0.8) -> Calibration:
    """An encoder's cosines: a pair is taken to match from `threshold` on.

    Raises:
        RetrievalError: the encoder gave something else than vectors.
    """
    return _calibration(pairs, answer_cosines(encoder, [(one.answer, one.gold) for one in pairs]), threshold)


def _calibration(pairs: Sequence[Pair], values: Sequence[float], threshold: float) -> Calibration:
    good = [(one, value) for one, value in zip(pairs, values, strict=True) if math.isfinite(value)]
    right = [(one, (value >= threshold) == one.match) for one, value in good]
    kinds = {
        kind: _mean([ok for one, ok in right if one.kind == kind])
        for kind in get_args(PairKind)
        if any(one.kind == kind for one in pairs)
    }
    balanced = [_mean([ok for one, ok in right if one.match == match]) for match in (True, False)]
    return Calibration(kinds, math.fsum(balanced) / 2, _auc(good), len(pairs), len(pairs) - len(good))


def _auc(scored: Sequence[tuple[Pair, float]]) -> float:
    """NaN without a pair of either kind."""
    others = sorted(value for one, value in scored if not one.match)
    matching = [value for one, value in scored if one.match]
    if not matching or not others:
        return math.nan
    below = sum(bisect.bisect_left(others, value) + bisect.bisect_right(others, value) for value in matching)
    return below / 2 / (len(matching) * len(others))


def _siblings(parents: Synonyms, synonyms: Mapping[str, tuple[str, ...]], drawn: random.Random) -> list[Pair]:
    """Each name beside one of those it shares a parent with."""
    children: dict[str, list[str]] = {}
    for name, broader in sorted(parents.items()):
        for parent in [broader] if isinstance(broader, str) else broader:
            children.setdefault(parent, []).append(name)
    found = {}
    for group in children.values():
        for name in group:
            others = [
                other
                for other in group
                if terms(other) != terms(name)
                and other not in synonyms.get(name, ())
                and name not in synonyms.get(other, ())
            ]
            if others and name not in found:
                found[name] = Pair(drawn.choice(others), name, False, "sibling")
    return list(found.values())


def _unlike(name: str, others: Iterable[str]) -> list[str]:
    """Synonyms that are written otherwise."""
    given = [others] if isinstance(others, str) else others
    return [one for one in dict.fromkeys(given) if terms(one) and terms(one) != terms(name)]


def _some(items: Sequence[T], count: int, drawn: random.Random) -> list[T]:
    return drawn.sample(list(items), min(count, len(items)))


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else math.nan
