r"""What rigs earn by their geometry: TokenRig's four rewards and their sum.

| name | value | in |
|---|---|---|
| `rigging/joint-coverage-v1` | R_vj, every voxel has a joint near | [0, 1] |
| `rigging/bone-containment-v1` | R_vk, bones are inside | [0, 1] |
| `rigging/skin-sparsity-v1` | R_sc, every vertex is bound, to at most four bones | [0, 1] |
| `rigging/deformation-smoothness-v1` | R_mo, poses stretch no edge | [0, 1] |
| `rigging/tokenrig-v1` | 5 R_vj + R_vk + R_sc + R_mo | [0, 8] |

`mode="printed"` is the paper's, as far as it is known (`rig_scores` says what is ours to choose). It pays two things
that are no rigs better than artists': all vertices on one bone, and hundreds of joints scattered inside. `repaired`,
the default, takes that back with what follows from the rig alone:

* R_vj falls where fewer than four fifths of the joints own vertices, where the weight is shared among fewer than a
  quarter of them, or where the bones are together more than twice as long as the shortest tree that joins the joints;
  and it costs `price` a joint;
* R_vk counts only bones of some length, one of whose ends owns vertices;
* R_sc and R_mo fall as R_vj does, and where less than nine tenths of the weight is on bones that are near.

What is free is what artists' rigs do: their roots and tips own nothing, and without that binding to the closest bone
would beat most of them. What it does not cover: how a rig is to move (no motion is known), which joint is the root and
what hangs on what, and a skeleton finer than it should be. Joints spread inside, each joined to its nearest, with a
skin by distances, are a rig as far as geometry tells, and earn more than most artists' (the package's README has the
figures).

An answer that cannot be read earns 0 and says why (`fail`; `truncated` where the budget cut it). A mesh without a
surface or extent is `invalid`. Everything that depends on the mesh alone is computed once, all attempts at it are
decoded and measured together, and joint j turns alike in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, one_of, whole_number
from guerdon.rewards.base import Context, Reward
from guerdon.types import Example, Group, Score
from guerdon_rigging import rig_scores
from guerdon_rigging.answers import Answered, read_answer, with_skins
from guerdon_rigging.codecs import SkinCodec
from guerdon_rigging.examples import rig_example
from guerdon_rigging.rig_scores import Ground, Skin
from guerdon_rigging.rig_sources import codec_of, condition_of, known_mesh
from guerdon_rigging.rigs import Floats, RigError, Skeleton

Mode = Literal["repaired", "printed"]
FREE_USED = 0.8
"""Share of joints that have to own vertices: roots, tips and controls are the fifth that need not [choice]."""
FREE_EVEN = 0.25
"""Share of joints that the weight has to be shared among [choice]; 59 of 60 artists' rigs have it, the median 0.6."""
FREE_DIRECT = 0.5
"""The shortest tree over the bones' length that is enough [choice]; 58 of 60 artists' rigs have it, the least 0.49."""
FREE_NEAR = 0.9
"""Share of weight that has to be on bones that are near [choice]; artists' rigs have 0.97 there."""
Parts = Mapping[str, Floats]
"""By name, one value per candidate."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a mesh's attempts share."""

    ground: Ground
    codec: SkinCodec | None
    condition: Any


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rigs of one mesh, all of which could be read."""

    ground: Ground
    rigs: Sequence[Answered]

    @cached_property
    def skeletons(self) -> list[Skeleton]:
        """Theirs."""
        return [rig.skeleton for rig in self.rigs if rig.skeleton is not None]

    @cached_property
    def skins(self) -> list[Skin] | None:
        """Theirs; None where none is asked for."""
        found = [rig.skin for rig in self.rigs if rig.skin is not None]
        return found if len(found) == len(self.rigs) else None

    @cached_property
    def used(self) -> Floats:
        """(G,): the share of joints that own vertices; 1 where no skin is asked for."""
        return np.array([rig.owns.mean() for rig in self.rigs])

    @cached_property
    def even(self) -> Floats:
        """(G,): `rig_scores.even_share`; 1 where no skin is asked for."""
        skins = self.skins
        return np.ones(len(self.rigs)) if skins is None else np.array([rig_scores.even_share(skin) for skin in skins])

    @cached_property
    def direct(self) -> Floats:
        """(G,): `rig_scores.directness`."""
        return np.array([rig_scores.directness(skeleton) for skeleton in self.skeletons])

    @property
    def kept(self) -> Floats:
        """(G,): what the repaired rewards leave of R_sc and R_mo."""
        return self.employed * np.minimum(1, self.near / FREE_NEAR)

    @property
    def employed(self) -> Floats:
        """(G,): what they leave of R_vj."""
        shares = (self.used / FREE_USED, self.even / FREE_EVEN, self.direct / FREE_DIRECT)
        found: Floats = np.minimum(1, shares).prod(axis=0)
        return found

    @cached_property
    def near(self) -> Floats:
        """(G,): the share of weight on bones that are near; 1 where no skin is asked for."""
        skins, places = self.skins, self.ground.witnesses
        if skins is None:
            return np.ones(len(self.rigs))
        points = self.ground.mesh.vertices[places]
        return np.array(
            [
                rig_scores.near_share(points, skeleton, skin.weights[places])
                for skeleton, skin in zip(self.skeletons, skins, strict=True)
            ]
        )


@dataclass(frozen=True, kw_only=True)
class RigReward(Reward, sees="rollout"):
    """The base: reads and decodes the attempts at a mesh together, and says what those that are no rigs are."""

    mode: Mode = "repaired"
    """`printed`: the paper's, hacks included."""
    grid: int = 64
    """Voxels along the longest side; 196 in the paper."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}.mode", self.mode, get_args(Mode))
        check_numbers(self)
        whole_number(f"{self.name}.grid", self.grid, 4, 512)

    needs_skin = False
    """Whether it says nothing of a skeleton alone."""

    def measure(self, candidates: Candidates) -> tuple[Floats, Parts]:
        """The value of each candidate, and what it was made from."""
        raise NotImplementedError

    def prepare(self, example: Example) -> Prepared | str:
        """Mesh, voxels, edges and the codec's condition; or why the mesh is none."""
        asked = rig_example(example)
        try:
            ground = _ground(asked.mesh, self.grid)
            if not asked.length:
                return Prepared(ground, None, None)
            return Prepared(ground, codec_of(asked.codec), condition_of(asked.codec, asked.mesh))
        except RigError as error:
            return str(error)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Sequence[Sequence[Score]]:
        """Mesh by mesh."""
        return [self._scored(group) for group in groups]

    def _scored(self, group: Group) -> list[Score]:
        example = rig_example(group.example)
        if self.needs_skin and not example.length:
            return [Score.unscored("the task asks for skeletons only", status="abstain") for _ in group.rollouts]
        found = self.prepared(example)
        if isinstance(found, str):
            return [Score.unscored(found, status="invalid") for _ in group.rollouts]
        answers = [read_answer(rollout.answer, example, found.ground.mesh) for rollout in group.rollouts]
        answers = with_skins(answers, found.codec, found.condition)
        places = [place for place, answer in enumerate(answers) if not answer.why]
        scores = [
            Score(0.0, answer.why, status="truncated" if rollout.truncated else "fail")
            for answer, rollout in zip(answers, group.rollouts, strict=True)
        ]
        if places:
            values, parts = self.measure(Candidates(found.ground, [answers[place] for place in places]))
            low, high = self.bounds
            for row, place in enumerate(places):
                told = {name: Score(float(column[row])) for name, column in parts.items()}
                value = min(max(float(values[row]), low), high)
                scores[place] = Score(value, parts=told, status="ok" if value > 0 else "fail")
        return scores


