"""Tags in a completion: whether they stand as they were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError
from guerdon.rewards.base import Reward
from guerdon.types import Rollout, Score

THINK_ANSWER = ("<think>", "</think>", "<answer>", "</answer>")


@dataclass(frozen=True)
class TagFormat(Reward, name="tag-format-v1", bounds=(0.0, 1.0)):
    """1 where each tag stands in the completion exactly once, and they come in order. Source: RLPR [code]."""

    tags: tuple[str, ...] = THINK_ANSWER

    def __post_init__(self) -> None:
        if not self.tags or "" in self.tags:
            raise ConfigError(f"tags are {self.tags!r}; at least one, and none empty, is needed")

    def score(self, rollout: Rollout) -> Score:
        """1.0 or 0.0."""
        return Score(float(once_in_order(rollout.completion, self.tags)))


def once_in_order(text: str, tags: Sequence[str]) -> bool:
    """Whether each tag stands in the text exactly once, and they come in this order."""
    places = [text.find(tag) for tag in tags]
    return all(text.count(tag) == 1 for tag in tags) and places == sorted(places)
