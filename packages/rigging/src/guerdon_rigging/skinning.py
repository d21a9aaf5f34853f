r"""Posing a rig: rotations, forward kinematics and linear blend skinning, over many poses and rigs at once.

Axes in names: P poses, N vertices, J joints; leading axes are batches and broadcast. Everything here is numpy;
`guerdon_rigging.torch_skinning` has the same, differentiable. Two forms of linear blend skinning are in use:

* `skinned`, by transforms $x \mapsto A_j x + t_j$: $x' = \sum_j w_j (A_j x + t_j)$, nothing normalised, and a vertex
  without weight stays where it is. `forward` makes the transforms, with rest axes that are the identity. Rewards and
  metrics use this one.
* `skinned_by_matrices`, by the posed and the bind matrix of each joint, as UniRig's and SkinTokens' released code:
  $x' = \sum_j w_j M_j B_j^{-1} x \,/\, (\sum_j w_j + 10^{-8})$. A vertex without weight falls onto the origin.
"""

from __future__ import annotations

import numpy as np

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon_rigging.rigs import Floats, Ints, RigError, Skeleton

POSES = 5
"""Random poses that a rig is tried in."""


def rotations(axis_angles: Floats) -> Floats:
    """Rotation matrices of axis-angle vectors (radians), (..., 3) to (..., 3, 3); the vector 0 is the identity."""
    axis_angles = np.asarray(axis_angles, np.float64)
    angle = np.linalg.norm(axis_angles, axis=-1)[..., None, None]
    # Both quotients have limits at 0, which `sinc` knows: sin(a)/a, and (1 - cos a)/a^2 = sinc(a/2)^2 / 2.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    x, y, z = np.moveaxis(axis_angles, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    turned: Floats = np.eye(3) + first * cross + second * (cross @ cross)
    return turned


def random_poses(joints: int, count: int = POSES, seed: int = 0, degrees: float = 30.0) -> Floats:
    """Axis-angle vectors in radians, (P, J, 3), components uniform within +-`degrees`; the root turns as well.

    The same seed gives the same poses, so that all candidates of a group are tried in the same ones.

    Raises:
        ConfigError: no joint, no pose, or an angle that is no number.

    Source: the fact sheet's choice; the paper says random poses and no more.
    """
    whole_number("random_poses: joints", joints, 1)
    whole_number("random_poses: count", count, 1)
    if not 0.0 <= degrees < float("inf"):
        raise ConfigError(f"random_poses: degrees is {degrees!r}; a finite angle >= 0 is needed")
    limit = np.radians(degrees)
    return np.random.default_rng(seed).uniform(-limit, limit, (count, joints, 3))


def forward(skeleton: Skeleton, turns: Floats) -> Floats:
    r"""Forward kinematics: what each joint does to the points bound to it, $x \mapsto A_j x + t_j$.

    With parent p and rest position $P_j$: $A_j = A_p R_j$, $t_j = A_p P_j + t_p - A_j P_j$; rest axes are the identity.

    Args:
        skeleton: J joints.
        turns: (..., J, 3, 3), the rotation R_j of each joint against its parent.

    Returns:
        (..., J, 3, 4), [A_j | t_j].
    """
    turns = np.asarray(turns, np.float64)
    if turns.shape[-3:] != (len(skeleton), 3, 3):
        raise RigError(f"forward: turns have the shape {turns.shape}; (..., {len(skeleton)}, 3, 3) is needed")
    joints, found = skeleton.joints, np.empty((*turns.shape[:-1], 4))
    for parents, level in _levels(skeleton):
        moved, at = turns[..., level, :, :], joints[level][..., None]
        if parents is None:
            lands = np.broadcast_to(at, (*turns.shape[:-3], 1, 3, 1))
        else:
            before = found[..., parents, :, :]
            moved = before[..., :3] @ moved
            lands = before[..., :3] @ at + before[..., 3:]
        found[..., level, :, :3] = moved
        found[..., level, :, 3:] = lands - moved @ at
    return found


def posed(skeleton: Skeleton, axis_angles: Floats) -> Floats:
    """`forward` of axis-angle vectors, (..., J, 3) to (..., J, 3, 4)."""
    return forward(skeleton, rotations(axis_angles))