@dataclass(frozen=True, kw_only=True)
class JointCoverage(RigReward, name="rigging/joint-coverage-v1", bounds=(0.0, 1.0)):
    """R_vj: the mean over occupied voxels of exp(-a distance to the nearest joint).

    Repaired: that times `Candidates.employed` (min(1, share / enough) of joints that own vertices, of joints that share
    the weight, and of the shortest tree in the bones' length), less `price` a joint.
    """

    a: float = rig_scores.PER_UNIT
    """Per unit of the frame [-1, 1]^3; 4.9 is 0.05 a voxel of the paper's grid of 196."""
    price: float = 0.002
    """Of a joint, repaired only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, "a", 0.0)
        _at_least(self, "price", 0.0)

    def measure(self, candidates: Candidates) -> tuple[Floats, Parts]:
        """See the class."""
        skeletons = candidates.skeletons
        covered = rig_scores.joint_coverage(candidates.ground.blocks, [one.joints for one in skeletons], self.a)
        joints = np.array([float(len(one)) for one in skeletons])
        if self.mode == "printed":
            return covered, {"joints": joints}
        value = np.maximum(covered * candidates.employed - self.price * joints, 0)
        return value, {"covered": covered, **_shares(candidates), "joints": joints}


@dataclass(frozen=True, kw_only=True)
class BoneContainment(RigReward, name="rigging/bone-containment-v1", bounds=(0.0, 1.0)):
    """R_vk: the share of points on bones that are inside the mesh; 0 without a bone.

    Repaired: points of bones of no length, and of those neither of whose joints owns a vertex, count as outside.
    """

    steps: int = rig_scores.STEPS
    """A bone has one point more than this."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number(f"{self.name}.steps", self.steps, 1, 1000)

    def measure(self, candidates: Candidates) -> tuple[Floats, Parts]:
        """See the class."""
        skeletons, counted = candidates.skeletons, None
        if self.mode == "repaired":
            counted = [_real(skeleton, rig.owns) for skeleton, rig in zip(skeletons, candidates.rigs, strict=True)]
        return rig_scores.bone_containment(candidates.ground.solid, skeletons, self.steps, counted), {}


