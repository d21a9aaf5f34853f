"""Long texts as passages that overlap."""

from __future__ import annotations

from guerdon.errors import ConfigError


def windows(count: int, size: int = 100, step: int = 50, least: int = 6) -> list[tuple[int, int]]:
    """Where the passages of a text of `count` words begin and end (end exclusive).

    One begins every `step` words, all are `size` long, and the last one ends where the text does. A shorter text is one
    passage, and none where it has fewer than `least` words.

    >>> windows(101), windows(5)
    ([(0, 100), (1, 101)], [])

    Raises:
        ConfigError: `step` is not from 1 to `size`.
    """
    if not 1 <= step <= size:
        raise ConfigError(f"windows: step is {step!r} and size {size!r}; 1 <= step <= size is needed")
    if count < size:
        return [(0, count)] if count >= max(1, least) else []
    starts = [*range(0, count - size + 1, step)]
    if starts[-1] + size < count:
        starts.append(count - size)
    return [(start, start + size) for start in starts]
