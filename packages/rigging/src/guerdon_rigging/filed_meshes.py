"""The mesh of a file in the frame that models work in, the skeleton of another, and the way back into the file's units.

held = filed_mesh(Path("cat.glb"))
held.write(Rig(held.mesh, skeleton, weights), Path("rigged.glb"))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from guerdon.errors import ConfigError
from guerdon_rigging.canonical import MOST_WEIGHTS, OWNED, Kept, Report, canonical, read_skeleton, welded
from guerdon_rigging.file_errors import read_limited
from guerdon_rigging.frames import Frame
from guerdon_rigging.gltf_skins import read_stored
from guerdon_rigging.gltf_writing import write_rig
from guerdon_rigging.looks import Look
from guerdon_rigging.mesh_files import GLTF, OTHERS, read_mesh, read_whole
from guerdon_rigging.rigs import Floats, Ints, Mesh, Rig, Skeleton
from guerdon_rigging.text_rigs import rig_of_text, skeleton_of_text
from guerdon_rigging.weights import normalised

MOST_TEXT_BYTES = 200_000_000
"""Of a text rig."""
RIGS = ".glb, .gltf and RigNet's text"
"""Files that hold bones."""
NEAR = 1.5
"""A joint further out than this, in the frame [-1, 1], is not taken for a part of the mesh."""


@dataclass(frozen=True, eq=False)
class FiledMesh:
    """A mesh as it is stored, and as models see it."""

    stored: Mesh
    """In the file's units, hard edges and seams as they are."""
    mesh: Mesh
    """Welded and normalised."""
    frame: Frame
    """Of `mesh` in `stored`."""
    places: Ints
    """(stored vertices,): the vertex of `mesh` that stands for each, -1 for those of no triangle."""
    name: str
    mended: tuple[str, ...] = ()
    """What of the file is not rigged, a line each."""
    look: Look | None = None
    """Of `stored`, where the file has one."""

    def restored(self, rig: Rig) -> tuple[Rig, Look | None]:
        """A rig of `mesh` on the stored vertices, in the file's units, and how those look. Vertices of no triangle are
        left out.
        """
        kept = np.asarray(self.places >= 0, np.bool_)
        index = np.full(len(self.places), -1, np.int64)
        index[kept] = np.arange(kept.sum())
        faces = index[self.stored.faces]
        left = np.asarray((faces >= 0).all(axis=1), np.bool_)
        whole = Mesh(self.stored.vertices[kept], faces[left])
        placed = self.frame.skeleton_back(rig.skeleton)
        look = self.look.of(kept, left) if self.look else None
        return Rig(whole, placed, rig.weights[self.places[kept]], self.name), look

    def write(self, rig: Rig, path: Path) -> Rig:
        """Write a rig of `mesh` as `restored` has it, with the file's look and normals; what was written.

        Raises:
            RigFileError: see `guerdon_rigging.gltf_writing.write_rig`.
        """
        whole, look = self.restored(rig)
        write_rig(whole, path, normals=True, look=look)
        return whole

    def skeleton(self, path: Path) -> tuple[Skeleton, tuple[str, ...]]:
        """The skeleton of a .glb, a .gltf or RigNet's text, in the frame of `mesh`, all of its joints; and what was
        changed, a line each.

        Raises:
            RigFileError: the file is broken or another kind.
            ConfigError: a file of a mesh alone; or most joints are far from the mesh: the two are not of one space. Or
                there are so many that the matrix of weights would be too large.
        """
        if path.suffix.lower() in OTHERS:
            raise ConfigError(f"{str(path)!r} is a mesh, which has no bones; {RIGS} are read")
        there, changed = (
            read_skeleton(path) if path.suffix.lower() in GLTF else (skeleton_of_text(_text(path), path), ())
        )
        joints = there.joints
        if len(joints) * len(self.mesh.vertices) > MOST_WEIGHTS:
            raise ConfigError(
                f"{len(joints):,} joints of {str(path)!r} and {len(self.mesh.vertices):,} vertices make more than "
                f"{MOST_WEIGHTS:,} weights; decimate the mesh, or leave joints out"
            )
        with np.errstate(over="ignore"):
            placed = self.frame.into(joints)
        far = _far(placed)
        if 2 * far > len(placed):
            low, high = joints.min(axis=0).round(3).tolist(), joints.max(axis=0).round(3).tolist()
            lowest, highest = (self.frame.back(np.full(3, side)).round(3).tolist() for side in (-1.0, 1.0))
            raise ConfigError(
                f"{far} of the {len(placed)} joints of {str(path)!r} are far from the mesh: they span {low} to {high}, "
                f"the mesh's cube {lowest} to {highest}. Bring both into one place and unit"
            )
        return Skeleton(placed, there.parents, there.names), (*changed, *_told_far(placed))


