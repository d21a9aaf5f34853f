"""Mining: of several attempts at one prompt, the best and the worst by a reward make a pair.

Scores are compared within a prompt and never across. Source: FLR (arXiv 2409.13948), its released code for the eight
samples a prompt; the margin and the treatment of ties are choices.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from guerdon.errors import ConfigError
from guerdon.progress import progress
from guerdon.protocols import Policy, Sampling, Task
from guerdon.rewards import Context, Reward
from guerdon.rewards.followups import length_correlation
from guerdon.scoring import Runner
from guerdon.ties import tied
from guerdon.trainer.batches import step_seed
from guerdon.types import Example, Group, Rollout, Score


@dataclass(frozen=True, slots=True)
class Pair:
    """Two attempts at one prompt, one better than the other."""

    chosen: Rollout
    rejected: Rollout
    chosen_score: float
    rejected_score: float

    @property
    def margin(self) -> float:
        """By how much the chosen one is ahead."""
        return self.chosen_score - self.rejected_score


def best_and_worst(values: Sequence[float], margin: float = 0.0) -> tuple[int, int] | None:
    """Where the highest and the lowest value stand, the first of those that tie but for rounding.

    Args:
        values: of attempts at one prompt, finite; a NaN is no value.
        margin: the least they must differ by.

    Returns:
        (best, worst); None where fewer than two are scored, or they are equal but for rounding or closer than `margin`.

    >>> best_and_worst([0.1, 0.9, -0.3, 0.2])
    (1, 2)
    """
    scored = [place for place, value in enumerate(values) if not math.isnan(value)]
    if len(scored) < 2:
        return None
    numbers = [values[place] for place in scored]
    best, worst = (
        next(place for place in scored if tied([values[place], end])) for end in (max(numbers), min(numbers))
    )
    if tied([values[best], values[worst]]) or values[best] - values[worst] < margin:
        return None
    return best, worst


def mine(groups: Sequence[Group], scores: Sequence[Sequence[Score]], margin: float = 0.0) -> list[Pair]:
    """At most one pair of each group."""
    pairs = []
    for group, row in zip(groups, scores, strict=True):
        values = [score.value if score.scored else math.nan for score in row]
        if (found := best_and_worst(values, margin)) is not None:
            best, worst = found
            pairs.append(Pair(group.rollouts[best], group.rollouts[worst], values[best], values[worst]))
    return pairs


@dataclass
class Tally:
    """What a mining run saw."""

    counts: Counter[str] = field(default_factory=Counter)
    """`prompts`, `pairs`, `attempts`; of the attempts `unscored` and `truncated` (a budget ended them); of the prompts
    without a pair `few` (fewer than two attempts scored), `equal` (all scored alike) and `close` (below the margin).
    """
    reasons: Counter[str] = field(default_factory=Counter)
    """Why attempts went unscored."""
    margins: list[float] = field(default_factory=list)
    correlations: list[float] = field(default_factory=list)
    """Pearson's r between length (characters) and value, of each prompt where it is defined."""
    longer_chosen: list[float] = field(default_factory=list)
    """1 where the chosen answer is the longer one, 1/2 where they are as long."""

    def add(self, groups: Sequence[Group], scores: Sequence[Sequence[Score]], pairs: Sequence[Pair]) -> None:
        """Count a batch."""
        paired = {id(pair.chosen) for pair in pairs}
        self.counts["prompts"] += len(groups)
        self.counts["pairs"] += len(pairs)
        for group, row in zip(groups, scores, strict=True):
            self.counts["attempts"] += len(row)
            self.counts["unscored"] += sum(not score.scored for score in row)
            self.counts["truncated"] += sum(rollout.stop == "length" for rollout in group.rollouts)
            self.reasons.update(score.why for score in row if not score.scored)
            self._count_pairless(row, paired=any(id(one) in paired for one in group.rollouts))
            lengths = [len(rollout.answer) for rollout in group.rollouts]
            r = length_correlation(lengths, [score.value if score.scored else math.nan for score in row])
            self.correlations += [] if math.isnan(r) else [r]
        for pair in pairs:
            self.margins.append(pair.margin)
            chosen, rejected = len(pair.chosen.answer), len(pair.rejected.answer)
            self.longer_chosen.append(0.5 if chosen == rejected else float(chosen > rejected))

    def _count_pairless(self, row: Sequence[Score], *, paired: bool) -> None:
        """Why a prompt has no pair."""
        values = {score.value for score in row if score.scored}
        if not paired:
            few = sum(score.scored for score in row) < 2
            self.counts["few" if few else "equal" if len(values) == 1 else "close"] += 1

    @property
    def why_pairless(self) -> str:
        """Why prompts have no pair; empty where each has one."""
        reason = f", most often since {self.reasons.most_common(1)[0][0]!r:.200}" if self.reasons else ""
        told = {
            "few": f"with fewer than two scored attempts{reason}",
            "equal": "whose attempts all earn the same",
            "close": "whose best and worst differ by less than the margin",
        }
        return "; ".join(f"{self.counts[name]} {text}" for name, text in told.items() if self.counts[name])

    def __str__(self) -> str:
        lines = [
            "{pairs} pairs from {prompts} prompts".format_map(self.counts),
            "{unscored} of {attempts} attempts unscored, {truncated} truncated".format_map(self.counts),
            *([f"prompts without a pair: {self.why_pairless}"] if self.why_pairless else []),
        ]
        for what, values in (
            ("mean margin", self.margins),
            ("mean correlation of length and value within a prompt", self.correlations),
            ("share of pairs whose chosen answer is the longer", self.longer_chosen),
        ):
            lines += [f"{what} {math.fsum(values) / len(values):.4g}"] if values else []
        return "\n".join(lines)


