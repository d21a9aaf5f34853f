"""Which points of a surface a skin codec sees: some uniform by area, and for each bone some more where it has weight.

By area and not by vertex, because hard edges store a vertex several times. Source: SkinTokens' released sampling code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from guerdon_rigging.frames import frame
from guerdon_rigging.rigs import Floats, Mesh, Rig, RigError, Singles
from guerdon_rigging.sampling import SurfacePoints, surface_points, vertex_normals
from guerdon_rigging.weights import normalised

MARGIN = 0.1
"""Of P_dense: this share of the size of what a bone moves, and at most this far, of a mesh in [-1, 1]^3."""
LEAST_MARGIN = 1e-5
"""A margin below it adds nothing."""


def dense_faces(mesh: Mesh, column: Floats) -> npt.NDArray[np.bool_]:
    """The faces of P_dense(j), (M,): those a bone's weights touch, and those within the margin.

    Faces with a vertex of weight > 0, and faces with a vertex nearer than min(0.1, 0.1 x diagonal of the box of the
    former's vertices) to one of these. A margin below 1e-5 adds none. A bone without weight has all faces.

    Args:
        mesh: within [-1, 1]^3.
        column: (N,), the bone's weights.
    """
    touched: npt.NDArray[np.bool_] = np.any(column[mesh.faces] > 0, axis=1)
    if not touched.any():
        return np.ones(len(mesh.faces), bool)
    near = mesh.vertices[np.unique(mesh.faces[touched])]
    margin = min(MARGIN, MARGIN * float(np.linalg.norm(near.max(0) - near.min(0))))
    if margin < LEAST_MARGIN:
        return touched
    distance, _ = cKDTree(near).query(mesh.vertices, distance_upper_bound=margin)
    near_margin: npt.NDArray[np.bool_] = (distance < margin)[mesh.faces].any(axis=1)
    return touched | near_margin


@dataclass(frozen=True, eq=False)
class RigSamples:
    """Points of one rig, drawn once: what a codec encodes, and what training draws from. float32."""

    uniform: Singles
    """(P, 6)."""
    weights: Singles
    """(P, J)."""
    dense: Singles
    """(J', m, 6): for each of `bones`."""
    dense_weights: Singles
    """(J', m)."""
    bones: npt.NDArray[np.int64]
    """(J',): the joints with dense points."""

    def __len__(self) -> int:
        return len(self.bones)


def rig_samples(
    rig: Rig, uniform: int, dense: int, rng: np.random.Generator, *, with_support: bool = False
) -> RigSamples:
    """Draw them. The mesh is scaled to [-1, 1]^3 and rows of weights to a sum of 1; rows of zeros stay.

    Args:
        rig: in any frame.
        uniform: P.
        dense: m of each bone.
        rng: the same one in the same state gives the same points.
        with_support: leave out joints that own no vertex with weight > 0, on which Dice teaches nothing but harshness.

    Raises:
        RigError: a mesh without area.
    """
    mesh = frame(rig.mesh.vertices).mesh(rig.mesh)
    weights = normalised(rig.weights)
    bones = np.flatnonzero((weights > 0).any(0)) if with_support else np.arange(weights.shape[1])
    surface = surface_points(mesh, uniform, rng)
    points = np.zeros((len(bones), dense, 6), np.float32)
    values = np.zeros((len(bones), dense), np.float32)
    for place, bone in enumerate(bones):
        mask = dense_faces(mesh, weights[:, bone])
        try:
            drawn = surface_points(mesh, dense, rng, mask)
        except RigError:  # it owns triangles without area alone: nothing of it can be drawn
            drawn = surface_points(mesh, dense, rng)
        points[place], values[place] = with_normals(drawn), drawn.values(weights[:, bone])
    return RigSamples(
        with_normals(surface),
        surface.values(weights).astype(np.float32),
        points,
        values,
        bones.astype(np.int64),
    )


def with_normals(drawn: SurfacePoints) -> Singles:
    """(P, 6): positions and face normals, as the codec's networks take them."""
    return np.concatenate([drawn.points, drawn.normals], axis=1).astype(np.float32)


def vertices_with_normals(mesh: Mesh) -> Singles:
    """(N, 6): vertices and their normals, area-weighted; zeros at a vertex of no triangle with area."""
    return np.concatenate([mesh.vertices, vertex_normals(mesh)], axis=1).astype(np.float32)
