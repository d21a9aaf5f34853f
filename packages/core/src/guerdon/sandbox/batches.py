"""The jobs of one call: which wait, which are done, and what a server's rows say."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError, SandboxError
from guerdon.sandbox.jobs import Calls, Job, Programs
from guerdon.sandbox.limits import Limits, Outcome
from guerdon.sandbox.wire import Malformed, frame, pack, unpack

if TYPE_CHECKING:
    from guerdon.sandbox.servers import Server

GRACE_S = 5.0
"""How long after the last possible moment a server is waited for."""
_EXCEPTION = 1
"""Exit status of a server that raised."""


Visit = Callable[[int, list[Outcome]], None]
"""Told of each job, by its place, what came of its cases."""


class Batch:
    """The distinct jobs of one call: which wait, which are done. It keeps no outcome: a program chooses their size."""

    def __init__(self, jobs: list[Job], limits: Limits, visit: Visit) -> None:
        self._limits, self._visit = limits, visit
        self.waiting: deque[int] = deque()
        self.suspects: set[int] = set()
        self._jobs: list[Job] = []
        self._bodies: list[bytes] = []
        self._places: list[list[int]] = []
        seen: dict[bytes, int] = {}
        for place, job in enumerate(jobs):
            if mistake := (job.limits or limits).mistake():
                raise ConfigError(mistake)
            body = _written(job, limits)
            number = seen.setdefault(body, len(self._jobs))
            if number == len(self._jobs):
                self._jobs.append(job)
                self._bodies.append(body)
                self._places.append([])
                self.waiting.append(number)
            self._places[number].append(place)
        self.unfinished = len(self._jobs)
        """How many jobs have no outcomes yet."""
        given = [job.limits or limits for job in self._jobs] or [limits]
        self.most = max(each.memory_bytes for each in given), max(each.processes for each in given)
        """Memory in bytes, and further processes, that any of the jobs may have."""

    def body(self, number: int) -> bytes:
        """What is sent to a server."""
        return self._bodies[number]

    def longest_s(self, number: int) -> float:
        """What a server may take over a job at the most: each case may need the code loaded anew."""
        job = self._jobs[number]
        return 2 * len(job.cases) * ((job.limits or self._limits).wall_s + 1.0) + GRACE_S

    def read(self, number: int, rows: Any, layers: tuple[str, ...]) -> list[Outcome]:
        """What a server, which runs programs under these layers, says of a job.

        Raises:
            Malformed: it is not what a server says.
        """
        job = self._jobs[number]
        if not isinstance(rows, list) or len(rows) != len(job.cases):
            raise Malformed("not one row per case")
        room = _OUTPUTS * (job.limits or self._limits).output_bytes
        outcomes = []
        for row in rows:
            room -= len(row[1])
            outcomes.append(
                _read_row(row, isinstance(job, Programs), layers) if room >= 0 else replace(_TOO_MUCH, layers=layers)
            )
        return outcomes

    def done(self, number: int, outcomes: list[Outcome]) -> None:
        """Pass on what came of a job."""
        self.unfinished -= 1
        for place in self._places[number]:
            self._visit(place, outcomes)

    def lost(self, server: Server) -> None:
        """A server ended over a job: it gets one more try, alone; then that is the answer's doing, unless the server
        raised, which is a bug of ours.
        """
        flight, server.flight = list(server.flight), deque()
        if not flight:
            if not server.ready:
                raise SandboxError(f"a sandbox server did not start: {server.last_words()}")
            return
        first, ahead = flight[0], flight[1:]
        self.waiting.extendleft(reversed(ahead))
        if first not in self.suspects:
            self.suspects.add(first)
            self.waiting.appendleft(first)
            return
        if server.process.returncode == _EXCEPTION:
            lost = Outcome("infra", error=f"a bug of ours ended the sandbox's server twice: {server.last_words()}")
        else:
            lost = Outcome("fail", error="it ended the sandbox's server twice")
        self.done(first, [lost for _ in self._jobs[first].cases])


def _written(job: Job, limits: Limits) -> bytes:
    if isinstance(job, Calls):
        cases: list[Any] = [
            case if isinstance(case, str) else [case.function, [*map(pack, case.args)], _packed(case.kwargs)]
            for case in job.cases
        ]
    else:
        cases = list(job.cases)
    return frame(
        {
            "programs": isinstance(job, Programs),
            "code": job.code,
            "cases": cases,
            "limits": list(astuple(job.limits or limits)),
        }
    )


_OUTPUTS = 16
_TOO_MUCH = Outcome("truncated", error=f"the outputs or values are more than those of {_OUTPUTS} cases may be together")


def _packed(kwargs: Mapping[str, Any]) -> dict[str, str]:
    return {name: pack(value) for name, value in kwargs.items()}


def _read_row(row: Any, program: bool, layers: tuple[str, ...]) -> Outcome:
    status, text, error, cpu_s, wall_s = row
    if status not in ("ok", "fail", "timeout", "rejected", "truncated", "infra"):
        raise Malformed(f"no status {status!r}")
    value: Any = None
    if status == "ok":
        try:
            value = text.encode("latin-1") if program else unpack(text)
        except (Malformed, UnicodeEncodeError) as problem:
            status, value, error = "fail", None, f"it wrote what is no value ({problem})"
    return Outcome(status, value, str(error), float(cpu_s), float(wall_s), layers)
