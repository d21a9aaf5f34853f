"""OpenRLHF 0.11: its remote reward, as a function in a file and as a route of `guerdon serve`, and its data set.

Its contract: one sample per call, from many threads; the answer is always a number, with the same keys for every
sample. What has no score can therefore not be said: the caller names the number that stands for it, and how often it
did is logged. A reward that compares siblings cannot be used: siblings never meet in one call. Calls that wait are
scored together.

Covers: the policy's words are found in `query` (prompt and response, special tokens kept) without looking for markers
that a policy could write itself. Does not cover: OpenRLHF's agents (`--train.agent_func_path`).
"""

from __future__ import annotations

import json
import math
import re
import reprlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from guerdon.adapters.together import Together
from guerdon.adapters.versions import check
from guerdon.errors import ConfigError
from guerdon.grading import Grader, Row
from guerdon.protocols import Split, Task
from guerdon.rewards.constrained import uncontrolled
from guerdon.trainer.records import text_messages_of
from guerdon.types import Score

END_TOKENS = (
    "</s>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "<eos>",
    "<pad>",
    "<|pad|>",
)
"""What ends a response, or fills it up, in the vocabularies of common models. Taken off its end, however often."""
_SPECIAL = re.compile(r"(?:\s|<\|?[^<>\s|]{1,40}\|?>)*")
"""What may stand before the prompt in `query`: a token for the beginning, and padding on the left."""

RewardFunc = Callable[[Sequence[str], Sequence[str], Sequence[str]], dict[str, Any]]
Ask = Callable[[list[Row]], list[Score]]
"""One score per row, in order."""


def reward_func(
    source: str | Path | Grader,
    *,
    fill: float,
    retries: int = 2,
    end_tokens: Sequence[str] = END_TOKENS,
    **options: Any,
) -> RewardFunc:
    """The function that OpenRLHF looks for in the file of `--reward.remote_url`:

        from guerdon.adapters.openrlhf import reward_func as made
        reward_func = made("sql", fill=0.0)

    Args:
        source: a recipe's name or file, a run folder, or a grader.
        fill: the number for a sample that has no score. Each one is counted in the log `unscored`.
        retries: how often a sample is scored again that failed by our fault, before it is filled.
        end_tokens: what is taken off the response's end.
        options: those of `Grader.of`: `task`, `reward`, `workers` ...

    Raises:
        ConfigError: a name or an option is wrong, or the reward compares siblings, or learns.
    """
    if not math.isfinite(fill):
        raise ConfigError(f"fill is {fill!r}; a finite number is needed")
    check("openrlhf")
    if isinstance(source, Grader) and options:
        raise ConfigError(f"{', '.join(options)}: a grader is made already; give its options to Grader")
    grader = source if isinstance(source, Grader) else Grader.of(source, **options)
    check_grader(grader)
    together = Together(apart(grader))

    def ask(rows: list[Row]) -> list[Score]:
        return [future.result() for future in [together.ask(row) for row in rows]]

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
        """Rewards, scores for dynamic filtering (0 to 1 where the reward has bounds), and parts as logs."""
        rows = rows_of(queries, prompts, labels, end_tokens)
        answer = answer_of(grader, graded(ask, rows, retries), fill)
        if len(rows) != 1:
            return answer
        logs = {name: values[0] for name, values in answer["extra_logs"].items()}
        return {"rewards": answer["rewards"][0], "scores": answer["scores"][0], "extra_logs": logs}

    return reward_func


def apart(grader: Grader) -> Ask:
    """Scores rows that have nothing to do with one another: each is a group of its own, whatever arrives together."""

    def ask(rows: list[Row]) -> list[Score]:
        return grader.grade([{**row, "group": number} for number, row in enumerate(rows)])

    return ask


def graded(ask: Ask, rows: Sequence[Row], retries: int) -> list[Score]:
    """The rows' scores; those that failed by our fault are asked for again, so many times, after 0.5 s, 1 s ..."""
    scores = ask(list(rows))
    for attempt in range(retries):
        again = [number for number, score in enumerate(scores) if score.status == "infra"]
        if not again:
            break
        time.sleep(0.5 * 2**attempt)
        for number, score in zip(again, ask([rows[number] for number in again]), strict=True):
            scores[number] = score
    return scores


def check_grader(grader: Grader) -> None:
    """Refuse a reward whose numbers depend on more than one rollout.

    Raises:
        ConfigError: it looks at siblings or at the batch, or it learns.
    """
    reward = grader.reward
    if reward.sees != "rollout":
        raise ConfigError(
            f"{reward.name or reward!r} looks at the whole {reward.sees}, and OpenRLHF sends one sample at a time: its "
            f"numbers would be those of groups of one. Use a reward of single rollouts"
        )
    grader.refuse_learning("OpenRLHF asks for one sample at a time and its checkpoints keep no state of a reward")
    if told := uncontrolled(reward):
        warnings.warn(f"{reward.name}: {told}", RuntimeWarning, stacklevel=2)


