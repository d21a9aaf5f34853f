r"""Follow-up likelihood (FLR): would the user's next remark be praise or complaint? No labels are needed.

For a history $h$, a response $y$ and a remark $f$ of $n$ tokens, said as the user's next turn,

$$L(f \mid h, y) = \frac{1}{n}\sum_j \log P(f_j \mid h, y, f_{<j}),\quad
  s_c = \operatorname*{mean}_{f \in F^+_c} L - \operatorname*{mean}_{f \in F^-_c} L,\quad
  \mathrm{FLR}(h, y) = \operatorname*{mean}_c s_c$$

Source: "Aligning Language Models Using Follow-up Likelihood as Reward Signal" (arXiv 2409.13948), its idea and its
released code; the paper's tables and its exact aggregation were not read. Dividing by the length, a category's score
and the mean over categories are choices made here. The six categories are the authors', the remarks are our own.

What it does *not* cover: a scorer is pleased by what pleases people, so long, flattering and confident answers score
higher than they should. Each score reports `length_correlation` within its group, and says when a response itself
contains one of the remarks. The remarks of a category resemble one another: they are no ten independent witnesses.
Values compare answers to one prompt; across prompts they differ by what the prompt invites (`unconditional` helps).
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from guerdon.errors import ConfigError
from guerdon.protocols import Continuation, Scorer
from guerdon.rewards.base import Context, Scores
from guerdon.rewards.conversations import conversation, shortened
from guerdon.rewards.scored import Scored
from guerdon.types import Group, Message, Role, Rollout, Score

OPENING = "Please ask me a question, and when I have answered it, tell me what you think of my answer."
"""What opens the conversation for a scorer that plays the user; wording of our own."""
CATEGORIES = ("understanding", "relevance", "correctness", "engagingness", "informativeness", "instruction_following")
"""The categories that come with the package, ten remarks of each sign in each."""


@dataclass(frozen=True)
class FollowUps:
    """The remarks of one category."""

    category: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]

    def __post_init__(self) -> None:
        for sign in ("positive", "negative"):
            remarks = getattr(self, sign)
            if not remarks or any(not remark.strip() for remark in remarks):
                raise ConfigError(
                    f"the {sign} follow-ups of {self.category!r} are {remarks!r}; at least one is needed, none blank"
                )

    @property
    def remarks(self) -> tuple[str, ...]:
        """All of them, the positive ones first."""
        return self.positive + self.negative


@functools.cache
def packaged() -> tuple[FollowUps, ...]:
    """The remarks that come with the package, in the order of `CATEGORIES`."""
    found = json.loads(files("guerdon.rewards").joinpath("followups.json").read_text(encoding="utf-8"))
    return tuple(FollowUps(name, tuple(found[name]["positive"]), tuple(found[name]["negative"])) for name in CATEGORIES)


@dataclass(frozen=True)
class FollowUpLikelihood(Scored, name="follow-up-likelihood-v1", sees="group"):
    """How much likelier praise is than complaint as the user's next turn, in nats per token; see the module's head.

    Each category is a part, and so is `length_correlation`: Pearson's r between the length (characters) and the value
    of the group's scored attempts, the same for all of them. The value depends on its own rollout alone.

    Where the beginning of a conversation did not fit, the score says so, since the request itself may be what is gone.
    That is known of `max_characters`, and of a scorer with a method `truncated(continuations) -> Sequence[bool]`.
    """

    scorer: Scorer
    """A model's likelihoods; best not the policy's own."""
    categories: tuple[str, ...] = ()
    """Which of them to use; empty means all."""
    roles: Literal["user", "swapped"] = "user"
    """`user`: the remark is the user's next turn. `swapped`, for a scorer tuned on feedback: it plays the user itself,
    after `opening`, and sees the last request and the response without older history, as in the authors' code."""
    unconditional: bool = False
    """Subtract the same score of an empty response: what the prompt alone invites. [choice: the assistant's turn stays,
    empty, since many chat templates refuse two user turns in a row.] Within one group it cancels."""
    follow_ups: tuple[FollowUps, ...] = ()
    """Categories of your own; empty means those of the package."""
    max_characters: int | None = None
    """Of a conversation, less the remark: a longer one loses its beginning, as in the authors' code (which counts
    tokens). None leaves it whole; what then does not fit the scorer is unscored."""
    opening: str = OPENING

    def __post_init__(self) -> None:
        if self.max_characters is not None and self.max_characters < 1:
            raise ConfigError(f"max_characters is {self.max_characters!r}; 1 or more is needed, or none")
        known = [each.category for each in self.follow_ups or packaged()]
        for name in self.categories:
            if name not in known:
                raise ConfigError(f"categories: no category {name!r}; there are {', '.join(known)}")
        names = self.categories or tuple(known)
        if len(set(names)) < len(names):
            raise ConfigError(f"categories: one stands there twice, in {names!r}")

    @property
    def used(self) -> tuple[FollowUps, ...]:
        """The categories asked about, in the order of their parts."""
        known = {each.category: each for each in self.follow_ups or packaged()}
        return tuple(known[name] for name in self.categories or known)

    @property
    def part_names(self) -> tuple[str, ...]:
        """The categories, and what length has to do with the value."""
        return (*(category.category for category in self.used), "length_correlation")

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Put each distinct (conversation, remark) to the scorer once, all of a conversation's remarks side by side.

        Raises:
            ConfigError: a prompt has no messages, or no word of the user's.
        """
        rows = [[self._before(rollout) for rollout in group.rollouts] for group in groups]
        befores = dict.fromkeys(before for row in rows for before, _ in row)
        if self.unconditional:
            befores |= dict.fromkeys(_unanswered(before, self.roles) for before in list(befores))
        found = _likelihoods(self.scorer, [one for before in befores for one in self._asked(before)], context)
        scores = []
        for group, row in zip(groups, rows, strict=True):
            values = [self._score(one, *before, found) for one, before in zip(group.rollouts, row, strict=True)]
            correlation = _correlation_part([(len(r.answer), s) for r, s in zip(group.rollouts, values, strict=True)])
            scores.append(
                [
                    Score(one.value, one.why, {**one.parts, "length_correlation": correlation}, one.status)
                    for one in values
                ]
            )
        return scores

    def _before(self, rollout: Rollout) -> tuple[tuple[Message, ...], bool]:
        """What stands before the remark, and whether its beginning was cut."""
        said = conversation(rollout)
        if self.roles == "swapped":
            said = self._swapped(said, rollout)
        return (said, False) if self.max_characters is None else shortened(said, self.max_characters)

    def _swapped(self, said: tuple[Message, ...], rollout: Rollout) -> tuple[Message, ...]:
        request = next((message.content for message in reversed(said[:-1]) if message.role == "user"), None)
        if request is None:
            raise ConfigError(f"roles='swapped' needs a request; example {rollout.example.id!r} has no user message")
        return feedback_dialogue(request, said[-1].content, "", opening=self.opening)[:-1]

    def _asked(self, before: tuple[Message, ...]) -> Iterator[Continuation]:
        speaker: Role = "user" if self.roles == "user" else "assistant"
        for category in self.used:
            for remark in category.remarks:
                yield Continuation(before, remark, role=speaker)

    def _score(
        self, rollout: Rollout, before: tuple[Message, ...], cut: bool, found: Mapping[Continuation, _Answer]
    ) -> Score:
        parts = self._parts(before, found)
        if self.unconditional:
            alone = self._parts(_unanswered(before, self.roles), found)
            parts = {name: _minus(part, alone[name]) for name, part in parts.items()}
        if (missing := next((part for part in parts.values() if not part.scored), None)) is not None:
            return Score(math.nan, missing.why, parts, missing.status)
        why = []
        if cut or any(found[one].cut for one in self._asked(before)):
            why.append("the beginning was cut to fit the scorer: the request may be missing")
        if (leak := self._leak(rollout.answer)) is not None:
            why.append(f"the response itself says {leak!r}")
        return Score(math.fsum(part.value for part in parts.values()) / len(parts), "; ".join(why), parts)

    def _parts(self, before: tuple[Message, ...], found: Mapping[Continuation, _Answer]) -> dict[str, Score]:
        told = iter([(one.text, found[one]) for one in self._asked(before)])
        parts = {}
        for category in self.used:
            answers = [next(told) for _ in category.remarks]
            if failed := [f"{remark!r}: {answer.why}" for remark, answer in answers if answer.why]:
                parts[category.category] = Score.unscored(f"{self.scorer.name} gave no likelihood of {failed[0]}")
                continue
            means = [answer.mean for _, answer in answers]
            first = len(category.positive)
            praise, complaint = math.fsum(means[:first]) / first, math.fsum(means[first:]) / len(category.negative)
            why = f"praise {praise:.4f}, complaint {complaint:.4f} nats per token"
            parts[category.category] = Score(praise - complaint, why)
        return parts

    def _leak(self, response: str) -> str | None:
        said = response.casefold()
        return next((remark for each in self.used for remark in each.remarks if remark.casefold() in said), None)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A remark's mean log-probability, or why there is none."""

    mean: float = math.nan
    why: str = ""
    cut: bool = False