def check_minable(task: Task, examples: Sequence[Example]) -> None:
    """See that pairs of whole completions can hold what this task asks and is answered, before hours of sampling.

    Raises:
        ConfigError: there is no example, prompts have no messages, or an example is played in turns.
    """
    if not examples:
        raise ConfigError(f"{task.name} has no such examples: there is nothing to mine")
    for example in examples:
        if task.environment(example) is not None:
            raise ConfigError(
                f"{task.name} is played in turns (example {example.id!r} has an environment): pairs of whole "
                f"completions cannot hold what the environment says, and a trainer would learn it"
            )
    if not task.prompt(examples[0]).messages:
        raise ConfigError(
            f"the prompts of {task.name} have no messages (example {examples[0].id!r}): no language trainer can read "
            f"them"
        )


def mined(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    reward: Reward,
    *,
    n: int = 8,
    sampling: Sampling,
    margin: float = 0.0,
    batch: int = 8,
    seed: int = 0,
    runner: Runner | None = None,
    tally: Tally | None = None,
) -> Iterator[Pair]:
    """Sample, score and mine, some prompts at a time; the pairs as they come.

    Args:
        policy: whose attempts.
        task: turns the examples into prompts.
        examples: one pair at most of each.
        reward: any; one that learns is asked and not taught.
        n: attempts at each, 2 or more.
        sampling: how they are drawn; the paper's code took temperature 0.7 and top-p 0.9.
        margin: see `best_and_worst`.
        batch: prompts at a time.
        seed: of the draws.
        runner: scores; a fresh one if None.
        tally: filled with what was seen.

    Raises:
        ConfigError: fewer than two attempts asked for, or as `check_minable`.
        RewardError: a bug in the reward.
    """
    if n < 2:
        raise ConfigError(f"n is {n!r}; a pair needs two attempts at least")
    check_minable(task, examples)
    steps = math.ceil(len(examples) / batch)
    with runner or Runner() as scoring, progress("mine pairs", len(examples)) as bar:
        for step in range(steps):
            chosen = examples[step * batch : (step + 1) * batch]
            groups = policy.sample(task, chosen, n, sampling, seed=step_seed(seed, "mine", step))
            scores = scoring.score(reward, groups, Context(step, steps, seed, policy))
            pairs = mine(groups, scores, margin)
            if tally is not None:
                tally.add(groups, scores, pairs)
            yield from pairs
            bar.advance(len(chosen))
