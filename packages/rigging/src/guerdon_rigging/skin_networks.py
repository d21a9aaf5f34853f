"""The networks of SkinTokens' autoencoder: two encoders and a decoder that are blocks of attention over points.

Axes: B meshes, K bones of each, P points, M mesh latents, T codes of a bone, C latent width, W width of a network.
Points are (x, n): position in [-1, 1]^3 and unit normal. Source: arXiv 2602.04805 and its released code and weights, as
the fact sheet `skintokens` reads them; every departure is named where it is.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from guerdon_rigging.codec_shapes import CodecShape

LEAST_WEIGHT = 1e-3
"""Added to what a bone's weights at all points sum to, before points are averaged by it."""


def encoded(positions: Tensor, frequencies: int = 8, second_wave: bool = False) -> Tensor:
    """pe(x): (..., 3) -> (..., 3 + 6 F): x, then sines, then cosines, at frequencies pi 2^i, i = 0..F-1.

    `second_wave` is what the released weights were trained with: sin(f_i x) + sin(pi x / 2 + phi_i), and cosines
    likewise, with phi_i = 2 pi (F^(1-i/F) + i/F), i = 1..F.
    """
    place = torch.arange(frequencies, device=positions.device, dtype=positions.dtype)
    angle = positions[..., None] * (math.pi * 2**place)
    sine, cosine = torch.sin(angle), torch.cos(angle)
    if second_wave:
        share = (place + 1) / frequencies
        other = positions[..., None] * (math.pi / 2) + 2 * math.pi * (frequencies ** (1 - share) + share)
        sine, cosine = sine + torch.sin(other), cosine + torch.cos(other)
    return torch.cat([positions, sine.flatten(-2), cosine.flatten(-2)], dim=-1)


def farthest(positions: Tensor, count: int) -> Tensor:
    """Farthest-point sampling, from the first point on: (B, P, 3) -> (B, count) indices."""
    chosen = positions.new_zeros((len(positions), count), dtype=torch.long)
    distance = positions.new_full(positions.shape[:2], math.inf)
    rows = torch.arange(len(positions), device=positions.device)
    for place in range(1, count):
        last = positions[rows, chosen[:, place - 1], None]
        distance = torch.minimum(distance, ((positions - last) ** 2).sum(-1))
        chosen[:, place] = distance.argmax(-1)
    return chosen


class Block(nn.Module):
    """x + attention(LN x, LN context), then x + MLP(LN x): pre-LayerNorm, GELU, four times as wide within.

    Weights start normal with std gain / sqrt(width), biases at 0 (read as: of every linear layer of a block).
    """

    def __init__(self, width: int, heads: int, gain: float, *, cross: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.norm_context = nn.LayerNorm(width) if cross else None
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=gain / math.sqrt(width))
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, Q, W), and for cross-attention its (B, P, W) -> (B, Q, W)."""
        normed = self.norm(x)
        source = normed if context is None or self.norm_context is None else self.norm_context(context)
        query = self._split(self.query(normed))
        key, value = map(self._split, self.key_value(source).chunk(2, dim=-1))
        x = x + self.out(self.attend(query, key, value).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm_mlp(x))  # type: ignore[no-any-return]  # torch's modules return Any

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B, heads, Q, d), (B, heads, P, d) twice -> (B, heads, Q, d); all see all."""
        return functional.scaled_dot_product_attention(query, key, value)

    def _split(self, x: Tensor) -> Tensor:
        """(B, Q, W) -> (B, heads, Q, W / heads)."""
        return torch.unflatten(x, -1, (self.heads, -1)).transpose(1, 2)


class PointEncoder(nn.Module):
    """E_M and E_W: points to a few latents.

    Args:
        shape: sizes.
        extra: numbers a point has beside position and normal: none for the mesh, its weight for a bone.
        slots: learned queries; 0 takes points of the surface, far from each other.
    """

    def __init__(self, shape: CodecShape, extra: int, slots: int = 0) -> None:
        super().__init__()
        width = shape.encoder_width
        self.shape, self.slots = shape, slots
        self.embed = nn.Linear(point_width(shape) + extra, width)
        if extra:
            with torch.no_grad():
                self.embed.weight[:, -extra:] *= shape.weight_gain
        # Small beside what is attended to, as in the shape encoders that the released code builds on [memory].
        self.learned = nn.Parameter(0.02 * torch.randn(slots, width)) if slots else None
        self.pooled = nn.Linear(width, slots * width) if slots and shape.skin_queries == "pooled" else None
        self.cross = Block(width, shape.heads, shape.init_gain, cross=True)
        self.layers = nn.ModuleList(Block(width, shape.heads, shape.init_gain) for _ in range(shape.encoder_layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, shape.latent_width)

    def forward(self, points: Tensor, count: int, extra: Tensor | None = None) -> Tensor:
        """(B, P, 6) and (B, P) -> (B, count, C).

        The points are in random order: queries that are points are the farthest of the first `oversampling` x count.
        """
        features = point_features(points, self.shape)
        if extra is not None:
            features = torch.cat([features, extra[..., None]], dim=-1)
        embedded = self.embed(features)
        if self.learned is not None:
            x = self.learned[:count].expand(len(points), -1, -1)
            if self.pooled is not None and extra is not None:
                share = extra / (extra.sum(1, keepdim=True) + LEAST_WEIGHT)
                x = x + torch.unflatten(self.pooled(share[:, None] @ embedded)[:, 0], -1, (self.slots, -1))[:, :count]
        else:
            chosen = farthest(points[:, : self.shape.oversampling * count, :3], count)
            x = torch.gather(embedded, 1, chosen[..., None].expand(-1, -1, embedded.shape[-1]))
        x = self.cross(x, embedded)
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm(x))  # type: ignore[no-any-return]


