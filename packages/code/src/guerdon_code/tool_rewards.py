r"""ToolRL's rewards: what a turn earns for its layout, its calls, and the length of its thoughts.

| name | value | in the total |
|---|---|---|
| `code/toolrl-format-v1` | the layout of the gold turn is kept, 0 or 1 | always |
| `code/toolrl-correctness-v1` | agreement with the gold calls, -3 to 3; 0 where gold calls nothing | always |
| `code/toolrl-length-v1` | words of thought, up to 1 | on request: it hurt in the paper |
| `code/toolrl-v1` | the sum, -3 to 4 | |
| `code/no-call-v1` | -1 for a call where gold has none | no: ours, to be added |
| `code/tool-exact-v1` | 1 for exactly the gold calls, in any order; for reporting | no |

By default all is as in the published runs. Ranges may move with the step of the run (`tool_schedules`); how calls are
compared stands in `tool_matching` and `tool_values`. All depend on one rollout, and on the step, alone.

What they do not cover: surplus calls cost little (only the similarity of the names falls), junk after the thoughts
passes, and nothing is executed.

Source: ToolRL: Reward is All Tool Learning Needs (arXiv 2504.13958) and its released code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from guerdon.fields import one_of, whole_number
from guerdon.rewards import Reward
from guerdon.types import Score
from guerdon_code.options import between, interval
from guerdon_code.tool_calls import Call, Malformed, calls_in, shown
from guerdon_code.tool_examples import ToolExample, gold_accepted, gold_calls
from guerdon_code.tool_layout import CALL_OPEN, last_thought, layout_fault
from guerdon_code.tool_matching import (
    ASSIGNMENTS,
    GRANULARITIES,
    Agreement,
    Assignment,
    Granularity,
    Rules,
    agreement,
)
from guerdon_code.tool_schedules import (
    CORRECTNESS_RANGE,
    FORMAT_RANGE,
    LENGTH_STEPS,
    Range,
    Schedule,
    check_schedule,
    correctness_range,
    format_range,
    hull,
    words_wanted,
)
from guerdon_code.tool_turns import TurnReward
from guerdon_code.tool_values import COMPARISONS, Accepted, Comparison, in_golds_words, same

Accept = Literal["gold", "any"]
Length = Literal["off", "fixed", "dynamic"]
LENGTHS: tuple[Length, ...] = ("off", "fixed", "dynamic")
LENGTH_WORDS = 512


@dataclass(frozen=True)
class Format(TurnReward, name="code/toolrl-format-v1"):
    """`high` when the turn has the layout of the gold turn, else `low`."""

    low: float = FORMAT_RANGE[0]
    """What a broken layout earns."""
    high: float = FORMAT_RANGE[1]
    """What a kept one earns."""
    schedule: Schedule = "constant"
    """How the range moves with the step; see `tool_schedules`."""
    steps: int = 0
    """How long the stage or the smooth part lasts; 0: 30 or 150 steps, as in the released code."""

    def __post_init__(self) -> None:
        interval(self.name, self.low, self.high)
        check_schedule(self.name, self.schedule, (self.low, self.high), FORMAT_RANGE, self.steps)

    @property
    def bounds(self) -> Range:  # type: ignore[override]
        """Over all steps."""
        return hull(*(format_range(self.schedule, step, (self.low, self.high), 1) for step in (0, 1)))

    def grade(self, example: ToolExample, text: str, step: int) -> Score:
        """Look for the pieces of the layout."""
        low, high = format_range(self.schedule, step, (self.low, self.high), self.steps)
        fault = layout_fault(text, example.layout)
        if fault:
            return Score(low, f"{fault} (layout: {example.layout})", status="fail")
        return Score(high, f"layout: {example.layout}")


@dataclass(frozen=True)
class Correctness(TurnReward, name="code/toolrl-correctness-v1"):
    r"""Agreement of the calls with the gold calls, $(high - low) S / S_{max} + low$; 0.0 where gold calls nothing.

    `low` for a turn whose calls cannot be read (`rejected`); `fail` for calls that earn less than `high`.
    """

    low: float = CORRECTNESS_RANGE[0]
    """What wholly wrong calls earn, and those that cannot be read."""
    high: float = CORRECTNESS_RANGE[1]
    """What the gold calls earn. -1 and 1 are the paper's variant "equal max"."""
    schedule: Schedule = "constant"
    """How the range moves with the step; see `tool_schedules`."""
    steps: int = 0
    """How long the stage or the smooth part lasts; 0: 30 or 150 steps, as in the released code."""
    granularity: Granularity = "default"
    """What is credited in part; see `tool_matching`."""
    assignment: Assignment = "greedy"
    """Which call is compared with which gold call: `greedy` (released) or `optimal` (printed)."""
    values: Comparison = "python"
    """When two values are the same; see `tool_values`."""
    accept: Accept = "gold"
    """`any` also accepts the other values that the example lists; `gold` is the paper's: one right answer."""

    def __post_init__(self) -> None:
        interval(self.name, self.low, self.high)
        check_schedule(self.name, self.schedule, (self.low, self.high), CORRECTNESS_RANGE, self.steps)
        one_of(f"{self.name}.granularity", self.granularity, GRANULARITIES)
        one_of(f"{self.name}.assignment", self.assignment, ASSIGNMENTS)
        one_of(f"{self.name}.values", self.values, COMPARISONS)
        one_of(f"{self.name}.accept", self.accept, ("gold", "any"))

    @property
    def bounds(self) -> Range:  # type: ignore[override]
        """Over all steps, and reaching to 0."""
        ends = (correctness_range(self.schedule, step, (self.low, self.high), 1) for step in (0, 1))
        return hull((0.0, 0.0), *ends)

    def grade(self, example: ToolExample, text: str, step: int) -> Score:
        """Read the calls and compare them."""
        if not example.calls:
            return Score(0.0, "gold calls nothing, so calls are not judged")
        low, high = correctness_range(self.schedule, step, (self.low, self.high), self.steps)
        try:
            calls = calls_in(text)
        except Malformed as error:
            return Score(low, str(error), status="rejected")
        gold = gold_calls(example.calls)
        rules = Rules(self.granularity, self.assignment, self.values)
        accepted = gold_accepted(example.accepted) if self.accept == "any" else ()
        found = agreement(gold, calls, rules, accepted)
        if found.earned == found.most:
            return Score(high, f"as gold ({self.granularity})")
        value = (high - low) * found.earned / found.most + low
        return Score(min(max(value, low), high), self._told(found, gold, calls, accepted), status="fail")

    def _told(self, found: Agreement, gold: Sequence[Call], calls: Sequence[Call], accepted: Sequence[Accepted]) -> str:
        """What was earned of what, and the first gold call that was not wholly met."""
        earned = f"{found.earned:.4g} of {found.most:g} ({self.granularity}, {self.assignment})"
        if self.granularity == "coarse":
            return f"not the gold calls; {earned}"
        for number, (wanted, place) in enumerate(zip(gold, found.matches, strict=True)):
            if place is None:
                return f"nothing for gold's {shown(wanted.name)}; {earned}"
            call = calls[place]
            given = (in_golds_words(call, wanted, accepted[number], self.values) if accepted else call).parameters
            lacks = [key for key in wanted.parameters if key not in given]
            adds = [key for key in given if key not in wanted.parameters]
            wrong = [
                key
                for key, value in wanted.parameters.items()
                if key in given and not same(value, given[key], self.values)
            ]
            told = (("lacks", lacks), ("adds", adds), ("differs in", wrong))
            if what := ", ".join(f"{word} {_few(keys)}" for word, keys in told if keys):
                return f"{shown(wanted.name)} {what}; {earned}"
        return f"{len(calls)} calls, gold has {len(gold)}; names agree by {found.names:.4g}; {earned}"


