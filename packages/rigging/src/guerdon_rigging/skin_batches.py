"""What training of a skin codec sees of rigs: a bank of points drawn once, and batches drawn from it by step.

A batch depends on the seed and the number of its step alone, so that a run which goes on sees what it would have seen.

Axes: B meshes, K bones of each, U uniform points, D dense points of a bone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from guerdon.errors import ConfigError
from guerdon.progress import progress
from guerdon_rigging.rigs import Rig, Singles
from guerdon_rigging.skin_sampling import RigSamples, rig_samples


@dataclass(frozen=True)
class Draw:
    """How much of the bank goes into a batch."""

    meshes: int = 4
    """B."""
    bones: int = 8
    """K, of each; drawn again where a rig has fewer."""
    seen: int = 512
    """U: uniform points that the encoders see."""
    asked: int = 256
    """Uniform points that the decoder is asked at; others than those seen where the bank has enough."""
    dense: int = 96
    """D: dense points of a bone that its encoder sees, and as many again that the decoder is asked at. 0 leaves all
    points uniform."""
    moved: bool = True
    """Whether a batch's meshes are turned about the vertical, mirrored and scaled a little [choice]."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Tensors of float32."""

    seen: Tensor
    """(B, U, 6)."""
    bone_points: Tensor
    """(B K, U + D, 6): the uniform ones and the bone's dense ones."""
    bone_weights: Tensor
    """(B K, U + D)."""
    asked: Tensor
    """(B, A + K D, 6): A uniform points, then those of each bone in turn."""
    targets: Tensor
    """(B, K, A + D): of each bone at the uniform points and its own dense ones."""
    rigs: tuple[int, ...]
    """B places in the bank."""
    bones: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    """(B, K): joints."""
    turns: Singles
    """(B, 3, 3): what positions and normals were multiplied by on the right, normals without the scale."""

    uniform: int
    """A."""

    def own(self, logits: Tensor) -> Tensor:
        """(B, K, A + K D) at all points -> (B, K, A + D) at the uniform ones and each bone's own."""
        if logits.shape[2] == self.uniform:
            return logits
        near = torch.unflatten(logits[:, :, self.uniform :], 2, (logits.shape[1], -1))
        return torch.cat([logits[:, :, : self.uniform], torch.diagonal(near, dim1=1, dim2=2).transpose(1, 2)], dim=2)


def _hash(found: hashlib._Hash, rig: Rig) -> None:
    """Add a rig: positions and triangles, joints and their parents, and weights, each after its shape."""
    for array in (rig.mesh.vertices, rig.mesh.faces, rig.skeleton.joints, rig.skeleton.parents, rig.weights):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)


class Bank:
    """Points of many rigs. Joints without weight are left out: Dice is harsh on them and teaches nothing.

    Args:
        rigs: at least one that has weights.
        uniform: points of each rig.
        dense: points of each bone.
        seed: of the points.

    Raises:
        ConfigError: no rig has weights.
    """

    def __init__(self, rigs: Sequence[Rig], uniform: int = 2048, dense: int = 256, seed: int = 0) -> None:
        self.samples: list[RigSamples] = []
        self.places: list[int] = []
        """Which of the rigs given each belongs to."""
        found = hashlib.sha256()
        with progress("drawing points of rigs", len(rigs)) as bar:
            for place, rig in enumerate(rigs):
                bar.advance()
                _hash(found, rig)
                if rig.weights.max(initial=0.0) > 0:
                    rng = np.random.default_rng([seed, place])
                    self.samples.append(rig_samples(rig, uniform, dense, rng, with_support=True))
                    self.places.append(place)
        if not self.samples:
            raise ConfigError(f"Bank: none of {len(rigs)} rigs has a weight above 0; there is nothing to code")
        self.told = {
            "count": len(rigs),
            "hash": found.hexdigest()[:16],
            "uniform": uniform,
            "dense": dense,
            "seed": seed,
        }
        """What its points were drawn from, and how, as JSON has it: a run of one bank does not go on with another."""

    def batch(self, draw: Draw, seed: int, step: int, device: str | torch.device = "cpu") -> Batch:
        """That of a step: the same each time."""
        rng = np.random.default_rng([seed, step])
        rigs = rng.choice(len(self.samples), draw.meshes, replace=draw.meshes > len(self.samples))
        parts = [self._one(self.samples[rig], draw, rng) for rig in rigs]
        seen, points, weights, asked, targets, bones, turns = map(np.stack, zip(*parts, strict=True))

        def tensor(array: Singles) -> Tensor:
            return torch.as_tensor(array, device=device)

        return Batch(
            tensor(seen),
            tensor(points).flatten(0, 1),
            tensor(weights).flatten(0, 1),
            tensor(asked),
            tensor(targets),
            tuple(self.places[rig] for rig in rigs),
            bones,
            turns,
            draw.asked,
        )

    @staticmethod
    def _one(samples: RigSamples, draw: Draw, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        places = rng.choice(len(samples), draw.bones, replace=draw.bones > len(samples))
        bones = samples.bones[places]
        order = _drawn(rng, len(samples.uniform), draw.seen + draw.asked)
        seen, asked = order[: draw.seen], order[draw.seen :]
        turned, scale = _turn(rng) if draw.moved else (np.eye(3, dtype=np.float32), 1.0)

        def moved(points: Singles) -> Singles:
            return np.concatenate([points[..., :3] @ turned * np.float32(scale), points[..., 3:] @ turned], axis=-1)

        uniform = moved(samples.uniform[order])
        near = _drawn(rng, samples.dense.shape[1], 2 * draw.dense)
        dense, dense_weights = moved(samples.dense[places][:, near]), samples.dense_weights[places][:, near]
        first, second = slice(draw.dense), slice(draw.dense, None)
        weights = samples.weights[:, bones].T
        shared = np.broadcast_to(uniform[: draw.seen], (draw.bones, draw.seen, 6))
        return (
            uniform[: draw.seen],
            np.concatenate([shared, dense[:, first]], axis=1),
            np.concatenate([weights[:, seen], dense_weights[:, first]], axis=1),
            np.concatenate([uniform[draw.seen :], dense[:, second].reshape(-1, 6)]),
            np.concatenate([weights[:, asked], dense_weights[:, second]], axis=1),
            bones,
            turned * np.float32(scale),
        )


def _drawn(rng: np.random.Generator, there: int, wanted: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Without repetition, where there are enough."""
    return rng.choice(there, wanted, replace=wanted > there)


def _turn(rng: np.random.Generator) -> tuple[Singles, float]:
    """About the vertical by some degrees, half of them mirrored, and a scale of 0.8 to 1."""
    angle = rng.normal(0.0, 0.25)
    side = rng.choice([-1.0, 1.0])
    cosine, sine = np.cos(angle), np.sin(angle)
    turned = np.array([[side * cosine, 0, -side * sine], [0, 1, 0], [sine, 0, cosine]], np.float32)
    return turned, float(rng.uniform(0.8, 1.0))
