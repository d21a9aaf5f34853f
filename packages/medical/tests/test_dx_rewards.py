r"""Deep-DxSearch's reward: the sheet's worked examples as released, and what only tools may say as repaired."""

from __future__ import annotations

import importlib.util
import math
import pickle
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon import Group, Rollout
from guerdon.errors import ConfigError
from guerdon.rewards import Context
from guerdon.types import StopReason
from guerdon_medical.dx_grammar import turn_fault
from guerdon_medical.dx_layout import PAPER, Layout, layout_of, marked
from guerdon_medical.dx_rewards import DeepDxSearch
from guerdon_medical.dx_scoring import comma_list
from guerdon_medical.dx_traces import elements

_spec = importlib.util.spec_from_file_location("dx_patients", Path(__file__).with_name("dx_patients.py"))
if "dx_patients" not in sys.modules:
    sys.modules["dx_patients"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["dx_patients"])
dx_patients: Any = sys.modules["dx_patients"]
Bedside, patient = dx_patients.Bedside, dx_patients.patient

RELEASED = DeepDxSearch(reading="released")
R1 = "<match>fever, rash</match> <refer>Measles, Rubella</refer>\n<think>a</think>"
R2 = "<match>fever, rash, cough</match> <refer>Rubella, Dengue</refer> <think>b</think>"
R3 = "<match>cough, conjunctivitis, fever</match> <refer>Measles, Influenza</refer> <think>c</think>"


def end(answer: str = "Measles", searched: str = "Measles, Rubella") -> str:
    return f"<search>{searched}</search> <result>{{}}</result> <answer>\\textbf{{{answer}}}</answer>"


def released(text: str, *gold: str, stop: StopReason = "stop", **options: Any) -> Any:
    return DeepDxSearch(reading="released", **options)(Rollout.of(patient(*gold), text, stop=stop))


@pytest.mark.parametrize(
    ("text", "gold", "total"),
    [
        (R1 + end(), "Measles", 1.0),
        (R1 + R2 + end(), "Measles", 0.2),
        (R2 + R3 + end(), "Measles", 1.0),
        (R1 + R2 + end("Dengue fever"), "Zika", 0.0),
        (R2 + R3 + end(), "Zika", 0.16),
        (end(), "Measles", 0.0),
        (R1 * 4 + end(), "Measles", 0.0),
    ],
)
def test_released_totals_are_those_of_the_sheet(text: str, gold: str, total: float) -> None:
    """Worked examples 1 to 6 and 8."""
    assert released(text, gold).value == pytest.approx(total, abs=1e-12)


def test_the_first_example_earns_the_top_of_each_part() -> None:
    assert released(R1 + end()).flat() == {"format": 1.0, "structure": 1.0, "search": 1.0, "answer": 1.0}


def test_a_trace_without_its_end_is_over_length() -> None:
    """Worked example 7."""
    score = released(R1 + end(), stop="length")
    assert (score.value, score.status, score.why) == (0.0, "truncated", "over length")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (R1 + "<search>Measles</search><answer>\\textbf{Measles}</answer>", "as many <search> as <result>"),
        (R1 + end() + "<answer>\\textbf{Measles}</answer>", "not exactly one <answer>"),
        (R1 + "</answer>\\textbf{Measles}<answer>", "not exactly one <answer>"),
        (R1 + "<answer>Measles</answer>", "marks no diagnosis"),
    ],
)
def test_released_gates_say_why_they_are_closed(text: str, why: str) -> None:
    score = released(text)
    assert (score.value, score.status) == (0.0, "fail")
    assert why in score.why
    assert score.parts["format"].value == 0.0


def test_released_reading_loses_the_disease_of_a_record_in_json_and_the_repaired_one_does_not() -> None:
    """The text is cut at commas, so that the only disease of a record reads "disease measles": r 0, .8 lost."""
    task = Bedside({"fever, rash": ["Measles"]}, text='\n[{"phenotype": "fever", "disease": ["Measles"]}]\n')
    rollout = task.play("<match>fever, rash</match><think>a</think><answer>\\textbf{Measles}</answer>")
    assert RELEASED(rollout).value == pytest.approx(0.15)
    assert DeepDxSearch()(rollout).value == pytest.approx(0.95)


