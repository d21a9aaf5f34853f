r"""What planned trajectories earn: in the scene around them, by their distance from the driven path, by comfort.

| name | value | needs |
|---|---|---|
| `driving/pdms-v1` | PDMS, in [0, 1] | a scene |
| `driving/epdms-v1` | EPDMS, in [0, 1] | a scene |
| `driving/collision-v1` | collisions at fault, or any: 0, 0.5, 1 | a scene |
| `driving/comfort-v1` | all six bounds are kept, 0 or 1 | the speed now |
| `driving/l2-v1` | 1 - min(L2, 5 m) / 5 m; the metres are a part; for reporting | a future |
| `driving/trajectory-v1` | PDMS - 0.1 min(L2@3s, 5) / 5 + 0.1 format | both |

An answer is a JSON list of `[x, y]` or `[x, y, heading]` every 0.5 s (`trajectories`), as many as the example's future
has. All depend on one rollout alone, and are computed for whole batches at once.

What they do not cover: the others replay what they did and do not react; copying the present speed straight ahead comes
close in L2 (it is for reporting, not for training alone); a plan that stands still breaks no rule but progress, which
nobody is asked for where 5 m or less were possible.

Source: NAVSIM, VAD and UniAD, as in the companion sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from guerdon.errors import ConfigError
from guerdon.fields import one_of
from guerdon.rewards.tags import THINK_ANSWER, once_in_order
from guerdon.types import Score
from guerdon_driving.answered_plans import Answered, Needs, PlanReward, parts_of
from guerdon_driving.at_fault import overlaps_at_start
from guerdon_driving.boxes import overlap
from guerdon_driving.comfort import comfort_of, first
from guerdon_driving.composites import NC
from guerdon_driving.distances import Convention, l2, poses_up_to
from guerdon_driving.examples import POSE_STEP_S
from guerdon_driving.motions import Start, motions
from guerdon_driving.pdms import Pdms, epdms_many, pdms_many
from guerdon_driving.replays import replay
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectories import MIN_POSES

Faults = Literal["at_fault", "any"]
Invalid = Literal["worst", "zero"]


@dataclass(frozen=True)
class CompositeReward(PlanReward):
    """The base of NAVSIM's composites: every scene of a batch judged in one call, each term a part."""

    start: Start = "speed"
    """Whether comfort knows the speed now; see `motions`."""

    needs: ClassVar[tuple[Needs, ...]] = ("scene",)
    composed: ClassVar[Callable[..., list[Pdms]]]
    """`pdms_many` or `epdms_many`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{self.name}.start", self.start, get_args(Start))

    def judge(self, answered: Sequence[Answered]) -> Sequence[Sequence[Score]]:
        """Score by `composed`."""
        paths = [each.poses for each in answered]
        found = type(self).composed(_scenes(answered), paths, step_s=POSE_STEP_S, start=self.start)
        return [_composite(each) for each in found]


@dataclass(frozen=True)
class PdmsReward(CompositeReward, name="driving/pdms-v1"):
    """NC * DAC * (5 EP + 5 TTC + 2 C) / 12; each term is a part."""

    composed = staticmethod(pdms_many)


@dataclass(frozen=True)
class EpdmsReward(CompositeReward, name="driving/epdms-v1"):
    """NC * DAC * DDC * TLC * (5 EP + 5 TTC + 2 LK + 2 HC + 2 EC) / 16; each term is a part.

    A single frame has no plan before it, so that EC is 1.
    """

    composed = staticmethod(epdms_many)


@dataclass(frozen=True)
class Collision(PlanReward, name="driving/collision-v1"):
    """1.0 without a collision. At fault: 0.0 with an agent, 0.5 with a thing (NC). Any: 0.0 for every overlap but those
    with what overlaps now.
    """

    faults: Faults = "at_fault"
    """Whether all overlaps count, or those the ego vehicle is to blame for."""

    needs: ClassVar[tuple[Needs, ...]] = ("scene",)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{self.name}.faults", self.faults, get_args(Faults))

    def judge(self, answered: Sequence[Answered]) -> Sequence[Sequence[Score]]:
        """Find overlaps at 10 Hz."""
        scenes = _scenes(answered)
        if self.faults == "any":
            return [_overlaps(*each) for each in zip(scenes, answered, strict=True)]
        found = pdms_many(scenes, [each.poses for each in answered], step_s=POSE_STEP_S)
        return [
            [_graded(value, {}, when) for value, when in zip(one.terms[NC], one.first_s[NC], strict=True)]
            for one in found
        ]


@dataclass(frozen=True)
class ComfortReward(PlanReward, name="driving/comfort-v1"):
    """1.0 where all six bounds are kept, else 0.0; each bound is a part."""

    start: Start = "speed"
    """As for `driving/pdms-v1`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{self.name}.start", self.start, get_args(Start))

    def judge(self, answered: Sequence[Answered]) -> Sequence[Sequence[Score]]:
        """All groups with as many poses together."""
        scores: list[Sequence[Score]] = [()] * len(answered)
        for count in {each.poses.shape[1] for each in answered}:
            places = [place for place, each in enumerate(answered) if each.poses.shape[1] == count]
            stacked = np.nan_to_num(np.concatenate([answered[place].poses for place in places]))
            speeds = np.concatenate(
                [np.full(len(answered[place].poses), answered[place].example.speed) for place in places]
            )
            felt = comfort_of(motions(stacked, POSE_STEP_S, speed=speeds if self.start == "speed" else None))
            each_score = [
                _graded(float(kept), {name: bound[row] for name, bound in felt.within.items()}, felt.first_s[row])
                for row, kept in enumerate(felt.all)
            ]
            ends = np.cumsum([0, *(len(answered[place].poses) for place in places)])
            for place, begin, end in zip(places, ends, ends[1:], strict=False):
                scores[place] = each_score[begin:end]
        return scores


