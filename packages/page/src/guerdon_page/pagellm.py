r"""PageLLM's mixed-grained reward: a page-level and an item-level model, each normalised on its own, and mixed.

$$R = \alpha \, z(r_{page}) + (1 - \alpha) \tfrac1n \sum_k z(r_{item,k})$$

The raw scales of the two models differ, and the larger one would silence the other; so each is standardised first, over
the group or over the run. `page/pagellm-v1` has two streams for `guerdon.advantages`: `item`, $(1 - \alpha) z / n$ at
the last token of each item, and `page`, $\alpha z$ for the whole attempt, which counts at its end token.
`returns_to_go({"item": 1, "page": 1})` is the paper's PPO credit, less its value function (the baseline
is the group's mean); `streams` credits each item alone.

An empty page, and what is no page, gets the lowest page value and the lowest mean of items in its batch [choice: were
items left out, an empty page would beat a bad one], and no token has an item's reward. The standard deviations of both
raw streams stand in each score (`page_std`, `item_std`): watch that neither vanishes.

Source: PageLLM (arXiv 2506.09084), abstracts; every equation here is the fact sheet's choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guerdon.errors import ConfigError
from guerdon.fields import any_share, check_is
from guerdon.rewards import Context, Reward
from guerdon.rewards.base import Scores, Sees, same_batch
from guerdon.rewards.steps import decoder
from guerdon.transforms import Transform, standardize
from guerdon.types import Group, Score, Stream
from guerdon_page.answers import item_ends
from guerdon_page.level_rewards import ITEMS, ItemModel, PageModel
from guerdon_page.rewards import page_of


@dataclass(frozen=True)
class PageLLM(Reward, name="page/pagellm-v1"):
    """The mixture; see the module's head. Parts: both models' scores, `invalid_share`, `page_std`, `item_std`."""

    page: Reward = field(default_factory=PageModel)
    """Scores a page."""
    item: Reward = field(default_factory=ItemModel)
    """Scores its items, in a stream `items`."""
    alpha: float = 0.5
    """Share of the page; 1 is the page model alone, 0 the item model alone."""
    normalise: Transform | None = field(default_factory=standardize)
    """Shapes each stream on its own: `standardize` over the group (the default), the batch, or (scope `running`) the
    run; null leaves both as they are, and may let one silence the other."""
    tokenizer: str = ""
    """A local path or hub id of what turns token ids into text, to place items on tokens. The policy's own where it has
    one and the reward runs in the trainer."""
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        any_share("PageLLM.alpha", self.alpha)
        if self.normalise is not None:
            check_is(self.normalise, Transform, "PageLLM.normalise", "such as guerdon.transforms.standardize()")
        if self.page.label == self.item.label:
            raise ConfigError(
                f"PageLLM.page and PageLLM.item are both called {self.page.label!r}; give one another name with "
                f".named(...)"
            )
        if (label := {self.page.label, self.item.label} & set(_OURS)) != set():
            raise ConfigError(
                f"a model of PageLLM is called {min(label)!r}, as another part is; rename it by .named(...)"
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """What the shaped models' bounds allow."""
        ends = [self._shaped_bounds(reward.bounds) for reward in (self.page, self.item)]
        shares = (self.alpha, 1.0 - self.alpha)
        low, high = (
            sum(share * end[side] for share, end in zip(shares, ends, strict=True) if share) for side in (0, 1)
        )
        return float(low), float(high)

    def _shaped_bounds(self, bounds: tuple[float, float]) -> tuple[float, float]:
        return bounds if self.normalise is None else self.normalise.bounds(bounds)

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The whole batch: an empty page is given the lowest in it."""
        return "batch"

    @property
    def relative(self) -> bool:
        """Whether values mean something beside their siblings' alone."""
        shaped = self.normalise is not None and self.normalise.scope != "sample"
        return shaped or self.page.relative or self.item.relative

    @property
    def children(self) -> tuple[Reward, ...]:
        """Both models."""
        return self.page, self.item

    @property
    def part_names(self) -> tuple[str, ...]:
        """What a score has beside the models', for logs under fixed names."""
        return _OURS

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Score both levels, shape each, and mix."""
        pages, items = context.scores(self.page, groups), context.scores(self.item, groups)
        read = [[page_of(rollout)[1] for rollout in group.rollouts] for group in groups]
        seen = [
            [_Seen(bool(page.ids), *both) for page, *both in zip(*rows, strict=True)]
            for rows in zip(read, pages, items, strict=True)
        ]
        lows = _lowest([one for row in seen for one in row])
        page_z = self._shaped("page", [[[one.page_value(lows[0])] for one in row] for row in seen])
        item_z = self._shaped("item", [[one.item_values(lows[1]) for one in row] for row in seen])
        if self.stateful:
            self._held["batch"] = context.batch(groups)
        decode = decoder(self.tokenizer, context.policy, "PageLLM.tokenizer")
        found: Scores = []
        for group, row, pages_read, of_page, of_item in zip(groups, seen, read, page_z, item_z, strict=True):
            spread = {
                "page_std": Score(_std([one.page.value for one in row if one.scored])),
                "item_std": Score(_std([value for one in row if one.scored for value in one.items])),
            }
            found.append(
                [
                    self._mixed(
                        one,
                        z[0],
                        zs,
                        {**spread, "invalid_share": Score(page.invalid_share)},
                        item_ends(rollout, page, decode)[: len(zs)],
                        (page.fault or "the page is empty") if not page.ids else page.remark,
                    )
                    for rollout, one, page, z, zs in zip(group.rollouts, row, pages_read, of_page, of_item, strict=True)
                ]
            )
        return found

    def _shaped(self, stream: str, values: list[list[list[float]]]) -> list[list[list[float]]]:
        """Values (group x rollout x place), shaped over the group's, the batch's or the run's."""
        if self.normalise is None:
            return values
        sizes = [sum(map(len, row)) for row in values]
        flat = [value for row in values for each in row for value in each]
        state = self._held.get("state", {}).get(stream) or self.normalise.init()
        shaped, after = self.normalise.update(flat, state, sizes=sizes)
        self._held.setdefault("next", {})[stream] = after
        left = iter(shaped)
        return [[[next(left) for _ in each] for each in row] for row in values]

    def _mixed(
        self,
        one: _Seen,
        page: float,
        items: Sequence[float],
        parts: Mapping[str, Score],
        ends: tuple[int, ...],
        why: str,
    ) -> Score:
        parts = {self.page.label: one.page, self.item.label: one.item, **parts}
        for label, score in ((self.page.label, one.page), (self.item.label, one.item)):
            if not score.scored:
                return Score(math.nan, f"{label}: {score.why}", parts, score.status)
        mean = math.fsum(items) / len(items)
        low, high = self.bounds
        value = min(max(self.alpha * page + (1.0 - self.alpha) * mean, low), high)
        streams = {"page": Stream("rollout", (self.alpha * page,)), "item": Stream("span", ())}
        if not one.readable:
            return Score(value, why, parts, "fail", streams)
        streams["item"] = Stream("span", tuple((1.0 - self.alpha) * z / len(items) for z in items), ends)
        return Score(value, why, parts, dense=streams)

    # -- state, where the normalisation runs over the run ----------------------------------------------------------

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether the normalisation runs over batches."""
        return self.normalise is not None and self.normalise.scope == "running"

    @property
    def version(self) -> int:
        """How often `update` moved the state."""
        return int(self._held.get("version", 0))

    def update(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> None:
        """Take up what the batch left, if it is the one that was scored last."""
        batch, after = self._held.pop("batch", None), self._held.pop("next", None)
        if batch is not None and after is not None and same_batch(batch, groups):
            self._held["state"], self._held["version"] = after, self.version + 1

    def state_dict(self) -> dict[str, Any]:
        """Counts, means and squares of both streams."""
        return {"state": self._held.get("state", {}), "version": self.version}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up where `state_dict` left off."""
        self._held.clear()
        self._held.update(state={**state["state"]}, version=state["version"])


