"""A verdict for each test of an answer: run in the sandbox, judged here.

```
answer + calls ──▶ sandbox ──▶ values ──┬──▶ compared with the expected value, here
                                        └──▶ checks over them, in a fresh sandbox child without the answer
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from guerdon.errors import SandboxError
from guerdon.recent import Recent
from guerdon.sandbox import Call, Calls, Equality, Job, Limits, Outcome, Programs, Sandbox, default_sandbox
from guerdon.sandbox.batches import Visit
from guerdon.sandbox.limits import Status as SandboxStatus
from guerdon.sandbox.wire import unpack
from guerdon_code.problems import CheckTest, CodeProblem, ScriptTest, StdioTest, Test, ValueTest
from guerdon_code.stdout import Rule, same_output

SLOWER = 4.0
"""An answer may take so many times the reference's processor time (EvalPlus)."""
RETRIES = 1
"""How often an answer is run again whose tests could not all be run."""
_SHOWN_CHARS = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one test says of one answer."""

    passed: bool
    """False wherever the status is not `ok`."""
    status: SandboxStatus
    """A sandbox status: `ok` says that the test ran to its end."""
    why: str = ""
    """What differed or failed, for people and for feedback; empty for a test that passed."""
    cpu_s: float = 0.0
    """Processor seconds of the answer's part of it."""
    layers: tuple[str, ...] = ()
    """What confined the answer."""
    low_trust: bool = False
    """It passed a test that it could have passed by finding out what was expected (`ScriptTest`)."""

    @property
    def ours(self) -> bool:
        """The test could not be run, through no fault of the answer's."""
        return self.status == "infra"


@dataclass(frozen=True)
class Testing:
    """How answers are tested."""

    __test__ = False  # or pytest takes it for a test

    floor_s: float = 1.0
    """Processor seconds a case has at least; more where the reference needs more than a quarter of it."""
    wall_factor: float = 10.0
    """Times as long by the wall clock, for what sleeps."""
    memory_mb: int = 512
    output: Rule = "lines"
    """How the output of whole programs is compared."""

    def limits(self, problem: CodeProblem) -> Limits:
        """Of an answer to the problem."""
        cpu_s = max(self.floor_s, SLOWER * problem.reference_cpu_s)
        return Limits(cpu_s=cpu_s, wall_s=self.wall_factor * cpu_s, memory_bytes=self.memory_mb * 2**20)


def verdicts(
    asked: Sequence[tuple[CodeProblem, str]],
    testing: Testing = Testing(),
    sandbox: Sandbox | None = None,
    *,
    anew: bool = False,
) -> list[tuple[Verdict, ...]]:
    """One verdict per test, in the problem's order, for each (problem, code).

    Every test runs, whatever the others came to. Equal answers to a problem are run once, and remembered; one that we
    failed to run is tried once more.

    Args:
        asked: what to test; at most a batch.
        testing: limits and comparison.
        sandbox: where; None for the process's own.
        anew: run them though their verdicts are remembered.
    """
    keys = [(problem.fingerprint, code, testing) for problem, code in asked]
    found = {} if anew else _KEPT.known(keys)
    new = {key: answer for key, answer in zip(keys, asked, strict=True) if key not in found}
    where = sandbox or default_sandbox()
    for _ in range(1 + RETRIES):
        for key, row in zip(new, _run(list(new.values()), testing, where), strict=True):
            found[key] = row
            if not any(verdict.ours for verdict in row):
                _KEPT.keep({key: row})
        new = {key: answer for key, answer in new.items() if any(verdict.ours for verdict in found[key])}
        if not new:
            break
    return [found[key] for key in keys]


def forget() -> None:
    """Drop all that is remembered: for measuring what a first run costs."""
    _KEPT.clear()


def _run(asked: Sequence[tuple[CodeProblem, str]], testing: Testing, sandbox: Sandbox) -> list[tuple[Verdict, ...]]:
    jobs = [
        (number, how, job)
        for number, (problem, code) in enumerate(asked)
        for how, job in _jobs(problem, code, testing.limits(problem)).items()
    ]
    rows = [[_UNJUDGED] * len(problem.tests) for problem, _ in asked]
    pending: list[_Pending] = []

    def judge(place: int, outcomes: Sequence[Outcome]) -> None:
        """Judge what can be judged here at once: an answer's values are as large as it likes, and are not kept."""
        number, how, _ = jobs[place]
        problem, answered = asked[number][0], iter(outcomes)
        for index, test in enumerate(problem.tests):
            if _how(test) != how:
                continue
            got = [next(answered) for _ in _cases(test)]
            bad = next((each for each in got if not each.ok), None)
            if bad is not None:
                verdict = Verdict(False, bad.status, bad.error)
            elif isinstance(test, StdioTest):
                verdict = _output_verdict(test, got[0].value, testing.output)
            elif isinstance(test, ValueTest):
                verdict = _value_verdict(test, got[0].value)
            elif isinstance(test, ScriptTest):
                verdict = Verdict(True, "ok", low_trust=True)
            else:
                values_got = tuple(each.value for each in got)
                pending.append(_Pending(number, index, test, values_got, problem.expected))
                verdict = _UNJUDGED
            spent = sum(each.cpu_s for each in got)
            rows[number][index] = replace(verdict, cpu_s=spent, layers=got[0].layers)
        if len(pending) >= _CHECKS_AT_ONCE:
            _judge(pending, rows)
            pending.clear()

    _ran(sandbox, [job for *_, job in jobs], judge)
    if pending:
        _judge(pending, rows)
    return [tuple(row) for row in rows]


