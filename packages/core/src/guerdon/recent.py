"""`Recent`: a bounded memory. Judges and retrievers keep in it what they were answered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Holds at most `size` values by key; the least recently used go first. Threads may share one; it pickles empty.

    >>> held = Recent[str, int](2)
    >>> held.keep({"a": 1, "b": 2}), held.known(["a"]), held.keep({"c": 3})
    (None, {'a': 1}, None)
    >>> held.known(["a", "b", "c"])
    {'a': 1, 'c': 3}
    """

    def __init__(self, size: int) -> None:
        """
        Args:
            size: how many values are held.
        """
        self.size = size
        self._held: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, keys: Iterable[K]) -> dict[K, V]:
        """The values that are held under these keys."""
        found: dict[K, V] = {}
        with self._lock:
            for key in keys:
                if key in self._held:
                    self._held.move_to_end(key)
                    found[key] = self._held[key]
        return found

    def keep(self, found: Mapping[K, V]) -> None:
        """Hold these too, and forget what is too much."""
        with self._lock:
            self._held.update(found)
            while len(self._held) > self.size:
                self._held.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._held.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return Recent, (self.size,)
