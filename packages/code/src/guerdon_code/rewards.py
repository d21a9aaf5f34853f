"""What a program earns for its tests and its form.

| name | value |
|---|---|
| `code/outcome-v1` | every test passes, 0 or 1 |
| `code/pass-rate-v1` | share of the tests that pass |
| `code/compiles-v1` | it is Python, 0 or 1 |
| `code/format-v1` | one closed block of code, 0 or 1 |
| `code/verpo-v1` (in `guerdon_code.verpo_reward`) | tests weighed by how hard they are for the group, turn by turn |

All rewards that run tests share their runs. Every test of every answer runs, whatever the others came to.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from guerdon import fields
from guerdon.rewards import Context, Reward, Scores
from guerdon.sandbox import Call, Calls, Limits, default_sandbox
from guerdon.sandbox import Outcome as Compiled
from guerdon.sandbox.confine import LAYERS
from guerdon.types import Group, Rollout, Score, Status
from guerdon_code import options
from guerdon_code.answers import FALLBACKS, Fallback, extract
from guerdon_code.problems import CodeProblem
from guerdon_code.stdout import RULES, Rule
from guerdon_code.verdicts import Testing, Verdict, verdicts

_WHY_CHARS = 200


def code_of(problem: CodeProblem, text: str, fallback: Fallback = "whole") -> str:
    """The program in an answer. Where the problem has starter code, and the answer does not define the function asked
    for, the answer is taken to go on where the starter ends.
    """
    code = extract(text, fallback)
    if not problem.starter or _defines(code, problem.entry_point) or not code:
        return code
    return problem.starter + code


def _defines(code: str, name: str) -> bool:
    return (
        bool(name)
        and re.search(rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", code, re.MULTILINE) is not None
    )


@dataclass(frozen=True)
class Tested(Reward, sees="rollout"):
    """A reward of what the tests say of the last attempt."""

    fallback: Fallback = field(default="whole", kw_only=True)
    """What is the code where there is no fenced block: the `whole` completion, or `none` of it."""
    floor_s: float = field(default=1.0, kw_only=True)
    """Processor seconds that a test has at least; more where the reference is slow."""
    memory_mb: int = field(default=512, kw_only=True)
    output: Rule = field(default="lines", kw_only=True)
    """How the output of whole programs is compared."""

    def __post_init__(self) -> None:
        fields.one_of(f"{self.name}.fallback", self.fallback, FALLBACKS)
        fields.one_of(f"{self.name}.output", self.output, RULES)
        options.between(f"{self.name}.floor_s", self.floor_s, 0.0, math.inf)
        fields.whole_number(f"{self.name}.memory_mb", self.memory_mb, 16)

    @property
    def testing(self) -> Testing:
        """The options, as the runner of tests takes them."""
        return Testing(floor_s=self.floor_s, memory_mb=self.memory_mb, output=self.output)

    @abstractmethod
    def grade(self, row: Sequence[Verdict]) -> Score:
        """What an answer earns whose tests could all be run."""

    def score(self, rollout: Rollout) -> Score:
        """One rollout's score: `score_batch` shares work between rollouts and gives the same."""
        return self.score_batch([Group.of([rollout])], Context())[0][0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All rollouts' scores; equal answers to a problem are tested once."""
        asked = [
            (problem, code_of(problem, rollout.answer, self.fallback))
            for group in groups
            for rollout in group.rollouts
            for problem in [rollout.example_as(CodeProblem)]
        ]
        rows = iter(verdicts(asked, self.testing))
        return [[self._graded(next(rows)) for _ in group.rollouts] for group in groups]

    def _graded(self, row: Sequence[Verdict]) -> Score:
        if lost := next((verdict for verdict in row if verdict.ours), None):
            return Score.unscored(f"a test could not be run: {lost.why}")
        return self.grade(row)


def told(row: Sequence[Verdict]) -> str:
    """How many tests passed, and what the first failure was; under which layers, where one is missing."""
    failed = [verdict for verdict in row if not verdict.passed]
    counted = f"{len(row) - len(failed)} of {len(row)} tests passed"
    if doubtful := sum(verdict.low_trust for verdict in row):
        counted += f" ({doubtful} of low trust)"
    text = f"{counted}; {failed[0].why}" if failed else counted
    text = text if len(text) <= _WHY_CHARS else f"{text[: _WHY_CHARS - 3]}..."
    layers = row[0].layers
    return text if not layers or set(layers) == set(LAYERS) else f"{text} (confined by {', '.join(layers)} alone)"


def status_of(row: Sequence[Verdict]) -> Status:
    """`ok` where all passed; what the first failure was, if it did not run to its end; else `fail`."""
    failed = next((verdict for verdict in row if not verdict.passed), None)
    if failed is None:
        return "ok"
    return "fail" if failed.status == "ok" else failed.status


@dataclass(frozen=True)
class Outcome(Tested, name="code/outcome-v1", bounds=(0.0, 1.0)):
    """1.0 when every test passes, else 0.0."""

    def grade(self, row: Sequence[Verdict]) -> Score:
        """All or nothing."""
        return Score(float(all(verdict.passed for verdict in row)), told(row), status=status_of(row))


@dataclass(frozen=True)
class PassRate(Tested, name="code/pass-rate-v1", bounds=(0.0, 1.0)):
    """Share of the tests that pass. Many easy tests outweigh few hard ones: see VeRPO for what to do about it."""

    def grade(self, row: Sequence[Verdict]) -> Score:
        """The share."""
        return Score(sum(verdict.passed for verdict in row) / len(row), told(row), status=status_of(row))


@dataclass(frozen=True)
class Compiles(Reward, name="code/compiles-v1", bounds=(0.0, 1.0), sees="rollout"):
    """1.0 when the code is Python, as far as its compiler can tell, and there is any. Compiled in the sandbox."""

    fallback: Fallback = field(default="whole", kw_only=True)

    def score(self, rollout: Rollout) -> Score:
        """One rollout's score."""
        return self.score_batch([Group.of([rollout])], Context())[0][0]

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All rollouts' scores, each distinct code compiled once."""
        codes = [
            code_of(rollout.example_as(CodeProblem), rollout.answer, self.fallback)
            for group in groups
            for rollout in group.rollouts
        ]
        ran = default_sandbox().run([Calls("", (Call(_COMPILE, (code,)),), _QUICK) for code in codes])
        scores = iter([self._graded(code, outcome) for code, (outcome,) in zip(codes, ran, strict=True)])
        return [[next(scores) for _ in group.rollouts] for group in groups]

    def _graded(self, code: str, outcome: Compiled) -> Score:
        if outcome.status == "infra":
            return Score.unscored(f"it could not be compiled: {outcome.error}")
        if not code.strip():
            return Score(0.0, "there is no code", status="fail")
        return Score(1.0, "compiles") if outcome.ok else Score(0.0, outcome.error, status="fail")


_COMPILE = "(lambda code: compile(code, 'answer', 'exec') and None)"
_QUICK = Limits(cpu_s=1.0)


@dataclass(frozen=True)
class Format(Reward, name="code/format-v1", bounds=(0.0, 1.0)):
    """1.0 when the answer is text around exactly one block of Python, fenced and closed, else 0.0."""

    def score(self, rollout: Rollout) -> Score:
        """Looks at fences alone."""
        lines = [line.strip() for line in rollout.answer.split("\n")]
        fences = [line for line in lines if line.startswith("```")]
        if len(fences) != 2:
            return Score(0.0, f"{len(fences)} lines begin with a fence, not 2", status="fail")
        if fences[0].lower() not in ("```python", "```py", "```") or fences[1] != "```":
            return Score(0.0, "the block does not say python, or is not closed by a bare fence", status="fail")
        return Score(1.0, "one block of code")
