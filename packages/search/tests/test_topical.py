"""R3: the sheet's worked examples in both readings, and its pitfalls."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from guerdon.conformance import check_task, hostile_texts
from guerdon.errors import ConfigError, RetrievalError
from guerdon.retrieval import HashedEncoder
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_search.topical import cleaned, closed_value, distinct_trigrams, fitted_top, query_text, tokens, topical
from guerdon_search.topical_rewards import R3, TopicalQuery
from guerdon_search.topical_tasks import TopicalFile, TopicalQuestions

PARIS = "The capital of France is Paris."
ABC = "a b c " * 4
EXAMPLES = [  # answer, relevance, closed, LI, RP, R
    (PARIS, 1.4, False, 0.07, 1.0, 0.098),
    (PARIS, 1.4, True, 0.07, 1.0, 2.048),
    ("yes", 2.0, False, 0.01, 1.0, 0.02),
    ("yes", 2.0, True, 0.01, 1.0, 2.925714),
    (ABC, 1.0, False, 0.12, 0.3, 0.036),
    (ABC, 1.0, True, 0.12, 0.3, 0.438857),
    ("", 1.0, False, 0.0, 1.0, 0.0),
    ("", 1.0, True, 0.0, 1.0, 1.462857),
    ("ok go", -0.5, False, 0.02, 1.0, -0.01),
    ("x", 4.2, True, 0.01, 1.0, 6.144),
    ("word " * 200, 1.0, False, 2.0, 0.005051, 0.010101),
]


@pytest.mark.parametrize(("answer", "relevance", "closed", "length", "repetition", "value"), EXAMPLES)
def test_the_released_reward_is_the_sheets(answer, relevance, closed, length, repetition, value):
    found = topical(answer, relevance, closed, reading="released")
    assert (found.length, found.repetition, found.value) == pytest.approx((length, repetition, value), abs=1e-6)


@pytest.mark.parametrize(("answer", "relevance", "closed", "length", "repetition", "value"), EXAMPLES)
def test_the_repaired_reward_agrees_where_nothing_is_to_mend(answer, relevance, closed, length, repetition, value):
    """An empty answer earns 0, a negative relevance 0, and 4.2 counts as 3.5: 5.12."""
    mended = {("", True): 0.0, ("ok go", False): 0.0, ("x", True): 5.12}
    expected = mended.get((answer, closed), value)
    assert topical(answer, relevance, closed).value == pytest.approx(expected, abs=1e-6)


def test_the_answer_is_cut_where_it_plays_the_other_part():
    text = "Sure. It is 4.\n\n\n\nHuman: next?"
    assert cleaned(text) == "Sure. It is 4."
    assert len(tokens(cleaned(text))) == 6
    found = topical(text, 1.0, closed=False)
    assert (found.length, found.repetition) == (0.06, 1.0)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\n\n--\nb", "a"),
        ("a\n\n____b", "a"),
        ("a Assistant: b", "a"),
        ("\n Human: a", ""),
        ("a\n\n\nb", "a\n\n\nb"),
        ("  \n a \n ", "a"),
    ],
)
def test_every_stop_string_cuts(text, left):
    assert cleaned(text) == left


def test_tokens_are_words_and_runs_of_marks():
    assert tokens("Hm... it's 3.5%!") == ["Hm", "...", "it", "'", "s", "3", ".", "5", "%!"]


def test_without_a_trigram_nothing_is_repeated():
    """Pitfall: RP on very short text is 1."""
    assert distinct_trigrams([]) == distinct_trigrams(["a", "a"]) == 1.0
    assert distinct_trigrams(["a"] * 5) == pytest.approx(1 / 3)


def test_the_map_is_a_line_that_is_not_clipped():
    assert closed_value(3.5) == pytest.approx(5.12)
    assert closed_value(7.0) == pytest.approx(10.24)


def test_a_negative_relevance_pays_repetition_as_released_and_nothing_here():
    """Pitfall: longer is worse, repeated is better."""
    long, repeated = "a b c d e f g h", "a a a a a a a a"
    released = [topical(text, -1.0, closed=False, reading="released").value for text in (long, repeated)]
    assert released == pytest.approx([-0.08, -0.08 / 6])
    assert [topical(text, -1.0, closed=False).value for text in (long, repeated)] == [0.0, 0.0]


def test_length_pays_up_to_the_cap_and_without_end_as_released():
    """Pitfall."""
    text = " ".join(f"w{n}" for n in range(1000))
    assert topical(text, 1.0, closed=False).value == pytest.approx(5.12)
    assert topical(text, 1.0, closed=False, reading="released").value == pytest.approx(10.0)


def test_a_changing_counter_passes_the_repetition_penalty():
    """Pitfall: a known hack, told and not mended."""
    assert topical("item 1 item 2 item 3 item 4", 1.0, closed=False).repetition == 1.0


@pytest.mark.parametrize(
    ("factors", "open_", "closed"),
    [
        ((), 1.0, 1.0),
        (("length",), 0.12, 0.12),
        (("repetition",), 0.3, 0.3),
        (("relevance",), 2.0, 2.0),
        (("relevance", "branching"), 2.0, 2.0 / 3.5 * 5.12),
        (("length", "repetition", "branching"), 0.036, 0.3),
    ],
)
def test_a_factor_that_is_off_is_one(factors, open_, closed):
    assert topical(ABC, 2.0, closed=False, factors=factors).value == pytest.approx(open_)
    assert topical(ABC, 2.0, closed=True, factors=factors).value == pytest.approx(closed)


@pytest.mark.parametrize(("relevance", "top"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, 0.0), (1.0, math.nan)])
def test_what_is_no_relevance_is_refused(relevance, top):
    with pytest.raises(ValueError, match="needed"):
        topical("x", relevance, closed=False, top=top)


def test_the_query_loses_roles_and_keeps_earlier_turns():
    assert query_text("Assistant: Hi\n\nHuman:   and\tnow?", ["first"]) == "first Hi and now?"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("System: Be brief.\nAnd kind. Human: and of Norway?", "and of Norway?"),
        ("System: all that is said", "all that is said"),
        ("Which is it? System: no", "Which is it? no"),
    ],
)
def test_a_system_text_before_the_first_turn_is_no_part_of_the_query(query, text):
    assert query_text(query) == text


@dataclass(frozen=True)
class Letters:
    """Counts of letters, 26 of them: r of two texts is the number of equal pairs of letters."""

    name: str = "letters"

    def encode(self, texts, *, kind="passage"):
        return np.array([[text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], dtype=np.float32)


OPEN = TopicalQuery(id="o", query="ab", reference="cc")
CLOSED = TopicalQuery(id="c", query="ab", reference="cc", closed=True)


def test_the_branch_takes_the_query_or_the_reference():
    """Open: a.a = 1 of "a"; closed: c.c = 2 * 1 of "c", F(2) with top 4: 2.56."""
    reward = R3(Letters(), top=4.0)
    rows = Context().scores(
        reward, [Group.of([Rollout.of(OPEN, "a"), Rollout.of(OPEN, "c")]), Group.of([Rollout.of(CLOSED, "c")])]
    )
    assert [[score.value for score in row] for row in rows] == [pytest.approx([0.01, 0.0]), pytest.approx([2.56])]
    assert rows[1][0].flat() == pytest.approx({"relevance": 2.0, "length": 0.01, "repetition": 1.0, "outside": 0.0})


def test_what_lies_outside_the_range_is_counted():
    assert R3(Letters(), top=0.5)(Rollout.of(OPEN, "a")).parts["outside"].value == 1.0


def test_a_closed_query_without_reference_is_the_tasks_fault():
    broken = TopicalQuery(id="x", query="ab", closed=True)
    rows = Context().scores(
        R3(Letters(), top=1.0), [Group.of([Rollout.of(broken, "a")]), Group.of([Rollout.of(OPEN, "a")])]
    )
    assert (rows[0][0].status, rows[1][0].status) == ("invalid", "ok")
    assert R3(Letters(), top=1.0, factors=("relevance",))(Rollout.of(broken, "a")).value == 1.0


@pytest.mark.parametrize("options", [{"reading": "released"}, {"encodes": "whole"}])
def test_the_relevance_is_that_of_the_uncut_answer_as_released(options):
    """The tail counts for the encoder and not for the length."""
    score = R3(Letters(), top=10.0, **options)(Rollout.of(OPEN, "c\n\n\n\naaa"))
    assert (score.parts["relevance"].value, score.parts["length"].value) == (3.0, 0.01)


@pytest.mark.parametrize("options", [{}, {"encodes": "cleaned"}, {"reading": "released", "encodes": "cleaned"}])
@pytest.mark.parametrize("stop", ["\n\n\n\n", "\n\n--", "\n\n____", " Human:", " Assistant:"])
def test_behind_a_stop_string_nothing_is_won_where_the_encoder_reads_what_is_left(options, stop):
    """Of the whole, "aaa" are three pairs of letters with the query, and "ccc" six with the reference; of "x", none."""
    for query, tail in ((OPEN, "aaa"), (CLOSED, "ccc")):
        score = R3(Letters(), top=10.0, **options)(Rollout.of(query, f"x{stop}{tail}"))
        assert (score.parts["relevance"].value, score.value) == (0.0, 0.0)


def test_what_r3_pays_all_the_same_is_what_the_page_says():
    """Known hacks, told and not mended."""
    sky = TopicalQuery(id="o", query="Why is the sky blue over the sea?")
    honest = (
        "The sky is blue over the sea because air scatters short waves of light more than long ones, "
        "and the sea mirrors the sky."
    )
    counted = " ".join(f"{number} {sky.query}" for number in range(60))
    paris = TopicalQuery(id="c", query="Capital of France?", closed=True, reference=PARIS)
    said = ("Paris.", "The capital of France is Lyon.", "The capital of France is not Paris.")
    reward = R3(HashedEncoder(), top=1.0)
    found = [reward(Rollout.of(sky, text)).value for text in (honest, counted)]
    found += [reward(Rollout.of(paris, text)).value for text in said]
    assert [f"{value:.2f}" for value in found] == ["0.16", "1.58", "2.67", "4.17", "4.88"]
    page = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert all(f"{value:.2f}" in page for value in found)


def test_a_batch_and_one_alone_score_the_same_and_equal_texts_are_encoded_once():
    calls = []

    @dataclass(frozen=True)
    class Counted(Letters):
        def encode(self, texts, *, kind="passage"):
            calls.append(tuple(texts))
            return super().encode(texts, kind=kind)

    reward = R3(Counted(), top=4.0)
    group = Group.of([Rollout.of(OPEN, text) for text in ("a", "b", "a")])
    batch = [score.value for score in Context().scores(reward, [group])[0]]
    assert calls == [("ab",), ("a", "b")]
    assert batch == [reward(rollout).value for rollout in group.rollouts]


@pytest.mark.parametrize("broken", [[[math.nan] * 26], [[math.inf] * 26], [[]], []])
def test_an_encoder_that_gives_no_vectors_is_told_and_pays_nobody(broken):
    @dataclass(frozen=True)
    class Broken(Letters):
        def encode(self, texts, *, kind="passage"):
            return np.array(broken * len(texts), dtype=np.float32)

    with pytest.raises(RetrievalError, match="the encoder letters gave"):
        R3(Broken(), top=1.0)(Rollout.of(OPEN, "a"))
    with pytest.raises(RetrievalError, match="the encoder letters gave"):
        fitted_top(Broken(), [("a", "b")])


@pytest.mark.parametrize("text", list(hostile_texts()))
def test_no_text_leaves_the_bounds(text):
    for query in (OPEN, CLOSED):
        reward = R3(Letters(), top=4.0)
        low, high = reward.bounds
        assert low <= reward(Rollout.of(query, text)).value <= high


@pytest.mark.parametrize(
    "options",
    [
        {"top": 0.0},
        {"top": math.nan},
        {"top": 1.0, "factors": ("size",)},
        {"top": 1.0, "max_length": 0},
        {"top": 1.0, "encodes": "cut"},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ConfigError):
        R3(Letters(), **options)


def test_the_range_is_refitted_to_the_encoder():
    """Pitfall: never reuse 3.5. Products 4, 1, 9 -> the 95th percentile 8.5; the median 4."""
    pairs = [("aa", "aa"), ("b", "b"), ("ccc", "ccc")]
    assert fitted_top(Letters(), pairs) == pytest.approx(8.5)
    assert fitted_top(Letters(), pairs, quantile=0.5) == 4.0
    with pytest.raises(ValueError, match="no pairs"):
        fitted_top(Letters(), [])
    with pytest.raises(ValueError, match="above 0"):
        fitted_top(Letters(), [("a", "b")])


def test_made_up_questions_have_references_and_a_third_is_closed():
    task = TopicalQuestions(train_size=30, eval_size=6)
    check_task(task)
    assert sum(one.closed for one in task.examples("train")) == 10


def test_kinds_are_flipped_where_that_is_asked_for():
    right, wrong = (TopicalQuestions(train_size=100, flipped=share).examples("train") for share in (0.0, 1.0))
    assert [one.closed for one in right] == [not one.closed for one in wrong]
    with pytest.raises(ConfigError, match="flipped"):
        TopicalQuestions(flipped=1.5)


def test_only_the_exact_word_is_closed(tmp_path):
    rows = [{"query": "q", "qtype": kind, "reference": "r"} for kind in ("CONSTRAINED", "constrained", "OPEN", None)]
    for name in ("train.jsonl", "eval.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = TopicalFile(root=str(tmp_path))
    assert [one.closed for one in task.examples("train")] == [True, False, False, False]
