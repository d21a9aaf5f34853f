"""Dense retrieval: exact, the same alone and in a batch, by either engine; vectors that are none are told."""

import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from guerdon.errors import ConfigError, RetrievalError
from guerdon.protocols import Encoder, Query, Retriever
from guerdon.retrieval import Corpus, Dense, FaissFile, HashedEncoder
from guerdon.retrieval.nearest import by_faiss, by_matrix

ENGINES = ["numpy", "faiss"]


@dataclass(frozen=True)
class Table:
    """An encoder that looks texts up; unknown ones are zero."""

    rows: tuple[tuple[str, tuple[float, ...]], ...]
    dimensions: int = 2

    @property
    def name(self):
        return f"table{self.rows}"

    def encode(self, texts, *, kind="passage"):
        known = dict(self.rows)
        with np.errstate(over="ignore"):
            return np.array([known.get(text, (0.0,) * self.dimensions) for text in texts], dtype=np.float32)


def engine_there(engine):
    if engine == "faiss":
        pytest.importorskip("faiss", reason="guerdon[faiss] is not installed")
    return engine


def with_vectors(tmp_path, rows, **options):
    """Documents "0", "1", ... that have these vectors."""
    path = tmp_path / "vectors.npy"
    np.save(path, np.asarray(rows, dtype=np.float32))
    return Dense(Corpus.of(map(str, range(len(rows)))), vectors=path, **options)


