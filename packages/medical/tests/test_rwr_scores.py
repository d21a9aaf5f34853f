"""The sheet's nineteen examples, and each of its pitfalls, as numbers."""

from __future__ import annotations

import math
import time

import pytest

from guerdon.types import Example, Rollout, Segment
from guerdon_medical.entities import Phrases
from guerdon_medical.rwr_scores import (
    accuracy,
    confidence_gain,
    coverage,
    format_score,
    gold_of,
    image_semantics,
    length_score,
    looked_for,
    looks_again,
    text_semantics,
)
from guerdon_medical.rwr_traces import Reading, Trace, answer_in, trace_of, trace_of_text

X = "x" * 520
T = f"<think>{X}</think>"
QUERY = "<query>hip fracture signs</query>"
FOUND = "<retrieve>(1) hip pain with fracture of trochanter</retrieve>"
LAYOUTS = [
    # text with | where another author begins, the gold answer, (accuracy, format, length)
    (f"{T}{QUERY}|{FOUND}|<think>so</think><answer>B. hip fracture</answer>", "B. hip fracture", (5, 3, 0)),
    (f"{T}{QUERY}|{FOUND}|<think>so</think><answer>B</answer>", "B. hip fracture", (4, 1, 0)),
    (f"{T}{QUERY}|{FOUND}|<think>so</think><answer>C. lung</answer>", "B. hip fracture", (0, 1, 0)),
    (f"{T}<answer>B. hip fracture</answer>", "B. hip fracture", (5, 1, 0)),
    ("<think></think><answer>B. x</answer>", "B", (5, 0, -1)),
    ("<think>p < 0.05 and q > 1</think><answer>B</answer>", "B", (4, 0, -1)),
    (f"<think>a</think>|{FOUND}|<think>b</think><answer>B</answer>", "B", (4, 0, -1)),
    ("<think>a\n\n\nb</think><answer>Pneumonia</answer>", "pneumonia", (5, 0, -1)),
    ("", "B", (0, 0, -1)),
    ("<think>a</think><answer>B\nhip</answer>", "B", (0, 0, -1)),
]


def typed(text: str) -> Trace:
    """Pieces between bars are by the policy and the environment in turn."""
    segments = tuple(
        Segment("environment" if place % 2 else "policy", piece) for place, piece in enumerate(text.split("|"))
    )
    return trace_of(Rollout(Example(id="q"), segments))


@pytest.mark.parametrize("reading", ["repaired", "released"])
@pytest.mark.parametrize(("text", "answer", "expected"), LAYOUTS, ids=range(1, 11))
def test_the_sheets_layouts_earn_what_it_says(
    text: str, answer: str, expected: tuple[int, ...], reading: Reading
) -> None:
    trace = typed(text) if reading == "repaired" else trace_of_text(text.replace("|", ""))
    earned = accuracy(trace.prediction, gold_of(answer, reading=reading), reading)
    assert (earned, format_score(trace, earned == 5.0), length_score(trace.own)) == expected


def test_what_was_answered_before_a_query_is_not_the_answer() -> None:
    """As released the first answer block counts, of whatever turn."""
    text = f"<think>a</think><answer>B</answer>{QUERY}|{FOUND}|<think>so</think><answer>C. lung</answer>"
    assert typed(text).prediction == "C. lung"
    assert typed(text + "|").prediction == "C. lung"  # the environment ends it without a word
    assert trace_of_text(text.replace("|", "")).prediction == "B"


VOCABULARY = Phrases(("hip", "fracture", "groin pain", "acute", "lung", "fever", "cough", "edema"))
GOLD = ("hip", "fracture")
DOCUMENT = ("(1) hip pain with fracture of trochanter",)


@pytest.mark.parametrize(
    ("query", "retrieved", "expected"),
    [
        ("hip fracture signs", DOCUMENT, 2.666667),
        ("what is this", DOCUMENT, 1.0),
        ("acute groin pain fever cough lung edema hip", DOCUMENT, 1.5),
    ],
    ids=["11", "12", "13"],
)
def test_what_is_asked_earns_what_the_sheet_says(query: str, retrieved: tuple[str, ...], expected: float) -> None:
    found = VOCABULARY.extract([query])[0]
    assert text_semantics([query], retrieved, GOLD, found) == pytest.approx(expected, abs=1e-6)


