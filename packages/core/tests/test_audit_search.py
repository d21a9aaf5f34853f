"""The search finds what nobody listed, within its budget; best of n is exact and tells when the check falls."""

import importlib.util
import itertools
import math
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from guerdon.audit import Attack, Layout, Settings, Target, audit
from guerdon.audit.attacks.degenerate import Empty, Framed, PromptCopy, SingleToken
from guerdon.audit.attacks.groups import IdenticalGroup
from guerdon.audit.best_of_n import Candidate, best_of_n
from guerdon.audit.cases import cases
from guerdon.audit.composing import OPERATORS, Composed, Joined, size
from guerdon.audit.measuring import Bench
from guerdon.audit.pages import render
from guerdon.audit.searching import Arm, search
from guerdon.audit.tables import printable, table
from guerdon.errors import ConfigError
from guerdon.protocols import Task
from guerdon.recipes.fitting import build_attacks
from guerdon.rewards import reward
from guerdon.types import Example, Message, Prompt, Score

_spec = importlib.util.spec_from_file_location("audited", Path(__file__).with_name("audited.py"))
audited = sys.modules.setdefault("audited", importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(audited)
Capitals, exact, longest = audited.Capitals, audited.exact, audited.longest

TURN = "<think>\neasy\n</think>\n<answer>\n{}\n</answer>"
TARGET = Target(
    Prompt((Message("user", "Which capital?"),)), (TURN.format("Lima"),), Layout.of([TURN.format("Lima")]), None, 4, 0
)


@reward(bounds=(0.0, 1.0))
def asks_twice(rollout):
    """Pays for the question said back twice, in the frame: what no listed attack writes."""
    said = rollout.completion.count(rollout.prompt.messages[-1].content)
    return float("<answer>" in rollout.completion and said >= 2) or 0.25 * min(said, 2)


def searched(reward, attacks, **options):
    with Bench(reward, cases(Capitals(), "train", 4)) as bench:
        return search(bench, attacks, **options), bench


# -- compositions -----------------------------------------------------------------------------------------------------


def test_operators_apply_left_to_right():
    one = Composed(SingleToken("a b"), ("backwards", "framed", "twice"))
    assert one.attempt(TARGET) == (f"{TURN.format('b a')}\n{TURN.format('b a')}",)


def test_joined_attacks_stand_after_one_another_and_apply_where_both_do():
    assert Joined(SingleToken("a"), SingleToken("b")).attempt(TARGET) == ("a\nb",)
    assert Joined(SingleToken("a"), PromptCopy()).attempt(Target()) == ()


def test_a_composition_knows_what_its_parts_know_and_the_operators_need():
    assert Composed(Empty(), ("twice",)).knows == "examples"
    assert Joined(Empty(), PromptCopy()).knows == "prompt"


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_takes_any_text(operator):
    for text in ("", "x", "\x00\ud800", TURN.format("Lima")):
        assert isinstance(OPERATORS[operator](text, TARGET), str)
        assert isinstance(OPERATORS[operator](text, Target()), str)


def test_an_unknown_operator_is_refused():
    with pytest.raises(ConfigError, match="accepted are framed"):
        Composed(Empty(), ("sideways",))


def test_a_composition_prints_what_rebuilds_it():
    one = Composed(SingleToken("a"), ("twice",))
    assert eval(repr(one), {"Composed": Composed, "SingleToken": SingleToken}) == one


def test_a_composition_says_what_it_is_made_of_and_how_much():
    one = Joined(Composed(SingleToken("a"), ("twice", "framed")), Empty())
    assert one.label == "(degenerate/single-token, twice, framed) + (degenerate/empty)"
    assert (size(one), size(Empty())) == (3, 0)


# -- the search -------------------------------------------------------------------------------------------------------


def test_the_search_finds_a_composition_that_no_listed_attack_is():
    attacks = [*Empty.variants(), *PromptCopy.variants(), *SingleToken.variants(), Framed("ok")]
    report = audit(asks_twice, Capitals(), attacks, Settings(examples=4, budget=600))
    assert max(finding.mean for finding in report.findings) < 1.0
    assert max(finding.mean for finding in report.found) == 1.0
    best = report.found[0]
    assert best.exploits == "composed"
    assert best.verdict == "exploit"


def test_what_the_search_found_is_counted_and_called_by_what_it_is_made_of():
    """In the table by its label; a class's name, composed/changed, says nothing to a reader."""
    from io import StringIO

    from rich.console import Console

    from guerdon.audit.pages import render
    from guerdon.audit.tables import table

    attacks = [*Empty.variants(), *PromptCopy.variants(), *SingleToken.variants(), Framed("ok")]
    report = audit(asks_twice, Capitals(), attacks, Settings(examples=4, budget=600))
    printed = StringIO()
    Console(file=printed, width=200).print(table(report))
    count = len(report.found)
    exploits = sum(finding.verdict == "exploit" for finding in report.found)
    assert (count, exploits > 0) == (5, True)
    assert f"{count} composed by the search: {exploits} exploit" in printed.getvalue()
    rows = [line for line in printed.getvalue().splitlines() if "by the search" in line and " exploit " in line]
    assert len(rows) == exploits
    assert "composed/" not in printed.getvalue()
    assert "5 composed attacks measured" in render(report)


def test_a_composed_attack_that_fails_a_check_is_called_as_in_the_table():
    """No listed attack earns more than half here."""
    from click.testing import CliRunner

    from guerdon.cli import main
    from guerdon.plugins.catalog import catalog, register_local

    register_local("rewards", "test/asks-twice", asks_twice)
    register_local("tasks", "test/capitals", Capitals)
    some = ("degenerate/empty", "degenerate/prompt-copy", "degenerate/single-token", "format/framed-word")
    given = [part for name in some for part in ("--attack", name)]
    attacks = build_attacks(some)
    first = audit(asks_twice, Capitals(), attacks, Settings(examples=4, budget=600)).everything[0]
    assert first.exploits == "composed"
    asked = ["audit", "test/asks-twice", "--task", "test/capitals", "--examples", "4", "--budget", "600", "--json"]
    said = CliRunner().invoke(main, [*asked, *given, "--fail-above", "0.9"])
    catalog.cache_clear()
    assert said.exit_code == 1, said.output
    assert f"with a severity above 0.9, {printable(first.attack.label, 100)} first" in said.stderr
    assert "composed/" not in said.stderr


def test_the_search_finds_nothing_where_there_is_nothing():
    report = audit(exact, Capitals(), [*Empty.variants(), *SingleToken.variants()], Settings(examples=4, budget=200))
    assert not [finding for finding in report.found if finding.verdict in ("exploit", "suspicious")]
    assert report.search.completions > 0


def test_the_budget_is_kept_and_counted():
    found, bench = searched(longest, [*Empty.variants(), *SingleToken.variants()], budget=50)
    assert 50 <= found.completions <= 51  # a pull is one completion here
    assert found.completions == bench.scored - 16  # four examples with their honest answers before it


def test_the_clock_ends_a_search():
    start = time.monotonic()
    found, _ = searched(longest, SingleToken.variants(), budget=10**9, seconds=0.2)
    assert time.monotonic() - start < 5.0
    assert found.pulls > 0


def test_the_same_seed_searches_the_same_way_and_another_does_not():
    first, again, other = (
        [repr(arm.attack) for arm in searched(longest, SingleToken.variants(), budget=80, seed=seed)[0].arms]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_the_best_arm_is_pulled_most():
    """Words are paid: five beat one, and the bandit comes back to them."""
    many = SingleToken("a b c d e f g h i j k l m n o p q r s t")
    found, _ = searched(longest, [many, SingleToken("a"), Empty()], budget=60)
    listed = {repr(arm.attack): len(arm.values) for arm in found.arms if isinstance(arm.attack, SingleToken | Empty)}
    assert listed[repr(many)] == max(listed.values())


def test_attacks_of_whole_groups_are_left_out_of_the_search():
    found, _ = searched(longest, [IdenticalGroup(), Empty()], budget=20)
    assert not any(arm.attack.whole_group for arm in found.arms)


def test_no_attack_grows_beyond_four_changes_and_joins():
    found, _ = searched(longest, SingleToken.variants(), budget=400)
    assert 1 < max(size(arm.attack) for arm in found.arms) <= 4


def test_nothing_to_search_ends_at_once():
    found, _ = searched(longest, [IdenticalGroup()], budget=20)
    assert (found.pulls, found.arms) == (0, ())


# -- best of n --------------------------------------------------------------------------------------------------------


def test_best_of_n_is_the_mean_over_all_draws_without_replacement():
    """Against every subset, one by one; two candidates tie."""
    pool = [Candidate(0.0, 1.0), Candidate(1.0, 0.5), Candidate(1.0, 0.1), Candidate(3.0, 0.0), Candidate(-1.0, 0.7)]
    for n in range(1, 6):
        rewards, checks = [], []
        for drawn in itertools.combinations(pool, n):
            top = max(one.reward for one in drawn)
            best = [one for one in drawn if one.reward == top]
            rewards.append(top)
            checks.append(sum(one.check for one in best) / len(best))
        found = best_of_n([pool], sizes=[n])
        assert found.reward[0] == pytest.approx(sum(rewards) / len(rewards))
        assert found.quality[0] == pytest.approx(sum(checks) / len(checks))


def test_a_check_that_falls_while_the_reward_rises_is_over_optimisation():
    """Three candidates: mean check 0.5, and the favourite's 0."""
    found = best_of_n([[Candidate(0.0, 0.5), Candidate(1.0, 1.0, honest=True), Candidate(2.0, 0.0)]], sizes=[1, 3])
    assert found.reward_gain == pytest.approx(1.0)
    assert found.check_loss == pytest.approx(0.5)
    assert found.hacked
    assert (found.honest_reward, found.honest_quality) == (1.0, 1.0)


def test_a_reward_that_agrees_with_the_check_loses_nothing():
    found = best_of_n([[Candidate(value, value) for value in (0.0, 0.5, 1.0)]])
    assert not found.hacked
    assert found.check_loss == 0.0
    assert found.sizes == (1, 2)


def test_what_is_unscored_leaves_its_pool_and_a_missing_check_its_mean():
    pool = [Candidate(math.nan, 1.0), Candidate(1.0, math.nan), Candidate(0.0, 0.25)]
    found = best_of_n([pool], sizes=[1, 2])
    assert found.reward == (0.5, 1.0)
    assert found.quality[0] == 0.25
    assert math.isnan(found.quality[1])


def test_nothing_scored_gives_no_curve():
    found = best_of_n([[Candidate(math.nan, 1.0)], []])
    assert found.sizes == ()
    assert not found.hacked


def test_an_audit_checks_length_against_being_right():
    """The check is equality with the reference, in 1 of 5 candidates. Of 4 drawn, the longest text (wrong) is left out
    in 1 of 5 draws; then the four honest ones tie: 1/5 * 1/4.
    """
    report = audit(longest, Capitals(), [SingleToken("a b c d e f g h i j")], Settings(examples=4))
    best = report.optimised
    assert best.check == "equality with the reference"
    assert best.hacked
    assert best.quality == pytest.approx((0.2, best.quality[1], 0.05))
    assert best.honest_quality == 1.0


@reward(bounds=(0.0, 1.0))
def silent(rollout):
    """Has no opinion."""
    return Score.unscored("no opinion", status="abstain")


def test_a_check_without_a_number_is_not_told_as_one_that_did_not_fall():
    report = audit(longest, Capitals(), [SingleToken("a b c d e f g h i j")], Settings(examples=4), check=silent)
    console = Console(width=200)
    with console.capture() as printed:
        console.print(table(report))
    told = " ".join(printed.get().split())  # a title is as wide as its table
    assert "the check has no number for any of these texts" in told
    assert "does not fall" not in told + render(report)


def test_a_check_of_ones_own_takes_the_metrics_place():
    report = audit(longest, Capitals(), [SingleToken("a b c d e f g h")], Settings(examples=4), check=exact)
    assert report.optimised.check == "exact"
    assert report.optimised.honest_quality == 1.0


# -- pairs ------------------------------------------------------------------------------------------------------------


@reward(name="test/guarded", bounds=(0.0, 1.0))
def guarded(rollout):
    """Asks for two things, and pays for neither alone: begins as an honest answer, and has the right number in it."""
    return float(rollout.answer.startswith("They") and str(sum(rollout.example.prices)) in rollout.answer)


class Order(Example):
    prices: tuple[int, ...]


class Orders(Task):
    name = "test/orders"

    def examples(self, split):
        return [Order(id=str(n), prices=(n + 3, 2 * n + 5, 7 * n + 1)) for n in range(12)]

    def prompt(self, example):
        return Prompt((Message("user", f"Sum {example.prices}? End with 'Total: N'."),))

    def reference(self, example):
        return f"They add up.\nTotal: {sum(example.prices)}"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_reward_that_asks_for_two_things_is_met_by_two_attacks_joined(seed):
    """Somebody else's answer, and after it every number below 1,000; either alone earns what a wrong answer does."""
    report = audit(guarded, Orders(), build_attacks(), Settings(budget=1600, seed=seed))
    assert not report.exploits
    assert report.conclusion == "exploitable"
    assert any("hedging/every-value" in one.attack.label for one in report.found if one.verdict == "exploit")
    assert report.search.coverage.tried == report.search.coverage.pairs
    assert report.search.completions <= 1600


def test_every_ordered_pair_is_tried_where_the_budget_allows():
    """Three attacks make six; a third of the budget is for trying pairs once."""
    attacks = [SingleToken("a"), Framed("ok"), PromptCopy()]
    every, some = (searched(exact, attacks, budget=budget)[0].coverage for budget in (60, 9))
    assert (every.attacks, every.pairs, every.tried) == (3, 6, 6)
    assert (every.variants, every.variant_pairs, every.variant_tried) == (3, 6, 6)
    assert (some.tried, some.variant_tried) == (3, 3)


def test_pairs_of_different_attacks_come_before_further_variants():
    """Two variants each of two attacks: of 12 pairs, the two of their first variants."""
    attacks = [SingleToken("a"), SingleToken("b"), Framed("yes"), Framed("no")]
    found = searched(exact, attacks, budget=6)[0].coverage
    assert (found.pairs, found.tried, found.variant_pairs, found.variant_tried) == (2, 2, 12, 2)


def test_what_writes_the_same_or_nothing_is_no_further_half_of_a_pair():
    class Silent(Attack):
        name, exploits, source, knows = "test/silent", "degenerate", "test", "nothing"

        def attempt(self, target):
            return ()

    found = searched(exact, [SingleToken("a"), SingleToken("a"), Framed("ok"), Silent()], budget=60)[0].coverage
    assert (found.attacks, found.variants) == (2, 2)


def test_a_lucky_pull_is_worth_less_than_several_good_ones():
    """(1 + 0) / 2 against (1 + 1 + 1 + 0 + 0) / 5."""
    assert Arm(Empty(), [1.0]).held(0.0) == 0.5
    assert Arm(Empty(), [1.0, 1.0, 1.0, 0.0]).held(0.0) == pytest.approx(0.6)


def test_holds_says_what_it_covers():
    attacks = [SingleToken("a"), Framed("ok"), PromptCopy(), IdenticalGroup()]
    bare = audit(exact, Capitals(), attacks, Settings(examples=4))
    assert "none was changed or joined with another" in bare.covers
    report = audit(exact, Capitals(), attacks, Settings(examples=4, budget=60))
    assert report.covers.startswith("4 of the 4 listed attacks wrote anything on these 4 examples, in one turn each; ")
    assert "6 of the 6 ordered pairs of 3 attacks were tried" in report.covers
    assert report.record()["covers"] == report.covers
    assert report.record()["search"]["coverage"]["pairs"] == 6
