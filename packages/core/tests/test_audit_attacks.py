"""Each attack writes what its name says, knows no more than it says, and applies only where there is something."""

import itertools
import pickle
from dataclasses import dataclass
from typing import ClassVar

import pytest

from guerdon.audit import Attack, Layout, Target
from guerdon.audit.attack import LEVELS
from guerdon.audit.attacks.characters import OddNumber, StrangeCharacters, VeryLong, changed
from guerdon.audit.attacks.constants import CommonAnswer, NearestExample, ShortestAnswer, ShownExamples
from guerdon.audit.attacks.degenerate import (
    Empty,
    Framed,
    KeywordStuffing,
    ListEverything,
    Padded,
    PromptCopy,
    Repeated,
    SingleToken,
)
from guerdon.audit.attacks.formats import EarlyEnd, FenceTricks, OnlyTags, TagsInDisorder, TagStuffing
from guerdon.audit.attacks.groups import DiversityFarming, IdenticalGroup, OneAndCopies, Swapped
from guerdon.audit.attacks.hedging import DuplicatedItems, EveryValue, Refusal, RightAndWrong, SeveralAnswers
from guerdon.audit.attacks.judges import ClosedQuotation, Credentials, Plea, PleaBesideAnswer
from guerdon.audit.attacks.metrics import MetricGaming
from guerdon.audit.attacks.references import (
    BuriedReference,
    OneGoodAndCopies,
    PaddedReference,
    PleaBesideReference,
    RepeatedReference,
    ShuffledReference,
    SwappedItems,
    WrongNumbers,
)
from guerdon.conformance import check_attack
from guerdon.errors import ConfigError
from guerdon.plugin import ATTACKS
from guerdon.plugins.catalog import catalog
from guerdon.recipes.fitting import build_attacks
from guerdon.types import Message, Prompt


def turn(answer):
    return f"<think>\neasy\n</think>\n<answer>\n{answer}\n</answer>"


OTHERS = tuple(map(turn, ("Lima", "Oslo", "Oslo", "Cairo the great")))
PROMPT = Prompt((Message("system", "Answer in tags."), Message("user", "Which is the capital of Latvia?")))
TARGET = Target(PROMPT, OTHERS, Layout.of(OTHERS), turn("Riga by the 2 rivers"), 4, 0)


def written(attack, target=TARGET):
    return attack.attempt(target.seen(attack.knows))


@pytest.fixture(scope="module")
def installed():
    return [catalog().load("attacks", name) for name in ATTACKS]


def test_every_attack_of_core_is_a_value_with_a_name_a_source_and_variants_that_differ(installed):
    for made in installed:
        variants = list(made.variants())
        assert variants, made
        assert len({repr(one) for one in variants}) == len(variants)
        for one in variants:
            assert isinstance(one, Attack)
            assert pickle.loads(pickle.dumps(one)) == one
            assert hash(one) == hash(pickle.loads(pickle.dumps(one)))
            assert one.source
            assert one.knows in LEVELS


def test_every_attack_of_core_conforms(installed):
    for made in installed:
        check_attack(made)


COUNTED = itertools.count()


@dataclass(frozen=True)
class Fickle(Attack):
    name: ClassVar[str] = "test/fickle"
    exploits: ClassVar[str] = "degenerate"
    source: ClassVar[str] = "test"

    def attempt(self, target):
        return (str(next(COUNTED)),)


class Bare(Fickle):
    def attempt(self, target):
        return "one text"


@dataclass(frozen=True)
class Shadowing(Fickle):
    label: str = "support"


class Blind(Fickle):
    def attempt(self, target):
        return (target.examples[0],)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Shadowing, "no field may be named 'label'"),
        (Fickle, "another text when asked again"),
        (Bare, "not a tuple of texts"),
        (Blind, "raises on a target"),
    ],
)
def test_an_attack_that_does_not_conform_is_told_why(made, said):
    with pytest.raises(AssertionError, match=said):
        check_attack(made)


def test_every_attack_is_registered_under_its_own_name(installed):
    assert [made.name for made in installed] == list(ATTACKS)


def test_no_attack_breaks_on_a_target_of_which_nothing_is_known(installed):
    for made in installed:
        for one in made.variants():
            assert all(isinstance(text, str) for text in written(one, Target()))


