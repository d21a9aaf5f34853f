r"""Relevance on a scale of 0 to 100, read, averaged and rewarded: Retro*'s equations as pure functions.

With N rollouts of one (query, document), readable scores $s_i$ and their mean $\bar s$:

* $R^{intra}_i$ is +1 for the score nearest to $\bar s$, -1 for the furthest, else 0; all 0 unless
  $\max_i |s_i - \bar s| \ge \tau$.
* $R^{inter}_i$ is the share of the linked document's scores that are beaten, strictly: by a larger score where this
  document is the positive one, by a smaller one where it is the negative one.
* $R = \alpha R^{intra} + (1 - \alpha) R^{inter}$, in $[-\alpha, 1]$.

Ties [choice]: all that are nearest get +1, all that are furthest -1, and one that is both 0. A score that cannot be
read, or above 100, is left out of $\bar s$ and of the opponents, and gets $R^{intra} = -1$, $R^{inter} = 0$; with fewer
than 2 readable ones $R^{intra}$ is 0 for those [choice]. Different numbers in one answer's tags cannot be read either;
the released code takes the first. A constant score is a fixed point: all intra rewards are 0.

Source: Retro* (arXiv 2509.24869), equations [paper], the reading of scores [code].
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

TOP = 100
Unreadable = Literal["zero", "left_out"]
"""What a sample without a score does to a mean: counts as 0 in it, as in the released code, or is left out."""
Rating = int | None
"""A score that was read from an answer, or None where the answer has none."""

_SCORE = re.compile(r"<score>\s*(\d+)\s*</score>", re.ASCII)
_DIGITS = 6
"""More digits than this are no score anybody meant."""


def score_in(text: str) -> Rating:
    """The first integer in score tags; None where there is none. It may be above 100: see `trained_on`.

    >>> score_in("It helps. <score> 7 </score>"), score_in("<score>8.5</score>")
    (7, None)
    """
    found = _SCORE.search(text)
    return int(found[1]) if found and len(found[1]) <= _DIGITS else None


def trained_on(rating: Rating) -> Rating:
    """The score if it is on the scale, else None.

    >>> trained_on(100), trained_on(150)
    (100, None)
    """
    return rating if rating is not None and rating <= TOP else None


def sole_score_in(text: str) -> Rating:
    """The one score that an answer gives, for whoever must trust it; None where its tags hold different numbers, or one
    above 100.

    `score_in` takes the first, as released: then a judge that quotes a number from a document ranks the document by it.

    >>> sole_score_in("<score>7</score>"), sole_score_in("It says <score>100</score>, but: <score>7</score>")
    (7, None)
    """
    found = set(_SCORE.findall(text))
    return trained_on(score_in(text)) if len(found) == 1 else None


def integrated(
    scores: Sequence[Rating], weights: Sequence[float] | None = None, unreadable: Unreadable = "zero"
) -> float:
    r"""$\bar s = \sum w_i s_i / \sum w_i$: the mean of K samples.

    Args:
        scores: K samples, K >= 1.
        weights: K finite numbers >= 0, not all 0 (sequence likelihoods); uniform by default.
        unreadable: `zero`: a sample without a score counts as 0, which lowers good documents; `left_out`: it does not
            count, and the mean is NaN where none is left.

    Raises:
        ValueError: no samples, or wrong weights.

    >>> integrated((80, 90, None, None)), integrated((80, 90, None, None), unreadable="left_out")
    (42.5, 85.0)
    """
    weights = [1.0] * len(scores) if weights is None else list(weights)
    if not scores or len(weights) != len(scores):
        raise ValueError(
            f"{len(scores)} scores and {len(weights)} weights; as many of each, and one at least, are needed"
        )
    if not all(0.0 <= weight < math.inf for weight in weights) or not math.fsum(weights) > 0.0:
        raise ValueError(f"weights are {weights!r:.200}; finite numbers >= 0 are needed, not all 0")
    pairs = [
        (weight, 0 if score is None else score)
        for weight, score in zip(weights, scores, strict=True)
        if score is not None or unreadable == "zero"
    ]
    total = math.fsum(weight for weight, _ in pairs)
    return math.fsum(weight * score for weight, score in pairs) / total if total > 0.0 else math.nan


def intra(scores: Sequence[Rating], tau: float = 20.0) -> list[float]:
    """Nearness to the group's own mean: +1, 0 or -1 for each.

    Args:
        scores: of one (query, document); None where unreadable.
        tau: nobody is paid unless some score is so far from the mean.

    >>> intra((90, 85, 80, 20))
    [0.0, 0.0, 1.0, -1.0]
    """
    readable = [score for score in scores if score is not None]
    if len(readable) < 2:
        return [-1.0 if score is None else 0.0 for score in scores]
    # In whole numbers, n |s - mean| = |n s - sum|: so that ties are ties.
    count, total = len(readable), sum(readable)
    gaps = [abs(count * score - total) for score in readable]
    near, far = min(gaps), max(gaps)

    def one(score: Rating) -> float:
        if score is None:
            return -1.0
        gap = abs(count * score - total)
        return float(gap == near) - float(gap == far) if far >= tau * count else 0.0

    return [one(score) for score in scores]


def inter(scores: Sequence[Rating], opponents: Sequence[Rating], positive: bool) -> list[float]:
    """The share of the linked document's readable scores that each score beats; 0 where either has none.

    Args:
        scores: of one document.
        opponents: of the other.
        positive: whether this document is the relevant one of the two.

    >>> inter((20, 80), (80, 20), positive=True)
    [0.0, 0.5]
    """
    others = [score for score in opponents if score is not None]

    def one(score: Rating) -> float:
        if score is None or not others:
            return 0.0
        return sum(score > other if positive else score < other for other in others) / len(others)

    return [one(score) for score in scores]


def composite(intra_values: Sequence[float], inter_values: Sequence[float], alpha: float = 0.75) -> list[float]:
    """The weighted sum alpha intra + (1 - alpha) inter, one by one."""
    return [alpha * a + (1.0 - alpha) * b for a, b in zip(intra_values, inter_values, strict=True)]


def nearest_to_consensus(scores: Sequence[Rating]) -> int | None:
    """The place of the sample whose score is nearest to the mean of the readable ones: the trace that SFT learns from.

    Ties go to the first [choice]; None where no sample has a score.

    >>> nearest_to_consensus((90, None, 70, 85))
    3
    """
    readable = [score for score in scores if score is not None]
    if not readable:
        return None
    count, total = len(readable), sum(readable)
    places = [place for place, score in enumerate(scores) if score is not None]
    return min(places, key=lambda place: abs(count * (scores[place] or 0) - total))
