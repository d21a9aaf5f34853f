"""The four geometric scores: the sheet's examples 5 to 8, and what their pitfalls ask for."""

import numpy as np
import pytest

from guerdon_rigging.rig_scores import (
    PER_UNIT,
    Ground,
    Skin,
    blocks_of,
    bone_containment,
    deformation_smoothness,
    directness,
    even_share,
    joint_coverage,
    largest_stretches,
    near_share,
    pose_turns,
    skin_sparsity,
    welded_edges,
)
from guerdon_rigging.rigs import Mesh, RigError, Skeleton
from guerdon_rigging.skinning import posed
from guerdon_rigging.voxels import Voxels, solid_voxels


def skeleton(joints, parents):
    return Skeleton(np.array(joints, float), np.array(parents))


def box(low, high):
    """Closed, of twelve triangles."""
    corners = np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])], float
    )
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [triangle for a, b, c, d in sides for triangle in ((a, b, c), (a, c, d))]
    return Mesh(corners, np.array(faces))


LINE = np.array([[place, 0, 0] for place in range(5)], float)
LINE_BLOCKS = ((np.ascontiguousarray(LINE.T), LINE.min(axis=0), LINE.max(axis=0)),)


@pytest.mark.parametrize(
    ("joints", "a", "expected"),
    [
        ([0], 0.05, 0.907101),
        ([2], 0.05, 0.942427),
        ([0, 4], 0.05, 0.961459),
        ([0, 1, 2, 3, 4], 0.05, 1.0),
        ([2], 1.0, 0.401286),
    ],
)
def test_coverage_is_that_of_the_sheet(joints, a, expected):
    """Example 5."""
    found = joint_coverage(LINE_BLOCKS, [np.array([[place, 0, 0] for place in joints], float)], a)
    assert found[0] == pytest.approx(expected, abs=1e-6)


def test_coverage_by_blocks_is_coverage_by_all_distances():
    rng = np.random.default_rng(0)
    filled = rng.random((21, 17, 30)) < 0.1
    solid = Voxels(filled, np.array([-1.0, -0.8, -0.7]), 0.07)
    every = [rng.uniform(-1.5, 1.5, (count, 3)) for count in (1, 7, 60)]
    found = joint_coverage(blocks_of(solid), every)
    for joints, value in zip(every, found, strict=True):
        nearest = np.linalg.norm(solid.centres[:, None] - joints[None], axis=2).min(axis=1)
        assert value == pytest.approx(np.exp(-PER_UNIT * nearest).mean(), rel=1e-12)


def test_a_of_the_frame_is_the_papers_a_of_voxels():
    """0.05 a voxel, 196 voxels over a side of 2."""
    assert pytest.approx(4.9) == PER_UNIT


def test_nothing_can_be_covered_where_nothing_is():
    with pytest.raises(RigError, match="no voxel"):
        joint_coverage((), [np.zeros((1, 3))])


ROD = Voxels(np.ones((5, 1, 1), bool), np.zeros(3), 1.0)


@pytest.mark.parametrize(("end", "expected"), [(4.5, 1.0), (8.5, 0.6)])
def test_containment_is_that_of_the_sheet(end, expected):
    """Example 6: of x = .5, 2.5, 4.5, 6.5, 8.5 three are inside; the root is no bone (it would make 0.8)."""
    one = skeleton([[0.5, 0.5, 0.5], [end, 0.5, 0.5]], [-1, 0])
    assert bone_containment(ROD, [one], steps=4).tolist() == [expected]


def test_a_lone_root_has_no_bone_to_contain():
    one, two = skeleton([[0.5, 0.5, 0.5]], [-1]), skeleton([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5]], [-1, 0])
    assert bone_containment(ROD, [one, two, one]).tolist() == [0.0, 1.0, 0.0]
    assert bone_containment(ROD, [one]).tolist() == [0.0]


def test_a_bone_of_no_length_is_a_point():
    """Pitfall: leaves that equal their parents."""
    assert bone_containment(ROD, [skeleton([[0.5, 0.5, 0.5]] * 2, [-1, 0])]).tolist() == [1.0]


def test_a_good_skeleton_is_inside_the_solid_and_outside_the_surface():
    """Pitfall: a containment test needs the filled solid."""
    mesh = box([-1, -0.5, -0.5], [1, 0.5, 0.5])
    from guerdon_rigging.voxels import surface_voxels

    middle = skeleton([[-0.5, 0, 0], [0.5, 0, 0]], [-1, 0])
    assert bone_containment(solid_voxels(mesh, 32), [middle]).tolist() == [1.0]
    assert bone_containment(surface_voxels(mesh, 32), [middle]).tolist() == [0.0]


