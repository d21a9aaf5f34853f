"""NOVER: the group's ranks by how well each reasoning predicts the reference answer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from guerdon.errors import ConfigError
from guerdon.protocols import Continuation, Scorer
from guerdon.rewards import likelihood as formulas
from guerdon.rewards.base import Context, Scores
from guerdon.rewards.reference_answers import reference_of
from guerdon.rewards.scored import Logprobs, Scored, asked, no_answer, said_before
from guerdon.rewards.tags import THINK_ANSWER, once_in_order
from guerdon.types import Group, Rollout, Score


@dataclass(frozen=True)
class Nover(Scored, name="nover-v1", bounds=(0.0, 3.0), sees="group"):
    """Reasoning + efficiency + format, each in [0, 1]: the group's ranks by the perplexity of the tagged reference.

    A malformed completion earns 0 in all three. NOVER divides no advantage by a spread: use
    `advantage: {use: group_relative, with: {std: false}}`, `group_size: 8`, and `train.loss.kl_weight: 0.1`.

    How long a reasoning is: the policy's tokens, shared out by characters, and words where a rollout has no tokens
    [choice]; what stands between the two tags in a completion is given, as the policy wrote it [choice].
    """

    scorer: Scorer
    """NOVER's is `moving`."""
    reference: str = "reference"
    tags: tuple[str, str, str, str] = THINK_ANSWER

    @property
    def part_names(self) -> tuple[str, ...]:
        """What the value is the sum of."""
        return "reasoning", "efficiency", "format"

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All groups' references in one question to the scorer."""
        references = [reference_of(group.example, self.reference, context.task) for group in groups]
        behind = [
            [self._behind(rollout, text) if text else None for rollout in group.rollouts]
            for group, text in zip(groups, references, strict=True)
        ]
        answers = iter(asked(self.scorer, [one for row in behind for one in row], context))
        return [
            self._ranked(group, row, [next(answers) for _ in row])
            if reference
            else [Score.unscored(f"the reference answer ({self.reference}) is empty", status="invalid") for _ in row]
            for group, row, reference in zip(groups, behind, references, strict=True)
        ]

    def _behind(self, rollout: Rollout, reference: str) -> Continuation | None:
        """The tagged reference behind the reasoning; None where the completion is malformed."""
        messages, said = said_before(rollout)
        if not once_in_order(said, self.tags):
            return None
        if not messages:
            raise ConfigError("the reference's likelihood depends on the prompt, which here has no chat messages")
        return Continuation(messages, self.tags[2] + reference + self.tags[3], said[: said.index(self.tags[2])])

    def _ranked(
        self, group: Group, behind: Sequence[Continuation | None], answers: Sequence[Logprobs | None]
    ) -> list[Score]:
        lengths = [self._length(rollout) for rollout in group.rollouts]
        perplexities = [
            None if not one else formulas.length_adjusted_perplexity(-formulas.mean_logprob(one), length)
            for one, length in zip(answers, lengths, strict=True)
        ]
        ranks = formulas.perplexity_ranks(perplexities)
        efficient = formulas.efficiencies(perplexities, lengths)
        found = []
        for place, continuation in enumerate(behind):
            if continuation is not None and perplexities[place] is None:
                found.append(no_answer(self.scorer))
                continue
            formed = float(continuation is not None)
            parts = {"reasoning": ranks[place], "efficiency": efficient[place], "format": formed}
            why = f"perplexity {perplexities[place]:.4g}, length {lengths[place]}" if formed else "malformed"
            named = {name: Score(value) for name, value in parts.items()}
            found.append(Score(math.fsum(parts.values()), why, named, "ok" if formed else "fail"))
        return found

    def _length(self, rollout: Rollout) -> int:
        said = rollout.answer
        reasoning = said[:end] if (end := said.find(self.tags[1])) >= 0 else said
        if tokens := sum(len(segment.token_ids) for segment in rollout.turns[-1:]):
            return round(tokens * len(reasoning) / max(1, len(said)))
        return len(re.findall(r"\S+", reasoning))
