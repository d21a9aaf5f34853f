r"""Markets: kinds of page views that come at random, each with its own share, so that whole days can be held out.

Rules know the chances of the view at hand and nothing of what will come. Whoever has seen many days of a market knows
which advertisers will be asked for again, and can keep a view from those that others can have later.

Source: known, independent and identically distributed arrivals, a classic setting; sizes and chances are ours [choice].
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from guerdon.fields import whole_number
from guerdon_page.matching.exact import Choose
from guerdon_page.matching.instances import Arrival, Instance

CHANCES = (0.4, 0.6)
"""Of a made market: so large that a few views decide a day, and so alike that they do not decide alone [choice]."""
MOST = 6
"""Advertisers of a made market: there are $3^n$ `states`."""


@dataclass(frozen=True)
class Market:
    """Advertisers, and the kinds of views that come."""

    offline: int
    kinds: tuple[Arrival, ...]
    shares: tuple[float, ...]
    """The chance that a view is of each kind; they add up to 1."""

    @classmethod
    def made(cls, offline: int, seed: int) -> Self:
        """A market at random: up to 2n kinds that differ in who wants them, with unequal shares and chances.

        Args:
            offline: n advertisers, 2 to 6.
            seed: the same, the same market.

        Raises:
            ConfigError: `offline` is something else.
        """
        whole_number("offline", offline, 2, MOST)
        draw = random.Random(f"market {seed}")
        sets = [near for k in range(1, offline + 1) for near in itertools.combinations(range(offline), k)]
        wanted = draw.sample(sets, min(2 * offline, len(sets)))
        kinds = tuple(tuple((u, draw.uniform(*CHANCES)) for u in near) for near in wanted)
        weights = [draw.random() for _ in kinds]
        return cls(offline, kinds, tuple(weight / sum(weights) for weight in weights))

    def day(self, views: int, draw: random.Random) -> Instance:
        """So many views, drawn one by one."""
        return Instance(self.offline, tuple(draw.choices(self.kinds, self.shares, k=views)))

    def best(self, views: int) -> Choose:
        """The best policy that knows the market, and of a day only what has come.

        Args:
            views: of the longest day that it is asked about.

        >>> Market(2, (((0, 0.5), (1, 0.5)), ((1, 0.5),)), (0.1, 0.9)).best(2)(1, (True, True), {0: 0.5, 1: 0.5})
        0
        """
        worth = [[0.0] * 2**self.offline]  # of each set of those who are done, with 0 views left, 1, 2, ...
        for _ in range(views - 1):
            after = worth[-1]
            worth.append(
                [
                    sum(
                        share * max(_tried(dict(kind), dead, after).values(), default=after[dead])
                        for kind, share in zip(self.kinds, self.shares, strict=True)
                    )
                    for dead in range(len(after))
                ]
            )

        def choose(left: int, alive: tuple[bool, ...], edges: Mapping[int, float]) -> int | None:
            dead = sum(1 << u for u, one in enumerate(alive) if not one)
            tried = _tried(edges, dead, worth[left])
            return max(tried, key=lambda u: (tried[u], -u), default=None)

        return choose


def _tried(edges: Mapping[int, float], dead: int, after: Sequence[float]) -> dict[int, float]:
    """What is expected to be won when each of those who are open is tried, and then on.

    Never less than after a skip: nobody who is open is worth more than one click.
    """
    return {
        u: p * (1.0 + after[dead | 1 << u]) + (1.0 - p) * after[dead] for u, p in edges.items() if not dead >> u & 1
    }


def state(alive: Sequence[bool], near: Sequence[int]) -> str:
    """Who is open, and who of them wants the view at hand; no loads, and not how many views are left.

    >>> state((True, False, True), (0, 2))
    '101/02'
    """
    return f"{''.join('01'[one] for one in alive)}/{''.join(map(str, near))}"


def states(offline: int) -> Iterator[str]:
    """Every `state` of so many advertisers.

    >>> list(states(1))
    ['1/', '1/0', '0/']
    """
    for alive in itertools.product((True, False), repeat=offline):
        still = [u for u, one in enumerate(alive) if one]
        for k in range(len(still) + 1):
            for near in itertools.combinations(still, k):
                yield state(alive, near)
