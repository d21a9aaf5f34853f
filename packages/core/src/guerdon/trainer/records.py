"""Rollouts and scores as JSON: what the report shows, and what a resumed run replays instead of sampling again."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from guerdon.advantages import Advantages
from guerdon.errors import ConfigError
from guerdon.protocols import Turn
from guerdon.rewards import Reward, Scores, Sum, walk
from guerdon.types import Example, Group, Image, Message, Prompt, Rollout, Score, Segment, Stream

Record = dict[str, Any]


def score_record(score: Score, weights: Mapping[str, float]) -> Record:
    """A score and its parts, nested; NaN becomes null. `weights` are those of this score's own parts."""
    record: Record = {
        "value": _number(score.value),
        "why": score.why,
        "status": score.status,
        "weights": {name: weights[name] for name in score.parts if name in weights},
        "parts": {name: score_record(part, weights) for name, part in score.parts.items()},
    }
    if score.dense:
        record["dense"] = {
            name: {
                "per": stream.per,
                "values": [_number(value) for value in stream.values],
                **({"ends": list(stream.ends)} if stream.ends else {}),
            }
            for name, stream in score.dense.items()
        }
    return record


def score_of(record: Mapping[str, Any]) -> Score:
    """The score a record was made from."""
    parts = {name: score_of(part) for name, part in record["parts"].items()}
    dense = {
        name: Stream(stream["per"], tuple(_value(value) for value in stream["values"]), tuple(stream.get("ends", ())))
        for name, stream in record.get("dense", {}).items()
    }
    return Score(_value(record["value"]), record["why"], parts, record["status"], dense)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _value(number: float | None) -> float:
    return math.nan if number is None else float(number)


def part_weights(reward: Reward) -> dict[str, float]:
    """Each named term's weight, over all sums of the tree."""
    return {term.label: weight for node in walk(reward) if isinstance(node, Sum) for weight, term in node.terms}


def shown_advantages(advantages: Advantages, kept: Sequence[bool]) -> list[list[float | None]]:
    """Each rollout's advantage, the mean over its steps; None where it is unscored, or its group is not kept."""
    return [
        [_over_steps(values) if flag and keep else None for values, flag in zip(rows, flags, strict=True)]
        for rows, flags, keep in zip(advantages.values, advantages.scored, kept, strict=True)
    ]


def _over_steps(values: Sequence[float]) -> float:
    if not values or min(values) == max(values):  # a mean of equal values would be rounded
        return values[0] if values else 0.0
    return math.fsum(values) / len(values)


def rollout_records(
    groups: Sequence[Group],
    scores: Scores,
    *,
    step: int,
    phase: str,
    weights: Mapping[str, float],
    rounds: Sequence[int] | None = None,
    advantages: Sequence[Sequence[float | None]] | None = None,
    references: Mapping[str, str] | None = None,
) -> list[Record]:
    """One record per rollout, in order; the fields are listed in docs/architecture.md."""
    records = []
    for number, (group, row) in enumerate(zip(groups, scores, strict=True)):
        for rollout, score in zip(group.rollouts, row, strict=True):
            records.append(
                {
                    "step": step,
                    "phase": phase,
                    "example": rollout.example.id,
                    "group": number,
                    "round": rounds[number] if rounds else 0,
                    "key": group.key,
                    "index": rollout.index,
                    "prompt": _prompt_record(rollout.prompt),
                    "completion": rollout.completion,
                    "reference": (references or {}).get(rollout.example.id),
                    "stop": rollout.stop,
                    "policy_version": rollout.policy_version,
                    "advantage": advantages[number][rollout.index] if advantages else None,
                    "score": score_record(score, weights),
                    "prompt_ids": list(rollout.prompt_ids),
                    "segments": [segment_record(segment) for segment in rollout.segments],
                    **_shown_record(rollout.prompt),
                }
            )
    return records


def row_of(rollout: Rollout, *, whole: bool = False) -> Record:
    """A rollout as a row for `guerdon.grading`: `rollout_of` gives it back, if the example is known by its id.

    Args:
        rollout: any.
        whole: pictures are written as their bytes, for readers who have not the same files.

    Raises:
        OSError: `whole`, and a picture's file cannot be read.
    """
    return {
        "example": rollout.example.id,
        "index": rollout.index,
        "prompt": _prompt_record(rollout.prompt),
        "completion": rollout.completion,
        "stop": rollout.stop,
        "policy_version": rollout.policy_version,
        "prompt_ids": list(rollout.prompt_ids),
        "segments": [segment_record(segment, whole=whole) for segment in rollout.segments],
        **_shown_record(rollout.prompt),
    }


def messages_of(prompt: Prompt) -> list[dict[str, str]]:
    """A prompt's messages in plain data."""
    return [{"role": message.role, "content": message.content} for message in prompt.messages]


