"""Skeletons without anatomy: joints spread evenly over what is inside, joined by their shortest tree.

With a skin by distances they are a rig as far as geometry tells, and earn more than most artists' (the package's
README): an attack, and what a policy's skeletons have to be better than.
"""

from __future__ import annotations

import numpy as np

from guerdon_rigging.rigs import ROOT, Floats, Skeleton

ROUNDS, POINTS = 12, 6000
"""Of k-means, and how many points it looks at."""


def spread(points: Floats, count: int, draw: np.random.Generator) -> Floats:
    """(K, 3): the middles of k-means over some of the points, each moved to its nearest one.

    K is `count`, or as many as there are points.

    Args:
        points: (C, 3), at least one.
        count: at least 1.
        draw: which points begin, and which are looked at of more than `POINTS`.
    """
    points = draw.permutation(points)[:POINTS]
    middles = points[:count].copy()
    for _ in range(ROUNDS):
        nearest = ((points[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)
        for one in np.unique(nearest):
            middles[one] = points[nearest == one].mean(axis=0)
    found: Floats = points[((points[:, None] - middles) ** 2).sum(axis=2).argmin(axis=0)]
    return found


def middlemost(joints: Floats) -> int:
    """The joint that is nearest to the mean of all."""
    return int(np.linalg.norm(joints - joints.mean(axis=0), axis=1).argmin())


def shortest_tree(joints: Floats, root: int = 0) -> tuple[Skeleton, list[int]]:
    """The tree of least length that joins them, grown from the root (Prim), and which joint each of its joints was.

    >>> tree, order = shortest_tree(np.array([[0.0, 0, 0], [3, 0, 0], [1, 0, 0]]), root=1)
    >>> tree.parents.tolist(), order
    ([-1, 0, 1], [1, 2, 0])
    """
    order, parents = [root], [ROOT]
    nearest, squares = np.zeros(len(joints), np.int64), np.full(len(joints), np.inf)
    left = np.ones(len(joints), bool)
    for grown in range(len(joints) - 1):
        left[order[-1]] = False
        mine = ((joints - joints[order[-1]]) ** 2).sum(axis=1)
        nearest[mine < squares] = grown
        squares = np.where(left, np.minimum(mine, squares), np.inf)
        order.append(int(squares.argmin()))
        parents.append(int(nearest[order[-1]]))
    return Skeleton(joints[order], np.array(parents)), order
