"""How near an answered rig is to the true one, for evaluation. A rig that cannot be read has no distance: `abstain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.spatial.distance import cdist

from guerdon.fields import one_of
from guerdon.rewards.base import Reward
from guerdon.types import Rollout, Score
from guerdon_rigging.answers import Answered, read_answer, with_skins
from guerdon_rigging.examples import RigExample
from guerdon_rigging.rig_sources import codec_of, condition_of, known_rig
from guerdon_rigging.rigs import Floats, Rig, RigError, Skeleton
from guerdon_rigging.skeleton_metrics import skeleton_distances
from guerdon_rigging.skin_metrics import l1_per_entry, l1_per_vertex, overlap

Distance = Literal["j2j", "j2b", "b2b"]
Agreement = Literal["l1_per_vertex", "l1_per_entry", "precision", "recall"]


class _AgainstTruth(Reward):
    """What both need."""

    def score(self, rollout: Rollout) -> Score:
        """See the class."""
        example = rollout.example_as(RigExample)
        if not example.known:
            return Score.unscored("no true rig is known", status="abstain")
        try:
            true = known_rig(example.mesh)
        except RigError as error:
            return Score.unscored(str(error), status="invalid")
        answer = read_answer(rollout.answer, example, true.mesh)
        if answer.why:
            return Score.unscored(answer.why, status="abstain")
        return self.compared(answer, true, example)

    def compared(self, answer: Answered, true: Rig, example: RigExample) -> Score:
        """Of a rig that could be read."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SkeletonDistance(_AgainstTruth, name="skeleton-distance", bounds=(0.0, float("inf"))):
    """J2J, J2B or B2B as tables show them: a hundred times the share of the frame's side. Less is better."""

    which: Distance = "j2j"

    def __post_init__(self) -> None:
        one_of("SkeletonDistance.which", self.which, get_args(Distance))

    def compared(self, answer: Answered, true: Rig, example: RigExample) -> Score:
        """See the class."""
        assert answer.skeleton is not None
        return Score(100 * float(getattr(skeleton_distances(answer.skeleton, true.skeleton), self.which)))


@dataclass(frozen=True, kw_only=True)
class SkinAgreement(_AgainstTruth, name="skin-agreement", bounds=(0.0, float("inf"))):
    """L1 (both conventions; less is better), precision or recall of the skin.

    Joints of an answer are not those of the true rig: each stands for the true joint nearest to it, and the weights of
    those that stand for one are added [choice].
    """

    which: Agreement = "l1_per_vertex"

    def __post_init__(self) -> None:
        one_of("SkinAgreement.which", self.which, get_args(Agreement))

    def compared(self, answer: Answered, true: Rig, example: RigExample) -> Score:
        """See the class."""
        if not example.length:
            return Score.unscored("the task asks for skeletons only", status="abstain")
        (answer,) = with_skins([answer], codec_of(example.codec), condition_of(example.codec, example.mesh))
        assert answer.skeleton is not None
        assert answer.weights is not None
        skin = carried(answer.weights, answer.skeleton, true.skeleton)
        if self.which in ("precision", "recall"):
            value = float(getattr(overlap(skin, true.weights), self.which))
            return Score(value) if np.isfinite(value) else Score.unscored("no influence to count", status="abstain")
        measure = l1_per_vertex if self.which == "l1_per_vertex" else l1_per_entry
        return Score(measure(skin, true.weights))


def carried(weights: Floats, skeleton: Skeleton, other: Skeleton) -> Floats:
    """Weights on the joints of another skeleton: each column is added to that of the nearest joint there.

    Args:
        weights: (N, J).
        skeleton: theirs.
        other: of J' joints.

    Returns:
        (N, J').
    """
    stands_for = cdist(skeleton.joints, other.joints).argmin(axis=1)
    table = np.zeros((len(skeleton), len(other)))
    table[np.arange(len(skeleton)), stands_for] = 1
    found: Floats = weights @ table
    return found


@dataclass(frozen=True)
class Readable(Reward, name="readable", bounds=(0.0, 1.0)):
    """1 where the answer is a rig, whatever rig it is."""

    def score(self, rollout: Rollout) -> Score:
        """See the class."""
        answer = read_answer(rollout.answer, rollout.example_as(RigExample))
        return Score(0.0, answer.why, status="fail") if answer.why else Score(1.0)
