"""The codec as TokenRig uses it: seeded, each bone by itself, prefixes, refusals, files; and the networks' sizes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from guerdon.errors import ConfigError, PolicyError
from guerdon_rigging.codec_shapes import CLASS_DEFAULTS, RELEASED, SMALL, CodecShape
from guerdon_rigging.codecs import SkinCodec
from guerdon_rigging.rigs import Mesh, Rig, RigError, Skeleton
from guerdon_rigging.skin_codec import FSQCVAE, SkinAutoencoder
from guerdon_rigging.skin_networks import Block, encoded, farthest

pytestmark = pytest.mark.model

TINY = replace(
    SMALL,
    levels=(5, 5, 5),
    encoder_width=16,
    decoder_width=16,
    latent_width=8,
    mesh_latents=8,
    points=64,
    dense_points=32,
)


@pytest.fixture(params=["split", "joint"])
def codec(request):
    return FSQCVAE.untrained(replace(TINY, decoder=request.param), seed=1)


CODES = np.array([[0, 31, 62, 124], [7, 8, 9, 10], [0, 31, 62, 124]])


def test_it_is_a_skin_codec(codec, spindle):
    promised: SkinCodec = codec
    rig = spindle(detail=2)
    assert (promised.codes, promised.length) == (125, 4)
    codes = promised.encode(rig)
    assert codes.shape == (3, 4)
    assert codes.dtype == np.int64
    assert codes.min() >= 0
    assert codes.max() < 125
    weights = promised.decode(promised.condition(rig.mesh), codes)
    assert weights.shape == rig.weights.shape
    assert weights.dtype == np.float64
    assert weights.min() >= 0
    assert weights.max() <= 1


def test_the_same_mesh_has_the_same_decoding(codec, spindle):
    """Queries are drawn at random, with a seed of their own; nothing global is touched."""
    rig = spindle(detail=2)
    before = torch.get_rng_state()
    first, second = (codec.decode(codec.condition(rig.mesh), CODES) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(codec.encode(rig), codec.encode(rig))
    assert torch.equal(before, torch.get_rng_state())


def test_the_frame_of_a_mesh_does_not_matter(codec, spindle):
    rig = spindle(detail=2)
    moved = Mesh(rig.mesh.vertices * 40 + [3, -2, 5], rig.mesh.faces)
    here, there = (codec.decode(codec.condition(mesh), CODES) for mesh in (rig.mesh, moved))
    assert np.allclose(here, there, atol=1e-4)


def test_bones_are_decoded_by_themselves(codec, spindle):
    """The same codes give the same column whatever stands beside them."""
    condition = codec.condition(spindle(detail=2).mesh)
    together = codec.decode(condition, CODES)
    assert np.allclose(together[:, 0], together[:, 2], atol=1e-6)
    assert np.allclose(codec.decode(condition, CODES[1:2])[:, 0], together[:, 1], atol=1e-6)
    assert not np.allclose(together[:, 0], together[:, 1], atol=1e-6)


def test_a_prefix_is_a_shorter_sequence_and_no_zeroed_tail(codec, spindle):
    """Code 62 is level 2 of 5 in each dimension, whose code is 0: a tail of them is not the absence of a tail."""
    assert codec.network.fsq.codes_of(torch.tensor(62)).tolist() == [0.0, 0.0, 0.0]
    condition = codec.condition(spindle(detail=2).mesh)
    cut = codec.decode(condition, CODES[:, :2])
    zeroed = codec.decode(condition, np.concatenate([CODES[:, :2], np.full((3, 2), 62)], axis=1))
    assert not np.allclose(cut, zeroed, atol=1e-5)


def test_the_attention_of_a_prefix_sees_as_many_tokens_as_are_left():
    """Mesh latents and k codes go into the joint decoder's first block: M + k."""
    codec = FSQCVAE.untrained(replace(TINY, decoder="joint"))
    seen = []
    codec.network.decoder.layers[0].register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[1]))
    latents, points = torch.zeros(1, 8, 8), torch.zeros(1, 5, 6)
    for kept in (1, 2, 4):
        codec.network.decoded(latents, points, torch.zeros(1, 3, kept, 8))
    assert seen == [9, 10, 12]


def test_the_mesh_is_a_condition_of_decoding(codec, spindle):
    """The same codes say something else of another mesh, also at a point that both have."""
    lying, standing = (codec.condition(spindle(detail=2, axis=axis).mesh) for axis in (0, 2))
    asked = codec.network.decoder.asked
    point = torch.zeros(1, 1, 6)
    meant = codec.network.fsq.meant(torch.as_tensor(CODES))[None]
    one, other = (codec.network.decoder(at.latents, asked(at.latents, point), meant) for at in (lying, standing))
    assert not torch.allclose(one, other, atol=1e-6)


