"""Parting examples into train and eval so that nothing learned on one side can be remembered on the other.

Examples that are asked the same, and (unless told otherwise) examples that have a tool in common, stay together: they
are one component of the graph whose edges those are, and a component goes to one side whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from guerdon_code.tool_examples import ToolExample

Apart = Literal["tools", "examples"]
"""What the two sides do not share: any tool on offer, or only the same question."""


class Parted(NamedTuple):
    """The two sides, each in the order of the file."""

    train: tuple[ToolExample, ...]
    eval: tuple[ToolExample, ...]


def components(examples: Sequence[ToolExample], apart: Apart) -> list[list[int]]:
    """Places of the examples that have to stay together, in the order of their first."""
    parent = list(range(len(examples)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[tuple[str, str], int] = {}
    for place, example in enumerate(examples):
        shared = [("asked", " ".join(example.user.lower().split()))]
        if apart == "tools":
            shared += [("tool", name) for name in example.tools]
        for key in shared:
            one, other = sorted((root(place), root(first.setdefault(key, place))))
            parent[other] = one
    found: dict[int, list[int]] = {}
    for place in range(len(examples)):
        found.setdefault(root(place), []).append(place)
    return list(found.values())


def part(examples: Sequence[ToolExample], *, eval_share: float, seed: int, apart: Apart = "tools") -> Parted:
    """Part the examples; components go to eval in a seeded order, as long as they fit in.

    Args:
        examples: N of them.
        eval_share: how many of them, of 1, eval gets at most; it gets fewer where components are large.
        seed: of the order.
        apart: what the sides do not share.
    """
    groups = components(examples, apart)
    Random(f"parted {seed}").shuffle(groups)
    room = int(eval_share * len(examples) + 1e-9)  # 0.1 * 30 is a hair above 3, and 0.29 * 100 one below 29
    chosen: set[int] = set()
    for group in groups:
        if len(chosen) + len(group) <= room:
            chosen.update(group)
    sides = [tuple(each for place, each in enumerate(examples) if (place in chosen) == side) for side in (False, True)]
    return Parted(*sides)
