"""BM25 beside rank-bm25: the same formula, the same top 10, queries per second.

20,000 documents of 60 words from a vocabulary of 30,000 whose frequencies fall as 1/rank (a corpus read as one text has
such), 1,000 queries of 5 words drawn alike. Both cut texts at blanks. rank-bm25 answers a sample of the queries in each
round, since all of them take it minutes; the sample's answers are compared score by score. Rounds go in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np
from rank_bm25 import BM25Okapi

from guerdon.retrieval import BM25, Corpus

TARGET = 20.0
K = 10


def made_up(texts: int, words: int, rng: np.random.Generator) -> list[str]:
    vocabulary = np.array([f"w{rank}" for rank in range(30_000)])
    shares = 1 / np.arange(1, len(vocabulary) + 1)
    return [" ".join(row) for row in rng.choice(vocabulary, (texts, words), p=shares / shares.sum())]


def check(hits, scores) -> None:
    """The ten best scores are equal, and each hit's score is its document's; within a tie either may come first."""
    best = np.sort(scores)[::-1][:K]
    best = best[best > 0]
    np.testing.assert_allclose([hit.score for hit in hits], best, rtol=1e-9)
    np.testing.assert_allclose(scores[[int(hit.id) for hit in hits]], best, rtol=1e-9)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--sample", type=int, default=20, help="queries that rank-bm25 answers in each round")
    chosen = arguments.parse_args()
    rng = np.random.default_rng(0)
    documents, queries = made_up(20_000, 60, rng), made_up(1_000, 5, rng)
    start = time.perf_counter()
    ours = BM25(Corpus.of(documents), formula="okapi", terms=str.split)
    ours.search(["w1"])
    middle = time.perf_counter()
    theirs = BM25Okapi([document.split() for document in documents])
    print(f"index: ours {middle - start:.2f} s, rank-bm25 {time.perf_counter() - middle:.2f} s")
    rates = []
    for turn in range(chosen.rounds):
        sample = queries[turn * chosen.sample : (turn + 1) * chosen.sample]
        start = time.perf_counter()
        scores = [theirs.get_scores(query.split()) for query in sample]
        for each in scores:
            np.argsort(each)[::-1][:K]
        middle = time.perf_counter()
        answers = ours.search(queries, K)
        end = time.perf_counter()
        for hits, each in zip(answers[turn * chosen.sample :], scores, strict=False):
            check(hits, each)
        rates.append((len(queries) / (end - middle), len(sample) / (middle - start)))
        told = f"ours {rates[-1][0]:.0f} queries/s, rank-bm25 {rates[-1][1]:.1f}"
        print(f"  round {turn + 1}: {told}, {rates[-1][0] / rates[-1][1]:.0f}x, load {os.getloadavg()[0]:.1f}")
    for name, values in (
        ("ours, queries/s", [one for one, _ in rates]),
        ("rank-bm25, queries/s", [other for _, other in rates]),
        ("ratio", [one / other for one, other in rates]),
    ):
        print(f"{name}: min {min(values):.0f} / median {statistics.median(values):.0f} / max {max(values):.0f}")
    reached = statistics.median(one / other for one, other in rates) >= TARGET
    print(f"target {TARGET:g}x {'reached' if reached else 'MISSED'}")
    print(f"all top {K} of {len(rates) * chosen.sample} queries are equal")


if __name__ == "__main__":
    main()
