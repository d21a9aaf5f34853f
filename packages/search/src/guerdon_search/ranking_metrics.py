r"""How good a ranking is: nDCG, reciprocal rank, average precision, and the mean over queries.

$DCG@k = \sum_{r=1}^{k} g_r / \log_2(r + 1)$, divided by that of the best order of all judged documents. Gains are the
judgments themselves (not $2^g - 1$), as trec_eval has them; a negative one counts as 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

Judgments = Mapping[str, Mapping[str, float]]
"""Gain by document by query."""
Run = Mapping[str, Sequence[str]]
"""Documents by query, best first."""


def ndcg(ranking: Sequence[str], gains: Mapping[str, float], k: int = 10) -> float:
    """nDCG@k of one ranking; 0 where nothing is relevant or the ranking is empty.

    Args:
        ranking: ids, best first; one that stands twice counts once, at its first place.
        gains: by id; ids that are not there have 0.
        k: depth, >= 1.

    Raises:
        ValueError: k is below 1, or a gain is no finite number.

    >>> round(ndcg(["a", "b", "c"], {"b": 1, "c": 1}), 6)
    0.693426
    """
    if k < 1:
        raise ValueError(f"k is {k!r}; a whole number >= 1 is needed")
    if not all(map(math.isfinite, gains.values())):
        raise ValueError(f"gains are {dict(gains)!r:.200}; finite numbers are needed")
    ranking = list(dict.fromkeys(ranking))[:k]
    best = _dcg(sorted((max(gain, 0.0) for gain in gains.values()), reverse=True)[:k])
    return _dcg([max(gains.get(name, 0.0), 0.0) for name in ranking]) / best if best > 0.0 else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def reciprocal_rank(ranking: Sequence[str], gains: Mapping[str, float]) -> float:
    """1 by the rank of the first relevant document (gain above 0); 0 where none is found.

    >>> reciprocal_rank(["a", "b"], {"b": 1})
    0.5
    """
    return next((1.0 / rank for rank, name in enumerate(ranking, 1) if gains.get(name, 0.0) > 0.0), 0.0)


def average_precision(ranking: Sequence[str], gains: Mapping[str, float]) -> float:
    """The mean, over relevant documents, of the precision at their rank; one that is not found counts as 0.

    >>> average_precision(["a", "x", "b"], {"a": 1, "b": 1})
    0.8333333333333333
    """
    relevant = {name for name, gain in gains.items() if gain > 0.0}
    hits, total = 0, 0.0
    for rank, name in enumerate(dict.fromkeys(ranking), 1):
        if name in relevant:
            hits += 1
            total += hits / rank
    return total / len(relevant) if relevant else 0.0


def without(ranking: Sequence[str], excluded: Collection[str]) -> list[str]:
    """The ranking without documents that a query excludes (BRIGHT's), before ranks are counted."""
    return [name for name in ranking if name not in excluded]


def mean_over_queries(
    run: Run, judgments: Judgments, metric: Callable[[Sequence[str], Mapping[str, float]], float] = ndcg
) -> float:
    """The mean of a metric over the judged queries; a query that the run lacks counts as an empty ranking.

    Raises:
        ValueError: nothing is judged.
    """
    if not judgments:
        raise ValueError("no query has judgments; a mean over queries needs one")
    return math.fsum(metric(run.get(query, ()), gains) for query, gains in judgments.items()) / len(judgments)
