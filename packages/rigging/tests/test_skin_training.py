"""Training: seeded, resumed, in prefixes; and that a small codec learns, needs its mesh, and keeps bones apart."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from guerdon.errors import ConfigError, RunError
from guerdon_rigging.codec_metrics import support_iou
from guerdon_rigging.codec_shapes import SMALL
from guerdon_rigging.rigs import Mesh, Rig, Skeleton
from guerdon_rigging.skin_batches import Bank, Draw
from guerdon_rigging.skin_codec import FSQCVAE, SkinAutoencoder
from guerdon_rigging.skin_regression import SQUARED, bone_places, squared, train_regressor
from guerdon_rigging.skin_training import METRICS, STATE, Schedule, kept_codes, reconstruction, train_codec

pytestmark = pytest.mark.model

TINY = replace(
    SMALL,
    levels=(5, 5, 5),
    encoder_width=32,
    decoder_width=32,
    latent_width=16,
    decoder_layers=1,
    mesh_latents=16,
    points=128,
    dense_points=32,
)
DRAW = Draw(meshes=2, bones=4, seen=96, asked=64, dense=16)
SHORT = Schedule(steps=6, warm_up=2, every=3, draw=DRAW)


@pytest.fixture(scope="module")
def rigs(spindle):
    """Lying along x and standing along z."""
    return [spindle(seed, axis=axis) for seed in range(2) for axis in (0, 2)]


@pytest.fixture(scope="module")
def learnt(rigs):
    schedule = Schedule(steps=300, learning_rate=2e-3, warm_up=20, every=300, draw=replace(DRAW, moved=False))
    return FSQCVAE(train_codec(rigs, TINY, schedule))


def quality(codec, rig, codes=None):
    weights = codec.decode(codec.condition(rig.mesh), codec.encode(rig) if codes is None else codes)
    return float(support_iou(weights, rig.weights).mean())


@pytest.mark.slow
def test_a_codec_learns_columns_of_an_unseen_rig(learnt, spindle):
    """All vertices, said of every bone, are an IoU of .51, and that is where an untrained one is at most."""
    rig = spindle(9)
    everywhere = float(support_iou(np.ones_like(rig.weights), rig.weights).mean())
    assert everywhere == pytest.approx(0.512, abs=1e-3)
    assert quality(FSQCVAE.untrained(TINY), rig) < everywhere + 0.01
    assert quality(learnt, rig) > 0.75


@pytest.mark.slow
def test_codes_of_the_other_bones_decode_worse(learnt, spindle):
    """That decoding sees its mesh is in test_skin_codec; spindles alone do not teach it: a point's place tells all."""
    rig = spindle(9)
    codes = learnt.encode(rig)
    assert quality(learnt, rig, codes=codes[[1, 2, 0]]) < quality(learnt, rig, codes=codes) - 0.2


@pytest.mark.slow
def test_one_code_says_most_of_what_four_do(learnt, spindle):
    """Nested dropout: every prefix is a code of its own."""
    rig = spindle(9)
    codes = learnt.encode(rig)
    whole, first = quality(learnt, rig, codes=codes), quality(learnt, rig, codes=codes[:, :1])
    assert first > whole - 0.2


@pytest.mark.parametrize(
    ("fault", "steps"), [(KeyboardInterrupt, [0, 1, 2, 3, 4, 4, 5]), (SystemError, [0, 1, 2, 3, 4, 3, 4, 5])]
)
def test_a_run_that_was_stopped_goes_on_with_the_same_numbers(fault, steps, rigs, tmp_path, monkeypatch):
    """From the step at which it was interrupted; after what cannot be caught, from the checkpoint after step 3."""
    whole = train_codec(rigs, TINY, SHORT, tmp_path / "whole")
    calls = []

    def stopped(most, seed, step):
        calls.append(step)
        if step == 4 and len(calls) < 6:
            raise fault
        return kept_codes(most, seed, step)

    monkeypatch.setattr("guerdon_rigging.skin_training.kept_codes", stopped)
    with pytest.raises(fault):
        train_codec(rigs, TINY, SHORT, tmp_path / "broken")
    again = train_codec(rigs, TINY, SHORT, tmp_path / "broken")
    assert calls == steps
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    lines, again = [
        [json.loads(line) for line in (tmp_path / run / METRICS).read_text().splitlines()]
        for run in ("broken", "whole")
    ]
    assert [line["step"] for line in lines] == [3, 6]
    assert [line["loss"] for line in lines] == [line["loss"] for line in again]


