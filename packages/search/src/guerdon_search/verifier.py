"""`NuggetVerifier`: a judge that labels the nuggets of an answer, in batches, block by block.

```
answer ──▶ blocks ──▶ for each block, batches of at most `batch_size` nuggets ──▶ one question each ──▶ labels, merged
```

All questions of all answers go out at once, and each distinct one is asked once. Where an answer of the backend has
another form, or another number of labels than nuggets, these nuggets have no verdict: that is told, and never taken for
`not_support`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from guerdon.errors import ConfigError
from guerdon.fields import check_numbers, one_of
from guerdon.judges import Judge, Verdict
from guerdon.protocols import JudgeBackend
from guerdon_search.label_parsing import verdicts
from guerdon_search.labels import Label, merged
from guerdon_search.verifier_prompts import verifier_messages
from guerdon_search.verifier_scores import Reasoning

BATCH = 10
"""The most nuggets in one call, as in the paper."""


@dataclass(frozen=True)
class Labelled:
    """What is known of one answer's nuggets."""

    labels: tuple[Label, ...] | None
    """None where some nugget has no verdict."""
    why: str = ""
    """Why not."""
    answered: bool = True
    """False where the backend gave nothing: our trouble."""


@dataclass(frozen=True)
class NuggetVerifier:
    """Asks `backend` whether texts support nuggets.

    >>> from guerdon.judges import StandIn
    >>> verifier = NuggetVerifier(StandIn(answers=('["support"]',)))
    >>> verifier.label([("Who?", "Ann did it.", ("Ann did it.",))])[0].labels
    ('support',)
    """

    backend: JudgeBackend
    """Who answers; a server or a local model has to be given enough `max_tokens` for ten labels (and the reasoning)."""
    batch_size: int = BATCH
    block_words: int = 400
    """A longer answer is cut into blocks of about so many words, at line ends where it can be [choice]."""
    reasoning: Reasoning = "optional"
    """`asked`: the verifier reasons before its labels, as a trained one does."""
    seed: int = 0
    _judge: Judge[tuple[Label, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.batch_size < 1 or self.block_words < 1:
            raise ConfigError(
                f"NuggetVerifier.batch_size is {self.batch_size!r} and block_words {self.block_words!r}; whole numbers "
                f">= 1 are needed"
            )
        one_of("NuggetVerifier.reasoning", self.reasoning, ("asked", "optional"))
        object.__setattr__(self, "_judge", Judge(self.backend, verdicts, self.seed))

    @property
    def asked(self) -> int:
        """Questions that the backend was put so far."""
        return self._judge.stats["asked"]

    def label(self, items: Sequence[tuple[str, str, Sequence[str]]]) -> list[Labelled]:
        """Labels for each (query, answer, nuggets), in order.

        Raises:
            JudgeError: the backend failed for good.
        """
        plans = [
            [(query, block, batch) for block in blocks(answer, self.block_words) for batch in self._batches(nuggets)]
            for query, answer, nuggets in items
        ]
        asked = self._judge.ask([verifier_messages(*one, reasoning=self.reasoning) for plan in plans for one in plan])
        said = iter(asked)
        return [
            self._merged(len(nuggets), [(len(batch), next(said)) for _, _, batch in plan])
            for (_, _, nuggets), plan in zip(items, plans, strict=True)
        ]

    def _batches(self, nuggets: Sequence[str]) -> list[tuple[str, ...]]:
        return [tuple(nuggets[start : start + self.batch_size]) for start in range(0, len(nuggets), self.batch_size)]

    @staticmethod
    def _merged(count: int, said: Sequence[tuple[int, Verdict[tuple[Label, ...]]]]) -> Labelled:
        """Blocks follow one another, each with the same batches."""
        judged: list[list[Label]] = [[]]
        for size, verdict in said:
            if verdict.value is None:
                return Labelled(None, verdict.why, verdict.answered)
            if len(verdict.value) != size:
                return Labelled(None, f"{len(verdict.value)} labels for {size} nuggets")
            if len(judged[-1]) == count:
                judged.append([])
            judged[-1] += verdict.value
        return Labelled(merged(judged))


def blocks(text: str, words: int) -> list[str]:
    r"""A text in pieces of at most `words` words: whole lines while they fit, longer lines cut between words.

    A text without a word is one empty block, which is judged like any other.

    >>> blocks("one two\nthree\nfour five six seven", 3)
    ['one two\nthree', 'four five six', 'seven']
    """
    found: list[str] = []
    current: list[str] = []
    size = 0
    for line in _lines(text, words):
        length = len(line.split())
        if current and size + length > words:
            found.append("\n".join(current))
            current, size = [], 0
        current.append(line)
        size += length
    return [*found, "\n".join(current)]


def _lines(text: str, words: int) -> Iterator[str]:
    for line in text.split("\n"):
        parts = line.split()
        if len(parts) <= words:
            if parts:
                yield line
        else:
            for start in range(0, len(parts), words):
                yield " ".join(parts[start : start + words])
