"""The three words a nugget can be judged by, what they are worth, and how judgments of several blocks become one.

Source: Search-Gen-V (arXiv 2510.14660): labels and merging as in its released code; the numbers 1, 0.5 and 0, and the
weights of `vital` and `okay`, are choices [choice].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeGuard, get_args

Label = Literal["support", "partial_support", "not_support"]
Importance = Literal["vital", "okay"]

LABELS: tuple[Label, ...] = get_args(Label)
"""From the strongest to the weakest."""
WORTH: Mapping[Label, float] = {"support": 1.0, "partial_support": 0.5, "not_support": 0.0}
WEIGHTS: Mapping[Importance, float] = {"vital": 1.0, "okay": 0.5}


def is_label(word: object) -> TypeGuard[Label]:
    """Whether it is one of the three, to the letter."""
    return isinstance(word, str) and word in LABELS


def merged(blocks: Sequence[Sequence[str | None]]) -> tuple[Label, ...]:
    """One label per nugget from judgments of several blocks: the strongest; what is no label (None, "error") is passed
    over.

    A nugget without any label is `not_support`, as in the released code. Rewards leave out nuggets whose judge failed
    before they come here: our fault must not become the answer's.

    Args:
        blocks: B blocks of n judgments, the same nuggets in the same order.

    Returns:
        n labels; none where there is no block.

    Raises:
        ValueError: blocks of different lengths.

    >>> merged([["not_support", "partial_support", None], ["support", "not_support", None]])
    ('support', 'partial_support', 'not_support')
    """
    if len({len(block) for block in blocks}) > 1:
        raise ValueError(
            f"blocks have {[len(block) for block in blocks]} judgments; the same nuggets are needed in each"
        )
    return tuple(
        min((label for label in column if is_label(label)), key=LABELS.index, default="not_support")
        for column in zip(*blocks, strict=True)
    )


def coverage(weights: Sequence[float], labels: Sequence[Label]) -> float:
    r"""$R = \sum_i w_i V_i / \sum_i w_i$ with V = 1, 0.5, 0 by label; 0 where there is no nugget or every weight is 0.

    Args:
        weights: n finite numbers >= 0.
        labels: n labels.

    Returns:
        A share in [0, 1].

    Raises:
        ValueError: there are not as many weights as labels, or a weight is not a finite number >= 0.

    >>> coverage((1.0, 1.0, 0.5), ("support", "partial_support", "support"))
    0.8
    """
    if len(weights) != len(labels):
        raise ValueError(f"{len(weights)} weights for {len(labels)} labels; one for each is needed")
    if not all(0.0 <= weight < math.inf for weight in weights):
        raise ValueError(f"weights are {list(weights)!r}; finite numbers >= 0 are needed")
    total = math.fsum(weights)
    if total == 0.0:
        return 0.0
    return math.fsum(weight * WORTH[label] for weight, label in zip(weights, labels, strict=True)) / total
