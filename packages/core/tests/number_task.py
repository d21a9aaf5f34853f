"""A task that a small model learns in a dozen steps: answer with digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from guerdon.plugins.catalog import register_local
from guerdon.protocols import Task
from guerdon.recipes import load_recipe
from guerdon.rewards import reward
from guerdon.types import Example, Message, Prompt

QUESTIONS = ("How many days has a year?", "What is six times seven?", "Count to five.", "In which year were you born?")


@dataclass(frozen=True)
class Numbers(Task):
    name: ClassVar[str] = "test/numbers-v1"

    def examples(self, split):
        return [Example(id=f"{split}{place}") for place in range(len(QUESTIONS))]

    def prompt(self, example):
        return Prompt((Message("user", QUESTIONS[int(example.id[-1])]),))


@reward(name="test/digits-v1", bounds=(0.0, 1.0))
def digits(rollout):
    """The share of digits among the characters written, spaces apart."""
    written = "".join(rollout.answer.split())
    return sum(letter.isdigit() for letter in written) / len(written) if written else 0.0


def offer() -> None:
    """Make both known by name in this process."""
    register_local("tasks", "test/numbers-v1", Numbers)
    register_local("rewards", "test/digits-v1", digits)


def recipe(engine: Any, seed: int, **train: Any) -> Any:
    """The same short run on any engine."""
    return load_recipe(
        {
            "task": "test/numbers-v1",
            "policy": {"use": "language", "with": {"engine": engine, "dtype": "float32", "lora": {"r": 8}}},
            "reward": "test/digits-v1",
            "seed": seed,
            "train": {
                "steps": 8,
                "prompts_per_step": 2,
                "group_size": 8,
                "sampling": {"max_tokens": 8},
                "optimizer": {"lr": 3e-3},
                "checkpoint_every": 0,
                **train,
            },
        }
    )
