"""Where a skin codec looks: dense points near a bone, the margin around it, and rigs without much to look at."""

import numpy as np

from guerdon_rigging.rigs import Mesh, Rig, Skeleton
from guerdon_rigging.skin_sampling import dense_faces, rig_samples, vertices_with_normals

SPACING = 0.06


def strip(columns=31):
    """Two rows of vertices along x, 0.06 apart, two triangles between neighbours."""
    x = np.arange(columns) * SPACING - SPACING * (columns - 1) / 2
    vertices = np.concatenate([np.stack([x, np.full(columns, y), np.zeros(columns)], 1) for y in (0.0, SPACING)])
    first = np.arange(columns - 1)
    lower = np.stack([first, first + 1, first + columns], 1)
    upper = np.stack([first + 1, first + 1 + columns, first + columns], 1)
    return Mesh(vertices, np.concatenate([lower, upper]))


def reach(mesh, mask):
    """How far right the faces of a mask go, in columns."""
    return round((mesh.vertices[mesh.faces[mask]][..., 0].max() - mesh.vertices[0, 0]) / SPACING)


def test_a_margin_is_drawn_around_a_large_bone():
    """Weight up to column 20: faces touch it up to column 21, their box is 1.26 long, the margin min(.1, .126) = .1.

    Column 22 is .06 away and within, column 23 is .12 away and not; faces with a vertex in column 22 end at 23.
    """
    mesh = strip()
    column = (np.arange(62) % 31 <= 20).astype(float)
    assert reach(mesh, dense_faces(mesh, column)) == 23


def test_the_margin_of_a_small_bone_is_a_tenth_of_its_size():
    """One vertex: its faces' box is .12 x .06, a tenth of the diagonal .0134, less than one column.

    Nothing but their own corners, up to column 11, is as near to them; faces with one of these end in column 12.
    """
    mesh = strip()
    column = np.zeros(62)
    column[10] = 1.0
    assert reach(mesh, dense_faces(mesh, column)) == 12


def test_a_margin_too_small_to_matter_is_none():
    """The same strip 1e5 times smaller: the margin is below 1e-5."""
    small = strip()
    tiny = Mesh(small.vertices * 1e-5, small.faces)
    column = (np.arange(62) % 31 <= 20).astype(float)
    assert np.array_equal(dense_faces(tiny, column), (column[tiny.faces] > 0).any(1))


def test_a_bone_without_weight_has_all_faces():
    mesh = strip()
    assert dense_faces(mesh, np.zeros(62)).all()


def test_the_same_generator_draws_the_same_points(spindle):
    one, two = (rig_samples(spindle(), 50, 20, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one.uniform, two.uniform)
    assert np.array_equal(one.dense, two.dense)


def test_samples_have_the_sheets_shapes_and_normalised_rows(spindle):
    """Rows that sum to 3 are read as rows that sum to 1."""
    rig = spindle()
    samples = rig_samples(Rig(rig.mesh, rig.skeleton, 3 * rig.weights), 50, 20, np.random.default_rng(0))
    assert samples.uniform.shape == (50, 6)
    assert samples.weights.shape == (50, 3)
    assert samples.dense.shape == (3, 20, 6)
    assert samples.dense_weights.shape == (3, 20)
    assert np.allclose(samples.weights.sum(1), 1, atol=1e-6)
    assert np.allclose(np.linalg.norm(samples.uniform[:, 3:], axis=1), 1, atol=1e-5)
    assert np.abs(samples.uniform[:, :3]).max() <= 1 + 1e-6


def test_dense_points_are_where_the_bone_is(spindle):
    """The first of three bones has weight below z = 0, and triangles are shorter than .3."""
    samples = rig_samples(spindle(), 400, 400, np.random.default_rng(0))
    assert samples.uniform[:, 2].max() > 0.9
    assert samples.dense[0, :, 2].max() < 0.5


def test_bones_without_support_can_be_left_out(spindle):
    rig = spindle()
    weights = np.hstack([rig.weights, np.zeros((len(rig.weights), 1))])
    skeleton = Skeleton(np.vstack([rig.skeleton.joints, [[0, 0, 1.0]]]), np.arange(4) - 1)
    four = Rig(rig.mesh, skeleton, weights)
    assert rig_samples(four, 10, 10, np.random.default_rng(0)).bones.tolist() == [0, 1, 2, 3]
    assert rig_samples(four, 10, 10, np.random.default_rng(0), with_support=True).bones.tolist() == [0, 1, 2]


def test_a_bone_of_triangles_without_area_is_seen_from_everywhere(spindle):
    """Its one triangle is a line: no point of it can be drawn."""
    rig = spindle()
    vertices = np.vstack([rig.mesh.vertices, [[0.0, 0, 0], [0.01, 0, 0], [0.02, 0, 0]]])
    count = len(rig.mesh.vertices)
    mesh = Mesh(vertices, np.vstack([rig.mesh.faces, [[count, count + 1, count + 2]]]))
    weights = np.zeros((count + 3, 2))
    weights[:count, 0], weights[count:, 1] = 1.0, 1.0
    margin_free = Rig(mesh, Skeleton(np.zeros((2, 3)), np.array([-1, 0])), weights)
    samples = rig_samples(margin_free, 10, 10, np.random.default_rng(0))
    assert np.isfinite(samples.dense).all()
    assert (samples.dense_weights[1] == 0).all()


def test_normals_at_vertices_point_outwards_and_are_zero_where_nothing_is(spindle):
    mesh = spindle().mesh
    lonely = Mesh(np.vstack([mesh.vertices, [[0.0, 0, 0]]]), mesh.faces)
    points = vertices_with_normals(lonely)
    middle = points[np.abs(points[:, 2]) < 0.5][:-1]
    outwards = (middle[:, :2] * middle[:, 3:5]).sum(1) / np.linalg.norm(middle[:, :2], axis=1)
    assert outwards.min() > 0.9
    assert points[-1, 3:].tolist() == [0.0, 0.0, 0.0]
