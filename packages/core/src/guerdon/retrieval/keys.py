"""By what an answer is remembered, and how it is written down."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guerdon.protocols import Hit, Query


def normalised(query: Query) -> Query:
    """The query without blanks and double quotes around its text: policies add them, and they mean nothing.

    >>> normalised(Query(' "red bird" ')).text
    'red bird'
    """
    return dataclasses.replace(query, text=query.text.strip(' \t\r\n"'))


def key_of(query: Query, k: int) -> dict[str, Any]:
    """All of a normalised query that an answer depends on, as JSON takes it; what is empty is left out."""
    image = query.image
    if isinstance(image, bytes):
        image = f"sha256:{hashlib.sha256(image).hexdigest()}"
    elif image and Path(image).is_file():
        image = f"sha256:{hashlib.sha256(Path(image).read_bytes()).hexdigest()}"
    found = {
        "text": query.text,
        "vector": list(query.vector),
        "image": image,
        "base": query.base,
        "exclude_ids": sorted(query.exclude_ids),
    }
    return {**{name: value for name, value in found.items() if value}, "k": k}


def row_of(hit: Hit) -> dict[str, Any]:
    """A hit as JSON takes it; what is empty is left out."""
    row = {one.name: getattr(hit, one.name) for one in dataclasses.fields(hit)}
    row["payload"] = dict(hit.payload)
    return {name: value for name, value in row.items() if value or name in ("id", "score")}


def hit_of(row: Mapping[str, Any]) -> Hit:
    """The hit that `row_of` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is no such row.
    """
    return Hit(**{**row, "id": str(row["id"]), "score": float(row["score"])})
