r"""A made shop: contexts with candidates, a true model of clicks, and pages that were logged at random.

A context has 9 candidates in 3 categories, two pairs of near-duplicates among them, each of one category. A candidate
of latent quality $q \sim N(0, 1)$ attracts a click with chance $\sigma(1.5 q)$; on a page, at place k, the chance is

$$\sigma(1.5 q) \cdot \tfrac1k \cdot 0.75^{\text{items of its category above}},$$

and 0 for an item whose duplicate, or whose self, stands above. A ranker sees q with noise, and two features that mean
nothing. Everything is drawn from a seed. Source: the simulator of the fact sheet on PageLLM [choice].
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guerdon.errors import ConfigError
from guerdon_page.examples import Item, PageExample

SATURATION = 0.75
"""What is left of an item's attraction for each item of its category above it."""
CATEGORIES = ("lamps", "chairs", "rugs", "shelves", "plants", "mirrors", "clocks", "vases")
STYLES = ("oak", "linen", "brass", "grey", "small", "round", "plain", "striped", "old", "folding", "tall", "blue")


@dataclass(frozen=True)
class World:
    """Contexts of a made shop, each drawn on its own."""

    seed: int = 0
    candidates: int = 9
    length: int = 6
    categories: int = 3
    twins: int = 2
    """Pairs of near-duplicates."""
    noise: float = 0.5
    """Standard deviation of what a ranker sees of a quality [choice]."""

    def __post_init__(self) -> None:
        if not 1 <= self.categories <= len(CATEGORIES):
            raise ConfigError(f"categories is {self.categories!r}; a number from 1 to {len(CATEGORIES)} is needed")
        if not 1 <= self.length <= self.candidates <= 60:
            raise ConfigError(
                f"length is {self.length!r} and candidates {self.candidates!r}; 1 <= length <= candidates <= 60 is "
                f"needed"
            )
        if self.twins < 0 or 2 * self.twins > self.candidates:
            raise ConfigError(f"twins is {self.twins!r}; 0 to half of the {self.candidates} candidates are possible")
        if not 0.0 <= self.noise < math.inf:
            raise ConfigError(f"noise is {self.noise!r}; a finite number >= 0 is needed")

    def context(self, name: str, number: int) -> PageExample:
        """Context `number` of a series of that name, without a logged page."""
        draw = random.Random(f"page world {self.seed} {name} {number}")
        names = draw.sample(CATEGORIES, self.categories)
        kinds = [names[place % self.categories] for place in range(self.candidates)]
        quality = [draw.gauss(0.0, 1.0) for _ in kinds]
        same_as = [""] * self.candidates
        for pair in range(self.twins):
            one, other = 2 * pair, 2 * pair + 1
            kinds[other], quality[other], same_as[one], same_as[other] = (
                kinds[one],
                quality[one],
                f"t{pair}",
                f"t{pair}",
            )
        order = draw.sample(range(self.candidates), self.candidates)
        ids = [chr(ord("a") + place // 26) * (place >= 26) + chr(ord("a") + place % 26) for place in range(len(order))]
        styles = [" ".join(draw.sample(STYLES, 2)) for _ in kinds]
        for pair in range(self.twins):
            styles[2 * pair + 1] = styles[2 * pair]
        items = tuple(
            Item(
                id=id,
                title=f"{styles[place]} {kinds[place]}",
                category=kinds[place],
                features=tuple(
                    round(value, 2)
                    for value in (quality[place] + draw.gauss(0.0, self.noise), draw.gauss(0, 1), draw.gauss(0, 1))
                ),
                price=float(draw.randint(5, 200)),
                same_as=same_as[place],
            )
            for id, place in zip(ids, order, strict=True)
        )
        return PageExample(
            id=f"{name}-{self.seed}-{number}",
            query=f"{draw.choice(STYLES)} home",
            items=items,
            length=self.length,
            attraction=tuple(1.0 / (1.0 + math.exp(-1.5 * quality[place])) for place in order),
        )

    def logged(self, name: str, number: int, readers: int = 1) -> PageExample:
        """The same context with a page of random items in random order, and what readers did with it.

        A click goes on to a cart with chance 0.3, and from there to a purchase with chance 0.5 [choice]; of several
        readers the most that one of them did counts. Where people look (1/k) is known, and logged.
        """
        example = self.context(name, number)
        draw = random.Random(f"page log {self.seed} {name} {number}")
        page = tuple(draw.sample([item.id for item in example.items], self.length))
        chances = click_chances(example, page)
        grades = [max(_engagement(chance, draw) for _ in range(readers)) for chance in chances]
        looked = tuple(1.0 / place for place in range(1, self.length + 1))
        return example.model_copy(update={"shown": page, "engagement": tuple(grades), "propensities": looked})


def _engagement(chance: float, draw: random.Random) -> int:
    clicked = draw.random() < chance
    cart = clicked and draw.random() < 0.3
    return int(clicked) + int(cart) + int(cart and draw.random() < 0.5)


@lru_cache(maxsize=8)
def logs(world: World, pages: int, name: str = "log") -> tuple[PageExample, ...]:
    """So many logged contexts of a world; made once."""
    return tuple(world.logged(name, number) for number in range(pages))


def appeal(example: PageExample, ids: Sequence[str]) -> list[float]:
    """Chance of a click on each item of a page, if it were looked at: attraction, less what stands above takes away.

    Raises:
        ConfigError: the example has no truth (`attraction`).
    """
    if not example.attraction:
        raise ConfigError(f"example {example.id!r} has no attraction; only a simulator's examples know it")
    above: Counter[str] = Counter()
    seen: set[str] = set()
    found = []
    for id, kind in zip(ids, example.kinds(ids), strict=True):
        place = example.place[id]
        category = example.items[place].category
        found.append(0.0 if kind in seen else example.attraction[place] * SATURATION ** above[category])
        above[category] += 1
        seen.add(kind)
    return found


def click_chances(example: PageExample, ids: Sequence[str]) -> list[float]:
    """Chance of a click at each place of a page."""
    return [chance / place for place, chance in enumerate(appeal(example, ids), 1)]


def expected_clicks(example: PageExample, ids: Sequence[str]) -> float:
    """Of the first `length` places."""
    return math.fsum(click_chances(example, ids[: example.length]))


def looked_at(place: int) -> float:
    """Chance that a place, from 1, is looked at: 1/k."""
    return 1.0 / place


def best_page(example: PageExample, weight: Callable[[int], float] = looked_at) -> tuple[tuple[str, ...], float]:
    """The best page there is, exactly, and the sum of weight times appeal over its places.

    Of one category the better item goes first, whatever stands between (swapping two of them moves the larger
    attraction to the larger weight and the lesser discount), and of near-duplicates only the best. So an item's appeal
    is known by its rank in its category, falls with it, and the highest appeals go to the highest weights.

    Args:
        example: with its truth.
        weight: of a place, from 1; it may not rise.

    Raises:
        ConfigError: the example has no truth.
    """
    if not example.attraction:
        raise ConfigError(f"example {example.id!r} has no attraction; only a simulator's examples know it")
    taken: set[str] = set()
    ranks: Counter[str] = Counter()
    found: list[tuple[float, int]] = []
    for place in sorted(range(len(example.items)), key=lambda place: -example.attraction[place]):
        item = example.items[place]
        if (kind := example.kind[item.id]) not in taken:
            taken.add(kind)
            found.append((example.attraction[place] * SATURATION ** ranks[item.category], place))
            ranks[item.category] += 1
    best = sorted((one for one in found if one[0] > 0.0), key=lambda one: -one[0])[: example.length]
    value = math.fsum(weight(rank) * appeal for rank, (appeal, _) in enumerate(best, 1))
    return tuple(example.items[place].id for _, place in best), value
