"""Pieces that are each in order and do not go together: what is said of them at the start of a run."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from guerdon.advantages import group_relative, returns_to_go, streams
from guerdon.errors import ConfigError
from guerdon.rewards import walk
from guerdon.rewards.constrained import Constrained, uncontrolled
from guerdon.rewards.parts import known_parts, may_have
from guerdon.rewards.process import ProcessReward

if TYPE_CHECKING:
    from guerdon.advantages import Estimator
    from guerdon.protocols import Controller
    from guerdon.rewards import Reward
    from guerdon.trainer.config import LossConfig


def mismatches(
    reward: Reward, loss: LossConfig, advantage: Estimator, controllers: Sequence[Controller]
) -> Iterator[str]:
    """What works, and not as its source has it: a sentence for each, with what would.

    Args:
        reward: the run's.
        loss: its settings as the recipe says them.
        advantage: its estimator; of one that wraps another, the innermost is looked at.
        controllers: the run's.
    """
    estimator = advantage
    while (inner := getattr(estimator, "of", None)) is not None:
        estimator = inner
    nodes = walk(reward)
    if any(isinstance(node, Constrained) for node in nodes):
        yield from _constrained(reward, loss, estimator, controllers)
    if any(isinstance(node, ProcessReward) for node in nodes) and not isinstance(estimator, (returns_to_go, streams)):
        yield (
            f"process-v1 gives a reward to each step, and {type(estimator).__name__} reads their sum alone, which for "
            "delta is the first step's score. Train it with `advantage: {use: returns_to_go, with: {weights: {success: "
            "1.0, process/steps: 1.0}}}`, a weight for each stream and part"
        )


def check_parts(reward: Reward, advantage: Estimator) -> None:
    """See that the parts and streams an estimator reads are there, where the reward can tell before it scores.

    Raises:
        ConfigError: one is not; the message has the parts that are known, the nearest first.
    """
    for path in advantage.reads:
        if not may_have(reward, path):
            known = known_parts(reward)
            near = difflib.get_close_matches(path, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, known)) or 'none'}"
            raise ConfigError(
                f"the advantage estimator {type(advantage).__name__} reads the part or stream {path!r}, and the scores "
                f"of {reward.name} have none; {hint}"
            )


def _constrained(
    reward: Reward, loss: LossConfig, estimator: Estimator, controllers: Sequence[Controller]
) -> Iterator[str]:
    controlled = any(controller.name == "constrained-kl" for controller in controllers)
    if not loss.kl_weight:
        yield (
            "constrained-v1 holds its components at thresholds and has the KL as its objective, and "
            "train.loss.kl_weight is 0: nothing holds the policy but the thresholds. 0.2 is the released code's"
        )
    elif not controlled and (told := uncontrolled(reward)):
        yield f"{told}. Here: `controllers: [constrained-kl]`"
    if isinstance(estimator, group_relative) and estimator.std:
        yield (
            "group_relative divides each group by its std, and with it the weights of constrained-v1 (of a single "
            "component all but their sign): its advantages are to be centred alone, `advantage: {use: group_relative, "
            "with: {std: false}}`"
        )
