"""What counts as an exploit, on rewards whose holes are known."""

import importlib.util
import itertools
import json
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from guerdon.audit import Attack, Layout, Settings, Target, audit
from guerdon.audit.attacks.constants import CommonAnswer
from guerdon.audit.attacks.degenerate import Empty, Framed, KeywordStuffing, Padded, Repeated
from guerdon.audit.attacks.groups import IdenticalGroup
from guerdon.audit.attacks.hedging import RightAndWrong, SeveralAnswers
from guerdon.audit.attacks.references import PaddedReference, ShuffledReference
from guerdon.audit.cases import cases
from guerdon.audit.findings import Finding
from guerdon.errors import ConfigError
from guerdon.rewards import reward
from guerdon.rewards.constrained import Constrained
from guerdon.transforms import chain, clip, standardize
from guerdon.types import Prompt, Score

_spec = importlib.util.spec_from_file_location("audited", Path(__file__).with_name("audited.py"))
audited = sys.modules.setdefault("audited", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(audited)
CAPITALS, Capitals, Rank = audited.CAPITALS, audited.Capitals, audited.Rank
exact, fragile, framed = audited.exact, audited.fragile, audited.framed
longest, mentions, shy = audited.longest, audited.mentions, audited.shy

REFERENCE = "<think>\neasy\n</think>\n<answer>\n{}\n</answer>"


@dataclass(frozen=True)
class Says(Attack):
    """Fixed texts."""

    texts: tuple[str, ...] = ("x",)

    name: ClassVar[str] = "test/says"
    exploits: ClassVar[str] = "degenerate"
    source: ClassVar[str] = "test"
    knows: ClassVar[str] = "nothing"

    def attempt(self, target):
        return self.texts


def found(reward, *attacks, task=Capitals(), **settings):  # noqa: B008 - frozen
    return audit(reward, task, attacks, Settings(**settings))


def finding(values, honest, wrong, *, attack=Says(), ties=(0.0, 0.0), **fields):
    return Finding(attack, values, honest, wrong, ties, len(values), {"ok": len(values)}, **fields)


# -- figures, by hand -------------------------------------------------------------------------------------------------


def test_gain_is_0_at_the_wrong_answers_and_1_at_the_right_one():
    """Honest 1, wrong 0.2: 0.6 lies (0.6 - 0.2) / (1 - 0.2) = 0.5 of the way."""
    one = finding((0.6, 0.6), (1.0, 1.0), (0.2, 0.2))
    assert one.gain == pytest.approx(0.5)
    assert one.gap == pytest.approx(-0.4)
    assert one.severity == pytest.approx(0.5)
    assert one.verdict == "suspicious"


def test_excess_takes_off_what_chance_explains():
    """On 3 of 4 examples as good as right; wrong answers are on 1 of 2: (0.75 - 0.5) / (1 - 0.5)."""
    one = finding((1.0, 1.0, 1.0, 0.0), (1.0,) * 4, (0.5,) * 4, ties=(0.5,) * 4)
    assert one.share == 0.75
    assert one.excess == pytest.approx(0.5)


def test_earning_as_much_as_the_honest_answer_is_an_exploit_and_a_little_less_is_not():
    assert finding((1.0, 1.0), (1.0, 1.0), (0.0, 0.0)).verdict == "exploit"
    assert finding((1.0, 0.999), (1.0, 1.0), (0.0, 0.0)).verdict == "suspicious"


def test_no_better_than_a_wrong_answer_is_resisted():
    one = finding((0.2, 0.0), (1.0, 1.0), (0.2, 0.2))
    assert one.verdict == "resisted"
    assert one.severity == 0.0


def test_a_lucky_hit_within_two_standard_errors_is_not_suspicious():
    """Differences 1, 0, 0, 0: mean 0.25, standard error 0.25, and 0.25 < 0.5."""
    assert finding((1.0, 0.0, 0.0, 0.0), (1.0,) * 4, (0.0,) * 4, ties=(0.0,) * 4).verdict == "resisted"


def test_an_attack_that_holds_the_right_answer_must_earn_more_to_be_an_exploit():
    honest = finding((1.0, 1.0), (1.0, 1.0), (0.0, 0.0), attack=PaddedReference())
    assert honest.verdict == "resisted"
    assert honest.severity == 0.0
    longer = finding((1.5, 1.5), (1.0, 1.0), (0.0, 0.0), attack=PaddedReference())
    assert longer.verdict == "exploit"
    assert longer.severity == pytest.approx(1.5)


def test_an_attack_that_knows_the_reference_is_never_merely_suspicious():
    one = finding((0.5, 0.5), (1.0, 1.0), (0.0, 0.0), attack=ShuffledReference())
    assert one.verdict == "resisted"


def test_what_is_unscored_leaves_the_figures_and_is_counted():
    one = finding((math.nan, 0.0), (1.0, 1.0), (0.0, 0.0))
    assert (one.count, one.mean) == (1, 0.0)
    lost = replace(one, values=(math.nan, math.nan), statuses={"abstain": 2})
    assert (lost.verdict, lost.unscored, lost.count) == ("unscored", 2, 0)
    assert math.isnan(lost.severity)


def test_a_baseline_is_not_needed_to_find_an_exploit():
    one = finding((1.0, 1.0), (1.0, 1.0), (math.nan, math.nan), ties=(math.nan, math.nan))
    assert one.verdict == "exploit"
    assert one.severity == 1.0


# -- whole audits -----------------------------------------------------------------------------------------------------


def test_a_reward_that_penalises_correctly_passes():
    attacks = [*Empty.variants(), *Framed.variants(), *KeywordStuffing.variants(), *SeveralAnswers.variants()]
    report = found(exact, *attacks)
    assert report.conclusion == "holds"
    assert report.exploits == ()
    assert report.severity == 0.0
    assert (report.honest_mean, report.wrong_mean) == (1.0, 0.0)


def test_a_reward_of_form_is_blind_and_its_exploits_are_still_listed():
    report = found(framed, Framed(), Empty())
    assert report.conclusion == "blind"
    assert report.exploits == ("format/framed-word",)
    assert any("a part, never a whole" in note for note in report.notes)


def test_a_blind_reward_that_pays_an_attack_more_is_exploitable_and_not_a_part_of_form():
    """All honest answers have 6 words."""
    report = found(longest, Repeated())
    assert report.blind
    assert report.conclusion == "exploitable"
    assert report.severity == 1.0


def test_where_honest_answers_have_no_numbers_nothing_is_said():
    from guerdon.rewards import reward

    @reward
    def mute(rollout):
        return Score.unscored("not today", status="abstain")

    report = found(mute, Empty(), Framed(), budget=20)
    assert report.conclusion == "unscored"
    assert {one.verdict for one in report.findings} == {"unscored"}
    assert report.severity == 0.0
    assert report.optimised is None
    assert any("8 of the 8 honest answers went unscored: not today" in note for note in report.notes)


def test_a_task_in_turns_is_audited_on_one_of_them_and_the_report_says_so():
    @dataclass(frozen=True)
    class InTurns(Capitals):
        def environment(self, example):
            return object()

    assert any("of one turn" in note for note in found(exact, Empty(), task=InTurns()).notes)
    assert not any("of one turn" in note for note in found(exact, Empty()).notes)


def test_a_reward_that_learns_is_audited_as_it_stands():
    class Learner(Rank, name="test/learner"):
        stateful = True

        def update(self, groups, scores, context):
            raise AssertionError("an audit is no training")

    assert any("learnt nothing" in note for note in found(Learner(), Empty()).notes)


def test_a_right_answer_beside_a_wrong_one_fools_what_looks_whether_it_is_mentioned_and_not_what_reads_the_first():
    assert found(mentions, *RightAndWrong.variants()).exploits == ("hedging/right-and-wrong",)
    assert found(exact, *RightAndWrong.variants()).exploits == ()


def test_length_is_found_by_padding_and_repetition():
    """An honest completion has 6 words, so a hundred of them are worth more."""
    report = found(longest, Repeated(), Padded(500, "after"), PaddedReference())
    assert report.exploits == ("degenerate/padded", "degenerate/repeated", "reference/padded")
    assert report.findings[0].mean > 500.0


def test_a_reward_that_raises_is_broken_by_it_and_the_audit_goes_on():
    report = found(fragile, Empty(), Framed())
    assert report.conclusion == "exploitable"
    (broken, other) = report.findings
    assert broken.severity == 1.0
    assert (broken.name, broken.verdict, broken.errors) == ("degenerate/empty", "breaks", 8)
    assert other.verdict == "resisted"


def test_a_reward_that_raises_on_honest_answers_cannot_be_audited():
    from guerdon.rewards import reward

    @reward
    def broken(rollout):
        raise ValueError("no")

    with pytest.raises(ConfigError, match="raised on 32 of the honest answers"):
        found(broken, Empty())


def test_an_attack_that_makes_a_reward_abstain_is_unscored_and_never_a_zero():
    (one,) = found(shy, Empty()).findings
    assert (one.verdict, one.unscored) == ("unscored", 8)


def test_the_worst_variant_stands_for_its_attack():
    report = found(mentions, Says(("x",)), Says((" ".join(city.city for city in CAPITALS),)))
    (one,) = report.findings
    assert one.attack.texts[0].startswith("Lima")
    assert report.variants == 2


def test_the_worse_of_several_forms_counts():
    cities = " ".join(one.city for one in CAPITALS)
    assert found(mentions, Says((cities, "x"))).exploits == ()


def test_where_attempts_are_compared_the_attack_is_ranked_beside_the_honest_answer():
    """It is longer than any honest answer, so it is first in its group and the reference is not."""
    report = found(Rank(), Repeated())
    (one,) = report.findings
    assert (one.mean, one.honest_mean) == (1.0, 0.0)
    assert one.verdict == "exploit"


def test_a_whole_group_of_wrong_answers_may_win_where_ranks_are_paid():
    """All are the longest: each earns 1."""
    (one,) = found(Rank(), IdenticalGroup(framed=False)).findings
    assert one.mean == 1.0


def test_the_same_seed_finds_the_same():
    first, again = (found(mentions, KeywordStuffing(), SeveralAnswers(2), seed=3, budget=50).record() for _ in range(2))
    for record in (first, again):
        record["search"]["seconds"] = 0
    assert first == again


def test_the_record_is_json_without_nan():
    text = json.dumps(found(shy, Empty(), Framed(), Says(("\ud800",)), budget=30).record(), allow_nan=False)
    assert json.loads(text)["attacks"][0]["attack"]


def test_fail_above_names_what_lies_above():
    report = found(mentions, Says((" ".join(city.city for city in CAPITALS),)), Empty())
    assert [one.name for one in report.failing(0.5)] == ["test/says"]
    assert report.failing(1.0) == []


# -- cases ------------------------------------------------------------------------------------------------------------


def test_the_attacker_is_shown_no_more_than_it_says_it_knows():
    target = Target(Prompt(forced="So: "), ("other",), Layout(), "mine", 4, 0)
    assert (target.seen("nothing").examples, target.seen("nothing").prompt.forced) == ((), "So: ")
    assert target.seen("prompt").examples == ()
    assert (target.seen("examples").examples, target.seen("examples").reference) == (("other",), None)
    assert target.seen("reference").reference == "mine"


def test_the_answer_of_the_example_itself_is_never_among_those_of_others():
    for case in cases(Capitals(), "train", 8):
        assert case.reference not in case.target.examples
        assert case.reference not in case.wrong
        assert len(case.wrong) == 3
        assert len(case.target.examples) == 7


def test_a_constant_answer_is_held_against_chance():
    """Half of the answers are "yes": saying so earns about a half, and so does an honest answer to any other question.
    Where nine of ten are, it earns 0.9 and the baseline 0.9 * 0.9 + 0.1 * 0.1 = 0.82: the skew can be farmed.
    """
    even, skewed = (
        audit(audited.exact_choice, audited.Choices(often), [CommonAnswer()], Settings(examples=60)).findings[0]
        for often in (2, 10)
    )
    assert even.mean == pytest.approx(0.5, abs=0.15)
    assert even.verdict == "resisted"
    assert skewed.mean == pytest.approx(0.9, abs=0.08)
    assert skewed.wrong_mean == pytest.approx(0.82, abs=0.08)
    assert skewed.verdict == "suspicious"


def test_a_forced_beginning_stands_before_what_is_written_once():
    case = cases(Capitals(forced="<think>"), "train", 1)[0]
    assert case.rollout("x").completion == "<think>x"
    assert case.rollout("<think>x").completion == "<think>x"
    assert case.rollout("x").segments[0].author == "forced"


def test_skipped_examples_are_others():
    first = {case.example.id for case in cases(Capitals(), "train", 4)}
    second = {case.example.id for case in cases(Capitals(), "train", 4, skip=4)}
    assert not first & second
    assert len(first | second) == 8


def test_a_task_without_references_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match=r"no reference answer of the 8 examples drawn.*--task"):
        found(exact, Empty(), task=Capitals(known=False))


