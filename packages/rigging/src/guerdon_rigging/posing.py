"""A rig in another pose, as a rig of its own, and poses written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from guerdon.errors import ConfigError
from guerdon_rigging.rigs import Floats, Mesh, Rig, Skeleton
from guerdon_rigging.skinning import joints_moved, posed, random_poses, skinned

MOST_DEGREES = 360
"""About an axis, either way, in a written pose: what is beyond a full turn was not meant."""


def in_pose(rig: Rig, turns: Floats) -> Rig:
    """The rig with its mesh and joints where the pose puts them: its new rest.

    Args:
        rig: rows of weights that sum to 1, or to 0 for a vertex that stays.
        turns: (J, 3), axis-angle vectors in radians, each joint against its parent; rest axes are the frame's.
    """
    transforms = posed(rig.skeleton, turns)
    vertices = skinned(rig.mesh.vertices, rig.weights, transforms)
    joints = joints_moved(rig.skeleton, transforms)
    skeleton = Skeleton(joints, rig.skeleton.parents, rig.skeleton.names)
    return Rig(Mesh(vertices, rig.mesh.faces), skeleton, rig.weights, rig.name)


def random_turns(rig: Rig, seed: int, degrees: float = 30.0) -> Floats:
    """(J, 3): one random pose with components within +-`degrees`, the root left as it is."""
    turns: Floats = random_poses(len(rig.skeleton), 1, seed, degrees)[0]
    turns[0] = 0
    return turns


def written_turns(rig: Rig, texts: Sequence[str]) -> Floats:
    """(J, 3) of texts such as `left_forearm=0,0,45`: a joint's name or index, and degrees about x, y and z.

    The three are one axis-angle vector; joints that are not named keep their rest pose.

    Raises:
        ConfigError: a text of another form, an angle beyond `MOST_DEGREES`, no such joint, or a joint named twice.
    """
    turns = np.zeros((len(rig.skeleton), 3))
    seen: set[int] = set()
    for text in texts:
        name, equals, degrees = text.rpartition("=")
        parts = degrees.split(",")
        try:
            values = np.array([float(part) for part in parts])
        except ValueError:
            values = np.array([])
        if not equals or values.shape != (3,) or not np.isfinite(values).all():
            raise ConfigError(f"the pose has {text!r}; JOINT=X,Y,Z in degrees is needed, such as left_forearm=0,0,45")
        if np.abs(values).max() > MOST_DEGREES:
            raise ConfigError(f"the pose has {text!r}; degrees from -{MOST_DEGREES} to {MOST_DEGREES} are needed")
        joint = _joint(rig, name)
        if joint in seen:
            raise ConfigError(f"the pose turns joint {name!r} twice; give its turn once")
        seen.add(joint)
        turns[joint] = np.radians(values)
    return turns


def _joint(rig: Rig, name: str) -> int:
    names = rig.skeleton.names
    if names.count(name) == 1:
        return names.index(name)
    if name.isdecimal() and int(name) < len(rig.skeleton):
        return int(name)
    if name in names:
        raise ConfigError(f"{names.count(name)} joints are named {name!r}; write the index of the one that is meant")
    shown = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "") if names else "none has a name"
    raise ConfigError(f"the rig has no joint {name!r} among its {len(rig.skeleton)}: {shown}; an index will do too")
