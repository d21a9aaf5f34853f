"""The nouns: what flows from a task to an update. This module imports nothing of ours.

```
Example ──▶ Prompt ──▶ Rollout (Segments) ──▶ Group ──▶ Score
```
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict

Author = Literal["policy", "environment", "forced"]
"""Who wrote a segment: the policy (trained on), the environment or a tool, or we (a forced prefix)."""

StopReason = Literal["stop", "length", "environment", "error"]
"""Who ended it: the policy (`stop`), a budget (`length`), the environment, or a fault of ours (`error`)."""

Status = Literal["ok", "fail", "timeout", "rejected", "truncated", "abstain", "invalid", "infra"]
SCORED: frozenset[Status] = frozenset({"ok", "fail", "timeout", "rejected", "truncated"})
"""The value is a number; all but `ok` are the policy's fault."""
UNSCORED: frozenset[Status] = frozenset({"abstain", "invalid", "infra"})
"""The value is NaN: the reward does not apply, the task is broken, or we failed. Never silently 0."""

Per = Literal["rollout", "turn", "step", "span"]
"""What one value of a stream belongs to: the whole attempt, one of its turns (`Rollout.turns`), one policy step, or a
span of neighbouring policy steps (a step of reasoning, many tokens long)."""

Role = Literal["system", "user", "assistant", "tool"]


class Example(BaseModel):
    """One problem. Domains subclass it with typed fields; it knows nothing of policies.

    Unknown fields are refused, so a misspelt column in a data file is found when it is read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str


ExampleT = TypeVar("ExampleT", bound=Example)


class OtherExample(TypeError):  # noqa: N818 - reads as what it is: `except OtherExample`
    """An example of another kind than is needed: a reward beside a task it was not written for."""

    def __init__(self, wanted: type[Example], given: Example) -> None:
        found = f"{type(given).__name__} {given.id!r}"
        super().__init__(f"this reward scores {wanted.__name__}, was given {found}")
        self.wanted, self.given = wanted.__name__, found


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a policy is shown: a file, or the bytes of one (PNG, JPEG, ...).

    It holds no pixels: a batch of prompts stays small, and travels. `guerdon.parsing.images.opened` decodes it.
    """

    path: str = ""
    data: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.data):
            raise ValueError(f"Image(path={self.path!r}) with {len(self.data)} bytes of data; one of the two is needed")


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()
    """Shown before the text."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a policy is shown: chat messages, or an observation of another kind (an image, a mesh, a state index)."""

    messages: tuple[Message, ...] = ()
    observation: Any = None
    forced: str = ""
    """Text put at the start of the completion before the policy writes (a segment by `forced`, never trained on)."""

    @property
    def images(self) -> tuple[Image, ...]:
        """Those of all messages, in order."""
        return tuple(image for message in self.messages for image in message.images)


# Of `Segment`, `Rollout` and `Score` a batch makes one or more per completion, so their `__init__` is written out: what
# `dataclass` writes for a frozen class takes twice as long. The setters they call stand at the module's end.


@dataclass(frozen=True, slots=True, init=False)
class Segment:
    """One contiguous piece of a rollout by one author.

    For language: `text`, `token_ids` (length T) and, where the policy wrote it, `logprobs` (length T, natural logs
    under the sampling policy at the sampling temperature). Otherwise `observation` and `action`, with `logprobs` of
    length 1. An environment may show `images` before its text; they stand in its tokens as placeholders.
    """

    author: Author
    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    observation: Any
    action: Any
    images: tuple[Image, ...]

    def __init__(
        self,
        author: Author,
        text: str = "",
        token_ids: tuple[int, ...] = (),
        logprobs: tuple[float, ...] = (),
        observation: Any = None,
        action: Any = None,
        images: tuple[Image, ...] = (),
    ) -> None:
        _set_author(self, author)
        _set_text(self, text)
        _set_token_ids(self, token_ids)
        _set_logprobs(self, logprobs)
        _set_observation(self, observation)
        _set_action(self, action)
        _set_images(self, images)

    @property
    def steps(self) -> int:
        """How many decisions the policy took here: its tokens, or one action; 0 for anyone else's segment."""
        if self.author != "policy":
            return 0
        return len(self.token_ids) or len(self.logprobs) or int(self.action is not None)


NO_PROMPT = Prompt()


