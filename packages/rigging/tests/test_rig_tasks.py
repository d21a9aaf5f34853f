"""Tasks, their references and metrics; answers as texts; and the codec that needs no torch."""

import sys

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon.types import Rollout
from guerdon_rigging import rig_metrics
from guerdon_rigging.answers import read_answer, skin_of, with_skins
from guerdon_rigging.ball_codec import BallCodec
from guerdon_rigging.rig_metrics import Readable, SkeletonDistance, SkinAgreement, carried
from guerdon_rigging.rig_sources import codec_of, known_mesh, known_rig
from guerdon_rigging.rig_tasks import Folder, Made
from guerdon_rigging.rigs import Mesh, Rig, Skeleton
from guerdon_rigging.text_rigs import rig_text
from guerdon_rigging.tokens import Vocabulary


def test_a_codec_that_needs_torch_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "guerdon_rigging.skin_codec", None)  # as where torch is not installed
    with pytest.raises(ConfigError, match=r"needs torch \(.*\): pip install 'guerdon-rigging\[train\]'$"):
        codec_of("mine.safetensors")


def test_splits_share_no_creature_and_a_seed_is_always_the_same():
    task = Made(train_size=30, eval_size=30)
    train, held_out = ({one.mesh for one in task.examples(split)} for split in ("train", "eval"))
    assert len(train) == len(held_out) == 30
    assert not train & held_out
    assert {one.mesh for one in Made(train_size=30).examples("train")} == train
    assert not {one.mesh for one in Made(train_size=30, seed=1).examples("train")} & train


def test_the_eval_split_may_have_kinds_of_its_own():
    task = Made(train_size=4, eval_size=4, kinds=("humanoid",), eval_kinds=("fish", "insect"))
    assert [one.category for one in task.examples("train")] == ["humanoid"] * 4
    assert [one.category for one in task.examples("eval")] == ["fish", "insect", "fish", "insect"]


def test_a_prompt_is_the_mesh_by_its_key():
    task = Made(train_size=1, kinds=("lamp",))
    assert task.prompt(task.examples("train")[0]).observation == "made:lamp:0"
    assert len(known_mesh("made:lamp:0").vertices) == len(known_rig("made:lamp:0").weights)


@pytest.mark.parametrize("bins", [32, 256])
def test_a_reference_is_the_true_rig_to_half_a_bin(bins):
    task = Made(train_size=1, kinds=("fish",), bins=bins)
    example = task.examples("train")[0]
    true = known_rig(example.mesh).skeleton
    answer = read_answer(task.reference(example), example)
    distances = np.linalg.norm(answer.skeleton.joints[:, None] - true.joints[None], axis=2)
    assert distances.min(axis=0).max() <= np.sqrt(3) / bins
    assert Readable()(Rollout.of(example, task.reference(example))).value == 1.0


def test_metrics_of_a_reference_are_small_and_of_nonsense_abstain():
    task = Made(train_size=1, kinds=("fish",))
    example = task.examples("train")[0]
    rollout = Rollout.of(example, task.reference(example))
    found = {name: metric(rollout) for name, metric in task.metrics().items()}
    assert found["j2j"].value < 0.5  # of the frame, in hundredths: half a bin is at most 0.34
    assert found["skin_l1_per_vertex"].value < 1
    assert 0 < found["skin_precision"].value <= 1
    nonsense = {name: metric(Rollout.of(example, "no")) for name, metric in task.metrics().items()}
    assert nonsense["j2j"].status == nonsense["skin_recall"].status == "abstain"
    assert nonsense["readable"].value == nonsense["tokenrig"].value == 0.0


def test_j2j_is_that_of_the_sheet(monkeypatch):
    """Example 10: {0, 1} and {0, .5, 1} on a line, range 2: 4.16667 hundredths; against itself shifted by 0.2: 10."""
    mesh = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0.0]]), np.array([[0, 1, 2]]))

    def line(*xs, aside=0.0):
        tree = Skeleton(np.array([[x, aside, 0] for x in xs]), np.arange(-1, len(xs) - 1))
        return Rig(mesh, tree, np.eye(3, len(xs)) + np.eye(3, len(xs), -2))

    monkeypatch.setattr(rig_metrics, "known_rig", lambda key: line(0, 1))
    example = Made(train_size=1).examples("train")[0]

    def distance(which, rig):
        return SkeletonDistance(which=which)(Rollout.of(example, rig_text(rig))).value

    assert distance("j2j", line(0, 0.5, 1)) == pytest.approx(4.16667, abs=1e-5)
    assert distance("j2j", line(0, 1, aside=0.2)) == pytest.approx(10)
    assert distance("b2b", line(0, 0.5, 1)) == pytest.approx(0.0625)


def test_a_skin_is_decoded_once_for_its_four_figures(monkeypatch):
    decoded = []

    def counting(*args):
        decoded.append(1)
        return with_skins(*args)

    monkeypatch.setattr(rig_metrics, "with_skins", counting)
    task = Made(train_size=1, kinds=("chest",), seed=77)
    example = task.examples("train")[0]
    rollout = Rollout.of(example, task.reference(example))
    found = [metric(rollout).value for name, metric in task.metrics().items() if name.startswith("skin_")]
    assert (len(found), len(decoded)) == (4, 1)


def test_weights_go_to_the_nearest_true_joint():
    one = Skeleton(np.array([[0, 0, 0], [0.1, 0, 0], [1, 0, 0]]), np.array([-1, 0, 1]))
    other = Skeleton(np.array([[0, 0, 0], [0.9, 0, 0]]), np.array([-1, 0]))
    assert carried(np.array([[0.2, 0.3, 0.5]]), one, other).tolist() == [[0.5, 0.5]]