class JointDecoder(nn.Module):
    """D as released: [T codes; M mesh latents] through blocks of self-attention, then cross-attention from the points.

    The cost of a bone is that of all latents and all points: accurate at 768 wide, slow on a CPU.
    """

    def __init__(self, shape: CodecShape) -> None:
        super().__init__()
        width = shape.decoder_width
        self.shape = shape
        self.embed = nn.Linear(shape.latent_width, width)
        self.positions = _positions(shape)
        self.layers = nn.ModuleList(Block(width, shape.heads, shape.init_gain) for _ in range(shape.decoder_layers))
        self.ask = nn.Linear(point_width(shape), width)
        self.cross = Block(width, shape.heads, shape.init_gain, cross=True)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 1)

    def asked(self, latents: Tensor, points: Tensor) -> Tensor:
        """What can be said of points before any bone is known: (B, M, C), (B, P, 6) -> (B, P, W)."""
        return self.ask(point_features(points, self.shape))  # type: ignore[no-any-return]

    def forward(self, latents: Tensor, asked: Tensor, codes: Tensor) -> Tensor:
        """(B, M, C), (B, P, W), (B, K, T, C) -> logits of weights, (B, K, P). Bones do not see each other."""
        bones = codes.shape[1]
        x = torch.cat([codes.flatten(0, 1), latents.repeat_interleave(bones, 0)], dim=1)
        x = self.embed(x)
        if self.positions is not None:
            x = torch.cat([x[:, : codes.shape[2]] + self.positions[: codes.shape[2]], x[:, codes.shape[2] :]], dim=1)
        for layer in self.layers:
            x = layer(x)
        found = self.norm(self.cross(asked.repeat_interleave(bones, 0), x))
        return torch.unflatten(self.out(found).squeeze(-1), 0, (-1, bones))


class SplitDecoder(nn.Module):
    """A decoder whose work on points is done once per mesh [choice: not the paper's].

    Points attend to the mesh latents once and become features; the codes of a bone attend to the same latents, and
    become one vector; the logit of a weight is their scaled dot product, as masks are made in MaskFormer (arXiv
    2107.06278). A further bone costs T tokens through the blocks and one product, so that decoding is fast where many
    bones, or many candidate rigs, of one mesh are decoded.
    """

    def __init__(self, shape: CodecShape) -> None:
        super().__init__()
        width = shape.decoder_width
        self.shape = shape
        self.embed = nn.Linear(shape.latent_width, width)
        self.positions = _positions(shape)
        self.ask = nn.Linear(point_width(shape), width)
        self.ask_layers = nn.ModuleList(
            Block(width, shape.heads, shape.init_gain, cross=True) for _ in range(shape.decoder_layers)
        )
        self.layers = nn.ModuleList(
            Block(width, shape.heads, shape.init_gain, cross=True) for _ in range(shape.decoder_layers)
        )
        self.mix = nn.ModuleList(Block(width, shape.heads, shape.init_gain) for _ in range(shape.decoder_layers))
        self.norm_asked, self.norm_bone = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feature, self.vector = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.bias = nn.Linear(width, 1)

    def asked(self, latents: Tensor, points: Tensor) -> Tensor:
        """(B, M, C), (B, P, 6) -> (B, P, 2 W)."""
        x = self.ask(point_features(points, self.shape))
        context = self.embed(latents)
        for layer in self.ask_layers:
            x = layer(x, context)
        return self.feature(self.norm_asked(x))  # type: ignore[no-any-return]

    def forward(self, latents: Tensor, asked: Tensor, codes: Tensor) -> Tensor:
        """(B, M, C), (B, P, 2 W), (B, K, T, C) -> logits of weights, (B, K, P). Bones do not see each other."""
        bones, length = codes.shape[1:3]
        context = self.embed(latents)
        x = self.embed(codes)
        if self.positions is not None:
            x = x + self.positions[:length]
        for layer, mix in zip(self.layers, self.mix, strict=True):
            x = torch.unflatten(layer(x.flatten(1, 2), context), 1, (bones, length))  # in cross-attention nothing meets
            x = torch.unflatten(mix(x.flatten(0, 1)), 0, (-1, bones))
        bone = self.norm_bone(x).mean(2)
        vector = self.vector(bone) / math.sqrt(asked.shape[-1])
        return vector @ asked.transpose(1, 2) + self.bias(bone)  # type: ignore[no-any-return]


def decoder_of(shape: CodecShape) -> JointDecoder | SplitDecoder:
    """The one that the shape names."""
    return JointDecoder(shape) if shape.decoder == "joint" else SplitDecoder(shape)


def point_features(points: Tensor, shape: CodecShape) -> Tensor:
    """(..., 6) -> (..., 54): pe(x) and n."""
    return torch.cat([encoded(points[..., :3], shape.frequencies, shape.second_wave), points[..., 3:]], dim=-1)


def point_width(shape: CodecShape) -> int:
    """Of `point_features`."""
    return 6 + 6 * shape.frequencies


def _positions(shape: CodecShape) -> nn.Parameter | None:
    if not shape.code_positions:
        return None
    return nn.Parameter(torch.randn(shape.max_length, shape.decoder_width) / math.sqrt(shape.decoder_width))