@dataclass(frozen=True, slots=True, init=False)
class Rollout:
    """One attempt at an example: its prompt, who wrote what, and why it stopped."""

    example: Example
    segments: tuple[Segment, ...]
    prompt: Prompt
    prompt_ids: tuple[int, ...]
    """Token ids of the rendered prompt (language policies); shared by the whole group."""
    stop: StopReason
    policy_version: int
    """How many updates the policy had seen when it wrote this."""
    index: int
    """Place within its group."""

    def __init__(
        self,
        example: Example,
        segments: tuple[Segment, ...] = (),
        prompt: Prompt = NO_PROMPT,
        prompt_ids: tuple[int, ...] = (),
        stop: StopReason = "stop",
        policy_version: int = 0,
        index: int = 0,
    ) -> None:
        _set_example(self, example)
        _set_segments(self, segments)
        _set_prompt(self, prompt)
        _set_prompt_ids(self, prompt_ids)
        _set_stop(self, stop)
        _set_policy_version(self, policy_version)
        _set_index(self, index)

    @classmethod
    def of(cls, example: Example, text: str, **fields: Any) -> Rollout:
        """A finished single-turn rollout whose completion is `text`: for scoring text that came from elsewhere.

        Raises:
            TypeError: it is no example, or no text.
        """
        if not isinstance(example, Example):
            raise TypeError(f"Rollout.of was given {example!r:.200}, and an Example is needed: Example(id=...)")
        if not isinstance(text, str):
            raise TypeError(f"Rollout.of was given the completion {text!r:.200} of {example.id!r}; a text is needed")
        return cls(example, (Segment("policy", text=text),), **fields)

    @property
    def completion(self) -> str:
        """All that is not the environment's: forced and policy text, in order."""
        segments = self.segments
        if len(segments) == 1 and segments[0].author != "environment":
            return segments[0].text
        return "".join(segment.text for segment in segments if segment.author != "environment")

    @property
    def answer(self) -> str:
        """The text after the environment last spoke; in a single-turn rollout the whole completion."""
        if len(self.segments) == 1 and self.segments[0].author != "environment":
            return self.segments[0].text
        last = 0
        for index, segment in enumerate(self.segments):
            if segment.author == "environment":
                last = index + 1
        return "".join(segment.text for segment in self.segments[last:])

    @property
    def truncated(self) -> bool:
        """Cut by a length or turn budget rather than ended."""
        return self.stop == "length"

    @property
    def terminated(self) -> bool:
        """Ended by the policy or the environment."""
        return self.stop in ("stop", "environment")

    @property
    def steps(self) -> int:
        """Decisions the policy took: the length of its advantages and log-probs."""
        return sum(segment.steps for segment in self.segments)

    @property
    def turns(self) -> tuple[Segment, ...]:
        """The policy's own segments, in order."""
        return tuple(segment for segment in self.segments if segment.author == "policy")

    @property
    def images(self) -> tuple[Image, ...]:
        """All that were shown, in order: the prompt's, then those that the environment answered with."""
        return (*self.prompt.images, *(image for segment in self.segments for image in segment.images))

    @property
    def logprobs(self) -> tuple[float, ...]:
        """Sampling log-probs of the policy's own steps, in order (length `steps`, or empty where none were kept)."""
        return tuple(value for segment in self.segments if segment.author == "policy" for value in segment.logprobs)

    def example_as(self, kind: type[ExampleT]) -> ExampleT:
        """The example, checked to be of the kind a reward was written for.

        Raises:
            OtherExample: a TypeError; it is of another kind, and the message names both.
        """
        if not isinstance(self.example, kind):
            raise OtherExample(kind, self.example)
        return self.example


@dataclass(frozen=True, slots=True)
class Group:
    """The attempts at one prompt, or at one (prompt, step)."""

    rollouts: tuple[Rollout, ...]
    key: str = ""
    """Identity of the group; the example's id unless one example is asked more than once in a batch."""
    one_attempt: bool = False
    """Whether these are pieces of one attempt (the steps of a solution), in order, rather than attempts of their own:
    where a reward hangs on one, those after it are not waited for."""

    @classmethod
    def of(cls, rollouts: Sequence[Rollout], key: str = "") -> Group:
        """A group of at least one rollout, keyed by its example's id unless told otherwise."""
        return cls(tuple(rollouts), key or rollouts[0].example.id)

    @property
    def example(self) -> Example:
        """The one problem all attempts are at."""
        return self.rollouts[0].example

    def __len__(self) -> int:
        return len(self.rollouts)


@dataclass(frozen=True, slots=True)
class Target:
    """A text that the policy is to make likelier (or less likely) itself, beside what its advantages say.

    For a reward that is a function of the policy's own probability of a given text: its expected value has a second
    gradient, through that probability. The update adds `-sum(coefficients * log-probs)` to the loss.
    """

    rollout: Rollout
    """What was given, forced; and the text, as the policy's segment."""
    coefficients: tuple[float, ...]
    """The derivative of the reward by each step's log-prob; one per policy step, finite."""
    temperature: float = 1.0
    """At which the log-probs are taken."""

    def __post_init__(self) -> None:
        if len(self.coefficients) != self.rollout.steps:
            raise ValueError(f"a target of {self.rollout.steps} steps has {len(self.coefficients)} coefficients")
        if not all(map(math.isfinite, self.coefficients)):
            raise ValueError(f"Target.coefficients are {self.coefficients!r}; finite numbers are needed")

    def scaled(self, weight: float) -> Target:
        """Each coefficient times `weight`."""
        return replace(self, coefficients=tuple(weight * value for value in self.coefficients))


