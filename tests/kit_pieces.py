"""The kit's pieces as a recipe names them, over a task of three words: what `test_kit_everywhere.py` trains and serves.

Beside the tests, and importable: a reward server's processes import it, too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from guerdon.grading import Grader
from guerdon.plugins.catalog import register_local
from guerdon.protocols import Continuation, Policy, Split, Task
from guerdon.recipes import RewardSpec
from guerdon.recipes.building import build_reward
from guerdon.rewards import Reward, reward
from guerdon.types import Example, Message, Prompt, Score, Stream

ANSWERS = ("apple", "pear, a fruit", "<think>It grows on trees.</think><answer>fig</answer>", "")


class Word(Example):
    right: str
    sample_rewards: tuple[float, ...] = (0.2, 0.5, 0.3)


@dataclass(frozen=True)
class Words(Task):
    name: ClassVar[str] = "kit/words-v1"

    def examples(self, split: Split) -> Sequence[Word]:
        return [Word(id=f"{split}-{place}", right=ANSWERS[place]) for place in range(3)]

    def prompt(self, example: Example) -> Prompt:
        number = example.id.rpartition("-")[2]
        return Prompt((Message("user", f"Name fruit number {number}."),), observation=number)

    def reference(self, example: Example) -> str:
        assert isinstance(example, Word)
        return example.right


@reward(name="kit/right-v1", bounds=(0.0, 1.0))
def right(rollout):
    return float(rollout.answer == rollout.example.right)


@reward(name="kit/early-v1", bounds=(0.0, 1.0))
def early(rollout):
    return 1.0 - ANSWERS.index(rollout.answer) / 4


@reward(name="kit/short-v1", bounds=(0.0, 1.0))
def short(rollout):
    return 1.0 / (1 + len(rollout.answer.split()))


@reward(name="kit/steps-v1", bounds=(0.0, 4.0))
def steps(rollout):
    """A score per policy step, as a process reward model gives."""
    values = [0.9 if rollout.answer else 0.2 for _ in range(rollout.steps)]
    return Score(sum(values), dense={"steps": Stream("step", tuple(values))})


@dataclass(frozen=True)
class Praise:
    """A `Scorer` to whom praise is the likelier the shorter the answer was."""

    name: ClassVar[str] = "praise"

    def logprobs(
        self, continuations: Sequence[Continuation], *, policy: Policy | None = None
    ) -> list[tuple[float, ...] | None]:
        return [(-len(one.messages[-1].content) / (1 + len(one.text)),) for one in continuations]


def offer() -> None:
    """Make the parts above known by name in this process."""
    for part in (right, early, short, steps):
        register_local("rewards", part.name, part)
    register_local("scorers", "kit/praise", Praise)


PIECES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("kit_pieces.yaml").read_text())
"""By a word: the reward that a recipe describes, and where needed another advantage estimator."""


def built(piece: str) -> Reward:
    """The reward of a piece."""
    offer()
    spec = RewardSpec.model_validate(PIECES[piece]["reward"])
    if spec.options.get("model") == "CHECKPOINT":  # made by the test; a server's processes inherit where it lies
        spec.options["model"] = os.environ["KIT_CHECKPOINT"]
    return build_reward(spec)


def graders(*, learning: bool) -> dict[str, Grader]:
    """Those that learn, or those that do not, for a server."""
    found = {piece: Grader(built(piece), Words()) for piece in PIECES if PIECES[piece].get("served", True)}
    return {piece: grader for piece, grader in found.items() if bool(grader.learning) == learning}
