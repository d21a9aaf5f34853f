"""Rigs as tokens and back: the sheet's examples 1 to 4, orders, and what is told of sequences that are no rigs."""

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging.orders import PART_BONES, permutation, reordered
from guerdon_rigging.rigs import Skeleton
from guerdon_rigging.tokens import (
    TokenError,
    Vocabulary,
    bin_of,
    coordinate_of,
    detokenise,
    sequence_length,
    skeleton_tokens,
    tokenise,
)

WORDS = Vocabulary()
RELEASED = Vocabulary(rounding="released")
FIVE = Skeleton(
    np.array([[0, 0, 0], [0, 0.5, 0], [0, 1, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]]), np.array([-1, 0, 1, 1, 1])
)
SMALL = Vocabulary(bins=8, codes=5, length=2)
"""branch 8, bos 9, eos_skeleton 10, pad 11, parts 12-14, classes 15-18, codes 19-23, eos_final 24."""
ONE_JOINT = [9, 18, 1, 2, 3, 10, 19, 23, 24]


@pytest.mark.parametrize("words", [WORDS, RELEASED])
def test_bins_are_those_of_the_sheet(words):
    """Example 1, alike for both ways to round."""
    assert bin_of(words, np.array([-1, -0.999, 0, 0.5, 0.999, 1, 1.5, -2])).tolist() == [
        0,
        0,
        128,
        192,
        255,
        255,
        255,
        0,
    ]
    assert coordinate_of(words, [0, 127, 128, 255]).tolist() == [-0.99609375, -0.00390625, 0.00390625, 0.99609375]


def test_the_released_pair_is_biased_and_the_default_is_not():
    """What comes back lies 0 to 1/128 above x, on average 1/256; with floor, at most 1/256 off on either side."""
    x = np.linspace(-0.99, 0.99, 100_001)
    off = coordinate_of(RELEASED, bin_of(RELEASED, x)) - x
    assert 0 <= off.min() <= off.max() <= 1 / 128
    assert off.mean() == pytest.approx(1 / 256, abs=1e-5)
    off = coordinate_of(WORDS, bin_of(WORDS, x)) - x
    assert abs(off).max() <= 1 / 256
    assert off.mean() == pytest.approx(0, abs=1e-5)


