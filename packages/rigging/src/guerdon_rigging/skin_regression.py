"""What the codec is held against: a network of the same size that regresses a bone's weights from the bone itself.

No tokens: the mesh encoder and the decoder are the codec's, and what the decoder reads in place of codes is made of the
positions of the bone's joint, of its parent and of its tip, after all bones of the skeleton have seen each other. It is
what the peers of SkinTokens do (regression from geometry), and it is trained by squared error, as they are in the main.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from guerdon_rigging.codec_shapes import CodecShape
from guerdon_rigging.frames import frame
from guerdon_rigging.rigs import Floats, Mesh, Rig, Singles, Skeleton
from guerdon_rigging.sampling import surface_points
from guerdon_rigging.skin_batches import Bank
from guerdon_rigging.skin_codec import SEED
from guerdon_rigging.skin_losses import SkinLoss
from guerdon_rigging.skin_networks import Block, PointEncoder, decoder_of, encoded
from guerdon_rigging.skin_sampling import vertices_with_normals, with_normals
from guerdon_rigging.skin_training import Schedule, fit

SQUARED = SkinLoss(bce=0.0, mse=1.0, dice=0.0)


def bone_places(skeleton: Skeleton) -> Singles:
    """(J, 9): of each joint its own position, its parent's (the root's own), and its tip.

    The tip is the mean of its children; a leaf's is as far beyond it as half the way from its parent.
    """
    joints, parents = skeleton.joints, skeleton.parents
    before = joints[np.where(parents >= 0, parents, np.arange(len(joints)))]
    tips = np.array(
        [
            joints[list(children)].mean(0) if children else joint + 0.5 * (joint - parent)
            for joint, parent, children in zip(joints, before, skeleton.children, strict=True)
        ]
    )
    return np.concatenate([joints, before, tips], axis=1).astype(np.float32)


class BoneRegressor(nn.Module):
    """E_M and D of a codec's shape, with bones in place of codes.

    A bone becomes T vectors, so that the decoder works as hard; blocks over all bones stand in for the skin encoder.
    """

    def __init__(self, shape: CodecShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.encoder_width
        self.mesh = PointEncoder(shape, extra=0)
        self.embed = nn.Linear(3 * (3 + 6 * shape.frequencies), width)
        self.see_mesh = nn.Linear(shape.latent_width, width)
        self.cross = Block(width, shape.heads, shape.init_gain, cross=True)
        self.layers = nn.ModuleList(Block(width, shape.heads, shape.init_gain) for _ in range(shape.encoder_layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, shape.length * shape.latent_width)
        self.decoder = decoder_of(shape)

    def latents(self, points: Tensor) -> Tensor:
        """(B, P, 6) -> (B, M, C)."""
        return self.mesh(points, self.shape.mesh_latents)  # type: ignore[no-any-return]

    def bones(self, latents: Tensor, places: Tensor) -> Tensor:
        """(1, M, C) and all of one skeleton's `bone_places`, (1, J, 9) -> (1, J, T, C)."""
        x = self.embed(encoded(torch.unflatten(places, -1, (3, 3)), self.shape.frequencies).flatten(-2))
        x = self.cross(x, self.see_mesh(latents))
        for layer in self.layers:
            x = layer(x)
        return torch.unflatten(self.out(self.norm(x)), -1, (self.shape.length, -1))

    @torch.no_grad()
    def skin(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """Weights at the vertices, (N, J), in [0, 1]; rows do not sum to 1 (`guerdon_rigging.weights.kept`)."""
        inside = frame(mesh.vertices)
        placed, mesh = inside.skeleton(skeleton), inside.mesh(mesh)
        seen = with_normals(surface_points(mesh, self.shape.points, np.random.default_rng(SEED)))
        latents = self.latents(torch.as_tensor(seen)[None])
        asked = self.decoder.asked(latents, torch.as_tensor(vertices_with_normals(mesh))[None])
        codes = self.bones(latents, torch.as_tensor(bone_places(placed))[None])
        return np.asarray(torch.sigmoid(self.decoder(latents, asked, codes))[0].T.numpy(), np.float64)


def train_regressor(
    rigs: Sequence[Rig], shape: CodecShape, schedule: Schedule, folder: Path | None = None, device: str = "cpu"
) -> BoneRegressor:
    """As `guerdon_rigging.skin_training.train_codec`, of a schedule whose loss is `SQUARED` unless it says otherwise.

    Skeletons are turned with their meshes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(schedule.seed)
        network = BoneRegressor(shape).to(device)
    bank = Bank(rigs, seed=schedule.seed)
    places = {}
    for place in bank.places:
        rig = rigs[place]
        placed = frame(rig.mesh.vertices).skeleton(rig.skeleton)
        places[place] = torch.as_tensor(bone_places(placed), device=device)

    def loss(step: int) -> Tensor:
        batch = bank.batch(schedule.draw, schedule.seed, step, device)
        latents = network.latents(batch.seen)
        codes = []
        for row, (rig, turn) in enumerate(zip(batch.rigs, batch.turns, strict=True)):
            moved = (torch.unflatten(places[rig], -1, (3, 3)) @ torch.as_tensor(turn, device=device)).flatten(-2)
            chosen = torch.as_tensor(batch.bones[row], device=device)
            codes.append(network.bones(latents[row, None], moved[None])[0, chosen])
        logits = batch.own(network.decoder(latents, network.decoder.asked(latents, batch.asked), torch.stack(codes)))
        return schedule.loss(torch.sigmoid(logits), batch.targets)

    told = {"regressor": shape.plain(), "schedule": asdict(schedule), "rigs": bank.told}
    fit(network, loss, schedule, folder, told, "training the regression")
    return network


def squared(schedule: Schedule) -> Schedule:
    """The same schedule with squared error as its loss."""
    return replace(schedule, loss=SQUARED)
