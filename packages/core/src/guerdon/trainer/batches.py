"""Which examples a step sees, and how a batch is cut to fit memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from guerdon.errors import TaskError

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


def units_of(names: Iterable[str]) -> list[range]:
    """The places of each unit, in order; `names` are `Task.unit` of a split's examples.

    >>> units_of(["a", "a", "b"])
    [range(0, 2), range(2, 3)]

    Raises:
        TaskError: examples of one unit do not stand side by side.
    """
    runs = [(name, list(places)) for name, places in groupby(enumerate(names), key=lambda one: one[1])]
    seen: set[str] = set()
    for name, places in runs:
        if name in seen:
            raise TaskError(
                f"the examples of unit {name!r} (Task.unit) do not stand side by side: one is at place {places[0][0]}, "
                "behind those of another unit; sort the split by unit"
            )
        seen.add(name)
    return [range(places[0][0], places[-1][0] + 1) for _, places in runs]


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
