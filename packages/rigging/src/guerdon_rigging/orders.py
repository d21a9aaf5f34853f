"""The order that a skeleton's joints are written in.

`depth-first` is that of the released checkpoint; `siblings` the same with each joint's children sorted by position;
`parts` begins with the known bones of a kind (body, then hands) and leaves the rest (hair, skirts, tails) for last.

Source: TokenRig's sheet, steps 1 and 2: 22 joints of the body, 30 of the hands, of UniRig's and the released code. The
names of the bones are VRoid Studio's and Mixamo's, from memory.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from guerdon.fields import one_of
from guerdon_rigging.rigs import Ints, Skeleton

Kind = Literal["none", "rignet", "vroid", "articulation", "mixamo"]
"""What skeleton conventions are told apart; `vroid` and `mixamo` have names that are known."""
Order = Literal["depth-first", "siblings", "parts", "given"]
"""`given`: as it stands."""

_FINGERS = {"vroid": "Thumb Index Middle Ring Little", "mixamo": "Thumb Index Middle Ring Pinky"}
_TRUNK = {
    "vroid": "J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head",
    "mixamo": "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck mixamorig:Head",
}
_SIDES = {"vroid": ("J_Bip_L_", "J_Bip_R_"), "mixamo": ("mixamorig:Left", "mixamorig:Right")}
_ARM = {"vroid": "Shoulder UpperArm LowerArm Hand", "mixamo": "Shoulder Arm ForeArm Hand"}
_LEG = {"vroid": "UpperLeg LowerLeg Foot ToeBase", "mixamo": "UpLeg Leg Foot ToeBase"}


def _body(kind: str) -> tuple[str, ...]:
    limbs = [side + bone for limb in (_ARM, _LEG) for side in _SIDES[kind] for bone in limb[kind].split()]
    return (*_TRUNK[kind].split(), *limbs)


def _hand(kind: str) -> tuple[str, ...]:
    wrist = "Hand" if kind == "mixamo" else ""
    return tuple(
        f"{side}{wrist}{finger}{knuckle}"
        for side in _SIDES[kind]
        for finger in _FINGERS[kind].split()
        for knuckle in (1, 2, 3)
    )


PART_BONES: dict[str, dict[str, tuple[str, ...]]] = {
    kind: {"body": _body(kind), "hand": _hand(kind)} for kind in ("vroid", "mixamo")
}
"""By kind and part, in the order they are written: trunk, left arm, right arm, left leg, right leg; fingers from the
thumb, left hand, then right."""


def permutation(skeleton: Skeleton, kind: Kind = "articulation", order: Order = "depth-first") -> Ints:
    """(J,): the joint that stands at each place.

    With `parts`, a part is written only where all of its bones are there and each one's parent stands before it; the
    other bones follow depth-first. Parents always precede their children.

    Raises:
        ConfigError: no such kind or order.

    >>> fork = Skeleton(np.zeros((4, 3)), np.array([-1, 0, 0, 1]))
    >>> permutation(fork).tolist()
    [0, 1, 3, 2]
    """
    _checked(kind, order)
    if order == "given":
        return np.arange(len(skeleton))
    if order == "parts":
        return np.array(_by_parts(skeleton, kind)[0], dtype=np.int64)
    return np.array(_depth_first(skeleton, by_position=order == "siblings"), dtype=np.int64)


def part_starts(skeleton: Skeleton, kind: Kind, order: Order) -> dict[int, str]:
    """The place of each part's first joint, with the part's name; of `parts` only. `spring` is what is left, which is
    everything where the kind's names are unknown.
    """
    _checked(kind, order)
    return _by_parts(skeleton, kind)[1] if order == "parts" else {}


def reordered(skeleton: Skeleton, path: Ints) -> Skeleton:
    """The same skeleton with joint `path[i]` at place i.

    Raises:
        RigError: a joint would come before its parent.
    """
    place = np.empty(len(path), np.int64)
    place[path] = np.arange(len(path))
    parents = skeleton.parents[path]
    names = tuple(skeleton.names[joint] for joint in path) if skeleton.names else ()
    return Skeleton(skeleton.joints[path], np.where(parents < 0, parents, place[parents]), names)


def _checked(kind: Kind, order: Order) -> None:
    one_of("kind", kind, get_args(Kind))
    one_of("order", order, get_args(Order))


def _depth_first(skeleton: Skeleton, by_position: bool = False) -> list[int]:
    """By a stack, as chains may be longer than Python recurses."""
    found: list[int] = []
    open_ = [0]
    while open_:
        joint = open_.pop()
        found.append(joint)
        children = list(skeleton.children[joint])
        if by_position:  # z is up
            children.sort(key=lambda child: tuple(skeleton.joints[child][[2, 0, 1]]))
        open_ += reversed(children)
    return found


def _by_parts(skeleton: Skeleton, kind: Kind) -> tuple[list[int], dict[int, str]]:
    named = {name: joint for joint, name in enumerate(skeleton.names)}
    path: list[int] = []
    out: set[int] = set()
    starts: dict[int, str] = {}
    for part, bones in PART_BONES.get(kind, {}).items():
        joints = [named[bone] for bone in bones if bone in named]
        if len(joints) == len(bones) and _follow(skeleton, joints, out):
            starts[len(path)] = part
            path += joints
            out.update(joints)
    if len(path) < len(skeleton):
        starts[len(path)] = "spring"
        path += [joint for joint in _depth_first(skeleton) if joint not in out]
    return path, starts


def _follow(skeleton: Skeleton, joints: list[int], out: set[int]) -> bool:
    """Whether each one's parent is out by then."""
    before = set(out)
    for joint in joints:
        parent = int(skeleton.parents[joint])
        if parent >= 0 and parent not in before:
            return False
        before.add(joint)
    return True
