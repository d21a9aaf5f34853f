"""The claim of R1-Router, shrunk to seconds: step rewards teach routing where the outcome alone gives no signal.

Eight relations with one right base of three each; chains of two or three; a policy of three linear softmax heads. Both
arms are GRPO with the same groups, the same entropy bonus and the same number of sampled steps. Step-GRPO has a group
for each (question, step) on its reference history; the other has one for each question, and its reward is 1 where the
chain was completed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon_medical.router_claim_worlds import DONE, STOP, Heads, Questions, World

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Arm = Literal["step", "outcome"]
Derailed = Literal["ends", "goes on"]
"""What becomes of a trajectory whose chain is derailed, in the outcome arm."""
Measured = tuple[float, float, float]
NOTES = (
    "Words stand for queries and three softmax heads for a language model. A stop's query is right where its relation "
    "word is none. Adam and its rate are ours: the sheet names no optimiser. Nor does it say whether a derailed "
    "trajectory ends; the verdict is on the reading that was written first, in which it does (so that the outcome arm "
    "gets more trajectories for its steps), and the other one is shown beside it. The outcome arm needs luck: with a "
    "completed chain by chance it learns, without one it does not, so that its figure differs widely by seed. The "
    "negative world is shown and nothing is asked of it: there only the exact template of eight is answered, one-hop "
    "questions and retries are allowed, and near misses are paid by their cosine. It is meant to argue for a reward on "
    "the retrieved passage; our version of it does not show what the sheet's first version did."
)


@dataclass(frozen=True)
class Played:
    """Trajectories on a policy's own history."""

    features: Floats
    """(N, F) of all their decisions."""
    actions: list[NDArray[np.int64]]
    owner: NDArray[np.int64]
    """(N,): the trajectory that a decision is of."""
    completed: NDArray[np.bool_]
    """Per trajectory: all hops were answered."""
    look_ups: NDArray[np.int64]


def play(
    world: World, heads: Heads, asked: Questions, rng: np.random.Generator | None, derailed: Derailed = "ends"
) -> Played:
    """One trajectory for each question: drawn, or greedy without a generator.

    Once derailed it cannot complete its chain; if it goes on, it is shown what it was shown before, until it stops or
    has used its look-ups, as a policy that does not know.
    """
    import numpy as np

    count = len(asked.hops)
    place, look_ups = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    going = np.ones(count, dtype=bool)
    lost = np.zeros(count, dtype=bool)
    features, actions, owner = [], [], []
    while going.any():
        rows = np.flatnonzero(going)
        relations = asked.relations[rows, place[rows]]
        first = place[rows] == 0
        seen = world.features(relations, first)
        chosen = heads.acts(seen, rng)
        features.append(seen)
        actions.append(chosen)
        owner.append(rows)
        stops, done = chosen[0] == STOP, relations == DONE
        right = world.right(chosen, relations, first) & ~done
        look_ups[rows] += ~stops
        place[rows] += right & ~lost[rows]
        lost[rows] |= ~right & ~done & (world.vectors is None)
        going[rows] = ~stops & (look_ups[rows] < world.most) & ~(lost[rows] & (derailed == "ends"))
    joined = [np.concatenate([each[head] for each in actions]) for head in range(len(world.heads))]
    return Played(np.concatenate(features), joined, np.concatenate(owner), place == asked.hops, look_ups)


def standardised(values_GR: Floats) -> Floats:
    """Each value less its row's mean, over the row's unbiased standard deviation plus 1e-6."""
    spread_G1 = values_GR.std(axis=1, ddof=1, keepdims=True) + 1e-6
    found: Floats = (values_GR - values_GR.mean(axis=1, keepdims=True)) / spread_G1
    return found


_RUNS: dict[str, tuple[Arm, Derailed, bool]] = {
    "step rewards": ("step", "ends", False),
    "outcome": ("outcome", "ends", False),
    "outcome, a derailed trajectory goes on": ("outcome", "goes on", False),
    "negative world, step rewards": ("step", "ends", True),
    "negative world, outcome": ("outcome", "ends", True),
}
_EARLIER = {
    "step rewards": "1.00, 1.00, 1.00",
    "outcome": "0.31, 0.00, 0.01",
    "negative world, step rewards": "0.2 to 0.8",
    "negative world, outcome": "0.83 to 1.00",
}