def test_many_candidates_are_decoded_as_each_alone(codec, spindle):
    condition = codec.condition(spindle(detail=2).mesh)
    candidates = [CODES, CODES[:1], CODES[1:]]
    for together, alone in zip(codec.decode_all(condition, candidates), candidates, strict=True):
        assert np.allclose(together, codec.decode(condition, alone), atol=1e-6)
    assert codec.decode_all(condition, []) == []
    assert [one.shape for one in codec.decode_all(condition, [CODES[:0]])] == [(162, 0)]


@pytest.mark.parametrize("code", [-1, 125])
def test_a_code_outside_the_codebook_is_refused(codec, spindle, code):
    """The released sampler's last token was one, and decoded as code 0 without a word."""
    condition = codec.condition(spindle(detail=2).mesh)
    with pytest.raises(ValueError, match=f"code {code} is outside \\[0, 125\\)"):
        codec.decode(condition, np.array([[0, 0, 0, code]]))


@pytest.mark.parametrize("shape", [(4,), (2, 5), (2, 0)])
def test_codes_of_another_shape_are_refused(codec, spindle, shape):
    with pytest.raises(ValueError, match="1 to 4 codes"):
        codec.decode(codec.condition(spindle(detail=2).mesh), np.zeros(shape, np.int64))


def test_vertices_of_a_large_mesh_take_the_nearest_points_value(codec, spindle, monkeypatch):
    mesh = spindle().mesh
    few = FSQCVAE(codec.network, most_points=500)
    weights = few.decode(few.condition(mesh), CODES)
    assert weights.shape == (642, 3)
    assert len(np.unique(weights[:, 0])) <= 500
    monkeypatch.setattr(codec.network.decoder, "asked", lambda latents, points: points[..., :3])
    condition = few.condition(mesh)
    apart = np.linalg.norm(mesh.vertices[:, None] - condition.asked[0].numpy(), axis=2)
    assert apart.shape == (642, 500)
    assert np.allclose(apart[np.arange(642), condition.nearest], apart.min(1))
    assert FSQCVAE(codec.network).condition(mesh).nearest is None


def test_a_mesh_without_area_is_refused(codec):
    flat = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([[0, 1, 2]]))
    with pytest.raises(RigError, match="area"):
        codec.condition(flat)


def test_bones_without_weight_have_codes_too(codec, spindle):
    rig = spindle(detail=2)
    silent = Rig(rig.mesh, rig.skeleton, np.zeros_like(rig.weights))
    codes = codec.encode(silent)
    assert codes.shape == (3, 4)
    assert np.isfinite(codec.decode(codec.condition(rig.mesh), codes)).all()


def test_a_saved_codec_is_the_same_codec(codec, spindle, tmp_path):
    """In single precision to the last bit; in half it is a file of half the size."""
    codec.save(tmp_path / "whole.safetensors", torch.float32)
    codec.save(tmp_path / "half.safetensors")
    condition = codec.condition(spindle(detail=2).mesh)
    read = FSQCVAE.load(tmp_path / "whole.safetensors")
    assert read.shape == codec.shape
    assert np.array_equal(read.decode(read.condition(spindle(detail=2).mesh), CODES), codec.decode(condition, CODES))
    sizes = [(tmp_path / name).stat().st_size for name in ("half.safetensors", "whole.safetensors")]
    assert sizes[0] < 0.7 * sizes[1]
    half = FSQCVAE.load(tmp_path / "half.safetensors")
    assert (
        np.abs(half.decode(half.condition(spindle(detail=2).mesh), CODES) - codec.decode(condition, CODES)).max() < 0.02
    )