def _few(keys: Sequence[str]) -> str:
    return ", ".join(map(shown, keys[:3])) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


@dataclass(frozen=True)
class ThoughtLength(TurnReward, name="code/toolrl-length-v1", bounds=(0.0, 1.0)):
    """Words of the last think block by the number wanted, rounded to hundredths, 1 at most; 0 without think tags."""

    target: Literal["fixed", "dynamic"] = "fixed"
    """512 words, or 384 at the start and 640 at step 105."""
    words: int = LENGTH_WORDS
    """The number wanted, where it is `fixed`."""
    steps: int = LENGTH_STEPS
    """Steps from 384 to 640 words, where it is `dynamic`."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}.target", self.target, ("fixed", "dynamic"))
        whole_number(f"{self.name}.words", self.words, 1)
        whole_number(f"{self.name}.steps", self.steps, 1)

    def grade(self, example: ToolExample, text: str, step: int) -> Score:
        """Count words."""
        thought = last_thought(text)
        if thought is None:
            return Score(0.0, "lacks a think tag", status="fail")
        words = len(thought.split())
        wanted = float(self.words) if self.target == "fixed" else words_wanted(step, self.steps)
        return Score(min(1.0, round(words / wanted, 2)), f"{words} words of {wanted:.4g}")


@dataclass(frozen=True)
class NoCall(TurnReward, name="code/no-call-v1", bounds=(-1.0, 0.0)):
    """-1.0 for a call where the gold turn calls nothing, else 0.0.

    Ours: the published reward takes only the layout's point for a needless call. Add it, `toolrl() + NoCall()`.
    """

    def grade(self, example: ToolExample, text: str, step: int) -> Score:
        """Look for the opening tag, whatever follows it."""
        if example.calls or CALL_OPEN not in text:
            return Score(0.0)
        return Score(-1.0, "calls a tool where gold calls none", status="fail")


@dataclass(frozen=True)
class ExactCalls(TurnReward, name="code/tool-exact-v1", bounds=(0.0, 1.0)):
    """1.0 for exactly the gold calls, in any order, and for no call where gold has none; else 0.0. For reporting."""

    values: Comparison = "python"
    """When two values are the same; see `tool_values`."""
    accept: Accept = "any"
    """`any` also accepts the other values that the example lists."""

    def __post_init__(self) -> None:
        one_of(f"{self.name}.values", self.values, COMPARISONS)
        one_of(f"{self.name}.accept", self.accept, ("gold", "any"))

    def grade(self, example: ToolExample, text: str, step: int) -> Score:
        """Match calls one to one, wholly equal ones only."""
        if not example.calls:
            called = CALL_OPEN in text
            return Score(float(not called), "calls a tool" if called else "", status="fail" if called else "ok")
        try:
            calls = calls_in(text)
        except Malformed as error:
            return Score(0.0, str(error), status="rejected")
        rules = Rules("intermediate", "optimal", self.values)
        accepted = gold_accepted(example.accepted) if self.accept == "any" else ()
        found = agreement(gold_calls(example.calls), calls, rules, accepted)
        if found.earned == found.most:
            return Score(1.0)
        missed = sum(place is None for place in found.matches)
        return Score(0.0, f"misses {missed} of {len(found.matches)} calls, makes {len(calls)}", status="fail")


def toolrl(
    *,
    schedule: Schedule = "constant",
    steps: int = 0,
    correctness_max: float = 3.0,
    granularity: Granularity = "default",
    assignment: Assignment = "greedy",
    values: Comparison = "python",
    accept: Accept = "gold",
    length: Length = "off",
) -> Reward:
    """The paper's total, $R = R_{format} + R_{correct}$ and, on request, the length reward.

    Args:
        schedule: of both ranges.
        steps: how long its stage or smooth part lasts; 0 for the released 30 or 150.
        correctness_max: correctness lies between minus this and this; 1.0 is the variant "equal max".
        granularity: what is credited in part.
        assignment: which call is compared with which gold call.
        values: when two values are the same.
        accept: whether other accepted values are right too.
        length: `off`, `fixed` (512 words) or `dynamic`.

    Raises:
        ConfigError: an option is none of those accepted.

    >>> toolrl().bounds
    (-3.0, 4.0)
    """
    one_of("length", length, LENGTHS)
    between("correctness_max", correctness_max, 0.0, math.inf)
    total = Format(schedule=schedule, steps=steps).named("format") + Correctness(
        low=-correctness_max,
        high=correctness_max,
        schedule=schedule,
        steps=steps,
        granularity=granularity,
        assignment=assignment,
        values=values,
        accept=accept,
    ).named("correctness")
    return total if length == "off" else total + ThoughtLength(length).named("length")
