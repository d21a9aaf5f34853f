"""A skin codec of two minutes, for the claim: 96 wide, PointNet-like, with the paper's quantiser, losses and sampling.

Points become features by themselves, a bone is their mean and their mean weighted by its weights, and the decoder is a
perceptron over a point, the mesh and the bone: no attention, which SkinTokens' own networks are made of
(`guerdon_rigging.skin_networks`).

Axes: K bones, P points, T codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from guerdon_rigging.codec_metrics import support_iou
from guerdon_rigging.frames import frame
from guerdon_rigging.fsq import FSQ
from guerdon_rigging.rig_folders import bone_columns
from guerdon_rigging.rigs import Ints, Rig
from guerdon_rigging.skin_losses import SkinLoss
from guerdon_rigging.skin_networks import encoded
from guerdon_rigging.skin_sampling import rig_samples, vertices_with_normals
from guerdon_rigging.weights import normalised as rows_normalised

LEVELS = (8, 8, 8, 8, 8)
LENGTH = 4
WIDTH = 96
POINTS = 192
"""In, and asked."""
KEPT = (1, 2, 4)
"""Codes that training keeps, each as often."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The bones worth coding of one rig, and points to see them at."""

    rig: Rig
    bones: Ints
    """(K,)."""
    uniform: Tensor
    """(U, 54): pe(x) and n."""
    weights: Tensor
    """(K, U)."""
    dense: Tensor
    """(K, D, 54)."""
    dense_weights: Tensor
    """(K, D)."""
    vertices: Tensor
    """(N, 54)."""
    targets: Tensor
    """(K, N): weights at the vertices."""

    @classmethod
    def of(cls, rig: Rig, seed: int, uniform: int = 1024, dense: int = 512) -> Columns:
        """Drawn once; K may be 0."""
        bones = bone_columns(rig)
        drawn = rig_samples(rig, uniform, dense, np.random.default_rng(seed))
        targets = rows_normalised(rig.weights)[:, bones].T.astype(np.float32)
        return cls(
            rig,
            bones,
            _features(drawn.uniform),
            torch.as_tensor(drawn.weights[:, bones].T.copy()),
            _features(drawn.dense[bones]),
            torch.as_tensor(drawn.dense_weights[bones]),
            _features(vertices_with_normals(frame(rig.mesh.vertices).mesh(rig.mesh))),
            torch.as_tensor(targets),
        )


def _features(points: np.ndarray) -> Tensor:
    both = torch.as_tensor(points)
    return torch.cat([encoded(both[..., :3]), both[..., 3:]], dim=-1)


