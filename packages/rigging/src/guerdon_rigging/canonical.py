"""The canonical rig of a file: its rest pose, welded, normalised, with one tree of the joints that matter.

Files differ in where they keep a pose, in units, and in what hangs on what. What is read here is always the rest pose:
vertices by the file's own node transforms, joints where their nodes are. Then rows of weights sum to 1, vertices that
hard edges and seams store several times are one, and the longest side of the mesh's box is 2, its centre the origin.
What was mended on the way stands in a `Report`; nothing is left out without a word.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from guerdon.counting import counting
from guerdon.fields import one_of
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.frames import Frame, frame
from guerdon_rigging.gltf_skins import StoredRig, read_stored
from guerdon_rigging.rigs import ROOT, Floats, Ints, Mesh, Rig, RigError, Skeleton

WELD = 1e-5
"""Vertices nearer than this are one, in the frame of `frames.frame`."""
OWNED = 1e-6
"""A joint owns a vertex from this weight on."""
MOST_WEIGHTS = 200_000_000
"""Vertices times joints of a rig: its matrix of weights then has 1.6 GB."""

Kept = Literal["used", "all"]
"""Which joints: those that own vertices or lead to some that do, or all that the skins name."""


@dataclass(frozen=True)
class Report:
    """What was mended on the way to a canonical rig, and what was left out."""

    stored: int
    """Vertices of skinned meshes in the file."""
    welded: int = 0
    """Vertices that another one stands for."""
    welded_apart: int = 0
    """Those of them whose weights differ from their stand-in's by more than 0.001 somewhere; the mean was taken."""
    unused: int = 0
    """Vertices of no triangle, left out."""
    degenerate: int = 0
    """Triangles of no area, left out."""
    unnormalised: int = 0
    """Stored rows of weights whose sum is further than 0.001 from 1, zero aside."""
    unweighted: int = 0
    """Vertices that follow no joint, after welding."""
    mended: int = 0
    """Weights below 0 or not finite, taken as 0."""
    dropped_joints: tuple[str, ...] = ()
    """Joints that own nothing and lead to nothing, left out."""
    roots: tuple[str, ...] = ()
    """Joined under one new root, where there were several."""
    unskinned: tuple[tuple[str, int], ...] = ()
    """Meshes that follow no joint, left out, with their vertices."""
    notes: tuple[str, ...] = ()
    """What else the file holds and was not read."""

    def lines(self) -> list[str]:
        """What there is to say, a line each; none where the file was in order."""
        stored, dropped = f"of {self.stored:,} stored vertices", len(self.dropped_joints)
        counts = (
            (self.welded, f"{stored} was welded to another", f"{stored} were welded to others"),
            (
                self.welded_apart,
                "welded vertex had other weights; the mean was taken",
                "welded vertices had other weights; the mean was taken",
            ),
            (self.unused, "vertex of no triangle was left out", "vertices of no triangle were left out"),
            (self.degenerate, "triangle of no area was left out", "triangles of no area were left out"),
            (
                self.unnormalised,
                "row of weights did not sum to 1 and was normalised",
                "rows of weights did not sum to 1 and were normalised",
            ),
            (self.unweighted, "vertex follows no joint", "vertices follow no joint"),
            (
                self.mended,
                "weight was negative or not finite and is taken as 0",
                "weights were negative or not finite and are taken as 0",
            ),
            (dropped, "joint that moves nothing was left out", "joints that move nothing were left out"),
            (len(self.roots), "root was put under a new one", "roots were joined under a new one"),
        )
        hung = (
            f"{name} ({counting(count, 'vertex', 'vertices')}) follows no joint and was left out"
            for name, count in self.unskinned
        )
        return [*(counting(*told) for told in counts if told[0]), *hung, *self.notes]


@dataclass(frozen=True, eq=False)
class Canonical:
    """A canonical rig, and the way back to the file."""

    rig: Rig
    frame: Frame
    places: Ints
    """(stored vertices,): the rig's vertex that stands for each, in the order of the skinned parts; -1 if left out."""
    joint_nodes: Ints
    """(J,): the file's node of each joint, -1 for a root that was added."""
    report: Report


def read_rig(path: Path | str) -> Rig:
    """The canonical rig of a .glb or .gltf.

    Raises:
        RigFileError: the file is broken, holds what is not read, or no skinned mesh.
    """
    return canonical(read_stored(path)).rig


