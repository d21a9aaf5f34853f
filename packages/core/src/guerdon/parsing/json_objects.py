"""JSON objects in which each name stands once. Of two, Python takes the last and another reader the first: what is
read then is not all that was said.
"""

from __future__ import annotations


def each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object, as `object_pairs_hook` of `json.loads`.

    Raises:
        ValueError: a name stands twice.

    >>> import json
    >>> json.loads('{"score": 1, "why": "so"}', object_pairs_hook=each_once)
    {'score': 1, 'why': 'so'}
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found