@dataclass(frozen=True)
class L2(PlanReward, name="driving/l2-v1"):
    """1 - min(L2, cap) / cap at one horizon; L2 in metres is a part, named by convention and horizon."""

    horizon_s: float = 3.0
    """Seconds; a pose's time."""
    convention: Convention = "mean_up_to"
    """`mean_up_to` (ST-P3, VAD) or `at_horizon` (UniAD); they differ by about two."""
    cap_m: float = 5.0
    """Metres from which on the value is 0."""

    needs: ClassVar[tuple[Needs, ...]] = ("future",)

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{self.name}.convention", self.convention, get_args(Convention))
        if not 0 < self.cap_m < float("inf"):
            raise ConfigError(f"{self.name}.cap_m is {self.cap_m!r}; a number of metres above 0 is needed")
        poses_up_to(self.horizon_s, POSE_STEP_S, self.poses or self.least)

    @property
    def least(self) -> int:
        """Poses up to the horizon."""
        return max(MIN_POSES, round(self.horizon_s / POSE_STEP_S))

    def judge(self, answered: Sequence[Answered]) -> Sequence[Sequence[Score]]:
        """Group by group: a subtraction each."""
        part = f"l2_{self.convention}_{self.horizon_s:g}s"
        return [
            [
                Score(1.0 - min(metres, self.cap_m) / self.cap_m, f"{metres:.3g} m", parts_of({part: metres}))
                for metres in _metres(each, self.horizon_s, self.convention)
            ]
            for each in answered
        ]


