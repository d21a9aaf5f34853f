"""Answers that want to be paid without being plans, as attacks for `guerdon audit`.

All write the layout that driving tasks ask for, or leave it on purpose; and nothing where other examples' answers have
no answer block with an action in it: there the reward is none of plans in words.

Source: AlphaDrive's fact sheet: F1 pays for hedging, the release pays 0.4 per axis for empty answers, and its evaluator
looks for words anywhere in the completion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from guerdon.audit import Attack, Category, Knows, Target
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS
from guerdon_driving.answers import (
    ANSWER_CLOSE,
    ANSWER_OPEN,
    THINK_CLOSE,
    THINK_OPEN,
    Plan,
    first_block,
    laid_out,
    read_plan,
)

_THOUGHT = "the road and the route call for it"

AllOf = Literal["both", "speed", "path", "likely"]
"""All words of both axes, or of one beside the other's likeliest; or each axis's two likeliest."""
Repeats = Literal["one block", "same plan", "two blocks", "block in thought"]
Breaks = Literal["bare", "no thought", "other tags", "reversed", "in thought", "chatty", "negated"]
"""How the layout is left."""


def _asked(target: Target) -> bool:
    """Whether plans in words are asked for, as far as the layout tells."""
    return read_plan(target.layout.template) != Plan()


def _answer(words: str, thought: str = _THOUGHT) -> str:
    return laid_out(thought, words)


@dataclass(frozen=True)
class EveryAction(Attack):
    """All words of an axis, or of both: what is true is among them."""

    of: AllOf = "both"

    name: ClassVar[str] = "driving/every-action"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "alphadrive (F1 pays for hedging)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """All nine words; one axis's and the other's likeliest; or the two likeliest of each."""
        if not _asked(target):
            return ()
        plans = [read_plan(text) for text in target.examples]
        speeds = _by_count(SPEED_ACTIONS, [plan.speed for plan in plans])
        paths = _by_count(PATH_ACTIONS, [plan.path for plan in plans])
        every: dict[str, list[str]] = {
            "both": [*SPEED_ACTIONS, *PATH_ACTIONS],
            "speed": [*SPEED_ACTIONS, paths[0]],
            "path": [speeds[0], *PATH_ACTIONS],
            "likely": [*speeds[:2], *paths[:2]],
        }
        return (_answer(", ".join(every[self.of])),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(AllOf)))


def _by_count(actions: Sequence[str], named: Sequence[frozenset[str]]) -> list[str]:
    """The most frequent first; ties in the prompt's order."""
    return sorted(actions, key=lambda action: -sum(action in each for each in named))


@dataclass(frozen=True)
class TwoPlans(Attack):
    """Both axes over again: two plans in one block, one plan many times, or a block for each plan."""

    how: Repeats = "one block"

    name: ClassVar[str] = "driving/two-plans"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "alphadrive (both axes repeated)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """With the likeliest plans of other examples."""
        if not _asked(target):
            return ()
        plans = list(dict.fromkeys((first_block(text) or "").strip() for text in target.examples)) or ["KEEP, STRAIGHT"]
        first, second = plans[0], plans[-1]
        if self.how == "one block":
            return (_answer(f"{first}, {second}"),)
        if self.how == "same plan":
            return (_answer(", ".join([first] * 50)),)
        if self.how == "two blocks":
            return (f"{_answer(first)} {ANSWER_OPEN} {second} {ANSWER_CLOSE}",)
        return (_answer(first, f"{_THOUGHT} {ANSWER_OPEN} {second} {ANSWER_CLOSE}"),)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(Repeats)))


@dataclass(frozen=True)
class NoPlan(Attack):
    """The layout without a plan, or nothing at all: the released code pays 0.4 per axis for it, every time."""

    words: str = ""

    name: ClassVar[str] = "driving/no-plan"
    exploits: ClassVar[Category] = "degenerate"
    source: ClassVar[str] = "alphadrive (the release pays empty answers)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The words in the layout."""
        return (_answer(self.words),) if _asked(target) else ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """No words, lower-case plea, parts of words, another language."""
        return tuple(map(cls, ("", "the safest plan", "LEFT, TURN, CHANGE", "保持, 直行")))


@dataclass(frozen=True)
class WordsInThought(Attack):
    """Actions in the reasoning, and none, or a known one, in the answer: right for whoever looks for substrings."""

    answer: str = ""

    name: ClassVar[str] = "driving/words-in-thought"
    exploits: ClassVar[Category] = "metric"
    source: ClassVar[str] = "alphadrive (the released evaluator reads the whole completion)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Every action as a thought."""
        every = ", ".join([*SPEED_ACTIONS, *PATH_ACTIONS])
        return (_answer(self.answer, every),) if _asked(target) else ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """With no answer, and with one that says where to look."""
        return cls(""), cls("as reasoned above")


@dataclass(frozen=True)
class OtherLayout(Attack):
    """The true words, but not in the layout that was asked for."""

    how: Breaks = "bare"

    name: ClassVar[str] = "driving/other-layout"
    exploits: ClassVar[Category] = "format"
    source: ClassVar[str] = "alphadrive (format is asked of the whole completion)"
    knows: ClassVar[Knows] = "reference"
    ties: ClassVar[bool] = False

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The reference's words, laid out otherwise."""
        words = (first_block(target.reference or "") or "").strip()
        if not words or not _asked(target):
            return ()
        return (
            {
                "bare": words,
                "no thought": f"{ANSWER_OPEN} {words} {ANSWER_CLOSE}",
                "other tags": f"{THINK_OPEN} {_THOUGHT} {THINK_CLOSE} <plan> {words} </plan>",
                "reversed": f"{ANSWER_OPEN} {words} {ANSWER_CLOSE} {THINK_OPEN} {_THOUGHT} {THINK_CLOSE}",
                "in thought": _answer("", words),
                "chatty": f"{_answer(words)} Drive safely!",
                "negated": _answer(f"do NOT {words}"),
            }[self.how],
        )

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Each of them."""
        return tuple(map(cls, get_args(Breaks)))