def test_the_released_rounding_is_half_to_even():
    """(x + 1) 128 = 0.5 and 1.5."""
    assert bin_of(RELEASED, np.array([-1 + 0.5 / 128, -1 + 1.5 / 128])).tolist() == [0, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_no_bin(bad):
    with pytest.raises(ValueError, match="not finite"):
        bin_of(WORDS, np.array([0.0, bad]))


def test_what_is_far_outside_is_in_the_outermost_bin():
    assert bin_of(WORDS, np.array([1e300, -1e300])).tolist() == [255, 0]


def test_small_vocabularies_have_the_same_ids_after_their_bins():
    words = Vocabulary(bins=32, codes=100, length=2)
    assert (words.branch, words.bos, words.eos_skeleton, words.pad) == (32, 33, 34, 35)
    assert (words.first_part, words.first_class, words.first_code, words.eos_final, words.size) == (
        36,
        39,
        43,
        143,
        144,
    )


def test_ids_are_the_released_ones():
    """Sheet: branch 256 to articulation 266; example 4: codes 267 to 33034, eos_final 33035 (64267 with 64000)."""
    assert [WORDS.branch, WORDS.bos, WORDS.eos_skeleton, WORDS.pad] == [256, 257, 258, 259]
    assert [WORDS.part(name) for name in ("spring", "body", "hand")] == [260, 261, 262]
    assert [WORDS.kind(name) for name in ("none", "rignet", "vroid", "articulation")] == [263, 264, 265, 266]
    assert (WORDS.first_code, WORDS.eos_final - 1, WORDS.eos_final, WORDS.size) == (267, 33034, 33035, 33036)
    assert Vocabulary(codes=64000).eos_final == 64267


def test_a_branching_skeleton_has_the_tokens_of_the_sheet():
    """Example 2."""
    tokens = skeleton_tokens(WORDS, FIVE)
    expected = "257 266 128 128 128 128 192 128 128 255 128 256 128 192 128 192 192 128 256 128 192 128 64 192 128 258"
    assert tokens.tolist() == [int(token) for token in expected.split()]
    codes = np.arange(20).reshape(5, 4)
    decoded = detokenise(WORDS, tokenise(WORDS, FIVE, codes))
    assert decoded.skeleton.parents.tolist() == [-1, 0, 1, 1, 1]
    assert abs(decoded.skeleton.joints - FIVE.joints).max() <= 1 / 128
    assert decoded.codes.tolist() == codes.tolist()
    assert decoded.kind == "articulation"


def test_joints_that_share_a_bin_swap_children():
    """Example 3: the latest of the nearest is the parent, so joint 2 follows from 1 and not from 0."""
    skeleton = Skeleton(np.array([[0, 0, 0], [0.001, 0, 0], [0, 0.5, 0]]), np.array([-1, 0, 0]))
    tokens = tokenise(WORDS, skeleton, np.zeros((3, 4), int))
    assert detokenise(WORDS, tokens).skeleton.parents.tolist() == [-1, 0, 1]


def test_lengths_are_those_of_the_formula():
    """Example 4; and example 2 with T = 4: 26 + 20 + 1."""
    assert sequence_length(20, 5, 4) == 164
    assert len(tokenise(WORDS, FIVE, np.zeros((5, 4), int))) == sequence_length(5, 2, 4) == 47


def test_codes_follow_their_joints_into_another_order():
    """Joint 1 is written last: the order is 0 2 1."""
    fork = Skeleton(np.array([[0, 0, 0], [0, 0, 0.5], [0, 0, -0.5]]), np.array([-1, 0, 0]))
    decoded = detokenise(SMALL, tokenise(SMALL, fork, np.array([[0, 0], [1, 1], [2, 2]]), order="siblings"))
    assert decoded.codes.tolist() == [[0, 0], [2, 2], [1, 1]]
    assert decoded.skeleton.joints[1, 2] < 0 < decoded.skeleton.joints[2, 2]


def test_siblings_are_sorted_by_z_then_x_then_y():
    positions = [[0, 0, 0], [2, 0, 1], [1, 5, 1], [1, 4, 1], [9, 9, 0]]
    skeleton = Skeleton(np.array(positions, float), np.array([-1, 0, 0, 0, 0]))
    assert permutation(skeleton, order="siblings").tolist() == [0, 4, 3, 2, 1]
    assert permutation(skeleton, order="depth-first").tolist() == [0, 1, 2, 3, 4]


def test_depth_first_finishes_a_chain_before_the_next():
    skeleton = Skeleton(np.zeros((5, 3)), np.array([-1, 0, 0, 1, 2]))
    assert permutation(skeleton).tolist() == [0, 1, 3, 2, 4]
    assert reordered(skeleton, permutation(skeleton)).parents.tolist() == [-1, 0, 1, 0, 3]


def test_a_chain_may_be_longer_than_python_recurses():
    assert len(permutation(Skeleton(np.zeros((5000, 3)), np.arange(-1, 4999)))) == 5000


def test_parts_have_22_and_30_bones():
    for parts in PART_BONES.values():
        assert (len(parts["body"]), len(parts["hand"])) == (22, 30)


def named(kind, names, parents):
    joints = np.random.default_rng(0).uniform(-1, 1, (len(names), 3))
    return Skeleton(joints, np.array(parents), tuple(names))


def humanoid(kind, hands=True):
    """Hips first; hair last but hung on the head; every hand bone on its finger's chain."""
    trunk = {"vroid": 6, "mixamo": 6}[kind]
    body = PART_BONES[kind]["body"]
    parents = [-1, *range(trunk - 1)]
    for limb, start in enumerate((3, 3, 0, 0)):
        parents += [start, *range(trunk + 4 * limb, trunk + 4 * limb + 3)]
    names = list(body)
    if hands:
        for place, name in enumerate(PART_BONES[kind]["hand"]):
            wrist = names.index(body[trunk + 3] if place < 15 else body[trunk + 7])
            parents.append(wrist if place % 3 == 0 else len(names) - 1)
            names.append(name)
    names.append("hair")
    parents.append(5)
    return named(kind, names, parents)


@pytest.mark.parametrize("kind", ["vroid", "mixamo"])
def test_known_classes_are_written_part_by_part(kind):
    skeleton = humanoid(kind)
    tokens = tokenise(WORDS, skeleton, np.zeros((53, 4), int), kind=kind, order="parts")
    decoded = detokenise(WORDS, tokens)
    assert decoded.parts == ((0, "body"), (22, "hand"), (52, "spring"))
    assert decoded.kind == ("vroid" if kind == "vroid" else "none")
    assert decoded.skeleton.parents.tolist() == skeleton.parents.tolist()


def test_a_part_with_a_bone_missing_is_written_as_the_rest():
    whole = humanoid("vroid")
    kept = [joint for joint, name in enumerate(whole.names) if name != "J_Bip_R_Little3"]
    skeleton = reordered_without(whole, kept)
    decoded = detokenise(WORDS, tokenise(WORDS, skeleton, np.zeros((52, 4), int), kind="vroid", order="parts"))
    assert decoded.parts == ((0, "body"), (22, "spring"))


def reordered_without(skeleton, kept):
    place = {joint: index for index, joint in enumerate(kept)}
    parents = [place.get(int(skeleton.parents[joint]), -1) for joint in kept]
    return Skeleton(skeleton.joints[kept], np.array(parents), tuple(skeleton.names[joint] for joint in kept))


def test_a_part_whose_parent_is_not_out_yet_waits_for_the_rest():
    """The hips hang on a root bone that belongs to no part."""
    body = humanoid("vroid", hands=False)
    skeleton = Skeleton(
        np.vstack([[[0, 0, 0]], body.joints]), np.concatenate([[-1], body.parents + 1]), ("Root", *body.names)
    )
    decoded = detokenise(WORDS, tokenise(WORDS, skeleton, np.zeros((24, 4), int), kind="vroid", order="parts"))
    assert decoded.parts == ((0, "spring"),)


def test_parts_of_an_unknown_class_are_one_spring():
    tokens = skeleton_tokens(WORDS, FIVE, order="parts")
    assert tokens[:3].tolist() == [257, 266, 260]


def test_an_unknown_order_is_refused():
    with pytest.raises(ConfigError, match="order is 'breadth'"):
        permutation(FIVE, order="breadth")


def test_a_skeleton_alone_has_no_codes():
    words = Vocabulary(bins=8, codes=0, length=0)
    tokens = tokenise(words, FIVE)
    assert tokens[-2:].tolist() == [words.eos_skeleton, words.eos_final]
    assert detokenise(words, tokens).codes.shape == (5, 0)


@pytest.mark.parametrize("wrong", [{"codes": 5, "length": 0}, {"codes": 0, "length": 1}, {"bins": 1}])
def test_codes_without_a_length_are_refused(wrong):
    with pytest.raises(ConfigError):
        Vocabulary(**wrong)


@pytest.mark.parametrize("codes", [[[0, 5]], [[-1, 0]], [[0]], None])
def test_codes_that_are_none_are_refused(codes):
    one = Skeleton(np.zeros((1, 3)), np.array([-1]))
    with pytest.raises(ValueError, match="codes"):
        tokenise(SMALL, one, None if codes is None else np.array(codes))


@pytest.mark.parametrize(
    ("tokens", "index", "expected"),
    [
        ([], 0, "bos"),
        ([1], 0, "bos"),
        ([9], 1, "a coordinate or a part"),
        ([9, 18, 10], 2, "a coordinate or a part"),
        ([9, 18, 8, 1, 2, 3, 1, 2, 3], 2, "a coordinate or a part"),
        ([9, 18, 1, 2, 10], 4, "a coordinate"),
        ([9, 18, 1, 2, 3, 12, 12], 6, "a coordinate or branch"),
        ([9, 18, 1, 2, 3, 12, 10], 6, "a coordinate or branch"),
        ([9, 18, 1, 2, 3, 8, 1, 10], 7, "the parent's coordinate y"),
        ([9, 18, 1, 2, 3, 8, 1, 1, 1, 1, 8], 10, "the joint's coordinate y"),
        ([9, 18, 1, 2, 3, 18], 5, "a coordinate or a part, branch or eos_skeleton"),
        ([9, 18, 1, 2, 3, 10, 19, 24], 7, "code 2 of 2"),
        ([9, 18, 1, 2, 3, 10, 19, 12], 7, "code 2 of 2"),
        ([9, 18, 1, 2, 3, 10, 19, 23, 23], 8, "eos_final"),
        ([9, 18, 1, 2, 3, 10, 19, 23], 8, "eos_final"),
        ([*ONE_JOINT, 24], 9, "pad or nothing"),
        ([9, 18, 1, 2, 25], 4, "a coordinate"),
        ([9, 18, 1, 2, -1], 4, "a coordinate"),
        ([9, 18, 1, 2, 10**30], 4, "a coordinate"),
    ],
)
def test_an_error_says_where_and_what_was_expected(tokens, index, expected):
    with pytest.raises(TokenError) as caught:
        detokenise(SMALL, tokens)
    assert (caught.value.index, caught.value.expected) == (index, expected)


@pytest.mark.parametrize("tokens", [[0.5], [[9]], ["9"], [None], [True]])
def test_what_is_not_a_list_of_integers_is_no_rig(tokens):
    with pytest.raises(TokenError, match="a flat list of integers"):
        detokenise(SMALL, tokens)


def test_padding_may_follow():
    assert detokenise(SMALL, [*ONE_JOINT, 11, 11]).codes.tolist() == [[0, 4]]


def test_the_released_sampler_ends_one_code_early_and_only_on_demand():
    """Pitfall: eos_final stands where the last code should, and index C wraps to code 0."""
    early = [9, 18, 1, 2, 3, 10, 23, 24]
    with pytest.raises(TokenError):
        detokenise(SMALL, early)
    assert detokenise(SMALL, early, ending="released").codes.tolist() == [[4, 0]]
    with pytest.raises(TokenError):
        detokenise(SMALL, ONE_JOINT, ending="released")


def test_more_joints_than_are_asked_for_are_not_read():
    """Three joints; the third begins at token 8. Without a limit each of n branches looks at all joints before it."""
    three = [9, 18, 1, 2, 3, 1, 2, 4, 1, 2, 5, 10, *[19] * 6, 24]
    assert len(detokenise(SMALL, three, most=3).skeleton) == 3
    with pytest.raises(TokenError, match="at most 2 joints") as caught:
        detokenise(SMALL, three, most=2)
    assert caught.value.index == 8
    many = [9, 18, 0, 0, 0] + [8, 0, 0, 0, 1, 1, 1] * 200_000
    with pytest.raises(TokenError, match="at most 5 joints"):
        detokenise(SMALL, many, most=5)
