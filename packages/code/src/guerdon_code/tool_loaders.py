"""Tool-calling examples from files: BFCL's folder, and JSON lines.

Pure reading: a file becomes `ToolExample`s, and everything wrong with it is a `TaskError` that names the file, the
line, the field and what is accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from guerdon.errors import TaskError
from guerdon.parsing.rows import FileRow, read_rows
from guerdon_code.tool_calls import calls_in, line_of
from guerdon_code.tool_examples import ToolExample
from guerdon_code.tool_layout import CALL_OPEN, RESPONSE_CLOSE, RESPONSE_OPEN, THINK_CLOSE
from guerdon_code.tool_prompts import Piece, Speaker, system_text, user_text
from guerdon_code.tool_values import first_of

NO_TOOL_SERVES = "None of these tools can do that."
"""The gold answer of BFCL's rows in which nothing is to be called."""

_VERSIONED = re.compile(r"BFCL_v(\d+)_(.+)\.json")
_SPEAKERS: dict[str, Speaker] = {"user": "user", "assistant": "response", "tool": "obs"}


# -- BFCL ------------------------------------------------------------------------------------------------------------


def bfcl_file(root: Path, kind: str) -> Path:
    """The file of a kind, `BFCL_v<version>_<kind>.json`; of several versions the newest.

    Raises:
        TaskError: there is none; the message lists the kinds that are there.
    """
    found: dict[str, tuple[int, Path]] = {}
    for path in sorted(root.glob("BFCL_v*_*.json")):
        if match := _VERSIONED.fullmatch(path.name):
            found[match[2]] = max(found.get(match[2], (0, path)), (int(match[1]), path))
    if kind not in found:
        there = f"it has the kinds {', '.join(sorted(found))}" if found else "no BFCL_v<version>_<kind>.json is in it"
        raise TaskError(f"no questions of kind {kind!r} in {str(root)!r}; {there}")
    return found[kind][1]


def bfcl_examples(root: Path, kind: str) -> list[ToolExample]:
    """The examples of one kind: `id`, `question`, `function`, and gold from `possible_answer` by id.

    The first accepted value of each parameter is gold; one that has "" first is left out. A kind with `irrelevance` in
    its name has no answers: nothing is to be called.

    Raises:
        TaskError: a file is missing or not in order, or of a kind without gold calls (live_relevance, multi_turn).
    """
    path = bfcl_file(root, kind)
    rows = list(read_rows(path, "examples"))
    if "irrelevance" in kind:
        return built(rows, lambda row: _bfcl_fields(row, kind) | {"response": NO_TOOL_SERVES})
    answers_path = path.parent / "possible_answer" / path.name
    if not answers_path.is_file():
        raise TaskError(
            f"kind {kind!r} has no gold calls: {str(answers_path)!r} is not there. Name other kinds, or put the "
            "answers in that place"
        )
    answers = {row.text("id"): row for row in read_rows(answers_path, "answers")}

    def fields(row: FileRow) -> dict[str, Any]:
        answer = answers.get(row.text("id"))
        if answer is None:
            raise TaskError(f"{row.place}: {str(answers_path)!r} has no answer to {row.fields['id']!r}")
        return _bfcl_fields(row, kind) | _bfcl_gold(answer, _tools(row, "function"))

    return built(rows, fields)


def _bfcl_fields(row: FileRow, kind: str) -> dict[str, Any]:
    turns = row.fields.get("question")
    if not (isinstance(turns, list) and len(turns) == 1):
        raise row.fault("question", "a list of one turn (examples of several turns are not read)")
    return _shown(row, _tools(row, "function"), turns[0], "question") | {"id": row.text("id"), "kind": kind}


