"""`page/simulated-v1`: pages of a made shop; `page/logged-v1`: the same shop as its logs alone know it;
`page/jsonl-v1`: logged pages of a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar, get_args

from guerdon.counting import counting
from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of, proper_share, whole_number
from guerdon.protocols import Split, Task
from guerdon.rewards import Reward
from guerdon.types import Example, Prompt
from guerdon_page.contrasts import positive_page
from guerdon_page.examples import PageExample
from guerdon_page.logs import read_logs
from guerdon_page.prompts import LAYOUTS, Layout, prompt_of, written
from guerdon_page.worlds import World, best_page


@dataclass(frozen=True, kw_only=True)
class Simulated(Task):
    """Contexts of a made shop (`guerdon_page.worlds`), each with a page that was logged at random.

    The reference is the best page by the shop's truth, which no prompt shows.
    """

    name: ClassVar[str] = "page/simulated-v1"

    seed: int = 0
    """Of the shop; the reward models `page/page-model-v1` and `page/item-model-v1` learn from the shop of their seed.
    """
    train_size: int = 400
    eval_size: int = 100
    layout: Layout = "json"
    """How a page is written: a JSON array of ids, or numbered lines."""

    def __post_init__(self) -> None:
        one_of("layout", self.layout, LAYOUTS)
        for field in ("train_size", "eval_size"):
            whole_number(field, getattr(self, field), 0, 1_000_000)

    @cached_property
    def _loaded(self) -> dict[str, tuple[PageExample, ...]]:
        return {}

    def examples(self, split: Split) -> Sequence[PageExample]:
        """The contexts of a split; none has part in the other, nor in what the reward models learn from.

        Raises:
            ConfigError: no such split.
        """
        one_of("split", split, get_args(Split))
        if split not in self._loaded:
            world, size = World(seed=self.seed), self.train_size if split == "train" else self.eval_size
            self._loaded[split] = tuple(world.logged(split, number) for number in range(size))
        return self._loaded[split]

    def prompt(self, example: Example) -> Prompt:
        """The query, the candidates, and the layout."""
        return prompt_of(_page(example), self.layout)

    def reference(self, example: Example) -> str:
        """The best page."""
        return written(best_page(_page(example))[0], self.layout)

    def metrics(self) -> Mapping[str, Reward]:
        """Expected clicks by the truth, layout, diversity and duplicates."""
        from guerdon_page.rewards import Distinct, Diversity, Format, Utility

        return {"utility": Utility(), "format": Format(), "diversity": Diversity(), "distinct": Distinct()}


@dataclass(frozen=True, kw_only=True)
class Logged(Simulated):
    """The same shop without its truth: what is known is a page that many readers were shown, and what they did.

    The reference is that page in the order of engagement. The order of raw feedback, as rewards of logged engagement
    (`page/ndcg-v1` and its like) see it: with its position bias.
    """

    name: ClassVar[str] = "page/logged-v1"

    readers: int = 30
    """Of each page; the most that one of them did with an item counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("readers", self.readers, 1)

    @cached_property
    def _made(self) -> dict[str, tuple[PageExample, ...]]:
        return {}

    def examples(self, split: Split) -> Sequence[PageExample]:
        """The logged pages of a split.

        Raises:
            ConfigError: no such split.
        """
        one_of("split", split, get_args(Split))
        if split not in self._made:
            world, size = World(seed=self.seed), self.train_size if split == "train" else self.eval_size
            found = (world.logged(split, number, self.readers) for number in range(size))
            hidden = {"attraction": (), "propensities": ()}
            self._made[split] = tuple(one.model_copy(update=hidden) for one in found)
        return self._made[split]

    def reference(self, example: Example) -> str:
        """The logged page, most engaged first."""
        return written(positive_page(_page(example))[0], self.layout)

    def metrics(self) -> Mapping[str, Reward]:
        """NDCG of the logged engagement, layout, diversity and duplicates."""
        return _of_logs()


@dataclass(frozen=True, kw_only=True)
class JsonLines(Task):
    """Logged pages of a file (`guerdon_page.logs`); eval has a file of its own, or whole contexts are parted off.

    The reference is the logged page in the order of engagement, against position bias where propensities are logged.
    """

    name: ClassVar[str] = "page/jsonl-v1"

    path: str = ""
    """The file; it has to be named."""
    eval_path: str = ""
    """Another file for the eval split; empty: it is parted off."""
    eval_share: float = 0.1
    """Of the contexts, how many the eval split gets where it is parted off; at least one."""
    seed: int = 0
    """Another seed, another split."""
    limit: int | None = None
    """Read so many rows of each file, from the top."""
    layout: Layout = "json"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; the path of a file is needed")
        one_of("layout", self.layout, LAYOUTS)
        proper_share("eval_share", self.eval_share)
        if self.limit is not None:
            whole_number("limit", self.limit, 1)

    @cached_property
    def _loaded(self) -> dict[str, tuple[PageExample, ...]]:
        rows = read_logs(Path(self.path).expanduser(), self.limit)
        if self.eval_path:
            held_out = read_logs(Path(self.eval_path).expanduser(), self.limit)
            if both := {one.id for one in rows} & {one.id for one in held_out}:
                raise TaskError(f"{self.path!r} and {self.eval_path!r} share the context {min(both)!r}")
            return {"train": _numbered(rows), "eval": _numbered(held_out)}
        contexts = list(dict.fromkeys(row.id for row in rows))
        if len(contexts) < 2:
            raise TaskError(
                f"{self.path!r} has {counting(len(contexts), 'context')}; two are needed to part one off for eval"
            )
        Random(f"page split {self.seed}").shuffle(contexts)
        count = min(max(1, round(self.eval_share * len(contexts))), len(contexts) - 1)
        apart = set(contexts[:count])
        return {
            "train": _numbered([row for row in rows if row.id not in apart]),
            "eval": _numbered([row for row in rows if row.id in apart]),
        }

    def examples(self, split: Split) -> Sequence[PageExample]:
        """The logged pages of a split; all pages of a context are on one side.

        Raises:
            ConfigError: no such split.
            TaskError: a file is not there or not in order.
        """
        one_of("split", split, get_args(Split))
        return self._loaded[split]

    def prompt(self, example: Example) -> Prompt:
        """The query, the candidates, and the layout."""
        return prompt_of(_page(example), self.layout)

    def reference(self, example: Example) -> str | None:
        """The positive page; None where nothing was logged."""
        page = _page(example)
        return written(positive_page(page)[0], self.layout) if page.shown else None

    def metrics(self) -> Mapping[str, Reward]:
        """NDCG of the logged engagement, layout, diversity and duplicates."""
        return _of_logs()


def _of_logs() -> dict[str, Reward]:
    from guerdon_page.rewards import Distinct, Diversity, Format, Ndcg

    return {"ndcg": Ndcg(), "format": Format(), "diversity": Diversity(), "distinct": Distinct()}


def _numbered(rows: Sequence[PageExample]) -> tuple[PageExample, ...]:
    """Several pages of one context get ids of their own."""
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        seen[row.id] = seen.get(row.id, 0) + 1
        found.append(row if seen[row.id] == 1 else row.model_copy(update={"id": f"{row.id}#{seen[row.id]}"}))
    return tuple(found)


def _page(example: Example) -> PageExample:
    if not isinstance(example, PageExample):
        raise TypeError(f"this task's examples are PageExample, not {type(example).__name__} ({example.id!r})")
    return example
