"""BM25: the formulas by hand and beside rank-bm25, ties, and queries that find nothing."""

import math
import pickle
import random

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon.protocols import Query, Retriever
from guerdon.retrieval import BM25, Corpus, Document

pytest.importorskip("bm25s", reason="guerdon[retrieval] is not installed")

NAMES = (
    "cystic fibrosis",
    "idiopathic pulmonary fibrosis",
    "pulmonary hypertension",
    "idiopathic pulmonary arterial hypertension",
)


def found(retriever, query, k=10):
    return [(hit.id, hit.score) for hit in retriever.search([query], k)[0]]


def made_up(documents, words=400, length=30, seed=0):
    draw = random.Random(seed)
    weights = [1 / rank for rank in range(1, words + 1)]
    vocabulary = [f"w{rank}" for rank in range(words)]
    return [" ".join(draw.choices(vocabulary, weights, k=draw.randint(5, 2 * length))) for _ in range(documents)]


def agrees_with_rank_bm25(hits, scores, k):
    """The same scores in the same order, and each hit's score its own: what is left open is the order within a tie."""
    order = np.lexsort((np.arange(len(scores)), -scores))
    top = [place for place in order.tolist() if scores[place] > 0][:k]
    np.testing.assert_allclose([hit.score for hit in hits], scores[top], rtol=1e-9)
    np.testing.assert_allclose([hit.score for hit in hits], scores[[int(hit.id) for hit in hits]], rtol=1e-9)
    assert len({hit.id for hit in hits}) == len(hits)


def test_okapi_of_the_sheets_disease_names():
    """deep_dxsearch.md, example 12: idf of "pulmonary" -0.847 becomes 0.035304, that of "fibrosis" is 0."""
    corpus = Corpus.of(NAMES)
    idf, mean_length = 0.035304, 11 / 4
    by_hand = [
        idf * 2.5 / (1 + 1.5 * (0.25 + 0.75 * length / mean_length)) for length in (3, 2, 4)
    ]  # names 1, 2 and 3 hold "pulmonary" once
    ours = dict(found(BM25(corpus, formula="okapi"), "pulmonary fibrosis"))
    assert ours == {name: pytest.approx(score, rel=1e-4) for name, score in zip("123", by_hand, strict=True)}
    assert list(ours) == ["2", "1", "3"]


def test_lucene_by_hand():
    """Two documents of 2 and 4 words; "red" is in both, "bird" in the first."""
    corpus = Corpus.of(["red bird", "red fish red sea"])
    red, bird = math.log(1 + 0.5 / 2.5), math.log(1 + 1.5 / 1.5)
    short, long = 1.5 * (0.25 + 0.75 * 2 / 3), 1.5 * (0.25 + 0.75 * 4 / 3)
    expected = [("0", red / (1 + short) + bird / (1 + short)), ("1", red * 2 / (2 + long))]
    assert found(BM25(corpus), "red bird") == [(id, pytest.approx(score)) for id, score in expected]


@pytest.mark.parametrize("seed", range(3))
def test_okapi_finds_what_rank_bm25_finds(seed):
    rank_bm25 = pytest.importorskip("rank_bm25")
    texts, queries = made_up(300, seed=seed), made_up(40, length=4, seed=seed + 100)
    theirs = rank_bm25.BM25Okapi([text.split() for text in texts])
    for query, hits in zip(queries, BM25(Corpus.of(texts), formula="okapi").search(queries), strict=True):
        agrees_with_rank_bm25(hits, theirs.get_scores(query.split()), 10)


def test_bm25_plus_with_delta_1_is_rank_bm25s():
    rank_bm25 = pytest.importorskip("rank_bm25")
    texts, queries = made_up(200), made_up(20, length=4, seed=9)
    theirs = rank_bm25.BM25Plus([text.split() for text in texts])
    ours = BM25(Corpus.of(texts), formula="bm25+", delta=1.0)
    for query, hits in zip(queries, ours.search(queries), strict=True):
        scores = theirs.get_scores(query.split())
        np.testing.assert_allclose([hit.score for hit in hits], -np.sort(-scores)[: len(hits)], rtol=1e-9)


@pytest.mark.parametrize("formula", ["lucene", "robertson", "atire", "okapi", "bm25l", "bm25+"])
def test_no_formula_finds_a_document_without_any_of_the_words(formula):
    corpus = Corpus.of(["a red bird", "a blue whale", "deep green sea", "grey stone"])
    assert {id for id, _ in found(BM25(corpus, formula=formula), "red whale")} == {"0", "1"}


@pytest.mark.parametrize("query", ["", "   ", "zebra", "?!", "\x00", "\ud800", Query()])
def test_an_empty_or_unknown_query_finds_nothing(query):
    assert BM25(Corpus.of(["a red bird", "a blue bird"])).search([query]) == [[]]