def _bfcl_gold(answer: FileRow, tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    needed = "a list of {function: {parameter: [accepted values]}}"
    truth = answer.fields.get("ground_truth")
    if not (isinstance(truth, list) and truth):
        raise answer.fault("ground_truth", needed)
    calls, accepted = [], []
    for each in truth:
        if not (isinstance(each, dict) and len(each) == 1):
            raise answer.fault("ground_truth", needed)
        ((name, options),) = each.items()
        if not (isinstance(options, dict) and all(isinstance(values, list) for values in options.values())):
            raise answer.fault("ground_truth", needed)
        required = _required(tools, name)
        first = {key: first_of(values, needed=key in required) for key, values in options.items()}
        parameters = {key: value[0] for key, value in first.items() if value is not None}
        calls.append(_line(answer, "ground_truth", name, parameters))
        accepted.append(json.dumps({key: values or [""] for key, values in options.items()}))
    return {"calls": tuple(calls), "accepted": tuple(accepted)}


def _required(tools: Sequence[Mapping[str, Any]], name: str) -> Sequence[str]:
    for tool in tools:
        schema = tool.get("parameters")
        if tool["name"] == name and isinstance(schema, dict):
            required = schema.get("required")
            return required if isinstance(required, list) else ()
    return ()


# -- JSON lines ------------------------------------------------------------------------------------------------------


def jsonl_examples(path: Path) -> list[ToolExample]:
    """The examples of a file whose rows have one of two forms, told apart by the field `output`.

    `tools` (name, description, parameters), `messages` (role, content; an assistant's may have `calls`), `calls`,
    `response`, perhaps `accepted`, `id`, `kind`; or, as the authors release their data, `instruction`, `input` and
    `output`, the last being the gold turn in its layout.

    Raises:
        TaskError: a field is missing or of the wrong form, or an id comes twice.
    """
    rows = list(read_rows(path, "examples"))
    numbers = {row.place: number for number, row in enumerate(rows)}

    def fields(row: FileRow) -> dict[str, Any]:
        stated = row.fields.get("id")
        known = {"id": f"{path.stem}-{numbers[row.place]}" if stated is None else str(stated)}
        return known | (_released_fields(row) if "output" in row.fields else _own_fields(row))

    return built(rows, fields)


def _own_fields(row: FileRow) -> dict[str, Any]:
    found = _shown(row, _tools(row, "tools"), row.fields.get("messages"), "messages")
    calls = row.fields.get("calls", [])
    accepted = row.fields.get("accepted") or []
    if not (isinstance(accepted, list) and all(isinstance(each, dict) for each in accepted)):
        raise row.fault("accepted", "a list of {parameter: [accepted values]}, one per call,")
    return found | {
        "calls": tuple(_lines(row, "calls", calls)),
        "accepted": tuple(json.dumps(each) for each in accepted),
        "response": row.text("response", optional=True),
        "kind": row.text("kind", optional=True),
    }


def _released_fields(row: FileRow) -> dict[str, Any]:
    output = row.text("output").rpartition(THINK_CLOSE)[2]  # some of their thoughts speak of the tags
    calls: tuple[str, ...] = ()
    if CALL_OPEN in output:
        try:
            calls = tuple(line_of(call.name, call.parameters) for call in calls_in(output))
        except ValueError as error:  # Malformed, or NaN in a value
            raise TaskError(f"{row.place}: field 'output' holds no calls that can be read: {error}") from None
    response = ""
    if RESPONSE_OPEN in output:
        response = output.split(RESPONSE_OPEN, 1)[1].split(RESPONSE_CLOSE, 1)[0].strip()
    system, user = row.text("instruction"), row.text("input")
    tools = tuple(dict.fromkeys(re.findall(r"^\d+\. Name: (.+)$", system, flags=re.MULTILINE)))
    return {"system": system, "user": user, "tools": tools, "calls": calls, "response": response}


# -- both ------------------------------------------------------------------------------------------------------------


def built(rows: Sequence[FileRow], fields: Callable[[FileRow], Mapping[str, Any]]) -> list[ToolExample]:
    """An example of each row.

    Raises:
        TaskError: gold is not in order, or an id comes twice.
    """
    places: dict[str, str] = {}
    found = []
    for row in rows:
        try:
            example = ToolExample(**fields(row))
        except ValidationError as error:
            raise row.refused(error) from None
        if example.id in places:
            raise TaskError(f"{row.place}: the id {example.id!r} is taken by {places[example.id]}; ids must differ")
        places[example.id] = row.place
        found.append(example)
    return found


def _shown(row: FileRow, tools: Sequence[Mapping[str, Any]], messages: Any, field: str) -> dict[str, Any]:
    """What the policy sees: the system text with the tools, and the record of the dialogue."""
    if not (isinstance(messages, list) and messages):
        raise row.fault(field, "a list of messages")
    rules, record = [], []
    for message in messages:
        if not isinstance(message, dict):
            raise row.fault(field, "a list of messages, objects with role and content,")
        role, content = message.get("role"), message.get("content") or ""
        if (role != "system" and role not in _SPEAKERS) or not isinstance(content, str):
            raise row.fault(field, "a list of messages, each with a role (system, user, assistant, tool) and a text,")
        if role == "system":
            rules.append(content)
            continue
        if role == "assistant" and message.get("calls"):
            record.append(Piece("tool_call", "\n".join(_lines(row, field, message["calls"]))))
        if content or role != "assistant":
            record.append(Piece(_SPEAKERS[role], content))
    names = tuple(dict.fromkeys(tool["name"] for tool in tools))
    return {"system": system_text(tools, rules), "user": user_text(record), "tools": names}


def _tools(row: FileRow, field: str) -> list[dict[str, Any]]:
    tools = row.fields.get(field)
    if not isinstance(tools, list):
        raise row.fault(field, "a list of tools, objects with name, description and parameters,")
    for tool in tools:
        if not (isinstance(tool, dict) and isinstance(tool.get("name"), str) and tool["name"]):
            raise row.fault(field, "a list of tools, each an object with a name,")
    return tools


def _lines(row: FileRow, field: str, calls: Any) -> list[str]:
    needed = 'a list of calls, objects like {"name": "ping", "parameters": {}},'
    if not isinstance(calls, list):
        raise row.fault(field, needed)
    for call in calls:
        if not (isinstance(call, dict) and call.keys() == {"name", "parameters"}):
            raise row.fault(field, needed)
        if not (isinstance(call["name"], str) and isinstance(call["parameters"], dict)):
            raise row.fault(field, needed)
    return [_line(row, field, call["name"], call["parameters"]) for call in calls]


def _line(row: FileRow, field: str, name: str, parameters: Mapping[str, Any]) -> str:
    try:
        return line_of(name, parameters)
    except ValueError as error:  # NaN and the infinities, which are no JSON
        raise TaskError(f"{row.place}: field {field!r} has a value that is no JSON ({error})") from None
