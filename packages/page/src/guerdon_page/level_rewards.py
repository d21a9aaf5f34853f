"""Rewards of a page's two levels, which `page/pagellm-v1` mixes: of the whole page, and of each item where it stands.

| name | value |
|---|---|
| `page/page-model-v1` | r_page of a linear model on features that do not depend on the order |
| `page/item-model-v1` | mean r_item of a linear model of who stands where; each r_item in the stream `items` |
| `page/item-scores-v1` | any reward, asked about the page as it stands after each item; in the stream `items` |

Source: PageLLM (arXiv 2506.09084), abstracts: one number per page, one per position; what they are made of is the fact
sheet's choice, and that of `page/item-scores-v1` ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from guerdon.counting import counting
from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon.rewards import Context, Reward
from guerdon.rewards.pieces import Piecewise, mean_score
from guerdon.types import Rollout, Score, Segment, Stream
from guerdon_page.examples import PageExample
from guerdon_page.linear_models import Fitted, Reading, fitted_file, fitted_world
from guerdon_page.prompts import LAYOUTS, Layout, written
from guerdon_page.rewards import page_of
from guerdon_page.worlds import World

ITEMS = "items"
"""The stream of an item-level model: one value for each item that is seen, in order."""


@dataclass(frozen=True)
class LinearModel(Reward):
    """What the two linear models share: the logged pages that they learn from, once per process."""

    logs: str = ""
    """A file of logged pages (`guerdon_page.logs`); empty: pages of the made shop, for which alone they are any use."""
    pages: int = 1500
    """Logged pages of the made shop to learn from."""
    seed: int = 0
    """Of the made shop; that of the task `page/simulated-v1`."""
    reading: Reading = "repaired"
    """`published`: from the four families of pairs that the paper names, which pay for short pages, for bad items below
    and for repeats. `repaired`: and from pages cut short (`guerdon_page.contrasts`); every kind of item counts once, an
    order is held against the best one of the same items (`guerdon_page.linear_models`), and ids that are no candidates
    are charged."""

    def __post_init__(self) -> None:
        one_of(f"{type(self).__name__}.reading", self.reading, get_args(Reading))
        whole_number(f"{type(self).__name__}.pages", self.pages, 1)
        if self.logs and not Path(self.logs).expanduser().is_file():
            raise ConfigError(f"{type(self).__name__}.logs is {self.logs!r}, and there is no such file")

    @property
    def models(self) -> Fitted:
        """Both models."""
        if self.logs:
            return fitted_file(self.logs, self.reading)
        return fitted_world(World(seed=self.seed), self.pages, self.reading)

    def misfit(self, example: PageExample) -> Score | None:
        """Unscored where the items have other features than those learned from, with what to do."""
        found, wanted = len(example.items[0].features), len(self.models.item)
        if found == wanted:
            return None
        told = f"the items have {counting(found, 'feature')}, and the model learned from {wanted}"
        if self.logs:
            told += f" in {self.logs!r}: logs of items with the same features are needed"
        else:
            told += (
                f" of the made shop. For your own items name their logs, "
                f"{self.name.rpartition('-')[0]}[logs=FILE], in which each item has features"
            )
        if not found:
            told += "; of titles alone a reward model learns (guerdon page pairs, then guerdon reward-model)"
        return Score.unscored(told, status="abstain")


@dataclass(frozen=True)
class PageModel(LinearModel, name="page/page-model-v1"):
    """r_page of the items that are seen, in whatever order; of an empty page less than of any other
    (`Fitted.page_floor`).
    """

    def score(self, rollout: Rollout) -> Score:
        """Score the set of items."""
        example, page = page_of(rollout)
        if (misfit := self.misfit(example)) is not None:
            return misfit
        value = self.models.page_score(example, page.ids[: example.length], page.invalid_share)
        if not page.ids:
            return Score(value, page.fault or "the page is empty", status="fail")
        return Score(value, page.remark)


@dataclass(frozen=True)
class ItemModel(LinearModel, name="page/item-model-v1"):
    """Mean r_item over the places that are seen; r_item of each in the stream `items`. Of an empty page less
    than of any other (`Fitted.order_floor`; `published`: 0).

    It judges an order and no choice of items: a page of one item has 0, and so has one of equals; and so has, in the
    repaired reading, whatever stands in the best order of its items, which is the most there is. A part, never alone.
    """

    def score(self, rollout: Rollout) -> Score:
        """Score each place."""
        example, page = page_of(rollout)
        if (misfit := self.misfit(example)) is not None:
            return misfit
        if not page.ids:
            return Score(self.models.order_floor(example), page.fault or "the page is empty", status="fail")
        values = self.models.item_scores(example, page.ids[: example.length], page.invalid_share)
        return Score(math.fsum(values) / len(values), page.remark, dense={ITEMS: Stream("span", tuple(values))})


@dataclass(frozen=True)
class ItemScores(Piecewise, name="page/item-scores-v1"):
    """Item-level scores from a reward of whole pages (a reward model that reads text): the page after each item.

    The value is the mean over the items that are seen; an empty page is scored as it stands, without a stream. Ids that
    are no candidates stand below each of those pages, for the reward to see. A model
    that learned from whole pages (`guerdon page pairs`) is asked about pages cut short, which it has not seen [choice]:
    look at what it says of them before it trains anything.
    """

    layout: Layout = "json"
    """How the pages are written that it is asked about."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("ItemScores.layout", self.layout, LAYOUTS)

    def pieces(self, rollout: Rollout) -> Sequence[Rollout]:
        """The page after each item that is seen; an empty one as it stands."""
        example, page = page_of(rollout)
        ids = page.ids[: example.length]
        texts = [written([*ids[:k], *page.strangers], self.layout) for k in range(1, len(ids) + 1)]
        return [_answering(rollout, text) for text in texts] or [rollout]

    def joined(self, rollout: Rollout, scores: Sequence[Score], context: Context) -> Score:
        """The mean, and each item's score."""
        if not page_of(rollout)[1].ids:
            return scores[0]
        return mean_score(
            scores, "the page after item", {ITEMS: Stream("span", tuple(score.value for score in scores))}
        )


def _answering(rollout: Rollout, text: str) -> Rollout:
    return replace(rollout, segments=(Segment("policy", text),), stop="stop")