@dataclass(frozen=True)
class RouterClaim(Claim):
    """Step-GRPO against GRPO on the outcome."""

    name: ClassVar[str] = "r1_router"
    seeds: ClassVar[int] = 3
    paper: ClassVar[str] = "R1-Router: Learning to Route Queries Across Knowledge Bases (arXiv 2505.22095)"
    statement: ClassVar[str] = (
        "Rewards for each step teach which base to ask where the outcome alone gives no signal, and no superfluous "
        "look-ups."
    )

    sampled: int = 30_000
    """Decisions that each arm may sample."""
    group: int = 8
    batch: int = 8
    """Questions."""
    entropy: float = 0.01
    rate: float = 0.05
    evaluated: int = 500
    """Questions, greedily."""

    least: ClassVar[float] = 0.9
    apart: ClassVar[float] = 0.4
    within: ClassVar[float] = 0.05

    def run(self, seeds: Sequence[int] = (0, 1, 2), progress: Progress = no_progress) -> ClaimResult:
        """Both arms in both worlds, on every seed."""
        names = list(_RUNS)
        found: dict[str, list[Measured]] = {name: [] for name in names}
        for place, seed in enumerate(seeds):
            for offset, name in enumerate(names):
                progress(place * len(names) + offset, len(seeds) * len(names), f"seed {seed}, {name}")
                found[name].append(self.measured(seed, *_RUNS[name]))
        progress(len(seeds) * len(names), len(seeds) * len(names), "done")
        answered = {name: tuple(one[0] for one in rows) for name, rows in found.items()}
        step = answered["step rewards"]
        made, needed = (tuple(one[place] for one in found["step rewards"]) for place in (1, 2))
        apart = tuple(one - other for one, other in zip(step, answered["outcome"], strict=True))
        over = tuple(one / other for one, other in zip(made, needed, strict=True))
        measurements = [
            *(
                Measurement(
                    f"chains answered, {name}",
                    values,
                    needed=f">= {self.least}" if name == "step rewards" else "",
                    earlier=_EARLIER.get(name, ""),
                )
                for name, values in answered.items()
            ),
            Measurement("step rewards above outcome", apart, needed=f">= {self.apart}"),
            Measurement("look-ups, step rewards", made, earlier="2.49 to 2.51"),
            Measurement("look-ups needed", needed, earlier="2.49 to 2.51"),
            Measurement("look-ups over need", over, needed=f"within {self.within:.0%} of 1"),
        ]
        held = (
            min(step) >= self.least and min(apart) >= self.apart and max(abs(one - 1.0) for one in over) <= self.within
        )
        return self.result(held, measurements, seeds, NOTES)

    def measured(self, seed: int, arm: Arm, derailed: Derailed = "ends", templates: bool = False) -> Measured:
        """After training: the share of chains answered, look-ups made and look-ups needed, per question, greedily."""
        import numpy as np

        world = World.drawn(np.random.default_rng([seed, 0]), templates=templates)
        heads = self.trained(world, arm, np.random.default_rng([seed, 1]), derailed)
        asked = world.questions(self.evaluated, np.random.default_rng([seed, 2]))
        played = play(world, heads, asked, None)
        return float(played.completed.mean()), float(played.look_ups.mean()), float(asked.hops.mean())

    def trained(self, world: World, arm: Arm, rng: np.random.Generator, derailed: Derailed = "ends") -> Heads:
        """The policy after so many sampled decisions."""
        heads, used = Heads(world.heads, self.rate), 0
        while used < self.sampled:
            asked = world.questions(self.batch, rng)
            if arm == "step":
                used += self._by_step(world, heads, asked, rng)
            else:
                used += self._by_outcome(world, heads, asked, rng, derailed)
        return heads

    def _by_step(self, world: World, heads: Heads, asked: Questions, rng: np.random.Generator) -> int:
        """A group for each (question, step), on its reference history."""
        import numpy as np

        once, was_first = world.steps(asked)
        relations: Ints = np.repeat(once, self.group)
        first: NDArray[np.bool_] = np.repeat(was_first, self.group)
        features = world.features(relations, first)
        actions = heads.acts(features, rng)
        earned = world.reward(actions, relations, first).reshape(-1, self.group)
        heads.learn(features, actions, standardised(earned).ravel(), self.entropy)
        return len(features)

    def _by_outcome(
        self, world: World, heads: Heads, asked: Questions, rng: np.random.Generator, derailed: Derailed
    ) -> int:
        """A group for each question, on the policy's own histories; a trajectory's decisions share its advantage."""
        import numpy as np

        repeated = Questions(np.repeat(asked.relations, self.group, axis=0), np.repeat(asked.hops, self.group))
        played = play(world, heads, repeated, rng, derailed)
        advantages = standardised(played.completed.astype(float).reshape(-1, self.group)).ravel()
        heads.learn(played.features, played.actions, advantages[played.owner], self.entropy)
        return len(played.features)
