"""A mesh in, a rig out: a policy that writes tokens and a codec that reads their skins, with the weights of the wheel.

    from guerdon_rigging.rigger import Rigger

    rig = Rigger.shipped().rig(mesh, seed=0)

Several rigs are drawn and the one that its geometry speaks for (`rigging/tokenrig-v1`, which needs no true rig) is
kept. Skins of a given skeleton are drawn several times and averaged: what is drawn is a guess of a distribution's, and
its mean is nearer to the truth than a draw. What codes say of a bone is multiplied by what its place says, and
normalised: the codec is coarse, and a bone that is far away rarely moves a vertex.

Source: TokenRig (arXiv 2602.04805): its procedure, steps 3, 8 and 9. The released code can multiply by voxel-geodesic
weights; that inverse distances stand in their place, and that several are drawn, is ours [choice].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import ClassVar

import numpy as np

from guerdon.errors import PolicyError
from guerdon.fields import whole_number
from guerdon.protocols import Sampling, Split, Task
from guerdon.types import Example, Prompt
from guerdon_rigging.answers import Answered
from guerdon_rigging.baselines import Baseline, InverseDistance
from guerdon_rigging.canonical import MOST_WEIGHTS
from guerdon_rigging.codecs import SkinCodec
from guerdon_rigging.frames import Frame, frame
from guerdon_rigging.orders import permutation
from guerdon_rigging.rewards import Candidates, TokenRig
from guerdon_rigging.rig_policy import RigPolicy
from guerdon_rigging.rig_scores import Ground
from guerdon_rigging.rigs import Floats, Mesh, Rig, RigError, Skeleton
from guerdon_rigging.skin_codec import FSQCVAE
from guerdon_rigging.tokens import Decoded, detokenise, skeleton_tokens
from guerdon_rigging.weights import kept

FOLDER = "shipped"
MOST_TOGETHER = 50_000_000
"""Vertices times joints of all attempts, up to which their skins are compared too: 0.4 GB."""
POLICY, CODEC = "rig_policy.safetensors", "skin_codec.safetensors"


@dataclass(frozen=True)
class _Shown(Task):
    """One mesh, and what its rig begins with."""

    mesh: Mesh
    forced: str = ""
    name: ClassVar[str] = "rigging/one-mesh"

    def examples(self, split: Split) -> Sequence[Example]:
        """One."""
        return [Example(id="mesh")]

    def prompt(self, example: Example) -> Prompt:
        """The mesh."""
        return Prompt(observation=self.mesh, forced=self.forced)


@dataclass(frozen=True, eq=False)
class Rigger:
    """A policy and its codec.

    Raises:
        PolicyError: the policy was trained for another codec.
    """

    policy: RigPolicy
    codec: SkinCodec
    temperature: float = 0.7
    top_p: float = 0.95
    prior: Baseline | None = field(default_factory=lambda: InverseDistance(8.0))
    """Whose weights those of the codes are multiplied by."""
    floor: float = 0.03
    """Added to what codes say before that, so that they move the prior and do not silence it. Exponent and floor were
    chosen on made rigs of unseen seeds."""

    def __post_init__(self) -> None:
        words = self.policy.vocabulary
        if (words.codes, words.length) != (self.codec.codes, self.codec.length):
            raise PolicyError(
                f"the policy writes {words.length} of {words.codes} codes a joint, the codec reads {self.codec.length} "
                f"of {self.codec.codes}; they belong to different trainings"
            )

    @classmethod
    def shipped(cls, device: str = "auto") -> Rigger:
        """With the weights that come with the package.

        Raises:
            PolicyError: they are not there.
        """
        return cls.of_files(device=device)

    @classmethod
    def of_files(
        cls, policy: Path | str | None = None, codec: Path | str | None = None, device: str = "auto"
    ) -> Rigger:
        """With weights of one's own.

        Args:
            policy: a run's folder, a checkpoint's, or the file in it; None: the shipped one.
            codec: what `FSQCVAE.save` wrote; None: the shipped one, which `guerdon train rigging` trains for.
            device: `cpu`, `cuda`, ...; `auto` is CUDA where there is one.

        Raises:
            PolicyError: one of them cannot be read, or they do not belong together.
        """
        with resources.as_file(resources.files("guerdon_rigging") / FOLDER) as path:
            made = RigPolicy.from_file(policy or path / POLICY, device=device)
            return cls(made, FSQCVAE.load(codec or path / CODEC, made.device))

    def rig(self, mesh: Mesh, seed: int = 0, attempts: int = 8) -> Rig:
        """Skeleton and skin, in the mesh's own frame.

        Args:
            mesh: with a surface, in any frame; its up is +y as in glTF.
            seed: of the draws.
            attempts: rigs drawn, of which the one with the largest `rigging/tokenrig-v1` is kept.

        Raises:
            RigError: a mesh without triangles, area or extent, or of too many vertices (`canonical.MOST_WEIGHTS`).
            PolicyError: none of the attempts is a rig within the budget.
        """
        whole_number("attempts", attempts, 1)
        inside = self._frame(mesh)
        inner = inside.mesh(mesh)
        drawn = self._draw(_Shown(inner), attempts, seed, self.temperature)
        if not drawn:
            raise PolicyError(f"none of {attempts} attempts was finished within its budget; try another seed or more")
        best, weights = self._best(inner, drawn)
        found = drawn[best].skeleton
        names = tuple(f"bone_{joint}" for joint in range(len(found)))
        return Rig(mesh, inside.skeleton_back(Skeleton(found.joints, found.parents, names)), weights)

    def skin(self, mesh: Mesh, skeleton: Skeleton, seed: int = 0, attempts: int = 8) -> Rig:
        """The skin of a given skeleton, in the mesh's frame.

        Args:
            mesh: as in `rig`.
            skeleton: in the mesh's frame.
            seed: of the draws.
            attempts: skins drawn, of which the mean is taken.

        Raises:
            RigError: as `rig`.
            PolicyError: the skeleton has more joints than the policy writes.
        """
        whole_number("attempts", attempts, 1)
        most = self.policy.shape.most_joints
        if len(skeleton) > most:
            raise PolicyError(
                f"the skeleton has {len(skeleton)} joints, this policy writes at most {most}; baselines skin any number"
            )
        inside = self._frame(mesh)
        inner, placed = inside.mesh(mesh), inside.skeleton(skeleton)
        begun = skeleton_tokens(self.policy.vocabulary, placed)
        task = _Shown(inner, " ".join(map(str, begun.tolist())))
        drawn = self._draw(task, attempts, seed, self.temperature)
        condition = self.codec.condition(inner)
        mean = np.zeros((len(mesh.vertices), len(skeleton)))
        for one in drawn:  # one after the other: a large mesh's skins do not fit into memory together
            mean += self.codec.decode(condition, one.codes) / len(drawn)
        weights = np.empty_like(mean)
        weights[:, permutation(placed, "articulation", "depth-first")] = mean
        return Rig(mesh, skeleton, kept(self.placed(inner, placed, weights)))

    def _best(self, mesh: Mesh, drawn: Sequence[Decoded]) -> tuple[int, Floats]:
        """Which one the reward speaks for, and its skin, (N, J). Of a large mesh skeletons alone are compared."""
        condition = self.codec.condition(mesh)

        def skin(one: Decoded) -> Floats:
            return kept(self.placed(mesh, one.skeleton, self.codec.decode(condition, one.codes)))

        few = len(mesh.vertices) * sum(len(one.skeleton) for one in drawn) <= MOST_TOGETHER
        skins = [skin(one) if few else None for one in drawn]
        answers = [Answered(one.skeleton, one.codes, weights) for one, weights in zip(drawn, skins, strict=True)]
        values, _ = TokenRig().measure(Candidates(Ground(mesh).make(), answers))
        best = int(values.argmax())
        weights = skins[best]
        return best, skin(drawn[best]) if weights is None else weights

    def placed(self, mesh: Mesh, skeleton: Skeleton, weights: Floats) -> Floats:
        """What codes say, with the floor, times the prior: (N, J), not normalised.

        Args:
            mesh: within [-1, 1]^3.
            skeleton: in the same frame.
            weights: (N, J), as a codec decodes them.
        """
        return weights if self.prior is None else (weights + self.floor) * self.prior(mesh, skeleton)

    def _frame(self, mesh: Mesh) -> Frame:
        """In which it is within [-1, 1]^3, of a mesh that is not too large."""
        most = MOST_WEIGHTS // self.policy.shape.most_joints
        if len(mesh.vertices) > most:
            raise RigError(
                f"the mesh has {len(mesh.vertices):,} vertices; at most {most:,} are rigged, decimate it first"
            )
        return frame(mesh.vertices)

    def _draw(self, task: _Shown, attempts: int, seed: int, temperature: float) -> list[Decoded]:
        shape, words = self.policy.shape, self.policy.vocabulary
        budget = shape.most_joints * (8 + words.length) + 8
        sampling = Sampling(temperature=temperature, top_p=self.top_p, max_tokens=budget)
        group = self.policy.sample(task, task.examples("eval"), attempts, sampling, seed=seed)[0]
        finished = [rollout for rollout in group.rollouts if not rollout.truncated]
        return [detokenise(words, list(map(int, rollout.completion.split()))) for rollout in finished]
