"""How near one skeleton is to another: joints to joints, joints to bones, bones to bones.

Each is a mean of nearest distances both ways, as a share of the frame's side: `span` is 2 for [-1, 1]^3. Tables show
them times 100. Sources: UniRig's released evaluation; RigNet's and Puppeteer's points on bones by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guerdon_rigging.bones import bone_points
from guerdon_rigging.rigs import Floats, RigError, Skeleton

Convention = Literal["unirig", "rignet"]


@dataclass(frozen=True)
class SkeletonDistances:
    """Shares of the frame's side, 0 where the two are one; a hundred times this is what tables show."""

    j2j: float
    j2b: float
    b2b: float


def skeleton_distances(
    one: Skeleton, other: Skeleton, convention: Convention = "unirig", span: float = 2.0
) -> SkeletonDistances:
    """J2J, J2B and B2B of two skeletons.

    J2B is the joints of each against the points on the bones of the other. UniRig's points leave the parent's end out,
    so that J2B of a skeleton against itself is not quite 0: its root is a hundredth of a bone away.

    Args:
        one: of any number of joints.
        other: likewise; the order of the two is no matter.
        convention: which points are taken on bones: `guerdon_rigging.bones.bone_points`.
        span: the frame's side.
    """
    bones = [bone_points(skeleton, convention, span) for skeleton in (one, other)]
    return SkeletonDistances(
        j2j=chamfer(one.joints, other.joints) / span,
        j2b=(nearest_mean(one.joints, bones[1]) + nearest_mean(other.joints, bones[0])) / 2 / span,
        b2b=chamfer(*bones) / span,
    )


def chamfer(one: Floats, other: Floats) -> float:
    """(mean_a min_b |a - b| + mean_b min_a |a - b|) / 2, of points (A, 3) and (B, 3)."""
    return (nearest_mean(one, other) + nearest_mean(other, one)) / 2


def nearest_mean(points: Floats, others: Floats) -> float:
    """mean_a min_b |a - b|, of points (A, 3) and others (B, 3).

    Raises:
        RigError: either is empty.
    """
    from scipy.spatial import cKDTree

    if not len(points) or not len(others):
        raise RigError(f"nearest_mean: {len(points)} points against {len(others)}; there is no nearest of none")
    return float(cKDTree(others).query(points)[0].mean())