@dataclass(frozen=True)
class TrajectoryReward(PlanReward, name="driving/trajectory-v1", bounds=(-0.1, 1.1)):
    r"""$R = PDMS - 0.1 \min(L2@3s, 5) / 5 + 0.1\, format$, each also a part, beside PDMS's terms.

    `format` is 1 where the answer can be read and think and answer tags stand once each, in order.
    """

    convention: Convention = "mean_up_to"
    """Of L2; the sheet does not say which."""
    invalid: Invalid = "worst"
    """What an answer earns that is no trajectory: -0.1, the lower end, so that no plan however bad would have done
    better as nonsense; or 0, as the sheet has it."""
    start: Start = "speed"
    """As for `driving/pdms-v1`."""

    needs: ClassVar[tuple[Needs, ...]] = ("scene", "future")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, accepted in (("convention", Convention), ("invalid", Invalid), ("start", Start)):
            one_of(f"{self.name}.{name}", getattr(self, name), get_args(accepted))
        if 0 < self.poses < self.least:
            raise ConfigError(f"{self.name}.poses is {self.poses!r}; L2@3s needs {self.least} of them")

    @property
    def least(self) -> int:
        """Poses up to 3 s."""
        return round(_HORIZON_S / POSE_STEP_S)

    def failed(self, answered: Answered, row: int) -> Score:
        """The worst, or 0."""
        return Score(-_SHARE if self.invalid == "worst" else 0.0, answered.reasons[row], status="fail")

    def judge(self, answered: Sequence[Answered]) -> Sequence[Sequence[Score]]:
        """PDMS of all, and the rest row by row."""
        found = pdms_many(_scenes(answered), [each.poses for each in answered], step_s=POSE_STEP_S, start=self.start)
        return [self._stacked(*each) for each in zip(answered, found, strict=True)]

    def _stacked(self, answered: Answered, found: Pdms) -> list[Score]:
        scores = []
        metres = _metres(answered, _HORIZON_S, self.convention)
        for row, (score, text) in enumerate(zip(_composite(found), answered.texts, strict=True)):
            layout = float(once_in_order(text, THINK_ANSWER))
            off = min(metres[row], _CAP_M) / _CAP_M
            value = score.value - _SHARE * off + _SHARE * layout
            parts = {"pdms": score} | parts_of({f"l2_{self.convention}_3s": metres[row], "format": layout})
            scores.append(Score(value, f"{found.why(row)}; L2 {metres[row]:.3g} m", parts, score.status))
        return scores


_HORIZON_S, _CAP_M, _SHARE = 3.0, 5.0, 0.1


def _scenes(answered: Sequence[Answered]) -> list[Scene]:
    return [each.scene for each in answered if each.scene is not None]  # each has one: these rewards need it


def _metres(answered: Answered, horizon_s: float, convention: Convention) -> list[float]:
    """L2 of each row; NaN for those that are no trajectory."""
    found = l2(answered.poses, answered.future, step_s=POSE_STEP_S, horizon_s=horizon_s, convention=convention)
    return [float(metres) for metres in found]


def _composite(found: Pdms) -> list[Score]:
    return [
        Score(
            float(value),
            found.why(row),
            parts_of({name: term[row] for name, term in found.terms.items()}),
            "ok" if value > 0 else "fail",
        )
        for row, value in enumerate(found.value)
    ]


def _overlaps(scene: Scene, answered: Answered) -> list[Score]:
    """1.0 where the ego box overlaps nothing that it does not overlap now."""
    world = replay(scene)
    plans = motions(np.nan_to_num(answered.poses), POSE_STEP_S)
    length = min(plans.poses.shape[1], world.length)
    others = world.others[:, None, :length]
    hit = overlap(plans.poses[:, :length], scene.ego_size, others, scene.sizes[:, None, None])  # (A, B, T)
    hit &= ~overlaps_at_start(scene.ego_size, world.others, scene.sizes)[:, None, None]
    touched = np.asarray(hit.any(axis=0))
    return [_graded(1.0 - float(when < np.inf), {}, when) for when in first(touched)]


def _graded(value: float, parts: Mapping[str, float], first_s: float) -> Score:
    why = "" if np.isinf(first_s) else f"first violated at {first_s:.1f} s"
    return Score(float(value), why, parts_of(parts), "ok" if value > 0 else "fail")
