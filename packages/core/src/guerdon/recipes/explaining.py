"""What pydantic finds wrong, said as this project says it: the field's path, what was found, what is accepted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def explained(items: Sequence[ErrorDetails], model: Any, where: str = "") -> list[str]:
    """All findings. Of a choice between lists of words pydantic says each list by itself; here it is one list."""
    words: dict[tuple[int | str, ...], list[str]] = {}
    for item in items:
        if item["type"] == "literal_error":
            words.setdefault(_place(item), []).extend(_WORD.findall(item.get("ctx", {}).get("expected", "")))
    told = []
    for item in items:
        if item["type"] != "literal_error":
            told.append(explain(item, model, where))
        elif accepted := words.pop(_place(item), None):
            told.append(_of_words(item, accepted, where))
    return told


_WORD = re.compile(r"'[^']*'|\b[\w.]+\b(?<!\bor)")


def _place(item: ErrorDetails) -> tuple[int | str, ...]:
    """Where it stands, without pydantic's own names for the members of a union."""
    return tuple(part for part in item["loc"] if not (isinstance(part, str) and part.startswith("literal[")))


def _of_words(item: ErrorDetails, accepted: Sequence[str], where: str) -> str:
    path = ".".join([*([where] if where else []), *(str(part) for part in _place(item))])
    near = difflib.get_close_matches(repr(item["input"]), accepted, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    *others, last = dict.fromkeys(accepted)
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"field {path!r} is {item['input']!r}; input should be {listed}{hint}"


def explain(item: ErrorDetails, model: Any, where: str = "") -> str:
    """One finding about data that `model` (a pydantic model or any annotation) should describe, standing at `where`."""
    path = ".".join([*([where] if where else []), *(str(part) for part in item["loc"])])
    if item["type"] == "extra_forbidden":
        known = _fields(model, item["loc"][:-1])
        near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"accepted are {', '.join(known)}"
        return f"field {path!r} is unknown; {hint}"
    if item["type"] == "missing":
        return f"field {path!r} is missing"
    message = item["msg"].removeprefix("Value error, ")
    return f"field {path!r} is {item['input']!r}; {message[:1].lower()}{message[1:]}"


def _fields(model: Any, loc: Sequence[Any]) -> list[str]:
    """The fields of the model that `loc` leads to, through optional parts, tuples and mappings."""
    model = _model_in(model)
    for part in loc:
        if model is not None and not isinstance(part, int):
            by_name = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
            if part in by_name:  # else a key of a mapping of models
                model = _model_in(by_name[part])
    return [field.alias or name for name, field in model.model_fields.items()] if model is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model_in(inner)) is not None), None)
