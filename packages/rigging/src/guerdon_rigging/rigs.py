"""A mesh, a skeleton, and a rig: what files are read into, rewards look at, and policies write.

Arrays carry their axes: N vertices, M triangles, J joints. Positions are float64, indices int64; nothing is copied and
nothing written to after it was made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from guerdon.errors import TaskError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Marks = npt.NDArray[np.bool_]

ROOT = -1
"""The parent of the root."""
WHOLE, NUMBERS = "iu", "iuf"
"""Kinds of numpy's types."""


class RigError(TaskError):
    """A mesh, a skeleton or a rig that is none: not finite, indices out of range, no root or several."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh.

    Raises:
        RigError: what is no array of numbers, a position that is not finite, faces that are not whole numbers, or a
            triangle that names no vertex.
    """

    vertices: Floats
    """(N, 3)."""
    faces: Ints
    """(M, 3)."""

    def __post_init__(self) -> None:
        _shaped("Mesh.vertices", self.vertices, (-1, 3))
        _shaped("Mesh.faces", self.faces, (-1, 3), WHOLE)
        _finite("Mesh.vertices", self.vertices)
        if self.faces.size and not 0 <= self.faces.min() <= self.faces.max() < len(self.vertices):
            raise RigError(
                f"Mesh.faces name vertices {self.faces.min()} to {self.faces.max()}; there are {len(self.vertices)}"
            )

    @cached_property
    def edges(self) -> Ints:
        """(E, 2): each edge of a triangle once, the smaller index first, in ascending order; none from a vertex to
        itself, which collapsed triangles have.
        """
        if not len(self.faces):
            return np.zeros((0, 2), np.int64)
        sides = np.sort(self.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        return np.unique(sides[sides[:, 0] < sides[:, 1]], axis=0)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints in a tree, parents before their children.

    Raises:
        RigError: what is no array of numbers, no joint, a position that is not finite, parents that are not whole
            numbers, a root that is not the first joint, several roots, or a joint that comes before its parent.
    """

    joints: Floats
    """(J, 3): rest positions."""
    parents: Ints
    """(J,): the index of each joint's parent, `ROOT` for the first joint and no other."""
    names: tuple[str, ...] = ()
    """J names, or none."""

    def __post_init__(self) -> None:
        _shaped("Skeleton.joints", self.joints, (-1, 3))
        _shaped("Skeleton.parents", self.parents, (len(self.joints),), WHOLE)
        _finite("Skeleton.joints", self.joints)
        if not len(self.joints):
            raise RigError("a skeleton has at least one joint, and this one has none")
        if self.names and len(self.names) != len(self.joints):
            raise RigError(f"Skeleton.names are {len(self.names)} for {len(self.joints)} joints")
        late = np.flatnonzero(self.parents >= np.arange(len(self.joints)))
        roots = np.flatnonzero(self.parents < 0)
        if late.size:
            raise RigError(f"joint {late[0]} follows from {self.parents[late[0]]}; parents come before their children")
        if roots.tolist() != [0] or self.parents[0] != ROOT:
            raise RigError(f"joints {roots.tolist()} have no parent; the first joint alone has none, written {ROOT}")

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Of each joint, in ascending order."""
        found: list[list[int]] = [[] for _ in self.parents]
        for joint, parent in enumerate(self.parents[1:].tolist(), start=1):
            found[parent].append(joint)
        return tuple(map(tuple, found))

    def leading(self, marked: Marks) -> Marks:
        """(J,): the joints that are marked, and those above them."""
        found = np.array(marked)
        for joint in range(len(self) - 1, 0, -1):
            found[self.parents[joint]] |= found[joint]
        return found

    def part(self, stays: Marks, heirs: Ints | None = None) -> Skeleton:
        """The joints that stay, the root among them.

        Args:
            stays: (J,).
            heirs: (J,): of each joint itself, or its nearest ancestor that stays; None where all parents of these stay.
        """
        index = np.cumsum(stays) - 1
        parents = self.parents[stays]
        parents[1:] = index[parents[1:] if heirs is None else heirs[parents[1:]]]
        names = tuple(name for name, here in zip(self.names, stays, strict=True) if here) if self.names else ()
        return Skeleton(self.joints[stays], parents, names)


@dataclass(frozen=True, eq=False)
class Rig:
    """A mesh bound to a skeleton.

    Raises:
        RigError: weights that are no array of numbers, of another shape, negative or not finite.
    """

    mesh: Mesh
    skeleton: Skeleton
    weights: Floats
    """(N, J), >= 0. A row sums to 1, or to 0 where the vertex follows no joint: this is not checked, since files hold
    others, which `rig_of_text` keeps as they are written. `guerdon_rigging.weights.normalised` makes it so, as
    `write_rig` does."""
    name: str = field(default="")
    """What messages and reports call it."""

    def __post_init__(self) -> None:
        _shaped("Rig.weights", self.weights, (len(self.mesh.vertices), len(self.skeleton)))
        _finite("Rig.weights", self.weights)
        if self.weights.size and self.weights.min() < 0:
            raise RigError(f"Rig.weights has the negative entry {float(self.weights.min())!r}")


def _shaped(what: str, array: npt.NDArray[np.generic], shape: tuple[int, ...], kinds: str = NUMBERS) -> None:
    needed = "whole numbers" if kinds == WHOLE else "numbers"
    if not isinstance(array, np.ndarray):
        raise RigError(f"{what} is of the type {type(array).__name__}; a numpy array of {needed} is needed")
    if array.dtype.kind not in kinds:
        raise RigError(f"{what} is an array of {array.dtype}; one of {needed} is needed")
    given = array.shape
    if len(given) != len(shape) or any(want not in (-1, got) for want, got in zip(shape, given, strict=True)):
        wanted = "(" + ", ".join("any" if one < 0 else str(one) for one in shape) + ")"
        raise RigError(f"{what} has the shape {given}; {wanted} is needed")


def _finite(what: str, array: Floats) -> None:
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=-1))[0])
        raise RigError(f"{what}[{row}] is {np.asarray(array[row]).tolist()}; finite numbers are needed")
