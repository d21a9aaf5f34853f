"""How near a predicted skin is to the true one: supports, weights, and what it does to the mesh in motion.

IoU of single bones, which skin codecs are measured by, is in `guerdon_rigging.codec_metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import Floats, RigError, Skeleton
from guerdon_rigging.skinning import posed, random_poses, skinned
from guerdon_rigging.weights import normalised

SMALLEST = 1e-3
RELATIVE = 0.15
"""Puppeteer's share of a row's largest; 0.35 for ModelsResource."""


@dataclass(frozen=True)
class Overlap:
    """Supports of two skins, counted over a mesh."""

    precision: float
    """Of the influences that were predicted, those that are true; NaN where none was predicted."""
    recall: float
    """Of the true influences, those that were predicted; NaN where there is none."""
    rows: int
    """Vertices that were counted."""


@dataclass(frozen=True)
class MotionLoss:
    """How far apart vertices are that two skins move, over poses and vertices."""

    mean_square: float
    """Mean squared distance, UniRig's loss in training."""
    mean: float
    """Mean distance. Which of the two TokenRig's table shows is not known."""


def overlap(predicted: Floats, true: Floats, relative: float = RELATIVE) -> Overlap:
    """Precision and recall of the supports.

    Predictions below 1e-3 are taken for 0, then those below `relative` of their row's largest, and rows are normalised.
    What is above 0 after that is the support; of the true weights, as they stand. Rows whose true weights do not sum to
    1 +- 0.01 are left out. Averages over meshes are the caller's: means of these.

    Args:
        predicted: (N, J), >= 0.
        true: (N, J), >= 0.
        relative: 0.15, or 0.35 for ModelsResource.

    Source: Puppeteer's released evaluation.
    """
    _alike("overlap", predicted, true)
    if not 0.0 <= relative <= 1.0:
        raise ConfigError(f"overlap: relative is {relative!r}; a share from 0 to 1 is needed")
    rows = np.abs(true.sum(axis=1) - 1) <= 0.01
    support = cleaned(predicted[rows], relative) > 0
    wanted = true[rows] > 0
    both = int((support & wanted).sum())
    return Overlap(_share(both, int(support.sum())), _share(both, int(wanted.sum())), int(rows.sum()))


def cleaned(predicted: Floats, relative: float = RELATIVE) -> Floats:
    """Predictions as `overlap` counts them: two thresholds, then normalised."""
    found = np.where(predicted < SMALLEST, 0.0, predicted)
    if found.size:
        found = np.where(found < relative * found.max(axis=1, keepdims=True), 0.0, found)
    return normalised(found)


def l1_per_vertex(predicted: Floats, true: Floats) -> float:
    """The mean over vertices of sum_j |dW|, 0 to 2: Puppeteer's."""
    _alike("l1_per_vertex", predicted, true)
    return float(np.abs(predicted - true).sum(axis=1).mean())


def l1_per_entry(predicted: Floats, true: Floats) -> float:
    """The mean over all N x J entries of |dW|: UniRig's, and by its size that of TokenRig's table."""
    _alike("l1_per_entry", predicted, true)
    return float(np.abs(predicted - true).mean())


def motion_loss(
    vertices: Floats, skeleton: Skeleton, predicted: Floats, true: Floats, turns: Floats | None = None
) -> MotionLoss:
    """Both means of how far apart the mesh is that the two skins move.

    Args:
        vertices: (N, 3).
        skeleton: J joints.
        predicted: (N, J).
        true: (N, J).
        turns: (P, J, 3), axis-angles in radians; None takes five random poses, always the same.

    Source: UniRig's motion loss.
    """
    _alike("motion_loss", predicted, true)
    transforms = posed(skeleton, random_poses(len(skeleton)) if turns is None else turns)
    apart = skinned(vertices, predicted, transforms) - skinned(vertices, true, transforms)
    squares = (apart**2).sum(axis=-1)
    return MotionLoss(float(squares.mean()), float(np.sqrt(squares).mean()))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _alike(where: str, predicted: Floats, true: Floats) -> None:
    if predicted.shape != true.shape or predicted.ndim != 2 or not predicted.size:
        raise RigError(f"{where}: skins have the shapes {predicted.shape} and {true.shape}; one (N, J) is needed")
    for name, skin in (("predicted", predicted), ("true", true)):
        if not np.isfinite(skin).all():
            row = int(np.flatnonzero(~np.isfinite(skin).all(axis=1))[0])
            raise RigError(f"{where}: row {row} of the {name} skin is not finite")