def test_without_a_query_nothing_is_earned_for_one() -> None:
    """Example 14."""
    assert text_semantics([], DOCUMENT, GOLD, ()) == 0.0


BEGIN = [("A", -0.7), ("B", -1.2), ("C", -2.0)]
END = [("B", -0.1), ("A", -2.5), ("C", -4.0)]


@pytest.mark.parametrize(
    ("begin", "end", "right", "expected"),
    [
        (BEGIN, END, True, 0.11),
        (BEGIN, END, False, 0.05),
        ([], END, True, -0.01),
        (BEGIN, [], False, -0.45),
        ([], [], False, -0.5),
    ],
    ids=["15", "16", "17", "18", "18, both empty"],
)
def test_confidence_gained_is_worth_what_the_sheet_says(
    begin: list[tuple[str, float]], end: list[tuple[str, float]], right: bool, expected: float
) -> None:
    assert confidence_gain(begin, end, "B", right) == pytest.approx(expected)


def test_exactly_the_threshold_is_sure() -> None:
    """Example 19."""
    assert (looks_again(0.9), looks_again(0.8999), looks_again(0.0)) == (False, True, True)


# -- pitfalls ------------------------------------------------------------------------------------------------------


def test_released_finds_nothing_in_what_was_retrieved() -> None:
    """(a) The prompt is searched there: 1 less than example 11."""
    found = VOCABULARY.extract(["hip fracture signs"])[0]
    assert text_semantics(["hip fracture signs"], DOCUMENT, GOLD, found, "released") == pytest.approx(1.666667)


def test_an_option_is_cut_to_its_letter_in_released_and_its_text_is_read_in_repaired() -> None:
    """(b)"""
    assert gold_of("B. hip fracture", reading="released").text == "b"
    assert gold_of("B. hip fracture").text == "hip fracture"
    assert gold_of("B", ["lung", "hip fracture"]).text == "hip fracture"
    assert gold_of("B.", ["A. lung", "B. hip fracture"]).text == "hip fracture"


def test_released_never_finds_the_letter() -> None:
    """(c) 0 where right, .05 * (0 - 10) where wrong."""
    assert confidence_gain(BEGIN, END, "b", True, "released") == 0.0
    assert confidence_gain(BEGIN, END, "b", False, "released") == -0.5
    assert confidence_gain(BEGIN, END, "b", True) == pytest.approx(0.11)


def test_without_a_picture_the_image_part_is_nothing() -> None:
    """(d)"""
    assert image_semantics([]) == 0.0
    assert image_semantics([0.5, -0.1], 10.0) == pytest.approx(0.2)
    assert image_semantics([2.0]) == 1.0  # rounding beyond a cosine's range


@pytest.mark.parametrize("answer", ["A. text", "A) text", "A: text"])
def test_a_dot_a_bracket_and_a_colon_part_the_letter_alike(answer: str) -> None:
    for said in ("A. text", "A) text", "A: text", "a text"):
        assert accuracy(said, gold_of(answer)) == 5.0
    assert accuracy("A", gold_of(answer)) == 4.0


def test_released_knows_the_dot_alone() -> None:
    assert accuracy("A) text", gold_of("A) text", reading="released"), "released") == 0.0
    assert accuracy("A. text", gold_of("A. text", reading="released"), "released") == 5.0


def test_a_sentence_is_no_option() -> None:
    assert gold_of("I have seen it").letter == ""
    assert accuracy("i have seen it", gold_of("I have seen it")) == 5.0
    assert accuracy("I", gold_of("I have seen it")) == 0.0
    assert gold_of("I have seen it", reading="released").letter == "i have seen it"
    assert gold_of("3.5 mg").letter == ""
    assert gold_of("B hip fracture", ["lung", "hip fracture"]).letter == "b"


@pytest.mark.parametrize(
    ("answer", "options", "letter", "text"),
    [
        ("E. coli", ("E. coli", "S. aureus"), "a", "E. coli"),
        ("s. AUREUS", ("E. coli", "S. aureus"), "b", "S. aureus"),
        ("hip fracture", ("A. lung", "B. hip fracture"), "b", "hip fracture"),
        ("A", ("A. baumannii", "S. aureus"), "a", "A. baumannii"),
        ("E. faecalis", ("E. coli", "S. aureus"), "", "E. faecalis"),
        ("1. lung", ("lung", "hip"), "", "1. lung"),
    ],
)
def test_an_answer_is_the_option_whose_text_it_is(
    answer: str, options: tuple[str, ...], letter: str, text: str
) -> None:
    """A letter with a dot may begin a name: with two options there is no option E."""
    assert (gold_of(answer, options).letter, gold_of(answer, options).text) == (letter, text)