def rows_of(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str], end_tokens: Sequence[str] = END_TOKENS
) -> list[dict[str, Any]]:
    """Rows for `guerdon.grading`, one per sample.

    Args:
        queries: prompt and response, special tokens kept.
        prompts: the prompts.
        labels: an example's id, or its fields as a JSON object.
        end_tokens: see `response_in`.

    Raises:
        ConfigError: the lists differ in length, something in them is no text, a label that begins as an object is none,
            or a query does not begin with its prompt; the message names the row and the field.
    """
    if not len(queries) == len(prompts) == len(labels):
        lengths = f"{len(queries)} queries, {len(prompts)} prompts and {len(labels)} labels"
        raise ConfigError(f"there are {lengths}; one of each per sample is needed")
    rows = []
    for number, (query, prompt, label) in enumerate(zip(queries, prompts, labels, strict=True), 1):
        fields: dict[str, object] = {"queries": query, "prompts": prompt, "labels": label}
        for field, found in fields.items():
            if not isinstance(found, str):
                needed = _LABEL if field == "labels" else "a text"
                raise ConfigError(f"row {number}: the field {field!r} is {reprlib.repr(found)}; {needed} is needed")
        try:
            rows.append({"example": _example(label), "completion": response_in(query, prompt, end_tokens)})
        except ConfigError as error:
            raise ConfigError(f"row {number}: {error}") from None
    return rows


_LABEL = "a text with an example's id, or with its fields as a JSON object (the column that --data.label_key names),"


def _example(label: str) -> str | dict[str, Any]:
    if not label.lstrip().startswith("{"):
        return label
    try:
        fields: dict[str, Any] = json.loads(label)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"the field 'labels' is {reprlib.repr(label)}, which is no JSON ({error}); {_LABEL} is needed"
        ) from None
    return fields


def response_in(query: str, prompt: str, end_tokens: Sequence[str] = END_TOKENS) -> str:
    """The response in prompt + response, without the tokens that end it.

    The prompt is matched from the beginning, so that nothing in the response can pass for the border. A token for the
    beginning may stand before it, and white space may differ: tokenizers add the one and change the other.

    Raises:
        ConfigError: the query does not begin with the prompt.

    >>> response_in("<s>2 + 2 =4</s></s>", "2 + 2 = ")
    '4'
    """
    if query.startswith(prompt):
        end: int | None = len(prompt)
    else:
        end = _end_of(prompt, query, 0)
        if end is None and (before := _SPECIAL.match(query)) is not None:
            starts = [at for at in range(1, before.end() + 1) if query[at : at + 1] == prompt.lstrip()[:1]]
            ends = (_end_of(prompt, query, at) for at in [*starts, before.end()])
            end = next((found for found in ends if found is not None), None)
    if end is None:
        raise ConfigError(
            f"the query does not begin with its prompt: query {query[:80]!r}, prompt {prompt[:80]!r}. Both must be of "
            f"one template, as OpenRLHF sends them"
        )
    response = query[end:]
    while ended := next((token for token in end_tokens if response.rstrip().endswith(token)), ""):
        response = response.rstrip().removesuffix(ended)
    return response


def _end_of(prompt: str, query: str, at: int) -> int | None:
    """Where the prompt ends that begins in the query at `at`, white space not compared; None where none does."""
    for letter in "".join(prompt.split()):
        while query[at : at + 1].isspace():
            at += 1
        if query[at : at + 1] != letter:
            return None
        at += 1
    room = len(prompt) - len(prompt.rstrip())
    while room and query[at : at + 1].isspace():
        at, room = at + 1, room - 1
    return at


def answer_of(grader: Grader, scores: Sequence[Score], fill: float) -> dict[str, Any]:
    """Scores as OpenRLHF reads them: lists, one entry per sample; the same keys always.

    `extra_logs` has `unscored` (1 where the reward is `fill`) and what `Grader.logged` says of the parts.
    """
    low, high = grader.reward.bounds
    span = high - low

    def share(value: float) -> float:
        """On the scale of `--algo.dynamic_filtering_range`: 0 and 1 are the reward's own ends."""
        return (value - low) / span if math.isfinite(span) and span > 0 else value

    rewards = [score.value if math.isfinite(score.value) else fill for score in scores]
    logs = {"unscored": [float(not math.isfinite(score.value)) for score in scores], **grader.logged(scores)}
    return {"rewards": rewards, "scores": [share(value) for value in rewards], "extra_logs": logs}


def dataset_rows(
    task: Task, split: Split = "train", *, render: Callable[[Sequence[Mapping[str, str]]], str]
) -> Iterator[dict[str, Any]]:
    """A task's examples as rows of OpenRLHF's data set, with prompts as texts.

    For tasks that begin the completion themselves, which messages cannot hold: `guerdon export --format openrlhf`
    writes messages.

        --data.input_key prompt --data.label_key label

    Args:
        task: whose examples.
        split: which of them.
        render: makes the prompt's text of chat messages (a tokenizer's chat template, with the generation prompt).
    """
    for example in task.examples(split):
        prompt = task.prompt(example)
        yield {"prompt": render(text_messages_of(prompt, "OpenRLHF")) + prompt.forced, "label": example.id}
