"""Skins that need no learning: what a learned skinner has to beat.

All give weights (N, J) of a mesh, welded and normalised to [-1, 1]^3, and a skeleton; each keeps the four largest,
drops those below 2 % of their row's largest and normalises. `baseline(name)` makes one by name, with its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from guerdon.errors import ConfigError, UnknownName
from guerdon.fields import whole_number
from guerdon_rigging.biharmonic import bounded_biharmonic
from guerdon_rigging.bones import joint_distances, nearest_joints
from guerdon_rigging.geodesics import GRID_WEIGHT, falling_weights, reaching, volumetric_distances
from guerdon_rigging.rigs import Floats, Mesh, RigError, Skeleton
from guerdon_rigging.weights import kept

MOST = 4
DROP = 0.02
"""Of a row's largest weight: what is below it goes."""
LEAST = 1e-6
"""Distances are at least this: a vertex may lie on a bone."""


class Baseline(Protocol):
    """Weights from geometry alone."""

    def __call__(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """(N, J): rows sum to 1, at most four of their entries above 0."""


@dataclass(frozen=True)
class ClosestBone:
    """One-hot: a vertex follows the joint of its nearest bone; of bones that meet, the parent's."""

    def __call__(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """(N, J)."""
        return _closest(mesh, skeleton)


@dataclass(frozen=True)
class Smoothed:
    """The closest bone's, each vertex then replaced by the mean over its 1-ring, itself among it [choice], thrice."""

    rounds: int = 3

    def __post_init__(self) -> None:
        whole_number("Smoothed.rounds", self.rounds, 0)

    def __call__(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """(N, J)."""
        mean = _ring_mean(mesh)
        weights = _closest(mesh, skeleton)
        for _ in range(self.rounds):
            weights = mean @ weights
        return kept(weights, MOST, DROP)


@dataclass(frozen=True)
class InverseDistance:
    """1 / d^e, d the distance to the nearest bone of each joint."""

    exponent: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < self.exponent < float("inf"):
            raise ConfigError(f"InverseDistance.exponent is {self.exponent!r}; a finite number > 0 is needed")

    def __call__(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """(N, J)."""
        return kept(inverse_distance(joint_distances(mesh.vertices, skeleton), self.exponent), MOST, DROP)


@dataclass(frozen=True)
class Heat:
    """Heat equilibrium: (L + M H) W = M H p, solved for all joints at once.

    L is the cotangent Laplacian of robust_laplacian, which takes any mesh (the extra `baselines` of guerdon-rigging), M
    its masses, H_ii = c / d_i^2 with d_i the distance to the nearest bone, p the one-hot of that bone's joint. A part
    without a bone of its own takes heat from the bone that is nearest to each of its vertices, however far.

    Source: Baran and Popovic (2007); Pinocchio's bones have to be visible from the vertex, these do not.
    """

    c: float = 1.0
    """1, or Pinocchio's 0.22: how strongly a vertex is held to its nearest bone."""

    def __post_init__(self) -> None:
        if not 0 < self.c < float("inf"):
            raise ConfigError(f"Heat.c is {self.c!r}; a finite number > 0 is needed")

    def __call__(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """(N, J)."""
        return kept(heat(mesh, skeleton, self.c), MOST, DROP)


@dataclass(frozen=True)
class VoxelGeodesic:
    """Weights that fall with the distance from each joint through the volume: `guerdon_rigging.geodesics`."""

    resolution: int = 48
    law: Literal["square", "exp"] = "square"
    grid_weight: float = GRID_WEIGHT
    """What links between cells count, per length: 3 as released. 1 gave better weights on the shared files."""

    def __post_init__(self) -> None:
        whole_number("VoxelGeodesic.resolution", self.resolution, 1)
        if not 0 < self.grid_weight < float("inf"):
            raise ConfigError(f"VoxelGeodesic.grid_weight is {self.grid_weight!r}; a finite number > 0 is needed")
        if self.law not in ("square", "exp"):
            raise ConfigError(f"VoxelGeodesic.law is {self.law!r}; 'square' or 'exp' is needed")

    def __call__(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """(N, J)."""
        ways = volumetric_distances(mesh, skeleton, self.resolution, grid_weight=self.grid_weight)
        distances = reaching(ways, mesh, skeleton)
        return kept(falling_weights(distances, self.law), MOST, DROP)


@dataclass(frozen=True)
class BoundedBiharmonic:
    """Bounded biharmonic weights on a coarse grid: `guerdon_rigging.biharmonic`. Seconds a file, and more."""

    resolution: int = 24

    def __post_init__(self) -> None:
        whole_number("BoundedBiharmonic.resolution", self.resolution, 1)

    def __call__(self, mesh: Mesh, skeleton: Skeleton) -> Floats:
        """(N, J)."""
        return kept(bounded_biharmonic(mesh, skeleton, self.resolution), MOST, DROP)


BASELINES: dict[str, Callable[..., Baseline]] = {
    "closest-bone": ClosestBone,
    "smoothed": Smoothed,
    "inverse-distance": InverseDistance,
    "heat": Heat,
    "voxel-geodesic": VoxelGeodesic,
    "bounded-biharmonic": BoundedBiharmonic,
}


def baseline(name: str, **settings: Any) -> Baseline:
    """The baseline of that name, with settings other than its own: `baseline("heat", c=0.22)(mesh, skeleton)`.

    Raises:
        UnknownName: there is none; the message says which there are.
        ConfigError: a setting that it has not, or a value that it does not take.
    """
    if name not in BASELINES:
        raise UnknownName("baseline", name, BASELINES, where="there are")
    try:
        return BASELINES[name](**settings)
    except TypeError as error:
        raise ConfigError(f"baseline {name!r}: {error}") from error


def inverse_distance(distances: Floats, exponent: float) -> Floats:
    """1 / d^e, rows normalised, nothing cut.

    >>> inverse_distance(np.array([[0.1, 0.2, 0.4]]), 4).round(6).tolist()
    [[0.937729, 0.058608, 0.003663]]
    """
    distances = np.maximum(distances, LEAST)
    # Against the nearest, so that no power of a tiny distance overflows.
    near = (distances.min(axis=1, keepdims=True) / distances) ** exponent
    shares: Floats = near / near.sum(axis=1, keepdims=True)
    return shares


def heat(mesh: Mesh, skeleton: Skeleton, c: float = 1.0) -> Floats:
    """What `Heat` cuts to four: (N, J), rows sum to 1. Vertices of no triangle follow their nearest bone.

    Raises:
        RigError: no triangle.
        ConfigError: robust_laplacian is not installed.
    """
    try:
        import robust_laplacian
    except ImportError as error:
        raise ConfigError(
            "the heat baseline needs robust_laplacian: pip install 'guerdon-rigging[baselines]'"
        ) from error
    from scipy.sparse import diags
    from scipy.sparse.linalg import splu

    solid = mesh.faces[(mesh.faces != np.roll(mesh.faces, 1, axis=1)).all(axis=1)]
    if not len(solid):
        raise RigError("heat: the mesh has no triangle, so it conducts nothing")
    weights = _closest(mesh, skeleton)
    used, faces = np.unique(solid, return_inverse=True)
    laplacian, masses = robust_laplacian.mesh_laplacian(mesh.vertices[used], faces.reshape(-1, 3))
    _, distances = nearest_joints(mesh.vertices[used], skeleton)
    # A vertex on a bone is held to it as if by 1e-6, and masses of slivers are no zeros.
    held = np.maximum(masses.diagonal(), 1e-12) * c / np.maximum(distances, LEAST) ** 2
    # A joint that no vertex is nearest to gets no heat anywhere.
    owning = np.flatnonzero(weights[used].any(axis=0))
    solved = splu((laplacian + diags(held)).tocsc()).solve(held[:, None] * weights[np.ix_(used, owning)])
    # Negative entries of the Laplacian's cotangents may leave a hair below 0.
    weights[np.ix_(used, owning)] = np.maximum(solved, 0.0)
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _closest(mesh: Mesh, skeleton: Skeleton) -> Floats:
    owners, _ = nearest_joints(mesh.vertices, skeleton)
    weights = np.zeros((len(owners), len(skeleton)))
    weights[np.arange(len(owners)), owners] = 1.0
    return weights


def _ring_mean(mesh: Mesh) -> Any:
    """(N, N), sparse: the mean over a vertex and those it shares an edge with."""
    from scipy.sparse import coo_matrix, diags, identity

    count, (a, b) = len(mesh.vertices), mesh.edges.T
    linked = coo_matrix((np.ones(2 * len(a)), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(count, count))
    summed = (linked + identity(count)).tocsr()
    return diags(1.0 / np.asarray(summed.sum(axis=1)).ravel()) @ summed
