"""The tree of nodes: who hangs on whom, and where each stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from guerdon_rigging.gltf_files import Gltf
from guerdon_rigging.gltf_json import Entry
from guerdon_rigging.rigs import ROOT, Floats, Ints


@dataclass(frozen=True, eq=False)
class Nodes:
    """The nodes of a file, by their index in it."""

    entries: tuple[Entry, ...]
    parents: Ints
    """(K,): `ROOT` where a node has none."""
    matrices: Floats
    """(K, 4, 4): global, from the node's own space to the scene's; columns are images of the axes."""
    order: tuple[int, ...]
    """Every node, after its parent."""
    shown: tuple[int, ...]
    """Nodes of the scene, ascending; all of them where the file has no scene."""

    def name(self, at: int) -> str:
        """What the file calls it, else `node 3`."""
        return self.entries[at].text("name") or f"node {at}"


def read_nodes(gltf: Gltf) -> Nodes:
    """The tree of nodes.

    Raises:
        RigFileError: a node is its own ancestor or has several parents, or a matrix is none.
    """
    entries = gltf.document.members("nodes")
    parents = np.full(len(entries), ROOT, np.int64)
    children: list[list[int]] = []
    for at, entry in enumerate(entries):
        mine = [one.integer(0, len(entries), "index of a node") for one in entry.members("children")]
        for child in mine:
            if parents[child] != ROOT:
                entry.fail(f"has the child {child}, which nodes[{parents[child]}] has too", "a node has one parent")
            parents[child] = at
        children.append(mine)
    order = np.flatnonzero(parents == ROOT).tolist()
    for at in order:  # grows while it is walked
        order += children[at]
    if len(order) < len(entries):
        lost = min(set(range(len(entries))) - set(order))
        entries[lost].fail("is its own ancestor, or hangs on one that is", "nodes form trees")
    matrices = np.array([local_matrix(entry) for entry in entries]).reshape(-1, 4, 4)
    with np.errstate(all="ignore"):
        for at in order:
            if parents[at] != ROOT:
                matrices[at] = matrices[parents[at]] @ matrices[at]
    if not np.isfinite(matrices).all():
        bad = int(np.flatnonzero(~np.isfinite(matrices).all(axis=(1, 2)))[0])
        entries[bad].fail("stands at no finite place, its ancestors' matrices multiplied")
    return Nodes(tuple(entries), parents, matrices, tuple(order), _shown(gltf, children))


def local_matrix(node: Entry) -> Floats:
    """A node's own matrix, (4, 4): its `matrix`, sixteen numbers by columns, or T R S.

    The quaternion is (x, y, z, w); it is normalised, as exporters round it.

    Raises:
        RigFileError: numbers are missing, not finite, or a quaternion is zero.
    """
    if node.get("matrix") is not None:
        return np.array(node.numbers("matrix", (0.0,) * 16)).reshape(4, 4).T
    x, y, z, w = node.numbers("rotation", (0.0, 0.0, 0.0, 1.0))
    length = float(np.sqrt(x * x + y * y + z * z + w * w))
    if not 1e-12 < length < np.inf:
        node.need("rotation").fail(f"is the quaternion ({x}, {y}, {z}, {w})", "one of length 1 is needed")
    x, y, z, w = x / length, y / length, z / length, w / length
    turn = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.array(node.numbers("scale", (1.0, 1.0, 1.0)))
    matrix[:3, 3] = node.numbers("translation", (0.0, 0.0, 0.0))
    return matrix


def _shown(gltf: Gltf, children: list[list[int]]) -> tuple[int, ...]:
    """What the default scene shows, or the first where none is named."""
    scenes = gltf.document.members("scenes")
    if not scenes:
        return tuple(range(len(children)))
    scene = scenes[gltf.document.optional("scene", 0, 0, len(scenes))]
    found = [one.integer(0, len(children), "index of a node") for one in scene.members("nodes")]
    for (
        at
    ) in found:  # grows while it is walked; a node listed twice is walked twice, and the depth is bounded by the tree
        found += children[at]
        if len(found) > 4 * len(children):
            scene.fail("lists nodes over and over", "each root once is accepted")
    return tuple(sorted(set(found)))
