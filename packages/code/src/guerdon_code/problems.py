"""The examples: a programming problem and its tests. Plain values are kept as text, so that examples stay hashable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from guerdon.types import Example


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ValueTest(_Frozen):
    """A call, and the value it is to return."""

    kind: Literal["value"] = "value"
    call: str
    """An expression over the answer's names: `area(3, h=2)`."""
    expected: str
    """The value, as `guerdon.sandbox.wire.pack` writes it."""
    types: bool = True
    """Whether 1, 1.0 and True are three values."""
    tuples_are_lists: bool = False
    tolerance: Annotated[float, Field(ge=0.0)] = 0.0
    """How far floats may differ, absolutely or relative to the greater one."""


class CheckTest(_Frozen):
    """What an assert says of the values of calls, evaluated where the answer never was."""

    kind: Literal["check"] = "check"
    calls: Annotated[tuple[str, ...], Field(min_length=1)]
    """Expressions over the answer's names; the value of the first is `_0` in `check`, and so on."""
    check: str
    """An expression that is to be true: `abs(_0 - 0.5) < 1e-6`."""


class StdioTest(_Frozen):
    """A run of the whole program: what it reads, and what it is to write."""

    kind: Literal["stdio"] = "stdio"
    stdin: str
    stdout: str


class ScriptTest(_Frozen):
    """Test code that cannot be taken apart, run in the answer's own process: of low trust, for what it expects lies
    open there. It passes if it ends without an exception.
    """

    kind: Literal["script"] = "script"
    script: str
    """Source of an expression or statements over the answer's names."""


Test = Annotated[ValueTest | CheckTest | StdioTest | ScriptTest, Field(discriminator="kind")]


class CodeProblem(Example):
    """A problem, what an answer is tested by, and an answer that passes."""

    question: str
    """What to write, in words; for a function, with its signature."""
    starter: str = ""
    """Code that the answer continues, or begins with: a signature and its docstring."""
    entry_point: str = ""
    """The function asked for; empty for whole programs."""
    tests: Annotated[tuple[Test, ...], Field(min_length=1)]
    shown: int = 0
    """How many of the tests, from the first on, the prompt shows; the rest are hidden."""
    given: str = ""
    """Code that the calls of tests need beside the answer (inputs, imports); it runs after the answer."""
    expected: str = ""
    """Code that the checks of tests need (expected values, helpers); it runs where the answer never is."""
    reference: str = ""
    """Code that passes every test."""
    reference_cpu_s: float = 0.0
    """Processor seconds of its slowest case, measured here; 0 where it was not measured."""
    level: str = ""
    """How hard it is, in its source's words."""
    source: str = ""
    """Where it comes from; what must not be in two splits shares it."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """See pydantic. The copy has a fingerprint of its own, which pydantic would copy too."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("fingerprint", None)
        return copied

    @cached_property
    def fingerprint(self) -> str:
        """Tells this problem from every other: what verdicts are remembered by."""
        return hashlib.sha256(self.model_dump_json().encode("utf-8", "surrogatepass")).hexdigest()