@dataclass(frozen=True, slots=True, repr=False)
class Stream:
    """Values beside a score's own, to be centred apart from it and from one another (`guerdon.advantages.streams`).

    What each value belongs to is said and never guessed: a rollout of one turn of one token has one of everything.

    >>> Stream("turn", (0.25, 0.75)).scaled(2.0)
    Stream(per='turn', values=(0.5, 1.5))
    """

    per: Per
    values: tuple[float, ...]
    """One for the rollout, one per turn, policy step or span, in order. NaN where there is none: that place leaves
    the stream's mean, and gets nothing from it."""
    ends: tuple[int, ...] = ()
    """Spans only: the policy step (from 0, over all turns) each span ends at, never falling; a span begins after the
    one before it. Empty where the tokens are not known (a text alone): such values add up, but cannot be placed."""

    def __post_init__(self) -> None:
        if self.per not in get_args(Per):
            raise ValueError(f"Stream.per is {self.per!r}; accepted are {', '.join(map(repr, get_args(Per)))}")
        if self.per == "rollout" and len(self.values) != 1:
            raise ValueError(f"a stream per rollout has one value, not {len(self.values)}")
        if any(math.isinf(value) for value in self.values):
            raise ValueError(
                f"Stream.values are {self.values!r}; finite numbers are needed, or NaN where there is none"
            )
        if self.ends and (self.per != "span" or len(self.ends) != len(self.values)):
            raise ValueError(f"a stream per {self.per} of {len(self.values)} values has {len(self.ends)} ends")
        if any(a > b for a, b in itertools.pairwise((0, *self.ends))):
            raise ValueError(f"Stream.ends are {self.ends!r}; numbers >= 0 that never fall are needed")

    def scaled(self, weight: float) -> Stream:
        """Each value times `weight`."""
        return replace(self, values=tuple(weight * value for value in self.values))

    def __repr__(self) -> str:
        ends = f", ends={self.ends!r}" if self.ends else ""
        return f"Stream(per={self.per!r}, values={self.values!r}{ends})"


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, init=False)
class Score:
    """What a rollout earned, and the evidence.

    >>> Score(1.0)
    Score(1.0)
    >>> Score.unscored("the gold query failed", status="invalid").value
    nan
    """

    value: float
    """A finite number where scored, NaN where not."""
    why: str
    """The evidence, in words: what ran, what differed, what failed."""
    parts: Mapping[str, Score]
    """What the value was made from, by name, before weights."""
    status: Status
    dense: Mapping[str, Stream]
    """Further values by name: per rollout, turn, policy step or span."""

    def __init__(
        self,
        value: float,
        why: str = "",
        parts: Mapping[str, Score] = _NOTHING,
        status: Status = "ok",
        dense: Mapping[str, Stream] = _NOTHING,
    ) -> None:
        # The two empty mappings are one for all: fresh dicts would keep the garbage collector busy.
        _set_value(self, value)
        _set_why(self, why)
        _set_parts(self, parts)
        _set_status(self, status)
        _set_dense(self, dense)

    @classmethod
    def unscored(cls, why: str, *, status: Literal["abstain", "invalid", "infra"] = "infra") -> Score:
        """No number: the reward abstains, the task is invalid, or our machinery (`infra`) failed."""
        return cls(math.nan, why, status=status)

    @property
    def scored(self) -> bool:
        """Whether the value is a number that may enter sums, means and the update."""
        return self.status in SCORED

    def with_value(self, value: float) -> Score:
        """The same evidence under another value."""
        return replace(self, value=value)

    def flat(self, prefix: str = "") -> dict[str, float]:
        """Every part's value by its path, for logs: `{"execution": 1.0, "format": 0.5}`; the total is not included."""
        values: dict[str, float] = {}
        for name, part in self.parts.items():
            values[prefix + name] = part.value
            values.update(part.flat(f"{prefix}{name}/"))
        return values

    def __repr__(self) -> str:
        shown = [f"{self.value:.6g}" if self.value % 1 else repr(self.value)]
        shown += [
            f"{name}={value!r}"
            for name, value in (("why", self.why), ("status", self.status))
            if value not in ("", "ok")
        ]
        if self.parts:
            shown.append("parts={" + ", ".join(f"{name}: {part.value:.4g}" for name, part in self.parts.items()) + "}")
        return f"Score({', '.join(shown)})"

    def __reduce__(self) -> tuple[type[Score], tuple[Any, ...]]:
        given = (self.value, self.why, dict(self.parts), self.status, dict(self.dense))
        return Score, given if self.dense else given[:4]


def _slots(kind: type) -> Iterator[Any]:
    """The setters of a frozen class's fields, in order, for its own `__init__` alone."""
    return (getattr(kind, field.name).__set__ for field in fields(kind))


_set_author, _set_text, _set_token_ids, _set_logprobs, _set_observation, _set_action, _set_images = _slots(Segment)
_set_example, _set_segments, _set_prompt, _set_prompt_ids, _set_stop, _set_policy_version, _set_index = _slots(Rollout)
_set_value, _set_why, _set_parts, _set_status, _set_dense = _slots(Score)
