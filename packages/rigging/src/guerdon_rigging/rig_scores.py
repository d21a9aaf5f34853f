r"""What rigs of one mesh are worth by their geometry alone, for many candidates at once; plain numpy.

Four scores of TokenRig, none of which needs a true rig, and four shares that its rewards lack. Positions are in the
frame [-1, 1]^3. G candidates, J joints each has its own of, N vertices, M occupied voxels, P poses.

| score | function | in |
|---|---|---|
| R_vj, joints near every voxel | `joint_coverage` | (0, 1] |
| R_vk, bones within the solid | `bone_containment` | [0, 1] |
| R_sc, each vertex bound, to at most four | `skin_sparsity` | [0, 1] |
| R_mo, edges that poses do not stretch | `deformation_smoothness` | (0, 1/(1+s)] |
| joints that own vertices | `Skin.owning` | (0, 1] |
| joints among which the weight is shared | `even_share` | [0, 1] |
| the shortest tree over the bones' length | `directness` | [0, 1] |
| weight on bones that are near | `near_share` | [0, 1] |

Source: the note on TokenRig that its sheet quotes; constants that are not given there are the sheet's choices.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from guerdon_rigging.bones import joint_distances
from guerdon_rigging.rigs import Floats, Ints, Mesh, RigError, Skeleton
from guerdon_rigging.skinning import posed
from guerdon_rigging.voxels import Voxels, solid_voxels

Bools = npt.NDArray[np.bool_]
PER_VOXEL = 0.05
"""a of R_vj, by voxel of the paper's grid of 196."""
PER_UNIT = PER_VOXEL * 196 / 2
"""a in the frame [-1, 1]^3: 4.9."""
STEPS = 10
"""s of R_vk: a bone has s + 1 points."""
BOUND = 0.1
"""b of R_sc: what a weight is above to count."""
MOST = 4
"""Weights above b that a vertex may have."""
SLIVER = 1e-4
"""Edges shorter than this at rest are not looked at."""
WELD = 1e-5
"""Vertices nearer than this are one."""
WITNESSES = 1024
"""Vertices that `near_share` asks."""
_OVERFLOWING = np.errstate(over="ignore", invalid="ignore")
"""Files may put joints anywhere that a float can say. What overflows is far away: not covering, outside, not near, and
stretched without end."""
_BLOCK = 8
"""Voxels a side of the blocks that `joint_coverage` works by."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What is computed once for a mesh, whatever is scored on it.

    Raises:
        RigError: the mesh has no triangle, or no extent.
    """

    mesh: Mesh
    grid: int = 64
    """Voxels along the longest side; 196 in the paper."""

    @cached_property
    def solid(self) -> Voxels:
        """Surface and inside."""
        return solid_voxels(self.mesh, self.grid)

    @cached_property
    def blocks(self) -> tuple[tuple[Floats, Floats, Floats], ...]:
        """The occupied voxels' centres block by block, (3, m) each, with the two corners of their box."""
        return blocks_of(self.solid)

    @cached_property
    def edges(self) -> tuple[Ints, Floats]:
        """Those of the welded mesh, (E, 2), slivers left out; and their lengths at rest, (E,)."""
        return welded_edges(self.mesh)

    @cached_property
    def witnesses(self) -> Ints:
        """Vertices spread evenly over the list of them, at most `WITNESSES`."""
        count = len(self.mesh.vertices)
        return np.unique(np.linspace(0, count - 1, min(count, WITNESSES)).astype(np.int64))

    def make(self) -> Ground:
        """The same, with everything made, so that what is wrong with the mesh is found here."""
        if not np.isfinite(self.mesh.vertices).all():
            raise RigError("the mesh has a vertex that is not finite")
        _ = self.blocks, self.edges, self.witnesses
        return self


@dataclass(frozen=True, eq=False)
class Skin:
    """Weights with what is not 0 of them at hand, found once for all scores."""

    weights: Floats
    """(N, J)."""

    @cached_property
    def entries(self) -> tuple[Ints, Ints, Floats, Ints]:
        """Of what is not 0, row by row: rows, columns, values; and where each row starts (and the last ends)."""
        flat = self.weights.ravel()
        places = np.flatnonzero(flat != 0)  # of booleans, which is several times as fast as of numbers
        count, width = self.weights.shape
        rows = places // width
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
        return rows, places - rows * width, flat[places], starts

    def owning(self, bound: float = BOUND) -> Bools:
        """(J,): which joints own a vertex, by a weight above `bound`."""
        _, columns, values, _ = self.entries
        found = np.zeros(self.weights.shape[1], bool)
        found[columns[values > bound]] = True
        return found


