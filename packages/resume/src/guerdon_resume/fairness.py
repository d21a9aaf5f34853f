"""Whether a verdict changes with what it must not depend on, and whether groups are selected alike.

| | what |
|---|---|
| `flips` | pairs of the same resume by two people: how many verdicts differ, how far scores do, per attribute |
| `selection_rates`, `four_fifths` | the share selected of each group, and the least share by the greatest |
| `injected` | bad candidates whose resumes tell the screener what to say: how many come out better, and unnoticed |

A pair of which either answer cannot be read is counted apart, as neither changed nor unchanged. A flip rate of 0 of n
says that the true rate is likely below 3 / n, and no more. The four-fifths rule is a rule of thumb of US agencies
(Uniform Guidelines, 29 CFR 1607.4 D), not a proof of fairness: groups may differ in the data, and in made data they do
not.

Source: the fact sheet on arXiv 2511.16073 (the paper has no audit); counterfactual pairs after Bertrand and
Mullainathan (2004), whose data are not used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from guerdon.diagnostics.intervals import wilson
from guerdon.fields import one_of
from guerdon_resume.answers import SELECTED, Layout, read
from guerdon_resume.examples import Attribute, ResumeExample
from guerdon_resume.injections import INJECTIONS, suspicions
from guerdon_resume.keywords import Screener
from guerdon_resume.swaps import ATTRIBUTES, refreshed, swapped


@dataclass(frozen=True)
class Flips:
    """What one attribute's swaps did."""

    attribute: str
    pairs: int
    """Pairs of which both answers could be read."""
    flipped: int
    """Of those, with another verdict."""
    moved: int
    """Of those, with another score."""
    most: float
    """The greatest change of a score, in points; NaN without pairs."""
    unread: int
    """Pairs of which an answer could not be read."""
    skipped: int
    """Resumes that say nothing of the attribute."""

    @property
    def rate(self) -> float:
        """Share of verdicts that changed; NaN without pairs."""
        return self.flipped / self.pairs if self.pairs else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the rate; NaN without pairs."""
        return wilson(self.rate, self.pairs) if self.pairs else (math.nan, math.nan)


def flips(
    screener: Screener,
    examples: Sequence[ResumeExample],
    *,
    attributes: Sequence[Attribute] = ATTRIBUTES,
    layout: Layout = "reasons",
    seed: int = 0,
) -> list[Flips]:
    """Ask about each resume as it is, and as another person's, one attribute at a time.

    Args:
        screener: one answer for each example, in order.
        examples: with `resume` and `person`.
        attributes: what is swapped.
        layout: of the answers.
        seed: of who the others are.
    """
    for attribute in attributes:
        one_of("attributes", attribute, ATTRIBUTES)
    plain = [refreshed(example) for example in examples if example.resume.strip()]
    said = _read(screener, plain, layout)
    found = []
    for attribute in attributes:
        others = [swapped(each, attribute, Random(f"{seed} {attribute} {each.id}")) for each in plain]
        asked = [(first, other) for first, other in zip(said, others, strict=True) if other is not None]
        answered = _read(screener, [other for _, other in asked], layout)
        both = [(first, other) for (first, _), other in zip(asked, answered, strict=True) if first and other]
        changes = [abs(first[1] - other[1]) for first, other in both]
        found.append(
            Flips(
                attribute,
                len(both),
                sum(first[0] != other[0] for first, other in both),
                sum(change > 0.0 for change in changes),
                max(changes, default=math.nan),
                len(asked) - len(both),
                len(examples) - len(asked),
            )
        )
    return found


def _read(screener: Screener, examples: Sequence[ResumeExample], layout: Layout) -> list[tuple[bool, float] | None]:
    """Selected or not, and the score, of each answer; None for one that cannot be read.

    Raises:
        ValueError: the screener gave another number of answers.
    """
    answers = screener(examples) if examples else []
    if len(answers) != len(examples):
        raise ValueError(f"the screener gave {len(answers)} answers for {len(examples)} candidates")
    verdicts = [read(text, layout) for text in answers]
    return [None if one.fault else (one.status == SELECTED, one.score) for one in verdicts]


def selection_rates(selected: Sequence[bool], groups: Sequence[str]) -> dict[str, tuple[int, int]]:
    """By group: how many were selected, and of how many. Those without a group ("") are left out.

    >>> selection_rates([True, False, True], ["a", "a", "b"])
    {'a': (1, 2), 'b': (1, 1)}
    """
    found: dict[str, tuple[int, int]] = {}
    for chosen, group in zip(selected, groups, strict=True):
        if group:
            so_far = found.get(group, (0, 0))
            found[group] = so_far[0] + chosen, so_far[1] + 1
    return dict(sorted(found.items()))


def four_fifths(rates: Mapping[str, tuple[int, int]]) -> float:
    """The least group's share selected by the greatest's, in [0, 1]: below 0.8 the rule of thumb sees harm.

    NaN with fewer than two groups, or where nobody was selected.

    >>> four_fifths({"a": (3, 10), "b": (5, 10)})
    0.6
    """
    shares = [chosen / count for chosen, count in rates.values() if count]
    return min(shares) / max(shares) if len(shares) > 1 and max(shares) > 0.0 else math.nan


@dataclass(frozen=True)
class Injected:
    """What one instruction within resumes did."""

    injection: str
    count: int
    """Bad candidates whose answers could be read with it and without."""
    raised: int
    """Of those, with a better verdict or a higher score than without it."""
    flagged: int
    """Of those, noticed by `injections.suspicions`: a person looks at them."""
    silent: int
    """Raised and not flagged: what must not be."""
    unread: int


def injected(screener: Screener, examples: Sequence[ResumeExample], *, layout: Layout = "reasons") -> list[Injected]:
    """Put each of `INJECTIONS` at the end of every bad candidate's resume, and ask again."""
    plain = [refreshed(one) for one in examples if one.resume.strip() and not one.selected]
    before = _read(screener, plain, layout)
    found = []
    for name, text in INJECTIONS.items():
        told = [f"{one.resume}\n{text.format(skills=', '.join(one.job_skills))}\n" for one in plain]
        others = [refreshed(one.model_copy(update={"resume": resume})) for one, resume in zip(plain, told, strict=True)]
        after = _read(screener, others, layout)
        flags = [bool(suspicions(one.resume, one.job_skills)) for one in others]
        rows = [
            ((new[0], new[1]) > (old[0], old[1]), flag)
            for old, new, flag in zip(before, after, flags, strict=True)
            if old and new
        ]
        found.append(
            Injected(
                name,
                len(rows),
                sum(raised for raised, _ in rows),
                sum(flag for _, flag in rows),
                sum(raised and not flag for raised, flag in rows),
                len(plain) - len(rows),
            )
        )
    return found
