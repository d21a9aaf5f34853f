"""How a context becomes a prompt, and how a page is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, get_args

from guerdon.types import Message, Prompt
from guerdon_page.examples import PageExample

Layout = Literal["json", "lines"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_ASKED = {
    "json": 'Answer with a JSON array of ids, best first, and nothing else: ["x", "y"]',
    "lines": 'Answer with one line per item, best first, and nothing else: "1. x"',
}


def prompt_of(example: PageExample, layout: Layout) -> Prompt:
    """The query, a line for each candidate (id, title, category, features, price), and what is asked for."""
    lines = []
    for item in example.items:
        told = [item.title, item.category, *(f"{value:g}" for value in item.features)]
        price = [f"price {item.price:g}"] if item.price else []
        lines.append(" | ".join([item.id, *(text for text in (*told, *price) if text)]))
    text = "\n".join(
        [
            f"Lay out a result page of at most {example.length} items for: {example.query}",
            "Relevant items first; mix categories; nothing twice.",
            *lines,
            _ASKED[layout],
        ]
    )
    return Prompt((Message("user", text),))


def written(ids: Sequence[str], layout: Layout) -> str:
    r"""A page as a policy is to write it.

    >>> written(["b", "a"], "json"), written(["b", "a"], "lines")
    ('["b", "a"]', '1. b\n2. a')
    """
    if layout == "json":
        return json.dumps(list(ids), ensure_ascii=False)
    return "\n".join(f"{place}. {id}" for place, id in enumerate(ids, 1))
