"""The bones of a skeleton as line segments, their distances from points, and points on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from guerdon_rigging.rigs import Floats, Ints, Skeleton

CHUNK = 1 << 16
"""Point-segment pairs worked on at once: their intermediate arrays stay in a core's cache, whatever N is."""


@dataclass(frozen=True, eq=False)
class Bones:
    """B segments, at least one of each joint; in the order of their owners."""

    starts: Floats
    """(B, 3)."""
    ends: Floats
    """(B, 3); equal to the start where a bone is a point."""
    owners: Ints
    """(B,): the joint that moves each."""

    def __len__(self) -> int:
        return len(self.owners)


def bones(skeleton: Skeleton) -> Bones:
    """The bones that each joint moves.

    From a joint to each of its children; that of a leaf goes on by half the vector from its parent (released code:
    half), and that of a lone root is a point [choice].
    """
    joints, parents = skeleton.joints, skeleton.parents
    inner = parents[1:]
    leaves = np.setdiff1d(np.arange(len(joints)), inner)
    before = np.where(parents[leaves] >= 0, parents[leaves], leaves)
    tips = joints[leaves] + 0.5 * (joints[leaves] - joints[before])
    owners = np.concatenate([inner, leaves])
    ends = np.concatenate([joints[1:], tips])
    order = np.argsort(owners, kind="stable")
    return Bones(joints[owners[order]], ends[order], owners[order])


def segment_distances(points: Floats, starts: Floats, ends: Floats) -> Floats:
    """The distance of each point to each segment, (N, B): |x - a - t (b - a)|, t = clip((x - a).(b - a) / |b - a|^2).

    A segment of length 0 is a point (t = 0).

    Args:
        points: (N, 3).
        starts: (B, 3), a.
        ends: (B, 3), b.

    >>> segment_distances(np.array([[1.0, 1, 0]]), np.array([[0.0, 0, 0]]), np.array([[2.0, 0, 0]])).tolist()
    [[1.0]]
    """
    found = np.empty((len(points), len(starts)))
    for rows in _chunks(len(points), len(starts)):
        np.sqrt(_squares(points[rows], starts, ends), out=found[rows])
    return found


def joint_distances(points: Floats, skeleton: Skeleton) -> Floats:
    """The distance of each point to the nearest bone of each joint, (N, J)."""
    own = bones(skeleton)
    firsts = np.searchsorted(own.owners, np.arange(len(skeleton)))
    found = np.empty((len(points), len(skeleton)))
    for rows in _chunks(len(points), len(own)):
        squares = _squares(points[rows], own.starts, own.ends)
        np.sqrt(np.minimum.reduceat(squares, firsts, axis=1), out=found[rows])
    return found


def nearest_joints(points: Floats, skeleton: Skeleton) -> tuple[Ints, Floats]:
    """The joint whose bone is nearest to each point, and how far that is: (N,), (N,).

    Bones meet at joints, so ties are common: the joint that comes first, the parent, has them. No matrix of N x B is
    ever held, so millions of points are no matter.
    """
    own = bones(skeleton)
    owners, found = np.empty(len(points), np.int64), np.empty(len(points))
    for rows in _chunks(len(points), len(own)):
        squares = _squares(points[rows], own.starts, own.ends)
        nearest = squares.argmin(axis=1)
        owners[rows] = own.owners[nearest]
        found[rows] = np.sqrt(squares[np.arange(len(nearest)), nearest])
    return owners, found


def bone_points(skeleton: Skeleton, convention: Literal["unirig", "rignet"] = "unirig", span: float = 2.0) -> Floats:
    """Points on the bones that lead from each joint to its parent, (P, 3); leaves are not extruded.

    Args:
        skeleton: one of a single joint has no bone, and gives its joint [choice].
        convention: "unirig": 100 a bone, at i/100 from the child (which is one of them) to the parent (which is not);
            "rignet", also Puppeteer's: round(length / 0.005) + 1 a bone in a unit cube, both ends among them.
        span: the longest side of the frame, 2 for [-1, 1]; "rignet" measures lengths as shares of it.

    Source: UniRig's and Puppeteer's released evaluation.
    """
    children, parents = skeleton.joints[1:], skeleton.joints[skeleton.parents[1:]]
    if not len(children):
        return skeleton.joints.copy()
    if convention == "unirig":
        steps = np.arange(100) / 100
        return (children[:, None] + steps[:, None] * (parents - children)[:, None]).reshape(-1, 3)
    lengths = np.linalg.norm(children - parents, axis=1) / span
    intervals = np.round(lengths / 0.005).astype(np.int64)
    owner = np.repeat(np.arange(len(children)), intervals + 1)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(intervals + 1) - intervals - 1, intervals + 1)
    share = place / np.maximum(intervals[owner], 1)
    placed: Floats = parents[owner] + share[:, None] * (children - parents)[owner]
    return placed


def _chunks(count: int, width: int) -> list[slice]:
    step = max(CHUNK // max(width, 1), 1)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _squares(points: Floats, starts: Floats, ends: Floats) -> Floats:
    """Squared distances, axis by axis: differences first, so that a point on a bone is at 0 and not at 1e-8."""
    along = ends - starts
    lengths = (along**2).sum(axis=1)
    scaled = along / np.where(lengths > 0, lengths, 1.0)[:, None]
    apart = [points[:, axis, None] - starts[:, axis] for axis in range(3)]
    share = apart[0] * scaled[:, 0]
    for axis in (1, 2):
        share += apart[axis] * scaled[:, axis]
    np.clip(share, 0.0, 1.0, out=share)
    total = np.zeros_like(share)
    for axis in range(3):
        apart[axis] -= share * along[:, axis]
        apart[axis] *= apart[axis]
        total += apart[axis]
    return total