def found(retriever, vector, k=10, **asked):
    return [(int(hit.id), hit.score) for hit in retriever.search([Query(vector=tuple(vector), **asked)], k)[0]]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_sheets_rows_in_the_sheets_order(tmp_path, engine):
    """Example 2: rows (3,0), (0,2), (5,0), (1,1) normalised, query (1,0): 0, 2, 3, 1 with 1, 1, 0.707107, 0."""
    dense = with_vectors(tmp_path, [(3, 0), (0, 2), (5, 0), (1, 1)], engine=engine_there(engine))
    hits = found(dense, (1, 0))
    assert [id for id, _ in hits] == [0, 2, 3, 1]
    assert [score for _, score in hits] == pytest.approx([1, 1, 0.707107, 0], abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_by_inner_product_length_counts(tmp_path, engine):
    dense = with_vectors(tmp_path, [(3, 0), (0, 2), (5, 0), (1, 1)], metric="inner", engine=engine_there(engine))
    assert found(dense, (2, 0)) == [(2, 10.0), (0, 6.0), (3, 2.0), (1, 0.0)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_zero_vector_scores_0_in_the_documents_order(tmp_path, engine):
    """Example 3."""
    dense = with_vectors(tmp_path, [(3, 0), (0, 0), (5, 0), (1, 1)], engine=engine_there(engine))
    assert found(dense, (0, 0)) == [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0)]
    assert found(dense, (0, 0), 2) == [(0, 0.0), (1, 0.0)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("k", [1, 7, 200])
def test_it_finds_what_sorting_all_products_finds(tmp_path, engine, k):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(150, 24)).astype(np.float32)
    queries = rng.normal(size=(9, 24)).astype(np.float32)
    dense = with_vectors(tmp_path, rows, metric="inner", engine=engine_there(engine))
    products = queries.astype(float) @ rows.astype(float).T
    answers = dense.search([Query(vector=query.tolist()) for query in queries], k)
    for hits, row in zip(answers, products, strict=True):
        assert [int(hit.id) for hit in hits] == np.argsort(-row, kind="stable")[:k].tolist()
        np.testing.assert_allclose([hit.score for hit in hits], np.sort(row)[::-1][:k], rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_rows_stand_in_their_order_wherever_they_are(tmp_path, engine):
    """131 rows, so that blocked products treat some of them differently; 40 of them are one vector."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(131, 33))
    equal = np.sort(rng.choice(131, 40, replace=False))
    rows[equal] = np.linspace(0.1, 2, 33)
    dense = with_vectors(tmp_path, rows, engine=engine_there(engine))
    for k in (3, 20, 40):
        assert [id for id, _ in found(dense, np.linspace(0.1, 2, 33) + 0.01, k)] == equal[:k].tolist()


@pytest.mark.parametrize("choose", [by_matrix, by_faiss])
def test_every_row_that_rounding_may_have_misplaced_is_a_candidate(choose):
    """One row is needed; 30 others are worse by less than the slack, 30 by more."""
    engine_there("faiss" if choose is by_faiss else "numpy")
    rows = np.array([[1.0]] + [[0.6]] * 30 + [[0.4]] * 30, dtype=np.float32)
    (places,) = choose(rows)(np.ones((1, 1), dtype=np.float32), [1], np.array([0.5]))
    assert set(range(31)) <= set(places.tolist())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_query_has_one_answer_in_any_batch(tmp_path, engine):
    rng = np.random.default_rng(2)
    dense = with_vectors(tmp_path, rng.normal(size=(200, 48)), engine=engine_there(engine))
    queries = [Query(vector=vector) for vector in rng.normal(size=(17, 48)).tolist()]
    assert dense.search(queries, 5) == [dense.search([query], 5)[0] for query in queries]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_excluded_makes_room_for_the_next(tmp_path, engine):
    dense = with_vectors(tmp_path, [(3, 0), (0, 2), (5, 0), (1, 1)], engine=engine_there(engine))
    assert [id for id, _ in found(dense, (1, 0), 2, exclude_ids={"0", "2", "99"})] == [3, 1]
    assert found(dense, (1, 0), 2, exclude_ids={"0", "1", "2", "3"}) == []


def test_texts_are_encoded_and_unknown_ones_find_nothing():
    table = Table((("red", (1.0, 0.0)), ("blue", (0.0, 1.0)), ("purple", (1.0, 1.0))))
    dense = Dense(Corpus.of(["blue", "purple", "red"]), table)
    answers = dense.search(["red", "", "  ", "zebra", "\ud800"], 2)
    assert [[hit.text for hit in hits] for hits in answers] == [["red", "purple"], [], [], [], []]


def test_without_an_encoder_a_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Dense takes vector; query 0 has text alone"):
        with_vectors(tmp_path, [(1, 0)]).search(["red"])


@pytest.mark.parametrize("broken", [math.nan, math.inf, 1e39])
def test_a_vector_that_is_not_finite_is_told(tmp_path, broken):
    with pytest.raises(ConfigError, match="the vector of query 1 is not finite"):
        with_vectors(tmp_path, [(1, 0)]).search([Query(vector=(1, 0)), Query(vector=(1, broken))])
    with pytest.raises(RetrievalError, match="not finite for the passage 'red'"):
        Dense(Corpus.of(["red"]), Table((("red", (broken, 0.0)),))).search(["red"])
    with pytest.raises(RetrievalError, match="not finite for the query 'blue'"):
        Dense(Corpus.of(["red"]), Table((("red", (1.0, 0.0)), ("blue", (0.0, broken))))).search(["blue"])


def test_dimensions_that_differ_are_told(tmp_path):
    dense = with_vectors(tmp_path, [(1, 0)])
    with pytest.raises(ConfigError, match="query 0 has 3 dimensions, the documents have 2"):
        dense.search([Query(vector=(1, 0, 0))])
    mixed = Dense(Corpus.of(["red"]), HashedEncoder(16), vectors=dense.vectors)
    with pytest.raises(RetrievalError, match="gives 16 dimensions, the documents have 2"):
        mixed.search(["red"])


@pytest.mark.parametrize(
    ("rows", "told"),
    [([[1.0, 0.0]], "2 rows are needed"), ([1.0, 2.0], "2 rows"), ([[1.0], [math.nan]], "row 1 is not")],
)
def test_given_vectors_must_fit_the_documents(tmp_path, rows, told):
    np.save(tmp_path / "v.npy", np.array(rows))
    with pytest.raises(ConfigError, match=told):
        Dense(Corpus.of(["a", "b"]), vectors=tmp_path / "v.npy").search([Query(vector=(1.0,))])


def test_an_encoder_that_gives_too_few_vectors_is_told():
    class Short(Table):
        def encode(self, texts, *, kind="passage"):
            return np.ones((1, 2))

    with pytest.raises(RetrievalError, match=r"gave \(1, 2\) for 2 texts"):
        Dense(Corpus.of(["a", "b"]), Short(())).search(["a"])


def test_kept_vectors_are_made_once_and_never_stale(tmp_path):
    calls = []

    @dataclass(frozen=True)
    class Counted(HashedEncoder):
        def encode(self, texts, *, kind="passage"):
            calls.append(kind)
            return super().encode(texts, kind=kind)

    first = Dense(Corpus.of(["red bird", "blue whale"]), Counted(), folder=tmp_path)
    again = Dense(Corpus.of(["red bird", "blue whale"]), Counted(), folder=tmp_path)
    other = Dense(Corpus.of(["red bird", "blue fish"]), Counted(), folder=tmp_path)
    assert first.search(["bird"]) == again.search(["bird"])
    assert calls.count("passage") == 1
    assert other.search(["fish"])[0][0].text == "blue fish"
    assert calls.count("passage") == 2


def test_damaged_kept_vectors_are_told(tmp_path):
    Dense(Corpus.of(["red"]), HashedEncoder(), folder=tmp_path).search(["red"])
    (kept,) = tmp_path.glob("*/vectors.npy")
    kept.write_bytes(b"no vectors")
    with pytest.raises(RetrievalError, match="delete the folder around it"):
        Dense(Corpus.of(["red"]), HashedEncoder(), folder=tmp_path).search(["red"])


def test_neither_encoder_nor_vectors_is_refused():
    with pytest.raises(ConfigError, match="neither an encoder nor vectors"):
        Dense(Corpus.of(["red"]))


def test_it_is_a_retriever_a_value_and_travels():
    dense = Dense(Corpus.of(["red bird", "blue whale"]), HashedEncoder())
    assert isinstance(dense, Retriever)
    assert isinstance(HashedEncoder(), Encoder)
    answer = dense.search(["a bird"])
    travelled = pickle.loads(pickle.dumps(dense))
    assert travelled == dense
    assert hash(travelled) == hash(dense)
    assert travelled.search(["a bird"]) == answer


def test_hashed_vectors_are_the_same_in_every_process_and_have_length_1():
    vectors = HashedEncoder(64).encode(["red birds", "Red BIRDS!", "?!", "a\ud800b"])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 1], atol=1e-6)
    # CRC-32 of "a" is 3904355907 (odd: -1), of the piece "^a$" 3649463455 (odd: -1): places >> 1, modulo 64.
    (single,) = HashedEncoder(64).encode(["a"])
    assert {place: round(float(value), 4) for place, value in enumerate(single) if value} == {
        (3904355907 >> 1) % 64: -0.7071,
        (3649463455 >> 1) % 64: -0.7071,
    }


def test_spelling_brings_hashed_vectors_near():
    encoder = HashedEncoder()
    query, near, far = encoder.encode(["pulmonary fibrosis", "fibrosis of the lung, pulmonary", "green apples"])
    assert query @ near > 0.5 > 0.2 > abs(query @ far)


def test_a_saved_index_is_searched_as_it_is(tmp_path):
    faiss = pytest.importorskip("faiss", reason="guerdon[faiss] is not installed")
    rows = np.array([(1, 0), (0, 1), (1, 0), (0.6, 0.8)], dtype=np.float32)
    corpus = Corpus.of(["a", "b", "c", "d"])
    for kind, expected in (
        (faiss.IndexFlatIP, [(0, 1.0), (2, 1.0), (3, 0.6), (1, 0.0)]),
        (faiss.IndexFlatL2, [(0, 0.0), (2, 0.0), (3, -0.8), (1, -2.0)]),
    ):
        index = kind(2)
        index.add(rows)
        faiss.write_index(index, str(tmp_path / "saved.faiss"))
        saved = FaissFile(corpus, tmp_path / "saved.faiss")
        assert found(saved, (2, 0)) == [(id, pytest.approx(score, abs=1e-6)) for id, score in expected]
        assert [id for id, _ in found(saved, (2, 0), 2, exclude_ids={"0"})] == [2, 3]
        assert pickle.loads(pickle.dumps(saved)) == saved


def test_a_saved_index_of_another_corpus_is_refused(tmp_path):
    faiss = pytest.importorskip("faiss", reason="guerdon[faiss] is not installed")
    faiss.write_index(faiss.IndexFlatIP(2), str(tmp_path / "saved.faiss"))
    with pytest.raises(ConfigError, match="has 0 rows and the corpus 1 documents"):
        FaissFile(Corpus.of(["a"]), tmp_path / "saved.faiss").search([Query(vector=(1, 0))])
    (tmp_path / "saved.faiss").write_bytes(b"no index")
    with pytest.raises(ConfigError, match="faiss cannot read"):
        FaissFile(Corpus.of(["a"]), tmp_path / "saved.faiss").search([Query(vector=(1, 0))])
    with pytest.raises(ConfigError, match="there is no such file"):
        FaissFile(Corpus.of(["a"]), tmp_path / "other.faiss")