def test_weights_of_half_a_step_are_not_kept(rigs, tmp_path, monkeypatch):
    """Interrupted inside the optimiser, nobody knows which weights have moved."""
    taken, real = [], torch.optim.AdamW.step

    def half(optimizer, *args, **kwargs):
        taken.append(1)
        if len(taken) == 5:
            raise KeyboardInterrupt
        return real(optimizer, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", half)
    with pytest.raises(KeyboardInterrupt):
        train_codec(rigs, TINY, SHORT, tmp_path)
    assert torch.load(tmp_path / STATE, weights_only=True)["step"] == 3


@pytest.mark.parametrize("train", [train_codec, train_regressor])
def test_a_run_on_other_rigs_is_refused(train, rigs, tmp_path):
    """More of them; as many with another mesh, with other weights, or with joints elsewhere."""
    first, *_ = rigs
    schedule = replace(SHORT, steps=1)
    train(rigs, TINY, schedule, tmp_path)
    train(rigs, TINY, schedule, tmp_path)
    with pytest.raises(
        ConfigError, match=r"another run: rigs\.count was 4 and is 3 now; rigs\.hash was '.*Name another"
    ):
        train(rigs[:3], TINY, schedule, tmp_path)
    mesh = Mesh(first.mesh.vertices * 0.5, first.mesh.faces)
    skeleton = Skeleton(first.skeleton.joints + 0.01, first.skeleton.parents)
    others = [
        Rig(mesh, first.skeleton, first.weights),
        Rig(first.mesh, first.skeleton, first.weights[:, ::-1]),
        Rig(first.mesh, skeleton, first.weights),
    ]
    for other in others:
        with pytest.raises(ConfigError, match=r"another run: rigs\.hash was '\w{16}' and is '\w{16}' now\. Name"):
            train([other, *rigs[1:]], TINY, schedule, tmp_path)


def test_a_bank_of_other_points_is_another_run(rigs, tmp_path):
    train_codec(Bank(rigs, uniform=200, dense=40), TINY, SHORT, tmp_path)
    with pytest.raises(
        ConfigError, match=r"another run: rigs\.dense was 40 and is 50 now; rigs\.seed was 0 and is 1 now"
    ):
        train_codec(Bank(rigs, uniform=200, dense=50, seed=1), TINY, SHORT, tmp_path)


def test_a_folder_of_another_run_is_refused(rigs, tmp_path):
    train_codec(rigs, TINY, replace(SHORT, steps=3), tmp_path)
    with pytest.raises(ConfigError, match=r"state\.pt is of another run: schedule\.steps was 3 and is 6 now\. Name"):
        train_codec(rigs, TINY, SHORT, tmp_path)
    with pytest.raises(ConfigError, match=r"schedule\.steps was 3 and is 6 now; shape was set and is not now\. Name"):
        train_regressor(rigs, TINY, SHORT, tmp_path)
    state = torch.load(tmp_path / STATE, weights_only=True)
    del state["told"]["rigs"]
    torch.save(state, tmp_path / STATE)
    with pytest.raises(ConfigError, match=r"another run: rigs was not kept\. Name another folder"):
        train_codec(rigs, TINY, replace(SHORT, steps=3), tmp_path)
    (tmp_path / STATE).write_bytes(b"half a file")
    with pytest.raises(RunError, match="Remove it to begin anew"):
        train_codec(rigs, TINY, SHORT, tmp_path)


def test_a_folder_that_cannot_be_made_is_told(rigs, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match=r"cannot write '.*codec'"):
        train_codec(rigs, TINY, SHORT, tmp_path / "runs" / "codec")


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 0), ("every", 0), ("seed", -1), ("learning_rate", 0.0), ("learning_rate", np.nan)]
)
def test_a_schedule_that_cannot_be_followed_is_refused(field, value):
    with pytest.raises(ConfigError, match=f"Schedule.{field} is {value}"):
        replace(SHORT, **{field: value})


def test_a_loss_that_is_no_number_stops_the_run(rigs, monkeypatch):
    nan = lambda network, batch, length: torch.full((2, 4, 80), torch.nan, requires_grad=True)  # noqa: E731
    monkeypatch.setattr("guerdon_rigging.skin_training.reconstruction", nan)
    with pytest.raises(RunError, match="at step 0 the loss is nan"):
        train_codec(rigs, TINY, SHORT)


def test_rigs_without_weights_cannot_be_learnt(spindle):
    rig = spindle(detail=2)
    with pytest.raises(ConfigError, match="none of 1 rigs has a weight"):
        Bank([Rig(rig.mesh, rig.skeleton, np.zeros_like(rig.weights))])


