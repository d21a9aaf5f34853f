"""The claim's world, its table and advantages beside the product's, and that it can fail."""

from dataclasses import replace

import numpy as np
import pytest

from guerdon.advantages import group_relative
from guerdon.rewards import Context
from guerdon.types import Group, Rollout
from guerdon_resume.answers import written
from guerdon_resume.claim import EPSILON, ResumeScreening, group_advantages, status_table, world
from guerdon_resume.examples import ResumeExample
from guerdon_resume.rewards import Status

CLAIM = ResumeScreening()


def test_gentle_rl_gains_what_the_sheet_asks_for_on_three_seeds():
    """The sheet's: accuracy + .05, recall + .15, precision at least .9, and its ranges, a little widened."""
    result = CLAIM.run((0, 1, 2))
    assert result.held, str(result)
    found = {one.name: one.mean for one in result.measurements}
    assert 0.83 <= found["accuracy, SFT"] <= 0.88
    assert 0.66 <= found["recall, SFT"] <= 0.74
    assert found["precision, SFT"] >= 0.99
    assert 0.94 <= found["accuracy, gentle"] <= 0.97
    assert 0.91 <= found["recall, gentle"] <= 0.97


def test_a_standardised_penalty_cannot_be_harsh_and_an_unstandardised_one_lowers_the_share_selected():
    for seed in (0, 1):
        _, gentle, harsh, plain, harsh_plain = CLAIM.measure(seed)
        assert harsh == gentle
        assert harsh_plain.selected < plain.selected - 0.05
        assert harsh_plain.recall < plain.recall - 0.03


@pytest.mark.parametrize("options", [{"rounds": 1, "rate": 0.2}, {"kl": 1000.0, "rate": 0.001}, {"rate": 0.0}])
def test_the_claim_can_fail(options):
    assert not replace(CLAIM, **options).run((0, 1)).held


def test_the_divergence_holds_the_policy_near_its_warm_start():
    warm = CLAIM.fitted(0)
    arms = [replace(CLAIM, rate=0.5, kl=weight) for weight in (0.0, 2.0, 10.0)]
    away = [np.linalg.norm(arm.reinforced(warm, status_table(), 0, standardised=True) - warm) for arm in arms]
    assert away[0] > 1.2 * away[1] > 1.2 * 1.2 * away[2]


def test_a_policy_that_selects_nobody_has_no_precision_and_does_not_hold():
    outcome = CLAIM.evaluated(np.array([-1.0, 0.0, 0.0]), 0)
    assert outcome.precision != outcome.precision
    assert (outcome.recall, outcome.selected) == (0.0, 0.0)
    never = replace(CLAIM, fit_rate=0.0, rate=0.0)  # weights of 0: nobody is selected
    assert not never.run((0,)).held


def test_the_table_is_the_products():
    rows = [
        [
            Rollout.of(ResumeExample(id=str(good), status="APPROVE" if good else "REJECT"), written(word, 50, (), 0))
            for word in ("REJECTED", "SELECTED")
        ]
        for good in (False, True)
    ]
    scores = Context().scores(Status(), [Group.of(row) for row in rows])
    assert status_table().tolist() == [[score.value for score in row] for row in scores] == [[0, -1], [-2, 2]]
    assert status_table(-10.0).tolist() == [[0, -10], [-2, 2]]


def test_the_claims_advantages_are_cores():
    values = np.array([[2.0, -2.0, -2.0, 2.0, -2.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    for std in (True, False):
        found = group_advantages(values, std)
        assert found[0] == pytest.approx(group_relative(std=std, ddof=1, epsilon=EPSILON).centred([2, -2, -2, 2, -2]))
        assert found[1].tolist() == [0.0] * 5


def test_candidates_are_as_the_sheet_says():
    features, good = world(20_000, np.random.default_rng(0))
    assert features.shape == (20_000, 3)
    assert good.mean() == pytest.approx(0.5, abs=0.02)
    assert ((features[:, 1] > 0.5) == good).mean() == pytest.approx(0.96, abs=0.01)
    assert (features[:, 2] - features[:, 1]).std() == pytest.approx(0.2, abs=0.01)


def test_the_same_seed_measures_the_same_and_another_does_not():
    small = replace(CLAIM, rounds=5, fit_steps=50)
    assert small.measure(0) == small.measure(0) != small.measure(1)
