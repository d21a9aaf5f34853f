"""The central claim of Reasoning-SQL, shrunk to seconds: the same rewards, real SQLite, a policy of six softmaxes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar

from guerdon.advantages import group_relative
from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.rewards import Context, Reward
from guerdon.types import Group
from guerdon_sql.rewards import Execution, Ngram, Runs, SchemaLinking
from guerdon_sql.slots import SlotPolicy, SlotQuestion, make_database, make_questions

ARMS: dict[str, Reward] = {
    "execution": 3.0 * Execution(),
    "partial": 3.0 * Execution() + Runs() + SchemaLinking() + Ngram(),
}
"""Reward by arm. Judge and layout are left out: the policy writes neither prose nor tags."""


@dataclass(frozen=True)
class Outcome:
    """What one arm came to on one seed; shares in [0, 1]."""

    train: float
    """Greedy execution accuracy on the questions trained on."""
    held_out: float
    """The same on those never seen."""
    dead: float
    """Share of the training groups whose attempts all earned the same."""


@dataclass(frozen=True)
class ReasoningSql(Claim):
    """Partial rewards against execution alone, at the same number of samples and updates."""

    name: ClassVar[str] = "reasoning_sql"
    paper: ClassVar[str] = "Reasoning-SQL (arXiv 2503.23157)"
    statement: ClassVar[str] = "Partial rewards beat execution-only reward at equal budget and leave fewer dead groups."

    steps: int = 400
    """Updates."""
    questions_per_step: int = 8
    group_size: int = 6
    learning_rate: float = 0.5
    train_size: int = 40
    """Questions trained on."""
    held_out_size: int = 20
    head_start: float = 0.0
    """Above 0 the policy starts near the solution, and the arms should tie: the claim is about sparse reward."""

    least_train: ClassVar[float] = 0.25
    least_held_out: ClassVar[float] = 0.1
    least_dead: ClassVar[float] = 0.4

    def run(self, seeds: Sequence[int] = (0, 1, 2, 3), progress: Progress = no_progress) -> ClaimResult:
        """Both arms on every seed; it holds when all three mean margins reach those of the fact sheet."""
        found: dict[str, list[Outcome]] = {arm: [] for arm in ARMS}
        total = len(seeds) * len(ARMS)
        for place, seed in enumerate(seeds):
            for offset, arm in enumerate(ARMS):
                progress(place * len(ARMS) + offset, total, f"seed {seed}, {arm}")
                found[arm].append(self.measure(arm, seed))
        progress(total, total, "done")
        plain, partial = found["execution"], found["partial"]
        measurements, margins = [], []
        for name, metric, sign, earlier, least in (
            ("train EX", "train", 1.0, ("0.37", "0.86"), self.least_train),
            ("held-out EX", "held_out", 1.0, ("0.20", "0.44"), self.least_held_out),
            ("dead groups", "dead", -1.0, ("0.75", "0.14"), self.least_dead),
        ):
            columns = [tuple(float(getattr(one, metric)) for one in outcomes) for outcomes in (plain, partial)]
            for what, values, told in zip(("execution only", "partial rewards"), columns, earlier, strict=True):
                measurements.append(Measurement(f"{name}, {what}", values, earlier=f"about {told}"))
            margin = tuple(sign * (with_parts - without) for without, with_parts in zip(*columns, strict=True))
            margins.append((Measurement(f"margin in {name}", margin, needed=f">= {least}"), least))
        held = all(margin.mean >= least for margin, least in margins)
        notes = "a linear policy over six slots in place of a language model; real SQLite; no judge, no layout"
        return self.result(held, [*measurements, *(margin for margin, _ in margins)], seeds, notes)

    def measure(self, arm: str, seed: int) -> Outcome:
        """Train and evaluate one arm; its questions and database depend on the seed alone."""
        with tempfile.TemporaryDirectory(prefix="guerdon-claim-") as folder:
            path = Path(folder) / "slots.sqlite"
            world = Random(f"world {seed}")
            make_database(path, world)
            questions = make_questions(path, self.train_size + self.held_out_size, world)
            train, held_out = questions[: self.train_size], questions[self.train_size :]
            policy = SlotPolicy(self.head_start)
            dead = self._train(policy, train, ARMS[arm], Random(f"policy {seed}"))
            return Outcome(_accuracy(policy, train), _accuracy(policy, held_out), dead)

    def _train(self, policy: SlotPolicy, train: Sequence[SlotQuestion], reward: Reward, random: Random) -> float:
        """GRPO, one update per batch; the share of dead groups."""
        estimator = group_relative()
        dead = 0
        for step in range(self.steps):
            chosen = random.sample(list(train), self.questions_per_step)
            groups = [Group.of(policy.attempts(question, self.group_size, random)) for question in chosen]
            scores = Context(step, self.steps).scores(reward, groups)
            advantages = estimator.estimate(groups, scores)
            dead += sum(advantages.dead)
            policy.reinforce(
                [
                    (rollout, values[0])
                    for group, row in zip(groups, advantages.values, strict=True)
                    for rollout, values in zip(group.rollouts, row, strict=True)
                ],
                self.learning_rate,
            )
        return dead / (self.steps * self.questions_per_step)


def _accuracy(policy: SlotPolicy, questions: Sequence[SlotQuestion]) -> float:
    """Share of questions whose most likely query is right."""
    groups = [Group.of([policy.best(question)]) for question in questions]
    scores = Context().scores(Execution(), groups)
    return sum(row[0].value for row in scores) / len(questions)
