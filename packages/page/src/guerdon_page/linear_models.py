r"""PageLLM's two reward models on features of items: linear, learned from pairs in closed steps, in milliseconds.

The page model sees what does not depend on the order: the mean feature vector of the items, the entropy of their
categories, the share of near-duplicates, and how full the page is. The item model sees each item's features $f$,
weighted by its place, centred on the mean discount of the page,

$$s(y) = \tfrac1n \sum_k r_{item,k}, \qquad r_{item,k} = n \, (d_k - \bar d) \; u \cdot f(i_k).$$

Both are fitted by the weighted Bradley-Terry loss with a little ridge, by Newton's steps on all pairs. The item model
learns from swaps, which leave the items as they are; so nothing holds what it says of *which* items are shown, and as
`published` it pays for bad ones: below the centre they add to s, and three good items above three bad ones beat six
good ones. `repaired`, with $i^*_k$ the items of the page, best first by u,

$$r_{item,k} = n \, (d_k - \bar d) \; u \cdot (f(i_k) - f(i^*_k)),$$

whose mean is s less that of the same items' best order: 0 in that order and negative in any other, whichever items they
are. Pages of the same items differ by as much as before, so what is learned is the same.

The page model as `published` counts a repeated item twice, in the mean of the features. `repaired`, each kind of item
(`PageExample.kind`) counts once, by the mean of its candidates' features, in how full the page is too, and the share of
duplicates never has a weight above 0: what stands on a page already adds nothing to it.

What is no page gets, as `published`, the least score that was learned from, which bad pages of a context can be below.
`repaired`, it gets no more than that, and less than any page of its context can have (`Fitted.page_floor`,
`Fitted.order_floor`).

Source: the shrunk claim of the fact sheet [choice]; the repairs are ours. For models that read text see `guerdon page
pairs` and `guerdon reward-model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from guerdon.errors import ConfigError
from guerdon_page.contrasts import FAMILIES, PUBLISHED, Contrasts, Family, contrasts
from guerdon_page.engagement import discount
from guerdon_page.examples import Item, PageExample
from guerdon_page.measures import category_entropy, duplicate_share
from guerdon_page.worlds import World, logs

if TYPE_CHECKING:
    import numpy as np

Reading = Literal["repaired", "published"]
FAMILIES_READ: dict[Reading, tuple[Family, ...]] = {"repaired": FAMILIES, "published": PUBLISHED}
"""The pairs that each reading learns from."""
RIDGE = 1e-3
"""Weight of half the squared weights beside the mean loss."""


@dataclass(frozen=True)
class Fitted:
    """Both models, and what they were made from."""

    page: tuple[float, ...]
    """Weights of `page_features`."""
    item: tuple[float, ...]
    """Weights of an item's features; u above."""
    lowest: float
    """The least score of any page that the page model learned from: the most that an empty page gets."""
    pairs: Contrasts
    reading: Reading = "repaired"
    lowest_order: float = 0.0
    """The least mean r_item of any page that the item model learned from, in the repaired reading: the most that an
    empty page gets, as 0 is the most there is."""

    def page_score(self, example: PageExample, ids: Sequence[str], unknown: float = 0.0) -> float:
        """r_page; `page_floor` for an empty page.

        Args:
            example: the context.
            ids: candidates, from the top; no more than the example's `length`.
            unknown: share in [0, 1] of what was listed that is no candidate. It takes that share of what `repaired` a
                page has above the floor, so that a page of nothing else is worth an empty one.
        """
        if not ids:
            return self.page_floor(example)
        value = sum(w * f for w, f in zip(self.page, page_features(example, ids, self.reading), strict=True))
        if not unknown or self.reading == "published":
            return value
        return value - unknown * (value - self.page_floor(example))

    def item_scores(self, example: PageExample, ids: Sequence[str], unknown: float = 0.0) -> list[float]:
        """r_item of each place that is filled.

        Args:
            example: the context.
            ids: candidates, from the top.
            unknown: as of `page_score`: it takes that share of what `repaired` the mean has above `order_floor`.
        """
        worth = [
            sum(u * f for u, f in zip(self.item, example.items[example.place[id]].features, strict=True)) for id in ids
        ]
        if self.reading == "repaired":
            worth = [here - best for here, best in zip(worth, sorted(worth, reverse=True), strict=True)]
        values = [len(ids) * lead * value for lead, value in zip(leads(len(ids)), worth, strict=True)]
        if not unknown or self.reading == "published":
            return values
        floor = self.order_floor(example)
        return [(1.0 - unknown) * value + unknown * floor for value in values]

    def page_floor(self, example: PageExample) -> float:
        """What an empty page gets of the page model: `repaired`, less than any page of the context.

        The mean features of a page are no worse than those of its worst kind, and each of the three numbers beside them
        has its own worst: a bound that no page need reach.
        """
        if self.reading == "published":
            return self.lowest
        *weights, entropy, duplicates, filled = self.page
        worst = min(sum(w * f for w, f in zip(weights, _kind(group), strict=True)) for group in example.alike.values())
        one = 1.0 / example.length
        worst += min(entropy, 0.0) + (1.0 - one) * min(duplicates, 0.0) + min(filled, filled * one)
        return _below(min(self.lowest, worst))

    def order_floor(self, example: PageExample) -> float:
        """What an empty page gets of the item model: `repaired`, less than any page of the context.

        The worst there is has the worst item in the upper half of a full page and the best in the lower.
        """
        if self.reading == "published":
            return self.lowest_order
        worth = [sum(u * f for u, f in zip(self.item, item.features, strict=True)) for item in example.items]
        places, half = leads(example.length), example.length // 2
        reach = sum(places[:half]) - sum(places[example.length - half :])
        return _below(min(self.lowest_order, -reach * (max(worth) - min(worth))))


