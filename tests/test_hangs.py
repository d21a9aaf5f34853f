"""Text that makes a reward hang never beats an honest wrong answer, whatever the reward is made into."""

import sys
import time
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from hanging_rewards import (
    GOOD,
    HANG,
    WRONG,
    Asked,
    cost,
    early,
    log_prob,
    marks,
    penalty,
    quiet,
    right,
    short,
    slow_step,
    steps,
)

from guerdon.advantages import returns_to_go, streams, weighted_by
from guerdon.plugins.catalog import register_local
from guerdon.recipes import RewardSpec
from guerdon.recipes.building import build_reward
from guerdon.rewards.constrained import Constrained
from guerdon.rewards.ensembles import ensemble
from guerdon.rewards.process import ProcessReward, StepScores
from guerdon.rewards.satisficing import Satisficing
from guerdon.rewards.uncertainty import UncertaintyWeighted
from guerdon.scoring import Runner
from guerdon.transforms import center, scale, standardize
from guerdon.types import Group, Rollout, Segment

LEAVES = (right, early, short, steps)
PIECES = {
    name: piece["reward"]
    for name, piece in yaml.safe_load(Path(__file__).with_name("kit_pieces.yaml").read_text()).items()
    if any(leaf.name.removesuffix("-v1") in str(piece["reward"]) for leaf in LEAVES) and name != "response-penalty"
}
"""Those with a leaf that could run in processes, but for one that asks a policy."""


@pytest.fixture(scope="module")
def runner():
    with Runner(workers=2, deadline_s=1.0) as runner:
        yield runner


def group(*texts):
    return Group.of(
        [Rollout(Asked(id="x"), (Segment("policy", text, action=0),), index=i) for i, text in enumerate(texts)]
    )


def values(rows):
    return [[score.value for score in row] for row in rows]


@pytest.mark.parametrize("piece", PIECES)
def test_a_hang_never_beats_an_honest_wrong_answer(runner, piece):
    for leaf in LEAVES:
        register_local("rewards", leaf.name, leaf)
    reward = build_reward(RewardSpec.model_validate(PIECES[piece]))
    [[good, wrong, hang]] = runner.score(reward, [group(GOOD, WRONG, HANG)])
    assert hang.scored == wrong.scored
    if wrong.scored:
        assert hang.value <= wrong.value <= good.value or piece == "satisficing"
        assert hang.value <= wrong.value


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (-1.0 * cost.named("x") + quiet, 0.5 - 1.0),
        (right + -0.5 * cost, 0.0 - 0.5),
        (cost.then(scale(1.0, -1.0)), -1.0),
        (penalty, -1.0),
        (penalty + right, -1.0),
        (quiet.unless(cost, above=0.3), 0.0),  # a cost of 1 closes it
        (penalty.gated_by(quiet) + right, -1.0),
        (penalty.gated_by(right, above=0.5), -1.0),  # closed, it would be the best
        (Satisficing({"r": right}, {"r": 0.3}), -0.49),  # 1.0 is farther from 0.3 than 0.0
        (marks, 1.0),
        (marks.named("a") + right, 1.0),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_hang_is_the_leafs_worst_as_the_whole_counts_it(runner, made, expected):
    """By hand: each leaf at the end of its bounds that is worse for the whole."""
    [[wrong, hang]] = runner.score(made, [group(WRONG, HANG)])
    assert hang.value == pytest.approx(expected)
    assert hang.value <= wrong.value


def test_a_component_that_counts_against_the_whole_hangs_at_its_upper_bound(runner):
    held = Constrained({"c": cost}, {"c": 0.5}, standardize="none", learning_rate=0.0, initial={"c": -1.0})
    [[wrong, hang]] = runner.score(held, [group(WRONG, HANG)])
    assert hang.parts["c"].value == 1.0
    assert hang.value < wrong.value


@pytest.mark.parametrize("made", [log_prob, log_prob + quiet], ids=["alone", "in a tree"])
def test_a_leaf_without_a_lower_bound_gives_what_was_worst_beside(runner, made):
    """0 would be the best log-probability of all; the wrong answer's is -9."""
    [[good, wrong, hang]] = runner.score(made, [group(GOOD, WRONG, HANG)])
    assert hang.value == wrong.value < good.value
    assert (hang.parts["log-prob"] if hang.parts else hang).value == pytest.approx(-9.0)


@pytest.mark.parametrize("transform", [standardize(), center(scope="group")], ids=repr)
def test_siblings_of_one_that_hangs_keep_their_scores(runner, transform):
    """0.9, 0.1 and the worst, 0: centred, .5667, -.2333 and -.3333."""
    [row] = runner.score(right.then(transform), [group(GOOD, WRONG, HANG)])
    spread = row[0].value / (0.9 - 1 / 3)
    assert [score.value for score in row] == pytest.approx([spread * (x - 1 / 3) for x in (0.9, 0.1, 0.0)])
    assert row[0].status == "ok"


def test_a_leaf_that_does_not_hang_keeps_its_evidence_and_the_hang_counts_once(runner):
    before = runner.stats["timeouts"]
    [[hang]] = runner.score(right + quiet, [group(HANG)])
    assert (hang.value, hang.parts["quiet"].value) == (0.5, 0.5)
    assert hang.parts["right"].status == "timeout"
    assert runner.stats["timeouts"] == before + 1


def test_what_estimators_ask_for_is_there_after_a_hang(runner):
    weighed = UncertaintyWeighted(ensemble([marks, marks.named("again")], "mean"))
    groups = [group(GOOD, WRONG, HANG)]
    scores = runner.score(weighed, groups)
    assert scores[0][2].value == 1.0
    for estimator in (weighted_by("weight"), streams({"ensemble": 1.0})):
        [[good, wrong, hang]] = estimator.estimate(groups, scores).values
        assert good[0] > wrong[0] > hang[0]


def test_a_scorer_of_steps_that_hangs_is_one_step_at_its_worst(runner):
    """alpha (0 - eta) = -0.5 in value and stream, where 0 is the best; 0.6 clipped is 0, so the mean is -0.25."""
    groups = [group("0.6", HANG)]
    scores = runner.score(ProcessReward(steps.named("scorer"), "clip_delta", 1.0), groups)
    assert [score.value for score in scores[0]] == [0.0, -0.5]
    assert returns_to_go({"steps": 1.0}).estimate(groups, scores).values == [[[0.25], [-0.25]]]


def test_each_step_has_a_deadline_of_its_own(runner):
    """Ten steps of 0.15 s are 1.5 s, past the deadline of 1 s: each scores .1, so the sum is 10 (.1 - .5)."""
    made = ProcessReward(StepScores(slow_step, "line"), "clip", 1.0)
    [[score]] = runner.score(made, [group("0.1\n" * 10)])
    assert score.value == pytest.approx(-4.0)


def test_a_step_that_hangs_takes_those_after_it_along_and_no_sibling(runner):
    """Two right steps, then the hang and four steps: (.9 + .9) / 7, after one deadline and not five."""
    texts = ("0.9\n0.9\nhang\n0.9\n0.9\nhang\n0.9", "0.9\n0.9")
    started = time.monotonic()
    [[hang, fine]] = runner.score(StepScores(right, "line"), [group(*texts)])
    assert hang.dense["steps"].values == (0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert fine.dense["steps"].values == (0.9, 0.9)
    assert time.monotonic() - started < 15.0
    assert runner.score(StepScores(right, "line"), [group("0.9\n0.9")])[0][0].value == 0.9
