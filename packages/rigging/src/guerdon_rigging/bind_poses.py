"""Whether a file was saved in the pose in which its skin was bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_skins import StoredRig, read_stored
from guerdon_rigging.rigs import Floats

SAME = 1e-3
"""Of the mesh's size: what rest and bind positions may differ by and count as the same."""


def bind_error(stored: StoredRig) -> float:
    """How far the rest pose is from the bind pose, as a share of the mesh's size.

    For each skin: the largest distance between its vertices posed by the file's own nodes and the bind positions as
    stored, once the best map of rotation, reflection, uniform scale and translation has brought these onto those, over
    the diagonal of the posed box. The largest of the skins' counts. Vertices that follow no joint do not.

    Raises:
        RigFileError: no mesh of the file follows joints, or all vertices of a skin are in one place.
    """
    errors = []
    for skin in sorted({part.skin for part in stored.skinned if part.skin is not None}):
        bind, rest = [], []
        for part in stored.skinned:
            if part.skin == skin:
                rows = np.asarray(part.weights.sum(axis=1)).ravel() > 0
                bind.append(part.vertices[rows])
                rest.append(part.rest[rows])
        posed = np.concatenate(rest)
        size = float(np.linalg.norm(np.ptp(posed, axis=0))) if len(posed) else 0.0
        if not 0 < size < np.inf:
            raise RigFileError(
                stored.file, f"skins[{skin}]", "the vertices that follow its joints are all in one place"
            )
        errors.append(float(np.linalg.norm(similar(np.concatenate(bind), posed) - posed, axis=1).max()) / size)
    if not errors:
        raise RigFileError(stored.file, "", "no mesh in it follows joints", "a bind pose is a skin's")
    return max(errors)


def rest_is_bind(path: Path | str) -> bool:
    """Whether the file's nodes put its mesh where the skin was bound, up to one rigid map and a uniform scale for each skin.

    Raises:
        RigFileError: see `read_stored` and `bind_error`.
    """
    return bind_error(read_stored(path)) < SAME


def similar(points: Floats, onto: Floats) -> Floats:
    """Points, (N, 3), brought as near to others as rotation, reflection, uniform scale and translation can.

    Least squares, in closed form; reflections are allowed, as files mirror whole models.

    Source: Umeyama 1991, equations 40 to 43, without its condition on the determinant.
    """
    centre, target = points.mean(axis=0), onto.mean(axis=0)
    x, y = points - centre, onto - target
    left, stretch, right = np.linalg.svd(y.T @ x)
    spread = float((x * x).sum())
    scale = float(stretch.sum()) / spread if spread > 0 else 1.0
    moved: Floats = scale * x @ (left @ right).T + target
    return moved
