"""A task's examples as rows of a data set that TRL trains on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError
from guerdon.grading import Grader
from guerdon.protocols import Split
from guerdon.trainer.records import text_messages_of
from guerdon.types import Example, Prompt

if TYPE_CHECKING:
    from datasets import Dataset

    from guerdon.adapters.trl.rewards import RewardFunction
    from guerdon.protocols import Task

PLAYED = "guerdon_rollout"
"""The column in which `rollout_func` hands the reward function who said what."""


def dataset(
    source: Grader | Sequence[RewardFunction] | str | Path,
    split: Split = "train",
    limit: int | None = None,
    *,
    tokenizer: Any = None,
    played: bool = False,
) -> Dataset:
    """The columns `prompt`, `example` (its id, by which rewards find it) and `reference` (a best answer, or None).

    Prompts are chat messages. A task that forces the start of a completion needs more, since TRL closes every message
    of a prompt: a `tokenizer`, and prompts are then texts, rendered by its template and ending in the forced part; or
    `played=True` together with `rollout_func`, which writes that part itself.

    Args:
        source: a grader, what `reward_funcs` gave, or a recipe or run folder by name.
        split: `train` or `eval`.
        limit: the first so many examples; None means all.
        tokenizer: the model's; see above.
        played: `rollout_func` plays these rows. It is told nothing but prompts, so each message also names its example.

    Raises:
        ConfigError: there is no task, or it forces the start of completions and nothing here can.
    """
    from datasets import Dataset

    task = grader_of(source).task
    if task is None:
        raise ConfigError("dataset needs a task, and this reward was given none; pass reward_funcs(reward, task)")
    examples = list(task.examples(split))[:limit]
    rows = [
        {"prompt": _prompt(task, each, tokenizer, played), "example": each.id, "reference": task.reference(each)}
        for each in examples
    ]
    return Dataset.from_list(rows)


def grader_of(source: Grader | Sequence[RewardFunction] | str | Path) -> Grader:
    """The grader that a source is, has, or names.

    Raises:
        ConfigError: it is none of these: a reward alone, say.
    """
    if isinstance(source, Grader):
        return source
    if isinstance(source, str | Path):
        return Grader.of(source)
    first: object = source[0] if isinstance(source, list | tuple) and source else source
    if not isinstance(grader := getattr(first, "grader", None), Grader):
        raise ConfigError(f"{first!r:.100} is no grader and no recipe: give what trl.reward_funcs(reward, task) gave")
    return grader


def _prompt(task: Task, example: Example, tokenizer: Any, played: bool) -> list[dict[str, str]] | str:
    prompt = task.prompt(example)
    if played:
        return [{**message, "example": example.id} for message in text_messages_of(prompt, "TRL's trainer")]
    if task.environment(example) is not None:
        raise ConfigError(
            f"{task.name} is played in turns with an environment: use dataset(..., played=True) and "
            f"GRPOTrainer(rollout_func=rollout_func(...))."
        )
    if tokenizer is not None:
        return _rendered(prompt, tokenizer)
    if prompt.forced:
        raise ConfigError(
            f"{task.name} forces completions to start with {prompt.forced!r}, and TRL cannot continue a message: pass "
            f"dataset(..., tokenizer=...), or dataset(..., played=True) with rollout_func."
        )
    return text_messages_of(prompt, "TRL's trainer")


def _rendered(prompt: Prompt, tokenizer: Any) -> str:
    """The prompt as text, ready to be continued; without the start token where the tokenizer will add it again."""
    shown = tokenizer.apply_chat_template(
        text_messages_of(prompt, "TRL's trainer"), tokenize=False, add_generation_prompt=True
    )
    text = str(shown) + prompt.forced
    start = tokenizer.bos_token
    if start and text.startswith(start) and tokenizer(text)["input_ids"][:2] == [tokenizer.bos_token_id] * 2:
        text = text.removeprefix(start)
    return text
