"""A second layer, on real collections: readers, BM25 by our metrics, and what graders disagree about."""

import math
from collections import defaultdict

import numpy as np
import pytest

from guerdon_search.collection_files import read_annotations, read_beir, read_run
from guerdon_search.ranking_metrics import mean_over_queries, ndcg, reciprocal_rank
from guerdon_search.relevance_tasks import BeirPairs


@pytest.mark.slow
def test_bm25_ranks_medquad_as_its_notes_say(data_dir):
    """The notes: nDCG@10 near 0.57 over the text."""
    pytest.importorskip("bm25s")
    from guerdon.retrieval import BM25, Corpus

    found = read_beir(data_dir / "medquad_beir")
    texts = Corpus.of({document.id: document.text for document in found.corpus.documents})
    names = list(found.queries)
    hits = BM25(texts).search([found.queries[name] for name in names], 10)
    run = {name: [hit.id for hit in row] for name, row in zip(names, hits, strict=True)}
    assert mean_over_queries(run, found.judgments) == pytest.approx(0.57, abs=0.05)
    own = {name: {one: float(gain == 2.0) for one, gain in gains.items()} for name, gains in found.judgments.items()}
    assert mean_over_queries(run, own, reciprocal_rank) == pytest.approx(0.39, abs=0.05)


@pytest.mark.slow
def test_pairs_of_medquad_are_neighbours_and_disagree(data_dir):
    pytest.importorskip("bm25s")
    task = BeirPairs(root=str(data_dir / "medquad_beir"))
    for split in ("train", "eval"):
        pairs = task.examples(split)
        assert len(pairs) >= 40
        for good, bad in zip(pairs[::2], pairs[1::2], strict=True):
            assert (good.pair, good.relevant, bad.relevant) == (bad.pair, True, False)
            assert good.text != bad.text


def test_a_run_of_bright_is_read_in_its_order(data_dir):
    run = read_run(data_dir / "bright_theoremqa_bm25.trec")
    assert len(run) > 40
    for ranked in run.values():
        assert 0 < len(ranked) <= 1000
        scores = [score for _, score in ranked]
        assert scores == sorted(scores, reverse=True)
        assert len({document for document, _ in ranked}) == len(ranked)


def second_ndcg(ranking, gains, k):
    """Another implementation, by numpy."""
    found = np.array([max(gains.get(one, 0.0), 0.0) for one in ranking[:k]])
    best = np.sort(np.maximum(list(gains.values()), 0.0))[::-1][:k]
    total = (best / np.log2(np.arange(2, len(best) + 2))).sum()
    return (found / np.log2(np.arange(2, len(found) + 2))).sum() / total if total else 0.0


def test_graded_annotations_are_read_and_ndcg_agrees_with_a_second_implementation(data_dir):
    rows = read_annotations(data_dir / "codesearchnet_annotations.csv")
    assert {row.relevance for row in rows} == {0, 1, 2, 3}
    opinions = defaultdict(list)
    for row in rows:
        opinions[row.language, row.query, row.url].append(row.relevance)
    assert any(len(set(several)) > 1 for several in opinions.values())
    gains = defaultdict(dict)
    for (language, query, url), several in opinions.items():
        gains[language, query][url] = math.fsum(several) / len(several)
    for each in gains.values():
        ranking = sorted(each)
        assert ndcg(ranking, each) == pytest.approx(second_ndcg(ranking, each, 10))