def text_messages_of(prompt: Prompt, reader: str) -> list[dict[str, str]]:
    """The same for a reader who is handed text alone.

    Raises:
        ConfigError: the prompt shows images, which would be lost.
    """
    if prompt.images:
        raise ConfigError(
            f"the task's prompts show images, and {reader} is handed text alone; train with `guerdon train`, or use "
            "the reward there with a data set of your own that holds the images"
        )
    return messages_of(prompt)


def _prompt_record(prompt: Prompt) -> list[Record]:
    """Messages in plain data; one that shows images says which, by their places in the record's `images`."""
    places = itertools.count()
    return [
        {**told, **({"images": [next(places) for _ in message.images]} if message.images else {})}
        for told, message in zip(messages_of(prompt), prompt.messages, strict=True)
    ]


def _shown_record(prompt: Prompt) -> Record:
    """What was shown beside the messages' words: the files of images, and an environment's first words where they
    stand in no message. Other kinds of observation are the task's own.
    """
    record: Record = {"observation": prompt.observation} if isinstance(prompt.observation, str) else {}
    if prompt.images:
        record["images"] = _names(prompt.images)
    return record


def segment_record(segment: Segment, *, whole: bool = False) -> Record:
    """A segment in plain data, as a record's `segments` has it; see `row_of`."""
    record: Record = {"author": segment.author, "text": segment.text}
    if segment.token_ids:
        record["token_ids"] = list(segment.token_ids)
    if segment.logprobs:
        record["logprobs"] = list(segment.logprobs)
    if segment.action is not None:
        record["action"] = segment.action
    if isinstance(segment.observation, Turn):
        turn = asdict(replace(segment.observation, images=()))
        del turn["images"]  # the next segment's, which is what the turn said
        record["turn"] = {**turn, "info": json.loads(json.dumps(turn["info"], default=repr))}
    if segment.images:
        record["images"] = [_image_record(image, whole=whole) for image in segment.images]
    return record


def _image_record(image: Image, *, whole: bool) -> Record:
    """A file by its name, unless it is to be whole; bytes whole, since nothing else holds them: an environment that
    draws large pictures, or the same one for many, writes them into files.
    """
    if image.path and not whole:
        return {"path": image.path}
    return {"data": base64.b64encode(image.data or Path(image.path).read_bytes()).decode()}


def images_of(record: Mapping[str, Any]) -> tuple[Image, ...]:
    """The images of a segment's record.

    Raises:
        ConfigError: they are no list of files (`path`) and encoded pictures (`data`, base64).
    """
    found = record.get("images", ())
    try:
        return tuple(
            Image(_named(one["path"])) if "path" in one else Image(data=base64.b64decode(one["data"], validate=True))
            for one in found
        )
    except (TypeError, KeyError, ValueError, binascii.Error) as error:
        raise ConfigError(
            f"a segment's images are {found!r:.200}; a list is needed, of a 'path' each, or of 'data' in base64"
        ) from error


def _named(path: Any) -> str:
    if not isinstance(path, str):
        raise TypeError(f"a path is a text, not {type(path).__name__}")
    return path