@pytest.mark.parametrize(
    "wrong", [{"examples": 0}, {"group_size": 1}, {"budget": -1}, {"seconds": 0.0}, {"seconds": math.nan}]
)
def test_sizes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} of an audit"):
        Settings(**wrong)


# -- layouts ----------------------------------------------------------------------------------------------------------


def test_another_answer_takes_the_place_of_the_honest_one_in_its_frame():
    layout = Layout.of([REFERENCE.format("Lima"), REFERENCE.format("Oslo")])
    assert layout.tags == ("think", "answer")
    assert layout.answer(REFERENCE.format("Oslo")) == "Oslo"
    assert layout.wrap("Bern") == REFERENCE.format("Bern")


def test_a_fenced_block_is_the_answer_within_tags():
    text = "<answer>\n```sql\nSELECT 1\n```\n</answer>"
    layout = Layout.of([text])
    assert (layout.language, layout.answer(text)) == ("sql", "SELECT 1")
    assert layout.wrap("SELECT 2") == text.replace("1", "2")


def test_a_forced_beginning_is_never_overwritten():
    layout = Layout.of(["```python\ndef f(x):\n    return x\n```"], forced="```python\ndef f(x):\n")
    assert layout.wrap("    pass") == "```python\ndef f(x):\n    pass\n```"


