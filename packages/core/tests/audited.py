"""A task and rewards small enough to audit by hand: capitals of countries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from guerdon.protocols import Task
from guerdon.rewards import Reward, reward
from guerdon.types import Example, Message, Prompt, Score

PAIRS = {
    "Peru": "Lima",
    "Norway": "Oslo",
    "Egypt": "Cairo",
    "Latvia": "Riga",
    "Kenya": "Nairobi",
    "Chile": "Santiago",
    "Ghana": "Accra",
    "Nepal": "Kathmandu",
}


class Capital(Example):
    country: str
    city: str


CAPITALS = tuple(Capital(id=country, country=country, city=city) for country, city in PAIRS.items())


@dataclass(frozen=True)
class Capitals(Task):
    name: ClassVar[str] = "test/capitals"

    forced: str = ""
    known: bool = True

    def examples(self, split):
        return CAPITALS if split == "train" else ()

    def prompt(self, example):
        return Prompt((Message("user", f"Which is the capital of {example.country}?"),), forced=self.forced)

    def reference(self, example):
        return f"<think>\neasy\n</think>\n<answer>\n{example.city}\n</answer>" if self.known else None


def _answer(rollout):
    return rollout.answer.partition("<answer>")[2].partition("</answer>")[0].strip()


@reward(bounds=(0.0, 1.0))
def exact(rollout):
    """The right city, alone in the answer's tag."""
    return float(_answer(rollout) == rollout.example.city)


@reward(bounds=(0.0, 1.0))
def mentions(rollout):
    """The right city, anywhere."""
    return float(rollout.example.city in rollout.completion)


@reward(bounds=(0.0, 1.0))
def framed(rollout):
    """Any answer between tags."""
    return float("<answer>" in rollout.completion and "</answer>" in rollout.completion)


@reward
def longest(rollout):
    """Words."""
    return float(len(rollout.completion.split()))


@reward(bounds=(0.0, 1.0))
def fragile(rollout):
    """As `exact`, and trips over what is empty."""
    rollout.completion[0]
    return float(_answer(rollout) == rollout.example.city)


@reward(bounds=(0.0, 1.0))
def shy(rollout):
    """As `exact`, and abstains where it finds no tag."""
    if "<answer>" not in rollout.completion:
        return Score.unscored("no tag", status="abstain")
    return float(_answer(rollout) == rollout.example.city)


@dataclass(frozen=True)
class Rank(Reward, name="test/rank", bounds=(0.0, 1.0)):
    """1.0 for the longest answer of the group, 0.0 for the others."""

    def score_group(self, group):
        most = max(len(rollout.completion) for rollout in group.rollouts)
        return [Score(float(len(rollout.completion) == most)) for rollout in group.rollouts]


class Choice(Example):
    right: str


@dataclass(frozen=True)
class Choices(Task):
    """One of `often` answers is "no", the others are "yes"."""

    often: int = 2

    name: ClassVar[str] = "test/choices"

    def examples(self, split):
        return tuple(Choice(id=str(n), right="no" if n % self.often == 0 else "yes") for n in range(120))

    def prompt(self, example):
        return Prompt((Message("user", f"Question {example.id}?"),))

    def reference(self, example):
        return example.right


@reward(bounds=(0.0, 1.0))
def exact_choice(rollout):
    """The right word."""
    return float(rollout.completion == rollout.example.right)