def canonical(stored: StoredRig, joints: Kept = "used") -> Canonical:
    """A file's skinned meshes as one rig.

    Raises:
        RigFileError: no mesh follows joints, or the mesh has no triangle, no extent, or too many weights.
    """
    one_of("canonical.joints", joints, ("used", "all"))
    parts, file = stored.skinned, stored.file
    if not parts:
        raise RigFileError(
            file, "", "no mesh in it follows joints", "a rig has a mesh with a skin; `read_mesh` takes it"
        )
    points, faces, first = [], [], 0
    for part in parts:
        points.append(part.rest)
        faces.append(part.faces + first)
        first += len(part.vertices)
    raw = sparse.vstack([part.weights for part in parts]).tocsr()
    sums = np.asarray(raw.sum(axis=1)).ravel()
    shares = sparse.diags(1 / np.where(sums > 0, sums, 1)) @ raw
    mesh, inside, places, mended = welded(file, np.concatenate(points), np.concatenate(faces))
    kept = places >= 0
    members = sparse.csr_matrix(
        (np.ones(int(kept.sum())), (places[kept], np.flatnonzero(kept))), (len(mesh.vertices), len(places))
    )
    weights = members @ shares
    total = np.asarray(weights.sum(axis=1)).ravel()
    weights = (sparse.diags(1 / np.where(total > 0, total, 1)) @ weights).tocsr()
    apart = shares[kept] - weights[places[kept]]
    apart = (abs(apart).max(axis=1).toarray().ravel() > 1e-3) & (sums[kept] > 0)

    owners = weights.tocoo()
    used = _leading(stored, owners.col[owners.data > OWNED])
    named = stored.joints
    left = {node for node in named if joints == "all" or used[node]}
    if not left:
        raise RigFileError(file, "", "its meshes follow no joint: every weight is 0", "a rig has weights")
    tree = _tree(stored, named, left)
    if tree.nodes.size * len(mesh.vertices) > MOST_WEIGHTS:
        raise RigFileError(
            file, "", f"{len(mesh.vertices):,} vertices follow {tree.nodes.size} joints",
            f"at most {MOST_WEIGHTS:,} weights are held; decimate the mesh",
        )  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        places_of_joints = inside.into(tree.skeleton.joints)
    if not np.isfinite(places_of_joints).all():
        raise RigFileError(file, "", "a joint stands at no finite place once the mesh is normalised")
    table = np.zeros((len(mesh.vertices), tree.nodes.size))
    own = tree.nodes >= 0
    table[:, own] = weights[:, tree.nodes[own]].toarray()
    report = Report(
        stored=len(places),
        welded=int(kept.sum()) - len(mesh.vertices),
        welded_apart=int(apart.sum()),
        unused=int((~kept).sum()),
        degenerate=mended,
        unnormalised=int(((sums > 0) & (abs(sums - 1) > 1e-3)).sum()),
        unweighted=int((total <= 0).sum()),
        mended=sum(part.mended for part in parts),
        dropped_joints=tuple(stored.nodes.name(node) for node in named if node not in left),
        roots=tree.roots,
        unskinned=tuple((part.name, len(part.vertices)) for part in stored.parts if part.skin is None),
        notes=stored.notes,
    )
    rig = Rig(mesh, Skeleton(places_of_joints, tree.skeleton.parents, tree.skeleton.names), table, file.stem)
    return Canonical(rig, inside, places, tree.nodes, report)


def read_skeleton(path: Path | str) -> tuple[Skeleton, tuple[str, ...]]:
    """All joints that a file's skins name, where its nodes are, in the file's own units; and what was changed.

    For a skeleton without its mesh, or with one that is not to be read. Several roots hang on a new one, as in
    `canonical`.

    Raises:
        RigFileError: the file is broken, or has no skin.
    """
    stored = read_stored(path)
    named = tuple(dict.fromkeys(joint for skin in stored.skins for joint in skin.joints.tolist()))
    if not named:
        raise RigFileError(stored.file, "skins", "there are none", "a skeleton's joints are those of its skins")
    tree = _tree(stored, named, set(named))
    return tree.skeleton, tuple(Report(0, roots=tree.roots).lines())


