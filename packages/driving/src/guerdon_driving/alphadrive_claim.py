"""The central claim of AlphaDrive, shrunk to seconds: supervised warm start and GRPO together beat either alone.

A linear policy over 350 answers (14 sets of one to three speed actions times 25 of path actions) sees the true plan
through noise. Beside it: the reward "the truth is mentioned", which pays for naming everything, and the cap of one
action per axis, which is the product's default.

The rewards are the product's: `f1`, `capped` and `action_weight` fill tables, group diversity is counted on whole
batches of groups; a test holds both against `AlphaDrive` itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon_driving.actions import PATH_ACTIONS, SPEED_ACTIONS, WEIGHTS
from guerdon_driving.alphadrive import action_weight, capped

if TYPE_CHECKING:
    import numpy as np

Pay = Literal["f1", "one_each", "mention"]
"""What an axis earns: F1 times weight, the same with at most one action, or 1 for the truth among what is named."""

MOST_ACTIONS = 3
PRIORS = {"speed": (0.6, 0.15, 0.15, 0.10), "path": (0.7, 0.1, 0.1, 0.05, 0.05)}
"""How often an action is the true one, in the order of `actions`."""
NOISE = 0.35
FEATURES = len(SPEED_ACTIONS) + len(PATH_ACTIONS) + 1
"""One per action, and a constant."""


def subsets(actions: Sequence[str]) -> list[frozenset[str]]:
    """All sets of one to three actions, the single ones first and in order: 14 of four, 25 of five."""
    sizes = range(1, MOST_ACTIONS + 1)
    return [frozenset(each) for size in sizes for each in itertools.combinations(actions, size)]


SPEED_SETS, PATH_SETS = subsets(SPEED_ACTIONS), subsets(PATH_ACTIONS)
ANSWERS = len(SPEED_SETS) * len(PATH_SETS)
"""Answer `k` is speed set `k // 25` with path set `k % 25`."""


@cache
def axis_table(actions: tuple[str, ...], pay: Pay) -> np.ndarray:
    """(T, K), not to be changed: what each of K sets earns on its axis for each of T truths, before diversity."""
    import numpy as np

    def value(named: frozenset[str], true: str) -> float:
        if pay == "mention":
            return float(true in named)
        return capped(named, {true}, 1 if pay == "one_each" else None) * action_weight(named, WEIGHTS)

    return np.array([[value(named, true) for named in subsets(actions)] for true in actions])


def rewards(answers_BG: np.ndarray, speed_B: np.ndarray, path_B: np.ndarray, pay: Pay) -> np.ndarray:
    """(B, G): what G answers to each of B prompts earn, each row one group; the layout's point is the same for all.

    Args:
        answers_BG: numbers of answers in [0, 350).
        speed_B: numbers of the true speed actions.
        path_B: numbers of the true path actions.
        pay: `mention` has no diversity.
    """
    import numpy as np

    speeds, paths = answers_BG // len(PATH_SETS), answers_BG % len(PATH_SETS)
    earned: np.ndarray = axis_table(SPEED_ACTIONS, pay)[speed_B[:, None], speeds]
    earned = earned + axis_table(PATH_ACTIONS, pay)[path_B[:, None], paths]
    if pay == "mention":
        return earned
    same = (answers_BG[:, :, None] == answers_BG[:, None, :]).sum(-1)
    most = 0.2
    return np.asarray(earned * (1.0 - most * (same - 1) / max(1, answers_BG.shape[1] - 1)) + 1.0)


@dataclass(frozen=True)
class Outcome:
    """What one policy came to on the held-out rows; its likeliest answers count."""

    accuracy: float
    """Share of rows with exactly the true plan."""
    named: float
    """Actions per answer; two are asked for."""


@dataclass(frozen=True)
class AlphaDriveClaim(Claim):
    """Four ways to train, and the reward that is hacked, at the same number of updates.

    The sheet's trial took three seeds; how well a warm start from 80 rows goes differs so much from one to the next
    that six are the default here.
    """

    name: ClassVar[str] = "alphadrive"
    paper: ClassVar[str] = (
        "AlphaDrive: Unleashing the Power of VLMs in Autonomous Driving via Reinforcement Learning and Reasoning "
        "(arXiv 2503.07608)"
    )
    statement: ClassVar[str] = (
        "SFT and then RL beats either alone, and a reward for mentioning the truth is hacked by naming everything."
    )
    seeds: ClassVar[int] = 6

    rows: int = 80
    """Of supervised data."""
    warm_steps: int = 300
    """Full-batch gradient steps of SFT."""
    warm_rate: float = 3.0
    """Their step size; ours, the sheet does not say."""
    smoothing: float = 0.3
    """Share of a label that is spread over all answers."""
    steps: int = 1500
    """Updates of RL."""
    prompts: int = 32
    group_size: int = 4
    rate: float = 1.0
    held_out: int = 4000

    least_over_sft: ClassVar[float] = 0.06
    least_over_rl: ClassVar[float] = 0.3
    least_hedging: ClassVar[float] = 5.5
    most_hedging: ClassVar[float] = 3.0

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3, 4, 5), progress: Progress = no_progress) -> ClaimResult:
        """All arms on every seed; it holds when the means reach what the fact sheet expects."""
        arms = ("SFT only", "RL only", "SFT + RL", "mention, RL only", "one action an axis, RL only")
        found: dict[str, list[Outcome]] = {arm: [] for arm in arms}
        for number, seed in enumerate(seeds):
            progress(number, len(seeds), f"seed {seed}")
            for arm, outcome in zip(arms, self.measure(seed), strict=True):
                found[arm].append(outcome)
        progress(len(seeds), len(seeds), "done")
        earlier = {"SFT only": "0.764", "RL only": "0.287", "SFT + RL": "0.859"}
        shares = [
            Measurement(
                f"accuracy, {arm}",
                tuple(one.accuracy for one in found[arm]),
                needed="0" if arm.startswith("mention") else "",
                earlier=f"about {earlier[arm]}" if arm in earlier else "",
            )
            for arm in arms
        ]
        needed = {"RL only": f"< {self.most_hedging:g}", "mention, RL only": f">= {self.least_hedging:g}"}
        sizes = [
            Measurement(
                f"actions per answer, {arm}", tuple(one.named for one in found[arm]), needed=needed.get(arm, "")
            )
            for arm in arms
        ]
        margins = [
            Measurement(f"margin, SFT + RL and {arm}", _less(found["SFT + RL"], found[arm]), needed=f">= {least:g}")
            for arm, least in (("SFT only", self.least_over_sft), ("RL only", self.least_over_rl))
        ]
        held = (
            margins[0].mean >= self.least_over_sft
            and margins[1].mean >= self.least_over_rl
            and shares[3].mean == 0.0
            and sizes[3].mean >= self.least_hedging
            and sizes[1].mean < self.most_hedging
        )
        notes = (
            "a linear policy over 350 answers in place of a vision-language model, no image and no reasoning: what is "
            "put to the test is the order of the stages and the reward, not AlphaDrive's figures; 'one action an axis' "
            "is the product's default cap and no part of the verdict"
        )
        return self.result(held, [*shares, *sizes, *margins], seeds, notes)

    def measure(self, seed: int) -> tuple[Outcome, ...]:
        """SFT only, RL only, both, the mention reward from zero, the capped reward from zero."""
        import numpy as np

        zero = np.zeros((FEATURES, ANSWERS))
        warm = self.warmed(seed)
        runs: tuple[tuple[np.ndarray, Pay], ...] = ((zero, "f1"), (warm, "f1"), (zero, "mention"), (zero, "one_each"))
        trained = [self.reinforced(start, pay, seed) for start, pay in runs]
        return tuple(self.evaluated(weights, seed) for weights in (warm, *trained))

    def warmed(self, seed: int) -> np.ndarray:
        """Weights (features x answers) after SFT from zero."""
        import numpy as np

        features, speed, path = world(self.rows, np.random.default_rng([seed, 0]))
        target = np.full((self.rows, ANSWERS), self.smoothing / ANSWERS)
        target[np.arange(self.rows), speed * len(PATH_SETS) + path] += 1.0 - self.smoothing
        weights = np.zeros((FEATURES, ANSWERS))
        for _ in range(self.warm_steps):
            weights -= self.warm_rate * features.T @ (_softmax(features @ weights) - target) / self.rows
        return weights

    def reinforced(self, start: np.ndarray, pay: Pay, seed: int) -> np.ndarray:
        """Weights after RL: advantages are the group's, (R - mean) / (std over n - 1 + 1e-4), 0 where all are equal."""
        import numpy as np

        if pay not in get_args(Pay):
            raise ValueError(f"pay is {pay!r}; accepted are {get_args(Pay)}")
        random, weights = np.random.default_rng([seed, 1]), start.copy()
        places = np.arange(self.prompts)[:, None]
        for _ in range(self.steps):
            features, speed, path = world(self.prompts, random)
            chances = _softmax(features @ weights)
            sums = chances.cumsum(-1)[:, None, :]
            drawn = (random.random((self.prompts, self.group_size, 1)) * sums[..., -1:] > sums).sum(-1)
            advantages = group_advantages(rewards(drawn, speed, path, pay))
            ahead = -advantages.sum(1, keepdims=True) * chances
            np.add.at(ahead, (places, drawn), advantages)
            weights += self.rate * features.T @ ahead / (self.prompts * self.group_size)
        return weights

    def evaluated(self, weights: np.ndarray, seed: int) -> Outcome:
        """The likeliest answer to each held-out row."""
        import numpy as np

        features, speed, path = world(self.held_out, np.random.default_rng([seed, 2]))
        best = (features @ weights).argmax(-1)
        sizes = np.array([[len(one) + len(other) for other in PATH_SETS] for one in SPEED_SETS]).ravel()
        return Outcome(float((best == speed * len(PATH_SETS) + path).mean()), float(sizes[best].mean()))