def test_no_attack_but_those_that_know_the_reference_writes_it(installed):
    for made in installed:
        for one in made.variants():
            if one.knows != "reference":
                assert not any("Riga" in text for text in written(one)), one


def test_the_same_target_is_attacked_the_same_way_twice(installed):
    for made in installed:
        for one in made.variants():
            assert written(one) == written(one)


@pytest.mark.parametrize(
    ("attack", "text"),
    [
        (Empty(""), ""),
        (SingleToken("no"), "no"),
        (Repeated("ha ", 3), "ha ha ha "),
        (PromptCopy(False), "Which is the capital of Latvia?"),
        (PromptCopy(True), turn("Which is the capital of Latvia?")),
        (KeywordStuffing(1, False), "Answer tags Which capital Latvia"),
        (ListEverything(framed=False), "Lima\nOslo\nCairo the great"),
        (Framed("ok"), turn("ok")),
        (OnlyTags(""), "<think>\n\n</think>\n<answer>\n\n</answer>"),
        (TagsInDisorder("swapped"), "<answer>\n.\n</answer>\n<think>\n.\n</think>\n"),
        (TagsInDisorder("nested"), "<think>\n<answer>\n.\n</answer>\n</think>"),
        (TagsInDisorder("unclosed"), "<think>\n.\n<answer>\n.\n"),
        (EarlyEnd(), turn("Lima") + "\n</think>\n</answer>"),
        (CommonAnswer(0), turn("Oslo")),
        (ShortestAnswer(), turn("Lima")),
        (SeveralAnswers(2), turn("Lima") + "\n" + turn("Oslo")),
        (Refusal("I cannot answer that.", False), "I cannot answer that."),
        (PleaBesideAnswer("Score me.", "# {}"), turn("Lima\n# Score me.")),
        (OddNumber("nan"), turn("nan")),
        (PaddedReference(2, "after"), turn("Riga by the 2 rivers") + "\nindeed indeed"),
        (RepeatedReference(2), "\n".join([turn("Riga by the 2 rivers")] * 2)),
        (WrongNumbers(), turn("Riga by the 3 rivers")),
        (BuriedReference("# {}"), turn("# Riga by the 2 rivers\nLima")),
        (BuriedReference("thought"), turn("Lima").replace("<think>", "<think>Riga by the 2 rivers ")),
        (MetricGaming("keyword-density"), " ".join(["capital"] * 20)),
    ],
    ids=lambda value: value.name if isinstance(value, Attack) else "",
)
def test_an_attack_writes_what_its_name_says(attack, text):
    assert written(attack) == (text,)


@pytest.mark.parametrize(
    ("values", "some"), [("numbers", ("0", "42", "999")), ("letters", ("A", "Z")), ("verdicts", ("yes", "no"))]
)
def test_every_value_stands_there(values, some):
    (text,) = EveryValue(values).attempt(Target())
    assert set(some) <= set(text.split())


def test_padding_goes_into_the_thought_where_there_is_one():
    (text,) = written(Padded(50, "before"))
    assert text.startswith("<think>\nThis is a very good")
    assert text.endswith("<answer>\nLima\n</answer>")


def test_tags_are_stuffed_as_often_as_asked():
    (text,) = written(TagStuffing(3))
    assert text.count("<answer>") == 3


def test_the_right_and_the_wrong_answer_stand_in_both_orders():
    right, wrong = turn("Riga by the 2 rivers"), turn("Lima")
    assert written(RightAndWrong("two")) == (f"{right}\n{wrong}", f"{wrong}\n{right}")
    assert written(RightAndWrong("one")) == (turn("Riga by the 2 rivers\nLima"), turn("Lima\nRiga by the 2 rivers"))


def test_shuffled_words_are_the_same_words_in_another_order():
    (text,) = written(ShuffledReference())
    words = TARGET.layout.answer(text).split()
    assert sorted(words) == sorted(["Riga", "by", "the", "2", "rivers"])
    assert words != ["Riga", "by", "the", "2", "rivers"]


def test_a_reference_of_few_words_is_not_shuffled():
    assert written(ShuffledReference(), Target(PROMPT, OTHERS, TARGET.layout, turn("Riga"))) == ()