def filed_mesh(path: Path) -> FiledMesh:
    """Read a .glb, .gltf, .obj, .ply or .stl.

    Raises:
        RigFileError: the file is broken or another kind, or no triangle of it has an area.
    """
    read = read_whole(path, looks=True)
    stored = read.mesh
    mesh, frame, places, _ = welded(path, stored.vertices, stored.faces)
    lost = int((places[stored.faces] < 0).any(axis=1).sum())
    report = Report(len(places), unused=int((places < 0).sum()), degenerate=lost, notes=read.notes)
    return FiledMesh(stored, mesh, frame, places, path.stem, tuple(report.lines()), read.look)


@dataclass(frozen=True, eq=False)
class FiledRig:
    """The rig of a file, and what was mended to have it."""

    rig: Rig
    """Canonical: welded, normalised, rows of weights that sum to 1."""
    mended: tuple[str, ...]
    """Of `guerdon_rigging.canonical.Report`: what was left out or put right, a line each; and which joints are far."""
    dropped: int = 0
    """Joints that move nothing, left out."""


def filed_rig(path: Path, mesh: Path | None = None, joints: Kept = "used") -> FiledRig:
    """The canonical rig of a .glb or .gltf; of RigNet's text, with the mesh that it goes with.

    Of a text, the first of the vertices that are welded to one gives its weights.

    Args:
        path: the rig's file.
        mesh: of a text.
        joints: those that own vertices or lead to some that do, or all; a text that binds nothing keeps all.

    Raises:
        RigFileError: a file is broken or another kind.
        ConfigError: a file of a mesh alone, a text without a mesh, or a glTF with one.
    """
    if path.suffix.lower() in GLTF:
        if mesh is not None:
            raise ConfigError(f"{str(path)!r} has a mesh of its own; --mesh goes with RigNet's text rigs")
        found = canonical(read_stored(path), joints)
        told = (*found.report.lines(), *_told_far(found.rig.skeleton.joints))
        return FiledRig(found.rig, told, len(found.report.dropped_joints))
    if path.suffix.lower() in OTHERS:
        raise ConfigError(f"{str(path)!r} is a mesh, which has no bones; {RIGS} are read. `guerdon rig mesh` rigs it")
    if mesh is None:
        raise ConfigError(f"{str(path)!r} is read as RigNet's text, which holds no mesh; name its file with --mesh")
    stored = read_mesh(mesh)
    rig = rig_of_text(_text(path), stored, path.stem, path)
    whole, frame, places, flat = welded(mesh, stored.vertices, stored.faces)
    first = np.zeros(len(whole.vertices), np.int64)
    held = np.flatnonzero(places >= 0)[::-1]
    first[places[held]] = held  # of the stored vertices that a welded one stands for, the first
    skeleton = frame.skeleton(rig.skeleton)
    sums, kept = rig.weights.sum(axis=1), held[::-1]
    weights = normalised(rig.weights[first])
    left = skeleton.leading(np.asarray((weights > OWNED).any(axis=0)))
    if joints == "all" or not left.any():
        left[:] = True
    report = Report(
        len(places),
        welded=len(kept) - len(whole.vertices),
        unused=len(places) - len(kept),
        degenerate=flat,
        unnormalised=int(((sums > 0) & (abs(sums - 1) > 1e-3)).sum()),
        unweighted=int((sums[first] <= 0).sum()),
        dropped_joints=tuple(np.array(skeleton.names or list(map(str, range(len(skeleton)))))[~left].tolist()),
    )
    bound = Rig(whole, skeleton.part(left), weights[:, left], path.stem)
    return FiledRig(bound, (*report.lines(), *_told_far(bound.skeleton.joints)), len(report.dropped_joints))


def _far(joints: Floats) -> int:
    """How many joints, in the frame of their mesh, are not near it."""
    return int((np.abs(joints).max(axis=1) > NEAR).sum())


def _told_far(joints: Floats) -> tuple[str, ...]:
    far = _far(joints)
    return (f"{far} of the {len(joints)} joints {'is' if far == 1 else 'are'} far from the mesh",) if far else ()


def _text(path: Path) -> str:
    return read_limited(path, MOST_TEXT_BYTES).decode("utf-8", errors="replace")
