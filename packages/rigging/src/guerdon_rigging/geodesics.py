"""Distances from joints to vertices through the volume of a mesh and along its surface, as voxel-geodesic binding has.

The graph: filled cells, each linked to its 26 neighbours; vertices, linked by the edges of the mesh and to the filled
cells around them; joints, each linked to whatever node is nearest. Links between cells count three times their length,
so that a way along the surface is preferred where there is one (released code: grid weight 3). Marks of the details
that the fact sheet leaves open stand beside them.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import Floats, Ints, Mesh, Skeleton
from guerdon_rigging.voxels import Voxels, solid_voxels
from guerdon_rigging.weights import normalised

GRID_WEIGHT = 3.0
"""What links between cells count, per length."""
NEAREST = 3
"""Joints, by straight distance, that a vertex without any way takes."""
LEAST = 1e-6
"""Distances are at least this: a vertex may coincide with a joint."""


def volumetric_distances(mesh: Mesh, skeleton: Skeleton, resolution: int = 48, solid: Voxels | None = None) -> Floats:
    """The length of the shortest way from each joint to each vertex, (N, J); inf where there is none.

    Args:
        mesh: welded: edges that are split keep parts apart.
        skeleton: J joints, inside the mesh or not.
        resolution: cells along the longest side; SkinTokens takes 196, a small machine 48.
        solid: the filled cells, where they are known already; `resolution` is then not looked at.

    Source: UniRig's and SkinTokens' voxel skin after Dionne and de Lasa (2013); Dijkstra from each joint.
    """
    from scipy.sparse.csgraph import dijkstra

    solid = solid_voxels(mesh, resolution) if solid is None else solid
    graph = _graph(mesh, skeleton, solid)
    vertices, joints = len(mesh.vertices), len(skeleton)
    found = dijkstra(graph, directed=False, indices=np.arange(graph.shape[0] - joints, graph.shape[0]))
    distances: Floats = found[:, :vertices].T
    return distances


def reaching(distances: Floats, mesh: Mesh, skeleton: Skeleton) -> Floats:
    """The same distances, where vertices that no joint reaches take the straight way to their 3 nearest joints.

    Args:
        distances: (N, J), inf where there is no way.
        mesh: whose N vertices they are of.
        skeleton: whose J joints they are of.

    Returns:
        (N, J): a row has at least one finite distance, and all are at least 1e-6.
    """
    found = np.maximum(distances, LEAST)
    lost = np.flatnonzero(~np.isfinite(distances).any(axis=1))
    if lost.size:
        straight = np.linalg.norm(mesh.vertices[lost, None] - skeleton.joints, axis=2)
        nearest = np.argsort(straight, axis=1, kind="stable")[:, :NEAREST]
        found[lost[:, None], nearest] = np.maximum(np.take_along_axis(straight, nearest, axis=1), LEAST)
    return found


def falling_weights(distances: Floats, law: Literal["square", "exp"] = "square", alpha: float = 0.5) -> Floats:
    """Weights that fall with distance, rows normalised: 0 at infinity.

    "square" is (1 / ((1 - a) d + a d^2))^2; "exp" is exp(-20 d / d_max), d_max the largest finite distance of all.

    Args:
        distances: (N, J), > 0.
        law: which.
        alpha: a, in [0, 1]; "square" alone has it.

    Source: UniRig's and SkinTokens' voxel skin (released code).

    >>> falling_weights(np.array([[0.1, 0.2, 0.4]])).round(6).tolist()
    [[0.800863, 0.168237, 0.030901]]
    """
    if law == "square":
        if not 0.0 <= alpha <= 1.0:
            raise ConfigError(f"falling_weights: alpha is {alpha!r}; a number from 0 to 1 is needed")
        # Against the nearest, so that the square of a tiny distance stays a number.
        fall = (1 - alpha) * distances + alpha * distances**2
        return normalised((fall.min(axis=1, keepdims=True) / fall) ** 2)
    if law != "exp":
        raise ConfigError(f"falling_weights: law is {law!r}; 'square' or 'exp' is needed")
    longest = distances[np.isfinite(distances)].max(initial=0.0)
    # Less the nearest, which normalising takes out again: else far rows are 0 throughout.
    return normalised(np.exp(-20 * (distances - distances.min(axis=1, keepdims=True)) / (longest or 1.0)))


def _graph(mesh: Mesh, skeleton: Skeleton, solid: Voxels) -> Any:
    """A symmetric sparse matrix over vertices, then cells, then joints; lengths of links in one of each pair."""
    from scipy.sparse import coo_matrix
    from scipy.spatial import cKDTree

    vertices, cells = len(mesh.vertices), len(solid.centres)
    number = np.full(np.array(solid.filled.shape) + 2, -1, np.int64)
    number[tuple((solid.indices + 1).T)] = np.arange(cells)
    starts: list[Ints] = []
    stops: list[Ints] = []
    lengths: list[Floats] = []

    def link(one: Ints, other: Ints, length: Floats) -> None:
        starts.append(one)
        stops.append(other)
        lengths.append(length)

    edges = mesh.edges
    link(edges[:, 0], edges[:, 1], np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1))
    for step in itertools.product((-1, 0, 1), repeat=3):
        if step > (0, 0, 0):  # half of the 26, the other half is the same links
            beside = number[tuple((solid.indices + 1 + step).T)]
            own = np.flatnonzero(beside >= 0)
            length = GRID_WEIGHT * solid.size * float(np.linalg.norm(step))
            link(vertices + own, vertices + beside[own], np.full(len(own), length))
    # A vertex is linked to filled cells whose centres are no farther than a cell's side, its own among them [memory].
    place, _ = solid.cells(mesh.vertices)
    for step in itertools.product((-1, 0, 1), repeat=3):
        beside = number[tuple((place + 1 + step).T)]
        own = np.flatnonzero(beside >= 0)
        apart = np.linalg.norm(solid.centres[beside[own]] - mesh.vertices[own], axis=1)
        near = apart <= solid.size
        link(own[near], vertices + beside[own][near], apart[near])
    # A joint is a node of its own, linked to the nearest other one by their distance [choice]: the released code takes
    # the nearest node in the joint's place [memory], from which that node is at 0.
    nodes = np.concatenate([mesh.vertices, solid.centres])
    apart, nearest = cKDTree(nodes).query(skeleton.joints)
    link(len(nodes) + np.arange(len(skeleton)), np.asarray(nearest, np.int64), apart)
    total = len(nodes) + len(skeleton)
    # Sparse matrices take a length of 0 for no link.
    weighed = np.maximum(np.concatenate(lengths), 1e-12)
    pairs = np.concatenate(starts), np.concatenate(stops)
    return coo_matrix((weighed, pairs), shape=(total, total)).tocsr()
