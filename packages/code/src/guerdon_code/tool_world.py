"""A tool-calling world of a few choices, small enough to learn in two seconds: what the claim is tested on.

One gold call per query: one of 8 tools, each of 4 optional parameters present or not, each present one with one of 6
values. The policy is a table: for each query a softmax over tools, and for each parameter one over present or not and
one over values. Nothing is shared between queries, so there is only learning, and no generalisation.

With `layouts` the policy also chooses how to write its turn, so that the layout alone can be learned.

Plain Python throughout: nothing here needs an array library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from guerdon.types import Rollout, Segment
from guerdon_code.tool_calls import line_of
from guerdon_code.tool_examples import ToolExample
from guerdon_code.tool_layout import CALL_CLOSE, CALL_OPEN
from guerdon_code.tool_prompts import turn

TOOLS = 8
PARAMETERS = 4
VALUES = 6
LAYOUTS = 3
"""Kept with a call; kept, and no call that can be read; broken, with a call that can be read."""

Action = tuple[int, ...]
"""Tool, then for each parameter present or not and value (0 where not present), then the layout."""
SLOTS = (TOOLS, *(2, VALUES) * PARAMETERS, LAYOUTS)


class ToolQuery(ToolExample):
    """A query given as the action that answers it."""

    action: Action


def call_line(action: Action) -> str:
    """The call that an action makes.

    >>> call_line((3, 1, 5, 0, 0, 0, 0, 1, 2, 0))
    '{"name": "tool_3", "parameters": {"p0": 5, "p3": 2}}'
    """
    pairs = zip(action[1:-1:2], action[2:-1:2], strict=True)
    return line_of(f"tool_{action[0]}", {f"p{i}": value for i, (there, value) in enumerate(pairs) if there})


def turn_text(action: Action) -> str:
    """The turn that an action writes."""
    line, layout = call_line(action), action[-1]
    if layout == 2:
        return f"<think> so </think> {CALL_OPEN}{line}{CALL_CLOSE}"
    return turn("so", ["no call" if layout == 1 else line], "", "call")


def make_queries(count: int, random: Random) -> list[ToolQuery]:
    """Queries whose gold calls are drawn evenly."""
    found = []
    for number in range(count):
        action = [random.randrange(TOOLS)]
        for _ in range(PARAMETERS):
            there = random.randrange(2)
            action += [there, random.randrange(VALUES) if there else 0]
        action.append(0)
        found.append(ToolQuery(id=f"query-{number}", calls=(call_line(tuple(action)),), action=tuple(action)))
    return found


@dataclass
class TablePolicy:
    """One table of logits per query, all zero at the start."""

    layouts: bool = False
    """Whether the layout is a choice too; else it is always kept."""
    logits: dict[str, list[list[float]]] = field(default_factory=dict)
    """Query -> slot x choice."""

    def table(self, query: ToolQuery) -> list[list[float]]:
        """The logits of a query."""
        return self.logits.setdefault(query.id, [[0.0] * size for size in SLOTS])

    def probabilities(self, query: ToolQuery) -> list[list[float]]:
        """Slot x choice."""
        return [_softmax(row) for row in self.table(query)]

    def attempts(self, query: ToolQuery, n: int, random: Random) -> list[Rollout]:
        """`n` sampled rollouts, each one step: all choices together."""
        tables = self.probabilities(query)
        return [self._rollout(query, [_drawn(table, random) for table in tables], tables, index) for index in range(n)]

    def best(self, query: ToolQuery) -> Action:
        """The most likely choice in each slot; of equals the first."""
        chosen = [max(range(len(row)), key=row.__getitem__) for row in self.table(query)]
        return self._cleaned(chosen)

    def reinforce(self, rollouts: Sequence[tuple[Rollout, float]], learning_rate: float) -> None:
        """One step of gradient ascent on the mean over a query's attempts of advantage times log-probability."""
        query = rollouts[0][0].example_as(ToolQuery)
        tables, logits = self.probabilities(query), self.table(query)
        for rollout, advantage in rollouts:
            scale = learning_rate * advantage / len(rollouts)
            action = rollout.segments[0].action
            for slot in self._taken(action):
                for choice, p in enumerate(tables[slot]):
                    logits[slot][choice] += scale * ((choice == action[slot]) - p)

    def _rollout(self, query: ToolQuery, chosen: list[int], tables: list[list[float]], index: int) -> Rollout:
        action = self._cleaned(chosen)
        logprob = math.fsum(math.log(tables[slot][action[slot]]) for slot in self._taken(action))
        return Rollout(query, (Segment("policy", turn_text(action), logprobs=(logprob,), action=action),), index=index)

    def _cleaned(self, chosen: list[int]) -> Action:
        """Without the values of parameters that are not there, and with the layout kept unless it is a choice."""
        for there in range(1, len(chosen) - 1, 2):
            chosen[there + 1] *= chosen[there]
        if not self.layouts:
            chosen[-1] = 0
        return tuple(chosen)

    def _taken(self, action: Action) -> list[int]:
        """The slots in which something was decided."""
        slots = [0]
        for there in range(1, len(action) - 1, 2):
            slots += [there, there + 1] if action[there] else [there]
        return [*slots, len(action) - 1] if self.layouts else slots


def _drawn(table: list[float], random: Random) -> int:
    mark = random.random()
    for choice, p in enumerate(table):
        mark -= p
        if mark < 0.0:
            return choice
    return len(table) - 1


def _softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    weights = [math.exp(value - top) for value in logits]
    total = sum(weights)
    return [weight / total for weight in weights]
