"""The frame that models see a mesh in: its box centred, its longest side from -1 to 1; and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon_rigging.rigs import Floats, Mesh, RigError, Skeleton


@dataclass(frozen=True, eq=False)
class Frame:
    """Where a normalised mesh was: x = (original - centre) / half."""

    centre: Floats
    """(3,)."""
    half: float
    """Of the longest side of its box."""

    def into(self, points: Floats) -> Floats:
        """Original points, (..., 3), in the frame."""
        return (points - self.centre) / self.half

    def back(self, points: Floats) -> Floats:
        """Points of the frame, (..., 3), where they were."""
        return points * self.half + self.centre

    def mesh(self, mesh: Mesh) -> Mesh:
        """An original mesh in the frame."""
        return Mesh(self.into(mesh.vertices), mesh.faces)

    def skeleton(self, skeleton: Skeleton) -> Skeleton:
        """An original skeleton in the frame."""
        return Skeleton(self.into(skeleton.joints), skeleton.parents, skeleton.names)

    def skeleton_back(self, skeleton: Skeleton) -> Skeleton:
        """A skeleton of the frame where it was."""
        return Skeleton(self.back(skeleton.joints), skeleton.parents, skeleton.names)


def frame(points: Floats) -> Frame:
    """The frame in which the longest side of the points' box is 2 and its centre the origin.

    The box (0,0,0)-(4,2,1) becomes (-1,-.5,-.25)-(1,.5,.25).

    Args:
        points: (N, 3).

    Raises:
        RigError: no points, or all in one place, or so far apart that there is no telling how far.
    """
    if not len(points):
        raise RigError("there are no points to normalise")
    low, high = points.min(axis=0), points.max(axis=0)
    with np.errstate(over="ignore"):
        longest = float((high - low).max())
    if not 1e-30 < longest < 1e30:
        raise RigError(f"the longest side of the points' box is {longest!r}; it cannot be scaled to [-1, 1]")
    return Frame(low / 2 + high / 2, longest / 2)