def test_nested_dropout_keeps_powers_of_two_and_all():
    assert {kept_codes(6, 0, step) for step in range(80)} == {1, 2, 4, 6}
    assert {kept_codes(1, 0, step) for step in range(9)} == {1}
    assert [kept_codes(4, 3, step) for step in range(9)] == [kept_codes(4, 3, step) for step in range(9)]


def test_the_rate_rises_and_falls_as_a_cosine():
    """Half of the peak half-way down: 1 + cos(pi / 2) over 2."""
    schedule = Schedule(steps=110, warm_up=10, learning_rate=1.0)
    rates = [schedule.rate(step) for step in (0, 9, 10, 60, 110)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.0])


def test_a_batch_has_uniform_points_in_every_set_and_each_bones_own(rigs):
    """Logits that name (bone, point): a bone is judged at the 64 uniform points and its own 16."""
    batch = Bank(rigs, uniform=200, dense=40).batch(DRAW, 0, 0)
    assert batch.seen.shape == (2, 96, 6)
    assert batch.bone_points.shape == (8, 112, 6)
    assert batch.asked.shape == (2, 64 + 4 * 16, 6)
    assert batch.targets.shape == (2, 4, 80)
    places = torch.arange(128.0).expand(2, 4, 128)
    own = batch.own(places)
    assert own[0, 0].tolist() == list(range(80))
    assert own[1, 2].tolist() == [*range(64), *range(96, 112)]


def test_targets_belong_to_the_points_that_are_asked(rigs):
    """Without turns: a point's weight of a bone of a spindle is a function of its place along the axis alone."""
    batch = Bank(rigs[1:2], uniform=200, dense=40).batch(replace(DRAW, moved=False), 0, 0)
    for place, bone in enumerate(batch.bones[0]):
        own = batch.own(batch.asked[0, :, 2].expand(2, 4, -1))[0, place].numpy()
        tents = np.clip(1 - np.abs(own[:, None] - np.array([-2 / 3, 0, 2 / 3])) * 1.5, 0, None)
        assert np.abs(tents[:, bone] / tents.sum(1) - batch.targets[0, place].numpy()).max() < 0.15


def test_a_batch_depends_on_seed_and_step_alone(rigs):
    bank = Bank(rigs, uniform=200, dense=40)
    bank.batch(DRAW, 0, 3)
    assert torch.equal(bank.batch(DRAW, 0, 5).asked, Bank(rigs, uniform=200, dense=40).batch(DRAW, 0, 5).asked)
    assert not torch.equal(bank.batch(DRAW, 0, 5).seen, bank.batch(DRAW, 0, 6).seen)


def test_moved_meshes_keep_their_normals_unit_and_stay_in_the_cube(rigs):
    bank = Bank(rigs, uniform=200, dense=40)
    for step in range(5):
        batch = bank.batch(DRAW, 0, step)
        assert torch.allclose(batch.seen[..., 3:].norm(dim=-1), torch.ones(2, 96), atol=1e-4)
        assert batch.seen[..., :3].abs().max() <= 1.05


def test_points_can_be_uniform_alone(rigs):
    batch = Bank(rigs, uniform=200, dense=40).batch(replace(DRAW, dense=0), 0, 0)
    assert batch.targets.shape == (2, 4, 64)
    network = SkinAutoencoder(TINY)
    assert reconstruction(network, batch, 2).shape == (2, 4, 64)


def test_a_bone_is_its_joint_its_parent_and_its_tip(spindle):
    """Joints at -1, -1/3, 1/3 along z; the leaf's tip is half of 2/3 further on."""
    along = bone_places(spindle().skeleton)[:, [2, 5, 8]]
    assert along == pytest.approx(np.array([[-1, -1, -1 / 3], [-1 / 3, -1, 1 / 3], [1 / 3, -1 / 3, 2 / 3]]), abs=1e-6)


@pytest.mark.slow
def test_the_regression_learns_too(rigs, spindle):
    schedule = Schedule(steps=250, learning_rate=2e-3, warm_up=20, every=250, draw=replace(DRAW, moved=False))
    network = train_regressor(rigs, TINY, squared(schedule))
    rig = spindle(9)
    assert squared(schedule).loss == SQUARED
    weights = network.skin(rig.mesh, rig.skeleton)
    assert weights.shape == rig.weights.shape
    assert float(support_iou(weights, rig.weights).mean()) > 0.8


def test_codec_and_regression_are_of_about_one_size():
    from guerdon_rigging.skin_regression import BoneRegressor

    sizes = [
        sum(value.numel() for value in network.parameters())
        for network in (SkinAutoencoder(SMALL), BoneRegressor(SMALL))
    ]
    assert 0.8 < sizes[1] / sizes[0] < 1.25
