"""Made rigs: creatures and props with a watertight mesh, a known skeleton and exact weights, as many as wanted.

    from guerdon_rigging.creatures import creature

    rig = creature("quadruped", seed=3)

A kind and a seed always give the same rig. Training that needs thousands keeps them on disk (`made_rigs`).

Source: rigging_geometry sheet, "Made rigs" [choice]: random trees of tapered capsules, a smooth union of their distance
fields, marching cubes, weights from the distance to the owning bone and its tree neighbours.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import overload

import numpy as np

from guerdon.cached_folders import built_once, cache_folder
from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon.progress import progress
from guerdon_rigging import augmentation, bodies, body_plans, prop_plans, surfaces
from guerdon_rigging.bodies import Body
from guerdon_rigging.rigs import Floats, Mesh, Rig, RigError, Skeleton

Plan = Callable[[np.random.Generator], Body]

PLANS: MappingProxyType[str, Plan] = MappingProxyType(
    {
        "humanoid": body_plans.humanoid,
        "quadruped": body_plans.quadruped,
        "snake": body_plans.snake,
        "insect": body_plans.insect,
        "bird": body_plans.bird,
        "fish": body_plans.fish,
        "lamp": prop_plans.lamp,
        "crane": prop_plans.crane,
        "chest": prop_plans.chest,
        "plant": prop_plans.plant,
        "blob": prop_plans.blob,
    }
)
KINDS = tuple(PLANS)
"""Every kind of creature."""
SHARD = 64
"""Rigs of one folder on disk."""
DRAWS = 10
"""Bodies drawn until no joint is buried in another's solid, and limbs keep apart."""
FUSED = 0.015
"""Share of edges between joints that are no relatives, at most: such skin tears when posed."""


def creature(kind: str, seed: int) -> Rig:
    """The rig of that kind and seed, its mesh in [-1, 1]^3 as the canonical frame has it, y up, its front at +z.

    1500 to 4000 vertices in one watertight component; at most four influences a vertex, rows that sum to 1, and no
    joint without skin: a draw that buries one, or has limbs grown together, is drawn again.

    Raises:
        ConfigError: no such kind, or a seed that is no whole number >= 0.
    """
    one_of("kind", kind, KINDS)
    whole_number("seed", seed, 0)
    generator = np.random.default_rng([seed, KINDS.index(kind)])
    for _ in range(DRAWS):
        body = PLANS[kind](generator)
        body.pose(generator)
        low, high = surfaces.VERTICES
        mesh = surfaces.surface(body, int(generator.uniform(low * 1.15, high * 0.88)), generator=generator)
        weights = surfaces.weights(body, mesh.vertices)
        if (weights.max(axis=0) > 0).all() and _fused(mesh, weights, body) <= FUSED:
            break
    else:
        raise RigError(
            f"{kind} {seed}: in {DRAWS} draws a joint had no skin or limbs ran into each other; the plan is at fault"
        )
    skeleton = Skeleton(np.array(body.joints), body.parent_array, tuple(body.names))
    return augmentation.normalised(Rig(mesh, skeleton, weights, name=f"{kind}-{seed}"))


def _fused(mesh: Mesh, weights: Floats, body: Body) -> float:
    """The share of edges whose ends' joints are further apart in the tree than siblings are."""
    parents = body.parent_array
    step = np.eye(len(parents), dtype=np.int64)
    step[np.arange(1, len(parents)), parents[1:]] = step[parents[1:], np.arange(1, len(parents))] = 1
    near = step @ step > 0
    owners = weights.argmax(axis=1)[mesh.edges]
    return float((~near[owners[:, 0], owners[:, 1]]).mean())


def creatures(seed: int = 0, kinds: Sequence[str] = KINDS) -> Iterator[Rig]:
    """Without end: each kind in turn, with seeds `seed * 1,000,000` and on.

    Raises:
        ConfigError: no kind, one that is none, or a seed that is no whole number >= 0.
    """
    _check_stream(seed, kinds)
    return (_numbered(index, seed, kinds) for index in itertools.count())


