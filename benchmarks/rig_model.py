"""What the shipped model makes of held-out files: skins of their skeletons beside every baseline, and whole rigs.

    python benchmarks/rig_model.py FOLDER [--policy FILE --codec FILE] [--regression FILE] [--attempts 8]

Every fifth file of the folder was not trained on. Of each method the means over these files: L1 (both conventions),
precision and recall of influences (none cut), and on how many files it is nearer to the artist's than heat is. `true
codes` is what the codec makes of the answer itself: no policy that writes its codes can be expected to do better. The
prior alone is `inverse distance, e = 8`. Of whole rigs: J2J, J2B and B2B x 100 against the artist's skeleton, and the
reward, which the artist's own rig has beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from guerdon.progress import progress
from guerdon_rigging.answers import Answered
from guerdon_rigging.baselines import baseline
from guerdon_rigging.codec_shapes import SMALL
from guerdon_rigging.rewards import Candidates, TokenRig
from guerdon_rigging.rig_folders import RigFolder
from guerdon_rigging.rig_scores import Ground
from guerdon_rigging.rigger import Rigger
from guerdon_rigging.rigs import Floats, Rig
from guerdon_rigging.skeleton_metrics import skeleton_distances
from guerdon_rigging.skin_metrics import l1_per_entry, l1_per_vertex, overlap
from guerdon_rigging.weights import kept

Method = Callable[[Rig], Floats]
BASELINES = {
    "closest bone": ("closest-bone", {}),
    "smoothed": ("smoothed", {}),
    "inverse distance, e = 4": ("inverse-distance", {"exponent": 4}),
    "inverse distance, e = 8": ("inverse-distance", {"exponent": 8}),
    "heat, c = 1": ("heat", {"c": 1.0}),
    "heat, c = 0.22": ("heat", {"c": 0.22}),
    "voxel geodesic": ("voxel-geodesic", {}),
    "bounded biharmonic": ("bounded-biharmonic", {}),
}
REFERENCE = "heat, c = 1"


def methods(rigger: Rigger, regression: Path | None, attempts: int) -> dict[str, Method]:
    """By name."""

    def of_baseline(name: str, settings: dict[str, float]) -> Method:
        made = baseline(name, **settings)
        return lambda rig: made(rig.mesh, rig.skeleton)

    found = {shown: of_baseline(*chosen) for shown, chosen in BASELINES.items()}
    if regression is not None:
        from guerdon_rigging.skin_regression import BoneRegressor

        network = BoneRegressor(SMALL)
        network.load_state_dict(torch.load(regression, weights_only=True))
        network.eval()
        found["MSE regression, same size"] = lambda rig: kept(network.skin(rig.mesh, rig.skeleton))
    codec, bare = rigger.codec, replace(rigger, prior=None)

    def coded(rig: Rig) -> Floats:
        return codec.decode(codec.condition(rig.mesh), codec.encode(rig))

    found["true codes"] = lambda rig: kept(coded(rig))
    found["true codes x prior"] = lambda rig: kept(rigger.placed(rig.mesh, rig.skeleton, coded(rig)))
    found["shipped, without prior"] = lambda rig: bare.skin(rig.mesh, rig.skeleton, attempts=attempts).weights
    found["shipped, one attempt"] = lambda rig: rigger.skin(rig.mesh, rig.skeleton, attempts=1).weights
    found[f"shipped, {attempts} attempts"] = lambda rig: rigger.skin(rig.mesh, rig.skeleton, attempts=attempts).weights
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--codec", type=Path)
    parser.add_argument("--regression", type=Path)
    parser.add_argument("--attempts", type=int, default=8)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rigger = Rigger.of_files(asked.policy, asked.codec)
    rigs = list(RigFolder(asked.folder).rigs("test"))
    tried = methods(rigger, asked.regression, asked.attempts)
    rows: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in tried}
    with progress("skinning", len(rigs) * len(tried)) as bar:
        for rig in rigs:
            for name, method in tried.items():
                skin = method(rig)
                found = overlap(skin, rig.weights, relative=0.0)
                rows[name].append(
                    (
                        l1_per_vertex(skin, rig.weights),
                        l1_per_entry(skin, rig.weights),
                        found.precision,
                        found.recall,
                    )
                )
                bar.advance()
    print(f"{len(rigs)} held-out files: {', '.join(rig.name for rig in rigs)}")
    print(f"{'method':28}{'L1/vertex':>11}{'L1/entry':>11}{'precision':>11}{'recall':>9}   nearer than {REFERENCE}")
    reference = np.array(rows[REFERENCE])[:, 0]
    for name, values in rows.items():
        table = np.array(values)
        vertex, entry, precision, recall = np.nanmean(table, axis=0)
        won = int((table[:, 0] < reference).sum())
        print(f"{name:28}{vertex:11.3f}{entry:11.4f}{precision:11.3f}{recall:9.3f}   {won} of {len(rigs)}")
    print(f"{'whole rigs':28}{'J2J':>11}{'J2B':>11}{'B2B':>11}{'reward':>9}   joints")
    for attempts in (1, asked.attempts):
        whole(f"{attempts} attempt{'s' * (attempts > 1)}", rigs, [rigger.rig(rig.mesh, 0, attempts) for rig in rigs])
    whole("the artist's", rigs, rigs)


def whole(name: str, rigs: Sequence[Rig], made: Sequence[Rig]) -> None:
    """A row of means."""
    table = []
    for rig, one in zip(rigs, made, strict=True):
        found = skeleton_distances(one.skeleton, rig.skeleton)
        answer = Answered(one.skeleton, weights=one.weights)
        value, _ = TokenRig().measure(Candidates(Ground(rig.mesh).make(), [answer]))
        table.append((100 * found.j2j, 100 * found.j2b, 100 * found.b2b, float(value[0]), len(one.skeleton)))
    j2j, j2b, b2b, value, joints = np.mean(table, axis=0)
    print(f"{name:28}{j2j:11.2f}{j2b:11.2f}{b2b:11.2f}{value:9.3f}   {joints:.1f}")


if __name__ == "__main__":
    main()
