"""A result's rows as the bytes they crossed a pipe in: most are compared, or put away, without ever being looked at."""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Sequence
from typing import Any, overload

from guerdon_sql.limits import Row

_VERSION = 2
"""Of marshal's format: the last in which equal bytes do not depend on which cells are the same object."""


class PackedRows(Sequence[Row]):
    """Rows that are decoded when looked at, each time anew unless they are `kept`. Equal to a list of the same rows.

    Args:
        data: what `pack` made.
        count: how many rows it holds.
        keep: remember the decoded rows, for a table that many others are compared with.
    """

    __slots__ = ("_count", "_data", "_keep", "_rows")

    def __init__(self, data: bytes, count: int, keep: bool = False) -> None:
        self._data, self._count, self._keep = data, count, keep
        self._rows: list[Row] | None = None

    @property
    def rows(self) -> list[Row]:
        """The rows as a list of tuples, not to be changed."""
        if self._rows is not None:
            return self._rows
        rows: list[Row] = marshal.loads(self._data)
        if self._keep:
            self._rows = rows
        return rows

    def kept(self) -> PackedRows:
        """The same rows, decoded at most once."""
        return PackedRows(self._data, self._count, keep=True)

    def same_bytes(self, other: object) -> bool:
        """Whether these are the same rows in the same order, as bytes tell: False may also mean 1 beside 1.0."""
        return isinstance(other, PackedRows) and self._data == other._data

    @property
    def size_bytes(self) -> int:
        """Memory they take, about; decoded rows, if they are kept, included."""
        # The smallest cells grow most: a row's tuple from 5 bytes to 64, a number from 5 or 9 to 36.
        return len(self._data) * (9 if self._keep else 1) + 64 * self._count * self._keep

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        return self.rows[place]

    def __eq__(self, other: object) -> bool:
        if self.same_bytes(other):
            return True
        if isinstance(other, PackedRows | list):
            return len(self) == len(other) and self.rows == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a list's

    def __repr__(self) -> str:
        return repr(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedRows, (self._data, self._count, self._keep)


def pack(rows: Sequence[Row]) -> bytes:
    """Rows as bytes; equal bytes mean equal rows of equal types."""
    return marshal.dumps(list(rows), _VERSION)


def size_bytes(rows: Sequence[Row]) -> int:
    """Memory that rows take, about."""
    if isinstance(rows, PackedRows):
        return rows.size_bytes
    return 9 * len(pack(rows)) + 64 * len(rows) if rows else 0
