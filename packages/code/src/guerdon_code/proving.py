"""Proof at load time that a problem can be solved and judged: its reference passes every test, twice.

A test that the reference fails, or passes only now and then, judges nothing: it is dropped, and listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guerdon.errors import SandboxError
from guerdon_code.problems import CodeProblem
from guerdon_code.verdicts import Testing, verdicts


@dataclass(frozen=True)
class Dropped:
    """A test, or a whole problem, that was left out."""

    problem: str
    test: int | None
    """Its number, from 0; None for the problem."""
    why: str

    def __str__(self) -> str:
        return f"{self.problem}{'' if self.test is None else f', test {self.test}'}: {self.why}"


def proven(
    problems: Iterable[CodeProblem],
    testing: Testing = Testing(),  # noqa: B008 - frozen
) -> tuple[list[CodeProblem], list[Dropped]]:
    """The problems with the tests that hold, each with its reference's processor time; and what was dropped.

    A problem without a reference is passed on as it is: nothing can be proven of it.

    Raises:
        SandboxError: the sandbox itself failed; that says nothing about a test.
    """
    problems = list(problems)
    known = [problem for problem in problems if problem.reference]
    asked = [(problem, problem.reference) for problem in known]
    first = verdicts(asked, testing)
    second = verdicts(asked, testing, anew=True)
    kept: dict[str, CodeProblem] = {}
    dropped: list[Dropped] = []
    for problem, *rows in zip(known, first, second, strict=True):
        good = []
        for number, (one, two) in enumerate(zip(*rows, strict=True)):
            if one.ours or two.ours:
                raise SandboxError(f"the tests of {problem.id!r} could not be run: {one.why or two.why}")
            if one.passed and two.passed:
                good.append(number)
            else:
                flaky = one.passed != two.passed
                why = "flakes: passed once of two runs" if flaky else f"the reference fails it: {one.why}"
                dropped.append(Dropped(problem.id, number, why))
        if not good:
            dropped.append(Dropped(problem.id, None, "no test is left"))
            continue
        slowest = max(verdict.cpu_s for row in rows for verdict in row)
        kept[problem.id] = _with_tests(problem, good, slowest)
    return [
        kept.get(problem.id, problem) for problem in problems if problem.id in kept or not problem.reference
    ], dropped


def _with_tests(problem: CodeProblem, numbers: Sequence[int], slowest_s: float) -> CodeProblem:
    return problem.model_copy(
        update={
            "tests": tuple(problem.tests[number] for number in numbers),
            "shown": sum(number < problem.shown for number in numbers),
            "reference_cpu_s": slowest_s,
        }
    )