_UNJUDGED = Verdict(False, "infra", "not judged")
_CHECKS_AT_ONCE = 512
"""Whose values wait for their judges at a time."""


def _ran(sandbox: Sandbox, jobs: Sequence[Job], visit: Visit) -> None:
    """Run them; a sandbox that fails says so for each job that it has not done."""
    left = set(range(len(jobs)))

    def done(place: int, outcomes: list[Outcome]) -> None:
        left.discard(place)
        visit(place, outcomes)

    try:
        sandbox.run_each(jobs, done)
    except SandboxError as error:
        for place in sorted(left):
            visit(place, [Outcome("infra", error=str(error))] * len(jobs[place].cases))


def _jobs(problem: CodeProblem, code: str, limits: Limits) -> dict[str, Job]:
    """An answer's jobs, one for each way in which its tests run."""
    cases: dict[str, tuple[str, ...]] = {}
    for test in problem.tests:
        cases[_how(test)] = (*cases.get(_how(test), ()), *_cases(test))
    module = f"{code}\n\n{problem.given}" if problem.given else code
    return {
        how: Programs(code, mine, limits) if how == "program" else Calls(module, mine, limits)
        for how, mine in cases.items()
    }


def _how(test: Test) -> Literal["calls", "scripts", "program"]:
    """Scripts run apart from calls: what they expect is open to the answer, and may be what a call is to give."""
    if isinstance(test, StdioTest):
        return "program"
    return "scripts" if isinstance(test, ScriptTest) else "calls"


def _cases(test: Test) -> tuple[str, ...]:
    """What a sandbox is asked for a test: expressions whose values are wanted, or a program's stdin."""
    if isinstance(test, ValueTest):
        return (test.call,)
    if isinstance(test, CheckTest):
        return test.calls
    return (f"exec({test.script!r}, globals())",) if isinstance(test, ScriptTest) else (test.stdin,)


def _value_verdict(test: ValueTest, got: Any) -> Verdict:
    expected = unpack(test.expected)
    equal = Equality(test.types, test.tuples_are_lists, relative=test.tolerance, absolute=test.tolerance)
    if equal(got, expected):
        return Verdict(True, "ok")
    return Verdict(False, "ok", f"{test.call} gave {_clipped(repr(got))}, not {_clipped(repr(expected))}")


def _output_verdict(test: StdioTest, got: bytes, rule: Rule) -> Verdict:
    if same_output(got, test.stdout, rule):
        return Verdict(True, "ok")
    wrote = _clipped(repr(got.decode("utf-8", "backslashreplace")))
    return Verdict(
        False, "ok", f"given {_clipped(repr(test.stdin))} it wrote {wrote}, not {_clipped(repr(test.stdout))}"
    )


@dataclass(frozen=True)
class _Pending:
    """A check that waits for its evaluation, and where its verdict belongs."""

    row: int
    place: int
    test: CheckTest
    values: tuple[Any, ...]
    expected: str

    def as_call(self) -> Call:
        names = ", ".join(f"_{number}" for number in range(len(self.values)))
        return Call(f"(lambda {names}: bool({self.test.check}))", self.values)


@cache
def _judges() -> Sandbox:
    """Servers that no answer runs in: in its server's memory it might find remains of what ran before."""
    return Sandbox(default_sandbox().workers, require=default_sandbox().require)


def _judge(pending: Sequence[_Pending], rows: list[list[Verdict]]) -> None:
    """Evaluate checks over values that an answer gave, where no answer is or will be."""
    by_answer: dict[int, list[_Pending]] = {}
    for one in pending:
        by_answer.setdefault(one.row, []).append(one)
    answers = list(by_answer.values())

    def judged(place: int, outcomes: Sequence[Outcome]) -> None:
        for one, outcome in zip(answers[place], outcomes, strict=True):
            ran, verdict = rows[one.row][one.place], _check_verdict(one.test, outcome)
            rows[one.row][one.place] = replace(verdict, cpu_s=ran.cpu_s, layers=ran.layers)

    _ran(_judges(), [Calls(mine[0].expected, tuple(one.as_call() for one in mine)) for mine in answers], judged)


def _check_verdict(test: CheckTest, outcome: Outcome) -> Verdict:
    if outcome.ok and outcome.value is True:
        return Verdict(True, "ok")
    if outcome.status == "infra":
        return Verdict(False, "infra", outcome.error)
    # A check that raises does so over the answer's value: comparing a text with a number, say.
    why = f"{' and '.join(test.calls)}: not {test.check}"
    return Verdict(False, "ok", _clipped(f"{why} ({outcome.error})" if outcome.error else why))


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."


_KEPT = Recent[Any, tuple[Verdict, ...]](8192)
"""By problem, code and testing. Some 100 bytes a verdict, and the code: tens of megabytes at the most."""
