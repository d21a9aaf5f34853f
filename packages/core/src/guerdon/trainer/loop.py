"""The loop: sample, score, shape, credit, update. Read it from top to bottom; it calls pure functions.

```
before ─▶ warm start (SFT on references) ─▶ RL steps ─▶ after      evaluation at each arrow, checkpoints between
```
"""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from guerdon.advantages import Advantages, Estimator, group_relative
from guerdon.errors import ConfigError, PolicyError
from guerdon.losses.averaging import step_weights
from guerdon.losses.surrogate import ClippedSurrogate, negative_log_likelihood
from guerdon.progress import progress
from guerdon.rewards import Context, Reward, Scores, walk
from guerdon.scoring import Runner
from guerdon.trainer.batches import batch_at, microbatches, step_seed
from guerdon.trainer.checkpoints import Position, restore, save
from guerdon.trainer.config import TrainConfig
from guerdon.trainer.optimizers import adamw, clip_gradients, learning_rate
from guerdon.trainer.records import groups_of, part_weights, rollout_records
from guerdon.types import Example, Group, Rollout, Score

if TYPE_CHECKING:
    from guerdon.protocols import Policy, Task
    from guerdon.runs import RunFolder

Metrics = dict[str, float]


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


@dataclass
class Trainer:
    """Trains `policy` on `task` with `reward`."""

    policy: Policy
    task: Task
    reward: Reward
    config: TrainConfig = field(default_factory=TrainConfig)
    advantage: Estimator = field(default_factory=group_relative)
    evals: Mapping[str, Task] = field(default_factory=dict)
    """Further tasks to evaluate on; their metrics are logged as `eval/<name>/<metric>`."""
    seed: int = 0
    runner: Runner | None = None
    """Scores; one of the trainer's own where none is given."""

    def __post_init__(self) -> None:
        self._runner = self.runner or Runner(on_error=self.config.on_reward_error)

    def fit(self, run: RunFolder, *, resume: bool = False) -> None:
        """Train, writing everything into `run`; or take it up at the latest checkpoint there.

        Raises:
            RunError: the folder cannot be written, or there is nothing to resume from.
            RewardError: a reward raised or broke its promise, and `on_reward_error` is "raise".
        """
        config = self.config
        self._run = run
        self._train = self.task.examples("train")
        if not self._train and (config.steps or config.sft.examples):
            raise ConfigError(f"task {self.task.name!r} has no training examples")
        self._examples = {example.id: example for example in self._train}
        self._loss = ClippedSurrogate(
            config.loss.clip_low, config.loss.clip_high, config.loss.kl_weight, config.loss.dual_clip
        )
        self._weights = part_weights(self.reward)
        self._reference: Policy | None = None
        try:
            at = restore(self._run, self.policy, self.reward) if resume else Position()
            if not at.evaluated_before:
                self.evaluate_and_log("before", 0)
                at = Position(evaluated_before=True)
            at = self._warm_start(at)
            self._reinforce(at)
        finally:
            if self.runner is None:
                self._runner.close()  # ends its processes; used again, it starts new ones

    # -- the warm start ----------------------------------------------------------------------------------------------

    @property
    def sft_steps(self) -> int:
        """Optimiser steps of the warm start."""
        sft = self.config.sft
        return math.ceil(min(sft.examples, len(self._train)) * sft.epochs / sft.batch_size)

    def _warm_start(self, at: Position) -> Position:
        sft, total = self.config.sft, self.sft_steps
        if at.sft_steps >= total:
            return at
        chosen = [
            self._train[i]
            for i in batch_at(0, min(sft.examples, len(self._train)), len(self._train), self.seed, "sft-choice")
        ]
        optimizer = adamw(self.policy.parameters(), sft.optimizer)
        at.load_optimizer(optimizer)
        with progress("warm start", total, done=at.sft_steps) as bar:
            for step in range(at.sft_steps, total):
                torch.manual_seed(step_seed(self.seed, "sft", step))
                count = min(sft.batch_size, len(chosen) * sft.epochs - step * sft.batch_size)
                batch = [chosen[i] for i in batch_at(step, sft.batch_size, len(chosen), self.seed, "sft")[:count]]
                with clocked() as clock:
                    metrics = self._imitate(batch, optimizer, learning_rate(sft.optimizer, step, total))
                self._run.log(step, "sft", {**metrics, "time/train_s": clock.seconds})
                bar.advance(1)
                bar.describe(f"warm start · loss {metrics['loss']:.3f}")
                at = Position(evaluated_before=True, sft_steps=step + 1)
                if self._due(step + 1) and step + 1 < total:
                    save(self._run, at, self.policy, self.reward, optimizer)
        self.evaluate_and_log("sft", total)
        save(self._run, at, self.policy, self.reward, None)
        return at

    def _imitate(self, batch: Sequence[Example], optimizer: torch.optim.Optimizer, lr: float) -> Metrics:
        """One supervised step on the references of `batch`."""
        rollouts = []
        for example in batch:
            reference = self.task.reference(example)
            if reference is None:
                raise ConfigError(
                    f"sft.examples is {self.config.sft.examples}, but task {self.task.name!r} has no reference for "
                    f"{example.id!r}"
                )
            rollouts.append(self.policy.reference_rollout(self.task, example, reference))
        weight = step_weights([rollout.steps for rollout in rollouts], [True] * len(rollouts), "token")
        loss = 0.0
        for part in microbatches(
            list(zip(rollouts, weight, strict=True)), self._cost, self.config.tokens_per_microbatch
        ):
            steps = self.policy.logprobs([rollout for rollout, _ in part])
            piece = negative_log_likelihood(
                steps.logprobs_N, _per_step([w for _, w in part], steps.lengths, steps.logprobs_N)
            )
            piece.backward()  # type: ignore[no-untyped-call]
            loss += float(piece.detach())
        return {"loss": loss, "lr": lr, "grad_norm": self._step(optimizer, lr, self.config.sft.optimizer.grad_clip)}

    # -- reinforcement -----------------------------------------------------------------------------------------------

    def _reinforce(self, at: Position) -> None:
        config = self.config
        if at.rl_steps >= config.steps:
            return
        if config.loss.kl_weight:
            self._reference = self._frozen_start()
        optimizer = adamw(self.policy.parameters(), config.optimizer)
        at.load_optimizer(optimizer)
        with progress("reinforce", config.steps, done=at.rl_steps) as bar:
            for step in range(at.rl_steps, config.steps):
                metrics = self._reinforce_step(step, optimizer)
                self._run.log(step, "rl", metrics)
                bar.advance(1)
                bar.describe(
                    f"reinforce · reward {metrics['reward/total']:.3f} · "
                    f"dead {metrics['groups/dead']:.0f}/{metrics['groups/count']:.0f}"
                )
                at = Position(evaluated_before=True, sft_steps=self.sft_steps, rl_steps=step + 1)
                last = step + 1 == config.steps
                if last or (config.eval.every and (step + 1) % config.eval.every == 0):
                    self.evaluate_and_log("rl", step + 1)
                if last or self._due(step + 1):
                    save(self._run, at, self.policy, self.reward, optimizer)

    def _reinforce_step(self, step: int, optimizer: torch.optim.Optimizer) -> Metrics:
        """Sample groups, score them, turn scores into advantages, update."""
        config = self.config
        seed = step_seed(self.seed, "rl", step)
        torch.manual_seed(seed)
        context = Context(step, config.steps, seed)
        examples = [self._train[i] for i in batch_at(step, config.prompts_per_step, len(self._train), self.seed, "rl")]

        stateful = [node for node in walk(self.reward) if node.stateful]
        with clocked() as sampling:
            replayed = self._replay(step)
            groups = replayed[0] if replayed else self._sample(examples, seed)
        with clocked() as scoring:
            # Rewards that learn must see a replayed batch again, to learn the same from it.
            kept = replayed[1] if replayed and not stateful else None
            scores = kept or self._runner.score(self.reward, groups, context)
            for node in stateful:
                node.update(groups, scores, context)
        advantages = self.advantage.estimate(groups, scores)
        if not replayed:
            self._keep(step, "rl", groups, scores, advantages)
        lr = learning_rate(config.optimizer, step, config.steps)
        with clocked() as training:
            update = self._update(groups, advantages, optimizer, lr)
        return {
            **batch_metrics(groups, scores, advantages),
            **update,
            "time/sample_s": sampling.seconds,
            "time/score_s": scoring.seconds,
            "time/train_s": training.seconds,
        }

    def _sample(self, examples: Sequence[Example], seed: int) -> list[Group]:
        config = self.config
        groups = self.policy.sample(self.task, examples, config.group_size, config.sampling.sampling(), seed=seed)
        if any(len(group) != config.group_size for group in groups) or len(groups) != len(examples):
            raise PolicyError(
                f"the policy gave {[len(group) for group in groups]} rollouts for {len(examples)} groups of "
                f"{config.group_size}"
            )
        return groups

    def _update(
        self, groups: Sequence[Group], advantages: Advantages, optimizer: torch.optim.Optimizer, lr: float
    ) -> Metrics:
        """`updates_per_batch` optimiser steps on one batch; however it is cut, the gradient is that of the whole."""
        config = self.config
        rollouts = [rollout for group in groups for rollout in group.rollouts]
        credit = [values for rows in advantages.values for values in rows]
        scored = [flag for row in advantages.scored for flag in row]
        weight = step_weights(
            [rollout.steps for rollout in rollouts], scored, config.loss.average, constant=config.sampling.max_tokens
        )
        # A rollout without advantage has no gradient but the divergence's: counted, it need not be computed.
        matters = [
            bool(w) and (bool(config.loss.kl_weight) or any(values)) for w, values in zip(weight, credit, strict=True)
        ]
        live = [(rollouts[i], weight[i], credit[i]) for i in range(len(rollouts)) if matters[i]]
        metrics: Metrics = {"lr": lr, "loss": 0.0, "grad_norm": 0.0, "clip_share": 0.0, "entropy": 0.0}
        if not live:
            return metrics
        parts = microbatches(live, self._cost, config.tokens_per_microbatch)
        share = sum(w * rollout.steps for rollout, w, _ in live)
        old: list[torch.Tensor] = []
        for update in range(config.updates_per_batch):
            sums = dict.fromkeys(("loss", "clip_share", "entropy", "kl", "sampler_gap"), 0.0)
            for number, part in enumerate(parts):
                chosen = [rollout for rollout, _, _ in part]
                steps = self.policy.logprobs(chosen, temperature=config.sampling.temperature)
                if update == 0:
                    old.append(steps.logprobs_N.detach())
                weights_N = _per_step([w for _, w, _ in part], steps.lengths, steps.logprobs_N)
                terms = self._loss(
                    steps.logprobs_N,
                    old[number],
                    torch.tensor(
                        [value for _, _, values in part for value in values],
                        dtype=torch.float32,
                        device=weights_N.device,
                    ),
                    weights_N,
                    self._reference.logprobs(chosen, temperature=config.sampling.temperature, grad=False).logprobs_N
                    if self._reference
                    else None,
                )
                terms.loss.backward()  # type: ignore[no-untyped-call]
                sums["loss"] += float(terms.loss.detach())
                sums["clip_share"] += terms.clip_share / share
                sums["kl"] += terms.kl / share
                sums["entropy"] += float((weights_N * steps.entropy_N).sum()) / share
                if update == 0:
                    sums["sampler_gap"] += float((weights_N * _gap(chosen, steps.logprobs_N)).sum()) / share
            norm = self._step(optimizer, lr, config.optimizer.grad_clip)
            metrics |= {
                "loss": sums["loss"],
                "grad_norm": norm,
                "clip_share": sums["clip_share"],
                "entropy": sums["entropy"],
            }
            if update == 0:
                metrics["sampler_gap"] = sums["sampler_gap"]
            if self._reference:
                metrics["kl"] = sums["kl"]
        return metrics

    def _step(self, optimizer: torch.optim.Optimizer, lr: float, limit: float | None) -> float:
        for options in optimizer.param_groups:
            options["lr"] = lr
        norm = clip_gradients(self.policy.parameters(), limit)
        if not math.isfinite(norm):
            raise PolicyError(
                f"the gradient's norm is {norm}; the last checkpoint is intact, a smaller learning rate may help"
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.policy.updated()
        return norm

    def _cost(self, items: Sequence[tuple[Any, ...]]) -> int:
        return self.policy.cost([item[0] for item in items])

    # -- evaluation --------------------------------------------------------------------------------------------------

    def evaluate(self, task: Task, *, limit: int | None = None, label: str = "evaluate") -> EvalResult:
        """Greedy completions for the held-out examples of `task`, and the mean of each of its metrics."""
        config = self.config
        examples = list(task.examples("eval"))[:limit]
        sampling = config.sampling.sampling(greedy=True)
        if config.eval.max_tokens:
            sampling = type(sampling)(temperature=0.0, max_tokens=config.eval.max_tokens, stop=sampling.stop)
        groups: list[Group] = []
        with progress(label, len(examples)) as bar:
            for start in range(0, len(examples), config.eval.batch_size):
                batch = examples[start : start + config.eval.batch_size]
                groups += self.policy.sample(task, batch, 1, sampling, seed=0)
                bar.advance(len(batch))
        scores = {name: self._runner.score(metric, groups, Context()) for name, metric in task.metrics().items()}
        means = {name: mean_scored([row[0] for row in rows]) for name, rows in scores.items()}
        return EvalResult(means, len(examples), groups, scores)

    def evaluate_and_log(self, stage: str, step: int) -> None:
        """Evaluate on the task's held-out split and on every further task; log under `stage`."""
        if not self.config.eval.examples:
            return
        logged: dict[str, Any] = {"stage": stage}
        for name, task in {"": self.task, **self.evals}.items():
            prefix = f"eval/{name}/" if name else "eval/"
            with clocked() as clock:
                result = self.evaluate(
                    task, limit=self.config.eval.examples, label=f"evaluate ({name or 'held out'}, {stage})"
                )
            logged |= {prefix + metric: value for metric, value in result.metrics.items()}
            logged |= {prefix + "count": result.count, prefix + "time_s": clock.seconds}
            scores = [
                [Score(rows[0].value, "", dict(zip(result.scores, rows, strict=True)), rows[0].status)]
                for rows in zip(*([row[0] for row in column] for column in result.scores.values()), strict=True)
            ] or [[Score.unscored("the task has no metrics", status="abstain")] for _ in result.groups]
            references = {group.example.id: task.reference(group.example) or "" for group in result.groups}
            records = rollout_records(result.groups, scores, step=step, phase="eval", weights={}, references=references)
            self._run.write_rollouts(f"eval-{stage}" + (f"-{name}" if name else ""), step, records)
        self._run.log(step, "eval", logged)

    # -- the run folder ----------------------------------------------------------------------------------------------

    def _due(self, step: int) -> bool:
        return bool(self.config.checkpoint_every) and step % self.config.checkpoint_every == 0

    def _frozen_start(self) -> Policy:
        """The policy RL started from, frozen; kept in the run folder, so that a resumed run has the same one."""
        folder = self._run.path / "reference"
        frozen = self.policy.snapshot()
        if folder.exists():
            frozen.load(folder)
        else:
            with self._run.atomic_folder(folder) as fresh:
                self.policy.save(fresh)
        return frozen

    def _keep(self, step: int, phase: str, groups: Sequence[Group], scores: Scores, advantages: Advantages) -> None:
        first = [[values[0] if values else 0.0 for values in rows] for rows in advantages.values]
        shown = [
            [value if flag else None for value, flag in zip(*pair, strict=True)]
            for pair in zip(first, advantages.scored, strict=True)
        ]
        references = {group.example.id: self.task.reference(group.example) or "" for group in groups}
        self._run.write_rollouts(
            phase,
            step,
            rollout_records(
                groups, scores, step=step, phase=phase, weights=self._weights, advantages=shown, references=references
            ),
        )

    def _replay(self, step: int) -> tuple[list[Group], Scores] | None:
        """What this step sampled and scored before the run was killed, if it got that far under the same weights."""
        records = self._run.read_rollouts("rl", step)
        if not records or records[0]["policy_version"] != self.policy.version:
            return None
        prompts = {name: self.task.prompt(self._examples[name]) for name in {record["example"] for record in records}}
        return groups_of(records, self._examples, prompts)


# -- measures --------------------------------------------------------------------------------------------------------


def batch_metrics(groups: Sequence[Group], scores: Scores, advantages: Advantages) -> Metrics:
    """What one batch earned: the total and each part (means over what is scored), spread, dead groups, lengths."""
    flat = [score for row in scores for score in row]
    lengths = [rollout.steps for group in groups for rollout in group.rollouts]
    values = [score.value for score in flat if score.scored]
    parts: dict[str, list[float]] = {}
    for score in flat:
        for name, value in score.flat().items():
            parts.setdefault(name, []).append(value)
    return {
        "reward/total": mean(values),
        "reward/std": statistics.pstdev(values) if values else math.nan,
        **{f"reward/{name}": mean([value for value in column if value == value]) for name, column in parts.items()},
        "groups/count": len(groups),
        "groups/dead": sum(advantages.dead),
        "unscored": advantages.unscored,
        "length/mean": mean(lengths),
        "length/max": max(lengths, default=0),
        "length/truncated_share": mean([float(rollout.truncated) for group in groups for rollout in group.rollouts]),
        "tokens/sampled": sum(lengths),
    }


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def mean_scored(scores: Sequence[Score]) -> float:
    """The mean over what is scored."""
    return mean([score.value for score in scores if score.scored])


def _per_step(weights: Sequence[float], lengths: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    return torch.repeat_interleave(
        torch.tensor(weights, dtype=torch.float32, device=like.device), torch.tensor(lengths, device=like.device)
    )


def _gap(rollouts: Sequence[Rollout], logprobs_N: torch.Tensor) -> torch.Tensor:
    """|log p of the trainer - log p of the sampler| per step; 0 where the sampler kept none."""
    sampled = [value for rollout in rollouts for value in (rollout.logprobs or [math.nan] * rollout.steps)]
    return (logprobs_N.detach() - torch.tensor(sampled, device=logprobs_N.device)).abs().nan_to_num(0.0)


@dataclass
class Clock:
    """Seconds a block took, once it is left."""

    seconds: float = 0.0


@contextlib.contextmanager
def clocked() -> Iterator[Clock]:
    """Time a block."""
    clock, start = Clock(), time.perf_counter()
    yield clock
    clock.seconds = time.perf_counter() - start
