"""RigNet's text rigs: a skeleton and a skin, a word to a line's kind; the mesh is a file of its own.

```
joints hips 0.0 0.1 0.0
root hips
hier hips spine
skin 0 hips 0.75 spine 0.25
```

`joints NAME x y z`, `root NAME` once, `hier PARENT CHILD` for every joint but the root, `skin VERTEX NAME weight ...`
for vertices from 0 on; in any order. Reading tolerates nothing else than empty lines, and says which line is wrong.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NoReturn

import numpy as np

from guerdon_rigging.canonical import MOST_WEIGHTS
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.rigs import ROOT, Mesh, Rig, Skeleton


def rig_text(rig: Rig) -> str:
    """A rig's skeleton and skin. Numbers are written such that reading gives them back.

    Names are made such that the format can hold them: without blanks, each once. Vertices that follow no joint have no
    line.
    """
    names = _names(rig.skeleton)
    lines = [
        f"joints {name} {x!r} {y!r} {z!r}" for name, (x, y, z) in zip(names, rig.skeleton.joints.tolist(), strict=True)
    ]
    lines.append(f"root {names[0]}")
    rows, columns = np.nonzero(rig.weights)
    row = -1
    for vertex, joint, weight in zip(rows.tolist(), columns.tolist(), rig.weights[rows, columns].tolist(), strict=True):
        if vertex != row:
            lines.append(f"skin {vertex}")
            row = vertex
        lines[-1] += f" {names[joint]} {weight!r}"
    parents = rig.skeleton.parents.tolist()
    lines += [f"hier {names[parent]} {names[at]}" for at, parent in enumerate(parents) if parent != ROOT]
    return "\n".join(lines) + "\n"


def rig_of_text(text: str, mesh: Mesh, name: str = "", file: Path | str = "a text rig") -> Rig:
    """A rig from its text and its mesh. Joints keep their order where parents come before their children.

    Weights are as they are written: rows of files need not sum to 1 (`guerdon_rigging.weights.normalised`).

    Args:
        text: RigNet's format.
        mesh: whose vertices the lines of skin number. Those without a line follow no joint.
        name: of the rig.
        file: for messages.

    Raises:
        RigFileError: a line is wrong, or the joints form no tree; the message has the line's number. Or the matrix of
            weights would be too large.
    """
    found = _Text(text, file)
    skeleton, at = found.skeleton()
    if len(mesh.vertices) * len(skeleton) > MOST_WEIGHTS:
        found.fail(
            0,
            f"{len(skeleton):,} joints of {len(mesh.vertices):,} vertices",
            f"at most {MOST_WEIGHTS:,} weights are held",
        )
    weights = np.zeros((len(mesh.vertices), len(skeleton)))
    for vertex, (line, shares) in found.skin.items():
        if vertex >= len(mesh.vertices):
            found.fail(line, f"vertex {vertex}", f"the mesh has {len(mesh.vertices)}, counted from 0")
        for joint, weight in shares.items():
            if joint not in at:
                found.fail(line, f"the joint {joint!r}, which no line of joints names")
            weights[vertex, at[joint]] = weight
    return Rig(mesh, skeleton, weights, name)


def skeleton_of_text(text: str, file: Path | str = "a text rig") -> Skeleton:
    """The skeleton alone; lines of skin may be there and are checked, but for what needs the mesh.

    Raises:
        RigFileError: see `rig_of_text`.
    """
    return _Text(text, file).skeleton()[0]


class _Text:
    """The lines, taken apart."""

    def __init__(self, text: str, file: Path | str) -> None:
        self.file = file
        self.joints: dict[str, tuple[float, float, float]] = {}
        self.root: str | None = None
        self.parents: dict[str, tuple[int, str]] = {}
        self.skin: dict[int, tuple[int, dict[str, float]]] = {}
        kinds = {"joints": self._joint, "root": self._root, "hier": self._hier, "skin": self._skin}
        for line, words in enumerate((one.split() for one in text.splitlines()), start=1):
            if words and words[0] not in kinds:
                self.fail(line, f"begins with {words[0]!r}", f"{', '.join(kinds)} are accepted")
            if words:
                kinds[words[0]](line, words[1:])

    def fail(self, line: int, found: str, accepted: str = "") -> NoReturn:
        raise RigFileError(self.file, f"line {line}" if line else "", found, accepted)

    def _joint(self, line: int, words: list[str]) -> None:
        if len(words) != 4:
            self.fail(line, f"{len(words)} words after 'joints'", "joints NAME x y z is accepted")
        if words[0] in self.joints:
            self.fail(line, f"a second joint named {words[0]!r}", "each has a name of its own")
        x, y, z = (self._number(line, word) for word in words[1:])
        self.joints[words[0]] = (x, y, z)

    def _root(self, line: int, words: list[str]) -> None:
        if len(words) != 1:
            self.fail(line, f"{len(words)} words after 'root'", "root NAME is accepted")
        if self.root is not None:
            self.fail(line, f"a second root, {words[0]!r} beside {self.root!r}", "there is one")
        self.root = words[0]

    def _hier(self, line: int, words: list[str]) -> None:
        if len(words) != 2:
            self.fail(line, f"{len(words)} words after 'hier'", "hier PARENT CHILD is accepted")
        if words[1] in self.parents:
            self.fail(line, f"a second parent of {words[1]!r}", "a joint has one")
        self.parents[words[1]] = (line, words[0])

    def _skin(self, line: int, words: list[str]) -> None:
        if len(words) < 3 or len(words) % 2 == 0:
            self.fail(line, f"{len(words)} words after 'skin'", "skin VERTEX NAME weight ... is accepted")
        if not (words[0].isascii() and words[0].isdigit()) or len(words[0]) > 18:
            self.fail(line, f"the vertex {words[0]!r}", "a number from 0 on is accepted")
        vertex = int(words[0])
        if vertex in self.skin:
            self.fail(line, f"a second line of vertex {vertex}", "each has one")
        shares: dict[str, float] = {}
        for joint, word in zip(words[1::2], words[2::2], strict=True):
            weight = self._number(line, word)
            if weight < 0:
                self.fail(line, f"the weight {word}", "0 or more is accepted")
            if joint in shares:
                self.fail(line, f"the joint {joint!r} twice", "once is accepted")
            shares[joint] = weight
        self.skin[vertex] = (line, shares)

    def _number(self, line: int, word: str) -> float:
        try:
            number = float(word)
        except ValueError:
            self.fail(line, f"{word!r} for a number")
        if not math.isfinite(number):
            self.fail(line, f"the number {word}", "finite ones are accepted")
        return number

    def skeleton(self) -> tuple[Skeleton, dict[str, int]]:
        """The tree, and each joint's place in it."""
        if self.root is None or self.root not in self.joints:
            self.fail(
                0, "no root" if self.root is None else f"the root {self.root!r} is no joint", "root NAME is needed"
            )
        below: dict[str, list[str]] = {}
        for child, (line, parent) in self.parents.items():
            for one in (child, parent):
                if one not in self.joints:
                    self.fail(line, f"the joint {one!r}, which no line of joints names")
            if child == self.root:
                self.fail(line, f"a parent of the root, {child!r}")
            below.setdefault(parent, []).append(child)
        front = [self.root]
        for one in front:  # grows while it is walked
            front += below.get(one, [])
        reached = set(front)
        if lost := [one for one in self.joints if one not in reached]:
            self.fail(0, f"the joint {lost[0]!r} does not hang on the root", "hier lines join every joint to it")
        order = list(self.joints)
        place = {one: at for at, one in enumerate(order)}
        if any(place[parent] > place[child] for child, (_, parent) in self.parents.items()) or order[0] != self.root:
            order = front
            place = {one: at for at, one in enumerate(order)}
        parents = [place[self.parents[one][1]] if one in self.parents else ROOT for one in order]
        joints = np.array([self.joints[one] for one in order])
        return Skeleton(joints, np.array(parents, np.int64), tuple(order)), place


def _names(skeleton: Skeleton) -> list[str]:
    """Names without blanks, each once; `joint3` where there are none."""
    taken: dict[str, None] = {}
    for at in range(len(skeleton)):
        name = ("_".join(skeleton.names[at].split()) if skeleton.names else "") or f"joint{at}"
        unique, again = name, 1
        while unique in taken:
            again += 1
            unique = f"{name}_{again}"
        taken[unique] = None
    return list(taken)
