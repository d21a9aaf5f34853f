"""Retro*'s claim on text: BM25's first 20 documents, put in order by a small scorer that Retro*'s reward trained.

    python benchmarks/reranking.py FOLDER            # Vaswani: doc-text.trec, query-text.trec, qrels
    python benchmarks/reranking.py FOLDER --cranfield

The scorer is `guerdon_search.retro_star_claim.Scorer`, linear-logistic with noise, over six features of a query and a
document: shares of the query's words, of their first five letters, alone and as BM25 counts them, neighbours, hashed
n-grams and length. Half of the topics train it (pairs of a relevant and another document, the composite reward), the
other half are ranked through `guerdon_search.reranked.Reranked` with the scorer as the judge, one sample each and no
noise. Beside it BM25 over the same five letters of each word: a part of what is gained is no more than that.
"""

from __future__ import annotations

import argparse
import html
import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from guerdon.retrieval import BM25, Corpus, HashedEncoder
from guerdon.retrieval.vectors import encoded
from guerdon_search.collection_files import Collection
from guerdon_search.ranking_metrics import mean_over_queries
from guerdon_search.reranked import Reranked
from guerdon_search.reranking import Reranker
from guerdon_search.retro_star_claim import ALPHA, Queries, RetroStarClaim, Scorer
from guerdon_search.trec_files import read_cranfield, read_vaswani

DEPTH = 20


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def stems(text: str) -> list[str]:
    return [word[:5] for word in words(text)]


class Features:
    """Six numbers of a query and a document, in units of their spread over the training pairs."""

    def __init__(self, corpus: Corpus) -> None:
        self.encoder = HashedEncoder()
        self.count = len(corpus)
        self.found = Counter(stem for one in corpus.documents for stem in set(stems(one.searched)))
        self.length = sum(len(words(one.searched)) for one in corpus.documents) / self.count
        self.mean, self.spread = np.zeros(6), np.ones(6)

    def of(self, query: str, text: str) -> np.ndarray:
        """The six."""
        asked, said = stems(query), stems(text)
        counts, told = Counter(said), set(words(text))
        rarity = {
            stem: math.log(1 + (self.count - self.found[stem] + 0.5) / (self.found[stem] + 0.5)) for stem in asked
        }
        total = math.fsum(rarity.values()) or 1.0
        norm = 1.2 * (0.25 + 0.75 * len(said) / self.length)
        neighbours = set(itertools.pairwise(asked)) & set(itertools.pairwise(said))
        a, b = encoded(self.encoder, [query, text], kind="passage").astype(float)
        found = [
            sum(word in told for word in words(query)) / max(len(asked), 1),
            math.fsum(weight for stem, weight in rarity.items() if stem in counts) / total,
            math.fsum(weight * counts[stem] / (counts[stem] + norm) for stem, weight in rarity.items()) / total,
            len(neighbours) / max(len(asked) - 1, 1),
            float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9),
            math.log1p(len(said)),
        ]
        return (np.array(found) - self.mean) / self.spread


@dataclass(frozen=True)
class Backend:
    """The scorer as a judge: it reads the prompt that a model would be shown."""

    scorer: Scorer
    features: Features
    name: str

    def answer(self, questions: Sequence[Sequence[Mapping[str, str]]], *, seed: int) -> list[str | None]:
        """See `guerdon.protocols.JudgeBackend`."""
        return [self._one(question[-1]["content"]) for question in questions]

    def _one(self, prompt: str) -> str:
        query, text = re.findall(r"\[begin of \w+\]\n(.*?)\n\[end of", prompt, re.DOTALL)
        score = self.scorer.mean(self.features.of(html.unescape(query), html.unescape(text)))
        return f"<score>{round(float(score))}</score>"


def quality(retriever, collection: Collection, names: Sequence[str]) -> float:
    hits = retriever.search([collection.queries[name] for name in names], 10)
    run = {name: [hit.id for hit in row] for name, row in zip(names, hits, strict=True)}
    return mean_over_queries(run, {name: collection.judgments[name] for name in names})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--cranfield", action="store_true")
    arguments.add_argument("--seeds", type=int, default=5)
    chosen = arguments.parse_args()
    collection = (read_cranfield if chosen.cranfield else read_vaswani)(chosen.folder)
    for label, first in (("words", BM25(collection.corpus)), ("five letters", BM25(collection.corpus, terms=stems))):
        for seed in range(chosen.seeds):
            names = list(collection.queries)
            np.random.default_rng(seed).shuffle(names)
            train, test = names[: len(names) // 2], names[len(names) // 2 :]
            features = Features(collection.corpus)
            queries = pairs_of(first, collection, train, features)
            claim = RetroStarClaim()
            scorer = claim.taught(
                Scorer(np.zeros(6), 0.0, math.log(claim.start_sigma)), ALPHA["composite"], seed, queries
            )
            judge = Reranker(Backend(scorer[0], features, f"scorer {seed}"))
            before = quality(first, collection, test)
            after = quality(Reranked(first, judge, DEPTH), collection, test)
            print(f"BM25 over {label}, seed {seed}: nDCG@10 {before:.3f}, reranked {after:.3f}, {after - before:+.3f}")


def pairs_of(first, collection: Collection, names: Sequence[str], features: Features) -> Queries:
    """The first stage's documents of topics of which some are relevant and some are not."""
    rows, relevant = [], []
    for name, hits in zip(names, first.search([collection.queries[name] for name in names], DEPTH), strict=True):
        good = [collection.judgments[name].get(hit.id, 0.0) > 0.0 for hit in hits]
        if len(hits) == DEPTH and any(good) and not all(good):
            rows.append([features.of(collection.queries[name], f"{hit.title} {hit.text}".strip()) for hit in hits])
            relevant.append(good)
    found = np.array(rows)
    features.mean, features.spread = found.mean((0, 1)), np.maximum(found.std((0, 1)), 1e-9)
    return Queries((found - features.mean) / features.spread, np.array(relevant))


if __name__ == "__main__":
    main()
