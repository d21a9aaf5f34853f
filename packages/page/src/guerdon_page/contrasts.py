"""Pairs of a positive page and one made worse by a single edit: what PageLLM's two reward models learn from.

| family | edit of y+ | trains |
|---|---|---|
| `relevance` | an engaged item gives way to a random candidate that is not on the page | page |
| `ranking` | an engaged item and a later, less engaged one change places | item; and page, weight 0.5 |
| `diversity` | the tail gives way to further candidates of the top item's category, which has 3 or more | page |
| `redundancy` | an item gives way to a near-duplicate of the top one, or to the top one itself | page |
| `omission` | the page ends early: of n items the first 1 to n - 1 are left | page |

Where it is known how likely each place was looked at, an engagement counts by its gain over that chance, in the order
of y+, in which swaps there are and in what they weigh: against position bias.

`omission` is ours, and the repair of what a policy found that was trained on the other four: logged pages are full, so
nothing says what a short one is worth, and the mean of its two best items is above that of any six. Within 60 steps of
GRPO pages of six items became pages of two (the package's README).

A family whose edit is impossible is skipped and counted. Pairs of one context must stay on one side of a split (a
reward model's trainer splits by prompt, which is the context).

Source: PageLLM (arXiv 2506.09084) names the first four families; the edits and weights are the fact sheet's choices.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, get_args

from guerdon.errors import ConfigError
from guerdon_page.engagement import gains, positive_order, swap_weight
from guerdon_page.examples import PageExample

Family = Literal["relevance", "ranking", "diversity", "redundancy", "omission"]
FAMILIES: tuple[Family, ...] = get_args(Family)
PUBLISHED: tuple[Family, ...] = ("relevance", "ranking", "diversity", "redundancy")
"""Those that the paper names."""
Level = Literal["page", "item"]
FAMILIES_OF: dict[Level, tuple[Family, ...]] = {"page": FAMILIES, "item": ("ranking",)}
"""What the reward model of each level learns from."""
RANKING_ON_PAGE = 0.5
"""What a swap weighs beside the other families where the page model learns from it, too."""


@dataclass(frozen=True)
class Contrast:
    """Two pages of one context, the first better."""

    example: PageExample
    better: tuple[str, ...]
    worse: tuple[str, ...]
    family: Family
    swap: float = 0.0
    """`|g_i - g_j| |d_i - d_j|` of a ranking pair; 0 for the others."""


@dataclass(frozen=True)
class Contrasts:
    """All pairs of some logged pages, and what could not be made."""

    pairs: tuple[Contrast, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    """By family: how often its edit was impossible."""

    def for_page(self) -> list[tuple[Contrast, float]]:
        """What the page model learns from, with weights."""
        return [(pair, RANKING_ON_PAGE if pair.family == "ranking" else 1.0) for pair in self.pairs]

    def for_item(self) -> list[tuple[Contrast, float]]:
        """What the item model learns from, with weights; swaps that change nothing are left out."""
        return [(pair, pair.swap) for pair in self.pairs if pair.swap > 0.0]


def positive_page(example: PageExample) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The logged page in the order of its gains, with them: y+; against position bias where propensities are known."""
    gained = gains(example.engagement, example.propensities or None)
    order = positive_order(gained)
    return tuple(example.shown[place] for place in order), tuple(gained[place] for place in order)


def contrasts(examples: Iterable[PageExample], *, families: Sequence[Family] = FAMILIES, seed: int = 0) -> Contrasts:
    """At most one pair of each family for each logged page.

    Args:
        examples: with a logged page; those without are passed over, as nothing is known of them.
        families: which.
        seed: draws which item is edited.

    Raises:
        ConfigError: no such family.
    """
    if unknown := [family for family in families if family not in FAMILIES]:
        raise ConfigError(f"families has {unknown[0]!r}; accepted are {', '.join(map(repr, FAMILIES))}")
    found: list[Contrast] = []
    skipped: Counter[str] = Counter()
    for number, example in enumerate(examples):
        if not example.shown:
            continue
        page, gained = positive_page(example)
        draw = random.Random(f"contrasts {seed} {number}")
        for family in families:
            edited = _EDITS[family](example, page, gained, draw)
            if edited is None:
                skipped[family] += 1
            else:
                found.append(Contrast(example, page, edited[0], family, edited[1]))
    return Contrasts(tuple(found), dict(skipped))


_Edited = tuple[tuple[str, ...], float] | None


def _relevance(example: PageExample, page: tuple[str, ...], gained: tuple[float, ...], draw: random.Random) -> _Edited:
    engaged = [place for place, each in enumerate(gained) if each]
    others = [item.id for item in example.items if item.id not in page]
    if not engaged or not others:
        return None
    return _with(page, {draw.choice(engaged): draw.choice(others)}), 0.0


def _ranking(example: PageExample, page: tuple[str, ...], gained: tuple[float, ...], draw: random.Random) -> _Edited:
    # Gains fall down the page, so an item's partners are all below those of its gain, but for itself once more. They
    # are counted, not listed, and the one drawn is found: long pages have millions.
    end, left, partners = len(page), Counter[str](), [0] * len(page)
    for place in range(len(page) - 1, -1, -1):
        if place + 1 < len(page) and gained[place] > gained[place + 1]:
            left.update(page[place + 1 : end])
            end = place + 1
        partners[place] = len(page) - end - left[page[place]]
    if not any(partners):
        return None
    chosen, one = draw.choice(range(sum(partners))), 0
    while chosen >= partners[one]:
        chosen, one = chosen - partners[one], one + 1
    below = (place for place in range(one, len(page)) if gained[one] > gained[place] and page[one] != page[place])
    other = next(islice(below, chosen, None))
    return _with(page, {one: page[other], other: page[one]}), swap_weight(gained, one + 1, other + 1)


def _diversity(example: PageExample, page: tuple[str, ...], gained: tuple[float, ...], draw: random.Random) -> _Edited:
    category = {item.id: item.category for item in example.items}
    of_top = [item.id for item in example.items if item.category == category[page[0]]]
    fresh = [id for id in of_top if id not in page]
    tail = [place for place in range(len(page) - 1, 0, -1) if category[page[place]] != category[page[0]]]
    if not category[page[0]] or len(of_top) < 3 or not fresh or not tail:
        return None
    draw.shuffle(fresh)
    return _with(page, dict(zip(tail, fresh, strict=False))), 0.0


def _redundancy(example: PageExample, page: tuple[str, ...], gained: tuple[float, ...], draw: random.Random) -> _Edited:
    if len(page) < 2:
        return None
    top, kind = page[0], example.kind
    twins = [item.id for item in example.items if kind[item.id] == kind[top] and item.id not in page]
    places = [place for place in range(1, len(page)) if kind[page[place]] != kind[top]]
    if not places:
        return None
    return _with(page, {draw.choice(places): draw.choice([*twins, top])}), 0.0


def _omission(example: PageExample, page: tuple[str, ...], gained: tuple[float, ...], draw: random.Random) -> _Edited:
    return (page[: draw.randrange(1, len(page))], 0.0) if len(page) > 1 else None


_EDITS: dict[Family, Callable[[PageExample, tuple[str, ...], tuple[float, ...], random.Random], _Edited]] = {
    "relevance": _relevance,
    "ranking": _ranking,
    "diversity": _diversity,
    "redundancy": _redundancy,
    "omission": _omission,
}


def _with(page: tuple[str, ...], changes: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(changes.get(place, id) for place, id in enumerate(page))
