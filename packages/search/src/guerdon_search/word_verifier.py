"""`search/word-verifier`: a nugget verifier of 24 weights, over what the words of a block and a nugget share.

For each nugget it looks at the sentence of the block that shares most of its words (of such the first without doubt and
denying as it does, if there is one), and knows of it:

| feature | |
|---|---|
| constant | 1 |
| shared | of the nugget's content words, the share in that sentence |
| whole | 1 where that is all of them |
| anywhere | the share of them in the block |
| hedged | 1 where the sentence has a word of doubt and the nugget none |
| denied | 1 where one of the two denies and the other does not |
| numbers | of the nugget's numbers, the share that is not in the sentence |
| other number | 1 where such a number lacks and the sentence has one that the nugget lacks |

`search/lexical` judges by the same words with fixed rules; here the reward finds the weights. Neither recognises a
paraphrase.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from guerdon.errors import PolicyError
from guerdon.protocols import Task
from guerdon.types import Example
from guerdon_search.denials import denies
from guerdon_search.label_formats import written
from guerdon_search.label_parsing import labels_alone, taken_apart
from guerdon_search.labels import LABELS
from guerdon_search.lexical import HEDGES, content_words, sentences
from guerdon_search.nuggets import NuggetBlock

if TYPE_CHECKING:
    from guerdon.policies.linear import LinearPolicy  # needs torch, and what words say does not

_NUMBER = re.compile(r"\d+")


class WordLabels:
    """The labels of a block's nuggets, one decision each; `guerdon.policies.linear.Decisions`."""

    features = 8
    choices = len(LABELS)
    """In the order of `LABELS`."""

    def check(self, task: Task) -> None:
        """See `guerdon.policies.linear.Decisions`.

        Raises:
            PolicyError: its prompts ask for reasoning, which is none of its decisions.
        """
        if getattr(task, "reasoning", "optional") != "optional":
            raise PolicyError(
                f"the prompts of {task.name} ask for reasoning, and a word verifier writes none: set "
                "task.with.reasoning=optional, and the reward's likewise"
            )

    def described(self, example: Example) -> npt.NDArray[np.float64]:
        """(D, 8), a row for each nugget; see the module's table."""
        block = _block(example)
        said = [(set(content_words(one)), one) for one in sentences(block.block)]
        return np.array([_row(nugget, said) for nugget in block.nuggets])

    def written(self, example: Example, chosen: Sequence[int]) -> str:
        """The labels in the shape asked for."""
        return written([LABELS[choice] for choice in chosen], _block(example).shape)

    def read(self, example: Example, text: str) -> list[int]:
        """The labels that an answer gives, whatever its shape; its reasoning is left aside.

        Raises:
            PolicyError: it has none, or other words beside them.
        """
        labels = labels_alone(taken_apart(text).labels)
        if not labels:
            raise PolicyError(f"no labels alone, for {example.id!r}: {text[:80]!r}")
        return [LABELS.index(label) for label in labels]


def word_verifier() -> LinearPolicy:
    """The policy, with weights of 0."""
    from guerdon.policies.linear import LinearPolicy

    return LinearPolicy(WordLabels())


def _block(example: Example) -> NuggetBlock:
    if not isinstance(example, NuggetBlock):
        kind = type(example).__name__
        raise PolicyError(f"a word verifier labels nuggets; {example.id!r} is no NuggetBlock but {kind}")
    if example.messages:
        raise PolicyError(
            f"{example.id!r} brings a prompt of its own, in which a word verifier cannot tell block and nuggets apart; "
            "rows with both by themselves are needed"
        )
    return example


def _row(nugget: str, said: Sequence[tuple[set[str], str]]) -> list[float]:
    """What is known of one nugget."""
    words, numbers = set(content_words(nugget)), set(_NUMBER.findall(nugget))
    anywhere = set[str]().union(*(one for one, _ in said))
    denied = denies(nugget)

    def fits(one: tuple[set[str], str]) -> tuple[int, bool, bool]:
        return len(words & one[0]), HEDGES.isdisjoint(one[0]), denies(one[1]) == denied

    best, sentence = max(said, key=fits)
    there = set(_NUMBER.findall(sentence))
    lacking = numbers - there
    doubted = not HEDGES.isdisjoint(best) and HEDGES.isdisjoint(words)
    return [
        1.0,
        _share(words & best, words),
        float(bool(words) and words <= best),
        _share(words & anywhere, words),
        float(doubted),
        float(denies(sentence) != denied),
        _share(lacking, numbers),
        float(bool(lacking and there - numbers)),
    ]


def _share(part: set[str], whole: set[str]) -> float:
    return len(part) / len(whole) if whole else 0.0
