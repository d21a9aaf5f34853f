"""What rollouts answer, as arrays, and the base of the rewards that judge them whole batches at a time.

A reward here says what it needs (`needs`) and turns `Answered` groups into scores. The base reads the texts, loads the
scenes, and settles what no checker has to look at: an answer that is no trajectory earns 0 with a reason (`fail`), and
an example that lacks what is needed is the task's fault (`invalid`), never a zero.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from guerdon.errors import ConfigError, TaskError
from guerdon.rewards import Reward
from guerdon.rewards.base import Context
from guerdon.types import Group, Score
from guerdon_driving.examples import POSE_STEP_S, DrivingExample
from guerdon_driving.replays import replay, scene_at
from guerdon_driving.scenes import Scene
from guerdon_driving.trajectories import MIN_POSES, faults, parse, with_headings

Needs = Literal["scene", "future"]


@dataclass(frozen=True, eq=False)
class Answered:
    """One group's answers: B rollouts, N poses each."""

    example: DrivingExample
    scene: Scene | None
    """Where the reward needs it."""
    texts: tuple[str, ...]
    poses: np.ndarray
    """(B, N, 3), with headings; a row of NaN where the answer is no trajectory."""
    reasons: tuple[str, ...]
    """Why it is none; empty where it is one."""

    @property
    def future(self) -> np.ndarray:
        """(N, 3): the poses that were driven."""
        return np.array(self.example.future, dtype=np.float64)


def read(texts: Sequence[str], count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """The trajectories of B texts, (B, N, 3), and for each why it is none: those rows are NaN.

    Args:
        texts: completions of any length.
        count: N, how many poses an answer must have.
    """
    poses, reasons = np.full((len(texts), count, 3), np.nan), [""] * len(texts)
    found: dict[int, list[tuple[int, np.ndarray]]] = {2: [], 3: []}  # by columns
    for row, text in enumerate(texts):
        parsed = parse(text)
        if parsed.poses is None:
            reasons[row] = parsed.why
        elif len(parsed.poses) != count:
            reasons[row] = f"{len(parsed.poses)} poses; {count} are needed"
        else:
            found[parsed.poses.shape[1]].append((row, parsed.poses))
    for some in found.values():
        if some:
            rows, stacked = [row for row, _ in some], np.stack([one for _, one in some])
            for row, why in zip(rows, faults(stacked, POSE_STEP_S), strict=True):
                reasons[row] = why
            good = [place for place, row in enumerate(rows) if not reasons[row]]
            poses[[rows[place] for place in good]] = with_headings(stacked[good])
    return poses, tuple(reasons)


@dataclass(frozen=True)
class PlanReward(Reward, bounds=(0.0, 1.0), sees="rollout"):
    """The base: reads answers and scenes, and asks `judge` about whole batches."""

    poses: int = 0
    """How many poses, every 0.5 s, an answer must have; 0: as many as the example's future has."""

    needs: ClassVar[tuple[Needs, ...]] = ()

    def __post_init__(self) -> None:
        whole = isinstance(self.poses, int) and not isinstance(self.poses, bool)
        if not whole or self.poses < 0 or 0 < self.poses < MIN_POSES:
            raise ConfigError(f"{self.name}.poses is {self.poses!r}; 0 or a whole number from {MIN_POSES} on is needed")

    @abstractmethod
    def judge(self, answered: Sequence[Answered]) -> Sequence[Sequence[Score]]:
        """Scores of all groups; those of rows that have a reason are replaced by `failed`."""

    @property
    def least(self) -> int:
        """The fewest poses that can be judged."""
        return MIN_POSES

    def failed(self, answered: Answered, row: int) -> Score:
        """What an answer earns that is no trajectory."""
        return Score(0.0, answered.reasons[row], status="fail")

    def score_batch(self, groups: Sequence[Group], context: Context) -> Sequence[Sequence[Score]]:
        """Read all, judge all at once."""
        made: list[Answered | str] = [self._answered(group) for group in groups]
        judged = iter(self.judge([each for each in made if isinstance(each, Answered)]))
        scores: list[Sequence[Score]] = []
        for group, each in zip(groups, made, strict=True):
            if isinstance(each, str):
                scores.append([Score.unscored(each, status="invalid")] * len(group))
            else:
                rows = enumerate(next(judged))
                scores.append([self.failed(each, row) if each.reasons[row] else score for row, score in rows])
        return scores

    def _answered(self, group: Group) -> Answered | str:
        """The group's answers, or what its example lacks."""
        example = group.rollouts[0].example_as(DrivingExample)
        count = self.poses or len(example.future)
        if count < self.least:
            return f"example {example.id!r} has a future of {count} poses; at least {self.least} are needed"
        if "future" in self.needs and len(example.future) != count:
            return f"example {example.id!r} has a future of {len(example.future)} poses; {count} are needed"
        scene = None
        if "scene" in self.needs:
            if not example.scene:
                return f"example {example.id!r} has no scene"
            try:
                scene = scene_at(example.scene)
                replay(scene)
            except TaskError as error:
                return f"example {example.id!r}, scene {example.scene!r}: {error}"
        texts = tuple(rollout.answer for rollout in group.rollouts)
        return Answered(example, scene, texts, *read(texts, count))


def parts_of(values: Mapping[str, float]) -> dict[str, Score]:
    """Numbers as parts."""
    return {name: Score(float(value)) for name, value in values.items()}
