"""Rewards made of the policy's own likelihood of a reference answer: no verifier, for short answers and long ones.

| name | what a rollout earns | in |
|---|---|---|
| `likelihood-v1` | a variant of `likelihood`, optionally less what the answer earns without reasoning | here |
| `rlpr-v1` | .9 * (mean probability, debiased) + .1 * format | here |
| `nover-v1` | rank of the reference's perplexity in the group + efficiency + format | `nover` |
| `tag-format-v1` | 1 where each tag stands once, in order | `tags` |
| `spread-filter-v1` | another reward, silent where a group's values hardly differ | `spread_filter` |

Values carry no gradient. Where the scorer is the policy itself (`policy`), the expected value has a second gradient,
through the reference's own probability: `Reward.targets` gives it, the trainer adds it to the loss, `direct: false`
leaves it out.

JEPO is no reward of one rollout: what it maximises is the log of a group's mean probability. Here the value is l, as
for `log-prob`; the advantage estimator `log_mean_exp` makes JEPO's advantages of a group's l, and the variant `jepo`
has the direct gradient that goes with them, and shows the group's value as the part `group`.

The paper's advantages are leave-one-out (`advantage: leave_one_out`): an estimator that divides by the group's spread
would scale the reasonings' half of the gradient and not the reference's.

The policy's tokens behind the separator are its own answer, which these rewards do not look at: let generation stop
there (`train.sampling.stop: ["<answer>"]`), or they are credited with noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guerdon.advantages import log_mean_exp
from guerdon.errors import ConfigError
from guerdon.protocols import Continuation, ReadsText, Scorer
from guerdon.rewards import likelihood as formulas
from guerdon.rewards.algebra import Sum
from guerdon.rewards.base import Context, Reward, Scores, Targets
from guerdon.rewards.likelihood import CLAMP, VARIANTS, Variant
from guerdon.rewards.reference_answers import Counts, Missing, Place, Space, reference_of
from guerdon.rewards.scored import Logprobs, Scored, asked, no_answer
from guerdon.rewards.tags import THINK_ANSWER, TagFormat
from guerdon.types import Group, Rollout, Score, Target


@dataclass(frozen=True)
class Likelihood(Scored, name="likelihood-v1", sees="group"):
    """The likelihood of the reference answer behind the rollout's reasoning, as `variant` says."""

    scorer: Scorer
    """Under whom: `policy` in the paper; its scores then belong to the weights that sampled."""
    variant: Variant = "log-prob"
    """See `guerdon.rewards.likelihood`; the paper finds `log-prob` the only one that is good everywhere."""
    reference: str = "reference"
    """Where an example holds its reference answer: a field, or a path ("reward_model.ground_truth", "gold.0");
    "task.reference" is what the task says is right."""
    separator: str = "<answer>"
    lead: str = ""
    tail: str = ""
    counts: Counts = "reference"
    space: Space = "template"
    """These five: see `guerdon.rewards.reference_answers.Place`."""
    missing: Missing = "lowest"
    """Of a rollout without separator: `lowest`, what the group's lowest has that does have one [choice]; `close`, it
    gets one; `floor`, the least there is: probability 0 as in VeriFree [code], log-prob -1e4. Where nobody in the group
    has a separator, `lowest` is the floor."""
    baseline: Scorer | None = None
    """With a probability variant: only what exceeds the reference's value without reasoning under this scorer counts,
    max(0, B - A0). RLPR takes the initial policy: `reference`."""
    direct: bool = True
    """Whether the value's own gradient is part of the update, where `scorer` is the policy. Of any other scorer that
    gradient is 0, and this says nothing."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ConfigError(f"variant is {self.variant!r}; accepted are {', '.join(map(repr, VARIANTS))}")
        if self.baseline is not None and self._logs:
            raise ConfigError(
                f"baseline goes with 'prob' and 'avg-prob'; a difference of {self.variant!r} has no floor"
            )
        self._place  # noqa: B018 - checks the separator

    @property
    def _logs(self) -> bool:
        return self.variant not in ("prob", "avg-prob")

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """[0, 1] for probabilities, [-1e4, 0] for log-probs."""
        return (CLAMP, 0.0) if self._logs else (0.0, 1.0)

    @property
    def _place(self) -> Place:
        return Place(self.separator, self.lead, self.tail, self.counts, self.space)

    @property
    def has_targets(self) -> bool:
        """Whether the value has a gradient that is to be followed."""
        return self.direct and bool(getattr(self.scorer, "live", False))

    @property
    def part_names(self) -> tuple[str, ...]:
        """With a baseline, the two that the value is the difference of; of JEPO, what the group's attempts come to."""
        of_two = ("behind-reasoning", "without-reasoning") if self.baseline is not None else ()
        return of_two or (("group",) if self.variant == "jepo" else ())

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All groups' references in one question to the scorer."""
        references = [reference_of(group.example, self.reference, context.task) for group in groups]
        behind = [self._behind(group, text) for group, text in zip(groups, references, strict=True)]
        answers = iter(asked(self.scorer, [one for row in behind for one in row], context))
        bases = self._baselines(groups, references, context)
        return [
            self._scored([next(answers) for _ in row], row, reference, base)
            for row, reference, base in zip(behind, references, bases, strict=True)
        ]

    def _behind(self, group: Group, reference: str) -> list[Continuation | None]:
        if not reference:
            return [None] * len(group)
        return [self._place.behind(rollout, reference, self.missing) for rollout in group.rollouts]

    def _baselines(self, groups: Sequence[Group], references: Sequence[str], context: Context) -> list[Score]:
        """A0 of each group; 0 without a baseline, unscored where it could not be told."""
        if self.baseline is None:
            return [Score(0.0) for _ in groups]
        alone = [
            self._place.alone(group.rollouts[0], text) if text else None
            for group, text in zip(groups, references, strict=True)
        ]
        return [
            Score(formulas.likelihood_value(one, self.variant)) if one else no_answer(self.baseline)
            for one in asked(self.baseline, alone, context)
        ]

    def _scored(
        self, answers: list[Logprobs | None], behind: list[Continuation | None], reference: str, base: Score
    ) -> list[Score]:
        """One group's scores."""
        if not reference:
            why = f"the reference answer ({self.reference}) is empty: there is nothing to be likely"
            return [Score.unscored(why, status="invalid") for _ in answers]
        found = [
            None if one is None else self._one(logprobs, base) for logprobs, one in zip(answers, behind, strict=True)
        ]
        values = [score.value for score in found if score is not None and score.scored]
        if self.variant == "jepo" and values:
            shared = {"group": Score(log_mean_exp.value(values))}
            found = [
                score and Score(score.value, score.why, shared if score.scored else {}, score.status) for score in found
            ]
        least = min(values, default=self.bounds[0]) if self.missing == "lowest" else self.bounds[0]
        lacking = Score(least, f"the separator {self.separator!r} is missing", status="fail")
        return [lacking if score is None else score for score in found]

    def _one(self, logprobs: Logprobs | None, base: Score) -> Score:
        if not logprobs:
            return no_answer(self.scorer)
        if not base.scored:
            return base
        value = formulas.likelihood_value(logprobs, self.variant)
        total = formulas.sequence_logprob(logprobs)
        why = f"log-prob {total:.6g} over {len(logprobs)} tokens"
        if self.baseline is None:
            return Score(value, why)
        parts = {"behind-reasoning": Score(value), "without-reasoning": base}
        return Score(formulas.debiased(value, base.value), why, parts)

    def targets(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], context: Context) -> Targets:
        """The references behind their reasonings, each token with the derivative of the value by its log-prob.

        Only `avg-prob` needs another pass through the policy for it; the others' follow from the scores.
        """
        if not self.has_targets:
            return super().targets(groups, scores, context)
        references = [reference_of(group.example, self.reference, context.task) for group in groups]
        behind = [
            one if score.scored and self._follows(score) else None
            for group, text, row in zip(groups, references, scores, strict=True)
            for one, score in zip(self._behind(group, text), row, strict=True)
        ]
        told = iter(asked(self.scorer, behind, context) if self.variant == "avg-prob" else [None] * len(behind))
        rollouts = iter(_rollouts(behind, context))
        found: Targets = []
        for row in scores:
            drawn = [(next(rollouts), next(told)) for _ in row]
            found.append(
                [
                    () if rollout is None else (self._target(rollout, score, logprobs, factor),)
                    for (rollout, logprobs), score, factor in zip(drawn, row, self._factors(row), strict=True)
                ]
            )
        return found

    def _follows(self, score: Score) -> bool:
        """Whether the value moves with its log-prob: not at a clamp, and not below RLPR's threshold."""
        return score.value > (CLAMP if self._logs else 0.0) and score.status == "ok"

    def _factors(self, row: Sequence[Score]) -> list[float]:
        """JEPO's share of each rollout in its group's value; 1 for the others."""
        if self.variant != "jepo":
            return [1.0] * len(row)
        values = [score.value for score in row if score.scored]
        weights = iter(formulas.jepo_weights(values) if values else ())
        return [next(weights) if score.scored else 0.0 for score in row]

    def _target(self, rollout: Rollout, score: Score, logprobs: Logprobs | None, factor: float) -> Target:
        n = rollout.steps
        if logprobs is not None:
            coefficients = formulas.direct_coefficients(logprobs, self.variant)
        elif self.variant == "prob":
            coefficients = (score.parts.get("behind-reasoning", score).value,) * n
        else:
            coefficients = (factor / n if self.variant == "avg-log-prob" else factor,) * n
        return Target(rollout, coefficients, float(getattr(self.scorer, "temperature", 1.0)))


