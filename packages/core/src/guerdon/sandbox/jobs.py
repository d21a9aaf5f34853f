"""What is run: the code of one answer, and the cases it is put to. No expected value is part of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guerdon.sandbox.limits import Limits


@dataclass(frozen=True)
class Call:
    """A call of a function that the answer defines, with plain values (see `guerdon.sandbox.wire`)."""

    function: str
    """Its name; a dotted one (`Solution().twoSum`, say) is evaluated as an expression in the answer's namespace."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Calls:
    """Code that is loaded once, as a module that is not `__main__`, then asked for one value per case."""

    code: str
    cases: tuple[Call | str, ...]
    """Calls, or expressions over the answer's names, as source."""
    limits: Limits | None = None
    """Of this answer; None for those of the call that runs it."""


@dataclass(frozen=True)
class Programs:
    """Code that is run as `__main__` once per case, each time from the start."""

    code: str
    cases: tuple[str, ...]
    """What each run finds on its stdin."""
    limits: Limits | None = None
    """As for `Calls`."""


Job = Calls | Programs
