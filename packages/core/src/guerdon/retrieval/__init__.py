"""Retrievers: many queries in, ranked documents out. Importing this is light.

| | |
|---|---|
| `Query`, `Hit` | what is asked and what is found |
| `Corpus`, `Document` | what is searched; `Corpus.read` takes JSON lines |
| `BM25` | by words, in any of the usual formulas |
| `Dense`, `FaissFile` | by vectors: exact, with numpy or faiss; and an index that faiss saved |
| `HashedEncoder`, `SentenceEncoder` | who makes vectors: hashes, for tests; and sentence-transformers' models |
| `TermEncoder` | TF-IDF: vectors of words |
| `Fused`, `Router` | several rankings as one; several collections, by name |
| `Cached`, `Recorded` | asks nothing twice; answers written down and given again |
| `ServedRetriever` | a server's, over HTTP |
| `windows` | long texts cut into passages |
"""

from guerdon.protocols import Hit, Query, Retriever
from guerdon.retrieval.bm25 import BM25
from guerdon.retrieval.caching import Cached
from guerdon.retrieval.corpora import Corpus, Document
from guerdon.retrieval.dense import Dense
from guerdon.retrieval.faiss_files import FaissFile
from guerdon.retrieval.fusing import Fused
from guerdon.retrieval.hashed import HashedEncoder
from guerdon.retrieval.passages import windows
from guerdon.retrieval.replaying import Recorded
from guerdon.retrieval.routing import Router
from guerdon.retrieval.sentences import SentenceEncoder
from guerdon.retrieval.served import ServedRetriever
from guerdon.retrieval.term_vectors import TermEncoder

__all__ = [
    "BM25",
    "Cached",
    "Corpus",
    "Dense",
    "Document",
    "FaissFile",
    "Fused",
    "HashedEncoder",
    "Hit",
    "Query",
    "Recorded",
    "Retriever",
    "Router",
    "SentenceEncoder",
    "ServedRetriever",
    "TermEncoder",
    "windows",
]