def rlpr(
    scorer: Scorer,
    baseline: Scorer,
    reference: str = "reference",
    tags: tuple[str, ...] = THINK_ANSWER,
    direct: bool = False,
) -> Reward:
    """RLPR's total, .9 * max(0, B - A0) + .1 * format, as a sum of `Likelihood` and `TagFormat`.

    The reference takes the place of the answer block's content, whose first white space is kept; its own tokens alone
    count; a rollout without the block's opening tag earns 0 there. Left out of the released code: the repetition
    penalty (the sheet has no formula), and B rounded to bfloat16. Its filter is `spread-filter-v1`.

    Args:
        scorer: `policy`: B belongs to the weights that sampled.
        baseline: `reference`: A0 belongs to the policy RL began with.
        reference: where an example holds its reference answer.
        tags: of the format; the third opens the answer block.
        direct: False as in RLPR's code, where the reward alone teaches.
    """
    if len(tags) != 4:
        raise ConfigError(f"tags are {tags!r}; RLPR has four: reasoning open and closed, answer open and closed")
    likely = Likelihood(
        scorer, "avg-prob", reference, tags[2], space="kept", missing="floor", baseline=baseline, direct=direct
    )
    return Sum.of(0.9 * likely, 0.1 * TagFormat(tags))


def _rollouts(behind: Sequence[Continuation | None], context: Context) -> list[Rollout | None]:
    """Each text as an attempt of the policy."""
    policy: Any = context.policy
    if not isinstance(policy, ReadsText):
        raise ConfigError(f"{type(policy).__name__} reads no texts, so that no gradient can go through one")
    given = policy.continued([one for one in behind if one is not None])
    each = iter(given)
    return [None if one is None else next(each) for one in behind]
