"""A policy small enough to train in seconds: joints picked one after another from voxels of a mesh.

The logit of a candidate is linear in seven features, so that the gradient of a pick's log-probability is exact and
needs no torch. It is the policy of TokenRig's shrunk claim, and of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from guerdon_rigging.rig_scores import Ground
from guerdon_rigging.rigs import Floats, Ints, Rig
from guerdon_rigging.sampling import farthest_points

FEATURES = 7
CANDIDATES = 250
PICKS = 14
"""K: joints of a skeleton."""
REACH = 0.1
"""How far a chosen joint crowds others out, in the frame [-1, 1]^3."""


@dataclass(frozen=True, eq=False)
class Place:
    """A mesh as the policy sees it, and its true joints, which it does not see."""

    name: str
    category: str
    ground: Ground
    joints: Floats
    """(J, 3), the true ones."""
    candidates: Floats
    """(C, 3)."""
    depth: Floats
    """(C,): distance to the nearest cell outside."""
    central: Floats
    """(C,): distance to the centroid of the solid."""


def place_of(rig: Rig, category: str, rng: np.random.Generator, grid: int = 64) -> Place:
    """A rig's mesh with candidates drawn from its voxels; fewer than `CANDIDATES` only where there are fewer voxels."""
    ground = Ground(rig.mesh, grid).make()
    solid = ground.solid
    depth = distance_transform_edt(np.pad(solid.filled, 1))[1:-1, 1:-1, 1:-1] * solid.size
    count = len(solid.indices)
    chosen = rng.choice(count, min(CANDIDATES, count), replace=False)
    centres = solid.centres[chosen]
    i, j, k = solid.indices[chosen].T
    central = np.linalg.norm(centres - solid.centres.mean(axis=0), axis=1)
    return Place(rig.name, category, ground, rig.skeleton.joints, centres, depth[i, j, k], central)


class Drawn(NamedTuple):
    """Skeletons picked for one place."""

    joints: Floats
    """(G, K, 3)."""
    gradients: Floats
    """(G, FEATURES): of the mean over picks of the log-probability, by theta."""


def features(place: Place, nearest: Floats | None) -> Floats:
    """(G, C, 7): depth; distance to the centroid; that for the first pick alone; distance d to the nearest chosen
    joint, d^2, exp(-d / 0.1), depth x d. Before the first pick what has d is 0.

    Args:
        place: C candidates.
        nearest: (G, C), d; None before the first pick.
    """
    first = nearest is None
    d = np.zeros((1, len(place.candidates))) if nearest is None else nearest
    near = np.zeros_like(d) if first else np.exp(-d / REACH)
    depth, central = np.broadcast_to(place.depth, d.shape), np.broadcast_to(place.central, d.shape)
    return np.stack([depth, central, central * first, d, d**2, near, depth * d], axis=-1)


def drawn(theta: Floats, place: Place, count: int, rng: np.random.Generator) -> Drawn:
    """`count` skeletons of K joints each, no candidate twice."""
    rows, steps = np.arange(count), min(PICKS, len(place.candidates))
    gone = np.zeros((count, len(place.candidates)))
    nearest: Floats | None = None
    gradients, joints = np.zeros((count, FEATURES)), np.zeros((count, steps, 3))
    for step in range(steps):
        seen = features(place, nearest)
        logits = seen @ theta + gone
        chances = _softmax(logits)
        chosen = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        seen = np.broadcast_to(seen, (count, *seen.shape[1:]))
        gradients += seen[rows, chosen] - np.einsum("gc,gcf->gf", chances, seen)
        joints[:, step] = place.candidates[chosen]
        gone[rows, chosen] = -np.inf
        apart = np.linalg.norm(place.candidates[None] - joints[:, step, None], axis=-1)
        nearest = apart if nearest is None else np.minimum(nearest, apart)
    return Drawn(joints, gradients / steps)


def path_features(place: Place, picks: Ints) -> tuple[Floats, Floats]:
    """What the policy sees before each of the given picks, which does not hang on its weights.

    Args:
        place: C candidates.
        picks: (K,), each another one.

    Returns:
        Features, (K, C, 7), and what is added to the logits, (K, C): -inf for candidates already picked, else 0.
    """
    apart = np.linalg.norm(place.candidates[picks][:, None] - place.candidates[None], axis=-1)
    nearest = np.minimum.accumulate(apart, axis=0)[:-1]
    seen = np.concatenate([features(place, None), features(place, nearest)])
    gone = np.zeros(seen.shape[:2])
    for step, pick in enumerate(picks[:-1]):
        gone[step + 1 :, pick] = -np.inf
    return seen, gone


def likelihood_gradient(theta: Floats, path: tuple[Floats, Floats], picks: Ints) -> Floats:
    """(7,): of the mean log-probability of the picks whose path it is, by theta."""
    seen, gone = path
    chances = _softmax(seen @ theta + gone)
    ahead = seen[np.arange(len(picks)), picks] - np.einsum("kc,kcf->kf", chances, seen)
    found: Floats = ahead.mean(axis=0)
    return found


def true_picks(place: Place) -> Ints:
    """(K',): the true joints in farthest-point order from the root, each as the nearest candidate, each candidate once;
    K' is at most K.
    """
    order = farthest_points(place.joints, min(PICKS, len(place.joints)))
    apart = ((place.joints[order, None] - place.candidates[None]) ** 2).sum(axis=-1)
    return np.array(list(dict.fromkeys(apart.argmin(axis=1).tolist())), dtype=np.int64)


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return found
