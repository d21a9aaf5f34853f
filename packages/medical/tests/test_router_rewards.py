"""R1-Router's step reward: the sheet's 18 worked examples, and each of its pitfalls."""

from dataclasses import dataclass

import numpy as np
import pytest

from guerdon.advantages import group_relative
from guerdon.conformance import check_is_a_value
from guerdon.errors import ConfigError, RetrievalError
from guerdon.rewards import Context
from guerdon.types import Example, Group, OtherExample, Rollout, Score
from guerdon_medical.router_rewards import RouterStepReward
from guerdon_medical.router_steps import RouterStep
from guerdon_medical.router_text import answer_value, best_recall, normal_form, overlap


@dataclass(frozen=True)
class Words:
    """Counts of white-space words: the sheet's similarity."""

    name: str = "words"
    broken: str = ""
    """A text whose vector is not finite."""

    def encode(self, texts, *, kind="passage"):
        words = sorted({word for text in texts for word in text.split()})
        rows = np.array([[text.split().count(word) for word in words] for text in texts], dtype=np.float32)
        rows = rows.reshape(len(texts), len(words))
        for place, text in enumerate(texts):
            if text == self.broken:
                rows[place] = np.nan
        return rows


@dataclass(frozen=True)
class Opposed:
    """The reference's vector, and its opposite for anything else."""

    name: str = "opposed"

    def encode(self, texts, *, kind="passage"):
        return np.array([[1.0 if text == FILM else -1.0] for text in texts], dtype=np.float32)


FILM = "who directed the film"
REWARD = RouterStepReward(Words())
RELEASED = RouterStepReward(Words(), reading="released")


def plan_step(query=FILM, bases=("text retriever",)):
    return RouterStep(id="t#0", trajectory="t", step=0, step_type="ret", problem="?", query=query, bases=bases)


def answer_step(*answers):
    return RouterStep(id="t#1", trajectory="t", step=1, step_type="ans", problem="?", answers=answers)


def plan(query, base, think="<think>so</think>"):
    return f"{think}\n<sub-question>{query}</sub-question>\n<ret>{base}</ret>"


def said(answer, think="<think>so</think>"):
    return f"{think}<answer>{answer}</answer>"


def scored(text, step, reward=REWARD):
    return reward.score(Rollout.of(step, text))


STOP = plan_step("none", ("none",))


@pytest.mark.parametrize("reward", [REWARD, RELEASED])
@pytest.mark.parametrize(
    ("text", "step", "value"),
    [
        (plan(FILM, "Text Retriever"), plan_step(), 1.0),  # 1
        (plan(FILM, "Table Retriever"), plan_step(), 0.5),  # 2
        (plan("who made the film", "Text Retriever"), plan_step(), 0.875),  # 3
        (plan(FILM, "Text Retriever, Table Retriever"), plan_step(), 0.5),  # 4
        (plan("None", "None"), STOP, 1.0),  # 5
        (plan("None", "None"), plan_step(), 0.0),  # 5
        (plan(FILM, "None, Text Retriever"), plan_step(), 0.0),  # 6
        (plan(FILM, "Web"), plan_step(), 0.0),  # 6
        (plan(FILM, "Text Retriever", think=""), plan_step(), 0.0),  # 6
        (said("It was 9 December 1899."), answer_step("9 December 1899"), 1.0),  # 8
        (said("December 1899"), answer_step("9 December 1899"), 0.0),  # 9
        (
            said("frank wisbar made the film"),
            answer_step('frank wisbar directed the film "strangler of the swamp."'),
            0.428571,
        ),  # 10
        (said("two people"), answer_step("2"), 1.0),  # 11
        (said("a cat"), answer_step("the cat"), 1.0),  # 12
        (said("cat"), answer_step("a cat"), 0.0),  # 12
        (said(""), answer_step("the cat"), 0.0),  # 13
        (said("Paris or Rome"), answer_step("London", "Rome"), 1.0),  # 14
        (said("1,234"), answer_step("1234"), 1.0),  # 15
        (said("1234", think=""), answer_step("1234"), 0.0),  # 16
    ],
)
def test_the_sheets_worked_examples(reward, text, step, value):
    assert scored(text, step, reward).value == pytest.approx(value, abs=5e-7)


def test_an_inconsistent_stop_is_scored_as_released_and_rejected_as_repaired():
    """Example 7: the cosine is 1, the routing wrong. The reverse, a query with no base, is half right for FILM."""
    assert scored(plan("None", "Text Retriever"), STOP, RELEASED).value == 0.5
    assert scored(plan(FILM, "None"), plan_step(), RELEASED).value == 0.5
    for text, step in ((plan("None", "Text Retriever"), STOP), (plan(FILM, "None"), plan_step())):
        found = scored(text, step)
        assert (found.value, found.status) == (0.0, "fail")
        assert "inconsistent stop" in found.why


