"""How values leave a sandbox: as JSON with the types written down, in frames. Standard library only.

What crosses is a *value* and never a verdict, an object or code: reading it back makes None, bool, int, float, complex,
str, bytes, list, tuple, dict, set and frozenset, and nothing else. An instance of a subclass crosses as what it is
underneath, so that no method of its class (`__eq__`, say) comes along.

| in Python | in JSON |
|---|---|
| None, bool, int, float, str | themselves; NaN and the infinities by name |
| list, tuple, set, frozenset | `["l", ...]`, `["t", ...]`, `["s", ...]`, `["z", ...]` |
| dict | `["d", key, value, ...]` |
| bytes, complex | `["b", "latin-1 text"]`, `["c", real, imaginary]` |
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from io import RawIOBase
from typing import Any

HEADER = struct.Struct("<I")
MAX_DEPTH = 200
"""Of containers within containers."""
_MAX_ALIKE = 256
"""Members of a set or keys of a dictionary with one hash: reading n of them takes n² steps, which is no work for us."""


class Untransferable(Exception):  # noqa: N818 - says what the value is
    """A value of another type, or one that is too deep."""


class Malformed(Exception):  # noqa: N818 - says what the text is
    """Text that no value was written as."""


def pack(value: Any) -> str:
    """A plain value as text.

    Raises:
        Untransferable: it holds something that is no plain value.

    >>> pack((1, 2.0, {"a": [None]}))
    '["t",1,2.0,["d","a",["l",null]]]'
    """
    try:
        return json.dumps(_tagged(value, MAX_DEPTH), separators=(",", ":"))
    except (ValueError, RecursionError) as error:  # an int of more digits than Python will write
        raise Untransferable(f"the value cannot be written down: {error}") from None


def unpack(text: str | bytes) -> Any:
    """The value that `pack` wrote; whatever the text is, nothing worse than an error comes of it.

    Raises:
        Malformed: it was not written by `pack`.

    >>> unpack('["s",1,2]') == {1, 2}
    True
    """
    try:
        return _plain(json.loads(text), MAX_DEPTH)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None


_CONTAINERS: tuple[tuple[str, type[Any]], ...] = (("l", list), ("t", tuple), ("s", set), ("z", frozenset))


def _tagged(value: Any, depth: int) -> Any:
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if not depth:
        raise Untransferable(f"the value is nested deeper than {MAX_DEPTH}")
    for tag, container in _CONTAINERS:
        if issubclass(kind, container):
            return [tag, *(_tagged(each, depth - 1) for each in container.__iter__(value))]
    if issubclass(kind, dict):
        flat = ["d"]
        for key, each in dict.items(value):
            flat += [_tagged(key, depth - 1), _tagged(each, depth - 1)]
        return flat
    if issubclass(kind, bytes | bytearray):
        return ["b", bytes(memoryview(value)).decode("latin-1")]
    if issubclass(kind, complex):
        bare = complex.__pos__(value)
        return ["c", bare.real, bare.imag]
    for atom, bare_of in _BARE:
        if issubclass(kind, atom):
            return bare_of(value)
    raise Untransferable(f"a value of type {kind.__module__}.{kind.__qualname__} cannot leave the sandbox")


_BARE: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__pos__),
    (float, float.__pos__),
)
"""What an instance of a subclass is underneath, by methods that the subclass cannot replace."""


def _plain(tagged: Any, depth: int) -> Any:
    if not isinstance(tagged, list):
        if isinstance(tagged, dict):
            raise ValueError("a JSON object")
        return tagged
    if not depth or not tagged:
        raise ValueError("too deep, or without a tag")
    tag, *rest = tagged
    if tag == "b":
        (text,) = rest
        return str(text).encode("latin-1")
    if tag == "c":
        real, imaginary = rest
        return complex(float(real), float(imaginary))
    values = [_plain(each, depth - 1) for each in rest]
    if tag in ("d", "s", "z") and len(values) > _MAX_ALIKE:
        hashes = Counter(map(hash, values[::2] if tag == "d" else values))
        if hashes.most_common(1)[0][1] > _MAX_ALIKE:
            raise ValueError("too many members with one hash")
    if tag == "d":
        return dict(zip(values[::2], values[1::2], strict=True))
    return _MAKE[tag](values) if tag in _MAKE else _unknown(tag)


_MAKE: dict[Any, Callable[[Iterable[Any]], Any]] = dict(_CONTAINERS)


def _unknown(tag: Any) -> Any:
    raise ValueError(f"no value has the tag {tag!r}")


def frame(message: Any) -> bytes:
    """A message between ourselves and a server: four bytes of length, then JSON."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return HEADER.pack(len(body)) + body


def read_frame(source: RawIOBase) -> Any:
    """The next message, and not a byte of what follows it; None at the end of the stream."""
    header = _exactly(source, HEADER.size)
    return json.loads(_exactly(source, HEADER.unpack(header)[0])) if len(header) == HEADER.size else None


def _exactly(source: RawIOBase, size: int) -> bytearray:
    """So many bytes, or fewer at the end of the stream."""
    data = bytearray(size)
    held = 0
    while held < size and (count := source.readinto(memoryview(data)[held:])):
        held += count
    return data[:held]
