"""How much each step counts: the share w of a step in the batch's loss, so that micro-batches add up exactly.

With R sequences of lengths L_i that are scored:

| name | w of a step of sequence i | known as |
|---|---|---|
| `token` | 1 / sum(L) | DAPO: every token of the batch counts alike |
| `sequence` | 1 / (R L_i) | GRPO as published: every sequence counts alike |
| `constant` | 1 / (R C) | Dr. GRPO: a fixed length C takes the place of L_i |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Average = Literal["token", "sequence", "constant"]


def step_weights(lengths: Sequence[int], scored: Sequence[bool], average: Average, *, constant: int = 1) -> list[float]:
    """The weight of each step, per sequence (all steps of one sequence weigh the same).

    Args:
        lengths: policy steps of each of the R sequences of the *whole* batch, not of a micro-batch.
        scored: False for a sequence that left the update; it weighs 0 and counts for nothing.
        average: see the module's head.
        constant: C, in steps, for `constant`.

    Returns:
        R weights. Over all steps they add up to 1 (`token`, `sequence`), if anything is scored at all.

    >>> step_weights([2, 4], [True, True], "sequence")
    [0.25, 0.125]
    """
    counted = [length if keep else 0 for length, keep in zip(lengths, scored, strict=True)]
    sequences = sum(length > 0 for length in counted)
    total = sum(counted)
    if not total:
        return [0.0] * len(counted)
    match average:
        case "token":
            return [1.0 / total if length else 0.0 for length in counted]
        case "sequence":
            return [1.0 / (sequences * length) if length else 0.0 for length in counted]
        case "constant":
            return [1.0 / (sequences * constant) if length else 0.0 for length in counted]
