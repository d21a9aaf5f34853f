"""A cache bounded by bytes: what a policy writes has no size limit, so a bound on entries would bound nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteCache(Generic[K, V]):
    """The most recently used values that fit into `max_bytes` together. Safe to share between threads.

    One value may take an eighth of the room at most; a larger one is never kept.

    Args:
        max_bytes: room, in bytes, as `size` counts them.
        size: estimated bytes of an entry, key included.
    """

    def __init__(self, max_bytes: int, size: Callable[[K, V], int]) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self._size = size
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value kept under `key`, which becomes the most recently used; None where there is none."""
        with self._lock:
            entry = self._kept.get(key)
            if entry is None:
                return None
            self._kept.move_to_end(key)
            return entry[0]

    def put(self, key: K, value: V) -> None:
        """Keep a value, at the cost of those unused for longest."""
        size = self._size(key, value)
        with self._lock:
            if (old := self._kept.pop(key, None)) is not None:
                self.used_bytes -= old[1]
            if size > self.max_bytes // 8:
                return
            self._kept[key] = (value, size)
            self.used_bytes += size
            while self.used_bytes > self.max_bytes:
                self.used_bytes -= self._kept.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)