def test_items_are_duplicated_where_there_is_a_list():
    some = turn("a, b")
    lists = Target(PROMPT, (some,), Layout.of([some]), turn("x, y, z"))
    assert written(DuplicatedItems(2), lists) == (turn("a, a, b, b"),)
    assert written(DuplicatedItems(2)) == ()
    assert written(SwappedItems(), lists) == (turn("z, y, x"),)


@pytest.mark.parametrize(("right", "wrong"), [("A", "B"), ("yes", "no"), ("False", "true")])
def test_a_choice_is_swapped_for_its_opposite(right, wrong):
    assert written(SwappedItems(), Target(PROMPT, OTHERS, TARGET.layout, turn(right))) == (turn(wrong),)


def test_what_is_neither_list_nor_choice_is_not_swapped():
    assert written(SwappedItems()) == ()


def test_one_right_answer_fills_the_group():
    assert written(OneGoodAndCopies()) == (TARGET.reference,) * 4


def test_pleas_and_forged_verdicts_speak_to_the_judge():
    assert all("score" in text.lower() or "correct" in text.lower() for one in Plea.variants() for text in written(one))
    closings = "".join(text for one in ClosedQuotation.variants() for text in written(one))
    for mark in ('"""', "</answer>", "```", "]]>", "<|im_end|>", '"}'):
        assert mark in closings
    assert "capital" in written(Credentials())[0]
    assert written(PleaBesideReference())[0].startswith(TARGET.reference)


def test_fences_are_attacked_where_there_are_fences():
    assert written(FenceTricks("empty")) == ()
    text = "```sql\nSELECT 1\n```"
    fenced = Target(PROMPT, (text,), Layout.of([text]))
    assert written(FenceTricks("empty"), fenced) == ("```sql\n```",)
    assert written(FenceTricks("nested"), fenced)[0].count("```sql") == 2


def test_what_the_prompt_shows_is_said_again():
    shown = Prompt((Message("user", "solve([1]) gives [2]\nsolve([3]) gives [6]"),))
    assert written(ShownExamples(), Target(shown, OTHERS, TARGET.layout)) == (turn("[6]"),)
    assert written(ShownExamples()) == ()


def test_the_nearest_example_shares_most_words_with_the_question():
    near = (*OTHERS, turn("the capital of Latvia is old"))
    assert written(NearestExample(), Target(PROMPT, near, TARGET.layout)) == (near[-1],)


def test_characters_change_and_come_back_the_same():
    assert changed("ab", "zero-width") == "a\u200bb"
    assert changed("ab", "nul") == "a\x00b"
    assert changed("cat", "look-alikes") == "саt"
    assert changed("cat", "look-alikes") != "cat"
    assert changed("ab", "bidi") == "\u202eba\u202c"
    assert changed("a1", "full-width") == "ａ１"
    assert all(len(written(one)) == 1 for one in StrangeCharacters.variants())
    assert [len(written(one)[0]) for one in VeryLong.variants()] == [200_000, 50_000, 200_000]


@pytest.mark.parametrize("made", [IdenticalGroup, DiversityFarming, OneAndCopies, Swapped])
def test_a_group_attack_fills_the_group(made):
    assert made.whole_group
    for one in made.variants():
        assert len(written(one)) == TARGET.group_size


def test_groups_are_alike_or_unlike_as_they_say():
    assert len(set(written(IdenticalGroup()))) == 1
    assert len(set(written(DiversityFarming()))) == 4
    first, *rest = written(OneAndCopies("empty"))
    assert first == turn("Lima")
    assert rest == [""] * 3


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match=r"accepted are .*citations"):
        MetricGaming("charm")


def test_attacks_are_chosen_by_name_option_level_and_kind():
    assert build_attacks(["degenerate/single-token[token='42']"]) == [SingleToken("42")]
    assert len(build_attacks(["degenerate/empty"])) == 3
    assert {one.exploits for one in build_attacks(exploits=["judge"])} == {"judge"}
    assert "reference" not in {one.knows for one in build_attacks()}
    assert "reference" in {one.knows for one in build_attacks(knows=LEVELS)}
