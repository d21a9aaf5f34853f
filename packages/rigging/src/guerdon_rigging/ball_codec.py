"""A skin codec without learning and without torch: each bone's column of weights as one soft ball on the mesh.

A stand-in for SkinTokens' codec wherever the language, the rewards or a policy's plumbing is what is looked at: two
codes a bone, exact to say what they mean, and coarse. It is no model of skins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from guerdon.fields import whole_number
from guerdon_rigging.rigs import Floats, Ints, Mesh, Rig
from guerdon_rigging.sampling import farthest_points


@dataclass(frozen=True, eq=False)
class Centres:
    """Where balls may stand on a mesh."""

    squares: Floats
    """(N, C): squared distance of each vertex to each centre."""


@dataclass(frozen=True)
class BallCodec:
    """The first code of a bone is a centre, the second a radius: weight = exp(-d^2 / (2 r^2)), 0 below 0.05.

    Centres are vertices far apart, always the same for a mesh; a mesh with fewer vertices repeats its last one. Radii
    grow geometrically from 0.02 to 1.
    """

    codes: int = 64
    """Centres, and radii."""
    length: int = 2

    def __post_init__(self) -> None:
        whole_number("codes", self.codes, 2, 4096)
        whole_number("length", self.length, 2, 2)

    @property
    def radii(self) -> Floats:
        """(C,)."""
        return np.geomspace(0.02, 1.0, self.codes)

    def condition(self, mesh: Mesh) -> Centres:
        """Distances to the centres."""
        count = min(self.codes, len(mesh.vertices))
        chosen = farthest_points(mesh.vertices, count)
        chosen = np.concatenate([chosen, np.repeat(chosen[-1:], self.codes - count)])
        return Centres(cdist(mesh.vertices, mesh.vertices[chosen], "sqeuclidean"))

    def encode(self, rig: Rig) -> Ints:
        """(J, 2): the centre nearest to the middle of the bone's weight, and the radius with the least squared error.

        A bone without weight has the smallest ball there is, at the centre nearest to its joint.
        """
        at = self.condition(rig.mesh)
        chosen = farthest_points(rig.mesh.vertices, min(self.codes, len(rig.mesh.vertices)))
        mass = rig.weights.sum(axis=0)
        middles = (rig.weights.T @ rig.mesh.vertices) / np.maximum(mass, 1e-12)[:, None]
        middles = np.where(mass[:, None] > 0, middles, rig.skeleton.joints)
        centres = cdist(middles, rig.mesh.vertices[chosen], "sqeuclidean").argmin(axis=1)
        shapes = 2 * self.radii**2
        radii = np.zeros(len(centres), np.int64)
        for joint, centre in enumerate(centres):
            balls = _balls(at.squares[:, centre, None], shapes)
            radii[joint] = ((balls - rig.weights[:, joint, None]) ** 2).sum(axis=0).argmin()
        return np.stack([centres.astype(np.int64), radii], axis=1)

    def decode(self, condition: Centres, codes: Ints) -> Floats:
        """See `SkinCodec.decode`.

        Raises:
            ValueError: a code outside [0, C).
        """
        if codes.size and not 0 <= codes.min() <= codes.max() < self.codes:
            raise ValueError(f"codes run from {codes.min()} to {codes.max()}; accepted are 0 to {self.codes - 1}")
        return _balls(condition.squares[:, codes[:, 0]], 2 * self.radii[codes[:, 1]] ** 2)

    def decode_all(self, condition: Centres, codes: Sequence[Ints]) -> list[Floats]:
        """See `SkinCodec.decode_all`."""
        return [self.decode(condition, each) for each in codes]


def _balls(squares: Floats, shapes: Floats) -> Floats:
    found = np.exp(-squares / shapes)
    return np.where(found < 0.05, 0.0, found)
