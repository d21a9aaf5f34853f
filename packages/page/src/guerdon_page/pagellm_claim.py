"""The central claim of PageLLM, shrunk to seconds: page- and item-level rewards together beat either alone.

A made shop (`worlds`): 9 candidates a context, pages of 6. A policy of two parts chooses the set (Plackett-Luce on what
a ranker sees of an item, how many of its category are chosen already, and whether a duplicate is), then orders it
(Plackett-Luce on what a ranker sees). The reward models are the product's (`linear_models`), learned from logged random
pages, in their published reading; rewards are mixed as `page/pagellm-v1` mixes them, and a test holds both against the
product.

The page model is blind to order and the item model to the choice of items, by construction: what is put to the test is
that the mixture teaches both parts of the policy, with both streams normalised, and is not drowned by either. The gap
vanishes where one policy part does both and pages are much shorter than the candidate list.

Axes: C contexts, N pages (groups of G a context, in order), I candidates, K places, F features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon_page.engagement import discount
from guerdon_page.examples import PageExample
from guerdon_page.linear_models import Fitted, fitted_world, leads
from guerdon_page.worlds import SATURATION, World, best_page

if TYPE_CHECKING:
    import numpy as np

FEATURES = 3
EPSILON = 1e-4


@dataclass(frozen=True, eq=False)
class Contexts:
    """C contexts as arrays."""

    features_CIF: np.ndarray
    attraction_CI: np.ndarray
    category_CI: np.ndarray
    """Numbers of categories."""
    kind_CI: np.ndarray
    """Numbers; near-duplicates share one."""
    best_C: np.ndarray
    """Of the best page: discounted appeal, added up."""

    def repeated(self, times: int) -> Contexts:
        """Each context so many times in a row."""
        import numpy as np

        return Contexts(*(np.repeat(getattr(self, name), times, axis=0) for name in self.__dataclass_fields__))

    def part(self, chosen: slice) -> Contexts:
        """Some of them."""
        return Contexts(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def contexts_of(examples: Sequence[PageExample]) -> Contexts:
    """Examples of a made shop as arrays."""
    import numpy as np

    def numbered(values: Sequence[str]) -> list[int]:
        first = list(dict.fromkeys(values))
        return [first.index(value) for value in values]

    return Contexts(
        np.array([[item.features for item in one.items] for one in examples]),
        np.array([one.attraction for one in examples]),
        np.array([numbered([item.category for item in one.items]) for one in examples]),
        np.array([numbered(one.kinds(one.place)) for one in examples]),
        np.array([best_page(one, discount)[1] for one in examples]),
    )


def draw_pages(
    theta: np.ndarray, phi: np.ndarray, seen: Contexts, places: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pages (N, K) of candidates' numbers, one for each context, and the gradients (N, F + 2 + F) of their log-probs.

    Args:
        theta: F + 2 weights of the choice: features, items of the category chosen already, a duplicate chosen already.
        phi: F weights of the order.
        seen: N contexts.
        places: K.
        random: draws.
    """
    import numpy as np

    n, items = seen.category_CI.shape
    rows = np.arange(n)
    left = np.ones((n, items), bool)
    described = np.concatenate([seen.features_CIF, np.zeros((n, items, 2))], axis=2)
    chosen = np.empty((n, places), int)
    gradient = np.zeros((n, FEATURES * 2 + 2))
    for step in range(places):
        pick, moved = _drawn(described, theta, left, random)
        chosen[:, step], left[rows, pick] = pick, False
        gradient[:, : FEATURES + 2] += moved
        described[:, :, FEATURES] += seen.category_CI == seen.category_CI[rows, pick][:, None]
        described[:, :, FEATURES + 1] = np.maximum(
            described[:, :, FEATURES + 1], seen.kind_CI == seen.kind_CI[rows, pick][:, None]
        )
    features = seen.features_CIF[rows[:, None], chosen]
    page, left = np.empty_like(chosen), np.ones((n, places), bool)
    for step in range(places):
        pick, moved = _drawn(features, phi, left, random)
        page[:, step], left[rows, pick] = chosen[rows, pick], False
        gradient[:, FEATURES + 2 :] += moved
    return page, gradient


