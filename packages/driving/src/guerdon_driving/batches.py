"""`Batch`: plans of several scenes end to end, so that each term is found in all of them at once.

Axes: S scenes, B trajectories of all of them, A others of all of them, T poses, L = T and the look ahead.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guerdon_driving.at_fault import overlaps_at_start
from guerdon_driving.encounters import Pairs
from guerdon_driving.motions import Motion, end_to_end, joined
from guerdon_driving.plans import Plans
from guerdon_driving.polygons import Road, road_of

MOST_POSES = 65_536
"""Of one batch, which bounds memory; a scene is not split."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What terms are computed of."""

    plans: tuple[Plans, ...]
    """S of them, all of T poses."""
    motion: Motion
    """B rows, scene after scene; the last of each scene's is the path that was driven."""
    scene: np.ndarray
    """(B,), ascending: the place of each row's scene."""
    size: np.ndarray
    """(S, 2): the ego boxes'."""
    others: np.ndarray
    """(A, L, 3)."""
    sizes: np.ndarray
    """(A, 2)."""
    speeds: np.ndarray
    """(A, L)."""
    agents: np.ndarray
    """(A,) bool."""
    at_start: np.ndarray
    """(A,) bool: which overlap the ego box now."""
    pairs: Pairs
    roads: tuple[Road, ...]
    """S of them."""
    lines: tuple[np.ndarray, ...]
    """(M, 2) of each scene, M as it comes: along which progress is measured."""

    @classmethod
    def of(cls, plans: Sequence[Plans]) -> Batch:
        """Lay them end to end."""
        worlds, scenes = [each.replay for each in plans], [each.scene for each in plans]
        rows, objects = [len(each.motion) for each in plans], [len(each.sizes) for each in scenes]
        size = np.array([each.ego_size for each in scenes], dtype=np.float64)
        others, sizes = end_to_end([each.others for each in worlds]), end_to_end([each.sizes for each in scenes])
        return cls(
            tuple(plans),
            joined([each.motion for each in plans]),
            np.repeat(np.arange(len(plans)), rows),
            size,
            others,
            sizes,
            end_to_end([each.speeds for each in worlds]),
            end_to_end([each.agents for each in worlds]),
            overlaps_at_start(np.repeat(size, objects, axis=0), others, sizes),
            Pairs.of(rows, objects),
            tuple(road_of(each) for each in scenes),
            tuple(each.line for each in worlds),
        )

    def rows(self) -> list[slice]:
        """Where each scene's rows are."""
        ends = np.cumsum([0, *(len(each.motion) for each in self.plans)]).tolist()
        return [slice(begin, end) for begin, end in itertools.pairwise(ends)]


def alike(motions: Sequence[Motion]) -> list[list[int]]:
    """The places of motions that can be judged together: of one length, and of `MOST_POSES` poses at most or one alone.

    >>> short, long = (Motion(np.zeros((1, n, 3)), np.zeros((1, n)), np.zeros((1, n, 2))) for n in (5, 7))
    >>> alike([short, long, short])
    [[0, 2], [1]]
    """
    found: list[list[int]] = []
    opened: dict[int, tuple[list[int], int]] = {}
    for place, motion in enumerate(motions):
        count, length = motion.speed.shape
        some, poses = opened.get(length, ([], 0))
        if not some or poses + count * length > MOST_POSES:
            some, poses = [], 0
            found.append(some)
        some.append(place)
        opened[length] = some, poses + count * length
    return found
