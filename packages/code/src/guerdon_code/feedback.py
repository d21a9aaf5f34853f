"""The other side of a multi-turn answer: what the tests said, in words a policy can use."""

from __future__ import annotations

from collections.abc import Sequence

from guerdon.protocols import Turn
from guerdon.types import Segment
from guerdon_code.problems import CodeProblem
from guerdon_code.rewards import code_of
from guerdon_code.verdicts import Testing, Verdict, verdicts

_FAILURES = 2
"""How many failures are told of."""


class Feedback:
    """Runs each attempt against all tests, and says how many passed; of those the prompt showed, also what went wrong.

    A rollout ends when every test passes (`terminated`), or after its last turn (`truncated`).
    """

    def __init__(self, problem: CodeProblem, turns: int, testing: Testing = Testing()) -> None:  # noqa: B008 - frozen
        self._problem, self._turns, self._testing = problem, turns, testing

    def reset(self, *, seed: int) -> str:
        """Nothing: the prompt says it all."""
        return ""

    def step(self, segments: Sequence[Segment]) -> Turn:
        """What became of the newest attempt."""
        turn = sum(segment.author == "policy" for segment in segments)
        ((row),) = verdicts([(self._problem, code_of(self._problem, _last_attempt(segments)))], self._testing)
        if any(verdict.ours for verdict in row):
            return Turn("The tests could not be run.", truncated=True)
        if all(verdict.passed for verdict in row):
            return Turn("", reward=1.0, terminated=True)
        return Turn(self._told(row), truncated=turn >= self._turns)

    def _told(self, row: Sequence[Verdict]) -> str:
        passed = sum(verdict.passed for verdict in row)
        shown = [verdict.why for verdict in row[: self._problem.shown] if not verdict.passed]
        broken = [verdict.why for verdict in row if verdict.status != "ok"]  # an error of the code's own is no secret
        told = list(dict.fromkeys(shown + broken))[:_FAILURES]
        return "\n".join([f"{passed} of {len(row)} tests passed.", *told, "Write the whole code again."])


def _last_attempt(segments: Sequence[Segment]) -> str:
    text = ""
    for segment in segments:
        text = "" if segment.author == "environment" else text + segment.text
    return text