def _check_stream(seed: int, kinds: Sequence[str]) -> None:
    whole_number("seed", seed, 0)
    if not kinds:
        raise ConfigError(f"kinds is {kinds!r}; one at least is needed, of {', '.join(KINDS)}")
    if unknown := [kind for kind in kinds if kind not in PLANS]:
        raise ConfigError(f"kinds names {unknown[0]!r}; accepted are {', '.join(KINDS)}")


def _numbered(index: int, seed: int, kinds: Sequence[str]) -> Rig:
    return creature(kinds[index % len(kinds)], seed * 1_000_000 + index // len(kinds))


class MadeRigs(Sequence[Rig]):
    """Rigs on disk, read as they are asked for."""

    def __init__(self, shards: Sequence[Path], count: int) -> None:
        self._shards, self._count = shards, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Rig: ...
    @overload
    def __getitem__(self, index: slice) -> list[Rig]: ...
    def __getitem__(self, index: int | slice) -> Rig | list[Rig]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(self._count))]
        at = range(self._count)[index]
        return _read(self._shards[at // SHARD] / f"{at % SHARD:03}.npz")


def made_rigs(count: int, seed: int = 0, *, kinds: Sequence[str] = KINDS, folder: Path | None = None) -> MadeRigs:
    """The first `count` of `creatures(seed, kinds)`, made on first use and kept on disk.

    A longer set takes over what a shorter one made, and a run that was killed goes on with the next sixty-four. Sets
    are kept apart by what made them: a changed plan makes them anew.

    Args:
        count: how many.
        seed: of `creatures`.
        kinds: of `creatures`.
        folder: where; None for guerdon's cache.

    Raises:
        ConfigError: `count` is no whole number >= 1, or see `creatures`.
    """
    whole_number("count", count, 1)
    _check_stream(seed, kinds)
    place = (folder or cache_folder() / "made-rigs") / f"{_version(kinds)}-{seed}"
    shards = [place / f"{number:05}" for number in range((count + SHARD - 1) // SHARD)]
    missing = [(number, shard) for number, shard in enumerate(shards) if not shard.is_dir()]
    with progress("making rigs", len(missing) * SHARD) as bar:
        for number, shard in missing:

            def build(scratch: Path, first: int = number * SHARD) -> None:
                for index in range(SHARD):
                    _write(scratch / f"{index:03}.npz", _numbered(first + index, seed, kinds))
                    bar.advance()

            built_once(shard, build)
    return MadeRigs(shards, count)


def _version(kinds: Sequence[str]) -> str:
    """Of the code that makes them, and of the kinds."""
    digest = hashlib.sha256(",".join(kinds).encode())
    for module in (bodies, body_plans, prop_plans, surfaces):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]


def _write(path: Path, rig: Rig) -> None:
    """Positions and weights in 32 bits, the weights' zeros left out."""
    rows, columns = np.nonzero(rig.weights)
    np.savez(
        path,
        vertices=rig.mesh.vertices.astype(np.float32),
        faces=rig.mesh.faces.astype(np.int32),
        joints=rig.skeleton.joints.astype(np.float32),
        parents=rig.skeleton.parents.astype(np.int32),
        names=np.array(rig.skeleton.names),
        rows=rows.astype(np.int32),
        columns=columns.astype(np.int16),
        values=rig.weights[rows, columns].astype(np.float32),
        name=np.array(rig.name),
    )


def _read(path: Path) -> Rig:
    with np.load(path) as held:
        vertices, joints = held["vertices"].astype(np.float64), held["joints"].astype(np.float64)
        weights = np.zeros((len(vertices), len(joints)))
        weights[held["rows"], held["columns"]] = held["values"]
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        skeleton = Skeleton(joints, held["parents"].astype(np.int64), tuple(map(str, held["names"])))
        return Rig(Mesh(vertices, held["faces"].astype(np.int64)), skeleton, weights, name=str(held["name"]))