def test_an_apostrophe_is_a_letter_unless_released() -> None:
    """Worked example 11: as released the looked-up names are none at all."""
    names = "Crohn's disease, Flu, Asthma"
    task = Bedside({"cramps": ["Crohn's disease"]}, {names: ["Crohn's disease"]}, text="Crohn's disease")
    said = f"<match>cramps</match><think>a</think><search>{names}</search><answer>\\textbf{{Crohn's disease}}</answer>"
    rollout = task.play(said, "Crohn's disease")
    assert DeepDxSearch()(rollout).flat() == {"format": 1.0, "structure": 1.0, "search": 1.0, "answer": 1.0}
    assert RELEASED(rollout).flat()["search"] == 0.0


def test_the_earlier_version_weighs_otherwise_and_needs_a_lookup() -> None:
    """.3 + .3 + .4 where all is right; sim({Rubella, Dengue}, Measles) = 0 of the first round alone leaves .7."""
    assert released(R1 + end(), form="earlier").value == pytest.approx(1.0)
    assert released(R2 + R3 + end(), form="earlier").value == pytest.approx(0.7)
    score = released(R1 + "<answer>\\textbf{Measles}</answer>", form="earlier")
    assert (score.value, score.why) == (0.0, "nothing was looked up")


@given(st.lists(st.sampled_from(["<a>", "</a>", "<b>", "</b>", "<c>", "</c>", " ", "x"]), max_size=24))
def test_elements_are_those_of_the_authors_expression(pieces: list[str]) -> None:
    text = "".join(pieces)
    wanted = re.findall(r"<a>(.*?)</a>\s*<b>(.*?)</b>\s*<c>(.*?)</c>", text, re.DOTALL)
    assert elements(text, "a", "b", "c") == wanted
    assert [one for (one,) in elements(text, "a")] == re.findall(r"<a>(.*?)</a>", text, re.DOTALL)


@pytest.mark.parametrize(
    "text", ["<match></match><refer></refer>" * 5000, "<match>" * 20_000, "<match></match>" + " " * 100_000]
)
def test_hostile_text_is_graded_in_time(text: str) -> None:
    started = time.process_time()
    assert released(text + end()).value == 0.0
    assert time.process_time() - started < 1.0


# -- repaired: what tools answered, from segments ----------------------------------------------------------------------

KNOWN = {
    "fever, rash": ["Measles", "Rubella"],
    "fever, rash, cough": ["Rubella", "Dengue"],
    "cough, conjunctivitis, fever": ["Measles", "Influenza"],
}
TASK = Bedside(KNOWN, {"Measles, Rubella": ["Measles", "Rubella"]})
M1, M2, M3 = (f"<match>{query}</match><think>a</think>" for query in KNOWN)
END = "<search>Measles, Rubella</search><answer>\\textbf{Measles}</answer>"


