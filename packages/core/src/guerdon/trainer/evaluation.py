"""Greedy evaluation on a held-out split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from guerdon.progress import progress
from guerdon.rewards import Context, Scores
from guerdon.trainer.measures import mean_scored
from guerdon.trainer.records import Record, rollout_records
from guerdon.types import Example, Group, Score

if TYPE_CHECKING:
    from guerdon.protocols import Policy, Task
    from guerdon.scoring import Runner
    from guerdon.trainer.config import TrainConfig


@dataclass(frozen=True, slots=True)
class EvalResult:
    """Greedy evaluation of one task's held-out examples."""

    metrics: Mapping[str, float]
    """Mean of each metric over the examples it scored."""
    count: int
    """Examples asked."""
    groups: Sequence[Group] = ()
    scores: Mapping[str, Scores] = field(default_factory=dict)
    """Per metric, one row of one score per example."""

    @property
    def values(self) -> dict[str, list[float]]:
        """Per metric, the values of the examples that it scored."""
        return {name: [row[0].value for row in rows if row[0].scored] for name, rows in self.scores.items()}


def evaluate(
    policy: Policy, task: Task, config: TrainConfig, runner: Runner, *, limit: int | None = None, label: str
) -> EvalResult:
    """Greedy completions for the held-out examples of `task`, and the mean of each of its metrics.

    Args:
        policy: asked once per example.
        task: its `eval` split and its metrics.
        config: `sampling` says where completions stop, `eval` how long they may be and how many are drawn at once.
        runner: scores.
        limit: at most so many examples; None for all.
        label: of the progress bar.
    """
    examples = list(task.examples("eval"))[:limit]
    with progress(label, len(examples)) as bar:
        groups = greedy_groups(policy, task, examples, config, advance=bar.advance)
    scores = {
        name: runner.score(metric, groups, Context(policy=policy, task=task)) for name, metric in task.metrics().items()
    }
    means = {name: mean_scored([row[0] for row in rows]) for name, rows in scores.items()}
    return EvalResult(means, len(examples), groups, scores)


def greedy_groups(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    config: TrainConfig,
    *,
    seed: int = 0,
    advance: Callable[[int], None] = lambda done: None,
) -> list[Group]:
    """One greedy completion for each example, in order, as evaluations have them.

    Args:
        policy: asked once per example.
        task: words the prompts.
        examples: of that task.
        config: as for `evaluate`.
        seed: of the sampling, for policies that draw even so.
        advance: told how many more are done, after each batch.
    """
    sampling = config.sampling.sampling(greedy=True)
    if config.eval.max_tokens:
        sampling = replace(sampling, max_tokens=config.eval.max_tokens)
    groups: list[Group] = []
    for start in range(0, len(examples), config.eval.batch_size):
        batch = examples[start : start + config.eval.batch_size]
        groups += policy.sample(task, batch, 1, sampling, seed=seed)
        advance(len(batch))
    return groups


def evaluation_records(result: EvalResult, task: Task, step: int) -> list[Record]:
    """What was asked and answered, for the run folder: the first metric is the score, all of them are its parts."""
    scores = [
        [Score(rows[0].value, "", dict(zip(result.scores, rows, strict=True)), rows[0].status)]
        for rows in zip(*([row[0] for row in column] for column in result.scores.values()), strict=True)
    ] or [[Score.unscored("the task has no metrics", status="abstain")] for _ in result.groups]
    references = {group.example.id: task.reference(group.example) or "" for group in result.groups}
    return rollout_records(result.groups, scores, step=step, phase="eval", weights={}, references=references)
