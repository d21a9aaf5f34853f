"""A small transformer over the codes of a bone, given where its joint and its parent are: are codes usable as tokens?

A code's five levels are predicted each by itself, given the codes before, so that a code has a probability although
most of a codebook of 32768 is never seen in a thousand bones [choice].

Axes: K bones, T codes, D dimensions of a code, L levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from guerdon_rigging.frames import frame
from guerdon_rigging.fsq import FSQ
from guerdon_rigging.rigs import Ints, Rig, Singles
from guerdon_rigging.skin_networks import Block, encoded
from guerdon_rigging.skintokens_toy import LEVELS

WIDTH, HEADS, LAYERS = 64, 4, 2
FREQUENCIES = 4
BATCH = 256


def bone_positions(rig: Rig, bones: Ints) -> Singles:
    """(K, 6): of each bone its joint and its joint's parent (the root's own), in the frame of the mesh."""
    joints = frame(rig.mesh.vertices).into(rig.skeleton.joints)
    parents = np.where(rig.skeleton.parents >= 0, rig.skeleton.parents, np.arange(len(joints)))
    return np.concatenate([joints[bones], joints[parents[bones]]], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Perplexity:
    """Cross entropy of a code of unseen rigs, in nats."""

    uniform: float
    """log C."""
    unigram: float
    """By how often each level stood at its place in training, counts + 1."""
    alone: float
    """The transformer, whose bone is always the same."""
    given_bone: float
    """The transformer, given joint and parent."""


class CodeModel(nn.Module):
    """p(code t's levels | bone, codes before t)."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.fsq = FSQ(LEVELS)
        self.bone = nn.Linear(6 + 12 * FREQUENCIES, WIDTH)
        self.code = nn.Linear(len(LEVELS), WIDTH)
        self.place = nn.Parameter(0.1 * torch.randn(length, WIDTH))
        self.layers = nn.ModuleList(_Causal(WIDTH, HEADS, 0.5) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, sum(LEVELS))

    def forward(self, bones: Tensor, indices: Tensor) -> Tensor:
        """(K, 6) and (K, T) -> -log p of each code, (K, T)."""
        first = self.bone(encoded(torch.unflatten(bones, -1, (2, 3)), FREQUENCIES).flatten(-2))
        before = self.code(self.fsq.codes_of(indices[:, :-1]).float())
        x = torch.cat([first[:, None], before], dim=1) + self.place
        for layer in self.layers:
            x = layer(x)
        logits = self.out(self.norm(x)).split(LEVELS, dim=-1)
        levels = self.fsq.levels_of(indices)
        each = [
            functional.cross_entropy(one.flatten(0, 1), levels[..., place].flatten(), reduction="none")
            for place, one in enumerate(logits)
        ]
        return torch.stack(each).sum(0).reshape(indices.shape)


class _Causal(Block):
    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


def compare(
    bones: Sequence[Singles],
    codes: Sequence[Ints],
    test_bones: Sequence[Singles],
    test_codes: Sequence[Ints],
    steps: int,
    seed: int,
) -> Perplexity:
    """Trained on the former, measured on the latter; both are rows a rig, of (K, 6) and (K, T)."""
    given, target = torch.as_tensor(np.concatenate(bones)), torch.as_tensor(np.concatenate(codes))
    test_given, test = torch.as_tensor(np.concatenate(test_bones)), torch.as_tensor(np.concatenate(test_codes))
    levels, test_levels = FSQ(LEVELS).levels_of(target), FSQ(LEVELS).levels_of(test)
    unigram = 0.0
    for place in range(target.shape[1]):
        for dimension, count in enumerate(LEVELS):
            often = torch.bincount(levels[:, place, dimension], minlength=count).double() + 1
            unigram -= float(torch.log(often / often.sum())[test_levels[:, place, dimension]].mean())
    entropies = []
    for known in (False, True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = CodeModel(target.shape[1])
        ours, theirs = (given, test_given) if known else (torch.zeros_like(given), torch.zeros_like(test_given))
        _train(model, ours, target, steps, seed)
        with torch.no_grad():
            entropies.append(float(model(theirs, test).mean()))
    return Perplexity(math.log(math.prod(LEVELS)), unigram / target.shape[1], *entropies)


def _train(model: CodeModel, bones: Tensor, indices: Tensor, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        chosen = rng.choice(len(indices), min(BATCH, len(indices)), replace=False)
        optimizer.zero_grad()
        model(bones[chosen], indices[chosen]).mean().backward()
        optimizer.step()
        schedule.step()
