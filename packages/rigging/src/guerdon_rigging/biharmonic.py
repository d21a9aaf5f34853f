"""Bounded biharmonic weights (Jacobson and others 2011) on the filled cells of a mesh, each cut into six tetrahedra.

The published way needs a tetrahedral mesh of a closed surface, which most files do not have; the filled grid takes any
mesh, and is as coarse as its cells: thin limbs that pass within a cell of each other become one [choice].
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from guerdon.errors import ConfigError
from guerdon_rigging.bones import nearest_joints
from guerdon_rigging.rigs import Floats, Ints, Mesh, Skeleton
from guerdon_rigging.voxels import Voxels, solid_voxels
from guerdon_rigging.weights import normalised

NEAR = 0.6
"""In cells: nodes this near to a bone are held to its joint."""


@dataclass(frozen=True, eq=False)
class Tetrahedra:
    """The set cells of a grid as tetrahedra that share faces with those of the cells beside."""

    nodes: Floats
    """(K, 3): corners of cells."""
    cells: Ints
    """(T, 4): nodes of each tetrahedron, six to a cell, all of positive volume."""
    grid: Voxels
    number: Ints
    """(A + 1, B + 1, C + 1): the node at each corner of the grid, -1 where there is none."""

    def values(self, at_nodes: Floats, points: Floats) -> Floats:
        """What is known at the nodes, (K, J), at points in set cells, (N, J): linear within each tetrahedron."""
        place, _ = self.grid.cells(points)
        within = np.clip((points - self.grid.origin) / self.grid.size - place, 0.0, 1.0)
        # The six tetrahedra of a cell are the orders of its axes: from its lower corner along the largest part first.
        order = np.argsort(-within, axis=1, kind="stable")
        parts = np.take_along_axis(within, order, axis=1)
        shares = -np.diff(
            np.concatenate([np.ones((len(points), 1)), parts, np.zeros((len(points), 1))], axis=1), axis=1
        )
        found = np.zeros((len(points), at_nodes.shape[1]))
        corner, rows = place.copy(), np.arange(len(points))
        for step in range(4):
            if step:
                corner[rows, order[:, step - 1]] += 1
            found += shares[:, [step]] * at_nodes[self.number[tuple(corner.T)]]
        return found


def tetrahedra(grid: Voxels) -> Tetrahedra:
    """The set cells of a grid, each as the six tetrahedra of Kuhn."""
    corners = grid.indices[:, None] + np.array(list(itertools.product((0, 1), repeat=3)))
    places, inverse = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    of_cell = inverse.reshape(-1, 8)
    number = np.full(np.array(grid.filled.shape) + 1, -1, np.int64)
    number[tuple(places.T)] = np.arange(len(places))
    found = []
    for even, axes in zip((True, False, False, True, True, False), itertools.permutations((4, 2, 1)), strict=True):
        walk = [0, axes[0], axes[0] + axes[1], 7]
        found.append(of_cell[:, walk if even else [walk[0], walk[2], walk[1], walk[3]]])
    return Tetrahedra(grid.origin + places * grid.size, np.concatenate(found), grid, number)


def bounded_biharmonic(mesh: Mesh, skeleton: Skeleton, resolution: int = 24, iterations: int = 8) -> Floats:
    """Weights that minimise the sum of w^T L M^-1 L w with 0 <= w <= 1, each held to 1 on its own bones, (N, J).

    Nodes within 0.6 of a cell of a bone are held, to 1 for the joint of the nearest bone and to 0 for the others. A
    joint without such a node, its bones being outside, gets nothing. A part of the grid without a held node has that
    held which is nearest to a bone. Rows are normalised, and nothing is cut. Vertices of no triangle follow their
    nearest bone.

    Args:
        mesh: any.
        skeleton: J joints.
        resolution: cells along the longest side; time grows with about its fourth power.
        iterations: of libigl's active set, for each joint; 8 as in its tutorial.

    Raises:
        RigError: a mesh without a triangle or an extent.
        ConfigError: libigl is not installed.
    """
    try:
        import igl
    except ImportError as error:
        raise ConfigError("bounded biharmonic weights need libigl: pip install 'guerdon-rigging[baselines]'") from error
    solid = tetrahedra(solid_voxels(mesh, resolution))
    owners, distances = nearest_joints(solid.nodes, skeleton)
    held = distances <= NEAR * solid.grid.size
    held[_lost(solid, held, distances)] = True
    places = np.flatnonzero(held)
    joints, columns = np.unique(owners[places], return_inverse=True)
    fixed = np.zeros((len(places), len(joints)))
    fixed[np.arange(len(places)), columns] = 1.0
    at_nodes = np.ones((len(solid.nodes), 1))
    if len(joints) > 1:
        at_nodes = igl.bbw(solid.nodes, solid.cells, places, fixed, max_iter=iterations)
    weights = np.zeros((len(mesh.vertices), len(skeleton)))
    used = np.unique(mesh.faces)
    # The active set stops a hair outside its bounds.
    weights[np.ix_(used, joints)] = np.maximum(solid.values(at_nodes, mesh.vertices[used]), 0.0)
    loose = np.flatnonzero(~weights.any(axis=1))
    weights[loose, nearest_joints(mesh.vertices[loose], skeleton)[0]] = 1.0
    return normalised(weights)


def _lost(solid: Tetrahedra, held: np.ndarray[tuple[int], np.dtype[np.bool_]], distances: Floats) -> Ints:
    """Of each part of the grid without a held node, the node that is nearest to a bone."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = solid.cells[:, [0, 1, 2]].ravel(), solid.cells[:, [1, 2, 3]].ravel()
    linked = coo_matrix((np.ones(len(ends[0])), ends), shape=(len(held),) * 2)
    count, part = connected_components(linked, directed=False)
    without = np.setdiff1d(np.arange(count), part[held])
    return np.array([np.flatnonzero(part == one)[distances[part == one].argmin()] for one in without], np.int64)