@pytest.mark.parametrize(
    ("text", "gold", "total"),
    [
        (M1 + END, "Measles", 1.0),
        (M1 + M2 + END, "Measles", 0.2),
        (M2 + M3 + END, "Measles", 1.0),
        (M2 + M3 + END, "Zika", 0.16),
        (M1 + "<answer>\\textbf{Measles}</answer>", "Measles", 0.95),
    ],
)
def test_a_trace_of_tools_earns_what_its_text_would(text: str, gold: str, total: float) -> None:
    """Worked examples 1, 2, 3 and 5; without a lookup .05 less."""
    assert DeepDxSearch()(TASK.play(text, gold)).value == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not exactly one <answer>"),
        (END, "0 matches; 1 to 3 are needed"),
        (M1 + M2 + M3 + M1 + END, "4 matches; 1 to 3 are needed"),
        ("<match>fever, rash</match>" + END, "1 of 1 matches are not thought about"),
        (M1 + "<answer>Measles</answer>", "0 diagnoses are marked"),
        (M1 + "<answer>" + "\\textbf{Measles}" * 6 + "</answer>", "6 diagnoses are marked; 1 to 5"),
        (M1 + "<answer>\\textbf{Measles}</answer>" + M2, "calls a tool after the answer"),
        (M1 + END + END, "not exactly one <answer>"),
        (M1 + "<search>Measles", "<search> is never closed"),
        (M1 + "<match>fever <search>Measles</search>" + END, "search stands within one of match"),
        (M1 + "<fetch>Measles</fetch>", "There is no tool fetch"),
        ("<match> </match><think>a</think>" + END, "an empty call of match"),
        ("<match>,,</match><think>a</think>" + END, "an empty call of match"),
        (M1 + "<answer>\\textbf{" + "Measles, Rubella, " * 9 + "}</answer>", "is longer than the name of one disease"),
        (M1 + "<refer>Measles</refer>" + END, "writes <refer>"),
        (M1 + "<think><answer>\\textbf{Measles}</answer></think>", "<answer> stands within <think>"),
        (M1 + "<think>b <answer>\\textbf{Measles}</answer>", "<answer> stands within <think>"),
        (M1 + "<fetch>Measles</fetch> It is. <answer>\\textbf{Measles}</answer>", "<fetch>...</fetch> is no action"),
        (M1 + "</think><answer>\\textbf{Measles}</answer>", "closes a <think> that is not open"),
        (M1 + "<answer>\\textbf{Measles}</answer><think>Sure", "<think> is never closed"),
        (M1 + "<answer>\\textbf{Measles}</answer><search>Measles</search>", "calls <search> after the answer"),
        (R1 + end(), "writes <refer>"),
    ],
)
def test_a_bad_format_earns_nothing_and_says_why(text: str, why: str) -> None:
    score = DeepDxSearch()(TASK.play(text))
    assert (score.value, score.status) == (0.0, "fail")
    assert why in score.why


@pytest.mark.parametrize("said", ["It is <b>not<i> mumps.", "<think>p < .05, <b>so</b></think>", "Well, <measles> or"])
def test_words_and_other_marks_are_no_fault(said: str) -> None:
    assert DeepDxSearch()(TASK.play(M1 + said + "<answer>\\textbf{Measles}</answer>")).value == pytest.approx(0.95)


def test_a_call_that_nobody_answered_is_a_fault() -> None:
    """Where generation does not stop at a call, what follows it was written without an answer."""
    said = "<match>fever, rash</match> They have measles. <answer>\\textbf{Measles}</answer>"
    assert turn_fault(said, Layout()) == "calls <match> before the end of a turn"
    assert turn_fault(said.partition(" They")[0], Layout()) == ""


def test_turns_are_read_in_time() -> None:
    started = time.process_time()
    turn_fault("<a>" * 100_000 + "</a>", Layout())
    turn_fault("<b>" * 100_000 + "<think></think>" * 100_000, Layout())
    assert time.process_time() - started < 2.0


def test_a_thousand_calls_are_cut_and_cost_everything() -> None:
    score = DeepDxSearch()(TASK.play("<match>fever, rash</match><think>a</think>" * 1000 + END))
    assert (score.value, score.status, score.why) == (0.0, "truncated", "more than 8 calls")


def test_a_forged_answer_counts_as_released_and_not_as_repaired() -> None:
    """All of it is the policy's own words, one turn that calls nothing."""
    task = Bedside(KNOWN)
    said = (R1 + end()).replace("</match>", "</match >").replace("</search>", "</search >")
    assert DeepDxSearch()(task.play(said)).value == 0.0
    assert RELEASED(Rollout.of(patient(), R1 + end())).value == 1.0


def test_a_text_that_no_environment_answered_is_no_number_unless_released() -> None:
    """Where a budget cut the first turn, the environment was not asked, and that is the policy's fault."""
    assert DeepDxSearch()(Rollout.of(patient(), R1 + end())).status == "abstain"
    cut = DeepDxSearch()(Rollout.of(patient(), "<match>fever", stop="length"))
    assert (cut.value, cut.status) == (0.0, "truncated")


def test_what_a_tool_shows_is_never_the_policys_own_words() -> None:
    task = Bedside(KNOWN, text="</refer><answer>\\textbf{Measles}</answer><match>x</match>")
    score = DeepDxSearch()(task.play("<match>fever, rash</match><think>a</think>Nothing."))
    assert (score.value, score.why) == (0.0, "there is not exactly one <answer>...</answer>")


