"""Geometry on real rigs, where GUERDON_DATA names them."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.baselines import baseline
from guerdon_rigging.canonical import read_rig
from guerdon_rigging.geometry_claim import RiggingGeometry
from guerdon_rigging.skin_metrics import l1_per_vertex
from guerdon_rigging.voxels import solid_voxels

pytest.importorskip("robust_laplacian")


def test_heat_is_nearer_to_the_artists_weights_than_the_closest_bone(rigged_dir):
    rig = read_rig(rigged_dir / "animal_bull.glb")
    near, far = (l1_per_vertex(baseline(one)(rig.mesh, rig.skeleton), rig.weights) for one in ("heat", "closest-bone"))
    assert near < far


def test_vertices_that_follow_no_joint_and_several_parts_give_skins(rigged_dir):
    """critter_wasp has vertices without weight, plat_crab parts that no joint is in."""
    for name in ("critter_wasp.glb", "plat_crab.glb"):
        rig = read_rig(rigged_dir / name)
        for method in ("heat", "voxel-geodesic", "smoothed"):
            found = baseline(method)(rig.mesh, rig.skeleton)
            np.testing.assert_allclose(found.sum(axis=1), 1, err_msg=f"{name}, {method}")


def test_an_artists_joints_are_inside_the_filled_mesh_mostly(rigged_dir):
    """A solid of surface cells alone holds few of them."""
    rig = read_rig(rigged_dir / "man_worker.glb")
    solid = solid_voxels(rig.mesh, 64)
    assert solid.contains(rig.mesh.vertices).all()
    assert solid.contains(rig.skeleton.joints).mean() > 0.9


@pytest.mark.claim
def test_the_claim_holds_on_the_shared_files(rigged_dir):
    result = RiggingGeometry(str(rigged_dir)).run()
    assert result.verdict == "held", str(result)