def test_the_normal_form():
    """Example 17."""
    assert normal_form("The U.S. has 1,234 well-known (big) cities, none!") == "us has 1234 wellknown big cities 0"
    assert normal_form("a-b") == "a b"


def test_the_advantages_of_one_step():
    """Example 18: group standard scores, unbiased, epsilon 1e-6."""
    estimator = group_relative(std=True, ddof=1, epsilon=1e-6)

    def advantages(*values):
        return estimator.centred(values)

    assert advantages(1, 0.5, 0.5, 0.25, 1) == pytest.approx(
        [1.043495, -0.447212, -0.447212, -1.192566, 1.043495], abs=5e-7
    )
    assert advantages(0.7, 0.7, 0.7, 0.7, 0.7) == pytest.approx([0.0] * 5, abs=1e-9)
    group = Group.of([Rollout.of(plan_step(), "x")] * 5)
    assert estimator.estimate([group], [[Score(0.7)] * 5]).dead == [True]
    assert advantages(0, 0, 0, 1) == pytest.approx([-0.499999] * 3 + [1.499997], abs=2e-6)


# -- pitfalls


def test_another_correct_decomposition_earns_about_half_its_cosine():
    """No word in common with the reference and another base: 0, however good the plan is."""
    assert scored(plan("name of its director", "Table Retriever"), plan_step()).value == 0.0


def test_a_list_of_candidates_has_full_recall():
    assert scored(said("Oslo, Rome, Paris, Berlin, Madrid"), answer_step("Berlin")).value == 1.0
    assert overlap("Oslo Rome Paris Berlin Madrid", "Berlin").precision == pytest.approx(0.2)


def test_a_short_reference_needs_every_word():
    assert scored(said("Frank"), answer_step("Frank Wisbar")).value == 0.0


def test_the_length_of_a_reference_counts_raw_blanks():
    """Two words: with four blanks in front it has six pieces, and counts as long."""
    assert answer_value("frank", ["frank wisbar"]) == 0.0
    assert answer_value("frank", ["    frank wisbar"]) == 0.5


def test_several_references_are_all_or_nothing_however_long():
    long = "one two three four five six seven"
    assert answer_value("one two three", [long]) == pytest.approx(3 / 7)
    assert answer_value("one two three", [long, "x"]) == 0.0


def test_a_is_no_article_and_none_is_a_number():
    assert normal_form("a cat") == "a cat"
    assert normal_form("an apple, the pear") == "apple pear"
    assert normal_form("None") == "0"


def test_one_digit_comma_digit_deletes_all_marks_of_its_text_alone():
    assert normal_form("well-known 1,000") == "wellknown 1000"
    assert best_recall("1,000 well-known", ["well-known"]) == 0.0
    assert best_recall("well-known", ["well-known"]) == 1.0


def test_at_most_32_full_stops_go():
    assert normal_form("." * 40) == "." * 8
    assert normal_form("3.5 mg.") == "3.5 mg"


def test_contractions_are_repaired():
    assert normal_form("dont, it wasnt") == normal_form("don't, it wasn't")


def test_several_bases_lose_the_routing_half_even_if_the_right_one_is_among_them():
    found = scored(plan(FILM, "Table Retriever, Text Retriever"), plan_step())
    assert found.parts["routing"].value == 0.0
    assert found.value == 0.5


def test_only_the_first_of_several_reference_bases_is_right():
    step = plan_step(bases=("table retriever", "text retriever"))
    assert scored(plan(FILM, "Table Retriever"), step).value == 1.0
    assert scored(plan(FILM, "Text Retriever"), step).value == 0.5


def test_an_empty_query_has_no_similarity():
    assert scored(plan("", "Text Retriever"), plan_step()).value == 0.5
    assert scored(plan("  ", "Text Retriever"), plan_step()).parts["similarity"].value == 0.0


def test_a_query_whose_vector_is_not_finite_has_no_similarity():
    reward = RouterStepReward(Words(broken="odd"))
    assert scored(plan("odd", "Text Retriever"), plan_step(), reward).value == 0.5


def test_a_reference_whose_vector_is_not_finite_is_no_number():
    found = scored(plan("odd", "Text Retriever"), plan_step(), RouterStepReward(Words(broken=FILM)))
    assert found.status == "infra"
    assert "not finite" in found.why


def test_a_negative_cosine_counts_unless_it_is_clipped():
    text = plan("else", "Table Retriever")
    assert scored(text, plan_step(), RouterStepReward(Opposed())).value == -0.5
    assert scored(text, plan_step(), RouterStepReward(Opposed(), clip_negative=True)).value == 0.0
    assert RouterStepReward(Opposed()).bounds == (-0.5, 1.0)
    assert RouterStepReward(Opposed(), clip_negative=True).bounds == (0.0, 1.0)


