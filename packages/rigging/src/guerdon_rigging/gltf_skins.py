r"""What a glTF file holds of rigs: its meshes, their skins, its nodes; as stored, nothing mended yet.

A skinned vertex x stands in the scene at

$$x' = \sum_k w_k\, G(j_k)\, B(j_k)\, x$$

with G a joint node's global matrix and B the skin's inverse bind matrix; the node that carries the mesh does not count,
nor what it hangs on (glTF 2.0, 3.7.3.3). Rows of weights are normalised before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from guerdon.counting import counting
from guerdon_rigging.gltf_accessors import read_accessor
from guerdon_rigging.gltf_files import Gltf, open_gltf
from guerdon_rigging.gltf_json import Entry
from guerdon_rigging.gltf_nodes import Nodes, read_nodes
from guerdon_rigging.gltf_primitives import MOST_FACES, MOST_VERTICES, Primitive, read_primitive
from guerdon_rigging.looks import Materials, directions, read_materials
from guerdon_rigging.rigs import Floats, Ints, Singles


@dataclass(frozen=True, eq=False)
class Part:
    """One primitive as one node shows it."""

    name: str
    """Of its mesh."""
    node: int
    skin: int | None
    vertices: Floats
    """(N, 3): in the mesh's own space."""
    rest: Floats
    """(N, 3): in the scene, posed by the file's own node transforms."""
    faces: Ints
    """(M, 3): wound as in the scene, the other way round where a mirrored transform put them there."""
    weights: Any
    """(N, K) over all nodes, sparse: as stored, a joint's slots summed, what is no weight left out. None: no skin."""
    mended: int = 0
    """Weights below 0 or not finite, which are taken as 0."""
    looks: dict[str, Singles] = field(default_factory=dict)
    """Normals, tangents, texture coordinates and colours of the vertices, where they were asked for; directions as they
    are in the scene.
    """
    material: int | None = None
    """Its index in the document."""


@dataclass(frozen=True, eq=False)
class Skin:
    """A skin: joints, and where each was bound."""

    joints: Ints
    """(J,): node indices."""
    inverse_binds: Floats
    """(J, 4, 4): identities where the file has none."""

    def bind_joints(self) -> Floats:
        """(J, 3): where each joint was when it was bound, in the mesh's space: the translation of inverse(B).

        Raises:
            numpy.linalg.LinAlgError: an inverse bind matrix has no inverse.
        """
        return np.asarray(np.linalg.inv(self.inverse_binds)[:, :3, 3], np.float64)


@dataclass(frozen=True, eq=False)
class StoredRig:
    """The meshes of a file with what they hang on."""

    file: Path
    nodes: Nodes
    skins: tuple[Skin, ...]
    parts: tuple[Part, ...]
    """Of the scene; skinned or not."""
    notes: tuple[str, ...]
    """What the file holds and was not read."""
    materials: Materials | None = None
    """What surfaces are made of, where it was asked for."""

    @property
    def skinned(self) -> tuple[Part, ...]:
        """The parts that follow joints."""
        return tuple(part for part in self.parts if part.skin is not None)

    @property
    def joints(self) -> tuple[int, ...]:
        """The nodes that are joints of the skins in use, in the order in which the skins name them."""
        used = dict.fromkeys(part.skin for part in self.skinned)
        return tuple(dict.fromkeys(joint for skin in used for joint in self.skins[skin or 0].joints.tolist()))


