"""Rewards in worker processes that hang on one answer: for `test_hangs.py`, and importable by the workers."""

from __future__ import annotations

import time

from guerdon.rewards import reward
from guerdon.types import Example, Score, Stream

GOOD, WRONG, HANG = "0.9", "0.1", "hang"


class Asked(Example):
    right: str = GOOD
    sample_rewards: tuple[float, ...] = (0.2, 0.5, 0.3)


def number(rollout):
    """What the last line says; never anything of one that says "hang"."""
    if rollout.answer.split("\n")[-1] == HANG:
        time.sleep(60)
    return float(rollout.answer.split("\n")[-1])


@reward(name="kit/right-v1", bounds=(0.0, 1.0), runs_in="processes")
def right(rollout):
    return number(rollout)


@reward(name="kit/early-v1", bounds=(0.0, 1.0), runs_in="processes")
def early(rollout):
    return number(rollout)


@reward(name="kit/short-v1", bounds=(0.0, 1.0), runs_in="processes")
def short(rollout):
    return number(rollout)


@reward(name="kit/steps-v1", bounds=(0.0, 4.0), runs_in="processes")
def steps(rollout):
    value = number(rollout)
    return Score(2 * value, dense={"steps": Stream("step", (value,) * max(rollout.steps, 1))})


@reward(name="t/penalty-v1", bounds=(-1.0, 0.0), runs_in="processes")
def penalty(rollout):
    return number(rollout) - 1.0


@reward(name="t/cost-v1", bounds=(0.0, 1.0), runs_in="processes")
def cost(rollout):
    return 1.0 - number(rollout)


@reward(name="t/log-prob-v1", bounds=(float("-inf"), 0.0), runs_in="processes")
def log_prob(rollout):
    return 10.0 * (number(rollout) - 1.0)


@reward(name="t/marks-v1", bounds=(1.0, 5.0), runs_in="processes")
def marks(rollout):
    return 1.0 + 4.0 * number(rollout)


@reward(name="t/slow-step-v1", bounds=(0.0, 1.0), runs_in="processes")
def slow_step(rollout):
    time.sleep(0.15)
    return number(rollout)


@reward(name="t/quiet-v1", bounds=(0.0, 1.0), runs_in="processes")
def quiet(rollout):
    """Never hangs."""
    return 0.5