def test_documents_of_marks_alone_are_never_found():
    assert BM25(Corpus.of(["?", "!!", ""])).search(["bird", "?"]) == [[], []]


def test_equal_scores_stand_in_the_order_of_the_documents():
    corpus = Corpus.of(["red bird", "blue bird", "red bird", "red bird"])
    assert [id for id, _ in found(BM25(corpus), "red")] == ["0", "2", "3"]
    assert [id for id, _ in found(BM25(corpus), "red", k=2)] == ["0", "2"]


def test_many_equal_scores_stand_in_the_order_of_the_documents():
    """Longer documents first, so that those of equal score are found among others, in the middle of the sorting."""
    texts = ["red bird of the sea"] * 40 + ["red"] * 60 + ["red bird"] * 100
    assert [int(id) for id, _ in found(BM25(Corpus.of(texts)), "red", 200)] == [*range(40, 200), *range(40)]


def test_more_than_there_is_gives_what_there_is():
    assert len(found(BM25(Corpus.of(["red bird", "red fish", "sea"])), "red", k=20_000)) == 2


@pytest.mark.parametrize("k", [0, -1, 2.0, True, None])
def test_k_is_a_number_above_0(k):
    with pytest.raises(ConfigError, match=r"k is .*; a whole number >= 1"):
        BM25(Corpus.of(["red"])).search(["red"], k)


def test_what_is_excluded_makes_room_for_the_next():
    corpus = Corpus.of({"own": "red red red", "other": "red bird of the sea", "third": "red"})
    hits = BM25(corpus).search([Query("red", exclude_ids={"own", "nobody"})], 2)[0]
    assert {hit.id for hit in hits} == {"other", "third"}


def test_one_id_is_not_a_set_of_ids():
    with pytest.raises(ConfigError, match="a set of ids is needed"):
        Query("red", exclude_ids="own")


def test_a_single_string_is_not_a_list_of_queries():
    with pytest.raises(ConfigError, match="put it into a list"):
        BM25(Corpus.of(["red"])).search("red")


def test_a_query_of_another_kind_is_refused_by_its_place():
    with pytest.raises(ConfigError, match="BM25 takes text; query 1 has vector alone"):
        BM25(Corpus.of(["red"])).search(["red", Query(vector=(1.0, 2.0))])


def test_no_query_asks_nothing():
    assert BM25(Corpus.of(["red"])).search([]) == []


def test_words_are_those_of_any_script_and_case():
    corpus = Corpus.of({"de": "Die STRASSE", "zh": "红色的鸟", "fr": "café", "ru": "Красная птица"})
    for query, id in {"straße": "de", "鸟": "zh", "cafe\u0301": "fr", "ПТИЦА": "ru"}.items():
        assert [hit.id for hit in BM25(corpus).search([query])[0]] == [id]


def test_a_hit_carries_the_document_and_the_base_that_was_asked_for():
    corpus = Corpus((Document("a", "a bird", title="Red", payload={"year": 2020}, image="a.png"),))
    (hit,) = BM25(corpus).search([Query("red", base="birds")])[0]
    assert (hit.id, hit.text, hit.title, hit.payload, hit.image, hit.base) == (
        *("a", "a bird", "Red", {"year": 2020}, "a.png"),
        "birds",
    )


def test_the_same_query_has_one_answer_in_any_batch_and_after_pickling():
    corpus = Corpus.of(made_up(100))
    queries = made_up(20, length=4, seed=5)
    together = BM25(corpus).search(queries)
    travelled = pickle.loads(pickle.dumps(BM25(corpus)))
    assert [travelled.search([query])[0] for query in queries] == together


def test_it_is_a_retriever_and_a_value():
    one, other = BM25(Corpus.of(["red"])), BM25(Corpus.of(["red"]))
    assert isinstance(one, Retriever)
    assert one == other
    assert {one: 1}[other] == 1
    assert one.name == other.name != BM25(Corpus.of(["red"]), k1=1.2).name != BM25(Corpus.of(["blue"])).name


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"formula": "bm26"}, "accepted are 'lucene'"),
        ({"k1": -1.0}, "k1 is -1.0; a finite number >= 0"),
        ({"k1": math.nan}, "k1 is nan"),
        ({"b": 1.5}, "b is 1.5; a finite number from 0 to 1"),
        ({"delta": math.inf}, "delta is inf"),
        ({"epsilon": "0.25"}, "epsilon is '0.25'; a number is needed"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(options, told):
    with pytest.raises(ConfigError, match=told):
        BM25(Corpus.of(["red"]), **options)
