"""Documents: read from files, each id once, every fault told with its file and line."""

import gzip
import json
import pickle

import pytest

from guerdon.errors import ConfigError
from guerdon.retrieval import BM25, Corpus, Dense, Document, FaissFile, HashedEncoder


def written(path, *rows):
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_beirs_form_is_read(tmp_path):
    path = written(tmp_path / "corpus.jsonl", {"_id": "a", "title": "Red", "text": "bird", "metadata": {"year": 1}})
    (document,) = Corpus.read(path).documents
    assert document == Document("a", "bird", "Red", {"metadata": {"year": 1}})
    assert document.searched == "Red\nbird"


def test_other_words_for_ids_and_texts_are_read(tmp_path):
    rows = {"docid": 7, "contents": "bird"}, {"id": "b", "text": "", "title": "Red", "image": "b.png"}
    documents = Corpus.read(str(written(tmp_path / "corpus.jsonl", *rows))).documents
    assert documents == (Document("7", "bird"), Document("b", "", "Red", image="b.png"))


def test_gzipped_files_arrays_and_marks_are_read(tmp_path):
    rows = [{"id": 1, "text": "a\u2028b"}]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(rows[0], ensure_ascii=False).encode("utf-8-sig")))
    (tmp_path / "b.json").write_text(json.dumps(rows))
    assert Corpus.read(tmp_path / "a.jsonl.gz") == Corpus.read(tmp_path / "b.json") == Corpus.of({"1": "a\u2028b"})


def test_a_text_file_has_a_passage_a_line(tmp_path):
    (tmp_path / "base.txt").write_text("first\n\n  third \n", encoding="utf-8")
    assert Corpus.read(tmp_path / "base.txt") == Corpus.of({"1": "first", "3": "third"})


def test_a_file_that_changes_is_read_anew(tmp_path):
    path = written(tmp_path / "c.jsonl", {"id": "a", "text": "red"})
    assert Corpus.read(path) is Corpus.read(path)
    written(path, {"id": "a", "text": "red"}, {"id": "b", "text": "blue"})
    assert len(Corpus.read(path)) == 2


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is list; an object"),
        ({"text": "red"}, "line 2: field '_id' is missing; the row has text"),
        ({"id": "", "text": "red"}, "line 2: field 'id' is ''; a text or a whole number"),
        ({"id": True, "text": "red"}, "line 2: field 'id' is True"),
        ({"id": 1.5, "text": "red"}, r"line 2: field 'id' is 1\.5"),
        ({"id": "b"}, "line 2: field 'text' is missing; the row has id"),
        ({"id": "b", "text": " "}, "line 2: field 'text' is ' '; a text is needed"),
        ({"id": "b", "text": ["red"]}, "line 2: field 'text' is .*; a text is needed"),
        ({"id": "b", "text": "red", "title": 3}, "line 2: field 'title' is 3"),
        ({"id": "a", "text": "other"}, r"line 2: the id 'a' stands at .*c\.jsonl', line 1 already"),
    ],
)
def test_a_broken_row_is_told_with_its_file_and_line(tmp_path, row, told):
    path = written(tmp_path / "c.jsonl", {"id": "a", "text": "red"}, row)
    with pytest.raises(ConfigError, match=rf"c\.jsonl', {told}"):
        Corpus.read(path)


@pytest.mark.parametrize("name", ["c.jsonl", "c.txt", "c.json"])
def test_an_empty_file_is_no_corpus(tmp_path, name):
    (tmp_path / name).write_text("[]" if name == "c.json" else "\n")
    with pytest.raises(ConfigError, match=rf"{name}' is empty; a document is needed"):
        Corpus.read(tmp_path / name)


@pytest.mark.parametrize("name", ["no.jsonl", "no.txt"])
def test_a_file_that_is_not_there_is_told(tmp_path, name):
    with pytest.raises(ConfigError, match=f"{name}'"):
        Corpus.read(tmp_path / name)


@pytest.mark.parametrize(
    ("given", "told"), [("no.jsonl", "there is no such file"), (["a red bird"], "Corpus.of"), (None, "a Corpus or")]
)
def test_retrievers_refuse_what_is_no_corpus_at_once(given, told):
    for made in (BM25, lambda corpus: Dense(corpus, HashedEncoder()), lambda corpus: FaissFile(corpus, "no.faiss")):
        with pytest.raises(ConfigError, match=rf"\.corpus is .*{told}"):
            made(given)


def test_no_documents_are_no_corpus():
    with pytest.raises(ConfigError, match="the corpus is empty"):
        Corpus(())


def test_an_id_stands_once():
    with pytest.raises(ConfigError, match="documents 0 and 2 of the corpus both have the id 'a'"):
        Corpus((Document("a", "1"), Document("b", "2"), Document("a", "3")))


def test_corpora_that_say_the_same_are_equal_and_others_are_not():
    one = Corpus((Document("a", "red", payload={"x": 1, "y": 2}),))
    assert one == Corpus((Document("a", "red", payload={"y": 2, "x": 1}),)) == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(pickle.loads(pickle.dumps(one)))
    for other in (Document("a", "red"), Document("b", "red", payload={"x": 1, "y": 2}), Document("a", "", "red")):
        assert one != Corpus((other,))


def test_the_digest_is_the_same_in_every_process():
    """SHA-256 of `["0", "", "red", "", {}]` and a line break."""
    assert Corpus.of(["red"]).digest == "aceb1b2d3dd0f1292e18e3c88e7f299dbe9875c315b3bcd9a1d93bb4e0c3d6bf"


def test_a_text_of_half_a_character_has_a_digest():
    assert Corpus.of(["\ud800"]) != Corpus.of(["\udfff"])