def padded(rows):
    return np.array([[*row, *[0.0] * (6 - len(row))] for row in rows])


@pytest.mark.parametrize(("power", "expected"), [(0.5, 0.5), (1.0, 0.75)])
def test_sparsity_is_that_of_the_sheet(power, expected):
    """Example 7: one vertex of four is unbound, one has five weights above 0.1."""
    weights = padded([[1], [0.05] * 6, [0.2] * 5, [0.25] * 4])
    assert skin_sparsity([Skin(weights)], zero_power=power, many_power=power)[0] == pytest.approx(expected)


def test_a_skin_of_zeros_is_half_sparse():
    assert skin_sparsity([Skin(np.zeros((4, 3)))]).tolist() == [0.5]


def test_weights_of_exactly_the_bound_are_neither():
    """Ten weights of 0.1."""
    assert skin_sparsity([Skin(np.full((1, 10), 0.1))]).tolist() == [1.0]


POINTS = np.array([[0, 0, 0], [0.5, 0, 0], [2, 0, 0]])
CHAIN = skeleton([[0, 0, 0], [1, 0, 0]], [-1, 0])
PAIRS = (np.array([[0, 1], [1, 2]]), np.array([0.5, 1.5]))
QUARTER = np.array([[[0, 0, 0], [0, 0, np.pi / 2]]])


@pytest.mark.parametrize(
    ("weights", "stretch", "expected"),
    [
        ([[1, 0], [1, 0], [0, 1]], 1, 0.5),
        ([[1, 0], [0, 1], [0, 1]], 2.23606, 0.309017),
        ([[1, 0], [0.5, 0.5], [0, 1]], 1.58114, 0.387426),
        ([[1, 0], [1, 0], [1, 0]], 1, 0.5),
    ],
)
def test_smoothness_is_that_of_the_sheet(weights, stretch, expected):
    """Example 8."""
    skin = np.array(weights, float)
    assert largest_stretches(POINTS, PAIRS, Skin(skin), posed(CHAIN, QUARTER))[0] == pytest.approx(stretch, abs=1e-5)
    assert deformation_smoothness(POINTS, PAIRS, [CHAIN], [Skin(skin)], QUARTER)[0] == pytest.approx(expected, abs=1e-6)


def test_the_maxima_of_poses_are_averaged_and_not_their_rewards():
    """Example 8: stretches 1 and 2.23606 give 0.381966, and not 0.404509."""
    turns = np.concatenate([np.zeros((1, 2, 3)), QUARTER])
    skin = np.array([[1, 0], [0, 1], [0, 1]], float)
    assert deformation_smoothness(POINTS, PAIRS, [CHAIN], [Skin(skin)], turns)[0] == pytest.approx(0.381966, abs=1e-6)


def test_a_vertex_that_follows_no_joint_stays_where_it_is():
    """The edge from (0, 0, 0), which stays, to (2, 0, 0), which goes to (1, 1, 0): no longer than at rest; and to a
    vertex at (1, 0, 0) that a quarter turn about (0, 0, 0) takes to (0, 1, 0): from 0.5 to 1.118.
    """
    points = np.array([[0.5, 0, 0], [1, 0, 0]])
    root = skeleton([[0, 0, 0]], [-1])
    pairs = (np.array([[0, 1]]), np.array([0.5]))
    turn = np.array([[[0, 0, np.pi / 2]]])
    found = largest_stretches(points, pairs, Skin(np.array([[0.0], [1.0]])), posed(root, turn))
    assert found[0] == pytest.approx(np.sqrt(1.25) / 0.500001)


def test_edges_that_move_as_one_are_left_out_and_nothing_changes():
    """Against linear blend skinning of every edge."""
    rng = np.random.default_rng(1)
    points, joints = rng.uniform(-1, 1, (40, 3)), rng.uniform(-1, 1, (6, 3))
    tree = skeleton(joints, [-1, 0, 0, 1, 1, 3])
    skin = np.repeat(rng.dirichlet(np.ones(6), 10), 4, axis=0)
    ends = rng.integers(0, 40, (90, 2))
    ends = ends[ends[:, 0] != ends[:, 1]]
    rest = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    transforms = posed(tree, pose_turns(6, 5, degrees=80))
    expected = []
    for pose in transforms:
        moved = np.stack(
            [sum(w * (pose[j] @ [*x, 1]) for j, w in enumerate(row)) for x, row in zip(points, skin, strict=True)]
        )
        lengths = np.linalg.norm(moved[ends[:, 0]] - moved[ends[:, 1]], axis=1)
        expected.append(max(1, (lengths / (rest + 1e-6)).max()))
    assert largest_stretches(points, (ends, rest), Skin(skin), transforms) == pytest.approx(expected)


