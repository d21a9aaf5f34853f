"""Records are found symptom by symptom, and never the patient's own."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from guerdon.errors import ConfigError, RetrievalError, TaskError
from guerdon.protocols import Query, Retriever
from guerdon.retrieval import Corpus, Document, HashedEncoder
from guerdon_medical.cases import read_cases
from guerdon_medical.records import SymptomMatch, read_term_names, records_of

VECTORS = {
    "q1": (1.0, 0.0),
    "q2": (0.6, 0.8),
    "v1": (0.0, 1.0),
    "v2": (0.8, 0.6),
    "far": (-1.0, 0.0),
    "nothing": (0.0, 0.0),
}


@dataclass(frozen=True)
class Given:
    """Vectors as they are written above."""

    name: str = "given"
    seen: list[list[str]] = field(default_factory=list, compare=False)

    def encode(self, texts: Sequence[str], *, kind: Literal["query", "passage"] = "passage") -> Any:
        self.seen.append(list(texts))
        return np.array([VECTORS[text] for text in texts], dtype=np.float32)


def record(id: str, *symptoms: str, publication: str = "") -> Document:
    return Document(id, ", ".join(symptoms), payload={"symptoms": list(symptoms), "publication": publication or id})


RECORDS = Corpus([record("a", "v1", "v2"), record("b", "far"), record("c", "v2", publication="p"), record("d", "v1")])


def found(query: str | Query, k: int = 20, encoder: Any = None) -> list[tuple[str, float]]:
    (hits,) = SymptomMatch(RECORDS, encoder or Given()).search([query], k)
    return [(hit.id, round(hit.score, 6)) for hit in hits]


def test_13_a_record_scores_the_mean_of_the_best_cosines() -> None:
    """Of q1 (1, 0): .8; of q2 (.6, .8): max(.8, .96); their mean is .88."""
    assert found("q1, q2")[0] == ("a", 0.88)


def test_records_stand_in_the_order_of_their_scores_and_equal_ones_in_theirs() -> None:
    """Of q1: a .8, b -1, c .8, d 0."""
    assert found("q1") == [("a", 0.8), ("c", 0.8), ("d", 0.0), ("b", -1.0)]
    assert found("q1", 1) == [("a", 0.8)]


def test_a_repeated_symptom_counts_twice_and_one_without_a_vector_as_nothing() -> None:
    """(2 * .8 + .96) / 3, and .8 / 2."""
    assert found("q1, q1, q2")[0] == ("a", pytest.approx(2.56 / 3, abs=1e-6))
    assert found("q1, nothing")[0] == ("a", 0.4)


@pytest.mark.parametrize("query", ["", "  ", ",,, ,", "nothing", "nothing, nothing"])
def test_a_query_without_a_known_symptom_finds_nothing(query: str) -> None:
    assert found(query) == []


def test_ones_own_record_and_publication_are_left_out() -> None:
    assert [id for id, _ in found(Query("q1", exclude_ids={"a", "p"}))] == ["d", "b"]
    assert found(Query("q1", exclude_ids={"a", "b", "p", "d", "unknown"})) == []


def test_an_answer_does_not_hang_on_what_else_is_asked() -> None:
    words = ["fever", "rash", "seizure", "ataxia", "long face", "short neck", "fever of unknown origin"]
    records = Corpus([record(str(n), *words[n % 5 : n % 5 + 1 + n % 3]) for n in range(200)])
    together = SymptomMatch(records).search([f"{one}, {other}" for one in words for other in words], 200)
    alone = [SymptomMatch(records).search([f"{one}, {other}"], 200)[0] for one in words for other in words]
    assert together == alone


def test_a_symptom_like_none_of_the_records_is_unknown_and_adds_nothing() -> None:
    """q1 (1, 0) is at most .8 like a record's symptom, q2 (.6, .8) at most .96: of record a with v1 and v2, the mean of
    0 and .96.
    """
    assert SymptomMatch(RECORDS, Given(), least=0.9).search(["q1"]) == [[]]
    (hits,) = SymptomMatch(RECORDS, Given(), least=0.9).search(["q1, q2"], 1)
    assert [(hit.id, round(hit.score, 6)) for hit in hits] == [("a", 0.48)]
    words = Corpus([record("a", "Seizure", "Short stature"), record("b", "Ataxia")])
    senseless, misspelled = SymptomMatch(words).search(["zzz, qwerty", "siezure, ataxi"], 1)
    assert (senseless, misspelled[0].id) == ([], "b")


def test_symptoms_are_encoded_once_whatever_asks() -> None:
    encoder = Given()
    match = SymptomMatch(RECORDS, encoder)
    match.search(["q1, q2", "q1", "q2, q1"])
    match.search(["q2"])
    assert encoder.seen == [["v1", "v2", "far"], ["q1", "q2"]]


def test_a_small_memory_changes_no_answer() -> None:
    queries = ["q1, q2", "v1, v2, far", "q2", "q1"]
    assert SymptomMatch(RECORDS, Given(), size=1).search(queries) == SymptomMatch(RECORDS, Given()).search(queries)


def test_it_is_a_retriever_that_pickles_and_is_named_by_what_it_answers_from() -> None:
    match = SymptomMatch(RECORDS)
    again = pickle.loads(pickle.dumps(match))
    assert isinstance(match, Retriever)
    assert again == match
    assert again.name == match.name
    assert match.name != SymptomMatch(Corpus(RECORDS.documents[:3])).name
    assert again.search(["far"]) == match.search(["far"])


def test_a_record_of_text_alone_has_its_parts_as_symptoms(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps({"id": "1", "text": "v1, v2", "diseases": ["Flu"]}) + "\n")
    (hits,) = SymptomMatch(path, Given()).search(["q1, q2"])
    assert [(hit.id, round(hit.score, 6)) for hit in hits] == [("1", 0.88)]


def test_what_cannot_be_searched_is_named() -> None:
    with pytest.raises(ConfigError, match=r"SymptomMatch\.size is 0"):
        SymptomMatch(RECORDS, size=0)
    with pytest.raises(ConfigError, match=r"SymptomMatch\.least is 2"):
        SymptomMatch(RECORDS, least=2)
    with pytest.raises(ConfigError, match="record 'x' has the symptoms"):
        SymptomMatch(Corpus([record("x")]), Given()).search(["q1"])
    with pytest.raises(ConfigError, match="record 'x' has the symptoms"):
        SymptomMatch(Corpus([Document("x", "t", payload={"symptoms": "fever"})]), Given()).search(["q1"])
    broken = Given()
    VECTORS["broken"] = (float("nan"), 0.0)
    with pytest.raises(RetrievalError, match="not finite"):
        SymptomMatch(RECORDS, broken).search(["broken"])
    with pytest.raises(ConfigError, match="k is 0"):
        SymptomMatch(RECORDS).search(["q1"], 0)


def test_a_thousand_calls_with_a_small_memory_are_answered() -> None:
    match = SymptomMatch(RECORDS, HashedEncoder(16), size=8)
    hits = match.search([f"word{n} a, word{n} b, v1" for n in range(1000)], 2)
    assert len(hits) == 1000
    assert all(len(one) == 2 for one in hits)


def test_of_an_endless_list_the_first_symptoms_count() -> None:
    """q1 twice, and then what is not looked for."""
    (hits,) = SymptomMatch(RECORDS, Given(), max_symptoms=2).search(["q1, q1" + ", far" * 10_000], 1)
    assert (hits[0].id, round(hits[0].score, 6)) == ("a", 0.8)


def test_names_of_findings_are_read_and_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "terms.jsonl"
    path.write_text('{"id": "HP:1", "label": "one"}\n')
    assert read_term_names(path) == {"HP:1": "one"}
    path.write_text('{"id": "HP:1", "label": "one"}\n{"id": "HP:2"}\n')
    with pytest.raises(TaskError, match=r"terms.jsonl', line 2: field 'label' is missing"):
        read_term_names(path)
    with pytest.raises(TaskError, match="no names of findings at"):
        read_term_names(tmp_path / "none")


def test_real_cases_find_their_disease_in_other_publications(data_dir: Path) -> None:
    """Of every fortieth case; without the exclusion each finds itself first, whole."""
    cases = read_cases(data_dir / "phenopackets.jsonl.gz")
    names = read_term_names(data_dir / "phenopacket_terms.jsonl.gz")
    match = SymptomMatch(records_of(cases, names))
    some = cases[::40]
    asked = [
        Query(", ".join(f"'{names[id]}'" for id in case.observed), exclude_ids={case.id, case.publication})
        for case in some
    ]
    hits = match.search(asked, 20)
    assert all(
        hit.payload["publication"] != case.publication for case, one in zip(some, hits, strict=True) for hit in one
    )
    right = sum(
        any(case.diagnoses[0].id in hit.payload["disease_ids"] for hit in one)
        for case, one in zip(some, hits, strict=True)
    )
    assert 0.25 * len(some) < right < len(some)
    (own,) = match.search([Query(asked[0].text)], 1)
    assert own[0].score == pytest.approx(1.0)
