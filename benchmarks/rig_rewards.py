"""TokenRig's four rewards for 24 candidate rigs of one mesh of 10,000 vertices: all at once, and one by one.

    python benchmarks/rig_rewards.py            # about two minutes on a busy core
    python benchmarks/rig_rewards.py --rounds 3

One by one is the plain way to write the formulas down with trimesh and numpy: voxels, all distances from voxels to
joints, linear blend skinning by dense products, every edge. Once with the voxels made for each candidate, as a reward
that is called with one rollout makes them, and once with them made beforehand. All at once is the package's own code,
what it makes once for the mesh included. Rounds are interleaved, and the ratio is taken round by round. The rewards
are those as printed; what the repaired ones add is timed beside it.
"""

import argparse
import statistics
import time

import numpy as np
import trimesh
from scipy.spatial.distance import cdist

from guerdon_rigging.answers import Answered
from guerdon_rigging.creatures import creature
from guerdon_rigging.rewards import Candidates, TokenRig
from guerdon_rigging.rig_scores import PER_UNIT, STEPS, Ground, pose_turns
from guerdon_rigging.rigs import Mesh, Skeleton
from guerdon_rigging.skinning import posed

GROUP, GRID = 24, 64


def made(rng):
    """A humanoid with its triangles divided, and 24 rigs: joints jittered, skins remixed a little."""
    rig = creature("humanoid", 8)
    mesh, weights = trimesh.Trimesh(rig.mesh.vertices, rig.mesh.faces, process=False), rig.weights
    while len(mesh.vertices) < 10_000:
        vertices, faces, values = trimesh.remesh.subdivide(mesh.vertices, mesh.faces, vertex_attributes={"w": weights})
        mesh, weights = trimesh.Trimesh(vertices, faces, process=False), values["w"]
    skeletons, skins = [], []
    for _ in range(GROUP):
        moved = rig.skeleton.joints + rng.normal(0, 0.02, rig.skeleton.joints.shape)
        skeletons.append(Skeleton(moved, rig.skeleton.parents))
        skin = weights * rng.uniform(0.5, 1.5, weights.shape[1])
        skins.append(skin / skin.sum(axis=1, keepdims=True))
    return Mesh(np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64)), skeletons, skins


def voxelised(mesh):
    """As trimesh makes them: filled voxels, their centres, and a test of points."""
    grid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).voxelized(2 / GRID).fill()
    return grid.points, grid.is_filled


def one_by_one(mesh, skeletons, skins, turns, voxels=None):
    """The four rewards of each candidate, (G, 4)."""
    edges = mesh.edges
    rest = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    long = rest >= 1e-4
    found = []
    for skeleton, skin in zip(skeletons, skins, strict=True):
        centres, inside = voxels or voxelised(mesh)
        covered = np.exp(-PER_UNIT * cdist(centres, skeleton.joints).min(axis=1)).mean()
        shares = np.linspace(0, 1, STEPS + 1)[:, None]
        contained = []
        for joint in range(1, len(skeleton)):
            start, end = skeleton.joints[skeleton.parents[joint]], skeleton.joints[joint]
            contained.append(inside(start + shares * (end - start)).mean())
        sparse = 1 - (skin < 0.1).all(axis=1).mean() ** 0.5 / 2 - ((skin > 0.1).sum(axis=1) > 4).mean() ** 0.5 / 2
        stretches = []
        for pose in posed(skeleton, turns[:, : len(skeleton)]):
            blended = np.einsum("nj,jab->nab", skin, pose)
            moved = np.einsum("nab,nb->na", blended[..., :3], mesh.vertices) + blended[..., 3]
            lengths = np.linalg.norm(moved[edges[:, 0]] - moved[edges[:, 1]], axis=1)
            stretches.append(np.maximum(1, lengths / (rest + 1e-6))[long].max())
        found.append([covered, np.mean(contained), sparse, 1 / (1 + np.mean(stretches))])
    return np.array(found)


def together(mesh, skeletons, skins, mode, ground=None):
    """The same by the package, from the mesh on; or from what is kept for a mesh from its second batch on."""
    rigs = [Answered(one, weights=skin) for one, skin in zip(skeletons, skins, strict=True)]
    reward = TokenRig(mode=mode, grid=GRID)
    candidates = Candidates(ground or Ground(mesh, GRID).make(), rigs)
    return np.stack([term.measure(candidates)[0] for term in reward.terms], axis=1)


def timed(function, *given):
    start = time.process_time()
    result = function(*given)
    return time.process_time() - start, result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    mesh, skeletons, skins = made(np.random.default_rng(0))
    turns = pose_turns(max(map(len, skeletons)))
    print(f"{GROUP} rigs of {len(skeletons[0])} joints, {len(mesh.vertices):,} vertices, {len(mesh.edges):,} edges")
    ground = Ground(mesh, GRID).make()
    same = one_by_one(mesh, skeletons, skins, turns, (ground.solid.centres, ground.solid.contains))
    ours = together(mesh, skeletons, skins, "printed")
    print(f"largest difference on the same voxels: {abs(same - ours).max():.1e}")
    ways = {
        "one by one, voxels each time": lambda: one_by_one(mesh, skeletons, skins, turns),
        "one by one, voxels beforehand": lambda: one_by_one(mesh, skeletons, skins, turns, voxelised(mesh)),
        "all at once, printed": lambda: together(mesh, skeletons, skins, "printed"),
        "all at once, printed, mesh kept": lambda: together(mesh, skeletons, skins, "printed", ground),
        "all at once, repaired": lambda: together(mesh, skeletons, skins, "repaired"),
    }
    seconds = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(timed(way)[0])
    for name, values in seconds.items():
        print(f"{name:32s} {spread(values, 's')}")
    for slow in list(ways)[:2]:
        for fast in list(ways)[2:]:
            ratios = [one / other for one, other in zip(seconds[slow], seconds[fast], strict=True)]
            print(f"{slow} / {fast}: {spread(ratios, 'x')}")


def spread(values, unit):
    return f"min {min(values):.3g} {unit}, median {statistics.median(values):.3g} {unit}, max {max(values):.3g} {unit}"


if __name__ == "__main__":
    main()
