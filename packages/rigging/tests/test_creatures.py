"""Made rigs: seeded, watertight, with skeletons and weights that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from guerdon.errors import ConfigError
from guerdon_rigging import creatures as made
from guerdon_rigging.bodies import Body
from guerdon_rigging.creatures import KINDS, creature, creatures, made_rigs
from guerdon_rigging.rigs import Rig
from guerdon_rigging.surfaces import weights


@pytest.fixture(scope="module", params=KINDS)
def rig(request: pytest.FixtureRequest) -> Rig:
    """One of each kind."""
    return creature(request.param, 11)


def test_its_mesh_is_one_watertight_solid_turned_outwards(rig: Rig) -> None:
    solid = trimesh.Trimesh(rig.mesh.vertices, rig.mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.body_count == 1
    assert solid.volume > 0
    assert 1500 <= len(rig.mesh.vertices) <= 4000


def test_its_triangles_are_no_slivers(rig: Rig) -> None:
    """The stretch of an edge (R_mo) is measured against its length: a short one would rule it."""
    ends = rig.mesh.vertices[rig.mesh.edges]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    assert lengths.min() > 0.05 * np.median(lengths)


def test_it_is_in_the_canonical_frame(rig: Rig) -> None:
    """The box is centred and its longest side goes from -1 to 1."""
    low, high = rig.mesh.vertices.min(axis=0), rig.mesh.vertices.max(axis=0)
    np.testing.assert_allclose(low + high, 0, atol=1e-12)
    assert (high - low).max() == pytest.approx(2)


def test_its_weights_are_a_skin(rig: Rig) -> None:
    np.testing.assert_allclose(rig.weights.sum(axis=1), 1, atol=1e-12)
    assert (rig.weights > 0).sum(axis=1).max() <= 4
    assert (rig.weights.max(axis=0) > 0).all()


def test_who_shares_a_vertex_is_the_owner_and_its_tree_neighbours(rig: Rig) -> None:
    """However near another limb comes."""
    parents = rig.skeleton.parents
    near = np.eye(len(parents), dtype=bool)
    near[np.arange(1, len(parents)), parents[1:]] = near[parents[1:], np.arange(1, len(parents))] = True
    assert near[rig.weights.argmax(axis=1)][rig.weights > 0].all()


def test_its_joints_have_names_of_their_own(rig: Rig) -> None:
    assert len(set(rig.skeleton.names)) == len(rig.skeleton)


def test_most_joints_lie_in_the_solid() -> None:
    """R_vk and R_vj are about that: rigs whose bones run outside would teach the opposite."""
    inside = []
    for kind in KINDS:
        one = creature(kind, 5)
        solid = trimesh.Trimesh(one.mesh.vertices, one.mesh.faces, process=False)
        inside.append(solid.contains(one.skeleton.joints).mean())
    assert np.mean(inside) > 0.9


def test_a_seed_makes_the_same_rig_and_another_seed_another() -> None:
    first, again, other = creature("snake", 3), creature("snake", 3), creature("snake", 4)
    np.testing.assert_array_equal(first.mesh.vertices, again.mesh.vertices)
    np.testing.assert_array_equal(first.weights, again.weights)
    assert first.skeleton.joints.shape != other.skeleton.joints.shape or not np.allclose(
        first.skeleton.joints, other.skeleton.joints
    )


def test_creatures_go_round_the_kinds_without_end() -> None:
    stream = creatures(2, ("lamp", "chest"))
    assert [next(stream).name for _ in range(4)] == ["lamp-2000000", "chest-2000000", "lamp-2000001", "chest-2000001"]


@pytest.mark.parametrize(
    ("kind", "seed", "said"),
    [
        ("dragon", 0, "'dragon'.*humanoid"),
        ("snake", -1, "seed is -1"),
        ("fish", 1.5, "seed is 1.5; a whole number >= 0 is needed"),
        ("fish", "x", "seed is 'x'"),
        (["fish"], 0, "kind is"),
    ],
)
def test_what_cannot_be_made_says_so(kind: Any, seed: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        creature(kind, seed)


@pytest.mark.parametrize(
    ("seed", "kinds", "said"),
    [(-1, KINDS, "seed is -1;"), (1.5, KINDS, "seed is 1.5"), (0, ("dragon",), "names 'dragon'"), (0, (), "at least")],
)
def test_a_stream_that_cannot_be_made_says_so_at_once(seed: Any, kinds: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        creatures(seed, kinds)
    with pytest.raises(ConfigError, match=said):
        made_rigs(1, seed, kinds=kinds, folder=tmp_path)


def test_weights_fall_with_the_gap_and_are_half_and_half_where_there_is_none() -> None:
    """Two bones in line, radius 0.1, softness 0.1: their share falls to 1/e over 0.035.

    At x = 1 the point on the ball that both bones share belongs to both. At x = 1.2 the second bone's surface passes
    through it and the first one's is sqrt(0.2^2 + 0.1^2) - 0.1 = 0.1236 away: exp(-0.1236 / 0.035) = 0.02926.
    """
    body = Body()
    root = body.joint("a", (0, 0, 0))
    second = body.bone(root, "b", (1, 0, 0), (0.1, 0.1))
    body.capsule(second, (1, 0, 0), (2, 0, 0), (0.1, 0.1))
    got = weights(body, np.array([[1.0, 0.1, 0], [1.2, 0.1, 0], [1.9, 0.1, 0]]))
    share = 0.029259 / 1.029259
    np.testing.assert_allclose(got, [[0.5, 0.5], [share, 1 - share], [0, 1]], atol=1e-5)


def test_a_set_on_disk_is_the_stream_and_a_longer_one_takes_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "SHARD", 2)
    short = made_rigs(2, 1, kinds=("lamp",), folder=tmp_path)
    folders = list(tmp_path.glob("*/*"))
    long = made_rigs(3, 1, kinds=("lamp",), folder=tmp_path)
    assert (len(short), len(long)) == (2, 3)
    assert set(folders) < set(tmp_path.glob("*/*"))
    stream = creatures(1, ("lamp",))
    for kept in long:
        fresh = next(stream)
        np.testing.assert_allclose(kept.mesh.vertices, fresh.mesh.vertices, atol=1e-6)
        np.testing.assert_allclose(kept.weights, fresh.weights, atol=1e-6)
        assert (kept.name, kept.skeleton.names) == (fresh.name, fresh.skeleton.names)
    np.testing.assert_array_equal(long[-1].mesh.vertices, long[2].mesh.vertices)


def test_an_empty_set_or_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="count is 0"):
        made_rigs(0, folder=tmp_path)
    with pytest.raises(ConfigError, match="'dragon'"):
        made_rigs(1, kinds=("dragon",), folder=tmp_path)


@pytest.mark.parametrize("seed", [3, 8, 17])
def test_limbs_keep_apart_so_that_a_pose_does_not_tear_them(seed: int) -> None:
    """Where a wing has grown together with an arm, an edge between the two is pulled long by any pose."""
    rig = creature("humanoid", seed)
    owners = rig.weights.argmax(axis=1)[rig.mesh.edges]
    parents = rig.skeleton.parents

    def ancestors(joint: int) -> list[int]:
        return [] if joint < 0 else [joint, *ancestors(int(parents[joint]))]

    apart = [len(set(ancestors(a)) ^ set(ancestors(b))) > 2 for a, b in owners.tolist() if a != b]
    assert sum(apart) <= 0.015 * len(owners)