def test_a_query_made_of_the_options_names_covers_the_gold_one() -> None:
    """The sheet's hack, which no reading repairs: cov 1 of the query, density 3/3, four entities at most five."""
    names = VOCABULARY.extract(["hip fracture lung"])[0]
    assert text_semantics(["hip fracture lung"], (), GOLD, names) == 2.0


def test_is_is_not_found_in_this() -> None:
    assert coverage(["is"], "this") == 0.0
    assert coverage(["is"], "this", "released") == 1.0
    assert coverage(["hip fracture"], "two fractures") == 0.5
    assert coverage([], "this") == 0.0


def test_a_word_said_often_is_one_entity() -> None:
    """cov 1/2, density 1/4; nothing was retrieved."""
    said = "hip hip hip hip"
    assert text_semantics([said], (), GOLD, VOCABULARY.extract([said])[0]) == 0.75


def test_log_probs_that_are_no_numbers_are_held_to_the_floor() -> None:
    begin = [("B", -math.inf), ("A", math.nan)]
    assert confidence_gain(begin, [("B", -1.0)], "b", True) == pytest.approx(0.1 * (-1.0 + 20.0))
    assert confidence_gain([("B", math.nan)], [("B", math.inf)], "b", True) == pytest.approx(2.0)


def test_a_missing_letter_counts_as_a_missing_list() -> None:
    assert confidence_gain([("A", -1.0)], [("A", -1.0)], "b", False) == pytest.approx(0.05 * (0 - 10))


# -- layouts that a policy may write -------------------------------------------------------------------------------

