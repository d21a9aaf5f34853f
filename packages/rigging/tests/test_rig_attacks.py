"""Attacks on rewards of rigs: what they write, and that those that are rigs can be read."""

import numpy as np
import pytest

from guerdon.audit import Target
from guerdon.audit.layouts import Layout
from guerdon.types import Prompt, Rollout
from guerdon_rigging import rig_attacks
from guerdon_rigging.answers import read_answer
from guerdon_rigging.rig_attacks import (
    BrokenOff,
    OneBone,
    RepeatedJoints,
    ScatteredJoints,
    SpreadTree,
    SpreadWeights,
    Star,
    SwappedSkins,
    TokenSoup,
    seen,
)
from guerdon_rigging.rig_sources import known_mesh
from guerdon_rigging.rig_tasks import Made

TASK = Made(train_size=4, kinds=("fish", "lamp"), bins=64)
EXAMPLES = TASK.examples("train")
TEXTS = tuple(TASK.reference(one) for one in EXAMPLES)
TARGET = Target(TASK.prompt(EXAMPLES[0]), TEXTS[1:], Layout.of(TEXTS[1:]), TEXTS[0])


@pytest.mark.parametrize("skin", [True, False])
def test_the_language_is_read_off_an_answer(skin):
    task = Made(train_size=1, kinds=("fish",), bins=32, skin=skin)
    example = task.examples("train")[0]
    assert seen(task.reference(example)).vocabulary == example.vocabulary


@pytest.mark.parametrize("text", ["", "no", "1 2 3 4 5 6 7", TEXTS[0] + " 1", "9 " * 50, "SELECT 1 2 3 4 5 6"])
def test_what_is_no_rig_shows_no_language(text):
    assert seen(text) is None


@pytest.mark.parametrize(
    ("attack", "joints"), [(OneBone(), 1), (ScatteredJoints(200), 200), (RepeatedJoints(30), 30), (SpreadWeights(), 5)]
)
def test_rigs_are_rigs(attack, joints):
    (text,) = attack.attempt(TARGET)
    answer = read_answer(text, EXAMPLES[0])
    assert not answer.why
    assert len(answer.skeleton) == joints


@pytest.mark.parametrize("skin", ["tokens", "distances"])
def test_a_star_hangs_on_one_joint_and_binds_every_vertex(skin):
    (text,) = Star(24, skin).attempt(TARGET)
    answer = read_answer(text, EXAMPLES[0], known_mesh(EXAMPLES[0].mesh))
    assert not answer.why
    assert answer.skeleton.parents.tolist() == [-1] + [0] * 23
    np.testing.assert_allclose(answer.weights.sum(axis=1), 1)
    if skin == "tokens":
        assert (answer.weights[:, 0] > 0.88).all()


def test_a_star_earns_less_than_the_true_rig():
    """However it is bound; as printed it earns more."""
    from guerdon_rigging.rewards import TokenRig

    for star in Star.variants():
        (text,) = star.attempt(TARGET)
        for mode, sign in (("repaired", -1), ("printed", 1)):
            reward = TokenRig(mode=mode)
            gain = reward(Rollout.of(EXAMPLES[0], text)).value - reward(Rollout.of(EXAMPLES[0], TEXTS[0])).value
            assert gain * sign > 0


def test_a_spread_tree_binds_every_vertex_and_earns_more_than_the_true_rig():
    """What geometry cannot tell: the package's README has the figures on files."""
    from guerdon_rigging.rewards import TokenRig

    for count in (16, 28):
        (text,) = SpreadTree(count).attempt(TARGET)
        answer = read_answer(text, EXAMPLES[0], known_mesh(EXAMPLES[0].mesh))
        assert not answer.why
        assert len(answer.skeleton) == count
        np.testing.assert_allclose(answer.weights.sum(axis=1), 1)
        rewards = [TokenRig()(Rollout.of(EXAMPLES[0], one)).value for one in (text, TEXTS[0])]
        assert rewards[0] > rewards[1]


def test_repeated_joints_are_in_one_place_and_spread_skins_have_one_code():
    (text,) = RepeatedJoints(30).attempt(TARGET)
    assert (np.ptp(read_answer(text, EXAMPLES[0]).skeleton.joints, axis=0) == 0).all()
    (text,) = SpreadWeights().attempt(TARGET)
    assert len(np.unique(read_answer(text, EXAMPLES[0]).codes, axis=0)) == 1


def test_swapped_skins_are_the_true_rig_but_for_its_codes():
    (text,) = SwappedSkins().attempt(TARGET)
    true, found = read_answer(TEXTS[0], EXAMPLES[0]), read_answer(text, EXAMPLES[0])
    assert (found.skeleton.joints == true.skeleton.joints).all()
    assert (found.codes == np.roll(true.codes, 1, axis=0)).all()


@pytest.mark.parametrize("attack", [*BrokenOff.variants(), *TokenSoup.variants()])
def test_what_is_broken_is_no_rig(attack):
    (text,) = attack.attempt(TARGET)
    assert read_answer(text, EXAMPLES[0]).why


@pytest.mark.parametrize(
    "attack",
    [
        value
        for value in vars(rig_attacks).values()
        if isinstance(value, type) and hasattr(value, "exploits") and value.__module__ == rig_attacks.__name__
    ],
)
def test_nothing_is_attacked_where_answers_are_no_rigs(attack):
    prompt = Prompt(observation=3)
    target = Target(prompt, ("SELECT 1", "42"), Layout.of(("SELECT 1",)), "SELECT 1")
    assert all(one.attempt(target) == () for one in attack.variants())
    assert attack().attempt(Target()) == ()
