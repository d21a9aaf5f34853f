"""Steps of reasoning: where a rollout is cut into them, and which of the policy's tokens each one ends at.

The delimiter is part of the reward. The policy writes it, so whoever pays per step pays for delimiters too: what the
steps are worth must not grow with their number (`guerdon.rewards.process`).

| `delimiter` | a step is |
|---|---|
| `turn` | one turn of the policy |
| `line` | one line of a turn that is not blank |
| `paragraph` | what stands between blank lines of a turn |

Source: "On Designing Effective RL Reward" (arXiv:2410.15115): steps by newline or blank line, as the generator writes;
the reward of a step on its last token.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from guerdon.errors import ConfigError
from guerdon.types import Rollout, Segment, Stream

if TYPE_CHECKING:
    from guerdon.protocols import Policy

Delimiter = Literal["turn", "line", "paragraph"]

Decode = Callable[[Sequence[int]], str]
"""The text of some token ids, special tokens included."""

_BREAKS = {"line": re.compile(r"\n"), "paragraph": re.compile(r"\n(?:[^\S\n]*\n)+")}
"""Both begin with a newline and look no further than the next: linear in any text."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: characters `start` to `stop` of the text of segment number `segment`, surrounding blanks left out."""

    segment: int
    start: int
    stop: int
    text: str


def steps_of(rollout: Rollout, delimiter: Delimiter, limit: int = 256) -> list[Step]:
    r"""The steps of the policy's own turns, in order; none where it wrote nothing but blanks.

    Args:
        rollout: any.
        delimiter: see the module's head. A delimiter belongs to the step before it.
        limit: the most steps of one turn; the last of them holds all that is left, so that none goes unseen.

    >>> from guerdon.types import Example
    >>> [step.text for step in steps_of(Rollout.of(Example(id="x"), "2+2=4\n\n\nso 4\n"), "line")]
    ['2+2=4', 'so 4']
    """
    found: list[Step] = []
    for number, segment in enumerate(rollout.segments):
        if segment.author != "policy":
            continue
        if delimiter == "turn":  # an action has no text, and is a step all the same
            found.append(Step(number, 0, len(segment.text), segment.text))
        else:
            found += _cut(segment.text, number, _BREAKS[delimiter], limit)
    return found


def _cut(text: str, segment: int, breaks: re.Pattern[str], limit: int) -> list[Step]:
    found: list[Step] = []
    start, whole = 0, len(text)
    ends = [(each.start(), each.end()) for each in breaks.finditer(text)]
    for stop, following in [*ends, (whole, whole)]:
        if len(found) == limit - 1:
            stop = following = whole
        piece = text[start:stop]
        if kept := piece.strip():
            start += len(piece) - len(piece.lstrip())
            found.append(Step(segment, start, start + len(kept), kept))
        start = following
        if start == whole:
            break
    return found


def decoder(tokenizer: str, policy: Policy | None = None, where: str = "tokenizer") -> Decode | None:
    """What turns token ids into text: a named tokenizer, else the policy's own, else None.

    Args:
        tokenizer: a local path or hub id; "" takes the policy's.
        policy: the one that is trained, where there is one (`Context.policy`).
        where: the option that named it, for the error.

    Raises:
        ConfigError: there is no such tokenizer, or transformers is not installed.
    """
    found = _tokenizer(tokenizer, where) if tokenizer else getattr(policy, "tokenizer", None)
    if found is None:
        return None

    def decode(ids: Sequence[int]) -> str:
        return str(found.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    return decode


@lru_cache(maxsize=4)
def _tokenizer(source: str, where: str) -> Any:
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{where} is {source!r}, and the package {error.name} that reads tokenizers is not installed: "
            f'pip install "guerdon[train]"'
        ) from error
    try:
        return AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where} is {source!r}, which cannot be loaded: {error}") from error


def prefix(rollout: Rollout, step: Step) -> Rollout:
    """The rollout as it stood when that step was written: all before it, its own text, and nothing after."""
    segment = rollout.segments[step.segment]
    if step.stop == len(segment.text):
        return replace(rollout, segments=rollout.segments[: step.segment + 1])
    # Its tokens are those of the whole turn: none are better than the wrong ones.
    cut = replace(segment, text=segment.text[: step.stop], token_ids=(), logprobs=())
    return replace(rollout, segments=(*rollout.segments[: step.segment], cut), stop="stop")


def alone(rollout: Rollout, step: Step) -> Rollout:
    """That step as if it were all that was said in answer to the prompt."""
    segment = rollout.segments[step.segment]
    same = step.start == 0 and step.stop == len(segment.text)
    said = segment if same else Segment("policy", step.text)
    return replace(rollout, segments=(said,), stop="stop")


def ends_of(rollout: Rollout, steps: Sequence[Step], decode: Decode | None) -> tuple[int, ...] | None:
    """The policy step (from 0, over all turns) at which each step ends; None where that cannot be told.

    The last step of a turn ends with the turn, end token included; the others with the first token by which their text
    is complete. A turn of one policy step needs no decoder, nor does a turn of one step.
    """
    before, sizes = {}, 0
    for number, segment in enumerate(rollout.segments):
        before[number] = sizes
        sizes += segment.steps
    last = {step.segment: place for place, step in enumerate(steps)}
    ends: list[int] = []
    for place, step in enumerate(steps):
        segment = rollout.segments[step.segment]
        if not segment.steps:
            return None
        if last[step.segment] == place or segment.steps == 1:
            ends.append(before[step.segment] + segment.steps - 1)
        elif decode is None or not segment.token_ids:
            return None
        else:
            ends.append(before[step.segment] + _token_at(segment, step.stop, decode))
    return tuple(ends)


def on_tokens(stream: Stream, rollout: Rollout) -> list[float]:
    """One number per policy step, as trainers with token-level rewards take them: each value on the last step of what
    it belongs to, zeros elsewhere.

    For who writes an adapter to such a trainer (verl's reward tensor, say); ours give one number per completion so far,
    and `guerdon train` reads streams as they are. Source: the sheet's token placement, arXiv:2410.15115.

    Raises:
        ValueError: the values do not fit the rollout, or their tokens are not known.

    >>> from guerdon.types import Example
    >>> rollout = Rollout(Example(id="x"), (Segment("policy", token_ids=(7, 8, 9)),))
    >>> on_tokens(Stream("span", (0.1, 0.5), (1, 2)), rollout)
    [0.0, 0.1, 0.5]
    """
    turns = list(itertools.accumulate(segment.steps for segment in rollout.turns))
    last = rollout.steps - 1
    places: Sequence[int] = {
        "rollout": [last],
        "turn": [end - 1 for end in turns],
        "step": range(rollout.steps),
        "span": stream.ends,
    }[stream.per]
    if len(places) != len(stream.values) or any(not 0 <= place <= last for place in places):
        raise ValueError(f"{stream!r} does not fit a rollout of {rollout.steps} policy steps in {len(turns)} turns")
    placed = [0.0] * rollout.steps
    for place, value in zip(places, stream.values, strict=True):
        placed[place] += value
    return placed


def _token_at(segment: Segment, stop: int, decode: Decode) -> int:
    """The first token by which `stop` characters of the turn are written: halving, since text only grows."""
    low, high = 0, len(segment.token_ids) - 1
    while low < high:
        middle = (low + high) // 2
        # An unfinished character decodes to a replacement, which the finished one is then not longer than.
        written = decode(segment.token_ids[: middle + 1]).rstrip("\ufffd")
        if len(written) >= stop:
            high = middle
        else:
            low = middle + 1
    return low