def welded(file: Path | str, points: Floats, faces: Ints) -> tuple[Mesh, Frame, Ints, int]:
    """A mesh, normalised, each vertex once, without triangles of no area and vertices of no triangle.

    Vertices within `WELD` of each other become one, the first of them; those between two such too, so that welding
    twice is welding once. (The sheet says "equal to 5 decimals"; rounding tears apart what stands on either side of a
    decimal's edge.)

    Args:
        file: whose they are, for messages.
        points: (N, 3), in any units.
        faces: (M, 3).

    Returns:
        The mesh; its frame; for each of the N points its vertex, -1 if left out; and how many triangles were left out.

    Raises:
        RigFileError: no triangle has an area.
    """
    used = np.zeros(len(points), bool)
    used[faces] = True
    try:
        inside = frame(points[used])
    except RigError as error:
        raise RigFileError(file, "", f"its {len(faces)} triangles are no mesh: {error}") from error
    at = np.flatnonzero(used)
    where = inside.into(points[at])
    groups = _clusters(where)
    _, firsts, places = np.unique(groups, return_index=True, return_inverse=True)
    # In the order of each cluster's first vertex, not of its label.
    rank = np.empty(len(firsts), np.int64)
    rank[np.argsort(firsts)] = np.arange(len(firsts))
    where = where[np.sort(firsts)]
    full = np.full(len(points), -1, np.int64)
    full[at] = rank[places.ravel()]
    corners = full[faces]
    a, b, c = where[corners].transpose(1, 0, 2)
    flat = np.linalg.norm(np.cross(b - a, c - a), axis=1) < 2e-12
    flat |= (corners == np.roll(corners, 1, axis=1)).any(axis=1)
    corners = corners[~flat]
    if not len(corners):
        raise RigFileError(file, "", f"none of its {len(faces)} triangles has an area", "a mesh is needed")
    left = np.unique(corners)
    renamed = np.full(len(where) + 1, -1, np.int64)
    renamed[left] = np.arange(len(left))
    # What was welded or left out may have held the box open by a hair: the frame is that of what stays.
    stay = points[at[np.sort(firsts)[left]]]
    inside = frame(stay)
    return Mesh(inside.into(stay), renamed[corners]), inside, renamed[full], int(flat.sum())


def _clusters(points: Floats) -> Ints:
    """A label for each point: equal within `WELD`, and through others.

    Points of one small cell are taken together first, so that a million points in one place are one and not a trillion
    pairs.
    """
    cells = np.floor(points / (WELD / 2)).astype(np.int64)
    _, firsts, inverse = np.unique(_hashed(cells), return_index=True, return_inverse=True)
    pairs = cKDTree(points[firsts]).query_pairs(WELD, output_type="ndarray")
    graph = sparse.coo_matrix((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (len(firsts), len(firsts)))
    labels = csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
    return np.asarray(labels[inverse.ravel()], np.int64)


def _hashed(cells: Ints) -> Ints:
    """One integer for a cell; they lie within +-200,001 on each axis, so 20 bits an axis do."""
    shifted = cells + (1 << 19)
    return (shifted[:, 0] << 40) | (shifted[:, 1] << 20) | shifted[:, 2]


@dataclass(frozen=True, eq=False)
class _Tree:
    """Joints of a file as one tree."""

    skeleton: Skeleton
    """In the scene's units."""
    nodes: Ints
    """(J,): the file's, -1 for a root that was added."""
    roots: tuple[str, ...]
    """What was joined under it."""


def _leading(stored: StoredRig, owners: Ints) -> npt.NDArray[np.bool_]:
    """Of all nodes: those that own vertices, and those above them."""
    leads = np.zeros(len(stored.nodes.entries), bool)
    leads[owners] = True
    above = stored.nodes.parents
    for node in reversed(stored.nodes.order):
        if above[node] != ROOT:
            leads[above[node]] |= leads[node]
    return leads


def _tree(stored: StoredRig, named: tuple[int, ...], kept: set[int]) -> _Tree:
    """The joints to keep: parents first, and else in the order in which the skins name them.

    A written rig names its joints in their own order, so that reading gives it back.
    """
    place = {node: at for at, node in enumerate(named)}
    above = stored.nodes.parents
    over = np.full(len(above), ROOT, np.int64)  # the nearest joint above each node
    for node in stored.nodes.order:
        if above[node] != ROOT:
            over[node] = above[node] if int(above[node]) in kept else over[above[node]]
    below: dict[int, list[int]] = {}
    for node in kept:
        below.setdefault(int(over[node]), []).append(place[node])
    waiting = below.get(ROOT, [])
    heapq.heapify(waiting)
    order: list[int] = []
    while waiting:
        node = named[heapq.heappop(waiting)]
        order.append(node)
        for child in below.get(node, ()):
            heapq.heappush(waiting, child)
    index = {node: at for at, node in enumerate(order)}
    parents = np.array([index.get(int(over[node]), ROOT) for node in order], np.int64)
    roots = np.flatnonzero(parents == ROOT).tolist()
    joints = stored.nodes.matrices[order][:, :3, 3]
    names = tuple(stored.nodes.name(node) for node in order)
    nodes = np.array(order, np.int64)
    if len(roots) == 1:
        return _Tree(Skeleton(joints, parents, names), nodes, ())
    sizes = np.ones(len(order), np.int64)
    for at in range(len(order) - 1, -1, -1):  # children stand behind their parents
        if parents[at] != ROOT:
            sizes[parents[at]] += sizes[at]
    largest = max(roots, key=lambda root: (sizes[root], -root))
    whole = Skeleton(
        np.concatenate([joints[[largest]], joints]), np.concatenate([[ROOT], parents + 1]), ("root", *names)
    )
    return _Tree(whole, np.concatenate([[-1], nodes]), tuple(names[root] for root in roots))