def _below(value: float) -> float:
    """Less than that by a hair, and by more than sums of floats are off."""
    return value - 1e-6 * max(1.0, abs(value))


def _kind(group: Sequence[Item]) -> tuple[float, ...]:
    """F mean features of the candidates that count as one thing."""
    return tuple(map(_mean, zip(*(item.features for item in group), strict=True)))


def leads(n: int) -> list[float]:
    """`d_k - mean d` of the n places of a page."""
    discounts = [discount(place) for place in range(1, n + 1)]
    mean = sum(discounts) / n if n else 0.0
    return [each - mean for each in discounts]


def page_features(example: PageExample, ids: Sequence[str], reading: Reading = "repaired") -> list[float]:
    """F + 3 numbers that do not depend on the order: mean features, entropy of categories, share of duplicates, and of
    the places asked for the share that is filled. What is there already counts, `repaired`, in the third alone.
    """
    kinds = example.kinds(ids)
    if reading == "published":
        shown = [example.items[example.place[id]] for id in ids]
        rows, categories, filled = [item.features for item in shown], [item.category for item in shown], len(ids)
    else:
        groups = [example.alike[kind] for kind in dict.fromkeys(kinds)]
        rows = list(map(_kind, groups))
        categories, filled = [group[0].category for group in groups], len(groups)
    return [
        *map(_mean, zip(*rows, strict=True)),
        category_entropy(categories),
        duplicate_share(kinds),
        min(filled / example.length, 1.0),
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def item_features(example: PageExample, ids: Sequence[str]) -> list[float]:
    """F numbers: the sum of `(d_k - mean d)` times the features of the item at place k."""
    rows = [example.items[example.place[id]].features for id in ids]
    return [
        sum(lead * value for lead, value in zip(leads(len(ids)), column, strict=True))
        for column in zip(*rows, strict=True)
    ]


def fit(examples: Sequence[PageExample], *, reading: Reading = "repaired", seed: int = 0) -> Fitted:
    """Both models from logged pages.

    Raises:
        ConfigError: there is no pair to learn from, or the items have no features or different numbers of them.
    """
    import numpy as np

    made = contrasts(examples, families=FAMILIES_READ[reading], seed=seed)
    widths = sorted({len(example.items[0].features) for example in examples})
    if 0 in widths:
        raise ConfigError(
            "the items have no features, of which these models are made; `guerdon reward-model` reads text"
        )
    if len(widths) > 1:
        raise ConfigError(f"items have {widths[0]} features here and {widths[-1]} there; each needs as many")
    fitted: list[np.ndarray] = []
    scored: list[np.ndarray] = []
    for level, pairs, features in (
        ("page", made.for_page(), partial(page_features, reading=reading)),
        ("item", made.for_item(), item_features),
    ):
        if not pairs:
            raise ConfigError(
                f"the {level} model has no pair to learn from: {len(examples)} logged pages, impossible edits "
                f"{dict(made.skipped)!r}"
            )
        better = np.array([features(pair.example, pair.better) for pair, _ in pairs])
        worse = np.array([features(pair.example, pair.worse) for pair, _ in pairs])
        weights_F = _logistic(better - worse, np.array([weight for _, weight in pairs]))
        if level == "page" and reading == "repaired":
            weights_F[-2] = min(weights_F[-2], 0.0)  # a repeat
        fitted.append(weights_F)
        scored.append(np.concatenate([better, worse]) @ fitted[-1])
    page, item = (tuple(map(float, weights)) for weights in fitted)
    models = Fitted(page, item, float(scored[0].min()), made, reading)
    if reading == "published":
        return models
    orders = (models.item_scores(pair.example, ids) for pair, _ in made.for_item() for ids in (pair.better, pair.worse))
    return replace(models, lowest_order=min(map(_mean, orders)))


def _logistic(leads_PF: np.ndarray, weights_P: np.ndarray) -> np.ndarray:
    """Weights (F,) that minimise the weighted mean of log(1 + exp(-lead)), and the ridge."""
    import numpy as np

    shares, weights_F = weights_P / weights_P.sum(), np.zeros(leads_PF.shape[1])
    for _ in range(25):
        wrong = 1.0 / (1.0 + np.exp(np.clip(leads_PF @ weights_F, -500.0, 500.0)))
        gradient = RIDGE * weights_F - leads_PF.T @ (shares * wrong)
        hessian = (leads_PF * (shares * wrong * (1.0 - wrong))[:, None]).T @ leads_PF + RIDGE * np.eye(len(weights_F))
        step = np.linalg.solve(hessian, gradient)
        weights_F = weights_F - step
        if np.abs(step).max() < 1e-10:
            break
    return weights_F


@lru_cache(maxsize=8)
def fitted_world(world: World, pages: int, reading: Reading = "repaired", seed: int = 0) -> Fitted:
    """Both models from so many logged pages of a made shop; once per process."""
    return fit(logs(world, pages), reading=reading, seed=seed)


@lru_cache(maxsize=8)
def fitted_file(path: str, reading: Reading = "repaired", seed: int = 0) -> Fitted:
    """Both models from a file of logged pages; once per process."""
    from guerdon_page.logs import read_logs

    return fit(read_logs(Path(path).expanduser()), reading=reading, seed=seed)
