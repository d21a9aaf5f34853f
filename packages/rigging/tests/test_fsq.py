"""Finite scalar quantisation: every worked example of the fact sheet `skintokens`, and its pitfalls."""

import pytest

torch = pytest.importorskip("torch")

from guerdon.errors import ConfigError  # noqa: E402  # torch first
from guerdon_rigging.fsq import FSQ  # noqa: E402

pytestmark = pytest.mark.model

PAPER, RELEASED = (8, 8, 8, 5, 5, 5), (8, 8, 8, 8, 8)
Z = (0.5, -0.5, 1.2, 0.3, -0.9, 2.0)


def close(got, expected, within=1e-4):
    return torch.allclose(torch.as_tensor(got), torch.tensor(expected), atol=within, rtol=0)


def test_bounds_of_eight_and_of_five_levels():
    """Worked example 1."""
    assert close(FSQ((8, 8, 8)).bound(torch.tensor([-0.5, 0.0, 0.5])), [-1.6980, 0.0, 1.4879])
    assert close(FSQ((5, 5, 5)).bound(torch.tensor([-0.5, 0.0, 0.5])), [-0.9252, 0.0, 0.9252])


def test_zero_is_the_middle_code():
    """Worked example 2."""
    fsq = FSQ(PAPER)
    codes, index = fsq(torch.zeros(6))
    assert codes.tolist() == [0.0] * 6
    assert (int(index), fsq.levels_of(index).tolist()) == (32036, [4, 4, 4, 2, 2, 2])
    assert int(FSQ(RELEASED)(torch.zeros(5))[1]) == 18724


@pytest.mark.parametrize(
    ("levels", "basis"), [(PAPER, [1, 8, 64, 512, 2560, 12800]), (RELEASED, [1, 8, 64, 512, 4096])]
)
def test_the_first_dimension_runs_fastest(levels, basis):
    """Worked example 2: one level up in dimension i adds b_i."""
    fsq = FSQ(levels)
    ups = [fsq.levels_of(torch.tensor(b)).tolist() for b in basis]
    assert ups == torch.eye(len(levels), dtype=torch.long).tolist()


def test_the_outermost_levels_are_reached():
    """Worked example 3."""
    fsq = FSQ(PAPER)
    high, last = fsq(torch.full((6,), 10.0))
    low, first = fsq(torch.full((6,), -10.0))
    assert high.tolist() == [0.75, 0.75, 0.75, 1.0, 1.0, 1.0]
    assert low.tolist() == [-1.0] * 6
    assert (int(first), int(last)) == (0, 63999)


def test_a_point_of_six_dimensions():
    """Worked example 4."""
    fsq = FSQ(PAPER)
    codes, index = fsq(torch.tensor(Z))
    assert close(fsq.bound(torch.tensor(Z)), [1.4879, -1.6980, 2.5570, 0.5832, -1.4340, 1.9300])
    assert codes.tolist() == [0.25, -0.5, 0.75, 0.5, -0.5, 1.0]
    assert (int(index), fsq.levels_of(index).tolist()) == (55765, [5, 2, 7, 3, 1, 4])


def test_an_index_is_read_back():
    """Worked example 5."""
    assert FSQ(PAPER).levels_of(torch.tensor(292)).tolist() == [4, 4, 4, 0, 0, 0]
    fsq = FSQ(RELEASED)
    assert fsq.levels_of(torch.tensor(12345)).tolist() == [1, 7, 0, 0, 3]
    assert fsq.meant(torch.tensor(12345)).tolist() == [-0.75, 0.75, -1.0, -1.0, -0.25]


@pytest.mark.parametrize("index", [64000, 64005, -1])
def test_an_index_outside_the_codebook_is_refused(index):
    with pytest.raises(ValueError, match=f"code {index} is outside \\[0, 64000\\)"):
        FSQ(PAPER).meant(torch.tensor([0, index]))


def test_for_parity_an_index_outside_wraps():
    """Worked example 5: 64000 as 0, 64005 as 5, 8^5 as 0."""
    paper, released = FSQ(PAPER, wrap=True), FSQ(RELEASED, wrap=True)
    assert torch.equal(paper.meant(torch.tensor([64000, 64005])), paper.meant(torch.tensor([0, 5])))
    assert torch.equal(released.meant(torch.tensor(32768)), released.meant(torch.tensor(0)))


@pytest.mark.parametrize(
    ("level", "z", "slope"), [(8, 0.0, 0.85804), (8, 0.5, 0.59388), (5, 0.0, 1.001), (5, 1.0, 0.42039)]
)
def test_rounding_is_the_identity_in_the_gradient(level, z, slope):
    """Worked example 6."""
    at = torch.tensor([z] * 3, requires_grad=True)
    codes, _ = FSQ((level, 8, 8))(at)
    codes[0].backward()
    assert close(at.grad, [slope, 0.0, 0.0], within=2e-5)


def test_every_index_goes_there_and_back():
    """Codes of even levels are not symmetric, and are never quantised again by rules that are."""
    fsq = FSQ((8, 5, 4))
    every = torch.arange(160)
    levels = fsq.levels_of(every)
    assert ((levels * torch.tensor([1, 8, 40])).sum(-1) == every).all()
    assert len(torch.unique(fsq.codes_of(every), dim=0)) == 160


def test_it_computes_in_single_precision_whatever_the_autocast():
    """In half precision tanh near its ends rounds to 1, and indices differ."""
    torch.manual_seed(0)
    fsq, z = FSQ(RELEASED, width=16), torch.randn(500, 16)
    _, alone = fsq(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        meant, within = fsq(z)
    assert torch.equal(alone, within)
    assert meant.dtype == torch.float32
    assert fsq.bfloat16()(z.bfloat16())[0].dtype == torch.bfloat16


def test_a_width_of_its_own_is_projected_with_biases():
    fsq = FSQ(RELEASED, width=16)
    assert {name: tuple(value.shape) for name, value in fsq.state_dict().items()} == {
        "project_in.weight": (5, 16),
        "project_in.bias": (5,),
        "project_out.weight": (16, 5),
        "project_out.bias": (16,),
    }
    meant, index = fsq(torch.randn(2, 3, 16))
    assert torch.allclose(fsq.meant(index), meant, atol=1e-6)


@pytest.mark.parametrize("levels", [(), (8, 2), (1,)])
def test_fewer_than_three_levels_are_refused(levels):
    """At two, h is 0.5005 and o 0.5: eps alone keeps atanh(o / h) finite, and zero lies far off any level."""
    with pytest.raises(ConfigError, match="3 or more"):
        FSQ(levels)


@pytest.mark.parametrize("levels", [PAPER, RELEASED, (7, 5, 5, 5, 5)])
def test_the_library_gives_the_same_numbers(levels):
    """Where it is installed."""
    library = pytest.importorskip("vector_quantize_pytorch").FSQ(list(levels))
    torch.manual_seed(1)
    z = torch.randn(1, 4000, len(levels)) * 2
    codes, index = FSQ(levels)(z)
    theirs, their_index = library(z)
    assert torch.allclose(codes, theirs, atol=1e-6)
    assert torch.equal(index, their_index.long())
    assert torch.allclose(FSQ(levels).codes_of(index), library.indices_to_codes(their_index), atol=1e-6)
