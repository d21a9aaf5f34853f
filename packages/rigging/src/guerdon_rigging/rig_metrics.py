"""How near an answered rig is to the true one, for evaluation. A rig that cannot be read has no distance: `abstain`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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


REMEMBERED = 1024
"""Answers whose figures are kept: a table asks for one figure at a time, and a skin is decoded for all of them once."""


class _AgainstTruth(Reward):
    """What both need."""

    which: str

    def score(self, rollout: Rollout) -> Score:
        """See the class."""
        example = rollout.example_as(RigExample)
        if not example.known:
            return Score.unscored("no true rig is known", status="abstain")
        try:
            found = self.figures(rollout.answer, example)
        except RigError as error:
            return Score.unscored(str(error), status="invalid")
        if isinstance(found, str):
            return Score.unscored(found, status="abstain")
        value = found[self.which]
        return Score(value) if np.isfinite(value) else Score.unscored("no influence to count", status="abstain")

    def figures(self, answer: str, example: RigExample) -> dict[str, float] | str:
        """By name; or why there are none."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SkeletonDistance(_AgainstTruth, name="skeleton-distance", bounds=(0.0, float("inf"))):
    """J2J, J2B or B2B as tables show them: a hundred times the share of the frame's side. Less is better."""

    which: Distance = "j2j"

    def __post_init__(self) -> None:
        one_of("SkeletonDistance.which", self.which, get_args(Distance))

    def figures(self, answer: str, example: RigExample) -> dict[str, float] | str:
        """See the class."""
        return _distances(answer, example)


@dataclass(frozen=True, kw_only=True)
class SkinAgreement(_AgainstTruth, name="skin-agreement", bounds=(0.0, float("inf"))):
    """L1 (both conventions; less is better), precision or recall of the skin.

    Joints of an answer are not those of the true rig: each stands for the true joint nearest to it, and the weights of
    those that stand for one are added [choice].
    """

    which: Agreement = "l1_per_vertex"

    def __post_init__(self) -> None:
        one_of("SkinAgreement.which", self.which, get_args(Agreement))

    def figures(self, answer: str, example: RigExample) -> dict[str, float] | str:
        """See the class."""
        return _agreement(answer, example) if example.length else "the task asks for skeletons only"


def _both(text: str, example: RigExample) -> tuple[Rig, Answered]:
    """The true rig, and what was answered."""
    true = known_rig(example.mesh)
    return true, read_answer(text, example, true.mesh)


@lru_cache(maxsize=REMEMBERED)
def _distances(text: str, example: RigExample) -> dict[str, float] | str:
    true, answer = _both(text, example)
    if answer.skeleton is None:
        return answer.why
    found = skeleton_distances(answer.skeleton, true.skeleton)
    return {which: 100 * float(getattr(found, which)) for which in get_args(Distance)}


@lru_cache(maxsize=REMEMBERED)
def _agreement(text: str, example: RigExample) -> dict[str, float] | str:
    true, answer = _both(text, example)
    if answer.skeleton is None:
        return answer.why
    (answer,) = with_skins([answer], codec_of(example.codec), condition_of(example.codec, example.mesh))
    assert answer.skeleton is not None
    assert answer.weights is not None
    skin = carried(answer.weights, answer.skeleton, true.skeleton)
    influences = overlap(skin, true.weights)
    return {
        "l1_per_vertex": l1_per_vertex(skin, true.weights),
        "l1_per_entry": l1_per_entry(skin, true.weights),
        "precision": float(influences.precision),
        "recall": float(influences.recall),
    }


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