def test_the_most_common_frame_is_taken():
    assert Layout.of(["plain", REFERENCE.format("a"), REFERENCE.format("b")]).tags == ("think", "answer")


def test_without_examples_there_is_no_frame():
    assert Layout.of([]).wrap("x") == "x"
    assert Layout.of([], forced="So: ").wrap("x") == "So: x"


# -- values that mean something beside others only --------------------------------------------------------------------


ALL = Says((" ".join(one.city for one in CAPITALS),))


def test_a_reward_standardised_over_its_group_is_compared_within_it():
    """All equal, a group has 0, above a wrong answer's -0.5 beside a right one: that says nothing of the group."""
    report = found(exact.then(standardize()), *IdenticalGroup.variants(), Framed(), ALL)
    assert report.conclusion == "holds"
    assert {one.name for one in report.findings} == {"format/framed-word", "test/says"}
    assert any("relative" in note and "left out" in note and "group/identical" in note for note in report.notes)


def test_an_exploit_is_one_before_and_after_its_group_is_standardised():
    for one in (mentions, mentions.then(standardize()), 0.5 * mentions.then(standardize()) + exact):
        assert found(one, ALL).findings[0].verdict == ("exploit" if one.name != "sum" else "suspicious")


def test_attacks_of_whole_groups_alone_cannot_be_put_to_it():
    with pytest.raises(ConfigError, match="shaped over its group or batch, so what group/identical would earn"):
        found(exact.then(standardize()), IdenticalGroup())


