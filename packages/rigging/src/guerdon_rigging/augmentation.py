"""Rigs made of rigs, so that a model meets more shapes and skeletons than it was given.

Each function takes a rig and a generator and gives a new rig; where it could leave nothing worth having (a single
joint, half a mesh) it gives back the rig it was given. `Augmentation` chains them with the chances of UniRig.

Source: the kinds are those of SkinTokens' released configuration, the numbers UniRig's (tokenrig sheet,
"Hyper-parameters"); which of several readings is taken stands with each function.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial.transform import Rotation

from guerdon.errors import ConfigError
from guerdon_rigging.frames import frame
from guerdon_rigging.posing import in_pose
from guerdon_rigging.rigs import Floats, Ints, Marks, Mesh, Rig, RigError, Skeleton

Draw = np.random.Generator

LEAST_JOINTS = 2
"""A rig keeps at least so many."""
LEAST_KEPT = 0.5
"""A cut leaves at least this share of a rig's vertices."""


def drop_joints(rig: Rig, draw: Draw, *, most: float = 0.2) -> Rig:
    """Some joints gone, and the vertices that each of them moves most; their children follow their parents.

    Args:
        rig: any.
        draw: decides how many and which; never the root.
        most: share of the joints that goes at most.
    """
    others = len(rig.skeleton) - 1
    count = int(draw.integers(0, int(most * others) + 1)) if others else 0
    gone = np.zeros(len(rig.skeleton), bool)
    gone[1 + draw.permutation(others)[:count]] = True
    return _without(rig, gone, vertices=True)


def drop_subtree(rig: Rig, draw: Draw) -> Rig:
    """A joint and all that hangs on it gone, and the vertices that they move most: a limb, a tail, a head."""
    count = len(rig.skeleton)
    if count < 2:
        return rig
    gone = np.zeros(count, bool)
    gone[int(draw.integers(1, count))] = True
    for joint, parent in enumerate(rig.skeleton.parents[1:].tolist(), start=1):
        gone[joint] |= gone[parent]
    return _without(rig, gone, vertices=True)


def merge_joints(rig: Rig, draw: Draw, *, most: float = 0.3) -> Rig:
    """Some joints joined to their parents, which take over their weights and children. The mesh stays whole.

    Args:
        rig: any.
        draw: decides how many and which; never the root.
        most: share of the joints that goes at most.
    """
    others = len(rig.skeleton) - 1
    count = min(int(draw.integers(0, int(most * others) + 1)) if others else 0, others + 1 - LEAST_JOINTS)
    gone = np.zeros(len(rig.skeleton), bool)
    gone[1 + draw.permutation(others)[: max(count, 0)]] = True
    return _without(rig, gone, vertices=False)


def jitter_joints(rig: Rig, draw: Draw, *, sigma: float = 1 / 128) -> Rig:
    """Each joint moved by normal noise of that deviation: a bin of 256 in [-1, 1]."""
    joints = rig.skeleton.joints + sigma * draw.standard_normal(rig.skeleton.joints.shape)
    return _at(rig, rig.mesh.vertices, joints)


def jitter_vertices(rig: Rig, draw: Draw, *, sigma: float = 0.005) -> Rig:
    """Each vertex moved by normal noise of that deviation [its distribution is a choice]."""
    return _at(rig, rig.mesh.vertices + sigma * draw.standard_normal(rig.mesh.vertices.shape), rig.skeleton.joints)


def random_pose(rig: Rig, draw: Draw, *, degrees: float = 60.0) -> Rig:
    """In a pose with each joint's axis-angle components within +-`degrees`, the root as it is."""
    limit = np.radians(degrees)
    turns = draw.uniform(-limit, limit, (len(rig.skeleton), 3))
    turns[0] = 0
    return in_pose(rig, turns)


def random_rotation(rig: Rig, draw: Draw, *, upright: bool = True) -> Rig:
    """Turned about the upright axis by any angle, or any way up where not `upright`."""
    turn = (
        Rotation.from_rotvec([0, draw.uniform(0, 2 * np.pi), 0])
        if upright
        else Rotation.from_quat(draw.standard_normal(4))
    )
    matrix = turn.as_matrix().T
    return _at(rig, rig.mesh.vertices @ matrix, rig.skeleton.joints @ matrix)


def random_scaling(rig: Rig, draw: Draw, *, low: float = 0.33, high: float = 3.33) -> Rig:
    """Each axis scaled by a factor of its own, log-uniform, mesh and joints alike; normalised afterwards.

    One factor for all axes would be undone by the normalisation, so it is read as one for each [choice].
    """
    factors = np.exp(draw.uniform(np.log(low), np.log(high), 3))
    return normalised(_at(rig, rig.mesh.vertices * factors, rig.skeleton.joints * factors))


