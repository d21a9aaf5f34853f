"""The claim of SkinTokens: it runs, it can fail, and without files it claims nothing."""

import numpy as np
import pytest
import torch

from guerdon.errors import ConfigError
from guerdon_rigging import code_model, skintokens_claim, skintokens_toy
from guerdon_rigging.code_model import Perplexity, compare
from guerdon_rigging.skin_losses import SkinLoss
from guerdon_rigging.skintokens_claim import BCE, DICE, MSE, SkinTokensClaim
from guerdon_rigging.skintokens_toy import Columns, Quality, ToyCodec

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def columns(spindle):
    return [Columns.of(spindle(seed, axis=axis, detail=2), seed) for seed in range(2) for axis in (0, 2)]


def qualities(**changed):
    """Made up so that all parts hold; one is changed."""
    iou = {MSE: 0.40, BCE: 0.46, DICE: 0.52, "early": 0.0, "one": 0.50, "others": 0.1, "bone": 6.0} | changed
    found = {name: Quality({1: iou[name], 2: iou[name], 4: iou[name]}, {4: 0.04}, 0.1, ()) for name in (MSE, BCE)}
    found[DICE] = Quality({1: iou["one"], 2: 0.51, 4: iou[DICE]}, {4: 0.04}, iou["others"], ())
    found[f"{MSE}, early"] = Quality({4: iou["early"]}, {4: 0.03}, 0.1, ())
    return [
        (name, one, Perplexity(10.4, 8.0, 7.0, iou["bone"]) if name == DICE else None) for name, one in found.items()
    ]


@pytest.mark.parametrize(
    ("changed", "held"),
    [
        ({}, True),
        ({BCE: 0.50}, False),
        ({MSE: 0.45}, False),
        ({"early": 0.05}, False),
        ({"one": 0.47}, False),
        ({"others": 0.27}, False),
        ({"bone": 10.5}, False),
        ({DICE: float("nan")}, False),
    ],
)
def test_each_part_can_fail_it(monkeypatch, tmp_path, changed, held):
    """Dice by .03, MSE behind by .08 and early below .05, four codes by less than .04, others below half, nats."""
    (tmp_path / "one.glb").touch()
    monkeypatch.setattr(SkinTokensClaim, "rigs", lambda self: ([], []))
    monkeypatch.setattr(SkinTokensClaim, "_arms", lambda self, train, test, seed: iter(qualities(**changed)))
    assert SkinTokensClaim(data=str(tmp_path)).run((0, 1)).held is held


def test_one_seed_that_fails_is_enough(monkeypatch, tmp_path):
    (tmp_path / "one.glb").touch()
    monkeypatch.setattr(SkinTokensClaim, "rigs", lambda self: ([], []))
    arms = {0: qualities(), 1: qualities(**{BCE: 0.51})}
    monkeypatch.setattr(SkinTokensClaim, "_arms", lambda self, train, test, seed: iter(arms[seed]))
    result = SkinTokensClaim(data=str(tmp_path)).run((0, 1))
    assert not result.held
    assert result.measurements[0].values == pytest.approx((0.06, 0.01))


def test_without_files_it_runs_on_made_rigs_and_claims_nothing(monkeypatch, columns):
    monkeypatch.delenv("GUERDON_DATA", raising=False)
    monkeypatch.setattr(SkinTokensClaim, "rigs", lambda self: (columns[:3], columns[3:]))
    told = []
    claim = SkinTokensClaim(steps=3, early=2, code_steps=3)
    result = claim.run((0,), lambda done, total, what: told.append((done, total, what)))
    assert result.verdict == "held in part"
    assert "GUERDON_DATA" in result.not_run[0]
    assert all(not measurement.needed for measurement in result.measurements)
    assert told[0][:2] == (0, skintokens_claim._ARMS)
    assert told[-1][:2] == (skintokens_claim._ARMS, skintokens_claim._ARMS)


def test_a_folder_without_rigs_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no \.glb files"):
        _ = SkinTokensClaim(data=str(tmp_path)).folder
    with pytest.raises(ConfigError, match=r"SkinTokensClaim\.steps"):
        SkinTokensClaim(steps=0)


@pytest.mark.slow
def test_the_toy_learns_and_its_codes_belong_to_bones(columns):
    """An IoU of .5 would be all vertices, said of every bone."""
    codec = skintokens_toy.train(columns, SkinLoss(), 200, seed=0)
    found = skintokens_toy.measure(codec, columns, seed=0)
    assert found.iou[4] > 0.7
    assert found.iou_of_others < 0.7 * found.iou[4]


def test_the_toy_is_seeded(columns):
    one, two = (skintokens_toy.train(columns, SkinLoss(), 2, seed=3, dense=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_the_toys_prefix_is_a_shorter_sum():
    """Of four codes the first two are read, whatever the others are."""
    codec = ToyCodec()
    codes, mesh, asked = torch.randn(2, 4, 5), torch.zeros(2, 96), torch.randn(2, 7, 54)
    short = codec.decode(mesh, codes[:, :2], asked)
    assert short.shape == (2, 7)
    assert not torch.allclose(short, codec.decode(mesh, codes, asked))
    other = torch.cat([codes[:, :2], torch.randn(2, 2, 5)], dim=1)
    assert torch.equal(short, codec.decode(mesh, other[:, :2], asked))


def test_columns_are_of_bones_worth_coding(spindle):
    """1 to 60 % of vertices above .1; each of three bones of a spindle has less than that but the middle one."""
    one = Columns.of(spindle(detail=2), 0)
    share = (one.rig.weights > 0.1).mean(0)
    assert one.bones.tolist() == [bone for bone in range(3) if 0.01 <= share[bone] <= 0.6]
    assert one.weights.shape[0] == one.dense.shape[0] == one.targets.shape[0] == len(one.bones)


def test_codes_that_follow_from_the_bone_are_predicted_from_it():
    """Two kinds of bones, each with codes of its own: given the bone, far less than log 2 remains a bone."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 200)
    bones = np.repeat(kind[:, None], 6, 1).astype(np.float32) - 0.5
    codes = np.where(kind[:, None] == 0, [[5, 6, 7, 8]], [[30000, 20000, 10000, 0]])
    found = compare([bones[:150]], [codes[:150]], [bones[150:]], [codes[150:]], 120, 0)
    assert found.uniform == pytest.approx(10.397, abs=1e-3)
    assert found.given_bone < 0.15
    assert found.given_bone < found.alone < found.unigram < found.uniform


def test_a_code_is_predicted_from_those_before_it_alone():
    """Causal: another last code changes no earlier code's probability."""
    model = code_model.CodeModel(4)
    codes = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 9]])
    found = model(torch.zeros(2, 6), codes)
    assert torch.allclose(found[0, :3], found[1, :3], atol=1e-6)
    assert not torch.allclose(found[0, 3], found[1, 3])
