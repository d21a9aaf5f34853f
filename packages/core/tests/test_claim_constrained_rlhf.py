"""The claim runs, can fail, and its arithmetic is that of the rewards it speaks of."""

import math

import numpy as np
import pytest

from guerdon.claims.constrained_rlhf import NAMES, ConstrainedRlhf, Learner, gold
from guerdon.rewards import Context, reward
from guerdon.rewards.constrained import Constrained
from guerdon.rewards.satisficing import Satisficing
from guerdon.types import Example, Group, Rollout, Segment


@reward
def first(rollout):
    return rollout.segments[0].action[0]


@reward
def second(rollout):
    return rollout.segments[0].action[1]


COMPONENTS = {"first": first, "second": second}


def batch(actions):
    segments = [(Segment("policy", action=tuple(map(float, pair))),) for pair in actions]
    return [Group.of([Rollout(Example(id="x"), segment, index=i) for i, segment in enumerate(segments)])]


def test_the_proxy_points_are_the_sheets():
    """Alone each component peaks at 1, where gold is .5; together at .625, gold .625; at 1 and 1 it is .4."""
    assert gold([1.0, 0.0]) == 0.5
    assert gold([0.625, 0.625]) == pytest.approx(0.625)
    assert gold([1.0, 1.0]) == pytest.approx(0.4)
    assert gold([0.0, 0.0]) == 0.0


def test_the_claim_runs_and_holds_on_one_seed():
    result = ConstrainedRlhf(steps=1500).run([0])
    assert result.held
    assert {m.name for m in result.measurements} >= {"gold, plain sum", "evaluations of the search"}


def test_it_fails_where_the_thresholds_are_not_the_joint_proxy_points():
    assert not ConstrainedRlhf(steps=600, joint=1.0).run([0]).held


def test_the_same_seed_measures_the_same():
    small = ConstrainedRlhf(steps=100, vertex_steps=20)
    assert small.run([3]).to_json() == small.run([3]).to_json()


@pytest.mark.parametrize("kind", ["mu", "xi"])
def test_the_learner_moves_its_multipliers_as_the_reward_does(kind):
    """The same batches through `Constrained` and through the claim's own loop."""
    thetas = {"first": 0.6, "second": 0.3}
    learner = Learner(5)
    held = Constrained(COMPONENTS, thetas, kind, standardize="none")
    for _ in range(4):
        again = Learner(5)
        again.random.bit_generator.state = learner.random.bit_generator.state
        again.mean = learner.mean
        actions, kl = again.draw()
        context = Context()
        groups = batch(actions)
        [row] = context.scores(held, groups)
        before, weights = learner.mean, held.kl_factor
        held.update(groups, [row], context)
        learner.constrain(thetas, kind)
        assert learner.multipliers == pytest.approx(held.multipliers, abs=1e-12)
        total = np.array([score.value for score in row])
        advantage = total - total.mean() + weights * (kl - kl.mean())
        slope = (actions - before) / 0.3**2
        assert learner.mean == pytest.approx(before + 0.02 * (advantage[:, None] * slope).mean(axis=0), abs=1e-12)


def test_the_satisficing_arm_is_the_reward_of_that_name():
    actions, _ = Learner(1, batch=16).draw()
    claim = ConstrainedRlhf()
    [row] = Context().scores(Satisficing(COMPONENTS, dict.fromkeys(NAMES, claim.joint)), batch(actions))
    expected = -((actions - claim.joint) ** 2).sum(axis=1)
    assert [score.value for score in row] == pytest.approx(expected, abs=1e-12)


def test_pitfall_1_a_standardised_kl_makes_the_multipliers_swing():
    """Over the last 300 of 900 steps; the kept KL gradient lets them settle, the standardised one does not."""
    swings = {}
    for standardize_kl in (False, True):
        learner, seen = Learner(0), []
        for _ in range(900):
            learner.constrain(dict.fromkeys(NAMES, 0.625), "xi", standardize=True, standardize_kl=standardize_kl)
            seen.append(learner.mean[0])
        swings[standardize_kl] = np.std(seen[-300:])
    assert swings[True] > 2.0 * swings[False]


def test_one_diverged_seed_is_enough_for_the_claim_not_to_hold():
    """Of five searches four are needed, so that the fifth may be bad; a NaN is no bad result but none."""
    fine = {"xi": 0.625, "mu": 0.625, "plain": -1.6, "plain peak": 0.625, "satisficing": 0.6, "independent": 0.4}
    fine |= {"above": 0.619, "below": 0.619, "search": 0.62, "evaluations": 20.0}
    found = {name: [value] * 5 for name, value in fine.items()}
    claim = ConstrainedRlhf()
    assert claim._judged(found, range(5)).held
    assert claim._judged({**found, "search": [0.62] * 4 + [0.1]}, range(5)).held
    for name in ("xi", "mu", "plain", "search"):
        assert not claim._judged({**found, name: [fine[name]] * 4 + [math.nan]}, range(5)).held
