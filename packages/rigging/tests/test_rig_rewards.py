"""What answers earn: the four rewards and their sum, statuses, hacks, and that a group is scored as its members."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from guerdon.advantages import group_relative
from guerdon.errors import ConfigError
from guerdon.rewards.base import Context
from guerdon.types import Example, Group, Rollout
from guerdon_rigging.answers import Answered
from guerdon_rigging.baselines import baseline
from guerdon_rigging.examples import RigExample
from guerdon_rigging.rewards import (
    BoneContainment,
    Candidates,
    DeformationSmoothness,
    JointCoverage,
    SkinSparsity,
    TokenRig,
    diagnostics,
)
from guerdon_rigging.rig_scores import Ground
from guerdon_rigging.rig_sources import known_rig
from guerdon_rigging.rig_tasks import Made
from guerdon_rigging.rigs import Mesh, RigError, Skeleton

TASK = Made(train_size=4, kinds=("fish", "lamp"), bins=64)
EXAMPLE = TASK.examples("train")[0]
ALL = (TokenRig, JointCoverage, BoneContainment, SkinSparsity, DeformationSmoothness)


@pytest.fixture(scope="module")
def reference():
    return TASK.reference(EXAMPLE)


def test_the_sum_is_that_of_its_parts(reference):
    """5, 1, 1, 1."""
    rollout = Rollout.of(EXAMPLE, reference)
    parts = [reward()(rollout).value for reward in ALL[1:]]
    score = TokenRig()(rollout)
    assert score.value == pytest.approx(5 * parts[0] + parts[1] + parts[2] + parts[3])
    assert [score.parts[reward().label].value for reward in ALL[1:]] == pytest.approx(parts)
    assert score.parts["joints"].value == 11
    assert 0 < score.parts["used"].value <= 1


def test_a_group_is_scored_as_its_members_alone(reference):
    others = [TASK.reference(example) for example in TASK.examples("train")[1:]]
    texts = [reference, *others, "no rig", reference]
    group = Group.of([Rollout.of(EXAMPLE, text, index=place) for place, text in enumerate(texts)])
    for reward in (TokenRig(), TokenRig(mode="printed")):
        together = Context().scores(reward, [group])[0]
        alone = [reward(Rollout.of(EXAMPLE, text)) for text in texts]
        assert [score.value for score in together] == [score.value for score in alone]
        assert together[0].value == together[-1].value


@pytest.mark.parametrize("reward", ALL)
@pytest.mark.parametrize(
    "text", ["", "   ", "65 74", "a rig", "65 " * 5000, "9" * 10_000, "joints a 0 0", "\x00", "65.0 1"]
)
def test_what_is_no_rig_earns_nothing_and_says_why(reward, text):
    score = reward()(Rollout.of(EXAMPLE, text))
    assert (score.value, score.status) == (0.0, "fail")
    assert score.why


def test_what_a_budget_cut_says_so(reference):
    score = TokenRig()(Rollout.of(EXAMPLE, reference[: len(reference) // 2], stop="length"))
    assert (score.value, score.status) == (0.0, "truncated")


def test_a_whole_rig_that_used_its_budget_up_is_a_rig(reference):
    assert TokenRig()(Rollout.of(EXAMPLE, reference, stop="length")).status == "ok"


@pytest.mark.parametrize("key", ["made:dragon:0", "file:missing.glb", "nothing", "made:fish:-1", "made:fish:x"])
def test_a_mesh_that_is_none_is_the_tasks_fault(key):
    score = TokenRig()(Rollout.of(EXAMPLE.model_copy(update={"mesh": key}), "65"))
    assert score.status == "invalid"
    assert np.isnan(score.value)


def test_an_example_of_another_kind_is_a_misconfiguration():
    with pytest.raises(ConfigError, match="RigExample"):
        TokenRig()(Rollout.of(Example(id="x"), "1"))


def test_rewards_of_skins_abstain_where_none_is_asked_for():
    task = Made(train_size=1, kinds=("fish",), skin=False)
    example = task.examples("train")[0]
    rollout = Rollout.of(example, task.reference(example))
    assert SkinSparsity()(rollout).status == DeformationSmoothness()(rollout).status == "abstain"
    score = TokenRig()(rollout)
    assert score.value == pytest.approx(5 * JointCoverage()(rollout).value + BoneContainment()(rollout).value)
    assert "used" not in score.parts


def test_joints_beyond_the_limit_are_no_rig(reference):
    few = EXAMPLE.model_copy(update={"most": 10})
    assert "at most 10" in TokenRig()(Rollout.of(few, reference)).why


@pytest.mark.parametrize("far", ["101", "-1e10", "1e160", "1e308"])
def test_joints_out_of_this_world_are_no_rig(far):
    """Squares of 1e160 are infinite, and so is the way from 1e308 to -1e308: nothing measures them, nor do metrics."""
    text = f"joints a 0 0 0\njoints b {far} 0 0\njoints c -1e308 0 0\nroot a\nhier a b\nhier b c\n"
    task = Made(train_size=1, kinds=("fish",))
    for skin in (task, Made(train_size=1, kinds=("fish",), skin=False)):
        rollout = Rollout.of(skin.examples("train")[0], text)
        score = TokenRig()(rollout)
        assert (score.value, score.status) == (0.0, "fail")
        assert "joint 'b' stands at" in score.why
        assert skin.metrics()["j2j"](rollout).status == "abstain"


def test_an_answer_of_too_many_joints_is_given_up_at_the_first_of_them():
    """Half a million tokens: branches, each of which would be held against all joints before it."""
    words = EXAMPLE.vocabulary
    branch = f"{words.branch} 0 0 0 1 1 1 "
    text = f"{words.bos} {words.kind('articulation')} 0 0 0 {branch * 70_000}{words.eos_skeleton}"
    assert "at most 512 joints" in TokenRig()(Rollout.of(EXAMPLE, text)).why


class Picky:
    """A codec that takes no mesh."""

    codes, length = 5, 1

    def condition(self, mesh):
        raise RigError("the mesh has no area")


def test_a_mesh_that_the_codec_does_not_take_is_the_tasks_fault():
    example = EXAMPLE.model_copy(update={"codec": f"{__name__}:Picky", "codes": 5, "length": 1})
    score = TokenRig()(Rollout.of(example, "65"))
    assert (score.status, score.why) == ("invalid", "the mesh has no area")


def test_a_text_rig_is_read_with_its_own_skin():
    from guerdon_rigging.text_rigs import rig_text

    rig = known_rig(EXAMPLE.mesh)
    found = TokenRig(mode="printed")(Rollout.of(EXAMPLE, rig_text(rig)))
    candidates = Candidates(Ground(rig.mesh), [Answered(rig.skeleton, weights=rig.weights)])
    assert found.value == pytest.approx(TokenRig(mode="printed").measure(candidates)[0][0], rel=1e-3)
    hostile = rig_text(rig) + "skin 999999999 joint0 1.0\n"
    assert TokenRig()(Rollout.of(EXAMPLE, hostile)).status == "fail"


@pytest.mark.parametrize(
    ("skin", "why"),
    [
        ("", "no vertex follows a joint"),
        ("skin 0 joint0 1e-320\n", "no vertex follows a joint"),
        ("skin 0 joint0 1e308 joint1 1e308\n", "add up to more than a float holds"),
    ],
)
def test_a_text_rig_that_binds_nothing_says_so(skin, why):
    text = "joints joint0 0 0 0\njoints joint1 0 0.5 0\nroot joint0\nhier joint0 joint1\n" + skin
    score = TokenRig()(Rollout.of(EXAMPLE, text))
    assert (score.value, score.status) == (0.0, "fail")
    assert why in score.why


@pytest.mark.parametrize("reward", ALL)
def test_a_reward_is_its_own_recipe(reward):
    one = reward(mode="printed", grid=32)
    assert pickle.loads(pickle.dumps(one)) == one
    assert eval(repr(one)) == one


@pytest.mark.parametrize(
    ("reward", "wrong"),
    [
        (TokenRig, {"mode": "released"}),
        (TokenRig, {"grid": 1}),
        (TokenRig, {"weights": (5.0, 1.0, 1.0)}),
        (TokenRig, {"weights": (5.0, 5.0, 5.0, 5.0)}),
        (TokenRig, {"weights": (float("nan"), 1.0, 1.0, 1.0)}),
        (TokenRig, {"weights": 5}),
        (TokenRig, {"weights": ("5", 1.0, 1.0, 1.0)}),
        (JointCoverage, {"a": -1.0}),
        (JointCoverage, {"price": float("nan")}),
        (BoneContainment, {"steps": 0}),
        (SkinSparsity, {"power": -1.0}),
        (DeformationSmoothness, {"poses": 0}),
        (DeformationSmoothness, {"degrees": float("inf")}),
    ],
)
def test_settings_that_are_none_are_refused(reward, wrong):
    with pytest.raises(ConfigError):
        reward(**wrong)


def test_advantages_are_the_groups():
    """Example 9: rewards 5, 4, 0, 3, population std."""
    found = group_relative(ddof=0).centred([5.0, 4.0, 0.0, 3.0])
    assert found == pytest.approx([1.0690, 0.5345, -1.6035, 0.0], abs=2e-4)
    assert group_relative(ddof=0).centred([2.0] * 4) == [0.0] * 4


def one_bone(rig, rng, ground):
    skin = np.zeros_like(rig.weights)
    skin[:, rig.weights.sum(axis=0).argmax()] = 1
    return rig.skeleton, skin


def scattered(rig, rng, ground):
    """200 joints inside, hung on the root, that own nothing."""
    centres = ground.solid.centres
    joints = np.vstack([rig.skeleton.joints, centres[rng.integers(0, len(centres), 200)]])
    parents = np.concatenate([rig.skeleton.parents, np.zeros(200, np.int64)])
    return Skeleton(joints, parents), np.hstack([rig.weights, np.zeros((len(rig.weights), 200))])


def swapped(rig, rng, ground):
    """The rows of 5 % of the vertices."""
    skin = rig.weights.copy()
    part = rng.choice(len(skin), max(2, len(skin) // 20), replace=False)
    skin[part] = rig.weights[np.roll(part, 1)]
    return rig.skeleton, skin


def star(ground, rng):
    """40 joints inside, hung on the first."""
    centres = ground.solid.centres
    return Skeleton(centres[rng.integers(0, len(centres), 40)], np.array([-1] + [0] * 39))


def root_has_all(rig, rng, ground):
    """A star whose root has every vertex; of one each, other joints have so much that they own it."""
    skeleton, skin = star(ground, rng), np.zeros((len(rig.weights), 40))
    skin[:, 0] = 1
    for joint in range(1, 40):
        nearest = np.linalg.norm(rig.mesh.vertices - skeleton.joints[joint], axis=1).argmin()
        skin[nearest] = 0
        skin[nearest, [0, joint]] = 0.89, 0.11
    return skeleton, skin


def star_by_distances(rig, rng, ground):
    """A star that is bound as inverse distances say; its root is near everywhere."""
    skeleton = star(ground, rng)
    return skeleton, baseline("inverse-distance", exponent=4)(rig.mesh, skeleton)


HACKS = (one_bone, scattered, swapped, root_has_all, star_by_distances)


def paid(rig, mode):
    """Of the rig and its hacks: totals, and parts."""
    ground, rng = Ground(rig.mesh).make(), np.random.default_rng(0)
    rigs = [(rig.skeleton, rig.weights), *(hack(rig, rng, ground) for hack in HACKS)]
    candidates = Candidates(ground, [Answered(skeleton, weights=skin) for skeleton, skin in rigs])
    return TokenRig(mode=mode).measure(candidates)


def test_hacks_gain_as_printed_and_lose_repaired():
    """On a made rig; the shared files are below."""
    rig = known_rig("made:quadruped:0")
    printed, parts = paid(rig, "printed")
    assert printed[1] > printed[0]
    assert (printed[[2, 4, 5]] > printed[0]).all()
    assert parts["skin-sparsity"][3] == parts["skin-sparsity"][0]  # R_sc is blind to swapped weights
    assert printed[3] < printed[0]  # and R_mo is not
    assert (paid(rig, "repaired")[0][1:] < paid(rig, "repaired")[0][0]).all()


FILES = Path(os.environ.get("GUERDON_DATA", "")) / "rigged"


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("GUERDON_DATA") or not FILES.is_dir(), reason="set GUERDON_DATA to a folder with rigged/*.glb"
)
def test_hacks_on_real_files():
    """As measured on 60 files. One bone gains in 59 as printed (1 ties), scattered joints in all; both lose in all when
    repaired. Swapped weights lose in 58 and tie in 2 either way, and never change R_sc as printed. Of the stars of 40
    joints the one whose root has all gains in 58 as printed and in none repaired, the one by distances in 49 and 3.
    """
    from guerdon_rigging.rig_folders import RigFolder

    gains = {mode: np.zeros(len(HACKS), int) for mode in ("printed", "repaired")}
    losses = {mode: np.zeros(len(HACKS), int) for mode in ("printed", "repaired")}
    seen = 0
    for rig in RigFolder(FILES).rigs():
        if len(rig.skeleton) < 2:
            continue
        seen += 1
        for mode in gains:
            totals, parts = paid(rig, mode)
            gains[mode] += totals[1:] > totals[0] + 1e-9
            losses[mode] += totals[1:] < totals[0] - 1e-9
            if mode == "printed":
                assert parts["skin-sparsity"][3] == parts["skin-sparsity"][0]
    assert seen >= 50
    assert gains["printed"][0] >= seen - 1
    assert gains["printed"][1] == seen
    assert losses["repaired"][:2].tolist() == [seen, seen]
    assert losses["repaired"][2] >= 0.95 * seen
    assert gains["printed"][3] >= 0.95 * seen
    assert gains["repaired"][:4].tolist() == [0, 0, 0, 0]
    assert gains["repaired"][4] <= 0.1 * seen
    assert gains["printed"][4] >= 0.75 * seen


def test_diagnostics_tell_one_bone_from_a_rig():
    rig = known_rig("made:fish:0")
    ground = Ground(rig.mesh)
    hacked = one_bone(rig, None, ground)[1]
    told = diagnostics(Candidates(ground, [Answered(rig.skeleton, weights=skin) for skin in (rig.weights, hacked)]))
    assert told["rank"].tolist() == [1.0, pytest.approx(1 / 11)]
    assert told["used"][1] == pytest.approx(1 / 11)
    assert told["even"][1] == pytest.approx(1 / 11)
    assert told["joints"].tolist() == [11, 11]


def test_the_rank_of_a_skin_is_over_the_largest_that_there_can_be():
    """Of 8 vertices that follow a joint each among 11, 8; and of one bone for all, one in 8."""
    rig = known_rig("made:fish:0")
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    box = Mesh(
        corners, np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6]])
    )
    skins = [np.eye(8, 11), np.eye(1, 11).repeat(8, axis=0)]
    told = diagnostics(Candidates(Ground(box), [Answered(rig.skeleton, weights=skin) for skin in skins]))
    assert told["rank"].tolist() == [1.0, 1 / 8]


def test_a_rig_outside_of_everything_earns_nothing():
    """Nothing stretches and every vertex is bound; no bone is near."""
    rig = known_rig("made:fish:0")
    outside = Skeleton(np.array([[50.0, 50, 50], [50, 50, 51]]), np.array([-1, 0]))
    halves = np.full((len(rig.mesh.vertices), 2), 0.5)
    candidates = Candidates(Ground(rig.mesh), [Answered(outside, weights=halves)])
    assert TokenRig(mode="printed").measure(candidates)[0] == pytest.approx([1.5], abs=1e-6)
    assert TokenRig().measure(candidates)[0].tolist() == [0.0]


def test_a_row_of_zeros_and_bones_of_no_length_are_scored():
    rig = known_rig("made:fish:0")
    skeleton = Skeleton(np.repeat(rig.skeleton.joints[:1], 3, axis=0), np.array([-1, 0, 1]))
    candidates = Candidates(Ground(rig.mesh), [Answered(skeleton, weights=np.zeros((len(rig.mesh.vertices), 3)))])
    for mode in ("printed", "repaired"):
        values, parts = TokenRig(mode=mode).measure(candidates)
        assert np.isfinite(values).all()
        assert all(np.isfinite(column).all() for column in parts.values())
    assert BoneContainment().measure(candidates)[0].tolist() == [0.0]


def test_an_example_is_plain_data():
    assert RigExample.model_validate_json(EXAMPLE.model_dump_json()) == EXAMPLE