def test_a_file_that_holds_no_codec_is_named(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    for name, shape in (("shapeless", None), ("garbled", "{"), ("older", '{"levels": [5], "colour": 3}')):
        told = {"kind": "guerdon/skin-codec-v1"} | ({} if shape is None else {"shape": shape})
        save_file({"a": torch.zeros(1)}, tmp_path / f"{name}.safetensors", metadata=told)
    for name in ("other", "broken", "missing", "shapeless", "garbled", "older"):
        with pytest.raises(PolicyError, match=f"{name}.safetensors"):
            FSQCVAE.load(tmp_path / f"{name}.safetensors")


def test_the_released_sizes():
    """384 latents of 512, 768 wide, 12 heads, 2 + 10 layers and the crossing ones, five dimensions of 8 levels."""
    with torch.device("meta"):
        network = SkinAutoencoder(RELEASED)
    sizes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert sizes["mesh.embed.weight"] == (768, 54)
    assert sizes["skin.embed.weight"] == (768, 55)
    assert sizes["skin.learned"] == (32, 768)
    assert sizes["mesh.out.weight"] == (512, 768)
    assert sizes["fsq.project_in.weight"] == (5, 512)
    assert sizes["fsq.project_out.weight"] == (512, 5)
    assert sizes["decoder.embed.weight"] == (768, 512)
    assert sizes["decoder.layers.9.mlp.0.weight"] == (3072, 768)
    assert sizes["decoder.out.weight"] == (1, 768)
    assert len(network.mesh.layers) == len(network.skin.layers) == 2
    assert len(network.decoder.layers) == 10
    assert RELEASED.codes == 32768
    assert (CLASS_DEFAULTS.encoder_width, CLASS_DEFAULTS.decoder_width, CLASS_DEFAULTS.latent_width) == (512, 1024, 64)


def test_blocks_start_small():
    """Normal with std 0.25 / sqrt(width), biases 0."""
    block = Block(768, 12, RELEASED.init_gain)
    assert block.mlp[0].weight.std().item() == pytest.approx(0.25 / 768**0.5, rel=0.01)
    assert block.mlp[0].bias.abs().max() == 0


def test_a_position_becomes_51_numbers():
    """x, then sin(pi 2^i x), then cosines: at x = 1/2, sin is 1, 0, 0, ... and cos 0, -1, 1, 1, ..."""
    code = encoded(torch.tensor([0.5, 0.0, 0.0]))
    assert code.shape == (51,)
    assert torch.allclose(code[:3], torch.tensor([0.5, 0.0, 0.0]))
    assert torch.allclose(code[3:11], torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0]), atol=1e-4)
    assert torch.allclose(code[27:35], torch.tensor([0.0, -1, 1, 1, 1, 1, 1, 1]), atol=1e-4)


def test_the_second_wave_adds_a_slow_one_with_eight_phases():
    """At x = 0 it adds sin(phi_i), phi_i = 2 pi (8^(1 - i/8) + i/8); phi_8 = 2 pi (1 + 1)."""
    code = encoded(torch.zeros(3, dtype=torch.float64), second_wave=True)
    phases = [2 * np.pi * (8 ** (1 - i / 8) + i / 8) for i in range(1, 9)]
    assert code[3:11].tolist() == pytest.approx(np.sin(phases).tolist(), abs=1e-9)
    assert code[27:35].tolist() == pytest.approx((1 + np.cos(phases)).tolist(), abs=1e-9)
    assert code[10].item() == pytest.approx(0.0, abs=1e-9)


def test_queries_lie_far_apart():
    """From 0 on a line of 0, 1, 2, 3, 10: 10, then 3, then 1 (as far as 2 from what is chosen, and first)."""
    line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [10, 0, 0]]])
    assert farthest(line, 4).tolist() == [[0, 4, 3, 1]]


@pytest.mark.parametrize("queries", ["learned", "farthest", "pooled"])
def test_each_kind_of_skin_query_makes_codes(queries, spindle):
    codec = FSQCVAE.untrained(replace(TINY, skin_queries=queries))
    assert codec.encode(spindle(detail=2)).shape == (3, 4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"length": 5}, "CodecShape.length is 5"),
        ({"decoder_width": 17}, "4 heads cannot share"),
        ({"points": 31}, "points is 31"),
        ({"heads": 0}, "CodecShape.heads is 0"),
        ({"levels": (8, 2)}, "3 or more"),
        ({"oversampling": 0}, "CodecShape.oversampling is 0"),
    ],
)
def test_a_shape_that_cannot_be_built_is_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        replace(TINY, **wrong)


def test_a_shape_is_read_back():
    assert CodecShape.of(SMALL.plain()) == SMALL
    with pytest.raises(ConfigError, match="another version"):
        CodecShape.of({"levels": [5], "colour": 3})


def test_a_skeleton_of_one_joint_is_coded(codec, spindle):
    rig = spindle(detail=2)
    one = Rig(rig.mesh, Skeleton(np.zeros((1, 3)), np.array([-1])), np.ones((len(rig.mesh.vertices), 1)))
    assert codec.encode(one).shape == (1, 4)
