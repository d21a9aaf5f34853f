r"""The two losses of PageLLM's reward models, over P pairs of scores.

$$L_{page} = \tfrac1P \sum \log(1 + e^{-(r(y^+) - r(y^-))}), \qquad
  L_{item} = \frac{\sum w \log(1 + e^{-(s(y^+) - s(y^-))})}{\sum w}$$

For numbers in hand: training goes by `guerdon.losses.preference.bradley_terry` (models of transformers) or
`guerdon_page.linear_models` (features). Source: the fact sheet's choice; the paper's equations were not read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def pair_loss(better: float, worse: float) -> float:
    """`log(1 + exp(-(better - worse)))`, without overflow.

    >>> [round(pair_loss(*pair), 6) for pair in ((1.2, 0.2), (0.2, 1.2), (1.0, 1.0))]
    [0.313262, 1.313262, 0.693147]
    """
    lead = better - worse
    return max(-lead, 0.0) + math.log1p(math.exp(-abs(lead)))


def weighted_loss(pairs: Sequence[tuple[float, float]], weights: Sequence[float] | None = None) -> float:
    """The weighted mean of pair losses; pairs of weight 0 are left out.

    Args:
        pairs: scores of the better and the worse page.
        weights: finite numbers >= 0; None means 1 each.

    Returns:
        NaN where no pair has a weight.

    Raises:
        ValueError: a weight is below 0 or no number, or a score is none.

    >>> round(weighted_loss([(0.5, 0.1), (-0.2, 0.3)], [2.214421, 3.985264]), 6)
    0.809394
    """
    chosen = [1.0] * len(pairs) if weights is None else list(weights)
    if any(not 0.0 <= weight < math.inf for weight in chosen):
        raise ValueError(f"weights are {chosen!r:.200}; finite numbers >= 0 are needed")
    terms = []
    for (better, worse), weight in zip(pairs, chosen, strict=True):
        if weight:
            if not (math.isfinite(better) and math.isfinite(worse)):
                raise ValueError(f"a pair's scores are {(better, worse)!r}; finite numbers are needed")
            terms.append(weight * pair_loss(better, worse))
    return math.fsum(terms) / math.fsum(chosen) if terms else math.nan