def rounds_of(records: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The records of each round of sampling, the first one first."""
    rounds: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        rounds.setdefault(record.get("round", 0), []).append(record)
    return [rounds[number] for number in sorted(rounds)]


def groups_of(
    records: Iterable[Mapping[str, Any]], examples: Mapping[str, Example], prompts: Mapping[str, Prompt]
) -> tuple[list[Group], Scores]:
    """The groups and scores that `rollout_records` wrote down, exactly: floats survive JSON."""
    rows: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        rows.setdefault(record["group"], []).append(record)
    groups = [
        Group(
            tuple(rollout_of(record, examples[record["example"]], prompts[record["example"]]) for record in row),
            row[0]["key"],
        )
        for _, row in sorted(rows.items())
    ]
    return groups, [[score_of(record["score"]) for record in row] for _, row in sorted(rows.items())]


def rollout_of(
    record: Mapping[str, Any],
    example: Example,
    prompt: Prompt,
    *,
    index: int = 0,
    segments: tuple[Segment, ...] | None = None,
) -> Rollout:
    """The rollout that a record was made from; or, where it holds a `completion` alone, a single turn with that text.

    Args:
        record: a line of a rollouts file.
        example: the one it names.
        prompt: the task's for that example; what an environment said first is put back from the record.
        index: its place in the group, where the record has none.
        segments: who said what, where that is not the record's to tell.

    Raises:
        ConfigError: the prompt shows images, and the record does not tell which message of its own shows which.
    """
    said = record.get("prompt")
    if isinstance(said, list) and said:
        # A record names the prompt's images and does not hold them: they are the task's.
        shown = _shown_by(record, said, prompt) if prompt.images else [()] * len(said)
        messages = (Message(each["role"], each["content"], own) for each, own in zip(said, shown, strict=True))
        prompt = replace(prompt, messages=tuple(messages))
    if "observation" in record:
        prompt = replace(prompt, observation=record["observation"])
    if segments is None:
        parts = record.get("segments") or ({"author": "policy", "text": record["completion"]},)
        segments = tuple(
            _segment_of(part, then) for part, then in itertools.zip_longest(parts, parts[1:], fillvalue=_NOTHING)
        )
    return Rollout(
        example,
        segments,
        prompt,
        tuple(record.get("prompt_ids", ())),
        record.get("stop", "stop"),
        record.get("policy_version", 0),
        record.get("index", index),
    )


def _shown_by(record: Mapping[str, Any], said: Sequence[Mapping[str, Any]], prompt: Prompt) -> list[tuple[Image, ...]]:
    """The task's images that each message of a record shows."""
    if any("images" in message for message in said):
        places = _told_places(record, said, prompt)
    else:
        places = _likely_places(record, said, prompt)
    return [tuple(prompt.images[place] for place in own) for own in places]


def _told_places(record: Mapping[str, Any], said: Sequence[Mapping[str, Any]], prompt: Prompt) -> list[list[int]]:
    """Where messages say what they show: by a name of the task's, or by a place in the record's `images`."""
    names = _names(prompt.images)
    listed = record.get("images")
    # The task may give its images in another order by now; other names altogether are the same files elsewhere.
    moved = isinstance(listed, list) and len({*names}) == len(names) and sorted(map(str, listed)) == sorted(names)
    order = [names.index(name) for name in listed] if moved else list(range(len(names)))  # type: ignore[union-attr]
    places: list[list[int]] = []
    for message in said:
        own = message.get("images", [])
        if not isinstance(own, list):
            raise _misplaced(record, f"a message's images are {own!r:.80}, and a list is needed")
        places.append([])
        for one in own:
            if isinstance(one, int) and 0 <= one < len(order):
                places[-1].append(order[one])
            elif isinstance(one, str) and names.count(one) == 1:
                places[-1].append(names.index(one))
            else:
                raise _misplaced(record, f"{one!r:.80} is none of the task's {len(names)} images, or more than one")
    if sorted(place for own in places for place in own) != list(range(len(names))):
        raise _misplaced(record, f"its messages show images {places!r}, and the task shows {len(names)}, each once")
    return places


def _likely_places(record: Mapping[str, Any], said: Sequence[Mapping[str, Any]], prompt: Prompt) -> list[list[int]]:
    """Where no message says what it shows: in the one that speaks as the task's message does, by its words before its
    place.
    """
    roles, asked = [message["role"] for message in said], [message.role for message in prompt.messages]
    alike = roles[: len(asked)] == asked  # an environment's first words may follow
    places: list[list[int]] = [[] for _ in said]
    counted = itertools.count()
    for place, message in enumerate(prompt.messages):
        own = [next(counted) for _ in message.images]
        if not own:
            continue
        same = [found for found, role in enumerate(roles) if role == message.role]
        # The environment's first words stand behind the message's own.
        near = (
            [found for found in same if said[found]["content"].startswith(message.content)] if message.content else []
        )
        near = near or same
        found = near[0] if len(near) == 1 else place if alike and place in near else None
        if found is None or places[found]:
            raise _misplaced(
                record,
                f"{len(near)} of its {len(said)} messages may be the {message.role}'s that shows {len(own)} image(s)",
            )
        places[found] = own
    return places


def _names(images: Sequence[Image]) -> list[str]:
    return [image.path or f"{len(image.data)} bytes" for image in images]


def _misplaced(record: Mapping[str, Any], what: str) -> ConfigError:
    return ConfigError(
        f"the row of {record.get('example')!r:.80} has a prompt of its own, and it is not clear which of its messages "
        f"shows which image: {what}. Give each message that shows some its 'images', a list of their names or places"
    )


_NOTHING: Mapping[str, Any] = {}


def _segment_of(record: Mapping[str, Any], then: Mapping[str, Any]) -> Segment:
    """Of a record and the one behind it, which holds the images of the turn that answered."""
    turn = record.get("turn")
    if turn:  # its pictures are those of what was said next, and no others
        shown = images_of(then) if then.get("author") == "environment" else ()
        turn = {**turn, "images": shown}
    return Segment(
        author=record["author"],
        text=record["text"],
        token_ids=tuple(record.get("token_ids", ())),
        logprobs=tuple(record.get("logprobs", ())),
        observation=Turn(**turn) if turn else None,
        action=record.get("action"),
        images=images_of(record),
    )
