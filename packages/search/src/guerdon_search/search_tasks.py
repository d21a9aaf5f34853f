"""What every task of this package shares: its options are checked alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import whole_number
from guerdon.parsing.loaded import ExampleT, LoadedTask
from guerdon.parsing.rows import FileRow
from guerdon.protocols import Split
from guerdon.types import Example


@dataclass(frozen=True, kw_only=True)
class MadeUp(LoadedTask[ExampleT]):
    """Examples drawn from a seed."""

    seed: int = 0
    """Another seed, other examples."""
    train_size: int = 400
    """Examples to draw."""
    eval_size: int = 200
    """Likewise, from other names."""

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
    """The id that a row brings, as text, or `default` where it brings none.

    Raises:
        TaskError: it is neither a text that says something nor a whole number.
    """
    given = row.fields.get("id")
    if given is None:
        return default
    if not isinstance(given, str | int) or isinstance(given, bool) or not str(given).strip():
        raise row.fault("id", "a text or a whole number")
    return str(given)


def only(row: FileRow, fields: Sequence[str]) -> None:
    """Check that a row of a form of ours has no other field: one that is misspelt would be passed over.

    Raises:
        TaskError: it has.
    """
    if unknown := [name for name in row.fields if name not in fields]:
        raise row.fault(unknown[0], f"one of the fields {', '.join(fields)}")


def each_once(read: Iterable[tuple[FileRow, ExampleT]]) -> list[ExampleT]:
    """The examples that rows were read as, in order.

    Raises:
        TaskError: two share an id; the message names both places.
    """
    found: list[ExampleT] = []
    places: dict[str, str] = {}
    for row, example in read:
        if example.id in places:
            raise TaskError(f"{row.place}: the id {example.id!r} is that of {places[example.id]} too")
        places[example.id] = row.place
        found.append(example)
    return found


def wanted(example: Example, kind: type[ExampleT]) -> ExampleT:
    """The example, checked to be of a task's own kind.

    Raises:
        TypeError: it is of another kind.
    """
    if not isinstance(example, kind):
        raise TypeError(f"this task's examples are {kind.__name__}, not {type(example).__name__} ({example.id!r})")
    return example
