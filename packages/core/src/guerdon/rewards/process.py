r"""Process rewards whose sum a policy cannot inflate: Clip, Delta, and the two together.

A model, a judge or a rule scores each step of a solution, $q_1 .. q_K$ (`StepScores`, or any reward with a stream of
step scores). Paying $q_k$ per step teaches a policy to write many steps that score well and solve nothing.
`ProcessReward` shapes the scores first:

| `mode` | reward of step k | sum over a trajectory | return from step k |
|---|---|---|---|
| `plain` | $q_k$ | up to K: grows with length, to show the hack | |
| `clip` | $\min(q_k - \eta, 0)$ | at most 0 | |
| `delta` | $q_k - q_{k+1}$; $q_{K-1}$ for k = K-1, 0 for k = K | $q_1$ | $q_k$, and 0 for k = K |
| `clip_delta` | delta of the clipped scores | at most 0 | the clipped $q_k$, and 0 for k = K |

The last step earns nothing under delta: success judges it. Delta before clip is another reward (a difference of good
steps would be punished) and is not offered. A bounded *sum* is not enough for a gradient that sees returns from each
step: under `delta` a useless step that scores high is still preferred to a useful one that scores less, wherever it
stands; clip makes all good steps equal. Hence both, which is the default.

Train it with `guerdon.advantages.returns_to_go`, beside the success reward: no discount and no whitening, either of
which undoes the telescoping. A trainer that takes one number per completion sees the sum alone, which for delta is the
score of the first step: there the step structure is lost, and so is the use.

Watch in the logs: `step_count` and `step_length` (clip only punishes: fewer, longer steps evade it) and `raw_sum`
against success (hacking is the one rising while the other falls).

Source: "On Designing Effective RL Reward at Training Time for LLM Reasoning" (arXiv:2410.15115), formulas after public
notes of the paper; alpha 0.02 [memory], eta 0.5 [choice].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from guerdon.errors import ConfigError, RewardError
from guerdon.fields import one_of, whole_number
from guerdon.rewards.base import Context, Reward, Scores, Sees
from guerdon.rewards.pieces import Piecewise, mean_score
from guerdon.rewards.steps import Delimiter, Step, alone, decoder, ends_of, prefix, steps_of
from guerdon.types import Group, Rollout, Score, Stream

Mode = Literal["plain", "clip", "delta", "clip_delta"]
STEPS = "steps"
"""The stream of step scores, and that of process rewards."""


def shape_steps(scores: Sequence[float], mode: Mode, eta: float = 0.5) -> list[float]:
    """The process reward of each step, from the K step scores of one trajectory; see the module's head.

    >>> [round(value, 3) for value in shape_steps([0.9, 0.8, 0.3, 0.6], "clip_delta")]
    [0.0, 0.2, -0.2, 0.0]
    """
    shaped = list(scores)
    if mode in ("clip", "clip_delta"):
        shaped = [min(score - eta, 0.0) for score in shaped]
    if mode in ("delta", "clip_delta") and shaped:
        following = [*shaped[1:-1], 0.0]  # nothing comes after the last but one: the last step earns nothing
        shaped = [*(now - then for now, then in zip(shaped[:-1], following, strict=False)), 0.0]
    return shaped


@dataclass(frozen=True)
class StepScores(Piecewise, name="step-scores-v1"):
    r"""Step scores from any reward: a function, a rule or a judge is asked about each step of a rollout.

    >>> from guerdon.rewards import reward
    >>> from guerdon.types import Example
    >>> sums_up = reward(lambda rollout: float(rollout.answer == "2+2=4"))
    >>> StepScores(sums_up, "line", given="step")(Rollout.of(Example(id="x"), "2+2=4\n3+3=7")).dense["steps"].values
    (1.0, 0.0)

    The value is the mean over steps (`guerdon.rewards.pieces`); the scores themselves are the stream `steps`. A rollout
    without steps abstains.
    """

    delimiter: Delimiter = "paragraph"
    given: Literal["prefix", "step"] = "prefix"
    """What it is shown: all up to the end of the step, or the step alone."""
    limit: int = 256
    """The most steps of one turn; the last holds what is left. Each step is a question to the reward."""
    tokenizer: str = ""
    """A local path or hub id of what turns token ids into text, to place steps on tokens. The policy's own where it has
    one and the reward runs in the trainer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("StepScores.delimiter", self.delimiter, get_args(Delimiter))
        one_of("StepScores.given", self.given, ("prefix", "step"))
        whole_number("StepScores.limit", self.limit, 1)

    @property
    def part_names(self) -> tuple[str, ...]:
        """What a score has, for logs under fixed names."""
        return ("step_length",)

    def pieces(self, rollout: Rollout) -> Sequence[Rollout]:
        """All up to each step, or each step alone."""
        shown = prefix if self.given == "prefix" else alone
        return [shown(rollout, step) for step in self._steps(rollout)]

    def joined(self, rollout: Rollout, scores: Sequence[Score], context: Context) -> Score:
        """The mean, and each step's score where that step ends."""
        steps = self._steps(rollout)
        decode = decoder(self.tokenizer, context.policy, "StepScores.tokenizer")
        values = tuple(score.value for score in scores)
        dense = {STEPS: Stream("span", values, ends_of(rollout, steps, decode) or ())}
        if not steps:
            return Score(math.nan, "there is no step in it", {}, "abstain", dense)
        length = Score(math.fsum(len(step.text) for step in steps) / len(steps))
        return mean_score(scores, "step", dense, {"step_length": length})

    def _steps(self, rollout: Rollout) -> list[Step]:
        return steps_of(rollout, self.delimiter, self.limit)


