"""Distances through a mesh: worked example 5 of rigging_geometry.md, walls, parts and vertices that nothing reaches."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from guerdon.errors import ConfigError
from guerdon_rigging.geodesics import falling_weights, reaching, volumetric_distances
from guerdon_rigging.rigs import Mesh, Skeleton

D = np.array([[0.1, 0.2, 0.4]])


def mesh(*parts):
    whole = trimesh.util.concatenate(parts)
    return Mesh(np.array(whole.vertices, float), np.array(whole.faces, np.int64))


def skeleton(*joints):
    return Skeleton(np.array(joints, float), np.arange(len(joints)) - 1)


def box(low, high):
    return trimesh.creation.box(bounds=np.array([low, high], float))


@pytest.mark.parametrize(
    ("law", "weights"),
    [("square", (0.800863, 0.168237, 0.030901)), ("exp", (0.993307, 0.006693, 0.0))],
)
def test_weights_fall_with_distance(law, weights):
    """Worked example 5, a = .5 and d_max = .4."""
    np.testing.assert_allclose(falling_weights(D, law), [weights], atol=1e-6)


def test_the_longest_distance_is_that_of_all_vertices():
    """Beside a vertex at .8, d_max is .8: exp(-2.5), exp(-5), exp(-10) of a sum of .088868."""
    found = falling_weights(np.array([[0.1, 0.2, 0.4], [0.8, 0.8, np.inf]]), "exp")
    np.testing.assert_allclose(found, [(0.92364, 0.075816, 0.000511), (0.5, 0.5, 0)], atol=1e-4)


def test_infinitely_far_is_no_weight_and_touching_is_all_of_it():
    np.testing.assert_allclose(falling_weights(np.array([[1e-6, 0.3, np.inf]])), [(1, 0, 0)], atol=1e-9)
    with pytest.raises(ConfigError):
        falling_weights(D, "cube")
    with pytest.raises(ConfigError):
        falling_weights(D, alpha=2.0)


def test_the_way_through_a_solid_costs_three_times_its_length_and_along_an_edge_once():
    """A bar 2 long, a joint at one end: the far end is 2 away along an edge, and 6 by cells."""
    bar = mesh(box((-1, -0.1, -0.1), (1, 0.1, 0.1)))
    found = volumetric_distances(bar, skeleton((-1, 0.1, 0.1)), 20)[:, 0]
    far = np.linalg.norm(bar.vertices - (1, 0.1, 0.1), axis=1).argmin()
    near = np.linalg.norm(bar.vertices - (-1, 0.1, 0.1), axis=1).argmin()
    assert found[far] == pytest.approx(2.0)
    assert found[near] == pytest.approx(0.0, abs=1e-9)


def test_the_way_goes_round_a_gap():
    """Two prongs of a fork are .6 apart in the air and about 3.6 by way of the handle."""
    fork = mesh(
        box((-1, -0.9, -0.1), (1, -0.7, 0.1)),
        box((-1, -0.3, -0.1), (1, -0.1, 0.1)),
        box((-1, -0.9, -0.1), (-0.8, -0.1, 0.1)),
    )
    own = skeleton((0.9, -0.8, 0))
    found = volumetric_distances(fork, own, 32)[:, 0]
    tip = np.linalg.norm(fork.vertices - (1, -0.3, 0.1), axis=1).argmin()
    assert np.linalg.norm(fork.vertices[tip] - own.joints[0]) < 0.6
    assert found[tip] > 3.0


def test_a_part_that_no_joint_reaches_takes_its_three_nearest():
    parts = mesh(box((-1, -1, -1), (-0.5, -0.5, -0.5)), box((0.5, 0.5, 0.5), (1, 1, 1)))
    own = skeleton((-0.9, -0.9, -0.9), (-0.8, -0.8, -0.8), (-0.7, -0.7, -0.7), (-0.6, -0.6, -0.6))
    distances = volumetric_distances(parts, own, 16)
    assert np.isfinite(distances[:8]).all()
    assert np.isinf(distances[8:]).all()
    found = reaching(distances, parts, own)
    assert np.array_equal(found[:8], np.maximum(distances[:8], 1e-6))
    assert np.isinf(found[8:, 0]).all()
    np.testing.assert_allclose(found[8:, 3], np.linalg.norm(parts.vertices[8:] + 0.6, axis=1))
    weights = falling_weights(found)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_fewer_than_three_joints_are_enough():
    parts = mesh(box((-1, -1, -1), (-0.5, -0.5, -0.5)), box((0.5, 0.5, 0.5), (1, 1, 1)))
    own = skeleton((-0.9, -0.9, -0.9))
    assert np.isfinite(reaching(volumetric_distances(parts, own, 16), parts, own)).all()