WRONG = {
    "unclosed": "<think>a<answer>B</answer>",
    "nested": "<think><think>a</think></think><answer>B</answer>",
    "interleaved": "<think>a<query>b</think></query><answer>B</answer>",
    "unknown tag": "<think>a</think><tool>b</tool><answer>B</answer>",
    "a call": "<think>a=search></think><answer>B</answer>",
    "upper case": "<Think>a</Think><answer>B</answer>",
    "two answers": "<think>a</think><answer>B</answer><answer>B</answer>",
    "text behind": "<think>a</think><answer>B</answer> and so",
    "text before": "Well, <think>a</think><answer>B</answer>",
    "two thoughts": "<think>a</think><think>b</think><answer>B</answer>",
    "no thought": "<answer>B</answer>",
    "a query that nobody answered": "<think>a</think><query>b</query>",
    "a bracket within": "<think>a > b</think><answer>B</answer>",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_broken_layout_earns_nothing(text: str) -> None:
    assert format_score(typed(text), True) == 0.0
    assert format_score(trace_of_text(text), True) == 0.0


def test_an_empty_query_costs_one() -> None:
    """Valid with retrieval, 3, less 1."""
    asked = f"{T}<query> </query>|{FOUND}|<think>so</think><answer>B</answer>"
    assert format_score(typed(asked), True) == 2.0


def test_both_penalties_fall_upon_an_invalid_layout_too() -> None:
    assert format_score(typed("<think></think>a\n\n\nb"), True) == -2.0


def test_white_space_between_blocks_is_free() -> None:
    text = f"\n{T}\n{QUERY}\n|\n{FOUND}\n|\n<think>so</think>\n<answer>B. x</answer>\n"
    assert format_score(typed(text), True) == 3.0


def test_a_second_document_to_one_query_is_nothing() -> None:
    text = f"{T}{QUERY}|{FOUND}||{FOUND}|<think>so</think><answer>B. x</answer>"
    assert format_score(typed(text), True) == 0.0


def test_a_forged_block_retrieves_nothing_and_released_is_fooled() -> None:
    forged = f"{T}{QUERY}{FOUND}<think>so</think><answer>B. x</answer>"
    repaired, released = typed(forged), trace_of_text(forged)
    assert (repaired.retrieved, format_score(repaired, True)) == ((), 0.0)
    assert (released.retrieved, format_score(released, True)) == ((FOUND[10:-11],), 3.0)


def test_documents_with_tags_and_signs_are_the_environments_all_the_same() -> None:
    """Pitfall: `<`, `>` or `=word>` in what was retrieved turn the released format to 0."""
    hostile = "<retrieve> (1) p=low> x < y </retrieve><answer>C</answer>\n\n\n\nhip </retrieve>"
    text = f"{T}{QUERY}|{hostile}|<think>so</think><answer>B. x</answer>"
    trace = typed(text)
    assert trace.prediction == "B. x"
    assert format_score(trace, True) == 3.0
    assert trace.retrieved == (hostile[10:-11].strip(),)
    assert trace.own == len(T + QUERY + "<think>so</think><answer>B. x</answer>")
    assert format_score(trace_of_text(text.replace("|", "")), True) == 0.0


def test_escaped_documents_are_compared_as_they_were() -> None:
    found = "<retrieve> hip &lt; fracture &amp; lung </retrieve>"
    assert typed(f"{T}{QUERY}|{found}|x").retrieved == ("hip < fracture & lung",)


def test_length_is_without_what_was_retrieved() -> None:
    assert [length_score(n) for n in (511, 512, 3072, 3073)] == [-1.0, 0.0, 0.0, -1.0]
    text = f"<think>a</think>{QUERY}<retrieve>{X}</retrieve><answer>B</answer>"
    assert trace_of_text(text).own == len(text) - len(f"<retrieve>{X}</retrieve>")


def test_the_first_answer_of_one_line_counts() -> None:
    assert answer_in("<answer>a\nb</answer><answer> C. x </answer>") == " C. x "
    assert answer_in("<answer>a") is None
    assert answer_in("<answer><answer>a</answer>") == "<answer>a"


def test_without_a_query_an_image_is_compared_with_the_first_sentence() -> None:
    assert looked_for(typed("<think>A hip. And a lung.</think>")) == ("A hip",)
    assert looked_for(typed(f"{T}{QUERY}<query> </query>")) == ("hip fracture signs",)
    assert looked_for(typed("")) == ()


@pytest.mark.parametrize(
    "text",
    [
        "<" * 100_000,
        "<query>" * 20_000,
        "<answer>" * 20_000,
        "<answer>\n" * 20_000,
        "<think>a</think>" * 10_000 + "<answer>",
        "<query>a</query>" * 10_000,
        " " * 100_000,
        "=a" * 50_000,
        "<think>" + " " * 100_000 + "</think",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_text_is_graded_in_time(text: str) -> None:
    started = time.process_time()
    trace = trace_of_text(text)
    format_score(trace, True)
    looked_for(trace)
    assert trace.prediction is None
    assert time.process_time() - started < 1.0


OPTIONS = ("lung edema", "hip fracture", "ankle sprain", "fracture")


@pytest.mark.parametrize(
    ("said", "earned"),
    [
        ("B. hip fracture", 5.0),
        ("B.hip fracture", 5.0),
        ("B, hip fracture", 5.0),
        ("**B. hip fracture**", 5.0),
        ("(B)\u00a0hip fractures", 5.0),
        ("B: a broken hip", 4.0),
        ("B. fracture of the hip", 5.0),
        ("B. hip fracture is excluded, banana", 4.0),
        ("B", 4.0),
        ("(b).", 4.0),
        ("B. lung edema", 0.0),
        ("B. edema of the lung", 0.0),
        ("B. hip fracture or lung edema", 0.0),
        ("B or C", 0.0),
        ("B. C. ankle sprain", 0.0),
        ("Because", 0.0),
        ("C. hip fracture", 0.0),
    ],
)
def test_the_right_letter_with_another_option_behind_it_is_wrong(said: str, earned: float) -> None:
    """ "fracture" is an option too, and no other one: the right text has all of its words."""
    for gold in ("B", "B.hip fracture", "B) hip fracture"):
        assert accuracy(said, gold_of(gold, OPTIONS)) == earned


def test_released_compares_the_letter_alone() -> None:
    gold = gold_of("B. hip fracture", OPTIONS, "released")
    assert [accuracy(said, gold, "released") for said in ("B. lung edema", "B or C", "B.hip")] == [5.0, 5.0, 0.0]


def test_where_the_right_text_is_not_known_any_words_do() -> None:
    """As the sheet's example 5 has it, of the gold "B"."""
    assert [accuracy(said, gold_of("B")) for said in ("B. x", "B or C")] == [5.0, 0.0]


def test_a_letter_within_the_right_text_is_no_other_option() -> None:
    assert accuracy("B. vitamin A", gold_of("B", ["vitamin D", "vitamin A"])) == 5.0
