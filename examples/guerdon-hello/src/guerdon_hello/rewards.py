"""What a completion earns."""

import re
from dataclasses import dataclass

from guerdon import Reward, Rollout, Score

from guerdon_hello.tasks import Stranger


@dataclass(frozen=True)
class Greets(Reward, name="hello/greets-v1", bounds=(0.0, 1.0)):
    """1.0 for a greeting with the stranger's name in it, `nameless` for one without, else 0.0."""

    nameless: float = 0.5
    """What a greeting without the name earns, in [0, 1]."""

    def score(self, rollout: Rollout) -> Score:
        """One completion's score, from its own words."""
        stranger = rollout.example_as(Stranger)
        if not re.search(r"\b(hello|hi|good (morning|day|evening))\b", rollout.answer, re.IGNORECASE):
            return Score(0.0, why="no greeting", status="fail")
        if stranger.name not in rollout.answer:
            return Score(self.nameless, why=f"a greeting, but not to {stranger.name}")
        return Score(1.0, why=f"greets {stranger.name}")
