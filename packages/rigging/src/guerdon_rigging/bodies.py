"""Bodies made of simple solids: joints in a tree, each carrying tapered capsules and rounded boxes.

A body plan (`body_plans`, `prop_plans`) draws one; `surfaces` gives it a skin. Units are the plan's own, y is up, a
body faces +z and its left is +x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from guerdon_rigging.rigs import ROOT, Floats, Ints

Point = Floats | Sequence[float]


@dataclass(frozen=True, eq=False)
class Capsule:
    """A ball that is drawn from `start` to `end` and changes its radius on the way, flattened along `normal`."""

    owner: int
    """The joint that it follows."""
    start: Floats
    """(3,)."""
    end: Floats
    """(3,)."""
    radii: tuple[float, float]
    """At the start and at the end, across the normal."""
    normal: Floats
    """(3,): of length 1 and square to the axis."""
    flatness: float = 1.0
    """How many times thinner it is along the normal."""

    @property
    def area(self) -> float:
        """About the surface, to choose a grid."""
        length = float(np.linalg.norm(self.end - self.start))
        around = 2 * np.pi * np.sqrt((1 + self.flatness**-2) / 2)  # of an ellipse
        first, last = self.radii
        return float(around * (length * (first + last) / 2 + first**2 + last**2))

    @property
    def thinnest(self) -> float:
        """Half its thickness where it is thinnest."""
        return min(self.radii) / self.flatness

    def at_least(self, thickness: float) -> Capsule:
        """As it is, but nowhere thinner than twice `thickness`, so that a grid does not lose it."""
        first, last = self.radii
        radii = max(first, thickness), max(last, thickness)
        return replace(self, radii=radii, flatness=max(1.0, min(self.flatness, min(radii) / thickness)))

    def bounds(self, margin: float) -> tuple[Floats, Floats]:
        """The lowest and the highest corner of a box around it, `margin` away."""
        reach = max(self.radii) + margin
        return np.minimum(self.start, self.end) - reach, np.maximum(self.start, self.end) + reach

    def distances(self, points: Floats) -> Floats:
        """(..., 3) -> (...): below zero inside. Exact where it neither tapers nor is flat, smooth everywhere."""
        axis = self.end - self.start
        squared = float(axis @ axis)
        away = points - self.start
        along = np.clip(away @ axis / squared, 0, 1) if squared else np.zeros(away.shape[:-1], away.dtype)
        radii = self.radii[0] + along * (self.radii[1] - self.radii[0])
        off = (away**2).sum(axis=-1) - 2 * along * (away @ axis) + along**2 * squared
        if self.flatness > 1:
            off = off + (self.flatness**2 - 1) * (away @ self.normal) ** 2
        found: Floats = np.sqrt(np.maximum(off, 0)) - radii
        return found

    def moved(self, turn: Floats, old: Floats, new: Floats) -> Capsule:
        """Turned by the matrix `turn` about the point `old`, which lands on `new`."""
        start, end = (turn @ (point - old) + new for point in (self.start, self.end))
        return replace(self, start=start, end=end, normal=turn @ self.normal)


@dataclass(frozen=True, eq=False)
class Box:
    """A box with rounded edges."""

    owner: int
    """The joint that it follows."""
    centre: Floats
    """(3,)."""
    half: Floats
    """(3,): half its sides, its rounding included."""
    axes: Floats
    """(3, 3): its own axes as columns."""
    rounding: float
    """The radius of its edges."""

    @property
    def area(self) -> float:
        """About the surface, to choose a grid."""
        x, y, z = self.half.tolist()
        return float(8 * (x * y + y * z + z * x))

    @property
    def thinnest(self) -> float:
        """Half its thickness where it is thinnest."""
        return float(self.half.min())

    def at_least(self, thickness: float) -> Box:
        """As it is, but nowhere thinner than twice `thickness`."""
        half = np.maximum(self.half, thickness)
        return replace(self, half=half, rounding=min(max(self.rounding, thickness / 2), float(half.min())))

    def bounds(self, margin: float) -> tuple[Floats, Floats]:
        """The lowest and the highest corner of a box along the frame's axes around it, `margin` away."""
        reach = np.abs(self.axes) @ self.half + margin
        return self.centre - reach, self.centre + reach

    def distances(self, points: Floats) -> Floats:
        """(..., 3) -> (...): exact, below zero inside."""
        beyond = np.abs((points - self.centre) @ self.axes) - (self.half - self.rounding)
        outside = np.sqrt((np.maximum(beyond, 0) ** 2).sum(axis=-1))
        found: Floats = outside + np.minimum(beyond.max(axis=-1), 0) - self.rounding
        return found

    def moved(self, turn: Floats, old: Floats, new: Floats) -> Box:
        """Turned by the matrix `turn` about the point `old`, which lands on `new`."""
        return replace(self, centre=turn @ (self.centre - old) + new, axes=turn @ self.axes)


