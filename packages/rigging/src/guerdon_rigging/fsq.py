"""Finite scalar quantisation: a latent dimension is squashed and rounded to one of L levels, and levels make a code.

Own code, though `vector-quantize-pytorch` 1.32 gives the same numbers (a test holds the two together): importing it
doubles the time that importing torch takes and brings four more packages, it takes an index outside the codebook as
another one, and the whole is some forty lines.

Source: Mentzer et al., "Finite Scalar Quantization" (arXiv 2309.15505), as SkinTokens (arXiv 2602.04805) uses it. The
library's newer symmetric variant and its noise dropout are off in what was released, and are not here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from guerdon.errors import ConfigError

EPS = 1e-3
"""By how much the bound is wider than the outermost levels, which tanh could not reach otherwise."""


class FSQ(nn.Module):
    """Quantises the last axis of a tensor.

    For a dimension of L levels, with h = (L-1)(1+eps)/2, o = 0.5 where L is even and 0 where it is odd and
    s = atanh(o/h), the level is round(tanh(z + s) h - o) + floor(L/2), in 0..L-1, rounded half to even. The code is
    (level - floor(L/2)) / floor(L/2): -1..1 for odd L, -1..1 - 2/L for even L, and 0 for z = 0. The index of all is
    their sum in a mixed radix whose first dimension runs fastest. In the gradient, rounding is the identity.

    It computes in float32 whatever the autocast. No codebook is learned, and there is no commitment loss.

    Args:
        levels: D numbers of levels, each at least 3.
        width: of what goes in and comes out; where it is not D, a linear layer goes before and one after. None is D.
        wrap: take an index outside the codebook as the released code does, as the one it wraps to. For parity alone.

    Raises:
        ConfigError: no dimension, or one of fewer than 3 levels, whose bound is no number.
    """

    def __init__(self, levels: Sequence[int], width: int | None = None, *, wrap: bool = False) -> None:
        super().__init__()
        if not levels or min(levels) < 3:
            raise ConfigError(f"FSQ.levels are {tuple(levels)}; each of at least one is 3 or more")
        self.levels = tuple(levels)
        self.size = math.prod(levels)
        """C: how many codes there are."""
        self.width = len(levels) if width is None else width
        self.wrap = wrap
        count = torch.tensor(self.levels, dtype=torch.int64)
        self._count: Tensor
        self._basis: Tensor
        self.register_buffer("_count", count, persistent=False)
        self.register_buffer("_basis", torch.cumprod(count, 0) // count, persistent=False)
        linear = self.width != len(levels)
        self.project_in = nn.Linear(self.width, len(levels)) if linear else nn.Identity()
        self.project_out = nn.Linear(len(levels), self.width) if linear else nn.Identity()

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(..., width) -> what the codes mean, (..., width), and their indices, (...), int64."""
        with torch.autocast(z.device.type, enabled=False):
            rounded = self._round(self.bound(_linear(self.project_in, z.float())))
            levels = rounded.detach().long() + self._count // 2
            meant = _linear(self.project_out, rounded / (self._count // 2))
        return meant.to(z.dtype), (levels * self._basis).sum(-1)

    def bound(self, z: Tensor) -> Tensor:
        """tanh(z + s) h - o, (..., D): within half a level of the outermost ones."""
        count = self._count.to(z.dtype)
        half = (count - 1) * (1 + EPS) / 2
        offset = torch.where(self._count % 2 == 0, 0.5, 0.0).to(z.dtype)
        return torch.tanh(z + torch.atanh(offset / half)) * half - offset

    @staticmethod
    def _round(bounded: Tensor) -> Tensor:
        # The paper's formula as quoted, round(L) + stop(L - round(L)), is the wrong way round: it would be L itself.
        return bounded + (torch.round(bounded) - bounded).detach()

    def levels_of(self, indices: Tensor) -> Tensor:
        """(...) -> (..., D), each in 0..L-1.

        Raises:
            ValueError: an index outside [0, C), unless `wrap`.
        """
        if not self.wrap and indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < self.size:
            outside = indices[(indices < 0) | (indices >= self.size)].flatten()[0]
            raise ValueError(f"code {int(outside)} is outside [0, {self.size}), the codebook of levels {self.levels}")
        return (indices.long()[..., None] // self._basis) % self._count

    def codes_of(self, indices: Tensor) -> Tensor:
        """(...) -> (..., D), in [-1, 1]. Raises as `levels_of`."""
        half = self._count // 2
        return (self.levels_of(indices) - half) / half

    def meant(self, indices: Tensor) -> Tensor:
        """(...) -> (..., width): what `forward` gives for these indices. Raises as `levels_of`."""
        with torch.autocast(indices.device.type, enabled=False):
            return _linear(self.project_out, self.codes_of(indices).float())


def _linear(layer: nn.Module, z: Tensor) -> Tensor:
    """In float32, also where the layer was cast to less."""
    if isinstance(layer, nn.Linear):
        return functional.linear(z, layer.weight.float(), layer.bias.float())
    return z