def world(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`count` rows: features (count, 10), the true speed actions' numbers, the true path actions' numbers."""
    import numpy as np

    speed = random.choice(len(SPEED_ACTIONS), count, p=PRIORS["speed"])
    path = random.choice(len(PATH_ACTIONS), count, p=PRIORS["path"])
    seen = np.hstack([np.eye(len(SPEED_ACTIONS))[speed], np.eye(len(PATH_ACTIONS))[path]])
    return np.hstack([seen + random.normal(0.0, NOISE, seen.shape), np.ones((count, 1))]), speed, path


def group_advantages(rewards_BG: np.ndarray) -> np.ndarray:
    """(B, G): as `guerdon.advantages.group_relative()` gives them, all groups at once."""
    import numpy as np

    apart = rewards_BG - rewards_BG.mean(-1, keepdims=True)
    spread = rewards_BG.std(-1, ddof=1, keepdims=True)
    return np.where(np.ptp(rewards_BG, -1, keepdims=True) > 1e-12, apart / (spread + 1e-4), 0.0)


def _softmax(logits: np.ndarray) -> np.ndarray:
    import numpy as np

    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def _less(ones: Sequence[Outcome], others: Sequence[Outcome]) -> tuple[float, ...]:
    return tuple(one.accuracy - other.accuracy for one, other in zip(ones, others, strict=True))
