"""Which points of a surface a skin codec sees: some uniform by area, and for each bone some more where it has weight.

By area and not by vertex, because hard edges store a vertex several times. Source: SkinTokens' released sampling code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from guerdon_rigging.rigs import Floats, Mesh, Rig, RigError

MARGIN = 0.1
"""Of P_dense: this share of the size of what a bone moves, and at most this far, of a mesh in [-1, 1]^3."""
LEAST_MARGIN = 1e-5
"""A margin below it adds nothing."""

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Surface:
    """P points of a mesh's surface."""

    points: Floats
    """(P, 6): position and face normal."""
    faces: npt.NDArray[np.int64]
    """(P, 3): the vertices of the triangle that each is on."""
    shares: Floats
    """(P, 3): barycentric; rows sum to 1."""

    def interpolated(self, values: Floats) -> Floats:
        """Of values at the vertices, (N,) or (N, J): at the points."""
        return np.asarray(np.einsum("pc,pc...->p...", self.shares, values[self.faces]))


def frame(mesh: Mesh) -> tuple[Floats, float]:
    """The middle of a mesh's box and half its longest side: (x - middle) / half lies in [-1, 1]^3.

    Raises:
        RigError: all vertices are one point, or there is none.
    """
    if not len(mesh.vertices):
        raise RigError("the mesh has no vertices; there is nothing to sample")
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    half = float((high - low).max()) / 2
    if not 0 < half < np.inf:
        raise RigError(f"the mesh's box is {high - low}; it cannot be scaled to [-1, 1]^3")
    return (low + high) / 2, half


def normalised(mesh: Mesh) -> Mesh:
    """The same mesh within [-1, 1]^3. Raises as `frame`."""
    middle, half = frame(mesh)
    return Mesh((mesh.vertices - middle) / half, mesh.faces)


def surface_points(
    mesh: Mesh, count: int, rng: np.random.Generator, mask: npt.NDArray[np.bool_] | None = None
) -> Surface:
    """Points uniform by area, P_uniform; on the faces of `mask`, (M,), alone where it is given.

    Triangles without area are never drawn. The order of the points is random.

    Raises:
        RigError: no face that may be drawn has area.
    """
    allowed = np.arange(len(mesh.faces)) if mask is None else np.flatnonzero(mask)
    corners = mesh.vertices[mesh.faces[allowed]]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled = np.linalg.norm(across, axis=1)
    total = doubled.sum()
    if not 0 < total < np.inf:
        raise RigError(f"{len(allowed)} triangles have an area of {total / 2} together; points cannot be drawn on them")
    drawn = rng.choice(len(allowed), count, p=doubled / total)
    u, v = rng.random((2, count))
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    shares = np.stack([1 - u - v, u, v], axis=1)
    positions = np.einsum("pc,pcx->px", shares, corners[drawn])
    normals = across[drawn] / doubled[drawn, None]
    return Surface(np.concatenate([positions, normals], axis=1), mesh.faces[allowed[drawn]], shares)


def dense_faces(mesh: Mesh, column: Floats) -> npt.NDArray[np.bool_]:
    """The faces of P_dense(j), (M,): those a bone's weights touch, and those within the margin.

    Faces with a vertex of weight > 0, and faces with a vertex nearer than min(0.1, 0.1 x diagonal of the box of the
    former's vertices) to one of these. A margin below 1e-5 adds none. A bone without weight has all faces.

    Args:
        mesh: within [-1, 1]^3.
        column: (N,), the bone's weights.
    """
    touched = (column[mesh.faces] > 0).any(1)
    if not touched.any():
        return np.ones(len(mesh.faces), bool)
    near = mesh.vertices[np.unique(mesh.faces[touched])]
    margin = min(MARGIN, MARGIN * float(np.linalg.norm(near.max(0) - near.min(0))))
    if margin < LEAST_MARGIN:
        return touched
    distance, _ = cKDTree(near).query(mesh.vertices, distance_upper_bound=margin)
    return np.asarray(touched | (distance < margin)[mesh.faces].any(1))


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
    mesh = normalised(rig.mesh)
    sums = rig.weights.sum(1, keepdims=True)
    weights = np.divide(rig.weights, sums, out=np.zeros_like(rig.weights), where=sums > 0)
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
        points[place], values[place] = drawn.points, drawn.interpolated(weights[:, bone])
    return RigSamples(
        surface.points.astype(np.float32),
        surface.interpolated(weights).astype(np.float32),
        points,
        values,
        bones.astype(np.int64),
    )


def vertex_normals(mesh: Mesh) -> Floats:
    """(N, 3), area-weighted; zeros at a vertex of no triangle with area."""
    corners = mesh.vertices[mesh.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros_like(mesh.vertices)
    for corner in range(3):
        for axis in range(3):
            summed[:, axis] += np.bincount(mesh.faces[:, corner], across[:, axis], len(summed))
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    return np.divide(summed, length, out=np.zeros_like(summed), where=length > 0)
