"""The example of Retro*: a query and one document, linked to the other document of the same query."""

from __future__ import annotations

from guerdon.types import Example
from guerdon_search.relevance_prompts import DEFAULT


class JudgedDocument(Example):
    """One (query, document) whose relevance is known."""

    query: str
    text: str
    title: str = ""
    relevant: bool
    """Whether it is the positive one of its pair."""
    pair: str
    """Links the positive and the negative documents of one query: the reward compares groups of equal `pair`."""
    definition: str = DEFAULT
    query_type: str = "query"
    document_type: str = "document"
