"""What an untrusted program may use, and what came of one case of it. Standard library only: servers import this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ok", "fail", "timeout", "rejected", "truncated", "infra"]
"""What came of a case, in `guerdon.types.Status`'s words.

`ok`: it ran to its end, and the value or the output is here, right or wrong. The program's own fault: `fail` (it does
not compile, raised, crashed, ran out of memory, or ended before it answered), `timeout`, `rejected` (its value is of a
type that cannot leave the sandbox), `truncated` (its output or value is larger than the caps). Ours: `infra`.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one answer."""

    cpu_s: float = 2.0
    """Processor seconds of one case (loading the code counts as one more), so that a busy machine makes no right answer
    late. Read from outside the program."""
    wall_s: float = 20.0
    """Seconds of the wall clock of one case: for what sleeps, or waits for ever."""
    timeouts: int = 2
    """After so many cases of an answer have timed out, the rest are not run and are `timeout` too."""
    memory_bytes: int = 512 * 2**20
    """Address space beyond what the interpreter has mapped at start."""
    output_bytes: int = 2**20
    """Of a case's stdout, of its stderr, of its value as text, and of any one file; the outputs or values of all cases
    of an answer together may have sixteen times as much."""
    processes: int = 0
    """Further processes a program may start; threads are bounded by memory alone."""
    files: int = 64
    """Open files, the program's own pipes and streams included; at least 8."""

    def mistake(self) -> str:
        """What is wrong with these limits, in words; empty if nothing is."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value < float("inf"):
                return f"Limits.{name} is {value!r}; accepted is a number from {least}"
        return ""


_LEAST = {
    "cpu_s": 0.001,
    "wall_s": 0.001,
    "timeouts": 1,
    "memory_bytes": 2**20,
    "output_bytes": 1,
    "processes": 0,
    "files": 8,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case."""

    status: Status
    value: Any = None
    """What a call returned, as plain values (see `guerdon.sandbox.wire`); a program's stdout as bytes."""
    error: str = ""
    """Why the status is not `ok`, for people and for feedback to the policy: the last words of the program, clipped."""
    cpu_s: float = 0.0
    """Processor seconds of the case."""
    wall_s: float = 0.0
    """Seconds of the wall clock of the case."""
    layers: tuple[str, ...] = ()
    """What confined it; see `guerdon.sandbox.confine`. Empty where nothing ran."""

    @property
    def ok(self) -> bool:
        """It ran within its limits."""
        return self.status == "ok"
