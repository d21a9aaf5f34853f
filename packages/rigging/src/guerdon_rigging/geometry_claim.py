"""The claim of the ground that the rigging package stands on: its reader is right, and heat is what is to be beaten.

Both parts run on real files alone: the folder `rigged` of what GUERDON_DATA names, with its `index.json`, which says of
each file whether its rest pose is its bind pose. Where there is none, a made rig goes through the writer and the
reader, and the rest is reported as not run.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.errors import ConfigError
from guerdon_rigging.baselines import (
    Baseline,
    ClosestBone,
    Heat,
    InverseDistance,
    Smoothed,
    VoxelGeodesic,
)
from guerdon_rigging.bind_poses import SAME, bind_error
from guerdon_rigging.canonical import canonical
from guerdon_rigging.gltf_skins import StoredRig, read_stored
from guerdon_rigging.gltf_writing import LEAST, write_rig
from guerdon_rigging.rigs import Floats, Mesh, Rig, Skeleton
from guerdon_rigging.skin_metrics import l1_per_entry, l1_per_vertex, motion_loss, overlap
from guerdon_rigging.skinning import random_poses
from guerdon_rigging.weights import kept

INDEX = "index.json"
ROUND_TRIP = 1e-5
CLOSEST, HEAT = "closest bone", "heat, c = 1"
METHODS: dict[str, tuple[Baseline, tuple[str, str, str, str]]] = {
    CLOSEST: (ClosestBone(), (".785", ".414", ".796", ".0503")),
    "closest, 3 x smoothed": (Smoothed(), (".640", ".761", ".738", ".0459")),
    "inverse distance, e = 4": (InverseDistance(4.0), (".521", ".864", ".833", ".0512")),
    "inverse distance, e = 8": (InverseDistance(8.0), (".605", ".791", ".749", ".0457")),
    HEAT: (Heat(1.0), (".586", ".843", ".717", ".0444")),
    "heat, c = 0.22": (Heat(0.22), (".512", ".828", ".864", ".0516")),
    "voxel geodesic": (VoxelGeodesic(), (".456", ".899", ".959", ".0583")),
    "voxel geodesic, grid weight 1": (VoxelGeodesic(grid_weight=1.0), ("", "", "", "")),
}
"""Each method, and its row of the fact sheet's table: precision, recall, L1 per vertex, L1 per entry."""

NOTES = (
    "Apart from the poses of the motion loss nothing is drawn: every seed measures the same. The earlier trial took 56 "
    "of the files, which it does not name; here all are taken that can be read. Precision and recall are of the skins "
    "as the baselines cut them, at 2 % of a row's largest: with Puppeteer's further cut at 15 % precision rises and "
    "recall falls, away from the earlier trial's. The voxel geodesic is worse than in that trial; at grid weight 1 it "
    "is near it, and which details differ is not known."
)


@dataclass
class _Found:
    """What is measured, file by file."""

    bind_errors: list[tuple[bool | None, float]] = field(default_factory=list)
    """Whether the index says that rest is bind, and the error."""
    round_trips: list[tuple[float, float, float]] = field(default_factory=list)
    """The largest difference in vertices, weights and joints."""
    skins: dict[str, list[tuple[float, float, float, float]]] = field(default_factory=dict)
    """Of each method: precision, recall, L1 per vertex and per entry."""
    motions: dict[str, list[list[float]]] = field(default_factory=dict)
    """Of each method that is needed for the claim, for each seed: mean distances."""


