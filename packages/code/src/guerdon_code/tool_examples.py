"""`ToolExample`: one turn of a dialogue in which tools may be called, as every tool task yields it."""

from __future__ import annotations

import json
from functools import lru_cache

from pydantic import field_validator, model_validator

from guerdon.types import Example
from guerdon_code.tool_calls import Call, Malformed, call_of, read_json
from guerdon_code.tool_layout import TAGS, Layout, layout_of
from guerdon_code.tool_values import Accepted


class ToolExample(Example):
    """What is shown, and the gold turn: calls, an answer in words, both, or neither.

    Gold is checked when the example is made: its calls can be read back, hold no NaN, and its words hold no tag; so the
    turn that `tool_prompts.completion` writes always earns the top.
    """

    system: str = ""
    """The system text: role, tools, steps, layout, notes."""
    user: str = ""
    """The dialogue so far, or whatever the policy is asked."""
    tools: tuple[str, ...] = ()
    """Names of the tools on offer."""
    calls: tuple[str, ...] = ()
    """Gold calls, one JSON object `{"name": ..., "parameters": {...}}` each; none: nothing is to be called."""
    response: str = ""
    """The gold answer in words; empty: none is asked for."""
    accepted: tuple[str, ...] = ()
    """What else is right: per gold call, a JSON object of parameter -> list of accepted values ("" among them: it may
    be left out); or none at all."""
    kind: str = ""
    """Where it comes from, for reports."""

    @field_validator("calls")
    @classmethod
    def _calls_can_be_read(cls, calls: tuple[str, ...]) -> tuple[str, ...]:
        for number, line in enumerate(calls, 1):
            try:
                call = call_of(line)
            except Malformed as error:
                raise ValueError(f"gold call {number} {error}") from None
            if "\n" in line or any(tag in line for tag in TAGS):
                raise ValueError(f"gold call {number} holds a line break or a tag; write it by tool_calls.line_of")
            if call.extra:
                raise ValueError(f"gold call {number} has members beside name and parameters")
            try:
                json.dumps(call.parameters, allow_nan=False)
            except ValueError:
                raise ValueError(f"gold call {number} holds NaN or an infinity") from None
        return calls

    @field_validator("response")
    @classmethod
    def _response_holds_no_tag(cls, response: str) -> str:
        if found := next((tag for tag in TAGS if tag in response), ""):
            raise ValueError(f"the gold response holds the tag {found}")
        return response

    @model_validator(mode="after")
    def _accepted_goes_with_calls(self) -> ToolExample:
        if self.accepted and len(self.accepted) != len(self.calls):
            raise ValueError(f"accepted has {len(self.accepted)} entries for {len(self.calls)} gold calls")
        for number, text in enumerate(self.accepted, 1):
            try:
                options = read_json(text)
            except Malformed as error:
                raise ValueError(f"entry {number} of accepted {error}") from None
            if not (isinstance(options, dict) and all(isinstance(each, list) for each in options.values())):
                raise ValueError(f"entry {number} of accepted is not a mapping of parameters to lists of values")
        return self

    @property
    def layout(self) -> Layout:
        """The layout that the gold turn has."""
        return layout_of(calls=bool(self.calls), response=bool(self.response))


@lru_cache(maxsize=4096)
def gold_calls(calls: tuple[str, ...]) -> tuple[Call, ...]:
    """The gold calls of an example, read once for all attempts at it."""
    return tuple(map(call_of, calls))


@lru_cache(maxsize=4096)
def gold_accepted(accepted: tuple[str, ...]) -> tuple[Accepted, ...]:
    """What else they accept, read once."""
    return tuple(map(read_json, accepted))
