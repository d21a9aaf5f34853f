"""A rigger gives rigs in the mesh's own frame; codes say which bone, a prior says where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from guerdon.errors import ConfigError, PolicyError
from guerdon_rigging.ball_codec import BallCodec
from guerdon_rigging.baselines import InverseDistance
from guerdon_rigging.creatures import creature
from guerdon_rigging.rigs import Mesh, RigError, Skeleton
from guerdon_rigging.tokens import Vocabulary

pytestmark = pytest.mark.model
torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def rigger():
    from guerdon_rigging.rig_policy import RigPolicy
    from guerdon_rigging.rig_shapes import RigShape
    from guerdon_rigging.rigger import Rigger

    shape = RigShape(
        vocabulary=Vocabulary(bins=32, codes=64, length=2),
        width=32,
        layers=1,
        heads=2,
        key_value_heads=2,
        head_width=16,
        mlp_width=32,
        latents=8,
        encoder_width=32,
        encoder_layers=1,
        points=64,
        most_joints=12,
    )
    return Rigger(RigPolicy.of_shape(shape, seed=1), BallCodec())


@pytest.fixture(scope="module")
def lamp():
    return creature("lamp", 0)


def test_a_rig_is_in_the_meshs_own_frame(rigger, lamp):
    """Eight times as large, which rounds nothing: the same rig there, since the same seed draws the same tokens. Far
    away the draws are of rounded points, and the joints are inside the mesh's box all the same.
    """
    here = rigger.rig(lamp.mesh, seed=3, attempts=2)
    there = rigger.rig(Mesh(lamp.mesh.vertices * 8, lamp.mesh.faces), seed=3, attempts=2)
    np.testing.assert_array_equal(there.skeleton.joints, here.skeleton.joints * 8)
    np.testing.assert_array_equal(there.weights, here.weights)
    far = np.array([100.0, 0, 0])
    away = rigger.rig(Mesh(lamp.mesh.vertices + far, lamp.mesh.faces), seed=3, attempts=2)
    assert (np.abs(away.skeleton.joints - far) <= 1).all()
    assert len(here.skeleton.names) == len(here.skeleton)
    np.testing.assert_allclose(here.weights.sum(axis=1), 1)
    assert ((here.weights > 0).sum(axis=1) <= 4).all()


def test_another_seed_is_another_rig(rigger, lamp):
    one, other = (rigger.rig(lamp.mesh, seed=seed, attempts=1) for seed in (3, 4))
    assert one.skeleton.joints.tolist() != other.skeleton.joints.tolist()


def test_a_given_skeleton_keeps_its_order_and_each_joint_its_own_codes(rigger, lamp):
    """Joint 3 hangs on joint 1 and is written before joint 2: the third pair of codes is joint 3's."""

    class Telling(BallCodec):
        """Of each bone the same weight everywhere: its first code, and one."""

        def decode(self, condition, codes):
            told.append(codes[:, 0] + 1.0)
            return np.tile(codes[:, 0] + 1.0, (len(condition.squares), 1))

    told = []
    bones = Skeleton(np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0.9, 0, 0.0]]), np.array([-1, 0, 0, 1]))
    found = replace(rigger, codec=Telling(), prior=None).skin(lamp.mesh, bones, seed=5, attempts=1)
    assert found.skeleton is bones
    written = told[0]
    np.testing.assert_allclose(found.weights[7], written[[0, 1, 3, 2]] / written.sum())


def test_without_a_code_that_speaks_for_a_vertex_the_prior_does(rigger, lamp):
    """Balls are zero where they do not reach; the weights there are those of inverse distances."""
    skeleton = Skeleton(lamp.skeleton.joints, lamp.skeleton.parents)

    class Silent(BallCodec):
        def decode(self, condition, codes):
            return np.zeros((len(condition.squares), len(codes)))

    silent = replace(rigger, codec=Silent())
    found = silent.skin(lamp.mesh, skeleton, seed=0, attempts=1)
    np.testing.assert_allclose(found.weights, InverseDistance(8.0)(lamp.mesh, skeleton), atol=1e-9)


def test_of_a_large_mesh_skeletons_alone_are_compared(rigger, lamp, monkeypatch):
    """The chosen one's skin is what it is where all are compared."""
    import guerdon_rigging.rigger as module

    whole = rigger.rig(lamp.mesh, seed=3, attempts=1)
    monkeypatch.setattr(module, "MOST_TOGETHER", 10)
    alone = rigger.rig(lamp.mesh, seed=3, attempts=1)
    np.testing.assert_array_equal(alone.weights, whole.weights)
    assert len(rigger.rig(lamp.mesh, seed=3, attempts=3).skeleton) >= 1
    monkeypatch.setattr(module, "MOST_WEIGHTS", 12 * 100)
    with pytest.raises(RigError, match="at most 100 are rigged, decimate"):
        rigger.rig(lamp.mesh)


def test_what_does_not_belong_together_is_refused(rigger, lamp):
    with pytest.raises(PolicyError, match="2 of 64 codes a joint, the codec reads 2 of 32"):
        replace(rigger, codec=BallCodec(codes=32))
    chain = Skeleton(np.linspace(-0.9, 0.9, 39).reshape(13, 3), np.arange(13) - 1)
    with pytest.raises(PolicyError, match="13 joints, this policy writes at most 12"):
        rigger.skin(lamp.mesh, chain)
    with pytest.raises(RigError):
        rigger.rig(Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])))
    with pytest.raises(ConfigError, match="attempts"):
        rigger.rig(lamp.mesh, attempts=0)


def test_a_device_that_there_is_not_is_refused():
    from guerdon_rigging.rigger import Rigger

    with pytest.raises(ConfigError, match="device is 'gpu9'; accepted are 'auto', 'cpu'"):
        Rigger.shipped("gpu9")