def read_stored(path: Path | str, looks: bool = False) -> StoredRig:
    """Read a .glb or .gltf.

    Args:
        path: the file.
        looks: read how surfaces look, too.

    Raises:
        RigFileError: the file is broken, or holds what is not read; the message names the place in it.
    """
    gltf = open_gltf(path)
    nodes = read_nodes(gltf)
    skins = tuple(_skin(gltf, entry, len(nodes.entries)) for entry in gltf.document.members("skins"))
    shown = set(nodes.shown)
    notes: dict[str, None] = {}
    parts: list[Part] = []
    vertices = faces = 0
    cache: dict[str, Primitive | None] = {}
    for at, node in enumerate(nodes.entries):
        mesh = node.get("mesh")
        if mesh is None:
            continue
        held = gltf.document.member("meshes", mesh, "a mesh")
        name = held.text("name") or f"mesh {mesh.value}"
        if at not in shown:
            notes[f"{name} at {nodes.name(at)} is in no scene that is shown"] = None
            continue
        skin = None if node.get("skin") is None else node.need("skin").integer(0, len(skins), "index of a skin")
        for entry in held.members("primitives"):
            if entry.where not in cache:
                cache[entry.where] = read_primitive(gltf, entry, looks)
            primitive = cache[entry.where]
            if primitive is None:
                notes[f"{name} has a primitive of points or lines"] = None
                continue
            notes.update((f"{name} has {note}", None) for note in primitive.notes)
            gltf.take(entry, sum(values.size for values in primitive.looks.values()))  # each part gets its own
            vertices, faces = vertices + len(primitive.vertices), faces + len(primitive.faces)
            if vertices > MOST_VERTICES or faces > MOST_FACES:
                entry.fail(
                    f"brings the file to {vertices:,} vertices and {faces:,} triangles",
                    f"at most {MOST_VERTICES:,} and {MOST_FACES:,} are read; decimate it",
                )
            parts.append(_placed(entry, primitive, name, at, skin, nodes, skins))
    materials = read_materials(gltf) if looks else None
    said = (*notes, *(materials.notes if materials else ()))
    replaced = sum(len(skin.joints) for skin in skins) if looks else 0
    if replaced:
        said += (f"its own skin, of {counting(replaced, 'joint')}, is left behind",)
    return StoredRig(gltf.file, nodes, skins, tuple(parts), said, materials)


def _skin(gltf: Gltf, entry: Entry, nodes: int) -> Skin:
    joints = np.array([one.integer(0, nodes, "index of a node") for one in entry.members("joints")], np.int64)
    if not len(joints):
        entry.fail("has no joints", "a skin has one at least")
    binds = entry.get("inverseBindMatrices")
    if binds is None:
        return Skin(joints, np.tile(np.eye(4), (len(joints), 1, 1)))
    matrices = read_accessor(gltf, binds, ("MAT4",))
    if matrices.dtype.kind != "f" or len(matrices) < len(joints):
        binds.fail(
            f"names {len(matrices)} matrices of {matrices.dtype}",
            f"a float matrix for each of {len(joints)} joints is needed",
        )
    return Skin(joints, matrices[: len(joints)])


@np.errstate(over="ignore", invalid="ignore")  # what overflows is found and named at the end
def _placed(
    entry: Entry, primitive: Primitive, name: str, node: int, skin: int | None, nodes: Nodes, skins: tuple[Skin, ...]
) -> Part:
    """A primitive in the scene: by its joints, or by its node where it has none."""
    x = primitive.vertices
    if skin is None:
        moves = np.broadcast_to(nodes.matrices[node][:3], (len(x), 3, 4))
        return _part(entry, primitive, moves, None, name=name, node=node)
    if not primitive.weights.shape[1]:
        entry.fail(
            f"is shown with skins[{skin}] by nodes[{node}] and has no JOINTS_0", "a skinned mesh names its joints"
        )
    joints = skins[skin].joints
    # Slots of weight 0 may name any joint, there or not; real files hold NaN where an exporter divided by 0.
    row, slot = np.nonzero((primitive.weights > 0) & np.isfinite(primitive.weights))
    column = primitive.slots[row, slot]
    if column.size and column.max() >= len(joints):
        bad = row[int(column.argmax())]
        entry.fail(f"vertex {bad} follows joint {column.max()} of skins[{skin}], which has {len(joints)}")
    entries = (primitive.weights[row, slot], (row, column))
    weights = sparse.csr_matrix(entries, shape=(len(x), len(joints)))  # equal places are summed
    matrices = nodes.matrices[joints] @ skins[skin].inverse_binds
    sums = np.asarray(weights.sum(axis=1)).ravel()
    shares = sparse.diags(1 / np.where(sums > 0, sums, 1)) @ weights
    blended = (shares @ matrices[:, :3].reshape(-1, 12)).reshape(-1, 3, 4)
    blended[sums <= 0] = _nearest(x[sums <= 0], x[sums > 0], blended[sums > 0])
    select = sparse.csr_matrix(
        (np.ones(len(joints)), (np.arange(len(joints)), joints)), (len(joints), len(nodes.entries))
    )
    mended = int((~(primitive.weights >= 0)).sum() + np.isinf(primitive.weights).sum())
    held = (weights @ select).tocsr()
    return _part(entry, primitive, blended, held, name=name, node=node, skin=skin, mended=mended)