Solid = Capsule | Box


class Body:
    """Joints and solids while a plan draws them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.joints: list[Floats] = []
        self.parents: list[int] = []
        self.softness: list[float] = []
        """How far from each joint its skin and its parent's mix."""
        self.swing: list[float] = []
        """Degrees by which `pose` may turn each joint."""
        self.solids: list[Solid] = []

    def joint(self, name: str, at: Point, parent: int = ROOT, *, softness: float = 0.0, swing: float = 12.0) -> int:
        """A joint; its index."""
        self.names.append(name)
        self.joints.append(np.asarray(at, np.float64))
        self.parents.append(parent)
        self.softness.append(softness)
        self.swing.append(swing)
        return len(self.joints) - 1

    def bone(
        self,
        parent: int,
        name: str,
        at: Point,
        radii: tuple[float, float],
        *,
        flatness: float = 1.0,
        normal: Point = (0.0, 0.0, 1.0),
        swing: float = 12.0,
    ) -> int:
        """A joint, and a capsule from its parent to it that follows the parent; its index."""
        index = self.joint(name, at, parent, softness=min(radii[1], max(radii) / flatness), swing=swing)
        self.capsule(parent, self.joints[parent], at, radii, flatness=flatness, normal=normal)
        return index

    def capsule(
        self,
        owner: int,
        start: Point,
        end: Point,
        radii: tuple[float, float],
        *,
        flatness: float = 1.0,
        normal: Point = (0.0, 0.0, 1.0),
    ) -> None:
        """A tapered capsule that follows `owner`. Its normal is made square to its axis."""
        start, end, normal = (np.asarray(point, np.float64) for point in (start, end, normal))
        axis = end - start
        axis = axis / max(float(np.linalg.norm(axis)), 1e-9)
        square = normal - (normal @ axis) * axis
        if np.linalg.norm(square) < 1e-3:  # along the axis: any direction across it will do
            square = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.9 else [0.0, 1.0, 0.0])
        self.solids.append(Capsule(owner, start, end, radii, square / np.linalg.norm(square), flatness))

    def chain(
        self,
        parent: int,
        name: str,
        points: Floats,
        radii: Floats,
        *,
        flatness: float = 1.0,
        normal: Point = (0.0, 0.0, 1.0),
        swing: float = 12.0,
    ) -> list[int]:
        """Joints `name_0`... at all points but the last, where the last of them ends; their indices.

        The first follows `parent`, to which a capsule joins it.

        `points` are (K + 1, 3), `radii` (K + 1,).
        """
        made: list[int] = []
        for step, (at, radius) in enumerate(zip(points[:-1], radii[:-1], strict=True)):
            before = float(radii[max(step - 1, 0)])
            owner, flat = (made[-1], flatness) if made else (parent, 1.0)
            pair = (before, float(radius))
            made.append(self.bone(owner, f"{name}_{step}", at, pair, flatness=flat, normal=normal, swing=swing))
        pair = (float(radii[-2]), float(radii[-1]))
        self.capsule(made[-1], points[-2], points[-1], pair, flatness=flatness, normal=normal)
        return made

    def box(self, owner: int, centre: Point, half: Point, *, rounding: float, axes: Floats | None = None) -> None:
        """A rounded box that follows `owner`."""
        half = np.asarray(half, np.float64)
        axes = np.eye(3) if axes is None else axes
        self.solids.append(Box(owner, np.asarray(centre, np.float64), half, axes, min(rounding, float(half.min()))))

    def pose(self, generator: np.random.Generator, amount: float = 1.0) -> None:
        """Turn every joint but the root, and what hangs on it, by up to its swing in each component."""
        turns = generator.uniform(-1, 1, (len(self.joints), 3)) * (amount * np.array(self.swing))[:, None]
        turns[0] = 0
        own = Rotation.from_rotvec(turns, degrees=True).as_matrix()
        total = [own[0]]
        new = [self.joints[0]]
        for joint, parent in enumerate(self.parents[1:], start=1):
            total.append(total[parent] @ own[joint])
            new.append(total[parent] @ (self.joints[joint] - self.joints[parent]) + new[parent])
        self.solids = [
            solid.moved(total[solid.owner], self.joints[solid.owner], new[solid.owner]) for solid in self.solids
        ]
        self.joints = new

    @property
    def parent_array(self) -> Ints:
        """(J,)."""
        return np.array(self.parents, np.int64)