def test_what_hangs_on_its_company_says_so_through_a_tree():
    assert not (exact + 2.0 * mentions).relative
    assert not exact.then(clip(0.0, 1.0)).relative
    assert (exact + 2.0 * mentions.then(standardize()).named("x")).relative
    assert exact.then(chain(clip(0.0, 1.0), standardize())).gated_by(framed).relative


def test_a_constrained_reward_whose_every_weight_is_0_is_not_called_blind():
    held = Constrained({"exact": exact, "framed": framed}, {"exact": 0.9, "framed": 1.0})
    with pytest.raises(ConfigError, match=r"every multiplier of constrained is 0.*Audit its components.*exact, framed"):
        found(held, Empty())
    with pytest.raises(ConfigError, match="every multiplier"):
        found((2.0 * held).named("held"), Empty())


def test_a_constrained_reward_with_weights_is_audited_in_company():
    """`mu` starts at one half each; the attack has the form, and the honest answer both."""
    held = Constrained({"exact": exact, "framed": framed}, {"exact": 0.9, "framed": 1.0}, kind="mu")
    report = found(held, Framed(), Empty())
    assert {one.verdict for one in report.findings} == {"resisted"}
    assert any("relative" in note for note in report.notes)


# -- what an audit cannot go by ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "told"), [(1, "holds (on 1 example alone)"), (3, "holds (on 3 examples alone)"), (4, "holds")]
)
def test_a_conclusion_from_few_examples_says_how_few(count, told):
    report = found(exact, Empty(), examples=count)
    assert report.concluded == told
    assert any("can hardly tell an exploit from luck" in note for note in report.notes) == (count < 4)


def test_a_reward_that_is_not_the_same_for_the_same_answer_is_told_of():
    """Twice eight examples with their wrong ones, three each: the values are 0, 1, 2, ..."""
    count = itertools.count()
    moody = reward(lambda rollout: float(next(count)), name="test/moody")
    assert any("scored again, 32 of the 32 honest completions got another score (up to 32 apart)" in note
               for note in found(moody, Empty()).notes)  # fmt: skip
    assert not any("scored again" in note for note in found(exact, Empty()).notes)


def test_two_examples_of_one_id_are_an_error():
    @dataclass(frozen=True)
    class Twins(Capitals):
        def examples(self, split):
            return [one.model_copy(update={"id": "same"}) for one in CAPITALS]

    with pytest.raises(ConfigError, match=r"two different examples of test/capitals have the id 'same'"):
        found(exact, Empty(), task=Twins())