def _likelihoods(scorer: Scorer, asked: Sequence[Continuation], context: Context) -> dict[Continuation, _Answer]:
    told = scorer.logprobs(asked, policy=context.policy) if asked else []
    tells = getattr(scorer, "truncated", None)
    cut = [bool(flag) for flag in tells(asked)] if tells else [False] * len(asked)
    return {one: _answer(each, flag) for one, each, flag in zip(asked, told, cut, strict=True)}


def _answer(logprobs: Sequence[float] | None, cut: bool) -> _Answer:
    if logprobs is None:
        return _Answer(why="it failed, or the conversation does not fit it (max_characters cuts)", cut=cut)
    if not logprobs:
        return _Answer(why="it has no tokens", cut=cut)
    mean = mean_logprob(logprobs)
    return _Answer(mean, "" if math.isfinite(mean) else f"its mean log-probability is {mean}", cut)


def _minus(one: Score, other: Score) -> Score:
    if not one.scored or not other.scored:
        return one if not one.scored else other
    return Score(one.value - other.value, f"{one.why}; {other.value:.4f} without the response")


def _unanswered(before: tuple[Message, ...], roles: str) -> tuple[Message, ...]:
    """The same conversation with an empty response."""
    return (*before[:-1], Message("assistant" if roles == "user" else "user", ""))


