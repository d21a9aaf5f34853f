"""A row of somebody else's, read: its example's columns, its completion as segments, which attempts it stands with."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from reprlib import Repr
from typing import Any, get_args

from pydantic import ConfigDict

from guerdon.errors import ConfigError
from guerdon.trainer.records import images_of, rollout_of
from guerdon.types import Author, Example, Prompt, Role, Rollout, Segment, StopReason

Row = Mapping[str, Any]
_STOPS = get_args(StopReason)
_AUTHORS, _ROLES = get_args(Author), get_args(Role)
_LISTS, OBJECTS, _TEXTS = (list, Sequence), (dict, Mapping), (str, list)
"""The built-in types first: to ask an abstract one is the dearest step of a row."""
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 100
short = _SHORT.repr
"""What was found in a row, shown in an error: a row may hold megabytes."""


class Columns(Example):
    """A row of somebody else's data set: every column is a field, and an item.

    >>> row = Columns.of({"id": 7, "schema": "CREATE TABLE t (a)"})
    >>> row.schema, row["id"]
    ('CREATE TABLE t (a)', '7')
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    def __getattribute__(self, name: str) -> Any:
        """A column first: pydantic's models have methods by the names `schema`, `json` and `copy`."""
        if not name.startswith("_"):
            columns = super().__getattribute__("__pydantic_extra__")
            if columns and name in columns:
                return columns[name]
        return super().__getattribute__(name)

    def __getitem__(self, name: str) -> Any:
        return self.id if name == "id" else (self.__pydantic_extra__ or {})[name]

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Columns:
        """The row, under its own `id` (a whole number as text), or one that is made from all its columns."""
        if isinstance(columns.get("id"), str | int):
            return cls(**{**columns, "id": str(columns["id"])})
        text = json.dumps(columns, sort_keys=True, default=repr)
        return cls(**{**columns, "id": hashlib.blake2b(text.encode(), digest_size=8).hexdigest()})

    def __hash__(self) -> int:  # columns may be lists
        return hash(self.id)


def rollout_in(row: Row, example: Example, prompt: Prompt, index: int) -> Rollout:
    """The row's attempt at an example, the `index`-th of its group.

    Raises:
        ConfigError: a field is misspelt, or not what it has to be.
    """
    if (stop := row.get("stop", "stop")) not in _STOPS:
        raise ConfigError(f"the field 'stop' is {short(stop)}; accepted are {', '.join(map(repr, _STOPS))}")
    if row.keys() <= USUAL:  # nearly always
        segments = completion_segments(row.get("completion"), prompt.forced)
        return Rollout(example, segments, prompt, stop=stop, index=index)
    _check_unusual(row, row.keys() - USUAL)
    told = None if row.get("segments") else completion_segments(row.get("completion"), prompt.forced)
    return rollout_of(row, example, prompt, index=index, segments=told)


USUAL = frozenset({"example", "completion", "group", "stop"})
"""What a row has."""


def _check_unusual(row: Row, names: Set[str]) -> None:
    """See that no field is misspelt, and that those of a rollouts file are what `rollout_of` takes them for: a reward
    would trip over them. Further fields are the writer's own.
    """
    for name in names - RECORDED:
        if near := difflib.get_close_matches(str(name), USUAL - row.keys(), n=1, cutoff=0.75):
            raise ConfigError(f"the field {short(name)} is unknown; did you mean {near[0]!r}?")
    for name in ("index", "policy_version"):
        if not isinstance(row.get(name, 0), int):
            raise ConfigError(f"the field {name!r} is {short(row[name])}; a whole number is needed")
    for segment in row.get("segments") or ():
        if segment.get("author") not in _AUTHORS or not isinstance(segment.get("text"), str):
            accepted = ", ".join(map(repr, _AUTHORS))
            raise ConfigError(f"a segment is {short(segment)}; it has an 'author' of {accepted} and a 'text'")
        images_of(segment)
    said = row.get("prompt")
    for message in said if isinstance(said, list) else ():
        if message.get("role") not in _ROLES or not isinstance(message.get("content"), str):
            accepted = ", ".join(map(repr, _ROLES))
            raise ConfigError(f"a message is {short(message)}; it has a 'role' of {accepted} and a text as 'content'")


RECORDED = frozenset({"segments", "prompt", "prompt_ids", "index", "policy_version", "observation", "step"})
"""What a rollouts file says beside that, and is read."""
TOLD = frozenset({"phase", "round", "key", "reference", "advantage", "score", "forced", "task", "images"})
"""What a rollouts file and an exported one say beside that, for people."""


def group_in(row: Row) -> str | int | None:
    """Which attempts at its example the row is compared with; None means all.

    Raises:
        ConfigError: it is neither a text nor a whole number.
    """
    group = row.get("group")
    if group is not None and not isinstance(group, str | int):
        raise ConfigError(f"the field 'group' is {short(group)}; a text or a whole number is needed")
    return group


def completion_segments(completion: Any, forced: str = "") -> tuple[Segment, ...]:
    """A completion as segments. The task's forced prefix stands before it, whether the text repeats it or not.

    Raises:
        ConfigError: it is neither a text nor chat messages.
    """
    start = (Segment("forced", forced),) if forced else ()
    if isinstance(completion, str):
        return (*start, Segment("policy", completion.removeprefix(forced)))
    if not isinstance(completion, _LISTS):
        raise ConfigError(f"the field 'completion' is {short(completion)}; a text or a list of chat messages is needed")
    said = tuple(map(_segment, completion))
    for segment in said:
        if segment.author == "policy":
            break
    else:
        raise ConfigError(f"the field 'completion' is {short(completion)}; no message in it is the assistant's")
    if forced and said[0].author == "policy":
        said = (replace(said[0], text=said[0].text.removeprefix(forced)), *said[1:])
    return start + said


def _segment(message: Mapping[str, Any]) -> Segment:
    """One chat message: the assistant's is the policy's, tool calls that were taken out of its text put back."""
    content, role = (message.get("content"), message.get("role")) if isinstance(message, OBJECTS) else (None, None)
    if content is None:  # nothing said: tools were called
        content = ""
    if role not in _ROLES or not isinstance(content, _TEXTS):
        accepted = ", ".join(map(repr, _ROLES))
        raise ConfigError(f"a message is {short(message)}; it has a 'role' of {accepted} and a text as 'content'")
    if not isinstance(content, str):  # parts: text, images
        content = "".join(part.get("text") or "" for part in content if isinstance(part, Mapping))
    if role != "assistant":
        return Segment("environment", content)
    if not (calls := message.get("tool_calls")):
        return Segment("policy", content)
    said = [content] if content else []
    for call in calls:
        if isinstance(call, Mapping):
            said.append(f"<tool_call>\n{json.dumps(call.get('function', call), ensure_ascii=False)}\n</tool_call>")
    return Segment("policy", "\n".join(said))