def blocks_of(solid: Voxels) -> tuple[tuple[Floats, Floats, Floats], ...]:
    """See `Ground.blocks`."""
    if not len(solid.indices):
        return ()
    shape = np.array(solid.filled.shape) // _BLOCK + 1
    number = np.ravel_multi_index(tuple((solid.indices // _BLOCK).T), tuple(shape))
    order = np.argsort(number, kind="stable")
    cuts = np.flatnonzero(np.diff(number[order])) + 1
    parts = np.split(solid.centres[order], cuts)
    return tuple((np.ascontiguousarray(part.T), part.min(axis=0), part.max(axis=0)) for part in parts)


def welded_edges(mesh: Mesh, weld: float = WELD, sliver: float = SLIVER) -> tuple[Ints, Floats]:
    """Edges of a mesh whose coinciding vertices are one: hard edges are split in files, and would never stretch.

    Each stands for the first two vertices of their places; those of other splits are the same edge.
    """
    if not len(mesh.faces):
        return np.zeros((0, 2), np.int64), np.zeros(0)
    places = np.round(mesh.vertices / weld).astype(np.int64)
    count = len(places)
    if abs(places).max() < 1 << 20:  # one number a place, which sorts several times as fast as three
        key = ((places[:, 0] + (1 << 20)) << 42) + ((places[:, 1] + (1 << 20)) << 21) + places[:, 2] + (1 << 20)
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
    else:
        _, first, place = np.unique(places, axis=0, return_index=True, return_inverse=True)
    corners = first[place.ravel()][mesh.faces]
    sides = np.sort(corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges = np.stack(np.divmod(np.unique(sides[:, 0] * count + sides[:, 1]), count), axis=1)
    lengths = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    long = lengths >= sliver
    return edges[long], lengths[long]


@_OVERFLOWING
def joint_coverage(
    blocks: Sequence[tuple[Floats, Floats, Floats]], joints: Sequence[Floats], a: float = PER_UNIT
) -> Floats:
    r"""R_vj = (1/M) sum over occupied voxels v of exp(-a min_j |v - P_j|), exact, (G,).

    Voxels are taken in blocks; of each block only those joints are looked at that can be the nearest of one of its
    voxels: whose distance from the block's box is not above the least that any joint's farthest point of it has.

    Args:
        blocks: of the occupied voxels, see `Ground.blocks`.
        joints: (J, 3) of each candidate, at least one.
        a: per unit of length.

    Raises:
        RigError: there is no occupied voxel.
    """
    if not blocks:
        raise RigError("no voxel of the mesh is occupied, so that nothing can be covered")
    starts = np.cumsum([0, *map(len, joints)])
    every = np.concatenate(list(joints))
    sums, count = np.zeros(len(joints)), 0
    for centres, low, high in blocks:
        below, above = low - every, every - high
        nearest = (np.maximum(np.maximum(below, above), 0) ** 2).sum(axis=1)
        farthest = (np.maximum(np.abs(below), np.abs(above)) ** 2).sum(axis=1)
        # |x - P| is at most max(|low - P|, |high - P|) along each axis; the two above are those up to their signs.
        least = np.minimum.reduceat(farthest, starts[:-1])
        near = np.flatnonzero(nearest <= np.repeat(least, np.diff(starts)) * (1 + 1e-12))
        firsts = np.searchsorted(near, starts[:-1])
        chosen = every[near]
        squares = (chosen[:, 0, None] - centres[0]) ** 2
        squares += (chosen[:, 1, None] - centres[1]) ** 2
        squares += (chosen[:, 2, None] - centres[2]) ** 2
        best = np.minimum.reduceat(squares, firsts, axis=0)
        sums += np.exp(-a * np.sqrt(best)).sum(axis=1)
        count += centres.shape[1]
    found: Floats = sums / count
    return found


@_OVERFLOWING
def bone_containment(
    solid: Voxels, skeletons: Sequence[Skeleton], steps: int = STEPS, counted: Sequence[Floats] | None = None
) -> Floats:
    """R_vk: the share of points on the bones that lie in occupied voxels, (G,).

    A bone has `steps` + 1 points, from parent to child, both among them. The root is none; a candidate without a bone
    has 0.

    Args:
        solid: surface and inside.
        skeletons: the candidates.
        steps: s.
        counted: (J,) of each candidate, what a joint's bone counts for where it is inside; None: 1 each.
    """
    shares = np.arange(steps + 1) / steps
    points, found = [], np.zeros(len(skeletons))
    for skeleton in skeletons:
        ends, starts = skeleton.joints[1:], skeleton.joints[skeleton.parents[1:]]
        points.append(starts[:, None] + shares[:, None] * (ends - starts)[:, None])
    bones = np.cumsum([0, *map(len, points)])
    inside = solid.contains(np.concatenate(points)).mean(axis=1) if bones[-1] else np.zeros(0)
    for place, (start, stop) in enumerate(itertools.pairwise(bones)):
        if stop > start:
            mine = inside[start:stop]
            found[place] = (mine if counted is None else mine * counted[place][1:]).mean()
    return found


def skin_sparsity(
    skins: Sequence[Skin], bound: float = BOUND, zero_power: float = 0.5, many_power: float = 0.5
) -> Floats:
    """R_sc = 1 - Rz / 2 - Rm / 2, (G,): Rz = (share of vertices whose weights are all < b)^zero_power, Rm = (share of
    vertices with more than four weights > b)^many_power.

    Args:
        skins: the candidates'.
        bound: b, above 0.
        zero_power: az; below 1 small faults already cost.
        many_power: am.
    """
    unbound, many = np.zeros(len(skins)), np.zeros(len(skins))
    for place, skin in enumerate(skins):
        rows, _, values, _ = skin.entries
        count = len(skin.weights)
        held = np.zeros(count, bool)
        held[rows[values >= bound]] = True
        unbound[place] = 1 - held.mean()
        many[place] = (np.bincount(rows[values > bound], minlength=count) > MOST).mean()
    found: Floats = 1 - unbound**zero_power / 2 - many**many_power / 2
    return found


def pose_turns(joints: int, poses: int = 5, degrees: float = 30.0, seed: int = 0) -> Floats:
    """Axis-angle vectors (radians), (P, J, 3), components uniform within +-`degrees`.

    Joint j turns by the same in every candidate of a group, however many joints that has: the draws are by joint.
    """
    limit = np.radians(degrees)
    drawn = np.random.default_rng(seed).uniform(-limit, limit, (joints, poses, 3))
    return np.moveaxis(drawn, 0, 1)


@_OVERFLOWING
def deformation_smoothness(
    vertices: Floats,
    edges: tuple[Ints, Floats],
    skeletons: Sequence[Skeleton],
    skins: Sequence[Skin],
    turns: Floats,
    scale: float = 1.0,
) -> Floats:
    r"""R_mo = 1 / (1 + s mean over poses of max over edges e of max(1, |LBS(e)| / (|e| + 1e-6))), (G,).

    Edges whose ends have the same weights are left out: a mixture of rotations does not lengthen anything.

    Args:
        vertices: (N, 3) at rest.
        edges: (E, 2) and their lengths at rest, (E,).
        skeletons: the candidates'.
        skins: theirs; rows sum to 1, or to 0 where a vertex stays where it is.
        turns: (P, J', 3), axis-angle vectors of the first J' joints; J' is at least the largest J.
        scale: s.
    """
    found = np.zeros(len(skeletons))
    for place, (skeleton, skin) in enumerate(zip(skeletons, skins, strict=True)):
        transforms = posed(skeleton, turns[:, : len(skeleton)])
        found[place] = 1 / (1 + scale * largest_stretches(vertices, edges, skin, transforms).mean())
    return found


@_OVERFLOWING
def largest_stretches(vertices: Floats, edges: tuple[Ints, Floats], skin: Skin, transforms: Floats) -> Floats:
    """Of each pose, (P,): the largest max(1, |LBS(e)| / (|e| + 1e-6)); 1 without edges, inf where it overflows.

    Args:
        vertices: (N, 3).
        edges: (E, 2) and their lengths at rest.
        skin: of N vertices.
        transforms: (P, J, 3, 4), what each joint does to the points bound to it.
    """
    pairs, rest = edges
    poses, joints = transforms.shape[:2]
    rows, columns, values, starts = skin.entries
    # One number for each row: those of equal rows are equal.
    drawn: Floats = np.random.default_rng(0).uniform(1, 2, (int(joints),))
    print_of = np.bincount(rows, values * drawn[columns], minlength=len(vertices))
    first, second = pairs[:, 0], pairs[:, 1]
    active = np.flatnonzero(print_of[first] != print_of[second])
    if not len(active):
        return np.ones(poses)
    first, second = first[active], second[active]
    inverse_squares = 1 / (rest[active] + 1e-6) ** 2
    table: Any = sparse.csr_matrix((values, columns, starts), shape=(len(vertices), joints))
    counts: Ints = np.diff(starts)
    if 4 * len(active) < len(pairs):  # few vertices are worth posing
        named, first, second = _compact(len(vertices), first, second)
        table, counts = table[named], counts[named]
        vertices = vertices[named]
    free = np.flatnonzero(counts == 0)
    # What follows no joint stays. Pose by pose and axis by axis, so that what is worked on stays in the cache.
    at = np.ascontiguousarray(vertices.T)
    found = np.ones(poses)
    for pose, transform in enumerate(transforms):
        blended = table @ transform.reshape(joints, 12)
        squares = np.zeros(len(active))
        for axis in range(3):
            part = blended[:, 4 * axis : 4 * axis + 4]
            moved = part[:, 0] * at[0] + part[:, 1] * at[1] + part[:, 2] * at[2] + part[:, 3]
            moved[free] = at[axis, free]
            apart = moved[first]
            apart -= moved[second]
            apart *= apart
            squares += apart
        squares *= inverse_squares
        largest = float(squares.max())  # NaN, which compares with nothing, where a difference of infinities is in it
        found[pose] = np.inf if np.isnan(largest) else max(1.0, largest**0.5)
    return found


def _compact(count: int, first: Ints, second: Ints) -> tuple[Ints, Ints, Ints]:
    """Which of `count` vertices the two name, and the two by their places among those."""
    named = np.zeros(count, bool)
    named[first] = True
    named[second] = True
    place = np.cumsum(named) - 1
    return np.flatnonzero(named), place[first], place[second]


def even_share(skin: Skin) -> float:
    """How many joints the weight is shared among, over J: exp(entropy of the joints' shares of all weight) / J.

    1 where all joints have as much; 1/J where one has all; 0 where nothing is bound. Owning one vertex by a little more
    than `BOUND` is cheap, and this does not count it: [choice].

    >>> even_share(Skin(np.array([[1.0, 0.0], [0.0, 1.0]]))), even_share(Skin(np.array([[1.0, 0.0], [1.0, 0.0]])))
    (1.0, 0.5)
    """
    _, columns, values, _ = skin.entries
    sums = np.bincount(columns, values, minlength=skin.weights.shape[1])
    total = sums.sum()
    if not total > 0:
        return 0.0
    shares = sums[sums > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()) / len(sums))


@_OVERFLOWING
def directness(skeleton: Skeleton) -> float:
    """The length of the shortest tree that joins all joints, over that of the bones; 1 where the bones have no length.

    A bone that passes by other joints on its way is longer than need be, and all of a star's do: its root is near
    everywhere. Artists' skeletons have 0.49 at least, 0.77 in the median: [choice].

    >>> directness(Skeleton(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([-1, 0, 0])))
    0.6666666666666666
    """
    joints = skeleton.joints
    length = float(np.linalg.norm(joints[1:] - joints[skeleton.parents[1:]], axis=1).sum())
    if length == 0:
        return 1.0
    # Prim's, from the root on: the squared distance of each joint that is left to the tree, inf once it is in it.
    squares, at, tree = np.full(len(joints), np.inf), 0, 0.0
    left = np.ones(len(joints), bool)
    for _ in range(len(joints) - 1):
        left[at] = False
        squares = np.where(left, np.minimum(squares, ((joints - joints[at]) ** 2).sum(axis=1)), np.inf)
        at = int(squares.argmin())
        tree += float(squares[at]) ** 0.5
    found = tree / length
    return min(1.0, found) if found == found else 0.0  # NaN, where both overflow


@_OVERFLOWING
def near_share(
    points: Floats,
    skeleton: Skeleton,
    weights: Floats,
    factor: float = 2.0,
    margin: float = 0.1,
    most: float = 1.0,
) -> float:
    """How much of the points' weight is on bones that are near: at most `factor` times as far as the nearest one, and
    `margin` more; and never further than `most`.

    Artists bind a vertex to the bones around it; a skin that is bound to one bone, or whose bones are swapped, does
    not. Not of the paper: [choice].

    Args:
        points: (K, 3), of the mesh's vertices.
        skeleton: J joints.
        weights: (K, J) there; a point that follows no joint adds 0.
        factor: see above.
        margin: in units of the frame.
        most: in units of the frame, of which a mesh's longest side has 2: where all bones are far, none is near.
    """
    distances = joint_distances(points, skeleton)
    near = distances <= np.minimum(factor * distances.min(axis=1, keepdims=True) + margin, most)
    return float((weights * near).sum() / max(len(points), 1))
