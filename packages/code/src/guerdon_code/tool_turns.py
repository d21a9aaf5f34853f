"""What all rewards of a tool-calling turn have in common: the example, the text, and the step of the run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from guerdon.rewards import Context, Reward, Scores
from guerdon.rewards.base import raised
from guerdon.types import Group, Rollout, Score
from guerdon_code.tool_examples import ToolExample


class TurnReward(Reward, sees="rollout"):
    """A reward of one turn and of the step of the run: the same text earns the same wherever it stands in a batch."""

    @abstractmethod
    def grade(self, example: ToolExample, text: str, step: int) -> Score:
        """What that text earns.

        Args:
            example: gold, and what is accepted beside it.
            text: all of the turn, whatever the policy wrote.
            step: of the run, from 0 on.

        Returns:
            A number within the reward's bounds: no text goes unscored or raises.
        """

    def score(self, rollout: Rollout) -> Score:
        """One rollout's score at step 0; a run asks `score_batch`, which knows its step."""
        return self.grade(rollout.example_as(ToolExample), rollout.answer, 0)

    def score_batch(self, groups: Sequence[Group], context: Context) -> Scores:
        """All scores at the context's step, each distinct text of a group graded once."""
        rows = []
        for group in groups:
            known: dict[tuple[int, str], Score] = {}
            row = []
            for index, rollout in enumerate(group.rollouts):
                try:
                    key = id(rollout.example), rollout.answer
                    if key not in known:
                        known[key] = self.grade(rollout.example_as(ToolExample), key[1], context.step)
                except Exception as error:
                    raise raised(self, error, f"rollout {index} of example {rollout.example.id!r}") from error
                row.append(known[key])
            rows.append(row)
        return rows
