r"""PageLLM's two reward models on features of items: linear, learned from pairs in closed steps, in milliseconds.

The page model sees what does not depend on the order: the mean feature vector of the items, the entropy of their
categories, the share of near-duplicates, and how full the page is. The item model sees what depends on little else:
each item's features $f$, weighted by its place, centred on the mean discount of the page,

$$s(y) = \tfrac1n \sum_k r_{item,k}, \qquad r_{item,k} = n \, (d_k - \bar d) \; u \cdot f(i_k),$$

so that it says nothing of *which* items are shown, and everything of who stands where. Both are fitted by the weighted
Bradley-Terry loss with a little ridge, by Newton's steps on all pairs. Source: the shrunk claim of the fact sheet
[choice]; for models that read text see `guerdon page pairs` and `guerdon reward-model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon_page.contrasts import FAMILIES, Contrasts, Family, contrasts
from guerdon_page.engagement import discount
from guerdon_page.examples import PageExample
from guerdon_page.measures import category_entropy, duplicate_share
from guerdon_page.worlds import World, logs

if TYPE_CHECKING:
    import numpy as np

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
    """The least score of any page that the page model learned from: what an empty page gets."""
    pairs: Contrasts

    def page_score(self, example: PageExample, ids: Sequence[str]) -> float:
        """r_page; the lowest seen for an empty page."""
        if not ids:
            return self.lowest
        return sum(w * f for w, f in zip(self.page, page_features(example, ids), strict=True))

    def item_scores(self, example: PageExample, ids: Sequence[str]) -> list[float]:
        """r_item of each place; none of an empty page."""
        worth = [
            sum(u * f for u, f in zip(self.item, example.items[example.place[id]].features, strict=True)) for id in ids
        ]
        return [len(ids) * lead * value for lead, value in zip(leads(len(ids)), worth, strict=True)]


def leads(n: int) -> list[float]:
    """`d_k - mean d` of the n places of a page."""
    discounts = [discount(place) for place in range(1, n + 1)]
    mean = sum(discounts) / n if n else 0.0
    return [each - mean for each in discounts]


def page_features(example: PageExample, ids: Sequence[str]) -> list[float]:
    """F + 3 numbers that do not depend on the order: mean features, entropy of categories, share of duplicates, and of
    the places asked for the share that is filled.
    """
    items = [example.items[example.place[id]] for id in ids]
    means = [sum(column) / len(items) for column in zip(*(item.features for item in items), strict=True)]
    categories = [item.category for item in items]
    return [
        *means,
        category_entropy(categories),
        duplicate_share(example.kinds(ids)),
        min(len(ids) / example.length, 1.0),
    ]


def item_features(example: PageExample, ids: Sequence[str]) -> list[float]:
    """F numbers: the sum of `(d_k - mean d)` times the features of the item at place k."""
    rows = [example.items[example.place[id]].features for id in ids]
    return [
        sum(lead * value for lead, value in zip(leads(len(ids)), column, strict=True))
        for column in zip(*rows, strict=True)
    ]


def fit(examples: Sequence[PageExample], *, families: Sequence[Family] = FAMILIES, seed: int = 0) -> Fitted:
    """Both models from logged pages.

    Raises:
        ConfigError: there is no pair to learn from, or the items have no features or different numbers of them.
    """
    import numpy as np

    made = contrasts(examples, families=families, seed=seed)
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
        ("page", made.for_page(), page_features),
        ("item", made.for_item(), item_features),
    ):
        if not pairs:
            raise ConfigError(
                f"the {level} model has no pair to learn from: {len(examples)} logged pages, impossible edits "
                f"{dict(made.skipped)!r}"
            )
        better = np.array([features(pair.example, pair.better) for pair, _ in pairs])
        worse = np.array([features(pair.example, pair.worse) for pair, _ in pairs])
        fitted.append(_logistic(better - worse, np.array([weight for _, weight in pairs])))
        scored.append(np.concatenate([better, worse]) @ fitted[-1])
    page, item = (tuple(map(float, weights)) for weights in fitted)
    return Fitted(page, item, float(scored[0].min()), made)


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
def fitted_world(world: World, pages: int, families: tuple[Family, ...] = FAMILIES, seed: int = 0) -> Fitted:
    """Both models from so many logged pages of a made shop; once per process."""
    return fit(logs(world, pages), families=families, seed=seed)


@lru_cache(maxsize=8)
def fitted_file(path: str, families: tuple[Family, ...] = FAMILIES, seed: int = 0) -> Fitted:
    """Both models from a file of logged pages; once per process."""
    from guerdon_page.logs import read_logs

    return fit(read_logs(Path(path).expanduser()), families=families, seed=seed)
