"""Skinning in torch is skinning in numpy, and has slopes."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging import skinning
from guerdon_rigging.rigs import Skeleton

torch = pytest.importorskip("torch")
torch_skinning = pytest.importorskip("guerdon_rigging.torch_skinning")
pytestmark = pytest.mark.model

OWN = Skeleton(np.array([(0, 0, 0), (0, 1, 0), (0, 2, 0), (1, 1, 0)], float), np.array([-1, 0, 1, 1]))


def test_poses_and_skins_are_those_of_numpy():
    rng = np.random.default_rng(0)
    vertices, weights = rng.normal(size=(9, 3)), rng.dirichlet(np.ones(4), 9)
    weights[2] = 0
    turns = skinning.random_poses(4, 3)
    turns[0, 0] = 0
    wanted = skinning.skinned(vertices, weights, skinning.posed(OWN, turns))
    moved = torch_skinning.forward(torch.tensor(OWN.joints), OWN.parents, torch_skinning.rotations(torch.tensor(turns)))
    found = torch_skinning.skinned(torch.tensor(vertices), torch.tensor(weights), moved)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-12)


def test_slopes_are_right_in_weights_joints_and_poses():
    torch.manual_seed(0)
    vertices = torch.randn(3, 3, dtype=torch.float64)

    def landed(weights, joints, turns):
        moved = torch_skinning.forward(joints, OWN.parents, torch_skinning.rotations(turns))
        return torch_skinning.skinned(vertices, weights, moved)

    inputs = torch.rand(3, 4), torch.tensor(OWN.joints), torch.randn(2, 4, 3)
    assert torch.autograd.gradcheck(landed, [one.double().requires_grad_() for one in inputs])


def test_the_rest_pose_has_finite_slopes():
    """Of R = I + [a] + ..., the slope of R_01 in a_z at 0 is -1."""
    turn = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    torch_skinning.rotations(turn)[0, 1].backward()
    assert turn.grad.tolist() == [0, 0, -1]
