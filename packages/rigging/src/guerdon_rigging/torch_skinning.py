"""`guerdon_rigging.skinning` in torch: differentiable in vertices, weights, joints and poses. torch loads on use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guerdon_rigging.rigs import Ints

if TYPE_CHECKING:
    from torch import Tensor


def rotations(axis_angles: Tensor) -> Tensor:
    """Rotation matrices of axis-angle vectors in radians, (..., 3) to (..., 3, 3); smooth at 0 as elsewhere."""
    import torch

    # The norm has no slope at 0, its square does; below 1e-8 the quotients are series, whose slopes are finite.
    square = axis_angles.square().sum(-1)[..., None, None]
    small = square < 1e-8
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    first = torch.where(small, 1 - square / 6, torch.sin(angle) / angle)
    second = torch.where(small, 0.5 - square / 24, (1 - torch.cos(angle)) / safe)
    x, y, z = axis_angles.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    eye = torch.eye(3, dtype=axis_angles.dtype, device=axis_angles.device)
    turned: Tensor = eye + first * cross + second * (cross @ cross)
    return turned


def forward(joints: Tensor, parents: Ints, turns: Tensor) -> Tensor:
    """Forward kinematics, as in `guerdon_rigging.skinning.forward`.

    Args:
        joints: (J, 3), rest positions.
        parents: (J,), parents before their children, -1 for the first joint.
        turns: (..., J, 3, 3).

    Returns:
        (..., J, 3, 4), [A_j | t_j].
    """
    import torch

    matrices: list[Tensor] = []
    shifts: list[Tensor] = []
    for joint, parent in enumerate(parents.tolist()):
        turn, at = turns[..., joint, :, :], joints[joint]
        moved = turn if parent < 0 else matrices[parent] @ turn
        lands = at if parent < 0 else matrices[parent] @ at + shifts[parent]
        matrices.append(moved)
        shifts.append(lands - moved @ at)
    return torch.cat([torch.stack(matrices, -3), torch.stack(shifts, -2)[..., None]], -1)


def skinned(vertices: Tensor, weights: Tensor, transforms: Tensor) -> Tensor:
    """Linear blend skinning, as in `guerdon_rigging.skinning.skinned`: a vertex without weight keeps its place.

    Args:
        vertices: (..., N, 3).
        weights: (..., N, J).
        transforms: (..., J, 3, 4).

    Returns:
        (..., N, 3).
    """
    import torch

    product = weights @ transforms.flatten(-2)
    blended = product.reshape(*product.shape[:-1], 3, 4)
    moved = (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]
    return torch.where((weights == 0).all(-1, keepdim=True), vertices, moved)
