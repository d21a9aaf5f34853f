"""Preferences as JSON lines, in the conversational forms that TRL's DPO, KTO and reward trainers read.

| form | a line |
|---|---|
| `dpo` | `{"prompt": [messages], "chosen": [message], "rejected": [message]}`, and `chosen_score`, `rejected_score` |
| `kto` | two lines a pair: `{"prompt": [messages], "completion": [message], "label": true or false}`, and `score` |

What a task forces at the start of an answer is part of the answer there: those trainers know no forced prefix.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.preferences.mining import Pair
from guerdon.runs.durable import encode
from guerdon.types import Message, Role, Rollout

Form = Literal["dpo", "kto"]
ROWS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """A preference as a reward model learns from it: two whole conversations."""

    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    margin: float | None = None
    """What the chosen one should lead by, where the file says (`margin`)."""
    weight: float = 1.0
    """How much the pair counts beside the others (`weight`): finite, 0 or more; 0 leaves it out of training."""


def rows_of(pair: Pair, form: Form = "dpo") -> list[dict[str, Any]]:
    """The lines of a pair.

    Raises:
        ConfigError: the prompt has no messages, or an attempt has several turns: a trainer of whole completions would
            train on the environment's words too.
    """
    prompt = [{"role": message.role, "content": message.content} for message in pair.chosen.prompt.messages]
    if not prompt:
        raise ConfigError(f"the prompt of {pair.chosen.example.id!r} has no messages: no language trainer can read it")
    chosen, rejected = ([{"role": "assistant", "content": _text(one)}] for one in (pair.chosen, pair.rejected))
    if form == "dpo":
        scores = {"chosen_score": pair.chosen_score, "rejected_score": pair.rejected_score}
        return [{"prompt": prompt, "chosen": chosen, "rejected": rejected, **scores}]
    return [
        {"prompt": prompt, "completion": chosen, "label": True, "score": pair.chosen_score},
        {"prompt": prompt, "completion": rejected, "label": False, "score": pair.rejected_score},
    ]


def _text(rollout: Rollout) -> str:
    if any(segment.author == "environment" for segment in rollout.segments):
        raise ConfigError(
            f"an attempt at {rollout.example.id!r} has several turns; pairs of whole completions cannot hold what the "
            f"environment says, and a trainer would learn it"
        )
    return rollout.completion


def write_rows(pairs: Iterable[Pair], path: Path, form: Form = "dpo") -> int:
    """Write pairs as they come, line by line; how many pairs that were.

    Raises:
        ConfigError: an unknown form, a pair that has none, or a file that cannot be written.
    """
    if form not in ROWS:
        raise ConfigError(f"format: no form {form!r}; accepted are {', '.join(map(repr, ROWS))}")
    count = 0
    try:
        with path.open("wb") as file:
            for pair in pairs:
                file.writelines(encode(row) for row in rows_of(pair, form))
                file.flush()  # hours of sampling may stand behind the lines so far
                count += 1
    except OSError as error:
        raise ConfigError(f"pairs cannot be written to {str(path)!r}: {error}") from None
    return count


def read_preferences(path: Path) -> list[PreferenceRow]:
    """The preferences of a JSONL file.

    A row has `chosen` and `rejected`, and mostly `prompt`; each is a text or a list of chat messages. With a prompt
    they follow it (a text is then the assistant's answer to the user's text), unless they are whole conversations that
    begin with it, as in UltraFeedback; without one each is the conversation whole. A text in HH-RLHF's form ("Human:"
    and "Assistant:" after blank lines) is read as the turns it is. `margin` is a number where it stands there, and
    `weight` one that is not below 0; further fields are ignored.

    Raises:
        ConfigError: the file cannot be read, is empty, or a row is none of this; the message names it.
    """
    rows = [_row(row) for row in read_rows(path, "preferences", error=ConfigError)]
    if not rows:
        raise ConfigError(f"{str(path)!r} holds no preferences")
    return rows


def _row(row: FileRow) -> PreferenceRow:
    fields = row.fields
    for side in ("chosen", "rejected"):
        if side not in fields:
            raise ConfigError(
                f"{row.place}: there is no field {side!r}; an object with 'chosen' and 'rejected' is needed"
            )
    margin = fields.get("margin")
    number = isinstance(margin, int | float) and not isinstance(margin, bool) and math.isfinite(margin)
    if margin is not None and not number:
        raise ConfigError(f"{row.place}: the field 'margin' is {margin!r}; a finite number is needed")
    weight = fields.get("weight", 1.0)
    number = isinstance(weight, int | float) and not isinstance(weight, bool) and math.isfinite(weight)
    if not number or weight < 0.0:
        raise ConfigError(f"{row.place}: the field 'weight' is {weight!r}; a finite number >= 0 is needed")
    try:
        before = _messages(fields.get("prompt", []), "user", "prompt")
        chosen, rejected = (
            _after(before, _messages(fields[side], "assistant", side)) for side in ("chosen", "rejected")
        )
    except TypeError as error:
        raise ConfigError(f"{row.place}: {error}") from None
    return PreferenceRow(chosen, rejected, margin, weight)


def _after(before: tuple[Message, ...], said: tuple[Message, ...]) -> tuple[Message, ...]:
    """The conversation; a prompt that it begins with already is not said twice."""
    return said if before and said[: len(before)] == before else before + said


_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")


def _turns(text: str) -> tuple[Message, ...]:
    """The turns of a text as HH-RLHF has them; none where it is no such text."""
    if not text.startswith("\n\nHuman:"):
        return ()
    pieces = _TURN.split(text)[1:]
    roles: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
    return tuple(Message(roles[who], what.strip()) for who, what in zip(pieces[::2], pieces[1::2], strict=True))


def _messages(value: Any, speaker: Role, field: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        return _turns(value) or (Message(speaker, value),)
    wanted = "a text or a list of messages with 'role' and 'content' is needed"
    if not isinstance(value, list):
        raise TypeError(f"the field {field!r} is {type(value).__name__}; {wanted}")
    said = []
    for message in value:
        role: Any = message.get("role") if isinstance(message, dict) else None
        if role not in get_args(Role) or not isinstance(message.get("content"), str):
            raise TypeError(f"a message of {field!r} is {str(message)[:80]}; {wanted}")
        said.append(Message(role, message["content"]))
    return tuple(said)