def final_scale_and_shift(rig: Rig, draw: Draw, *, least: float = 0.5) -> Rig:
    """Normalised, made smaller by a factor from [least, 1], and put anywhere in [-1, 1]^3 where its mesh fits."""
    rig = normalised(rig)
    factor = draw.uniform(least, 1)
    reach = factor * np.abs(rig.mesh.vertices).max(axis=0, initial=0.0)
    shift = draw.uniform(-1, 1, 3) * (1 - reach)
    return _at(rig, factor * rig.mesh.vertices + shift, factor * rig.skeleton.joints + shift)


def normalised(rig: Rig) -> Rig:
    """The mesh's box centred, its longest side from -1 to 1; joints with it. What has no extent stays as it is."""
    try:
        inside = frame(rig.mesh.vertices)
    except RigError:
        return rig
    return _at(rig, inside.into(rig.mesh.vertices), inside.into(rig.skeleton.joints))


@dataclass(frozen=True)
class Augmentation:
    """All of them in turn, each with its chance: skeleton, pose, shape, noise, frame.

        augment = Augmentation()
        rig = augment(rig, generator)

    Raises:
        ConfigError: a chance outside [0, 1].
    """

    drop_joints: float = 0.2
    """Chances, in [0, 1]; the pose's is UniRig's, the others [choice]."""
    drop_subtree: float = 0.2
    merge_joints: float = 0.2
    random_pose: float = 0.5
    random_rotation: float = 0.5
    random_scaling: float = 0.3
    jitter_vertices: float = 0.5
    jitter_joints: float = 0.5
    final_scale_and_shift: float = 0.5

    def __post_init__(self) -> None:
        for one in fields(self):
            chance = getattr(self, one.name)
            if not 0 <= chance <= 1:
                raise ConfigError(f"Augmentation.{one.name} is {chance!r}; a chance in [0, 1] is needed")

    def __call__(self, rig: Rig, draw: Draw) -> Rig:
        """The rig after those that chance picked; its mesh lies in [-1, 1]^3, but for the noise."""
        for one in fields(self):
            if draw.random() < getattr(self, one.name):
                rig = _KINDS[one.name](rig, draw)
            if one.name == "random_scaling":  # whatever came before, what follows is in units of the frame
                rig = normalised(rig)
        return rig


_KINDS = {
    "drop_joints": drop_joints,
    "drop_subtree": drop_subtree,
    "merge_joints": merge_joints,
    "random_pose": random_pose,
    "random_rotation": random_rotation,
    "random_scaling": random_scaling,
    "jitter_vertices": jitter_vertices,
    "jitter_joints": jitter_joints,
    "final_scale_and_shift": final_scale_and_shift,
}


def _at(rig: Rig, vertices: Floats, joints: Floats) -> Rig:
    """The rig with its vertices and joints elsewhere."""
    skeleton = Skeleton(joints, rig.skeleton.parents, rig.skeleton.names)
    return Rig(Mesh(vertices, rig.mesh.faces), skeleton, rig.weights, rig.name)


def _without(rig: Rig, gone: Marks, *, vertices: bool) -> Rig:
    """Joints taken out, with the vertices that they move most or with their weights handed to what remains above.

    Joints that are left without any vertex, and lead to none, go too; so do vertices that are left without a triangle.
    """
    if not gone.any():
        return rig
    skeleton, weights = rig.skeleton, rig.weights
    heir = np.arange(len(gone))  # of each joint: itself, or its nearest ancestor that remains
    for joint, parent in enumerate(skeleton.parents[1:].tolist(), start=1):
        if gone[joint]:
            heir[joint] = heir[parent]
    mesh, held = rig.mesh, np.arange(len(rig.mesh.vertices))
    if vertices:
        lost = gone[weights.argmax(axis=1)] & (weights.max(axis=1, initial=0) > 0)
        mesh, held = _cut(rig.mesh, lost)
        weights = weights[held] * ~gone
        sums, before = weights.sum(axis=1, keepdims=True), rig.weights[held].sum(axis=1, keepdims=True)
        weights = weights / np.maximum(sums, 1e-12) * before
        gone = gone | _idle(weights, skeleton)
    else:
        weights = weights @ (heir[:, None] == np.arange(len(gone)))
    if len(held) < max(LEAST_KEPT * len(rig.mesh.vertices), 3) or (~gone).sum() < LEAST_JOINTS:
        return rig
    return Rig(mesh, skeleton.part(~gone, heir), weights[:, ~gone], rig.name)


def _cut(mesh: Mesh, lost: Marks) -> tuple[Mesh, Ints]:
    """Without those vertices, their triangles, and vertices that are then in no triangle; which vertices are left."""
    faces = mesh.faces[~lost[mesh.faces].any(axis=1)]
    used = np.zeros(len(lost), bool)
    used[faces.ravel()] = True
    held = np.flatnonzero(used)
    return Mesh(mesh.vertices[held], (np.cumsum(used) - 1)[faces]), held


def _idle(weights: Floats, skeleton: Skeleton) -> Marks:
    """(J,): moves no vertex, nor does anything that follows it. Never the root."""
    busy = skeleton.leading(np.asarray((weights > 0).any(axis=0)))
    busy[0] = True
    return ~busy
