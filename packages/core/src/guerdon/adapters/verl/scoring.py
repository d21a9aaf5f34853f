"""A row of verl's, scored: which example it is, what it earns, and how that is said in verl's words."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from typing import Any

from guerdon.adapters.together import Together
from guerdon.adapters.verl.data import refuse_prefix
from guerdon.adapters.verl.options import Options
from guerdon.adapters.versions import check
from guerdon.errors import ConfigError, UnscoredError
from guerdon.grading import Grader, Row
from guerdon.rewards import Context
from guerdon.rewards.base import Sees
from guerdon.rewards.constrained import uncontrolled
from guerdon.sandbox.pool import WORKERS
from guerdon.types import Score

_TURNS = 2
"""What verl counts of a conversation in which nobody but the policy answered: the prompt and one response."""
Unit = tuple[Context, Sequence[Row]]
"""What is scored at once: one row, or those of a group."""


def sample_row(
    options: Options, completion: Any, info: Mapping[str, Any], *, data_source: str, ground_truth: Any, **fields: Any
) -> dict[str, Any]:
    """A row for the grader.

    Args:
        options: whether a task is known, and what becomes of conversations.
        completion: a text, or chat messages.
        info: the row's `extra_info`, with what verl's agent loop added.
        data_source: the row's.
        ground_truth: the row's `reward_model.ground_truth`.
        fields: further fields of the grader's row (`group`, `stop`).

    Raises:
        ConfigError: no example is named, though a task is known; or it is a conversation, and those are refused.
    """
    turns = info.get("num_turns")
    if isinstance(completion, str) and turns is not None and int(turns) > _TURNS and options.multi_turn == "refuse":
        raise ConfigError(
            f"the response is a conversation of {int(turns)} turns as one text: what a tool said cannot be told from "
            f"what the policy wrote. Set reward_kwargs.multi_turn=as_written to score it all as the policy's."
        )
    if options.recipe is None and options.task is None:
        columns = {**info, "data_source": data_source, "ground_truth": ground_truth}
        return {"example": columns, "completion": completion, **fields}
    if not isinstance(info.get("example"), str):
        raise ConfigError(
            f"extra_info.example is {info.get('example')!r}; the id of an example is needed there. Write the data set "
            f"with `guerdon export --format verl`, or give neither recipe nor task."
        )
    return {"example": info["example"], "completion": completion, **fields}


class Scorer:
    """One grader of this process. Threads share it: those that wait are scored together."""

    def __init__(self, options: Options) -> None:
        os.environ.setdefault(WORKERS, str(options.workers))  # verl has many such processes to a machine
        check("verl")
        self.options = options
        if not (options.recipe or options.reward):
            raise ConfigError("reward_kwargs name no reward: give recipe, or task and reward, or reward alone")
        self.grader = Grader.of(
            options.recipe,
            task=options.task,
            reward=options.reward,
            workers=options.workers,
            deadline_s=options.deadline_s,
        )
        self.grader.refuse_learning("verl's reward workers share no state, and its checkpoints have none of it")
        if told := uncontrolled(self.grader.reward):
            warnings.warn(f"{self.grader.reward.name}: {told}", RuntimeWarning, stacklevel=2)
        if self.grader.task is not None:
            first = next(iter(self.grader.task.examples("train")))
            refuse_prefix(self.grader.task, first, self.grader.task.prompt(first))
        self.needs(sees="group")
        self._together: Together[Unit, list[Score]] = Together(self._grade)

    def needs(self, *, sees: Sees) -> None:
        """See that the reward looks at no more than that.

        Raises:
            ConfigError: it does; the message says what to do.
        """
        reward = self.grader.reward
        if reward.sees == "batch":
            raise ConfigError(f"{reward.name} looks at whole batches, and verl never has one to show")
        if reward.sees == "group" and sees == "rollout":
            raise ConfigError(
                f"{reward.name} compares the attempts at a prompt, and a custom function sees one at a time; use "
                f"guerdon's manager: reward.reward_manager.name=guerdon"
            )

    def ask(self, rows: Sequence[Row], *, step: Any = None, total_steps: int = 0) -> Future[list[Score]]:
        """The scores, some time, of rows that are compared with one another, or of one row."""
        return self._together.ask((Context(max(0, int(step or 0)), total_steps), rows))

    def _grade(self, units: list[Unit]) -> list[list[Score]]:
        """Units of one step go to the grader together."""
        found: dict[int, list[Score]] = {}
        steps: dict[tuple[int, int], list[int]] = {}
        for place, (context, _) in enumerate(units):
            steps.setdefault((context.step, context.total_steps), []).append(place)
        for (step, total_steps), places in steps.items():
            rows = [row for place in places for row in self._apart(place, units[place][1])]
            scores = iter(self.grader.grade(rows, Context(step, total_steps)))
            for place in places:
                found[place] = [next(scores) for _ in units[place][1]]
        return [found[place] for place in range(len(units))]

    def _apart(self, place: int, unit: Sequence[Row]) -> Sequence[Row]:
        """Rows that are scored alone, each in a group of its own: whom they came with is an accident.

        Attempts at one row of the user's also differ in what verl adds to its columns.
        """
        return unit if self.grader.reward.sees != "rollout" else [{**row, "group": place} for row in unit]

    def answer(self, score: Score) -> dict[str, float | str]:
        """What verl is told: flat, never NaN, and the same keys for every sample.

        `score` is trained on. `unscored` is 1.0 where it is the number that `fill` names, else 0.0. `status` and `why`
        are texts, which verl writes to its dumps and leaves out of its means. `part/NAME` and `unscored/NAME` are those
        of `Grader.logged`.

        Raises:
            UnscoredError: there is no number, and none was named.
        """
        if not score.scored and self.options.fill is None:
            raise UnscoredError(f"a sample is unscored ({score.status}): {score.why}")
        value = score.value if score.scored else self.options.fill
        assert value is not None
        return {
            "score": float(value),
            "unscored": float(not score.scored),
            "status": score.status,
            "why": score.why,
            **{name: value for name, [value] in self.grader.logged([score]).items()},
        }


def scorer(options: Options) -> Scorer:
    """The process's own, made at first use, by one thread while the others wait."""
    with _MAKING:
        return _scorer(options)


_MAKING = threading.Lock()
_scorer = cache(Scorer)
