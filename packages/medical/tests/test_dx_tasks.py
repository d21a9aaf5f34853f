"""Patients, made and published: what they are asked, what tools may show them, and what references earn."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from guerdon.audit import Settings, Target, audit
from guerdon.conformance import check_attack, check_reward, check_task
from guerdon.environments import played
from guerdon.errors import ConfigError, TaskError
from guerdon.retrieval import Corpus
from guerdon_medical import dx_tasks, guidelines
from guerdon_medical.cases import Disease
from guerdon_medical.dx_attacks import ForgedRecords, MoreNames, PaddedRounds, StopWords, findings_of
from guerdon_medical.dx_examples import DiagnosisExample
from guerdon_medical.dx_made import MadeDiagnosis
from guerdon_medical.dx_rewards import DeepDxSearch
from guerdon_medical.dx_tasks import Diagnosis
from guerdon_medical.dx_traces import read_trace
from guerdon_medical.dx_workflow import fixed_workflow, most_frequent
from guerdon_medical.dx_world import made_cases
from guerdon_medical.guidelines import guideline

SMALL: dict[str, Any] = {"diseases": 6, "train_size": 12, "eval_size": 6}
FULL = MadeDiagnosis(**SMALL)
BRIEF = MadeDiagnosis(**SMALL, length="brief", records_shown=3)


def test_references_of_a_made_world_earn_the_top() -> None:
    """All parts in full; a brief one looks nothing up, .05 less."""
    check_task(FULL, DeepDxSearch(), count=4)
    check_task(BRIEF, DeepDxSearch(), count=4, top=0.95)


def test_references_may_name_others_of_the_records_behind_the_right_disease() -> None:
    """The reward is the same, and five names are right where one is."""
    task = MadeDiagnosis(diseases=12, train_size=6, eval_size=2, length="brief", answers=3)
    for patient in task.examples("train"):
        assert isinstance(patient, DiagnosisExample)
        assert not set(patient.gold) & set(patient.others)
        rollout = played(task, patient, task.reference(patient) or "")
        (found,) = (segment.observation.info["records"] for segment in rollout.turns if segment.observation.info)
        shown = list(dict.fromkeys(name for record in found for name in record.diseases))
        wanted = [*patient.gold, *(name for name in shown if name not in patient.gold)][:3]
        assert list(read_trace(rollout, task.tags).names) == wanted
        assert DeepDxSearch()(rollout).value == pytest.approx(0.95)
    assert "the 3 likeliest, best first" in task.prompt(patient).messages[0].content


def test_rounds_of_words_that_mean_nothing_are_not_varied() -> None:
    """Three rounds that differ are worth .4 of .8, hit or not; those of words that no record knows do not differ."""
    task = MadeDiagnosis(diseases=6, train_size=2, eval_size=2, records_shown=1)
    patient = task.examples("train")[0]
    others = [name for name in task.world.names.values() if name not in patient.findings]
    told = [f"<match>{others[place]}, {others[place + 1]}</match><think>a</think>" for place in (0, 2, 4)]
    senseless = [f"<match>{words}</match><think>a</think>" for words in ("zzz, qqq", "www, xyx", "jjj, vvv")]
    answer = "<answer>\\textbf{nothing}</answer>"
    read = read_trace(played(task, patient, "".join(told) + answer), task.tags)
    assert [len(one.terms) for one in read.rounds] == [2, 2, 2]
    assert DeepDxSearch()(played(task, patient, "".join(senseless) + answer)).value == 0.0


def test_the_reward_keeps_its_promises() -> None:
    cheats = ["<answer>\\textbf{disease}</answer>", "<refer>x</refer>", lambda example: ", ".join(example.gold)]
    check_reward(DeepDxSearch(), FULL, cheats=cheats, count=2)


def test_a_made_world_is_the_same_again_and_another_by_another_seed() -> None:
    assert FULL.examples("train") == MadeDiagnosis(**SMALL).examples("train")
    assert FULL.examples("train") != MadeDiagnosis(**SMALL, seed=1).examples("train")
    assert pickle.loads(pickle.dumps(FULL)) == FULL


def test_no_patient_is_a_record() -> None:
    patients = [*FULL.examples("train"), *FULL.examples("eval")]
    records = FULL.world.records.documents
    published = {document.payload["publication"] for document in records}
    assert published.isdisjoint(one.publication for one in patients)
    assert {document.id for document in records}.isdisjoint(one.id for one in patients)


def test_tools_never_show_the_patients_own_publication() -> None:
    """A patient whose publication is a record's own asks for that record's findings, and is shown the others."""
    record = FULL.world.records.documents[0]
    asked = ", ".join(record.payload["symptoms"])
    seen = {}
    for publication in ("", record.payload["publication"]):
        patient = DiagnosisExample(id="x", findings=("a",), publication=publication, gold=("x",))
        trace = read_trace(played(FULL, patient, f"<match>{asked}</match>"), FULL.tags)
        seen[publication] = {source.publication for source in trace.calls[0].sources}
    assert record.payload["publication"] in seen[""]
    assert record.payload["publication"] not in seen[record.payload["publication"]]
    assert seen[record.payload["publication"]]


def test_prompts_name_the_tags_of_the_layout() -> None:
    task = MadeDiagnosis(**SMALL, layout="paper")
    system, user = task.prompt(task.examples("eval")[0]).messages
    for tag in ("match", "lookup", "reason", "diagnose"):
        assert f"<{tag}>" in system.content
    assert "<answer>" not in system.content
    assert user.content.startswith("Findings: ")
    assert len(BRIEF.prompt(BRIEF.examples("eval")[0]).messages[0].content) < 200


def test_absent_findings_are_told_apart_and_names_with_commas_are_quoted() -> None:
    patient = DiagnosisExample(
        id="x", findings=("Fever", "Deafness, mild"), absent=("Rash",), sex="UNKNOWN_SEX", gold=("x",)
    )
    said = FULL.prompt(patient).messages[-1].content
    assert said == "Findings: Fever, 'Deafness, mild'\nLooked for and absent: Rash"
    assert FULL.prompt(patient.model_copy(update={"sex": "MALE"})).messages[-1].content.startswith("Sex: male\n")


def test_a_fourth_match_is_told_so_and_a_ninth_call_ends_the_attempt() -> None:
    patient = FULL.examples("train")[0]
    asked = f"<match>{patient.findings[0]}</match><think>a</think>"
    trace = read_trace(played(FULL, patient, asked * 4), FULL.tags)
    assert [call.fault for call in trace.calls] == ["", "", "", "tool limit"]
    assert played(FULL, patient, asked * 9).stop == "length"


def test_records_that_a_budget_cut_off_are_no_sources() -> None:
    """Records that stand whole in what the policy was shown count, and no others."""
    patient = FULL.examples("train")[0]
    asked = f"<match>{', '.join(patient.findings)}</match><think>a</think>Done."
    (whole,) = read_trace(played(FULL, patient, asked), FULL.tags).calls
    for most in (1, 150, 400, 401):
        cut = MadeDiagnosis(**SMALL, max_chars=most)
        rollout = played(cut, patient, asked)
        (call,) = read_trace(rollout, cut.tags).calls
        shown = rollout.segments[1].text
        assert len(shown) == most + len("<refer></refer>")
        assert len(call.sources) == shown.count("}")
        assert call.sources == whole.sources[: len(call.sources)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"diseases": 1}, "diseases is 1; a number from 2 to 128"),
        ({"noise": -1}, "noise is -1"),
        ({"length": "long"}, "length is 'long'"),
        ({"layout": "odd"}, "accepted are 'released', 'paper'"),
    ],
)
def test_settings_of_a_made_world_that_cannot_work_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        MadeDiagnosis(**options)


# -- published cases ---------------------------------------------------------------------------------------------------


def files(folder: Path) -> tuple[str, str]:
    """Made cases and names, in the layout of published ones."""
    cases, names = made_cases(0, diseases=8, publications=6, patients=4)
    rows = [
        {
            "id": case.id,
            "pmid": case.publication,
            "observed": list(case.observed),
            "excluded": ["HP:9000399"],
            "diagnosis": [[one.id, one.name] for one in case.diagnoses],
        }
        for case in cases
    ]
    rows_at, terms_at = folder / "cases.jsonl.gz", folder / "terms.jsonl"
    rows_at.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    terms_at.write_text("\n".join(json.dumps({"id": id, "label": name}) for id, name in names.items()))
    return str(rows_at), str(terms_at)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return files(tmp_path_factory.mktemp("published"))


def test_published_cases_are_records_and_patients_of_other_publications(published: tuple[str, str]) -> None:
    task = Diagnosis(cases=published[0], terms=published[1], train_on="found")
    assert task.examples("train")
    assert all(task.reference(one) for one in task.examples("train"))
    of = [{one.publication for one in task.examples(split)} for split in ("train", "eval")]
    of.append({document.payload["publication"] for document in task.world.records.documents})
    assert not (of[0] & of[1] | of[0] & of[2] | of[1] & of[2])
    for one in task.examples("train")[:3]:
        assert DeepDxSearch()(played(task, one, task.reference(one) or "")).value == pytest.approx(1.0)


def test_noise_is_listed_and_never_told_to_be_absent(published: tuple[str, str]) -> None:
    """1.5 times as many: a chart of n findings lists round(1.5 n) more, if so many frequent ones are left."""
    clean, noisy = (Diagnosis(cases=published[0], terms=published[1], noise=noise) for noise in (0.0, 1.5))
    own = {one.id: set(one.findings) for one in clean.examples("eval")}
    for one in noisy.examples("eval"):
        assert own[one.id] <= set(one.findings)
        assert len(one.findings) == len(own[one.id]) + round(1.5 * len(own[one.id]))
        assert not set(one.findings) & set(one.absent)


def test_a_search_is_offered_where_there_are_passages(published: tuple[str, str], tmp_path: Path) -> None:
    passages = tmp_path / "passages.jsonl"
    passages.write_text(json.dumps({"id": "t1", "title": "Fevers", "text": "Dalu fever comes with a rash."}))
    task = Diagnosis(cases=published[0], terms=published[1], passages=str(passages))
    patient = task.examples("eval")[0]
    assert "<literature>" in task.prompt(patient).messages[0].content
    trace = read_trace(played(task, patient, "<literature>fever rash</literature>Done."), task.tags)
    assert [(source.kind, source.id) for source in trace.calls[0].sources] == [("passage", "t1")]


def test_a_passage_from_the_patients_own_publication_is_not_shown(published: tuple[str, str], tmp_path: Path) -> None:
    patient = Diagnosis(cases=published[0], terms=published[1]).examples("eval")[0]
    assert patient.publication
    rows = [
        {"id": id, "text": "Dalu fever, rash.", "publication": of}
        for id, of in (("own", patient.publication), ("o", "1"))
    ]
    passages = tmp_path / "passages.jsonl"
    passages.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = Diagnosis(cases=published[0], terms=published[1], passages=str(passages))
    trace = read_trace(played(task, patient, "<literature>fever rash</literature>Done."), task.tags)
    assert [source.id for source in trace.calls[0].sources] == ["o"]


def test_guidelines_of_rare_and_of_common_diseases_are_looked_up_together(
    published: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one id the rare ones' stands; the records' own guidelines are not asked then."""
    rare, common = ([guideline(Disease(id, id), [who], who) for id in ids] for who, ids in (("r", "xy"), ("c", "yz")))
    monkeypatch.setattr(dx_tasks, "_rare_guidelines", lambda: Corpus(rare))
    monkeypatch.setattr(guidelines, "common_guidelines", lambda: Corpus(common))
    for known, told in (("rare", {"x": "r", "y": "r"}), ("all", {"x": "r", "y": "r", "z": "c"})):
        world = Diagnosis(cases=published[0], terms=published[1], guidelines=known).world  # type: ignore[arg-type]
        assert {one.id: one.payload["source"] for one in world.guidelines.documents} == told


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({}, ConfigError, "cases is empty"),
        ({"cases": "nowhere.jsonl", "terms": "?"}, TaskError, "no names of findings at"),
        ({"guidelines": "none"}, ConfigError, "guidelines is 'none'"),
        ({"noise": float("nan")}, ConfigError, "noise is nan"),
        ({"diseases": 0}, ConfigError, "diseases is 0"),
    ],
)
def test_what_cannot_be_loaded_says_why(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        Diagnosis(**options).examples("train")


@pytest.mark.slow
def test_real_cases_are_a_task(data_dir: Path) -> None:
    """Noise costs the fixed work flow a tenth at least (the sheet's best: .59 to .63 clean, .20 to .28 noisy; this
    one votes alone, and is below). Each name that it says has a source.
    """
    scores = {}
    for noise in (0.0, 1.5):
        task = Diagnosis(
            cases=str(data_dir / "phenopackets.jsonl.gz"),
            terms=str(data_dir / "phenopacket_terms.jsonl.gz"),
            guidelines="half",
            noise=noise,
        )
        assert len(task.examples("eval")) > 250
        rollouts = [fixed_workflow(task, one) for one in task.examples("eval")[:60]]
        for name, metric in task.metrics().items():
            scores[name, noise] = sum(metric(rollout).value for rollout in rollouts) / len(rollouts)
    assert scores["acc@1", 0.0] > scores["acc@1", 1.5] + 0.1
    assert scores["traced", 0.0] == scores["traced", 1.5] == 1.0


# -- a fixed work flow, and attacks ------------------------------------------------------------------------------------


def test_the_fixed_work_flow_earns_what_its_trace_is_worth() -> None:
    patient = FULL.examples("eval")[0]
    rollout = fixed_workflow(FULL, patient)
    assert rollout.stop == "environment"
    assert DeepDxSearch()(rollout).value == 1.0
    assert [call.action for call in read_trace(rollout, FULL.tags).calls] == ["match", "lookup"]


def test_the_fixed_work_flow_answers_nothing_where_nothing_is_found() -> None:
    unknown = DiagnosisExample(id="x", findings=("''", ","), gold=("x",))
    rollout = fixed_workflow(FULL, unknown)
    assert read_trace(rollout, FULL.tags).names == ()
    assert DeepDxSearch()(rollout).value == 0.0


def test_votes_are_counted_by_normalised_names() -> None:
    assert most_frequent(["Rubella", "The Measles", "measles", "Flu"], 2) == [("The Measles", 2), ("Rubella", 1)]


@pytest.mark.parametrize("attack", [MoreNames, ForgedRecords, PaddedRounds, StopWords])
def test_attacks_are_attacks(attack: Any) -> None:
    check_attack(attack)


def test_forged_records_earn_as_released_and_nothing_as_repaired() -> None:
    """Played against the tools: as released, what the policy forges behind its call is part of that call's answer."""
    small = MadeDiagnosis(**SMALL, records_shown=1)
    attacks = ForgedRecords.variants()
    most = {}
    for reading in ("repaired", "released"):
        report = audit(DeepDxSearch(reading=reading), small, attacks, Settings(examples=4))
        most[reading] = max(max(one.values) for one in report.findings)
    assert most["repaired"] == 0.0
    assert most["released"] > 0.9


def test_more_names_than_five_close_the_gate() -> None:
    """Of six diseases there are five others: all of them named is allowed, and one name more is not."""
    patient = FULL.examples("train")[0]
    for count, total in ((5, 0.95), (6, 0.0)):
        names = " ".join(f"\\textbf{{{name}}}" for name in (*patient.gold, *map(str, range(count - 1))))
        asked = f"<match>{', '.join(patient.findings)}</match><think>a</think><answer>{names}</answer>"
        assert DeepDxSearch()(played(FULL, patient, asked)).value == pytest.approx(total)


def test_attacks_read_the_chart_in_both_prompts() -> None:
    for task in (FULL, BRIEF):
        patient = task.examples("train")[0]
        assert findings_of(Target(task.prompt(patient))) == list(patient.findings)