def test_slivers_are_skipped_and_hard_edges_are_welded():
    """Pitfall: two triangles that share an edge only by position; and an edge of 5e-5."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1 + 5e-5, 0]], float)
    pairs, rest = welded_edges(Mesh(corners, np.array([[0, 1, 2], [3, 5, 4], [3, 5, 6]])))
    assert len(pairs) == 6  # five of the square, and from (1, 0) to the far end of the sliver
    assert rest.min() > 0.9
    assert {3, 4}.isdisjoint(pairs.ravel().tolist())


@pytest.mark.parametrize("far", [1e160, 1e308])
@pytest.mark.filterwarnings("error")
def test_what_overflows_earns_nothing(far):
    """Files may say so. Differences of infinities are NaN, which no maximum sees: such an edge is stretched without
    end, such a bone is outside, and weight on it is on nothing that is near.
    """
    wide = skeleton([[far, 0, 0], [-far, 0, 0]], [-1, 0])
    skin = np.array([[1.0, 0], [0, 1], [1, 0]])
    turns = pose_turns(2)
    assert deformation_smoothness(POINTS, PAIRS, [wide], [Skin(skin)], turns).tolist() == pytest.approx([0], abs=1e-100)
    assert bone_containment(ROD, [wide])[0] <= 1 / 11  # its middle may be inside
    assert joint_coverage(LINE_BLOCKS, [wide.joints]).tolist() == [0.0]
    away = skeleton([[0, 0, 0], [far, 0, 0], [far, -far, 0]], [-1, 0, 1])
    assert near_share(POINTS, away, np.array([[0, 0, 1.0]] * 3)) == 0.0


def test_joint_j_turns_alike_however_many_joints_there_are():
    assert (pose_turns(3, 5, seed=2) == pose_turns(30, 5, seed=2)[:, :3]).all()
    assert abs(pose_turns(50, 5)).max() <= np.radians(30)


def test_a_joint_owns_what_it_holds_by_more_than_the_bound():
    assert Skin(np.array([[0.9, 0.1, 0], [0.8, 0.2, 0]])).owning().tolist() == [True, True, False]
    assert Skin(np.zeros((0, 2))).owning().tolist() == [False, False]


def test_weight_is_near_where_bones_are():
    """Two bones on a line; a point at the far end is 0 from the second and 1 from the first, beyond 0.1."""
    two = skeleton([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [-1, 0, 1])
    points = np.array([[2.0, 0, 0], [0.5, 0, 0]])
    assert near_share(points, two, np.array([[0, 0.5, 0.5], [1, 0, 0]])) == 1.0
    assert near_share(points, two, np.array([[1.0, 0, 0], [1, 0, 0]])) == 0.5
    assert near_share(points, two, np.zeros((2, 3))) == 0.0


@pytest.mark.parametrize(
    "mesh", [Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]])), Mesh(np.zeros((0, 3)), np.zeros((0, 3), int))]
)
def test_a_mesh_without_surface_or_extent_is_no_ground(mesh):
    with pytest.raises(RigError):
        Ground(mesh).make()


def test_how_evenly_weight_is_shared_and_how_direct_bones_are():
    """By hand: half of all on one joint and a quarter on two others is 2^1.5 joints' worth; of three joints on a line a
    star's bones are 3 long where 2 would do, and joints in one place need none."""
    assert even_share(Skin(np.array([[0.5, 0.5, 0, 0], [0.5, 0, 0.5, 0]]))) == pytest.approx(2**1.5 / 4)
    assert even_share(Skin(np.zeros((2, 3)))) == 0.0
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    assert directness(Skeleton(line, np.array([-1, 0, 1]))) == 1.0
    assert directness(Skeleton(line, np.array([-1, 0, 0]))) == pytest.approx(2 / 3)
    assert directness(Skeleton(line[[0, 0, 0]], np.array([-1, 0, 0]))) == 1.0
    assert directness(Skeleton(line[:1], np.array([-1]))) == 1.0
    assert directness(Skeleton(line * 1e200, np.array([-1, 0, 1]))) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_the_shortest_tree_is_scipys(seed):
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist

    joints = np.random.default_rng(seed).uniform(-1, 1, (30, 3))
    star = Skeleton(joints, np.array([-1] + [0] * 29))
    length = np.linalg.norm(joints[1:] - joints[0], axis=1).sum()
    assert directness(star) == pytest.approx(minimum_spanning_tree(cdist(joints, joints)).sum() / length)
