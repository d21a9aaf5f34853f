r"""A penalty for whole responses that the policy makes likelier than its reference does, by two scorers.

Source: the language-model part of Correlated Proxies (arXiv 2403.03185), as a reward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.protocols import Continuation, Scorer
from guerdon.rewards.base import Context, Scores
from guerdon.rewards.scored import Scored, asked
from guerdon.rewards.step_penalties import Kind, check_penalty, step_penalties
from guerdon.types import Group, Rollout, Score


@dataclass(frozen=True)
class ResponsePenalty(Scored, name="response-penalty-v1", sees="batch"):
    r"""-coefficient * D of whole responses, from $\ell = \log\pi(y|x) - \log\pi_{ref}(y|x)$ by two scorers.

    The exact log-ratio takes the discriminator's place. Of one turn; a rollout with an environment abstains. Where the
    trainer is ours, `train.loss.divergence` costs less, and has a gradient of its own.
    """

    policy: Scorer
    """Under what the response was drawn."""
    reference: Scorer
    kind: Kind = "sqrt_chi2"
    coefficient: float = 0.1
    clip: float = 1000.0
    trim: float = 0.01

    def __post_init__(self) -> None:
        check_penalty(self.kind, self.coefficient, self.clip, self.trim)

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        """The clip's."""
        return -self.clip, self.clip

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """Ask both scorers once for the whole batch."""
        rollouts = [rollout for group in groups for rollout in group.rollouts]
        single = [rollout for rollout in rollouts if _is_single(rollout)]
        texts = [_continuation(rollout) for rollout in single]
        answers = [asked(scorer, texts, context) for scorer in (self.policy, self.reference)]
        ratios = [
            math.nan if one is None or other is None else math.fsum(one) - math.fsum(other)
            for one, other in zip(*answers, strict=True)
        ]
        penalties = step_penalties(ratios, self.kind, self.coefficient, clip=self.clip, trim=self.trim)
        found = iter(zip(ratios, penalties.tolist(), strict=True))
        each = iter([self._score(*next(found)) if _is_single(rollout) else _SEVERAL for rollout in rollouts])
        return [[next(each) for _ in group.rollouts] for group in groups]

    def _score(self, ratio: float, penalty: float) -> Score:
        if math.isnan(ratio):
            return Score.unscored("a scorer has no log-probs of this response")
        return Score(penalty, f"log-ratio {ratio:.4g} to the reference", _ratio_part(ratio))


_SEVERAL = Score.unscored("a response with an environment's turns in it has no one log-ratio", status="abstain")


def _ratio_part(ratio: float) -> dict[str, Score]:
    """The log-ratio as a part, for logs; not where it is infinite, which a part may not be."""
    return {"log_ratio": Score(ratio)} if math.isfinite(ratio) else {}


def _is_single(rollout: Rollout) -> bool:
    return all(segment.author != "environment" for segment in rollout.segments)


def _continuation(rollout: Rollout) -> Continuation:
    forced = "".join(segment.text for segment in rollout.segments if segment.author == "forced")
    said = "".join(segment.text for segment in rollout.segments if segment.author == "policy")
    return Continuation(rollout.prompt.messages, said, forced)
