"""What every task of this package shares: a split is loaded once, and its options are checked alike."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of, whole_number
from guerdon.parsing.rows import FileRow
from guerdon.protocols import Split, Task
from guerdon.types import Example

ExampleT = TypeVar("ExampleT", bound=Example)


@dataclass(frozen=True, kw_only=True)
class SearchTask(Task, Generic[ExampleT]):
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


@dataclass(frozen=True, kw_only=True)
class MadeUp(SearchTask[ExampleT]):
    """Examples drawn from a seed."""

    seed: int = 0
    """Another seed, other examples."""
    train_size: int = 400
    eval_size: int = 200

    def __post_init__(self) -> None:
        whole_number("train_size", self.train_size, 0)
        whole_number("eval_size", self.eval_size, 0)

    def size(self, split: Split) -> int:
        """How many examples a split has."""
        return self.train_size if split == "train" else self.eval_size


def file_in(root: str, name: str, task: str) -> Path:
    """A file of a task's folder.

    Raises:
        ConfigError: the folder was not named.
        TaskError: there is no such folder.
    """
    if not root:
        raise ConfigError(f"root of {task} is empty; the path of a folder is needed")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise TaskError(f"root of {task} is {root!r}, which is not a folder")
    return folder / name


def row_id(row: FileRow, default: str) -> str:
    """The id that a row brings, as text, or `default` where it brings none."""
    given = row.fields.get("id")
    return default if given is None else str(given)


def wanted(example: Example, kind: type[ExampleT]) -> ExampleT:
    """The example, checked to be of a task's own kind.

    Raises:
        TypeError: it is of another kind.
    """
    if not isinstance(example, kind):
        raise TypeError(f"this task's examples are {kind.__name__}, not {type(example).__name__} ({example.id!r})")
    return example
