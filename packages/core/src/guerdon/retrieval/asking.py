"""What every retriever checks before it looks: how many documents are wanted, and queries of a kind it takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon.protocols import Query

KINDS = ("text", "vector", "image")


def asked(who: str, queries: Sequence[str | Query], k: int, takes: Collection[str] = ("text",)) -> list[Query]:
    """The queries, strings among them made into such.

    Args:
        who: the retriever, for errors.
        queries: any number, none included.
        k: how many documents each may find.
        takes: the kinds of query it can answer, of `KINDS`.

    Raises:
        ConfigError: `k` is no whole number above 0; `queries` is one string, or holds something else; a query has
            something to look for, and nothing of a kind that is taken.
    """
    whole_number(f"{who}: k", k, 1)
    if isinstance(queries, str | Query):
        raise ConfigError(f"{who}: search takes a list of queries, and was given {queries!r:.80}; put it into a list")
    return [_one(who, query, place, takes) for place, query in enumerate(queries)]


def blank(query: Query) -> bool:
    """Whether there is nothing to look for."""
    return not (query.text.strip() or query.vector or query.image)


def _one(who: str, query: str | Query, place: int, takes: Collection[str]) -> Query:
    if isinstance(query, str):
        query = Query(query)
    elif not isinstance(query, Query):
        raise ConfigError(f"{who}: query {place} is {query!r:.80}; a text or a guerdon.protocols.Query is needed")
    if not blank(query):
        given = [kind for kind in KINDS if getattr(query, kind)]
        if not set(given) & set(takes):
            raise ConfigError(f"{who} takes {' or '.join(takes)}; query {place} has {' and '.join(given)} alone")
    return query
