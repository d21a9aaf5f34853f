"""A mesh as cells of a grid: those its surface touches, and those it encloses.

What the surface test guarantees: every cell that holds a point of a triangle by floor((x - origin) / size) is found,
and beyond those only cells that a triangle touches at their boundary. No sampling is involved. It is the test of
plane and projected edges of Schwarz and Seidel (2010) over the cells of each triangle's box, long triangles halved
first. Filling asks nothing of the mesh: it may be open, of several parts, or intersect itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon_rigging.rigs import Floats, Ints, Mesh, RigError

Cells = npt.NDArray[np.bool_]

LONGEST = 8.0
"""Triangles are halved until their boxes are no longer than this many cells."""
PAIRS = 1 << 19
"""Triangle-cell pairs tested at once."""
SLACK = 1e-9
"""What rounding may move an edge by, in cells."""


@dataclass(frozen=True, eq=False)
class Voxels:
    """Cells of a regular grid, set or not.

    Cell (i, j, k) holds the points with floor((x - origin) / size) = (i, j, k); those on the grid's upper faces, x = +1
    of a normalised mesh, are in its last cells.
    """

    filled: Cells
    """(A, B, C)."""
    origin: Floats
    """(3,): the lower corner of cell (0, 0, 0)."""
    size: float
    """The side of a cell."""

    @cached_property
    def indices(self) -> Ints:
        """(M, 3): of the cells that are set, in ascending order."""
        return np.argwhere(self.filled)

    @cached_property
    def centres(self) -> Floats:
        """(M, 3): of the cells that are set, in the order of `indices`."""
        return self.origin + (self.indices + 0.5) * self.size

    @np.errstate(over="ignore", invalid="ignore")
    def cells(self, points: Floats) -> tuple[Ints, Cells]:
        """The cell of each point, (..., 3), clipped to the grid, and whether the point is in the grid, (...).

        A point that is not finite is not in the grid; its cell is the one nearest to it, or the first for NaN.
        """
        places = (np.asarray(points, np.float64) - self.origin) / self.size
        shape = np.array(self.filled.shape)
        # What rounding puts beyond a face by less than a billionth of a cell is on it.
        within = np.logical_and(places >= -SLACK, places <= shape + SLACK).all(axis=-1)
        nearest = np.clip(np.floor(np.where(np.isnan(places), 0.0, places)), 0, shape - 1)
        return nearest.astype(np.int64), np.asarray(within)

    def contains(self, points: Floats) -> Cells:
        """Whether the cell of each point is set, (...); False for points outside the grid."""
        index, within = self.cells(points)
        found: Cells = self.filled[index[..., 0], index[..., 1], index[..., 2]] & within
        return found


def surface_voxels(mesh: Mesh, resolution: int = 64) -> Voxels:
    """The cells that the triangles touch, in a cube of resolution^3 cells around the mesh's box.

    The cube's side is the box's longest side and their centres are one, so that a mesh normalised to [-1, 1]^3 has the
    grid of the paper: origin -1, cells of 2 / resolution. A triangle of no area sets the cells of the line or the point
    that it is; vertices of no triangle set nothing.

    Args:
        mesh: at least one triangle, and not all of it in one point.
        resolution: cells along the longest side; the paper takes 196.

    Raises:
        RigError: no triangle, or a mesh without extent.
    """
    whole_number("surface_voxels: resolution", resolution, 1)
    if not len(mesh.faces):
        raise RigError("surface_voxels: the mesh has no triangle, so it has no surface")
    used = mesh.vertices[np.unique(mesh.faces)]
    low, high = used.min(axis=0), used.max(axis=0)
    side = float((high - low).max())
    if not side > 0:
        raise RigError(f"surface_voxels: all triangles are in the point {low.tolist()}; a mesh has an extent")
    size = side / resolution
    origin = (low + high - side) / 2
    filled = np.zeros((resolution,) * 3, bool)
    triangles = _halved((mesh.vertices[mesh.faces] - origin) / size)
    _touch(triangles, filled)
    return Voxels(filled, origin, size)


def enclosed(filled: Cells, axes: Literal[2, 3] = 3) -> Cells:
    """Projection fill: also the cells that lie between two set ones along at least `axes` of the three axes.

    3 is the paper's; 2 closes holes as well, and leaks into armpits.

    Source: SkinTokens' released code.
    """
    if axes not in (2, 3):
        raise ConfigError(f"enclosed: axes is {axes!r}; 2 or 3 is needed")
    if not filled.any():
        return filled.copy()
    # Nothing outside the box of what is set lies between anything.
    spans = [np.flatnonzero(filled.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
    inner = filled[box]
    count = np.zeros(inner.shape, np.uint8)
    for axis in range(3):
        before = np.logical_or.accumulate(inner, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(inner, axis), axis=axis), axis)
        count += before & after
    found = filled.copy()
    found[box] |= count >= axes
    return found


def solid_voxels(mesh: Mesh, resolution: int = 64, axes: Literal[2, 3] = 3) -> Voxels:
    """The cells that the mesh touches or encloses: `surface_voxels`, then `enclosed`."""
    surface = surface_voxels(mesh, resolution)
    return Voxels(enclosed(surface.filled, axes), surface.origin, surface.size)


def _halved(triangles: Floats) -> Floats:
    """The same surface in triangles (M, 3, 3) whose boxes are at most `LONGEST` long: longest edges are halved."""
    done = []
    while len(triangles):
        long = (triangles.max(axis=1) - triangles.min(axis=1)).max(axis=1) > LONGEST
        done.append(triangles[~long])
        triangles = triangles[long]
        edges = ((triangles[:, [1, 2, 0]] - triangles) ** 2).sum(axis=2)
        first = edges.argmax(axis=1)
        rows = np.arange(len(triangles))
        a, b, c = (triangles[rows, (first + place) % 3] for place in range(3))
        middle = (a + b) / 2
        triangles = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
    return np.concatenate(done)


def _touch(triangles: Floats, filled: Cells) -> None:
    """Set the cells that triangles, (M, 3, 3) in cell units, touch."""
    last = np.array(filled.shape) - 1
    low = np.clip(np.floor(triangles.min(axis=1)), 0, last).astype(np.int64)
    high = np.clip(np.floor(triangles.max(axis=1)), 0, last).astype(np.int64)
    extents = high - low + 1
    # A box that is one cell wide along two axes is a row of cells, and a triangle touches all of the row it spans.
    rows = (extents > 1).sum(axis=1) <= 1
    _set(filled, *_pairs(low[rows], extents[rows])[1].T)
    triangles, low, extents = triangles[~rows], low[~rows], extents[~rows]
    ends = np.cumsum(extents.prod(axis=1))
    start = 0
    while start < len(triangles):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, before + PAIRS, side="right")), start + 1)
        part = slice(start, stop)
        owner, cells = _pairs(low[part], extents[part])
        hit = _overlap(triangles[part], owner, cells)
        _set(filled, *cells[hit].T)
        start = stop


def _pairs(low: Ints, extents: Ints) -> tuple[Ints, Ints]:
    """Each cell of each box: the box's number, (C,), and the cell, (C, 3)."""
    counts = extents.prod(axis=1)
    owner = np.repeat(np.arange(len(low)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    wide = extents[owner]
    rest, k = np.divmod(place, wide[:, 2])
    i, j = np.divmod(rest, wide[:, 1])
    return owner, np.stack([i, j, k], 1) + low[owner]


def _set(filled: Cells, i: Ints, j: Ints, k: Ints) -> None:
    filled[i, j, k] = True


def _overlap(triangles: Floats, owner: Ints, cells: Ints) -> Cells:
    """Whether triangle `owner` and unit cell `cells` overlap, for pairs whose boxes do: (C,)."""
    a = triangles[:, 0]
    edges = triangles[:, [1, 2, 0]] - triangles
    normals = np.cross(edges[:, 0], edges[:, 1])
    # The plane passes between the two corners of the cell that lie farthest along its normal.
    offset = (normals * a).sum(axis=1)
    reach = np.abs(normals).sum(axis=1) / 2
    middle = (normals[owner] * (cells + 0.5)).sum(axis=1) - offset[owner]
    hit = np.abs(middle) <= reach[owner] * (1 + SLACK) + SLACK
    places = np.flatnonzero(hit)
    # Seen along each axis, the cell is not wholly beyond one of the triangle's edges.
    for u, v, w in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        facing = np.where(normals[:, w] < 0, -1.0, 1.0)
        for corner in range(3):
            across = -edges[:, corner, v] * facing, edges[:, corner, u] * facing
            least = (
                np.maximum(across[0], 0)
                + np.maximum(across[1], 0)
                - across[0] * triangles[:, corner, u]
                - across[1] * triangles[:, corner, v]
            )
            who, cell = owner[places], cells[places]
            side = across[0][who] * cell[:, u] + across[1][who] * cell[:, v] + least[who]
            places = places[side >= -SLACK * (1 + np.abs(least[who]))]
    found = np.zeros(len(owner), bool)
    found[places] = True
    return found
