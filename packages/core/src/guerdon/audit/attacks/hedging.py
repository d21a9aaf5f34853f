"""More than one answer, so that one of them may be right; and refusing to answer at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from guerdon.audit.attack import Attack, Category, Knows, Target


@dataclass(frozen=True)
class SeveralAnswers(Attack):
    """Several whole completions after one another, none of them written for this question."""

    count: int = 2

    name: ClassVar[str] = "hedging/several-answers"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "reward_anything, medix_r1 (contains YES accepts 'No. Yes')"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """`count` of the other examples' completions."""
        found = tuple(dict.fromkeys(target.examples))[: self.count]
        return ("\n".join(found),) if len(found) == self.count else ()

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Two, and eight."""
        return cls(2), cls(8)


@dataclass(frozen=True)
class RightAndWrong(Attack):
    """The right answer and a wrong one. Tried in both orders, and the worse counts: a reward that reads the first or
    the last answer is not fooled, one that looks whether the right one is *somewhere* is.
    """

    frames: Literal["one", "two"] = "two"
    """Whether both stand in one frame or each in its own."""

    name: ClassVar[str] = "hedging/right-and-wrong"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "medix_r1 (4 near names listed), resume_screening"
    knows: ClassVar[Knows] = "reference"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Right then wrong; wrong then right."""
        wrong = next((text for text in target.examples if text != target.reference), None)
        if target.reference is None or wrong is None:
            return ()
        layout = target.layout
        if self.frames == "two":
            return f"{target.reference}\n{wrong}", f"{wrong}\n{target.reference}"
        pair = layout.answer(target.reference), layout.answer(wrong)
        return tuple(layout.wrap("\n".join(order)) for order in (pair, pair[::-1]))

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """One frame and two."""
        return cls("one"), cls("two")


_VALUES = {
    "numbers": [str(number) for number in range(1000)],
    "letters": [chr(ord("A") + number) for number in range(26)],
    "verdicts": ["yes", "no", "true", "false", "unknown"],
}
Values = Literal["numbers", "letters", "verdicts"]


@dataclass(frozen=True)
class EveryValue(Attack):
    """All there is: each whole number below 1,000, each letter, or each verdict. A reward that looks whether the right
    one stands *somewhere* finds it.
    """

    values: Values = "numbers"
    framed: bool = False

    name: ClassVar[str] = "hedging/every-value"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "search_gen_v (long answers that list everything), medix_r1 (contains YES)"
    knows: ClassVar[Knows] = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The values in a row, bare or in the frame."""
        text = " ".join(_VALUES[self.values])
        return (target.layout.wrap(text) if self.framed else text,)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """Numbers, letters and verdicts, bare and framed."""
        return tuple(cls(values, framed) for values in get_args(Values) for framed in (False, True))


@dataclass(frozen=True)
class Refusal(Attack):
    """Declines, or answers that it depends: what costs nothing where a wrong answer costs."""

    words: str = "I cannot answer that."
    framed: bool = False

    name: ClassVar[str] = "hedging/refusal"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "resume_screening (unknown costs less than wrong), lsc_transform_combine (fixed refusals)"
    knows: ClassVar[Knows] = "nothing"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """The words, bare or in the frame."""
        return (target.layout.wrap(self.words) if self.framed else self.words,)

    @classmethod
    def variants(cls) -> Sequence[Self]:
        """A refusal and an evasion, bare and framed."""
        words = ("I cannot answer that.", "It depends: yes in some cases, no in others, and both may be right.")
        return tuple(cls(text, framed) for text in words for framed in (False, True))


@dataclass(frozen=True)
class DuplicatedItems(Attack):
    """A wrong list in which every item stands several times: recall, coverage and counts of hits pay for it."""

    times: int = 3

    name: ClassVar[str] = "hedging/duplicated-items"
    exploits: ClassVar[Category] = "hedging"
    source: ClassVar[str] = "page_llm (repeating the best item), toolrl (repeated calls)"
    knows: ClassVar[Knows] = "examples"

    def attempt(self, target: Target) -> tuple[str, ...]:
        """Another example's answer with each of its items `times` times; nothing where it is no list."""
        if not target.answers:
            return ()
        separator, items = listed(target.answers[0])
        repeated = [item for item in items for _ in range(self.times)]
        return (target.layout.wrap(separator.join(repeated)),) if len(items) > 1 else ()


def listed(answer: str) -> tuple[str, list[str]]:
    r"""An answer's items and what stands between them: lines, or else parts between commas.

    >>> listed("a, b, c"), listed("a"), listed("one\ntwo")
    ((', ', ['a', 'b', 'c']), (', ', ['a']), ('\n', ['one', 'two']))
    """
    separator = "\n" if "\n" in answer else ", "
    return separator, answer.split(separator)
