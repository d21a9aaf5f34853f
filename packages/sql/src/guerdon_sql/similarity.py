r"""How close a query's text is to the gold query's: schema items and n-grams, both from one parse.

Nothing is executed here, so nothing here can be harmed; what must be guarded is time. A text longer than `MAX_CHARS` or
nested deeper than `MAX_NESTING` is not parsed at all and resembles nothing. Within those limits the slowest text found
in seven thousand random ones took 0.1 s. What neither limit covers: a caller whose own stack is already hundreds of
frames deep may see a text refused (the parser recurses about 25 frames a level) that another caller sees parsed.

Source: Reasoning-SQL (arXiv 2503.23157). SQLite's dialect throughout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guerdon_sql.caches import ByteCache

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlglot import exp

Overlap = Literal["jaccard", "recall"]
"""Share of the union (`jaccard`), or of the gold's items alone (`recall`: naming every column earns the top)."""

OVERLAPS: tuple[Overlap, ...] = ("jaccard", "recall")

MAX_CHARS = 10_000
"""A longer text is not parsed. The longest gold query of BIRD has fewer than 1,000 characters."""
MAX_NESTING = 24
"""A text with more parentheses and CASEs than this inside each other is not parsed."""

_WORD = re.compile(r"\w+")
_READING_KEYWORDS = frozenset({"SELECT", "WITH", "VALUES", "L_PAREN"})
"""The tokens a query can start with. Others are not parsed: none of them can become a query."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What similarity needs of one text."""

    items: frozenset[str] | None
    """Its column and table names; None where it is not exactly one query."""
    words: tuple[str, ...]
    """Lower-case words of its normal form in order, without aliases; of the raw text where it does not parse."""

    def ngrams(self, n: int) -> set[tuple[str, ...]]:
        """Each run of `n` neighbouring words, once."""
        return set(zip(*(self.words[start:] for start in range(n)), strict=False))


_NOTHING = Parsed(None, ())


def _size(text: str, parsed: Parsed) -> int:
    # A word is at least a 49-byte string and an 8-byte pointer; an item also has its place in a hash table.
    return 512 + 4 * len(text) + 64 * len(parsed.words) + 128 * len(parsed.items or ())


_PARSED: ByteCache[str, Parsed] = ByteCache(64 * 2**20, _size)


def parsed(query: str) -> Parsed:
    """The record of a text: computed once, shared by all that ask for it, kept while it fits into 64 MiB of others."""
    if len(query) > MAX_CHARS:
        return _NOTHING
    found = _PARSED.get(query)
    if found is None:
        found = _parse(query)
        _PARSED.put(query, found)
    return found


def schema_items(query: str) -> frozenset[str] | None:
    """Names of the columns and tables a query mentions: unqualified, case kept, `*` left out, CTEs counted as tables.

    Returns:
        The names, in one set; None where the text is not exactly one query that parses.

    >>> sorted(schema_items("SELECT e.name AS who FROM emp AS e WHERE e.salary > 45"))
    ['emp', 'name', 'salary']
    """
    return parsed(query).items


def schema_linking(gold: str, pred: str, mode: Overlap = "jaccard") -> float:
    r"""Overlap of the schema items $G$ of `gold` and $P$ of `pred`.

    $|G \cap P| / |G \cup P|$ (`jaccard`) or $|G \cap P| / |G|$ (`recall`).

    Returns:
        A share in [0, 1]; 0.0 where either does not parse, is not one query, or both name nothing.

    Source: the paper's form is Jaccard, its released code's is recall.

    >>> schema_linking("SELECT COUNT(*) FROM emp", "SELECT COUNT(id) FROM emp")
    0.5
    >>> schema_linking("SELECT COUNT(*) FROM emp", "SELECT COUNT(id) FROM emp", mode="recall")
    1.0
    """
    wanted, named = schema_items(gold), schema_items(pred)
    if wanted is None or named is None:
        return 0.0
    whole = wanted if mode == "recall" else wanted | named
    return len(wanted & named) / len(whole) if whole else 0.0


def bigram_jaccard(gold: str, pred: str, n: int = 2) -> float:
    r"""Jaccard overlap of the two queries' sets of `n` neighbouring words.

    Each query is parsed and printed again in SQLite's dialect (kept raw where it does not parse), lower-cased and cut
    into words (`\w+`); words that equal one of that query's own table or column aliases, and the word `as`, are dropped
    before neighbours are joined. Comments of a query that parses do not count.

    Returns:
        A share in [0, 1]; 0.0 where neither has `n` words.

    >>> bigram_jaccard("SELECT name FROM emp", "select e.name as who from emp e")
    1.0
    """
    wanted, written = parsed(gold).ngrams(n), parsed(pred).ngrams(n)
    whole = len(wanted | written)
    return len(wanted & written) / whole if whole else 0.0


def _parse(text: str) -> Parsed:
    from sqlglot import ErrorLevel, exp
    from sqlglot.dialects.sqlite import SQLite

    raw = Parsed(None, _words(text))
    dialect = SQLite()
    try:
        tokens = dialect.tokenize(text)
        if not _may_be_a_query(token.token_type.name for token in tokens):
            return raw
        # A comment behind the closing semicolon comes as a statement of its own.
        trees = [tree for tree in dialect.parser().parse(tokens, text) if not isinstance(tree, exp.Semicolon | None)]
        if len(trees) != 1 or not isinstance(trees[0], exp.Query):
            return raw
        names, aliases = _names(trees[0])
        printed = dialect.generate(trees[0], copy=False, comments=False, unsupported_level=ErrorLevel.IGNORE)
    except Exception:  # noqa: BLE001 - a boundary: another project's parser on hostile text may raise anything
        return raw
    return Parsed(names, _words(printed, aliases))


def _may_be_a_query(kinds: Iterable[str]) -> bool:
    """Whether the parser may be asked at all: one statement, of the reading kind, not nested too deep."""
    depth = 0
    begun = ended = False
    for kind in kinds:
        if kind == "SEMICOLON":
            ended = True
        elif ended or not (begun or kind in _READING_KEYWORDS):
            return False
        elif kind in ("L_PAREN", "CASE"):
            depth += 1
            if depth > MAX_NESTING:
                return False
        elif kind in ("R_PAREN", "END"):
            depth -= 1
        begun = True
    return begun


def _names(tree: exp.Query) -> tuple[frozenset[str], frozenset[str]]:
    """Schema items and lower-case aliases of a tree, in one walk."""
    from sqlglot import exp

    names: set[str] = set()
    aliases: set[str] = set()
    for node in tree.walk():
        if isinstance(node, exp.Column):
            names.add(node.name)
        elif isinstance(node, exp.Table):
            names.add(node.name)
            aliases.add(node.alias.lower())
        elif isinstance(node, exp.Alias | exp.Subquery):
            aliases.add(node.alias.lower())
    return frozenset(names - {"", "*"}), frozenset(aliases - {""})


def _words(text: str, dropped: frozenset[str] = frozenset()) -> tuple[str, ...]:
    return tuple(word for word in _WORD.findall(text.lower()) if word != "as" and word not in dropped)
