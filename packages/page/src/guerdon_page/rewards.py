"""What a page earns by what was logged, by what it is, and by a simulator's truth.

| name | value | needs |
|---|---|---|
| `page/format-v1` | share of the listed ids that are candidates; 0 for what is no page | |
| `page/ndcg-v1` | NDCG@k of logged engagement, a repeated item counted once | a logged page |
| `page/err-v1` | expected reciprocal rank over that of the best order | a logged page |
| `page/gmv-v1` | prices of what is bought, over the most that could be | a logged page |
| `page/diversity-v1` | entropy of the categories over `log n` | |
| `page/distinct-v1` | `1 - duplicate share`, near-duplicates counted | |
| `page/coverage-v1` | share of the candidates' categories that fit on the page and are there | |
| `page/utility-v1` | expected clicks over those of the best page | a simulator's truth |

All are in [0, 1]. What cannot be read, and an empty page, earns 0 with status `fail`. An example without what a reward
needs makes it abstain, as does one whose logged page nobody engaged with: nothing is known of it then. Places beyond
`length` are not seen. Ids that are no candidates stand on no page, and take from each value their share of what is
listed. What is only logged is biased: an item that was not shown counts as not engaged with, and what
was shown on top was looked at more (`guerdon_page.off_policy`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.fields import whole_number
from guerdon.rewards import Reward
from guerdon.types import Rollout, Score
from guerdon_page.answers import Page, read_page
from guerdon_page.engagement import err, ndcg
from guerdon_page.examples import PageExample
from guerdon_page.measures import category_entropy, coverage, duplicate_share, merchandise_value
from guerdon_page.worlds import best_page, expected_clicks


def page_of(rollout: Rollout) -> tuple[PageExample, Page]:
    """The example, and the page that was written for it."""
    example = rollout.example_as(PageExample)
    return example, read_page(rollout.answer, example.place)


class PageReward(Reward):
    """A reward of the items that are seen; the base of most of these."""

    def score(self, rollout: Rollout) -> Score:
        """Read the page, and judge what is seen of it."""
        example, page = page_of(rollout)
        if lacking := self.lacks(example):
            return Score.unscored(lacking, status="abstain")
        if not page.ids:
            return Score(0.0, page.fault or "the page is empty", status="fail")
        value = _unrounded(self.judge(example, page.ids[: example.length]))
        return Score(value * (1.0 - page.invalid_share), page.remark)

    def lacks(self, example: PageExample) -> str:
        """Why nothing can be said of any page for this example; "" where something can."""
        return ""

    @abstractmethod
    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """The value of a page of one or more items."""


def _unrounded(value: float) -> float:
    """A share that is off [0, 1] by no more than sums of floats are, held within; any other as it is, for callers to
    find.
    """
    held = min(max(value, 0.0), 1.0)
    return held if abs(value - held) <= 1e-9 else value


@dataclass(frozen=True)
class Format(Reward, name="page/format-v1", bounds=(0.0, 1.0)):
    """Share of the listed ids that are candidates; 0.0 for what is no page, or an empty one."""

    def score(self, rollout: Rollout) -> Score:
        """Read the page."""
        _, page = page_of(rollout)
        if not page.ids:
            return Score(0.0, page.fault or "the page is empty", status="fail")
        return Score(1.0 - page.invalid_share, page.remark, status="fail" if page.unknown else "ok")


def _nothing_logged(example: PageExample) -> str:
    if not example.shown:
        return "no page was logged"
    return "" if any(example.engagement) else "nobody engaged with the logged page"


def _grades(example: PageExample, ids: Sequence[str]) -> list[int]:
    """Engagement at each place; what stands there a second time has none."""
    return [0 if id in ids[:place] else example.grades.get(id, 0) for place, id in enumerate(ids)]


@dataclass(frozen=True)
class Ndcg(PageReward, name="page/ndcg-v1", bounds=(0.0, 1.0)):
    """NDCG of the logged engagement against the best order of all that was engaged with."""

    k: int = 0
    """Places that count; 0 means the page's length."""

    def __post_init__(self) -> None:
        whole_number("Ndcg.k", self.k, 0)

    def lacks(self, example: PageExample) -> str:
        """Something logged, and engaged with."""
        return _nothing_logged(example)

    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """See `guerdon_page.engagement.ndcg`."""
        return ndcg(_grades(example, ids), self.k or example.length, list(example.grades.values()))


@dataclass(frozen=True)
class Err(PageReward, name="page/err-v1", bounds=(0.0, 1.0)):
    """Expected reciprocal rank of the logged engagement, over that of the best order."""

    def lacks(self, example: PageExample) -> str:
        """Something logged, and engaged with."""
        return _nothing_logged(example)

    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """See `guerdon_page.engagement.err`."""
        best = sorted(example.grades.values(), reverse=True)[: example.length]
        return err(_grades(example, ids)) / err(best)


@dataclass(frozen=True)
class Gmv(PageReward, name="page/gmv-v1", bounds=(0.0, 1.0)):
    """Prices of the items that were bought when they were shown, over the most that fit on the page."""

    def lacks(self, example: PageExample) -> str:
        """Something bought that has a price."""
        return "" if _bought(example) else "nothing with a price was bought from the logged page"

    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """See `guerdon_page.measures.merchandise_value`."""
        prices = _bought(example)
        most = sum(sorted(prices.values(), reverse=True)[: example.length])
        once = list(dict.fromkeys(ids))
        return merchandise_value([prices.get(id, 0.0) for id in once], [id in prices for id in once]) / most


def _bought(example: PageExample) -> dict[str, float]:
    price = {item.id: item.price for item in example.items}
    return {id: price[id] for id, grade in example.grades.items() if grade == 3 and price[id] > 0.0}


@dataclass(frozen=True)
class Diversity(PageReward, name="page/diversity-v1", bounds=(0.0, 1.0)):
    """Entropy of the categories over `log n`; 0 of one item. A part, never alone."""

    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """See `guerdon_page.measures.category_entropy`."""
        return category_entropy([example.items[example.place[id]].category for id in ids])


@dataclass(frozen=True)
class Distinct(PageReward, name="page/distinct-v1", bounds=(0.0, 1.0)):
    """Share of the items that are no repetition and no near-duplicate of one above. A part, never alone."""

    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """See `guerdon_page.measures.duplicate_share`."""
        return 1.0 - duplicate_share(example.kinds(ids))


@dataclass(frozen=True)
class Coverage(PageReward, name="page/coverage-v1", bounds=(0.0, 1.0)):
    """Share of the candidates' categories, of as many as there is room for, that are on the page. A part, never
    alone.
    """

    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """See `guerdon_page.measures.coverage`."""
        seen = [example.items[example.place[id]].category for id in ids]
        return coverage(seen, {item.category for item in example.items}, example.length)


@dataclass(frozen=True)
class Utility(PageReward, name="page/utility-v1", bounds=(0.0, 1.0)):
    """Expected clicks by the simulator's truth, over those of the best page; for evaluation, or to train on a made
    shop.
    """

    def lacks(self, example: PageExample) -> str:
        """The truth."""
        if not example.attraction:
            return "the example has no truth to judge by"
        return "" if any(example.attraction) else "no candidate attracts anybody"

    def judge(self, example: PageExample, ids: Sequence[str]) -> float:
        """See `guerdon_page.worlds`."""
        return expected_clicks(example, ids) / best_page(example)[1]
