"""On how many rigged files a hack earns more than the artist's own rig: the table of guerdon-rigging's README.

    python benchmarks/rig_hacks.py FOLDER            # FOLDER of .glb and .gltf; 60 files take a minute or two
    python benchmarks/rig_hacks.py FOLDER --seed 1   # other draws

Of each hack: on how many files its `rigging/tokenrig-v1` is above the artist's as printed and by default, its mean
gain by default, and on how many it is where skeletons alone are asked for, by default. Files of one joint are left out.
Skins are as those of a text rig: without weights below 0.001, normalised. Each hack draws from the same seed anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from guerdon.progress import progress
from guerdon_rigging.answers import Answered, skin_of
from guerdon_rigging.baselines import baseline
from guerdon_rigging.bones import joint_distances
from guerdon_rigging.rewards import Candidates, TokenRig
from guerdon_rigging.rig_folders import RigFolder
from guerdon_rigging.rig_scores import Ground
from guerdon_rigging.rigs import Floats, Rig, Skeleton
from guerdon_rigging.spread_trees import middlemost, shortest_tree, spread

Hacked = tuple[Skeleton, Floats]
Hack = Callable[[Rig, Floats, np.random.Generator], Hacked]
"""Of the artist's rig, the middles of the voxels inside (C, 3), and draws."""


def one_bone(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
    """Everything on the bone that has most."""
    skin = np.zeros_like(rig.weights)
    skin[:, rig.weights.sum(axis=0).argmax()] = 1
    return rig.skeleton, skin


def scattered(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
    """200 joints inside, hung on the root, that own nothing."""
    joints = np.vstack([rig.skeleton.joints, some(inside, 200, draw)])
    parents = np.concatenate([rig.skeleton.parents, np.zeros(200, np.int64)])
    return Skeleton(joints, parents), np.hstack([rig.weights, np.zeros((len(rig.weights), 200))])


def root_has_all(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
    """A star whose root has every vertex; of one each, other joints have so much that they own it."""
    skeleton, skin = star(some(inside, 40, draw)), np.zeros((len(rig.weights), 40))
    skin[:, 0] = 1
    for joint in range(1, 40):
        nearest = np.linalg.norm(rig.mesh.vertices - skeleton.joints[joint], axis=1).argmin()
        skin[nearest] = 0
        skin[nearest, [0, joint]] = 0.89, 0.11
    return skeleton, skin


def star_of(count: int) -> Hack:
    """Joints anywhere inside, hung on the first, bound by inverse distances."""
    return lambda rig, inside, draw: by_distances(rig, star(some(inside, count, draw)))


def scattered_tree(count: int) -> Hack:
    """Joints anywhere inside, joined by their shortest tree, bound by inverse distances."""
    return lambda rig, inside, draw: by_distances(rig, shortest_tree(some(inside, count, draw))[0])


def k_means(count: int) -> Hack:
    """Joints of `spread`, joined by their shortest tree from the middlemost, bound by inverse distances."""

    def hack(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
        joints = spread(inside, count, draw)
        return by_distances(rig, shortest_tree(joints, middlemost(joints))[0])

    return hack


def closest_bone(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
    """The artist's skeleton, each vertex on its closest bone."""
    return rig.skeleton, baseline("closest-bone")(rig.mesh, rig.skeleton)


def four_nearest(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
    """The artist's skeleton, each vertex evenly on its four nearest bones."""
    order = joint_distances(rig.mesh.vertices, rig.skeleton).argsort(axis=1, kind="stable")
    skin = np.zeros_like(rig.weights)
    np.put_along_axis(skin, order[:, :4], 1.0, axis=1)
    return rig.skeleton, skin


def another_root(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
    """The artist's joints and skin; the tree is the shortest, and its root the tip that is furthest out."""
    tips = [joint for joint, below in enumerate(rig.skeleton.children) if not below]
    skeleton, order = shortest_tree(
        rig.skeleton.joints, max(tips, key=np.linalg.norm(rig.skeleton.joints, axis=1).item)
    )
    return skeleton, rig.weights[:, order]


def random_parents(rig: Rig, inside: Floats, draw: np.random.Generator) -> Hacked:
    """The artist's joints and skin in a drawn order; each joint hangs on one of the two nearest before it."""
    order = draw.permutation(len(rig.skeleton))
    joints, parents = rig.skeleton.joints[order], [-1]
    for at in range(1, len(joints)):
        nearest = np.linalg.norm(joints[:at] - joints[at], axis=1).argsort(kind="stable")
        parents.append(int(draw.choice(nearest[:2])))
    return Skeleton(joints, np.array(parents)), rig.weights[:, order]


HACKS: dict[str, Hack] = {
    "everything on one bone of the artist's": one_bone,
    "200 further joints inside, which own nothing": scattered,
    "star of 40 inside, its root has nearly all": root_has_all,
    "star of 40 inside, inverse distances": star_of(40),
    "star of 20 inside, inverse distances": star_of(20),
    "artist's skeleton, closest bone": closest_bone,
    "artist's skeleton, evenly on the 4 nearest": four_nearest,
    "artist's joints and skin, another root and tree": another_root,
    "artist's joints and skin, random parents": random_parents,
    "20 anywhere inside, shortest tree": scattered_tree(20),
    "40 anywhere inside, shortest tree": scattered_tree(40),
    "16 by k-means, shortest tree": k_means(16),
    "28 by k-means, shortest tree": k_means(28),
}


def some(inside: Floats, count: int, draw: np.random.Generator) -> Floats:
    """Voxels inside, drawn."""
    return inside[draw.integers(0, len(inside), count)]


def star(joints: Floats) -> Skeleton:
    """All hung on the first."""
    return Skeleton(joints, np.array([-1] + [0] * (len(joints) - 1)))


def by_distances(rig: Rig, skeleton: Skeleton) -> Hacked:
    """With a skin by inverse distances to its bones, to the fourth power."""
    return skeleton, baseline("inverse-distance", exponent=4)(rig.mesh, skeleton)


def gains(rig: Rig, seed: int) -> Floats:
    """(hacks, 3): earned beyond the artist's rig, as printed, by default, and by default as skeletons alone."""
    ground = Ground(rig.mesh).make()
    made = [hack(rig, ground.solid.centres, np.random.default_rng(seed)) for hack in HACKS.values()]
    rigs = [(rig.skeleton, rig.weights), *made]
    skinned = Candidates(ground, [Answered(skeleton, weights=skin_of(skin)) for skeleton, skin in rigs])
    alone = Candidates(ground, [Answered(skeleton) for skeleton, _ in rigs])
    totals = [
        TokenRig(mode="printed").measure(skinned)[0],
        TokenRig().measure(skinned)[0],
        TokenRig().measure(alone)[0],
    ]
    found: Floats = np.stack([total[1:] - total[0] for total in totals], axis=1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rigs = [rig for rig in RigFolder(asked.folder).rigs() if len(rig.skeleton) > 1]
    rows = []
    with progress("hacking", len(rigs)) as bar:
        for rig in rigs:
            rows.append(gains(rig, asked.seed))
            bar.advance()
    table = np.array(rows)  # (files, hacks, 3)
    won = (table > 1e-9).sum(axis=0)
    print(
        f"{f'more than the artist earns, of {len(rigs)} files':50}{'printed':>9}{'default':>9}{'gain':>8}{'alone':>7}"
    )
    for name, (printed, default, alone), gain in zip(HACKS, won.tolist(), table[:, :, 1].mean(axis=0), strict=True):
        print(f"{name:50}{printed:9}{default:9}{gain:+8.2f}{alone:7}")


if __name__ == "__main__":
    main()
