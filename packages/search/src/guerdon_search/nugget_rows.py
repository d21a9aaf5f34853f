"""Rows of nuggets in files: Search-Gen-V's raw rows and evaluation rows, and questions with rubrics.

| kind | fields |
|---|---|
| raw | `qid, query, block_text, nuggets_list [text, match]` |
| evaluation | `qid, query, block` (a text, or [text, references]), `block_nuggets_assignment [text, assignment, ...]` |
| training | `messages`, `reward_model.ground_truth`, `extra_info.nuggets_count`, `extra_info.prompt_format_hint` |
| question | `query, nuggets [text, importance, weight]`, perhaps `id, answers, passages, reference` |

Source: Search-Gen-V (arXiv 2510.14660), its data scripts and evaluator [code]; the question's form is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from guerdon.errors import TaskError
from guerdon.parsing.rows import FileRow
from guerdon_search.answers import told
from guerdon_search.label_formats import FORMATS
from guerdon_search.label_parsing import labels_in
from guerdon_search.labels import is_label
from guerdon_search.nuggets import NuggetBlock, NuggetQuestion
from guerdon_search.search_tasks import each_once, only, row_id


def blocks_of(rows: Iterable[FileRow], stem: str) -> list[NuggetBlock]:
    """Raw, evaluation or training rows as blocks, told apart by their fields; a file may hold any.

    Training rows bring their prompt; the nuggets are in it alone, and their texts here are their numbers.

    Nuggets whose label is not one of the three (null, "error") are left out, and blocks in which no nugget is left.

    Raises:
        TaskError: a row of none of these kinds; the message names its place and field.
    """
    found = []
    for number, row in enumerate(rows):
        if "messages" in row.fields:
            found.append(_trained(row, f"{stem}-{number}"))
            continue
        nuggets, name = (
            (_list(row, "nuggets_list"), "match")
            if "nuggets_list" in row.fields
            else (_list(row, "block_nuggets_assignment"), "assignment")
        )
        kept = [(one["text"], one[name]) for one in nuggets if is_label(_member(row, one, name))]
        if kept:
            found.append(
                NuggetBlock(
                    id=f"{stem}-{number}-{row.fields.get('qid', '')}".rstrip("-"),
                    query=row.text("query"),
                    block=_block(row),
                    nuggets=tuple(text for text, _ in kept),
                    labels=tuple(label for _, label in kept),
                )
            )
    return found


def questions_of(rows: Iterable[FileRow], stem: str) -> list[NuggetQuestion]:
    """Questions with their rubrics.

    Raises:
        TaskError: a row is of another form, has neither nuggets nor gold answers, or the id of another; the message
            names its place and field.
    """
    return each_once((row, _question(row, f"{stem}-{number}")) for number, row in enumerate(rows))


def _question(row: FileRow, name: str) -> NuggetQuestion:
    only(row, tuple(NuggetQuestion.model_fields))
    try:
        found = NuggetQuestion(
            **{field: value for field, value in row.fields.items() if value is not None}
            | {"id": row_id(row, name), "query": row.text("query")}
        )
    except ValidationError as error:
        raise row.refused(error) from None
    if not found.nuggets and not told(found.answers):
        raise row.fault("nuggets", "at least one nugget, or a gold answer in 'answers',")
    return found


def _trained(row: FileRow, name: str) -> NuggetBlock:
    messages = [one for one in _list(row, "messages") if one.get("role") != "assistant"]  # an SFT row's own answer
    fit = (one.get("role") in ("system", "user") and isinstance(one.get("content"), str) for one in messages)
    if not messages or not all(fit):
        raise row.fault("messages", "a list of roles (system, user, assistant) with their content")
    truth, extra = row.fields.get("reward_model"), row.fields.get("extra_info")
    if not isinstance(truth, dict) or not isinstance(truth.get("ground_truth"), str):
        raise row.fault("reward_model", "an object with the text ground_truth")
    if not isinstance(extra, dict):
        raise row.fault("extra_info", "an object")
    labels, hint = labels_in(truth["ground_truth"]), extra.get("prompt_format_hint")
    if not labels or len(labels) != extra.get("nuggets_count"):
        raise TaskError(f"{row.place}: {len(labels)} labels, and nuggets_count is {extra.get('nuggets_count')!r}")
    if hint not in FORMATS:
        raise TaskError(f"{row.place}: prompt_format_hint is {hint!r}; accepted are {', '.join(FORMATS)}")
    return NuggetBlock(
        id=name,
        query="",
        block="",
        nuggets=tuple(str(place) for place in range(1, len(labels) + 1)),
        labels=labels,
        shape=hint,
        messages=tuple((one["role"], one["content"]) for one in messages),
    )


def _list(row: FileRow, field: str) -> list[Mapping[str, Any]]:
    value = row.fields.get(field)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise row.fault(field, "a list of objects")
    return value


def _member(row: FileRow, nugget: Mapping[str, Any], name: str) -> object:
    if not isinstance(nugget.get("text"), str) or not nugget["text"].strip():
        raise TaskError(f"{row.place}: a nugget has no text: {dict(nugget)!r:.120}")
    if name not in nugget:
        raise TaskError(f"{row.place}: the nugget {nugget['text']!r:.60} has no {name!r}; it has {', '.join(nugget)}")
    return nugget[name]


def _block(row: FileRow) -> str:
    if "block_text" in row.fields:
        return row.text("block_text")
    block = row.fields.get("block")
    if isinstance(block, list) and block:
        block = block[0]
    if not isinstance(block, str) or not block.strip():
        raise row.fault("block", "a text, or a list that begins with one")
    return block