class ToyCodec(nn.Module):
    """Encoder, quantiser and decoder of columns."""

    def __init__(self) -> None:
        super().__init__()
        self.mesh = _perceptron(54, WIDTH, WIDTH)
        self.point = _perceptron(55, WIDTH, WIDTH)
        self.bone = _perceptron(3 * WIDTH, WIDTH, LENGTH * len(LEVELS))
        self.fsq = FSQ(LEVELS)
        self.code = nn.ModuleList(nn.Linear(len(LEVELS), WIDTH) for _ in range(LENGTH))
        self.given = nn.Linear(WIDTH, WIDTH)
        self.ask = nn.Linear(54, WIDTH)
        self.answer = _perceptron(WIDTH, WIDTH, 1)

    def encode(self, seen: Tensor, points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of B meshes, (B, P, 54), and K / B bones of each, (K, P, 54) and weights (K, P).

        Returns:
            What is known of the mesh of each bone, (K, W); codes, (K, T, 5); and their indices, (K, T).
        """
        mesh = self.mesh(seen).mean(1).repeat_interleave(len(points) // len(seen), 0)
        features = self.point(torch.cat([points, weights[..., None]], dim=-1))
        held = (features * weights[..., None]).sum(1) / (weights.sum(1, keepdim=True) + 1e-3)
        bone = self.bone(torch.cat([features.mean(1), held, mesh], dim=-1))
        codes, indices = self.fsq(bone.unflatten(-1, (LENGTH, -1)))
        return mesh, codes, indices

    def decode(self, mesh: Tensor, codes: Tensor, asked: Tensor) -> Tensor:
        """(K, W), (K, k, 5) and (K, P, 54) -> weights, (K, P). Of fewer codes than T the sum has fewer terms."""
        bone = sum(layer(codes[:, place]) for place, layer in zip(range(codes.shape[1]), self.code, strict=False))
        hidden = self.ask(asked) + (bone + self.given(mesh))[:, None]
        return torch.sigmoid(self.answer(torch.relu(hidden))).squeeze(-1)


def _perceptron(inner: int, hidden: int, outer: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inner, hidden), nn.ReLU(), nn.Linear(hidden, outer))


def train(
    columns: Sequence[Columns], loss: SkinLoss, steps: int, seed: int, *, dense: bool = False, batch: int = 24
) -> ToyCodec:
    """Adam 3e-3 with a cosine, on `batch` bones of an eighth as many rigs a step.

    Args:
        columns: of rigs, each with at least one bone.
        loss: of weights at the points asked.
        steps: how many.
        seed: of the start and of every draw.
        dense: half of the points, in and asked, from P_dense of their bone; all of the mesh's stay uniform.
        batch: bones.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codec = ToyCodec()
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(codec.parameters(), lr=3e-3, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    counts = np.array([len(one.bones) for one in columns], float)
    each = max(batch // 8, 1)
    for _ in range(steps):
        drawn = [
            _batch(columns[place], each, dense, rng) for place in rng.choice(len(columns), 8, p=counts / counts.sum())
        ]
        seen, points, weights, asked, targets = (torch.cat(part) for part in zip(*drawn, strict=True))
        mesh, codes, _ = codec.encode(seen, points, weights)
        predicted = codec.decode(mesh, codes[:, : KEPT[rng.integers(len(KEPT))]], asked)
        optimizer.zero_grad()
        loss(predicted, targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return codec.eval()


def _batch(columns: Columns, bones: int, dense: bool, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Of one rig: seen (1, P, 54), points (K, P, 54), weights (K, P), asked (K, P, 54), targets (K, P)."""
    chosen = rng.choice(len(columns.bones), bones, replace=bones > len(columns.bones))
    seen = columns.uniform[rng.choice(len(columns.uniform), POINTS, replace=False)]
    return (seen[None], *_points(columns, chosen, dense, rng), *_points(columns, chosen, dense, rng))


def _points(columns: Columns, chosen: Ints, dense: bool, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    near = POINTS // 2 if dense else 0
    place = rng.choice(len(columns.uniform), POINTS - near, replace=False)
    points = columns.uniform[place].expand(len(chosen), -1, -1)
    weights = columns.weights[chosen][:, place]
    if near:
        place = rng.choice(columns.dense.shape[1], near, replace=False)
        points = torch.cat([points, columns.dense[chosen][:, place]], dim=1)
        weights = torch.cat([weights, columns.dense_weights[chosen][:, place]], dim=1)
    return points, weights


@dataclass(frozen=True)
class Quality:
    """Over all bones of unseen rigs, by how many codes are kept."""

    iou: dict[int, float]
    """Mean of bones, at 0.1."""
    l1: dict[int, float]
    """Mean |p - w| over a bone's vertices, then over bones. All zeros do well by it: never read it without `iou`."""
    iou_of_others: float
    """With all codes of another bone, drawn among the others of the same rig."""
    indices: tuple[Ints, ...]
    """(K, T) of each rig."""


@torch.no_grad()
def measure(codec: ToyCodec, columns: Sequence[Columns], seed: int, *, dense: bool = False) -> Quality:
    """Codes are made of true weights at points drawn as in training, and are decoded at all vertices."""
    rng = np.random.default_rng(seed)
    overlaps: dict[int, list[float]] = {kept: [] for kept in KEPT}
    errors: dict[int, list[float]] = {kept: [] for kept in KEPT}
    others: list[float] = []
    found = []
    for one in columns:
        every = np.arange(len(one.bones))
        seen = one.uniform[rng.choice(len(one.uniform), POINTS, replace=False)]
        mesh, codes, indices = codec.encode(seen[None], *_points(one, every, dense, rng))
        found.append(indices.numpy())
        asked = one.vertices.expand(len(every), -1, -1)
        for kept in KEPT:
            predicted = codec.decode(mesh, codes[:, :kept], asked)
            overlaps[kept] += support_iou(predicted.T.double().numpy(), one.targets.T.double().numpy()).tolist()
            errors[kept] += (predicted - one.targets).abs().mean(1).tolist()
        if len(every) > 1:
            other = (every + rng.integers(1, len(every), len(every))) % len(every)
            predicted = codec.decode(mesh, codes[other], asked)
            others += support_iou(predicted.T.double().numpy(), one.targets.T.double().numpy()).tolist()
    return Quality(
        {kept: float(np.mean(values)) for kept, values in overlaps.items()},
        {kept: float(np.mean(values)) for kept, values in errors.items()},
        float(np.mean(others)),
        tuple(found),
    )
