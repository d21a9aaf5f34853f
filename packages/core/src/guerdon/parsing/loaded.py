"""Tasks whose splits are read or made once, and whose examples each have an id of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar, get_args

from guerdon.errors import TaskError
from guerdon.fields import one_of
from guerdon.protocols import Split, Task
from guerdon.types import Example

ExampleT = TypeVar("ExampleT", bound=Example)


@dataclass(frozen=True, kw_only=True)
class LoadedTask(Task, Generic[ExampleT]):
    """Examples of one kind, loaded once for each split."""

    @abstractmethod
    def load(self, split: Split) -> Sequence[ExampleT]:
        """Read or make the examples of a split."""

    @cached_property
    def _loaded(self) -> dict[str, Sequence[ExampleT]]:
        return {}

    def examples(self, split: Split) -> Sequence[ExampleT]:
        """The examples of a split.

        Raises:
            ConfigError: no such split.
            TaskError: the files are not there or not in order, or two examples share an id.
        """
        one_of("split", split, get_args(Split))
        if split not in self._loaded:
            found = self.load(split)
            if twice := [name for name, times in Counter(one.id for one in found).items() if times > 1]:
                raise TaskError(f"two {split} examples of {self.name} have the id {twice[0]!r}; each needs its own")
            self._loaded[split] = found
        return self._loaded[split]