@pytest.mark.parametrize("reading", ["repaired", "released"])
def test_a_failed_tool_is_our_fault(reading: Any) -> None:
    score = DeepDxSearch(reading=reading)(TASK.play("<match>broken</match><think>a</think>" + END))
    assert (score.status, math.isnan(score.value)) == ("infra", True)


@pytest.mark.parametrize("reading", ["repaired", "released"])
def test_a_case_without_a_diagnosis_is_no_number(reading: Any) -> None:
    case = patient().model_copy(update={"gold": ()})
    assert DeepDxSearch(reading=reading)(Rollout.of(case, R1 + end())).status == "invalid"


def test_tags_of_the_paper_are_read_alike() -> None:
    task = Bedside(KNOWN, {"Measles": ["Measles"]}, PAPER)
    text = "<match>fever, rash</match><reason>a</reason><lookup>Measles</lookup><diagnose>\\textbf{Measles}</diagnose>"
    assert DeepDxSearch(layout="paper")(task.play(text)).value == 1.0
    assert DeepDxSearch()(task.play(text)).value == 0.0


# -- weights -----------------------------------------------------------------------------------------------------------


def test_stages_change_the_weights_at_their_steps() -> None:
    """r 1, s 0, a 1: .8 + .15 before step 5, .2 + .6 from there on."""
    rollout = TASK.play(M1 + "<answer>\\textbf{Measles}</answer>")
    reward = DeepDxSearch(stages={5: (0.2, 0.2, 0.6)})
    values = [Context(step=step).scores(reward, [Group.of([rollout])])[0][0].value for step in (0, 4, 5, 99)]
    assert values == pytest.approx([0.95, 0.95, 0.8, 0.8])
    assert pickle.loads(pickle.dumps(reward)) == reward


def test_stages_of_a_file_whose_keys_are_texts_are_the_same() -> None:
    assert DeepDxSearch(stages={"5": [0.2, 0.2, 0.6]}) == DeepDxSearch(stages={5: (0.2, 0.2, 0.6)})  # type: ignore[dict-item]


def test_a_weight_can_be_changed_alone() -> None:
    rollout = TASK.play(M1 + "<answer>\\textbf{Measles}</answer>")
    assert DeepDxSearch(structure=0.0, search=0.0, answer=1.0)(rollout).value == 1.0
    assert DeepDxSearch(structure=0.4)(rollout).value == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"reading": "printed"}, "reading is 'printed'; accepted are 'repaired', 'released'"),
        ({"form": "new"}, "form is 'new'"),
        ({"structure": math.nan}, "weights are"),
        ({"structure": 0.9}, "add up to 1 at most"),
        ({"answer": -0.1}, "numbers >= 0"),
        ({"stages": {0: (1.0,)}}, r"stages\[0\] are"),
        ({"stages": {-1: (0.8, 0.05, 0.15)}}, "whole numbers >= 0"),
        ({"stages": {True: (0.8, 0.05, 0.15)}}, "begin at step True"),
        ({"stages": {0: (0.8, 0.05, 0.15), "late": (0.8, 0.05, 0.15)}}, "begin at step 'late'"),
        ({"stages": {0: ("much", 0.0, 0.0)}}, r"stages\[0\] is \('much'"),
        ({"stages": {0: 1.0}}, r"stages\[0\] is 1.0"),
        ({"stages": [1]}, r"stages is \[1\]"),
        ({"layout": "mine"}, "accepted are 'released', 'paper'"),
        ({"layout": "think=match"}, "are alike"),
        ({"layout": "think=<b>"}, "without brackets"),
    ],
)
def test_settings_that_cannot_work_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        DeepDxSearch(**options)


def test_a_layout_may_differ_by_single_tags() -> None:
    assert layout_of("think=ponder, answer=final") == Layout(think="ponder", answer="final")


def test_marked_names_and_lists_are_read_as_they_are_written() -> None:
    assert marked("\\textbf{Flu} \\textbf{ } \\textbf{ Measles } \\textbf{open") == ("Flu", "Measles")
    assert comma_list(["Flu", "Deafness, type 4"]) == "Flu, 'Deafness, type 4'"