def joints_moved(skeleton: Skeleton, transforms: Floats) -> Floats:
    """Where the joints are in each pose, (..., J, 3)."""
    moved: Floats = (transforms[..., :3] @ skeleton.joints[..., None])[..., 0] + transforms[..., 3]
    return moved


def skinned(vertices: Floats, weights: Floats, transforms: Floats) -> Floats:
    """Linear blend skinning: x' = sum_j w_j (A_j x + t_j); rows that do not sum to 1 shrink or stretch towards 0.

    A vertex whose weights are all 0 keeps its place. Where every candidate of a group has J joints, one call does them
    all: `skinned(vertices, weights[:, None], transforms)` with weights (G, N, J) and transforms (G, P, J, 3, 4).

    Args:
        vertices: (..., N, 3).
        weights: (..., N, J).
        transforms: (..., J, 3, 4); a fourth row, of 4 x 4 matrices, is not looked at.

    Returns:
        (..., N, 3).
    """
    transforms = np.asarray(transforms)[..., :3, :]
    joints = transforms.shape[-3]
    if weights.ndim == 2 and transforms.ndim > 3:
        # One skin in many poses: one product of N x J by J x 12 P.
        batch = transforms.shape[:-3]
        flat = np.moveaxis(transforms.reshape(-1, joints, 12), 0, 1).reshape(joints, -1)
        blended = np.moveaxis((weights @ flat).reshape(len(weights), -1, 3, 4), 1, 0).reshape(*batch, -1, 3, 4)
    else:
        blended = (weights @ transforms.reshape(*transforms.shape[:-2], 12)).reshape(
            *np.broadcast_shapes(weights.shape[:-2], transforms.shape[:-3]), weights.shape[-2], 3, 4
        )
    moved = blended[..., 3].copy()
    for axis in range(3):
        moved += blended[..., axis] * vertices[..., axis, None]
    free = np.asarray(~weights.any(axis=-1))
    return np.where(free[..., None], vertices, moved) if free.any() else moved


def matrices_moved(skeleton: Skeleton, bind: Floats, local: Floats) -> Floats:
    """Posed matrices M_j = M_p B_p^-1 B_j T_j, that of the root B T: (..., J, 4, 4).

    Args:
        skeleton: J joints; their order alone is looked at.
        bind: (J, 4, 4), B.
        local: (..., J, 4, 4), T: what each joint does in its own axes.
    """
    rest = bind.copy()
    rest[1:] = np.linalg.inv(bind)[skeleton.parents[1:]] @ bind[1:]
    step = rest @ local
    found = np.empty_like(step)
    for parents, level in _levels(skeleton):
        here = step[..., level, :, :]
        found[..., level, :, :] = here if parents is None else found[..., parents, :, :] @ here
    return found


def skinned_by_matrices(vertices: Floats, weights: Floats, moved: Floats, bind: Floats) -> Floats:
    """The released form: x' = sum_j w_j M_j B_j^-1 x / (sum_j w_j + 1e-8), (..., N, 3).

    Rows need not sum to 1, but the 1e-8 keeps the result a hair too near the origin, and a row of zeros falls onto it.

    Args:
        vertices: (N, 3).
        weights: (N, J).
        moved: (..., J, 4, 4), M; the bind matrices themselves leave everything in place.
        bind: (J, 4, 4), B.

    Source: UniRig's and SkinTokens' released code.
    """
    homogeneous = (moved @ np.linalg.inv(bind))[..., :3, :]
    blended = np.einsum("nj,...jab->...nab", weights, homogeneous, optimize=True)
    summed = np.einsum("...nab,nb->...na", blended[..., :3], vertices) + blended[..., 3]
    scaled: Floats = summed / (weights.sum(axis=-1)[:, None] + 1e-8)
    return scaled


def _levels(skeleton: Skeleton) -> list[tuple[Ints | None, Ints]]:
    """(parents, joints) of each depth: all joints of one depth are posed at once."""
    depth = np.zeros(len(skeleton), np.int64)
    for joint, parent in enumerate(skeleton.parents[1:].tolist(), start=1):
        depth[joint] = depth[parent] + 1
    levels = [np.flatnonzero(depth == one) for one in range(int(depth.max()) + 1)]
    return [(skeleton.parents[level] if place else None, level) for place, level in enumerate(levels)]
