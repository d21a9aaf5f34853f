"""A reranker as a retriever: one batch of questions, the contract of `Retriever`, and failures that stay failures."""

import pickle
from dataclasses import dataclass, field

import pytest

from guerdon.errors import ConfigError, JudgeError, RetrievalError
from guerdon.judges import StandIn
from guerdon.protocols import Hit, Query, Retriever
from guerdon.recipes.building import build_retriever
from guerdon.recipes.schema import Use
from guerdon.retrieval import Cached
from guerdon_search.reranked import Reranked
from guerdon_search.reranking import Reranker

TEXTS = {"a": "one", "b": "two", "c": "three", "d": "four"}


@dataclass(frozen=True)
class First:
    """Finds a, b, c, d in that order; nothing for a blank query, and fails at "fail"."""

    name: str = "first"

    def search(self, queries, k=10):
        return [None if query.text == "fail" else self.found(query, k) for query in queries]

    def found(self, query, k):
        kept = [id for id in TEXTS if id not in query.exclude_ids] if query.text.strip() else []
        return [Hit(id, 1.0 / place, TEXTS[id]) for place, id in enumerate(kept[:k], 1)]


@dataclass(frozen=True)
class Says:
    """The score of each text; None is no answer. Batches are kept."""

    scores: dict
    name: str = "says"
    batches: list = field(default_factory=list, compare=False)

    def answer(self, questions, *, seed):
        self.batches.append(len(questions))
        texts = [next(text for text in self.scores if f"\n{text}\n" in one[-1]["content"]) for one in questions]
        found = [self.scores[text] for text in texts]
        return [score if score is None or isinstance(score, str) else f"<score>{score}</score>" for score in found]


def over(scores, depth=100, **options):
    return Reranked(First(), Reranker(Says(scores), **options), depth)


def found(hits):
    return [(hit.id, hit.score) for hit in hits]


def test_hits_stand_by_the_judges_score_and_ties_in_the_first_stages_order():
    retriever = over({"one": 10, "two": 90, "three": 90, "four": 95})
    assert isinstance(retriever, Retriever)
    (hits,) = retriever.search(["q"], k=3)
    assert found(hits) == [("d", 95.0), ("b", 90.0), ("c", 90.0)]


def test_what_is_behind_the_depth_is_never_judged():
    (hits,) = over({"one": 10, "two": 90, "three": 90, "four": 95}, depth=2).search(["q"], k=1)
    assert found(hits) == [("b", 90.0)]


def test_all_queries_are_judged_in_one_batch_and_equal_pairs_once():
    """Two queries of four documents; the third is the first one again, without a document."""
    judge = Says({"one": 1, "two": 2, "three": 3, "four": 4})
    hits = Reranked(First(), Reranker(judge)).search(["p", "q", Query("p", exclude_ids={"d"})], k=1)
    assert judge.batches == [8]
    assert [found(row) for row in hits] == [[("d", 4.0)], [("d", 4.0)], [("c", 3.0)]]


def test_a_query_has_one_answer_whatever_else_is_in_the_batch():
    """The cascade looks at the best of each query apart, though two have the same text."""
    retriever = over({"one": 1, "two": 2, "three": 3, "four": 4}, again=1, samples_again=2)
    queries = ["q", Query("q", exclude_ids={"d"}), Query("q", exclude_ids={"c", "d"})]
    assert retriever.search(queries) == [retriever.search([query])[0] for query in queries]


def test_nothing_found_stays_nothing_and_a_failure_stays_a_failure():
    assert over({"one": 1}).search([" ", "fail"]) == [[], None]
    assert over({"one": 1}).search([]) == []


@pytest.mark.parametrize("options", [{}, {"again": 1, "samples_again": 2}])
def test_documents_that_nobody_scored_are_no_ranking(options):
    assert over({"one": None, "two": 2, "three": 3, "four": 4}, **options).search(["q"]) == [None]


def test_an_unreadable_document_is_a_zero_or_left_out_and_is_never_a_number_that_is_none():
    prose = {"one": "It is excellent, 100!", "two": 2, "three": 3, "four": 4}
    assert found(over(prose).search(["q"])[0])[-1] == ("a", 0.0)
    assert [id for id, _ in found(over(prose, unreadable="left_out").search(["q"])[0])] == ["d", "c", "b"]
    assert over(dict.fromkeys(prose, "prose"), unreadable="left_out").search(["q"]) == [None]


def test_a_judge_that_fails_for_good_is_a_retriever_that_does():
    class Broken(Says):
        def answer(self, questions, *, seed):
            raise JudgeError("a wrong key")

    with pytest.raises(RetrievalError, match="a wrong key"):
        Reranked(First(), Reranker(Broken({}))).search(["q"])


def test_its_name_tells_apart_what_ranks_differently():
    """Answers are remembered by it."""
    judge = Says({})
    names = {
        Reranked(First(), Reranker(judge, **options), depth).name
        for options in ({}, {"samples": 2}, {"again": 3}, {"unreadable": "left_out"}, {"definition": "x"}, {"seed": 1})
        for depth in (10, 20)
    }
    assert len(names) == 12
    assert Reranker(judge, samples_again=4).name == Reranker(judge).name


def test_it_may_be_cached_and_travels():
    judge = Says({"one": 1, "two": 2, "three": 3, "four": 4})
    cached = Cached(Reranked(First(), Reranker(judge)))
    assert cached.search(["q"]) == cached.search(["q"])
    assert judge.batches == [4]
    assert pickle.loads(pickle.dumps(over({"one": 1}))) == over({"one": 1})


def test_a_recipe_describes_it(tmp_path):
    pytest.importorskip("bm25s")
    (tmp_path / "docs.jsonl").write_text('{"_id": "a", "text": "red bird"}\n{"_id": "b", "text": "red fox"}\n')
    options = {
        "retriever": {"use": "bm25", "with": {"corpus": str(tmp_path / "docs.jsonl")}},
        "reranker": {"backend": {"use": "stand-in", "with": {"answers": ["<score>7</score>"]}}, "samples": 2},
        "depth": 5,
    }
    use = Use.model_validate({"use": "search/reranked", "with": options})
    (hits,) = build_retriever(use, "retriever").search(["red"])
    assert found(hits) == [("a", 7.0), ("b", 7.0)]


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="depth"):
        over({}, depth=0)
    with pytest.raises(ConfigError, match="text"):
        over({}).search([Query(vector=(1.0,))])


def test_a_recipes_mistake_is_told_by_its_field():
    served = {"use": "server", "with": {"base_url": "http://localhost:1"}}
    options = {"retriever": served, "reranker": {"backend": "stand-in", "sample": 2}}
    with pytest.raises(ConfigError, match=r"'retriever.with.reranker.sample' is unknown; did you mean 'samples'"):
        build_retriever(Use.model_validate({"use": "search/reranked", "with": options}), "retriever")


def test_a_retrievers_name_in_its_place_is_refused_at_once():
    with pytest.raises(ConfigError, match=r"Reranked.retriever is the text 'bm25'; a retriever, such as"):
        Reranked("bm25", Reranker(StandIn()))