def feedback_dialogue(request: str, response: str, feedback: str, *, opening: str = OPENING) -> tuple[Message, ...]:
    """A dialogue with natural-language feedback as a scorer is tuned on it: plain supervised training on the
    assistant's turns, which are the user's words. `FollowUpLikelihood(roles="swapped")` asks it in the same form.
    """
    said = (opening, request, response, feedback)
    return tuple(Message("assistant" if place % 2 else "user", text) for place, text in enumerate(said))


def mean_logprob(logprobs: Sequence[float]) -> float:
    """A remark's likelihood: the mean of its tokens' log-probs (float64 sum), so that length is not for sale.

    >>> mean_logprob([-1.0, -2.0, -3.0]), mean_logprob([-6.0])
    (-2.0, -6.0)
    """
    return math.fsum(logprobs) / len(logprobs)


def length_correlation(lengths: Sequence[float], values: Sequence[float]) -> float:
    """Pearson's r; pairs with a NaN are left out, and NaN says that fewer than two are left or that one side is flat.

    >>> length_correlation([1, 2, 3], [0.5, 1.0, 1.5])
    1.0
    """
    from guerdon.correlation import pearson

    return float(pearson(lengths, values))


def _correlation_part(pairs: Sequence[tuple[int, Score]]) -> Score:
    r = length_correlation([length for length, _ in pairs], [score.value for _, score in pairs])
    if math.isnan(r):
        return Score.unscored("fewer than two attempts, or they do not differ", status="abstain")
    return Score(r, "of length and value within the group")


# -- over raw logits, for parity --------------------------------------------------------------------------------------


def aligned(logits_TV: Any, ids_T: Sequence[int], count: int) -> float:
    """The mean log-probability of the last `count` tokens, from a model's raw logits over the whole sequence.

    Args:
        logits_TV: T rows of V logits; row t predicts token t + 1.
        ids_T: the T tokens.
        count: how many of the last ones are scored, 1 to T - 1.

    Returns:
        Nats per token, at most 0; what `FollowUpLikelihood` averages.
    """
    import numpy as np

    rows_NV = np.asarray(logits_TV, dtype=np.float64)[-count - 1 : -1]
    top_N1 = rows_NV.max(axis=1, keepdims=True)
    log_total_N = (top_N1 + np.log(np.exp(rows_NV - top_N1).sum(axis=1, keepdims=True)))[:, 0]
    chosen_N = rows_NV[np.arange(count), np.asarray(ids_T[-count:])]
    return mean_logprob((chosen_N - log_total_N).tolist())


def released(logits_TV: Any, ids_N: Sequence[int]) -> float:
    """What the authors' scorer computes: no likelihood, and here for parity alone.

    It tokenises a remark of n tokens with a start token before it, takes the last n + 1 rows of raw logits, and reads
    the logits of *all* its tokens, the start token's too, from the first of these rows.

    Args:
        logits_TV: T rows of V logits.
        ids_N: the remark's tokens, the start token first.
    """
    import numpy as np

    row_V = np.asarray(logits_TV, dtype=np.float64)[-len(ids_N)]
    return float(row_V[np.asarray(ids_N)].mean())
