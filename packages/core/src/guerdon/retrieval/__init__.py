"""Retrievers: many queries in, ranked documents out. Importing this is light.

| | |
|---|---|
| `Corpus`, `Document` | what is searched; `Corpus.read` takes JSON lines |
| `BM25` | by words, in any of the usual formulas |
| `Query`, `Hit` | what is asked and what is found |
"""

from guerdon.protocols import Hit, Query, Retriever
from guerdon.retrieval.bm25 import BM25
from guerdon.retrieval.corpora import Corpus, Document

__all__ = ["BM25", "Corpus", "Document", "Hit", "Query", "Retriever"]
