"""What every text-to-SQL task shares: how a question becomes a prompt, reference, metrics, and checked options."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

from guerdon.fields import one_of
from guerdon.protocols import Split, Task
from guerdon.rewards.base import Reward
from guerdon.types import Example, Prompt
from guerdon_sql.formats import Layout
from guerdon_sql.prompts import Rules, chat_prompt, check_options, completion
from guerdon_sql.questions import SqlQuestion
from guerdon_sql.schema_text import SchemaStyle


@dataclass(frozen=True, kw_only=True)
class SqlTask(Task):
    """What the four share: prompt, reference, metrics, and questions that are loaded once."""

    layout: Layout = "tags"
    """`tags`: reasoning and answer in tags of their own; `plain`: a fenced block alone."""
    rules: Rules = "none"
    """`full` adds Reasoning-SQL's thirteen house rules to the system text (about 200 tokens)."""
    schema_style: SchemaStyle = "compact"
    """`compact`: a line per table; `create`: CREATE statements."""

    def __post_init__(self) -> None:
        check_options(self.layout, self.rules)
        one_of("schema_style", self.schema_style, get_args(SchemaStyle))

    @abstractmethod
    def load(self, split: Split) -> Sequence[SqlQuestion]:
        """Read or build the questions of a split."""

    @cached_property
    def _loaded(self) -> dict[str, Sequence[SqlQuestion]]:
        return {}

    def examples(self, split: Split) -> Sequence[SqlQuestion]:
        """The questions of a split.

        Raises:
            ConfigError: no such split.
            TaskError: the files are not there or not in order.
        """
        one_of("split", split, get_args(Split))
        if split not in self._loaded:
            self._loaded[split] = self.load(split)
        return self._loaded[split]

    def prompt(self, example: Example) -> Prompt:
        """System text with the layout; schema, hint and question."""
        return chat_prompt(_question(example), self.layout, self.rules)

    def reference(self, example: Example) -> str:
        """The layout around the first gold query, with one line of reasoning made from it."""
        return completion(_question(example).gold[0], self.layout)

    def metrics(self) -> Mapping[str, Reward]:
        """Execution accuracy, and the share of answers that run at all."""
        from guerdon_sql.rewards import Execution, Runs

        return {"execution": Execution(), "runs": Runs()}


def _question(example: Example) -> SqlQuestion:
    if not isinstance(example, SqlQuestion):
        raise TypeError(f"this task's examples are SqlQuestion, not {type(example).__name__} ({example.id!r})")
    return example