@dataclass(frozen=True, kw_only=True)
class SkinSparsity(RigReward, name="rigging/skin-sparsity-v1", bounds=(0.0, 1.0)):
    """R_sc: vertices without a weight of `bound`, and those with more than four above it, cost up to a half each.

    Repaired: times `Candidates.kept`: what R_vj is multiplied by, and min(1, share of weight that is near / 0.9).
    """

    bound: float = rig_scores.BOUND
    power: float = 0.5
    """Of both shares; below 1 small faults already cost."""
    needs_skin = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least(self, "bound", 1e-9)
        _at_least(self, "power", 0.0)

    def measure(self, candidates: Candidates) -> tuple[Floats, Parts]:
        """See the class."""
        value = rig_scores.skin_sparsity(candidates.skins or (), self.bound, self.power, self.power)
        return _kept(self.mode, "sparse", value, candidates)


@dataclass(frozen=True, kw_only=True)
class DeformationSmoothness(RigReward, name="rigging/deformation-smoothness-v1", bounds=(0.0, 1.0)):
    """R_mo = 1 / (1 + scale x mean over poses of the largest stretch of an edge); at most 1 / (1 + scale).

    Edges are those of the welded mesh, slivers left out, in both modes. Repaired: times `Candidates.kept`, as
    `SkinSparsity` is.
    """

    poses: int = 5
    degrees: float = 30.0
    """Each joint turns by an axis-angle vector, each component uniform within +- this."""
    scale: float = 1.0
    seed: int = 0
    """Of the poses, which are the same for all attempts at all meshes."""
    needs_skin = True

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number(f"{self.name}.poses", self.poses, 1, 1000)
        whole_number(f"{self.name}.seed", self.seed, 0)
        _at_least(self, "degrees", 0.0)
        _at_least(self, "scale", 0.0)

    def measure(self, candidates: Candidates) -> tuple[Floats, Parts]:
        """See the class."""
        skeletons, ground = candidates.skeletons, candidates.ground
        turns = rig_scores.pose_turns(max(map(len, skeletons)), self.poses, self.degrees, self.seed)
        value = rig_scores.deformation_smoothness(
            ground.mesh.vertices, ground.edges, skeletons, candidates.skins or (), turns, self.scale
        )
        return _kept(self.mode, "smooth", value, candidates)