def test_true_tokens_of_the_skin_are_not_perfect_and_a_true_text_rig_is():
    task = Made(train_size=1, kinds=("lamp",))
    example = task.examples("train")[0]
    exact = SkinAgreement()(Rollout.of(example, rig_text(known_rig(example.mesh))))
    assert exact.value < 0.01
    assert SkinAgreement()(Rollout.of(example, task.reference(example))).value > exact.value


@pytest.mark.parametrize(
    "wrong",
    [{"kinds": ("dragon",)}, {"bins": 1}, {"kind": "cat"}, {"order": "any"}, {"rounding": "up"}, {"train_size": -1}],
)
def test_options_that_are_none_are_refused(wrong):
    with pytest.raises(ConfigError):
        Made(**wrong)


def test_a_codec_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="codec is 'nothing'"):
        Made(codec="nothing").examples("train")


def test_a_folder_has_to_be_named():
    with pytest.raises(ConfigError, match="folder of rigging/folder-v1 is empty"):
        Folder()


def test_files_are_split_and_broken_ones_are_said_to_be(tmp_path):
    from guerdon_rigging.gltf_writing import write_rig
    from guerdon_rigging.rewards import TokenRig

    for number in range(3):
        write_rig(known_rig("made:lamp:0"), tmp_path / f"{number}.glb")
    (tmp_path / "3.glb").write_bytes(b"no glTF")
    task = Folder(folder=str(tmp_path), every=3)
    train, held_out = task.examples("train"), task.examples("eval")
    assert [one.id for one in train] == ["1.glb", "2.glb"]
    assert [one.id for one in held_out] == ["0.glb", "3.glb"]
    assert TokenRig()(Rollout.of(train[0], task.reference(train[0]))).value > 2
    assert task.reference(held_out[1]) is None
    score = TokenRig()(Rollout.of(held_out[1], "1"))
    assert score.status == "invalid"
    assert "3.glb" in score.why


def test_a_ball_is_where_its_codes_say():
    """The weight is 1 at the centre and exp(-1/2) a radius away; below 0.05 it is 0."""
    mesh = known_mesh("made:lamp:0")
    codec = BallCodec()
    at = codec.condition(mesh)
    weights = codec.decode(at, np.array([[3, 40], [5, 0]]))
    assert weights.shape == (len(mesh.vertices), 2)
    assert weights.max(axis=0).tolist() == [1.0, 1.0]
    centre = mesh.vertices[weights[:, 0].argmax()]
    away = np.linalg.norm(mesh.vertices - centre, axis=1)
    expected = np.exp(-(away**2) / (2 * np.geomspace(0.02, 1, 64)[40] ** 2))
    assert weights[:, 0] == pytest.approx(np.where(expected < 0.05, 0, expected))
    with pytest.raises(ValueError, match="accepted are 0 to 63"):
        codec.decode(at, np.array([[64, 0]]))


def test_all_candidates_are_decoded_as_each_alone():
    task = Made(train_size=2, kinds=("fish",))
    example = task.examples("train")[0]
    codec = codec_of("balls")
    condition = codec.condition(known_mesh(example.mesh))
    answers = [read_answer(task.reference(one), example) for one in task.examples("train")]
    together = with_skins([*answers, read_answer("no", example)], codec, condition)
    for one, answer in zip(together, answers, strict=False):
        assert (one.weights == skin_of(codec.decode(condition, answer.codes))).all()
    assert together[2].why
    assert together[2].weights is None


def test_a_skin_has_rows_of_one_and_no_dust():
    """0.0004 of 1 is dropped; a row of zeros stays one."""
    skin = skin_of(np.array([[0.5, 0.5, 0.0004], [0, 0, 0]]))
    assert skin.tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_the_vocabulary_is_the_tasks():
    example = Made(train_size=1, bins=32).examples("train")[0]
    assert example.vocabulary == Vocabulary(bins=32, codes=64, length=2)
    assert Made(train_size=1, skin=False).examples("train")[0].vocabulary == Vocabulary(codes=0, length=0)


def test_variants_are_examples_of_their_own_and_of_the_train_split_alone():
    task = Made(train_size=3, eval_size=2, variants=2, skin=False, bins=64)
    assert [one.mesh.split(":made")[0] for one in task.examples("train")] == [
        "made:humanoid:0", "made:quadruped:0", "made:snake:0", *["varied:1"] * 3, *["varied:2"] * 3,
    ]  # fmt: skip
    assert len({one.id for one in task.examples("train")}) == 9
    assert not any("varied" in one.mesh for one in task.examples("eval"))
    first, varied_one = task.examples("train")[0], task.examples("train")[3]
    assert task.reference(first) != task.reference(varied_one)
    assert task.reference(varied_one) == task.reference(varied_one.model_copy())


def test_a_rig_of_more_joints_than_are_taken_has_no_reference():
    """A made humanoid has more than four joints."""
    task = Made(train_size=1, skin=False, most=4)
    assert task.reference(task.examples("train")[0]) is None


@pytest.mark.parametrize("skin", [True, False])
def test_an_answer_can_be_looked_at(skin):
    task = Made(train_size=1, kinds=("lamp",), skin=skin, bins=64)
    example = task.examples("train")[0]
    reference = task.reference(example)
    assert task.picture(example, reference).startswith(b"\x89PNG")
    assert task.picture(example, "no rig") is None
    assert task.picture(example.model_copy(update={"mesh": "file:nowhere.glb"}), reference) is None
