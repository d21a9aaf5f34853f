"""From a trace of verifiers to a row that `Grader` scores, and the score back onto the trace.

The policy's text is made whole again: a server may have taken the thought (`reasoning_content`) and tool calls out of
it. The thought comes back between `<think>` and `</think>`, as vLLM's parsers took it away; `Grader` puts back calls.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guerdon.errors import UnscoredError
from guerdon.trainer.records import part_weights, score_record
from guerdon.types import Score

if TYPE_CHECKING:
    from verifiers.v1 import Message, Trace

    from guerdon.grading import Grader, Row

EVIDENCE = "guerdon"
"""The key of `trace.info` with the score, part by part."""
PLAYED = "guerdon_turns"
"""The key of `trace.info` with what `environment()` played, in the words of a rollouts file: `prompt` with
what the environment said first, `segments` and `stop`."""


def trace_row(trace: Trace, example: str | Mapping[str, Any]) -> Row:
    """The row that says what happened in a trace.

    Args:
        trace: a finished one, or one about to be scored.
        example: an example's id, or columns.
    """
    played = trace.info.get(PLAYED)
    if played is not None:
        return {"example": example, **played}
    stop = "length" if trace.is_truncated else "stop"
    return {"example": example, "completion": completion(trace), "stop": stop}


def completion(trace: Trace) -> list[dict[str, Any]] | str:
    """What followed the prompt on the trace's last branch, from the first message that the policy sampled.

    Nothing, as a text, where it sampled none: so verifiers asks what a task is worth that nobody touched.
    """
    nodes = trace.branches[-1].nodes if trace.branches else []
    first = next((place for place, node in enumerate(nodes) if node.sampled), len(nodes))
    return chat_messages(node.message for node in nodes[first:]) or ""


def chat_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages of verifiers as `Grader` reads them."""
    return [_said(message) for message in messages]


def _said(message: Any) -> dict[str, Any]:
    if message.role != "assistant":
        content = message.content
        parts = [] if isinstance(content, str) else [part.text for part in content if part.type == "text"]
        return {"role": message.role, "content": content if isinstance(content, str) else "".join(parts)}
    thought = f"<think>{message.reasoning_content}</think>" if message.reasoning_content else ""
    calls = [{"name": call.name, "arguments": _parsed(call.arguments)} for call in message.tool_calls or ()]
    return {"role": "assistant", "content": thought + (message.content or ""), "tool_calls": calls}


def _parsed(arguments: str) -> Any:
    """Tool arguments as the policy wrote them into its text; as they are where they are no JSON."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def record(trace: Trace, grader: Grader, score: Score) -> float:
    """Put a score's parts and evidence onto the trace.

    Returns:
        The score's value, a finite number.

    Raises:
        UnscoredError: it has none; the evidence is on the trace all the same.
    """
    trace.info[EVIDENCE] = score_record(score, part_weights(grader.reward))
    for name, value in grader.parts(score).items():  # the same names on every trace; None is their word for "no number"
        trace.metrics[name] = None if math.isnan(value) else value
    if not score.scored or not math.isfinite(score.value):
        raise UnscoredError(f"{score.status}: {score.why or 'no reason given'}")
    return score.value


async def grade_in_thread(grader: Grader, rows: Sequence[Row]) -> list[Score]:
    """`Grader.grade` in a thread. Rewards have deadlines of their own, so a thread that nobody awaits any more ends."""
    return await asyncio.to_thread(grader.grade, rows)