@dataclass(frozen=True)
class ProcessReward(Reward, name="process-v1"):
    """`alpha` times the shaped step scores of another reward: see the module's head.

    The value is the sum over the steps, the stream `steps` the reward of each step, both times alpha. Parts: the step
    scorer's score under its own name, `step_count` (K), `raw_sum` (of the step scores, unshaped), and `success_only`.

    A trajectory with a step that has no score (or whose scorer failed) *abstains*: in a sum with the success reward,
    success alone is left of it, and `success_only` is 1.0 for it, so that its mean in the logs is their share. One
    without any step earns 0.
    """

    steps: Reward
    """Its scores have the stream of step scores: `StepScores`, or a model's per turn or per policy step."""
    mode: Mode = "clip_delta"
    alpha: float = 0.02
    """Weight beside a success of 1. If it is tiny, all modes are success alone."""
    eta: float = 0.5
    """Clip's threshold; most steps of right solutions should score at or above it."""
    stream: str = STEPS
    """Name of the scorer's stream. In one per turn or step, a NaN is a step without a score."""
    within: tuple[float, float] = (0.0, 1.0)
    """The interval of the step scores, which the bounds follow from; one outside is a bug of the scorer."""

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ConfigError(
                f"ProcessReward.mode is {self.mode!r}; accepted are {', '.join(map(repr, get_args(Mode)))}"
            )
        if not 0.0 <= self.alpha < math.inf:
            raise ConfigError(f"ProcessReward.alpha is {self.alpha!r}; a finite number >= 0 is needed")
        if not math.isfinite(self.eta):
            raise ConfigError(f"ProcessReward.eta is {self.eta!r}; a finite number is needed")
        object.__setattr__(self, "within", tuple(self.within))
        if not -math.inf < self.within[0] <= self.within[1] < math.inf:
            raise ConfigError(f"ProcessReward.within is {self.within!r}; finite (low, high) with low <= high is needed")
        if self.steps.label in (STEPS, *self.part_names):
            raise ConfigError(
                f"ProcessReward.steps is called {self.steps.label!r}, as another part is; give it another name with "
                f".named(...)"
            )

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """What no trajectory's sum can leave, however long it is."""
        low, high = self.within
        if self.mode in ("clip", "clip_delta"):
            low, high = min(low - self.eta, 0.0), min(high - self.eta, 0.0)
        if self.mode in ("plain", "clip"):
            low, high = (-math.inf if low < 0.0 else 0.0), (math.inf if high > 0.0 else 0.0)
        if not self.alpha:
            return 0.0, 0.0
        return self.alpha * min(low, 0.0), self.alpha * max(high, 0.0)

    @property
    def sees(self) -> Sees:  # type: ignore[override]
        """The scorer's."""
        return self.steps.sees

    @property
    def children(self) -> tuple[Reward, ...]:
        """The step scorer."""
        return (self.steps,)

    @property
    def part_names(self) -> tuple[str, ...]:
        """What a score has, for logs under fixed names."""
        return "step_count", "raw_sum", "success_only"

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Shape each trajectory's step scores."""
        return [[self._shaped(score) for score in row] for row in context.scores(self.steps, groups)]

    def _shaped(self, score: Score) -> Score:
        parts = {self.steps.label: score}
        found = score.dense.get(self.stream)
        if found is None and score.status == "timeout":  # it hung, whatever it gives else: as one step at its worst
            least = shape_steps([self.within[0]], "clip" if self.mode in ("clip", "clip_delta") else "plain", self.eta)
            worst = self.alpha * min(*least, 0.0)
            return Score(worst, score.why, {**parts, "success_only": Score(0.0)}, "timeout")  # its stream, too
        if found is None and score.scored and score.value == 0.0:  # behind a closed gate nobody was asked
            return Score(0.0, score.why, {**parts, "success_only": Score(0.0)})
        if found is None and score.scored:
            there = ", ".join(map(repr, score.dense)) or "none"
            raise ConfigError(f"ProcessReward.stream is {self.stream!r}; the scores of {self.steps.name} have {there}")
        if found is None or any(value != value for value in found.values) or (not score.scored and found.values):
            parts["success_only"] = Score(1.0)
            return Score(math.nan, f"a step has no score: {score.why}", parts, "abstain")
        self._check(found)
        rewards = replace(found, values=tuple(shape_steps(found.values, self.mode, self.eta))).scaled(self.alpha)
        parts |= {
            "step_count": Score(float(len(found.values))),
            "raw_sum": Score(math.fsum(found.values)),
            "success_only": Score(0.0),
        }
        low, high = self.bounds
        total = min(max(math.fsum(rewards.values), low), high)  # the rounding of a sum
        return Score(total, score.why, parts, dense={STEPS: rewards})

    def _check(self, found: Stream) -> None:
        low, high = self.within
        outside = next((value for value in found.values if not low <= value <= high), None)
        if outside is not None:
            raise RewardError(
                f"a step score of {self.steps.name} is {outside!r}, outside ProcessReward.within = {self.within!r}. "
                f"State the interval its scores lie in."
            )