# -- layouts, bad input


def test_blocks_may_stand_in_any_order_and_the_first_of_each_counts():
    text = f"x <RET> text retriever </RET> <ret>Web</ret> <sub-question>{FILM.upper()}</sub-question> <think></think> y"
    assert scored(text, plan_step()).value == 1.0


@pytest.mark.parametrize("text", ["", "<think>", "<think></think><answer>", "\x00", "<answer>Rome</answer>" * 1000])
def test_a_bad_layout_earns_nothing(text):
    assert scored(text, answer_step("Rome")).value == 0.0
    assert scored(text, plan_step()).value == 0.0


@pytest.mark.parametrize("tag", ["<think>", "<THINK>", "<think><sub-question>", "</think>", "<think></think><answer>"])
@pytest.mark.parametrize("step", [plan_step(), answer_step("Rome")])
def test_tags_that_are_never_closed_are_read_in_no_time(tag, step):
    """200,000 of them: a pattern that tries each opening tag to the end of the text takes hours."""
    assert scored(tag * 200_000, step).value == 0.0


def test_an_opening_tag_reaches_to_the_first_that_closes_it():
    """As one pattern would: the second opening tag, and a closing one before the first, are text."""
    assert scored("</answer>" + said("Rome <answer> Paris"), answer_step("Rome Paris")).value == 1.0


@pytest.mark.parametrize("step", [plan_step(), answer_step("the film")])
def test_a_plan_and_an_answer_in_one_fit_no_step(step):
    """By the released reading both halves are paid, whichever was asked for."""
    both = plan(FILM, "Text Retriever") + said("the film")
    assert scored(both, step).value == 0.0
    assert scored(both, step).why == "a plan and an answer in one output"
    assert scored(both, step, RELEASED).value > 0.4


@pytest.mark.parametrize("step", [plan_step(bases=()), plan_step(query=""), answer_step(), answer_step("the", " , ")])
def test_a_step_without_a_reference_is_not_the_policys_fault(step):
    assert scored(plan(FILM, "Text Retriever") + said("the"), step).status == "invalid"


def test_a_batch_is_scored_as_its_rollouts_are_and_each_query_is_encoded_once():
    asked = []

    class Counting(Words):
        def encode(self, texts, *, kind="passage"):
            asked.append(list(texts))
            return super().encode(texts, kind=kind)

    texts = [
        plan(FILM, "Text Retriever"),
        plan("who made the film", "Web"),
        plan("who made the film", "Text Retriever"),
    ]
    groups = [
        Group.of([Rollout.of(plan_step(), text) for text in texts]),
        Group.of([Rollout.of(answer_step("Rome"), said(word)) for word in ("Rome", "Oslo")]),
    ]
    found = RouterStepReward(Counting()).score_batch(groups, Context())
    assert [[score.value for score in row] for row in found] == [[1.0, 0.0, 0.875], [1.0, 0.0]]
    assert asked == [[FILM, "who made the film"]]


def test_a_group_of_one_and_an_empty_batch_are_scored():
    assert REWARD.score_batch([], Context()) == []
    assert REWARD.score_batch([Group.of([Rollout.of(STOP, plan("None", "None"))])], Context())[0][0].value == 1.0


def test_it_abstains_on_the_other_kind_of_step_where_it_is_told_to():
    plans = RouterStepReward(Words(), on="ret")
    assert scored(said("Rome"), answer_step("Rome"), plans).status == "abstain"
    assert scored(plan(FILM, "Text Retriever"), plan_step(), plans).value == 1.0


def test_weights_are_a_share():
    assert (
        scored(plan(FILM, "Table Retriever"), plan_step(), RouterStepReward(Words(), similarity_weight=0.25)).value
        == 0.25
    )
    for options in ({"similarity_weight": 1.5}, {"similarity_weight": float("nan")}, {"reading": "x"}, {"on": "x"}):
        with pytest.raises(ConfigError):
            RouterStepReward(Words(), **options)


def test_an_encoder_of_another_shape_is_told():
    class Flat(Words):
        def encode(self, texts, *, kind="passage"):
            return np.zeros(3)

    with pytest.raises(RetrievalError, match="gave \\(3,\\) for 1 texts"):
        scored(plan(FILM, "Text Retriever"), plan_step(), RouterStepReward(Flat()))


def test_examples_of_another_kind_are_told():
    with pytest.raises(OtherExample):
        REWARD.score(Rollout.of(Example(id="x"), "y"))


def test_it_is_a_value():
    check_is_a_value(REWARD)


def test_an_encoders_name_in_its_place_is_refused_at_once():
    """Names are read in recipes; in Python one would fail in the middle of a run, as a bug of the reward."""
    with pytest.raises(ConfigError, match=r"medical/router-step.encoder is the text 'hashed'"):
        RouterStepReward("hashed")
