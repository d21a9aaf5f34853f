"""Points on a mesh: uniform by area, with what belongs to them, and subsets of points that lie far apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon.fields import whole_number
from guerdon_rigging.rigs import Floats, Ints, Mesh, RigError


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """K points on the triangles of a mesh."""

    points: Floats
    """(K, 3)."""
    normals: Floats
    """(K, 3): unit normals of their triangles, by the right hand rule."""
    faces: Ints
    """(K,): which triangle of the mesh each lies on."""
    shares: Floats
    """(K, 3): barycentric, >= 0, sum 1."""
    corners: Ints
    """(K, 3): the vertices of that triangle."""

    def values(self, at_vertices: Floats) -> Floats:
        """What is known at the vertices, (N, ...), at the points, (K, ...): weights, for one."""
        found: Floats = np.einsum("kc,kc...->k...", self.shares, at_vertices[self.corners])
        return found


def areas(mesh: Mesh) -> tuple[Floats, Floats]:
    """The area of each triangle, (M,), and its unit normal, (M, 3), which is 0 where the area is."""
    corners = mesh.vertices[mesh.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    twice = np.linalg.norm(cross, axis=1)
    return twice / 2, cross / np.where(twice > 0, twice, 1.0)[:, None]


def vertex_normals(mesh: Mesh) -> Floats:
    """(N, 3), of length 1: the sum of the triangles' normals at each vertex, by area; 0 where it vanishes, as at
    vertices of no triangle.
    """
    size, normals = areas(mesh)
    corners, spread = mesh.faces.reshape(-1), np.repeat(size[:, None] * normals, 3, axis=0)
    summed = np.stack([np.bincount(corners, spread[:, axis], len(mesh.vertices)) for axis in range(3)], axis=1)
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    found: Floats = summed / np.where(length > 0, length, 1.0)
    return found


def surface_points(
    mesh: Mesh, count: int, rng: np.random.Generator, among: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
) -> SurfacePoints:
    """Points drawn uniformly by area; triangles of no area are never hit.

    A triangle by its area, then a + u (b - a) + v (c - a) with u, v uniform, folded back where u + v > 1.

    Args:
        mesh: at least one triangle with an area.
        count: K.
        rng: draws; the same state gives the same points.
        among: (M,), the triangles to draw from; None takes all.

    Raises:
        RigError: no triangle to draw from has an area.

    Source: SkinTokens' released sampler.
    """
    whole_number("surface_points: count", count, 0)
    size, normals = areas(mesh)
    if among is not None:
        size = np.where(among, size, 0.0)
    ends = np.cumsum(size)
    if not len(ends) or ends[-1] <= 0:
        raise RigError(
            f"surface_points: none of {len(size) if among is None else int(np.sum(among))} triangles has an area; "
            "points can be drawn from a surface only"
        )
    # Half-open intervals: a draw in [0, 1) never falls on a triangle whose interval is empty.
    faces = np.searchsorted(ends, rng.random(count) * ends[-1], side="right")
    # A product may round up to the whole: then it is the last triangle with an area, never one after it.
    faces = np.minimum(faces, np.flatnonzero(size)[-1])
    uv = rng.random((count, 2))
    uv = np.where(uv.sum(axis=1, keepdims=True) > 1, 1 - uv, uv)
    shares = np.concatenate([1 - uv.sum(axis=1, keepdims=True), uv], axis=1)
    corners = mesh.faces[faces]
    points = np.einsum("kc,kcx->kx", shares, mesh.vertices[corners])
    return SurfacePoints(points, normals[faces], faces, shares, corners)


def farthest_points(points: Floats, count: int, start: int = 0) -> Ints:
    """Indices of points that lie far apart, (count,): each next one is the farthest from all before it.

    Of equally far points the first is taken. Costs N x count, vectorised over N.

    Args:
        points: (N, 3), N >= count.
        count: how many.
        start: the first of them.

    Raises:
        ConfigError: more points asked for than there are, or a start that is none of them.
    """
    whole_number("farthest_points: count", count, 0, len(points))
    if not count:
        return np.zeros(0, np.int64)
    whole_number("farthest_points: start", start, 0, len(points) - 1)
    x, y, z = np.ascontiguousarray(points.T, np.float64)
    nearest = np.full(len(points), np.inf)
    apart, term = np.empty(len(points)), np.empty(len(points))
    chosen = np.empty(count, np.int64)
    for place in range(count):
        chosen[place] = at = start if place == 0 else int(nearest.argmax())
        np.subtract(x, x[at], out=apart)
        np.multiply(apart, apart, out=apart)
        for axis in (y, z):
            np.subtract(axis, axis[at], out=term)
            np.multiply(term, term, out=term)
            np.add(apart, term, out=apart)
        np.minimum(nearest, apart, out=nearest)
        # Never twice, even where points coincide and everything is at 0.
        nearest[at] = -1.0
    return chosen