def _drawn(
    described_NIF: np.ndarray, weights: np.ndarray, left_NI: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One of what is left in each row, by softmax, and the gradient of its log-prob."""
    import numpy as np

    logits = np.where(left_NI, described_NIF @ weights, -np.inf)
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    pick = (logits + random.gumbel(size=logits.shape)).argmax(1)
    mean = np.einsum("ni,nif->nf", chances, described_NIF)
    return pick, described_NIF[np.arange(len(pick)), pick] - mean


def page_values(models: Fitted, seen: Contexts, page_NK: np.ndarray) -> np.ndarray:
    """(N,): r_page, as `Fitted.page_score` has it in the published reading."""
    import numpy as np

    rows = np.arange(len(page_NK))[:, None]
    places = page_NK.shape[1]
    category, kind = seen.category_CI[rows, page_NK], seen.kind_CI[rows, page_NK]
    shares = (category[:, :, None] == np.arange(category.max() + 1)).mean(1)
    entropy = -np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-300)), 0.0).sum(1) / math.log(places)
    ordered = np.sort(kind, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).sum(1) / places
    full = np.ones(len(page_NK))  # policies here fill all places
    described = np.column_stack([seen.features_CIF[rows, page_NK].mean(1), entropy, twice, full])
    return np.asarray(described @ np.array(models.page))


def item_values(models: Fitted, seen: Contexts, page_NK: np.ndarray) -> np.ndarray:
    """(N, K): r_item, as `Fitted.item_scores` has it in the published reading."""
    import numpy as np

    rows, places = np.arange(len(page_NK))[:, None], page_NK.shape[1]
    return np.asarray(places * np.array(leads(places)) * (seen.features_CIF[rows, page_NK] @ np.array(models.item)))


def mixed_values(page_N: np.ndarray, item_NK: np.ndarray, group: int, alpha: float) -> np.ndarray:
    """(N,): R, both streams standardised over groups of `group` pages in a row, as `page/pagellm-v1`."""
    standard_page = _standardised(page_N.reshape(-1, group))
    standard_item = _standardised(item_NK.reshape(-1, group * item_NK.shape[1])).reshape(item_NK.shape)
    mixed: np.ndarray = alpha * standard_page.reshape(-1) + (1.0 - alpha) * standard_item.mean(1)
    return mixed


def _standardised(values: np.ndarray) -> np.ndarray:
    import numpy as np

    apart = values - values.mean(1, keepdims=True)
    return np.asarray(apart / (values.std(1, ddof=1, keepdims=True) + EPSILON))


def quality(seen: Contexts, page_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) each: NDCG of the true appeal against the best page, and expected clicks over the sum of 1/k."""
    import numpy as np

    rows, places = np.arange(len(page_NK))[:, None], page_NK.shape[1]
    category, kind = seen.category_CI[rows, page_NK], seen.kind_CI[rows, page_NK]
    above = np.tril(np.ones((places, places), bool), -1)
    same = ((category[:, :, None] == category[:, None, :]) & above).sum(2)
    seen_already = ((kind[:, :, None] == kind[:, None, :]) & above).any(2)
    appeal = np.where(seen_already, 0.0, seen.attraction_CI[rows, page_NK] * SATURATION**same)
    ranks = np.arange(1, places + 1)
    ndcg = (appeal / np.log2(ranks + 1)).sum(1) / seen.best_C
    return np.asarray(ndcg), np.asarray((appeal / ranks).sum(1) / (1.0 / ranks).sum())


@dataclass(frozen=True)
class PageLLMClaim(Claim):
    """Page model alone, item model alone, and both, from the same start, with the same pages of logs."""

    name: ClassVar[str] = "page_llm"
    paper: ClassVar[str] = (
        "PageLLM: A Multi-Grained Reward Framework for Whole-Page Optimization with Large Language Models "
        "(arXiv 2506.09084)"
    )
    statement: ClassVar[str] = "Page- and item-level rewards together beat either alone."
    seeds: ClassVar[int] = 6

    pages: int = 1500
    """Logged random pages that the reward models learn from."""
    rounds: int = 150
    contexts: int = 10
    """Of a round."""
    group: int = 8
    """Pages of a context."""
    rate: float = 0.3
    """Step size; ours, the sheet does not say."""
    held_out: int = 300

    least: ClassVar[float] = 0.03

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4, 5), progress: Progress = no_progress) -> ClaimResult:
        """All arms on every seed; it holds when both lead each alone by `least` NDCG in the mean."""
        arms = {"start": None, "page only": 1.0, "item only": 0.0, "both": 0.5}
        found: dict[str, list[tuple[float, float]]] = {arm: [] for arm in arms}
        for number, seed in enumerate(seeds):
            progress(number, len(seeds), f"seed {seed}")
            measured = self.measure(seed, tuple(arms.values()))
            for arm, outcome in zip(arms, measured, strict=True):
                found[arm].append(outcome)
        progress(len(seeds), len(seeds), "done")
        earlier = {
            "start": (".73", ".45"),
            "page only": (".76 to .79", ".47 to .50"),
            "item only": (".85 to .91", ".55 to .59"),
            "both": (".94 to .95", ".60 to .61"),
        }
        shares = [
            Measurement(f"{what}, {arm}", tuple(one[place] for one in found[arm]), earlier=earlier[arm][place])
            for place, what in enumerate(("NDCG", "utility"))
            for arm in arms
        ]
        margins = [
            Measurement(
                f"NDCG, both less {arm}",
                tuple(both[0] - one[0] for both, one in zip(found["both"], found[arm], strict=True)),
                needed=f">= {self.least:g}",
            )
            for arm in ("page only", "item only")
        ]
        held = all(margin.mean >= self.least for margin in margins)
        notes = (
            "a made shop, linear reward models and a policy of 8 weights in place of language models; the page model "
            "cannot see order and the item model cannot see the choice, so that what is tested is the mixture, not "
            "PageLLM's figures. The gap vanishes where one policy part does both and pages are much shorter than the "
            "candidate list"
        )
        return self.result(held, [*shares, *margins], seeds, notes)

    def measure(self, seed: int, alphas: Sequence[float | None]) -> list[tuple[float, float]]:
        """NDCG and utility on held-out contexts after training with each alpha; None does not train."""
        import numpy as np

        world = World(seed=seed)
        models = fitted_world(world, self.pages, "published")
        train = contexts_of([world.context("claim", number) for number in range(self.rounds * self.contexts)])
        test = contexts_of([world.context("claim test", number) for number in range(self.held_out)])
        found = []
        for alpha in alphas:
            weights = np.zeros(FEATURES * 2 + 2) if alpha is None else self.trained(models, train, alpha, seed)
            page, _ = draw_pages(
                weights[: FEATURES + 2], weights[FEATURES + 2 :], test, world.length, np.random.default_rng([seed, 2])
            )
            ndcg, utility = quality(test, page)
            found.append((float(ndcg.mean()), float(utility.mean())))
        return found

    def trained(self, models: Fitted, train: Contexts, alpha: float, seed: int) -> np.ndarray:
        """Weights of both parts after policy gradient from zero, each round on contexts of its own."""
        import numpy as np

        random, weights = np.random.default_rng([seed, 1]), np.zeros(FEATURES * 2 + 2)
        for number in range(self.rounds):
            some = train.part(slice(number * self.contexts, (number + 1) * self.contexts)).repeated(self.group)
            page, gradient = draw_pages(weights[: FEATURES + 2], weights[FEATURES + 2 :], some, World().length, random)
            values = mixed_values(page_values(models, some, page), item_values(models, some, page), self.group, alpha)
            weights = weights + self.rate * values @ gradient / len(page)
        return weights