@dataclass(frozen=True, kw_only=True)
class TokenRig(RigReward, name="rigging/tokenrig-v1", bounds=(0.0, 8.0)):
    """The sum of the four, weighted; of the first two where skeletons are all that is asked for.

    Its parts are the four, before weights, and what tells hacks apart: see `diagnostics`.
    """

    weights: tuple[float, ...] = (5.0, 1.0, 1.0, 1.0)
    """Of R_vj, R_vk, R_sc and R_mo. The first is the paper's and its largest; the others are not known. Together at
    most 8, the upper bound.
    """
    price: float = 0.002
    """See `JointCoverage`."""
    seed: int = 0
    """See `DeformationSmoothness`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.weights, Iterable):
            object.__setattr__(self, "weights", tuple(self.weights))  # recipes say [..]
        if not _four_weights(self.weights):
            raise ConfigError(
                f"{self.name}.weights is {self.weights!r}; four numbers >= 0 that sum to at most 8 are needed"
            )
        _ = self.terms  # which check the rest

    @property
    def terms(self) -> tuple[RigReward, ...]:
        """The four rewards."""
        shared: dict[str, Any] = {"mode": self.mode, "grid": self.grid}
        return (
            JointCoverage(**shared, price=self.price),
            BoneContainment(**shared),
            SkinSparsity(**shared),
            DeformationSmoothness(**shared, seed=self.seed),
        )

    def measure(self, candidates: Candidates) -> tuple[Floats, Parts]:
        """See the class."""
        total = np.zeros(len(candidates.rigs))
        parts: dict[str, Floats] = {}
        for weight, term in zip(self.weights, self.terms, strict=True):
            if term.needs_skin and candidates.skins is None:
                continue
            parts[term.label], _ = term.measure(candidates)
            total += weight * parts[term.label]
        return total, {**parts, **diagnostics(candidates)}


def diagnostics(candidates: Candidates) -> Parts:
    """What tells hacks from rigs: `joints`; `direct`, the shortest tree over the bones' length; `used`, the share of
    joints that own vertices; `even`, of those that share the weight; `near`, the share of weight on bones that are
    near; `rank`, that of the skin at `rig_scores.WITNESSES` vertices, over the largest that there can be: 1 / J where
    all vertices follow one bone. Of skeletons alone only the first two are known.
    """
    joints = np.array([float(len(one)) for one in candidates.skeletons])
    found = {"joints": joints, "direct": candidates.direct}
    if candidates.skins is not None:
        found |= {**_shares(candidates), "near": candidates.near}
        places = candidates.ground.witnesses
        found["rank"] = np.array([_rank(skin.weights[places]) for skin in candidates.skins])
    return found


def _shares(candidates: Candidates) -> Parts:
    if candidates.skins is None:
        return {"direct": candidates.direct}
    return {"used": candidates.used, "even": candidates.even, "direct": candidates.direct}


def _rank(skin: Floats) -> float:
    """Of the smaller Gram matrix, over its side."""
    gram = skin.T @ skin if skin.shape[0] >= skin.shape[1] else skin @ skin.T
    return int(np.linalg.matrix_rank(gram, tol=1e-6, hermitian=True)) / len(gram)


@lru_cache(maxsize=64)
def _ground(mesh: str, grid: int) -> Ground:
    return Ground(known_mesh(mesh), grid).make()


def _four_weights(given: object) -> bool:
    if not isinstance(given, tuple) or len(given) != 4:
        return False
    numbers = all(isinstance(one, Real) and not isinstance(one, bool) for one in given)
    return numbers and min(given) >= 0 and sum(given) <= 8


def _at_least(reward: RigReward, name: str, least: float) -> None:
    if not least <= getattr(reward, name) < float("inf"):
        raise ConfigError(f"{reward.name}.{name} is {getattr(reward, name)!r}; a number >= {least:g} is needed")


def _real(skeleton: Skeleton, owns: Any) -> Floats:
    """(J,): 1 for a bone from the joint's parent that has a length and moves something."""
    parents = np.maximum(skeleton.parents, 0)
    long = np.linalg.norm(skeleton.joints - skeleton.joints[parents], axis=1) > 1e-6
    found: Floats = (long & (owns | owns[parents])).astype(np.float64)
    return found


def _kept(mode: Mode, name: str, value: Floats, candidates: Candidates) -> tuple[Floats, Parts]:
    if mode == "printed":
        return value, {}
    return value * candidates.kept, {name: value, **_shares(candidates), "near": candidates.near}
