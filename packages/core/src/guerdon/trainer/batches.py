"""Which examples a step sees, and how a batch is cut to fit memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

ItemT = TypeVar("ItemT")


def step_seed(seed: int, phase: str, step: int) -> int:
    """A seed of its own for every step of every phase, so that a resumed run draws what an undisturbed one draws.

    >>> step_seed(0, "rl", 3) == step_seed(0, "rl", 3) != step_seed(0, "rl", 4)
    True
    """
    return random.Random(f"{seed}/{phase}/{step}").getrandbits(48)


def batch_at(step: int, size: int, count: int, seed: int, phase: str) -> list[int]:
    """The indices of batch `step` when `count` examples are dealt out in shuffled epochs, `size` at a time.

    A pure function of its arguments: nothing about the data order needs to be saved. Every example comes once per
    epoch; a batch may span two epochs.

    >>> sorted(batch_at(0, 2, 4, 0, "rl") + batch_at(1, 2, 4, 0, "rl"))
    [0, 1, 2, 3]
    """
    indices: list[int] = []
    for place in range(step * size, (step + 1) * size):
        epoch, offset = divmod(place, count)
        indices.append(shuffled(count, seed, phase, epoch)[offset])
    return indices


def shuffled(count: int, seed: int, phase: str, epoch: int) -> list[int]:
    """The numbers below `count` in an order of their own for every epoch of every phase."""
    order = list(range(count))
    random.Random(f"{seed}/{phase}/epoch{epoch}").shuffle(order)
    return order


def microbatches(items: Sequence[ItemT], cost: Callable[[Sequence[ItemT]], int], budget: int) -> list[list[ItemT]]:
    """Cut items into neighbouring runs whose cost stays within the budget; an item over it alone goes alone."""
    batches: list[list[ItemT]] = []
    current: list[ItemT] = []
    for item in items:
        if current and cost([*current, item]) > budget:
            batches.append(current)
            current = []
        current.append(item)
    if current:
        batches.append(current)
    return batches
