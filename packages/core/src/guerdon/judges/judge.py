"""`Judge`: questions in, verdicts out. Each distinct question is put to the backend once; a failure has a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from guerdon.errors import JudgeError
from guerdon.fields import not_a_text
from guerdon.judges.answers import Parser, Unparsed
from guerdon.protocols import JudgeBackend
from guerdon.recent import Recent

T = TypeVar("T")
Question = str | Sequence[Mapping[str, str]]
"""A text (one user message), or chat messages with `role` and `content`."""
_Key = tuple[str, int, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Verdict(Generic[T]):
    """What a judge said."""

    value: T | None
    """None where it failed; the reason is in `why`. A reward makes that `Score.unscored(verdict.why)`."""
    why: str = ""
    """The answer's text, or what went wrong."""
    answered: bool = field(default=True, repr=False)
    """False where the backend gave nothing at all: our trouble (`infra`), not an answer of the wrong form."""

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


@dataclass(frozen=True)
class Judge(Generic[T]):
    """Asks a backend in batches, remembers what it answered, and takes only answers of the right form.

    A value like any configuration: it compares, prints and pickles (its cache stays behind). Retries with back-off are
    the backend's; a question that failed there is asked anew next time, one that was answered badly is not.

    >>> from guerdon.judges import StandIn, number
    >>> judge = Judge(StandIn(answers=("0.5",)), number(0, 1))
    >>> judge.ask(["How good is it?"])
    [Verdict(value=0.5, why='0.5')]
    """

    backend: JudgeBackend
    parse: Parser[T]
    seed: int = 0
    cache_size: int = 65536
    """Answers remembered; the least recently used go first."""
    stats: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    """Counts since the start: `questions`, `asked` (of the backend), `failed` (there), `unparsed`."""
    _cache: Recent[_Key, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        not_a_text("a judge's backend", self.backend, "what answers, such as guerdon.judges.StandIn(...),")
        object.__setattr__(self, "_cache", Recent(self.cache_size))

    def ask(self, questions: Sequence[Question]) -> list[Verdict[T]]:
        """One verdict per question, in order.

        Raises:
            JudgeError: the backend failed for good (a wrong key, no such model), or gave another number of answers.
        """
        keys = [self._key(question) for question in questions]
        answers: dict[_Key, str | None] = {**self._cache.known(keys)}
        missing = [key for key in dict.fromkeys(keys) if key not in answers]
        if missing:
            answers |= self._asked(missing)
        self.stats["questions"] += len(keys)
        return [self._verdict(answers[key]) for key in keys]

    def _key(self, question: Question) -> _Key:
        messages = [{"role": "user", "content": question}] if isinstance(question, str) else question
        return self.backend.name, self.seed, tuple((message["role"], message["content"]) for message in messages)

    def _asked(self, keys: Sequence[_Key]) -> dict[_Key, str | None]:
        chats = [[{"role": role, "content": content} for role, content in messages] for _, _, messages in keys]
        answers = self.backend.answer(chats, seed=self.seed)
        if len(answers) != len(keys):
            raise JudgeError(f"{self.backend.name} gave {len(answers)} answers to {len(keys)} questions")
        self.stats["asked"] += len(keys)
        found = dict(zip(keys, answers, strict=True))
        self._cache.keep({key: answer for key, answer in found.items() if answer is not None})
        return found

    def _verdict(self, answer: str | None) -> Verdict[T]:
        if answer is None:
            self.stats["failed"] += 1
            return Verdict(None, f"{self.backend.name} gave no answer", answered=False)
        try:
            return Verdict(self.parse(answer), answer)
        except Unparsed as error:
            self.stats["unparsed"] += 1
            return Verdict(None, f"{self.backend.name} answered {error}")

    def __reduce__(self) -> tuple[type[Judge[Any]], tuple[Any, ...]]:
        return Judge, (self.backend, self.parse, self.seed, self.cache_size)
