"""`Piecewise`: the base of rewards that ask another reward about every piece of an attempt, and give mean and stream.

`step-scores-v1` cuts what was written into steps; a domain cuts as it reads: a page after each of its items.

The value is the mean over the pieces (no sum: that would pay for their number) [choice]. A piece without a score makes
the attempt unscored, for that piece's reason. All pieces of a batch are asked about at once, from the caller, where
their reward runs, and each has a rollout's deadline of its own. Where one makes a process hang, it and those after it
have the least score: they are not waited for one by one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError
from guerdon.rewards.base import Context, Reward, Scores, Sees
from guerdon.types import Group, Rollout, Score, Stream


@dataclass(frozen=True)
class Piecewise(Reward, runs_in="elsewhere"):
    """Says what the pieces are (`pieces`) and what their scores make (`joined`); see the module's head."""

    reward: Reward
    """Scores a piece; one that compares the attempts of a group (`sees="group"`) cannot."""

    def __post_init__(self) -> None:
        if self.reward.sees == "group":
            raise ConfigError(
                f"{type(self).__name__}.reward is {self.reward.name}, which compares the attempts of a group; a piece "
                f"of an attempt has no siblings. Use a reward of one rollout, or of the whole batch."
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The child's: a mean lies between."""
        return self.reward.bounds

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The child's."""
        return self.reward.sees

    @property
    def children(self) -> tuple[Reward, ...]:
        """The one that scores pieces."""
        return (self.reward,)

    def pieces(self, rollout: Rollout) -> Sequence[Rollout]:
        """What is asked about in place of an attempt, in order; none: nothing is asked."""
        raise NotImplementedError(f"{type(self).__name__} does not say what the pieces are")

    def joined(self, rollout: Rollout, scores: Sequence[Score], context: Context) -> Score:
        """An attempt's score from those of its pieces; `mean_score` where there are some."""
        raise NotImplementedError(f"{type(self).__name__} does not say what the scores of pieces make")

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Ask about all pieces of the batch at once."""
        cut = [[self.pieces(rollout) for rollout in group.rollouts] for group in groups]
        numbers = itertools.count()  # no two attempts may share a key, and indices may all be 0
        asked = [
            Group(tuple(pieces), f"{group.key}/{next(numbers)}", one_attempt=True)
            for group, row in zip(groups, cut, strict=True)
            for pieces in row
            if pieces
        ]
        answers = iter(context.scores(self.reward, asked) if asked else [])
        return [
            [
                self.joined(rollout, next(answers) if pieces else [], context)
                for rollout, pieces in zip(group.rollouts, row, strict=True)
            ]
            for group, row in zip(groups, cut, strict=True)
        ]


def mean_score(
    scores: Sequence[Score], piece: str, dense: Mapping[str, Stream], parts: Mapping[str, Score] | None = None
) -> Score:
    """The mean of one score or more; unscored where one is, the gravest first: our fault, a broken task, no answer.

    Args:
        scores: of an attempt's pieces, in order.
        piece: what an error calls one: "step".
        dense: streams of the score, there where it is unscored too.
        parts: its parts; None for none.

    >>> mean_score([Score(1.0), Score(0.0)], "step", {}).value
    0.5
    >>> mean_score([Score(1.0), Score.unscored("no key")], "step", {}).why
    'step 2 of 2: no key'
    """
    for status in ("infra", "invalid", "abstain"):
        for number, score in enumerate(scores, 1):
            if score.status == status:
                told = f"{piece} {number} of {len(scores)}: {score.why}"
                return Score(math.nan, told, parts or {}, status, dense)
    values = [score.value for score in scores]
    mean = min(max(math.fsum(values) / len(values), min(values)), max(values))  # rounding could leave the bounds
    return Score(mean, "", parts or {}, dense=dense)