@dataclass(frozen=True)
class RiggingGeometry(Claim):
    """Rest against bind, written and read back, and baselines against the artists' weights, over a folder of rigs."""

    name: ClassVar[str] = "rigging_geometry"
    seeds: ClassVar[int] = 1
    paper: ClassVar[str] = "glTF 2.0 skins; Automatic Rigging and Animation of 3D Characters (Baran and Popovic 2007)"
    statement: ClassVar[str] = (
        "Skins are read and posed rightly: rest is bind for the files that say so and for no others, and rigs survive "
        "writing. Heat weights beat the closest bone in mean L1, on most files, and lose precision."
    )

    data: str | None = None
    """The folder of rigs with its `index.json`; null takes `rigged` in the folder that GUERDON_DATA names."""

    def run(self, seeds: Sequence[int] = (0,), progress: Progress = no_progress) -> ClaimResult:
        """It holds where every file does as it should, and heat is nearer than the closest bone on the mean."""
        folder = self.folder
        if folder is None:
            return self._made(seeds)
        found = self._measured(folder, seeds, progress)
        same = [error for is_bind, error in found.bind_errors if is_bind]
        other = [error for is_bind, error in found.bind_errors if is_bind is False]
        right, moved = sum(error < SAME for error in same), sum(error >= SAME for error in other)
        trips = [max(values) for values in zip(*found.round_trips, strict=True)]
        table = {method: np.array(rows) for method, rows in found.skins.items()}
        gain = float((table[CLOSEST][:, 2] - table[HEAT][:, 2]).mean())
        better = float((table[HEAT][:, 2] < table[CLOSEST][:, 2]).mean())
        lost = float(np.nanmean(table[CLOSEST][:, 0]) - np.nanmean(table[HEAT][:, 0]))
        held = right == len(same) and moved == len(other) and max(trips) <= ROUND_TRIP
        held = held and bool(same) and bool(other) and gain > 0 and better > 0.5 and lost > 0

        def each(name: str, value: float, needed: str = "", earlier: str = "") -> Measurement:
            return Measurement(name, (float(value),) * len(seeds), needed=needed, earlier=earlier)

        limit = f"<= {ROUND_TRIP:g}"
        measurements = [
            each("files read", len(found.round_trips), earlier="60"),
            each("rest = bind files whose vertices agree", right, needed=f"all {len(same)}", earlier="25"),
            each("largest error of those", max(same, default=np.nan), needed=f"< {SAME:g} of the size"),
            each("other files whose vertices do not", moved, needed=f"all {len(other)}", earlier="34"),
            each("smallest error of those", min(other, default=np.nan), needed=f">= {SAME:g} of the size"),
            *(
                each(f"written and read back: {what}", trip, needed=limit)
                for what, trip in zip(("vertices", "weights", "joints"), trips, strict=True)
            ),
            each("L1 per vertex gained by heat", gain, needed="> 0", earlier=".079"),
            each("files on which heat is nearer", better, needed="> 0.5", earlier=".79"),
            each("precision lost by heat", lost, needed="> 0", earlier=".199"),
            *(
                Measurement(f"mean distance in motion, {method}", tuple(float(np.mean(one)) for one in motions))
                for method, motions in found.motions.items()
            ),
        ]
        for method, (_, anchors) in METHODS.items():
            columns = ("precision", "recall", "L1 per vertex", "L1 per entry")
            means = np.nanmean(table[method], axis=0)
            measurements += [
                each(f"{what}, {method}", mean, earlier=anchor)
                for what, mean, anchor in zip(columns, means, anchors, strict=True)
            ]
        return self.result(held, measurements, seeds, NOTES)

    @property
    def folder(self) -> Path | None:
        """Where the files are; None where there are none.

        Raises:
            ConfigError: `data` names a folder without an index.
        """
        if self.data is not None:
            folder = Path(self.data).expanduser()
            if not (folder / INDEX).is_file():
                raise ConfigError(f"RiggingGeometry.data is {self.data!r}, which has no {INDEX}")
            return folder
        root = os.environ.get("GUERDON_DATA")
        found = Path(root) / "rigged" if root else None
        return found if found is not None and (found / INDEX).is_file() else None

    def _measured(self, folder: Path, seeds: Sequence[int], progress: Progress) -> _Found:
        entries = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found = _Found(skins={method: [] for method in METHODS})
        found.motions = {method: [[] for _ in seeds] for method in (CLOSEST, HEAT)}
        for place, entry in enumerate(entries):
            progress(place, len(entries), str(entry["file"]))
            stored = read_stored(folder / str(entry["file"]))
            found.bind_errors.append((entry["rest_equals_bind"], bind_error(stored)))
            rig = canonical(stored).rig
            found.round_trips.append(round_trip(rig))
            for method, skin in _skins(rig):
                counted = overlap(skin, rig.weights, relative=0.0)
                distances = l1_per_vertex(skin, rig.weights), l1_per_entry(skin, rig.weights)
                found.skins[method].append((counted.precision, counted.recall, *distances))
                for row, seed in zip(found.motions.get(method, ()), seeds, strict=False):
                    turns = random_poses(len(rig.skeleton), seed=seed)
                    row.append(motion_loss(rig.mesh.vertices, rig.skeleton, skin, rig.weights, turns).mean)
        progress(len(entries), len(entries), "done")
        return found

    def _made(self, seeds: Sequence[int]) -> ClaimResult:
        trips = round_trip(made_rig())
        measurements = [
            Measurement(f"a made rig, written and read back: {what}", (trip,) * len(seeds), needed=f"<= {ROUND_TRIP:g}")
            for what, trip in zip(("vertices", "weights", "joints"), trips, strict=True)
        ]
        lacking = f"all that is claimed of real files: GUERDON_DATA names no folder with rigged/{INDEX}"
        return self.result(max(trips) <= ROUND_TRIP, measurements, seeds, "One made rig.", not_run=[lacking])


def round_trip(rig: Rig) -> tuple[float, float, float]:
    """The largest difference in vertices, weights and joints once the rig is written and read back.

    Compared with the four largest weights of a vertex, which is what is written; one that follows no joint follows the
    root in files. Infinite where there is another number of vertices or joints, or other triangles or parents.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rig.glb"
        write_rig(rig, path)
        stored: StoredRig = read_stored(path)
        back = canonical(stored, joints="all").rig
    pairs = (rig.mesh.faces, back.mesh.faces), (rig.skeleton.parents, back.skeleton.parents)
    same = len(rig.mesh.vertices) == len(back.mesh.vertices) and all(np.array_equal(*pair) for pair in pairs)
    if not same:
        return (float("inf"),) * 3
    wanted = kept(np.where(kept(rig.weights) < LEAST, 0.0, rig.weights))
    wanted[~wanted.any(axis=1), 0] = 1.0
    differences = (
        rig.mesh.vertices - back.mesh.vertices,
        wanted - back.weights,
        rig.skeleton.joints - back.skeleton.joints,
    )
    vertices, weights, joints = (float(np.abs(one).max()) for one in differences)
    return vertices, weights, joints


def made_rig() -> Rig:
    """A capsule about three joints in a row, weights by inverse distance."""
    import trimesh

    body = trimesh.creation.capsule(height=1.6, radius=0.2)
    mesh = Mesh(np.array(body.vertices, np.float64), np.array(body.faces, np.int64))
    skeleton = Skeleton(np.array([(0, 0, -0.9), (0, 0, 0.0), (0, 0, 0.5)]), np.array([-1, 0, 1]))
    weights = InverseDistance(4.0)(mesh, skeleton)
    return Rig(mesh, skeleton, weights, "made")


def _skins(rig: Rig) -> Iterator[tuple[str, Floats]]:
    for method, (skinner, _) in METHODS.items():
        yield method, skinner(rig.mesh, rig.skeleton)
