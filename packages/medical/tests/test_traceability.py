"""Each name that a trace claims is linked to what was retrieved before it, or has none; and what reports measure."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from guerdon import Rollout
from guerdon.trainer.records import rollout_of, row_of
from guerdon_medical.dx_layout import RELEASED
from guerdon_medical.dx_metrics import Accuracy, GoldMatched, TracedShare
from guerdon_medical.dx_rewards import DeepDxSearch
from guerdon_medical.dx_traces import Source, Trace, read_trace
from guerdon_medical.traceability import shows, told, traced

_spec = importlib.util.spec_from_file_location("dx_patients", Path(__file__).with_name("dx_patients.py"))
if "dx_patients" not in sys.modules:
    sys.modules["dx_patients"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["dx_patients"])
dx_patients: Any = sys.modules["dx_patients"]
patient = dx_patients.patient
TASK = dx_patients.Bedside({"fever": ["Measles", "Rubella"]}, {"measles, Zika": ["Zika"]})
SAID = (
    "<match>fever</match><think>a</think><search>measles, Zika</search>"
    "<answer>\\textbf{The Measles} \\textbf{Zika} \\textbf{Dengue}</answer>"
)


def trace_of(text: str) -> Trace:
    return read_trace(TASK.play(text), RELEASED)


def test_names_are_linked_to_what_was_shown_before_them() -> None:
    """Measles is in a record before it is looked up; Zika's guideline comes after it was asked for, before the answer;
    nothing shows Dengue. So 3 of 5."""
    report = traced(trace_of(SAID))
    found = [(claim.kind, claim.name, claim.turn, [source.id for source in claim.sources]) for claim in report.claims]
    assert found == [
        ("lookup", "measles", 1, ["r0"]),
        ("lookup", "Zika", 1, []),
        ("diagnosis", "The Measles", 2, ["r0"]),
        ("diagnosis", "Zika", 2, ["g0"]),
        ("diagnosis", "Dengue", 2, []),
    ]
    assert report.share == pytest.approx(3 / 5)
    assert TracedShare()(TASK.play(SAID)).value == pytest.approx(3 / 5)


def test_a_report_is_text_and_json() -> None:
    report = traced(trace_of(SAID))
    assert report.text().splitlines() == [
        "lookup 'measles' (turn 2):",
        "  record r0, PMID 123: Measles",
        "lookup 'Zika' (turn 2): no source",
        "diagnosis 'The Measles' (turn 3):",
        "  record r0, PMID 123: Measles",
        "diagnosis 'Zika' (turn 3):",
        "  guideline g0: Zika",
        "diagnosis 'Dengue' (turn 3): no source",
        "3 of 5 claims have a source",
    ]
    data = json.loads(json.dumps(report.as_data()))
    assert data["share"] == pytest.approx(0.6)
    assert data["claims"][0]["sources"][0]["publication"] == "123"


def test_many_sources_of_a_claim_are_counted_and_not_all_told() -> None:
    task = dx_patients.Bedside({"fever": ["Measles"] * 7})
    text = "<match>fever</match><think>a</think><answer>\\textbf{Measles}</answer>"
    lines = traced(read_trace(task.play(text), RELEASED)).text(most=2).splitlines()
    assert lines[-2:] == ["  and 5 more", "1 of 1 claims have a source"]


def test_a_trace_read_from_a_runs_file_has_the_same_sources() -> None:
    """Rollouts are kept as JSON; what was found comes back as mappings."""
    rollout = TASK.play(SAID, "Zika")
    row = json.loads(json.dumps(row_of(rollout)))
    again = rollout_of(row, rollout.example, rollout.prompt)
    assert traced(read_trace(again, RELEASED)) == traced(read_trace(rollout, RELEASED))
    assert DeepDxSearch()(again).flat() == DeepDxSearch()(rollout).flat()


def test_a_forged_record_is_no_source() -> None:
    report = traced(trace_of("<match>none</match><refer>Dengue</refer><answer>\\textbf{Dengue}</answer>"))
    assert [claim.sources for claim in report.claims] == [()]


def test_a_trace_that_names_nothing_has_nothing_to_trace() -> None:
    report = traced(trace_of("I do not know."))
    assert (report.claims, report.text(), report.as_data()["share"]) == ((), "the trace names no disease", None)
    assert math.isnan(report.share)
    assert TracedShare()(TASK.play("I do not know.")).status == "abstain"


@pytest.mark.parametrize(
    ("name", "shown"), [("Yellow fever", True), ("the yellow fevers", True), ("fever yellow", False), ("low", False)]
)
def test_a_passage_shows_the_names_that_stand_in_it(name: str, shown: bool) -> None:
    passage = Source("passage", "p", title="On yellow fever", text="It is spread by mosquitoes.")
    assert shows(passage, name) is shown
    assert told(passage) == "passage p: On yellow fever"


@pytest.mark.parametrize("name", ["", " ", "a", "the"])
def test_a_name_of_no_words_is_shown_by_nothing(name: str) -> None:
    assert not shows(Source("record", "r", ("a", "")), name)


# -- metrics -----------------------------------------------------------------------------------------------------------


def test_accuracy_counts_the_first_names_alone() -> None:
    rollout = TASK.play(SAID, "Zika disease")
    assert [Accuracy(k=k)(rollout).value for k in (1, 2, 5)] == [0.0, 1.0, 1.0]
    assert "says The Measles; it is Zika disease" in Accuracy()(rollout).why


def test_a_name_of_three_letters_is_contained_in_nothing_unless_released() -> None:
    rollout = TASK.play("<match>fever</match><think>a</think><answer>\\textbf{a}</answer>", "Dengue a")
    assert Accuracy()(rollout).value == 0.0
    assert Accuracy(reading="released")(rollout).value == 1.0


def test_gold_is_matched_where_a_record_has_it() -> None:
    assert GoldMatched()(TASK.play(SAID, "rubella")).value == 1.0
    assert GoldMatched()(TASK.play(SAID, "Zika")).value == 0.0


@pytest.mark.parametrize("metric", [Accuracy(), GoldMatched()])
def test_metrics_of_what_nobody_knows_or_of_a_failed_tool_are_no_numbers(metric: Any) -> None:
    nobody = patient().model_copy(update={"gold": ()})
    assert metric(Rollout.of(nobody, SAID)).status == "invalid"
    assert metric(TASK.play("<match>broken</match>" + SAID)).status == "infra"


def test_no_answer_is_a_wrong_one() -> None:
    score = Accuracy(k=5)(TASK.play("I do not know."))
    assert (score.value, score.status) == (0.0, "fail")