def _part(
    entry: Entry, primitive: Primitive, moves: Floats, weights: Any, *,
    name: str, node: int, skin: int | None = None, mended: int = 0,
) -> Part:  # fmt: skip
    """A primitive, each vertex moved by its own of the matrices (N, 3, 4)."""
    x = primitive.vertices
    return Part(
        name, node, skin, x, _finite(entry, _moved(moves, x)), _wound(primitive.faces, moves), weights, mended,
        _turned(primitive.looks, moves), primitive.material,
    )  # fmt: skip


def _turned(looks: dict[str, Singles], moves: Floats) -> dict[str, Singles]:
    """Normals and tangents as matrices (N, 3, 4) turn them, of length 1; what else there is as it was.

    A normal follows the inverse's transpose, which is the matrix of cofactors but for its length, and the sign of the
    determinant: cofactors are there where an inverse is not. A tangent lies in the surface and follows the matrix; its
    fourth number, the side of the bitangent, changes where the matrix mirrors.
    """
    if not {"NORMAL", "TANGENT"} & looks.keys():
        return looks
    found = dict(looks)
    linear = moves[:, :, :3]
    mirrored = np.where(np.linalg.det(linear) < 0, -1.0, 1.0)
    if "NORMAL" in looks:
        a, b, c = linear.transpose(2, 0, 1)  # the images of the axes
        cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=2)
        turned = np.einsum("nij,nj->ni", cofactors, looks["NORMAL"]) * mirrored[:, None]
        found["NORMAL"] = directions(turned, (0.0, 0.0, 1.0))
    if "TANGENT" in looks:
        along = directions(np.einsum("nij,nj->ni", linear, looks["TANGENT"][:, :3]), (1.0, 0.0, 0.0))
        side = np.where(looks["TANGENT"][:, 3] < 0, -1.0, 1.0) * mirrored
        found["TANGENT"] = np.concatenate([along, side[:, None]], axis=1).astype(np.float32)
    return found


def _nearest(lost: Floats, points: Floats, matrices: Floats) -> Floats:
    """What moves vertices of no weight: what moves the nearest vertex that has some, else nothing.

    [choice]: at the identity they keep their place, as the sheet asks, and in another pose the surface stays whole.
    """
    if not len(lost) or not len(points):
        return np.tile(np.eye(4)[:3], (len(lost), 1, 1))
    return np.asarray(matrices[cKDTree(points).query(lost)[1]], np.float64)


def _moved(matrices: Floats, points: Floats) -> Floats:
    """Each point (N, 3) by its own matrix (N, 3, 4)."""
    moved: Floats = np.einsum("nij,nj->ni", matrices[:, :, :3], points) + matrices[:, :, 3]
    return moved


def _wound(faces: Ints, matrices: Floats) -> Ints:
    """Triangles (M, 3), turned round where the matrices of their corners, (N, 3, 4), mirror: the sign of the
    determinant says which side is the front (glTF 2.0, 3.7.4), and by most of three corners.
    """
    mirrored = np.sign(np.linalg.det(matrices[:, :, :3]))[faces].sum(axis=1) < 0
    return np.where(mirrored[:, None], faces[:, ::-1], faces) if mirrored.any() else faces


def _finite(entry: Entry, points: Floats) -> Floats:
    if not np.isfinite(points).all():
        entry.fail("stands at no finite place, moved by its nodes and joints")
    return points
