"""Evaluation of plans and of the reasoning before them.

| | what |
|---|---|
| `class_f1` | F1 of each action over a data set, from parsed sets |
| `planning_accuracy` | share of answers with exactly the true actions on both axes |
| `bleu4`, `corpus_bleu4` | likeness of the reasoning to what was written for the example, by sacrebleu |
| `ClassF1`, `ReasoningBleu` | the same as rewards, for `Task.metrics()` |
| `planning_metrics` | what a planning task reports |

The released evaluator looks for words anywhere in the completion, reasoning included, and counts a predicted class as
right whenever the *true* action stands anywhere in it. Here parsed sets are compared [choice].

Of the paper's three measures of reasoning one is here. CIDEr has no light library that is kept up (pycocoevalcap ships
104 MB and had its last release in 2020), and METEOR needs WordNet's data: neither is rebuilt.

Source: AlphaDrive (arXiv 2503.07608), section on evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from guerdon.errors import ConfigError
from guerdon.rewards import Context, Reward
from guerdon.types import Group, Rollout, Score
from guerdon_driving.actions import ACTIONS, WEIGHTS, Axis
from guerdon_driving.answers import THINK_CLOSE, THINK_OPEN, Plan, read_plan, read_solution
from guerdon_driving.examples import DrivingExample
from guerdon_driving.rewards import Format, PlanExact

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

MOST_CHARS = 20_000
"""Of a piece of reasoning; more of it is not compared. Two sentences are asked for."""


def class_f1(predicted: Sequence[Plan], truth: Sequence[Plan]) -> dict[str, float]:
    r"""F1 of each action over N answers: $2\,tp / (2\,tp + fp + fn)$.

    Args:
        predicted: N plans, as they were read.
        truth: N plans.

    Returns:
        Nine numbers in [0, 1] by action; NaN for one that neither side ever names.

    >>> keep, stop = Plan(frozenset({"KEEP"})), Plan(frozenset({"STOP"}))
    >>> found = class_f1([keep, keep, Plan()], [keep, stop, stop])
    >>> found["KEEP"], found["STOP"], found["ACCELERATE"]
    (0.6666666666666666, 0.0, nan)
    """
    pairs = [
        (axis, one.on(axis), other.on(axis))
        for one, other in zip(predicted, truth, strict=True)
        for axis in get_args(Axis)
    ]
    found = {}
    for axis, actions in ACTIONS.items():
        for action in actions:
            named = [(action in one, action in other) for of, one, other in pairs if of == axis]
            both, either = sum(one and other for one, other in named), sum(one + other for one, other in named)
            found[action] = 2.0 * both / either if either else math.nan
    return found


def planning_accuracy(predicted: Sequence[Plan], truth: Sequence[Plan]) -> float:
    """The share, in [0, 1], of N answers whose sets are the true ones on both axes; NaN for none.

    >>> keep, stop = Plan(frozenset({"KEEP"})), Plan(frozenset({"STOP"}))
    >>> planning_accuracy([keep, keep], [keep, stop])
    0.5
    """
    right = [one == other for one, other in zip(predicted, truth, strict=True)]
    return sum(right) / len(right) if right else math.nan


@dataclass(frozen=True)
class ClassF1(Reward, name="driving/class-f1-v1", bounds=(0.0, 1.0), sees="batch"):
    """F1 of one action over all that is scored in one call; every answer bears that same number. For reporting.

    So the mean over an evaluation, which scores its examples in one call, is the F1 of the data set. `abstain` where
    neither truth nor answers name the action, `invalid` for an example whose solution names none at all.
    """

    action: str = "KEEP"
    """Whose F1."""

    def __post_init__(self) -> None:
        if self.action not in WEIGHTS:
            raise ConfigError(f"{self.name}.action is {self.action!r}; accepted are {', '.join(WEIGHTS)}")

    def score_batch(self, groups: Sequence[Group], context: Context) -> list[list[Score]]:
        """Read every answer once, count, and tell all the same."""
        truths = [
            [read_solution(rollout.example_as(DrivingExample).solution, "tolerant") for rollout in group.rollouts]
            for group in groups
        ]
        pairs = [
            (read_plan(rollout.completion), truth)
            for group, row in zip(groups, truths, strict=True)
            for rollout, truth in zip(group.rollouts, row, strict=True)
            if truth != Plan()
        ]
        value = class_f1([one for one, _ in pairs], [other for _, other in pairs])[self.action]
        known = (
            Score.unscored(f"neither truth nor answers name {self.action}", status="abstain")
            if math.isnan(value)
            else Score(value, f"over {len(pairs)} answers")
        )
        broken = Score.unscored("the solution names no action", status="invalid")
        return [[broken if truth == Plan() else known for truth in row] for row in truths]


# -- reasoning -------------------------------------------------------------------------------------------------------


def reasoning(text: str) -> str:
    """What stands in a text's first think block, stripped; "" without one. At most `MOST_CHARS` of it.

    >>> reasoning("<think> the road is clear </think> <answer> KEEP, STRAIGHT </answer>")
    'the road is clear'
    """
    start = text.find(THINK_OPEN)
    end = text.find(THINK_CLOSE, start + len(THINK_OPEN)) if start >= 0 else -1
    return text[start + len(THINK_OPEN) : end].strip()[:MOST_CHARS] if end >= 0 else ""


def bleu4(said: str, wanted: str) -> float:
    """BLEU-4 of one text against one reference, in [0, 1]: lower-cased, sacrebleu's own smoothing and tokens.

    Raises:
        ConfigError: sacrebleu is not installed.
    """
    return min(1.0, float(_bleu(one=True).sentence_score(said, [wanted]).score) / 100.0)


def corpus_bleu4(said: Sequence[str], wanted: Sequence[str]) -> float:
    """BLEU-4 of N texts against one reference each, in [0, 1]: n-grams are counted over all of them, as papers report.

    Raises:
        ConfigError: sacrebleu is not installed.
        ValueError: there are not as many of the one as of the other, or none.
    """
    if len(said) != len(wanted) or not said:
        raise ValueError(f"{len(said)} texts for {len(wanted)} references; as many, and at least one, are needed")
    return min(1.0, float(_bleu(one=False).corpus_score(list(said), [list(wanted)]).score) / 100.0)


def _bleu(*, one: bool) -> BLEU:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise ConfigError(
            "BLEU needs sacrebleu, which is not installed: pip install 'guerdon-driving[reasoning]'"
        ) from error
    return BLEU(lowercase=True, effective_order=one)  # a short sentence has no four words: orders it lacks are left out


@dataclass(frozen=True)
class ReasoningBleu(Reward, name="driving/reasoning-bleu-v1", bounds=(0.0, 1.0)):
    """BLEU-4 of the reasoning against the example's own, one by one; `abstain` where the example has none.

    For reporting: it pays for likeness of words, not for sense.
    """

    def score(self, rollout: Rollout) -> Score:
        """Compare the two think blocks."""
        thinking = rollout.example_as(DrivingExample).thinking
        wanted = reasoning(thinking) if THINK_OPEN in thinking else thinking.strip()[:MOST_CHARS]
        if not wanted:
            return Score.unscored("the example has no reasoning to compare with", status="abstain")
        said = reasoning(rollout.completion)
        if not said:
            return Score(0.0, "no closed think block, or an empty one", status="fail")
        return Score(bleu4(said, wanted), "BLEU-4 of the think block")


def planning_metrics(actions: Iterable[str] = ()) -> dict[str, Reward]:
    """What a planning task reports: planning accuracy, each axis alone, the layout, and F1 of the actions named.

    Args:
        actions: whose F1 is reported, as `f1/KEEP`; all nine are `actions.WEIGHTS`.
    """
    found: dict[str, Reward] = {
        "planning_accuracy": PlanExact(),
        "speed": PlanExact("speed"),
        "path": PlanExact("path"),
        "format": Format(),
    }
    return found | {f"f1/{action}": ClassF1(action) for action in actions}