_OURS = ("page_std", "item_std", "invalid_share")


@dataclass(frozen=True)
class _Seen:
    """One attempt, and what both models say of it."""

    readable: bool
    """Whether there is an item to reward."""
    page: Score
    item: Score

    @property
    def scored(self) -> bool:
        return self.readable and self.page.scored and self.item.scored

    @property
    def items(self) -> tuple[float, ...]:
        """The item model's values; its one value where it has no stream."""
        stream = self.item.dense.get(ITEMS)
        if stream is None and self.item.status == "ok":
            raise ConfigError(
                f"PageLLM.item gives no stream {ITEMS!r}: use page/item-model-v1, or page/item-scores-v1 around a "
                f"reward of whole pages"
            )
        return stream.values if stream is not None and stream.values else (self.item.value,)

    def page_value(self, lowest: float) -> float:
        return min(self.page.value, lowest) if not self.readable and self.page.scored else self.page.value

    def item_values(self, lowest: float) -> list[float]:
        """NaN, which no mean counts, where there is no score."""
        if not self.item.scored:
            return [math.nan]
        return [min(self.item.value, lowest)] if not self.readable else list(self.items)


def _lowest(seen: Sequence[_Seen]) -> tuple[float, float]:
    """The lowest page value and the lowest mean of items; infinite where no page is scored."""
    scored = [one for one in seen if one.scored]
    return (
        min((one.page.value for one in scored), default=math.inf),
        min((one.item.value for one in scored), default=math.inf),
    )


def _std(values: Sequence[float]) -> float:
    """Over n - 1; 0 of fewer than two."""
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
