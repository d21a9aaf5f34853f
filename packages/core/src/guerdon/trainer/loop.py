"""The loop: sample, score, shape, credit, update. Read it from top to bottom; it calls pure functions.

```
before ─▶ warm start (SFT on references) ─▶ RL steps ─▶ after      evaluation at each arrow, checkpoints between
```
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from guerdon.advantages import Advantages, Estimator, group_relative
from guerdon.errors import ConfigError, PolicyError
from guerdon.progress import progress
from guerdon.protocols import Freezes, ReadsText, Task
from guerdon.rewards import Context, Reward, Scores, walk
from guerdon.scoring import Runner
from guerdon.trainer.aligning import align
from guerdon.trainer.batches import batch_at, step_seed, units_of
from guerdon.trainer.checkpoints import Position, restore, save
from guerdon.trainer.config import OptimizerConfig, TrainConfig
from guerdon.trainer.controlling import Controls
from guerdon.trainer.evaluation import EvalResult, evaluate, evaluation_records
from guerdon.trainer.measures import Clock, Metrics, batch_metrics
from guerdon.trainer.optimizers import adamw, learning_rate
from guerdon.trainer.pairing import check_parts, mismatches
from guerdon.trainer.records import groups_of, part_weights, rollout_records, rounds_of, shown_advantages
from guerdon.trainer.refilling import Batch, own_units, prompt_order, whole_units
from guerdon.trainer.unscored import why_unscored
from guerdon.trainer.updates import imitate, reinforce
from guerdon.types import Example, Group, Rollout

if TYPE_CHECKING:
    from guerdon.protocols import Controller, Policy
    from guerdon.rewards.base import Targets
    from guerdon.runs import RunFolder

__all__ = ["EvalResult", "Trainer"]


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
    controllers: Sequence[Controller] = ()
    """What acts between updates; each has its own knobs, and its state is in the checkpoints."""
    seed: int = 0
    runner: Runner | None = None
    """Scores; one of the trainer's own where none is given."""

    def __post_init__(self) -> None:
        self._runner = self.runner or Runner(on_error=self.config.on_reward_error)

    def check(self) -> None:
        """Load what the run will ask for, so that what is wrong with it is said before anything is written.

        Raises:
            ConfigError: there is nothing to train on, or nothing that could be trained; or the estimator reads a part
                that the reward is known not to have.
            TaskError: the task's files are not there or not in order.
        """
        config = self.config
        if config.steps or config.sft.examples:
            asked = f"train.steps is {config.steps} and train.sft.examples {config.sft.examples}"
            if not self.task.examples("train"):
                raise ConfigError(f"{asked}, but task {self.task.name!r} has no training examples")
            if next(iter(self.policy.parameters()), None) is None:
                raise ConfigError(f"{asked}, but the policy has nothing that could be trained; accepted are 0 and 0")
            for optimizer in (self.config.optimizer, self.config.sft.optimizer):
                with self._frozen(optimizer):
                    pass  # refuses what it does not have
            if fixed := getattr(self.policy, "fixed", ""):
                raise ConfigError(f"{asked}, but the policy cannot be trained: {fixed}. Accepted here are 0 and 0")
            if self.reward.needs_policy and not isinstance(self.policy, ReadsText):
                needs = ", ".join(node.label for node in walk(self.reward) if node.needs_policy and not node.children)
                raise ConfigError(f"{needs} asks how likely the policy finds a text, and this policy cannot tell")
            self.reward.targets([], [], Context(policy=self.policy))  # refuses what it could not pass on
        self._controls = Controls.of(self.controllers, config, self.reward)
        if config.steps:
            self._check_units()
            check_parts(self.reward, self.advantage)
            for told in mismatches(self.reward, config.loss, self.advantage, self.controllers):
                warnings.warn(told, RuntimeWarning, stacklevel=2)
        if config.eval.examples:
            for task in (self.task, *self.evals.values()):
                task.examples("eval")

    def _check_units(self) -> None:
        """Whole units only: a batch that could not hold one, or would hold a part of one, is refused."""
        asked, sizes = self.config.prompts_per_step, {len(unit) for unit in self._units}
        if asked < max(sizes) or (len(sizes) == 1 and asked % max(sizes)):
            needed = f"a multiple of {max(sizes)}" if len(sizes) == 1 else f"a number >= {max(sizes)}"
            raise ConfigError(
                f"train.prompts_per_step is {asked}, and of task {self.task.name!r} up to {max(sizes)} examples belong "
                f"together; {needed} is needed"
            )

    @cached_property
    def _units(self) -> list[range]:
        examples = self.task.examples("train")
        if type(self.task).unit is Task.unit:  # each by itself: none has to be made to know, and ids are not looked at
            return [range(place, place + 1) for place in range(len(examples))]
        return units_of(self.task.unit(example) for example in examples)

    def fit(self, run: RunFolder, *, resume: bool = False) -> None:
        """Train, writing everything into `run`; or take it up at the latest checkpoint there.

        Raises:
            ConfigError: see `check`.
            RunError: the folder cannot be written, or there is nothing to resume from.
            RewardError: a reward raised or broke its promise, and `on_reward_error` is "raise".
        """
        self.check()
        self._run = run
        self._unscored_stretch = False
        self._train = self.task.examples("train")
        self._examples = {example.id: example for example in self._train}
        try:
            at = restore(run, self.policy, self.reward, self._controls) if resume else Position()
            if not at.evaluated_before:
                self.evaluate_and_log("before", 0)
                at = Position(evaluated_before=True)
            at = self._warm_start(at)
            with self._frozen(self.config.optimizer):
                self._reinforce(at)
        finally:
            if self.runner is None:
                self._runner.close()  # ends its processes; used again, it starts new ones

    def _frozen(self, optimizer: OptimizerConfig) -> AbstractContextManager[None]:
        """What this optimiser leaves as it is has no gradients within it."""
        if not optimizer.frozen:
            return nullcontext()
        if not isinstance(self.policy, Freezes):
            raise ConfigError(
                f"an optimizer's frozen names {list(optimizer.frozen)!r}, and a {type(self.policy).__name__} has no "
                "parts to freeze; accepted here is []"
            )
        return self.policy.frozen(optimizer.frozen)

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
        chosen = self._chosen(sft.examples)
        if sft.alignment is not None and at.sft_steps == 0:
            shown = self._chosen(max(sft.alignment.examples or 0, sft.examples))
            align(self.policy, self._references(shown), sft.alignment, self._run, self.seed)
        with self._frozen(sft.optimizer):
            at = self._imitate(at, chosen, total)
        self.evaluate_and_log("sft", total)
        save(self._run, at, self.policy, self.reward, None, self._controls)
        return at

    def _imitate(self, at: Position, chosen: Sequence[Example], total: int) -> Position:
        """The optimiser steps of the warm start."""
        sft = self.config.sft
        optimizer = adamw(self.policy.parameters(), sft.optimizer)
        at.load_optimizer(optimizer)
        with progress("warm start", total, done=at.sft_steps) as bar:
            for step in range(at.sft_steps, total):
                torch.manual_seed(step_seed(self.seed, "sft", step))
                size = min(sft.batch_size, len(chosen) * sft.epochs - step * sft.batch_size)
                batch = [chosen[i] for i in batch_at(step, sft.batch_size, len(chosen), self.seed, "sft")[:size]]
                with Clock() as clock:
                    lr = learning_rate(sft.optimizer, step, total)
                    metrics = imitate(self.policy, self._references(batch), self.config, optimizer, lr)
                self._run.log(step, "sft", {**metrics, "time/train_s": clock.seconds})
                bar.describe(f"warm start · loss {metrics['loss']:.3f}")
                bar.advance(1)
                at = Position(evaluated_before=True, sft_steps=step + 1)
                if self._due(step + 1) and step + 1 < total:
                    save(self._run, at, self.policy, self.reward, optimizer, self._controls)
        return at

    def _chosen(self, count: int) -> list[Example]:
        """So many training examples, or all there are; a smaller count's are among a larger one's."""
        count = min(count, len(self._train))
        return [self._train[i] for i in batch_at(0, count, len(self._train), self.seed, "sft-choice")]

    def _references(self, batch: Sequence[Example]) -> list[Rollout]:
        rollouts = []
        for example in batch:
            reference = self.task.reference(example)
            if reference is None:
                raise ConfigError(
                    f"train.sft.examples is {self.config.sft.examples}, but task {self.task.name!r} has no reference "
                    f"for {example.id!r}; accepted without references is 0"
                )
            rollouts.append(self.policy.reference_rollout(self.task, example, reference))
        return rollouts

    # -- reinforcement -----------------------------------------------------------------------------------------------

    def _reinforce(self, at: Position) -> None:
        config = self.config
        if at.rl_steps >= config.steps:
            return
        reference = self._frozen_start() if config.loss.kl_weight or self._controls.sets("kl_weight") else None
        optimizer = adamw(self.policy.parameters(), config.optimizer)
        at.load_optimizer(optimizer)
        with progress("reinforce", config.steps, done=at.rl_steps) as bar:
            for step in range(at.rl_steps, config.steps):
                metrics = self._reinforce_step(step, optimizer, reference)
                self._run.log(step, "rl", metrics)
                bar.describe(
                    f"reinforce · reward {metrics['reward/total']:.3f} · "
                    f"dead {metrics['groups/dead']:.0f}/{metrics['groups/count']:.0f}"
                )
                bar.advance(1)
                at = Position(evaluated_before=True, sft_steps=self.sft_steps, rl_steps=step + 1)
                last = step + 1 == config.steps
                if last or (config.eval.every and (step + 1) % config.eval.every == 0):
                    self.evaluate_and_log("rl", step + 1)
                if last or self._due(step + 1):
                    save(self._run, at, self.policy, self.reward, optimizer, self._controls)

    def _reinforce_step(self, step: int, optimizer: torch.optim.Optimizer, reference: Policy | None) -> Metrics:
        """Sample groups and score them (again, while refill finds too few alive), credit, update, control."""
        config, refill = self._controls.applied(self.config), self.config.refill
        torch.manual_seed(step_seed(self.seed, "rl", step))
        sampling, scoring, training = Clock(), Clock(), Clock()
        units = prompt_order(step, config.prompts_per_step, self._units, self.seed)
        first = itertools.islice(units, own_units(config.prompts_per_step, self._units))
        own = list(itertools.chain.from_iterable(first))
        replayed = self._replay(step)
        batch = Batch(refill, self.advantage)
        for number in range(1 + (refill.max_rounds if refill else 0)):
            places = whole_units(units, len(own) - sum(batch.kept)) if number else own
            examples = [self._train[place] for place in places]
            if not examples:
                break
            seed = step_seed(self.seed, f"rl-refill-{number}" if number else "rl", step)
            with sampling:
                kept = replayed[number] if number < len(replayed) else None
                groups = kept[0] if kept else self._sample(examples, seed)
            with scoring:
                known = kept[1] if kept else None
                batch.add(groups, self._score(groups, Context(step, config.steps, seed, self.policy, self.task), known))

        self._warn_if_unscored(step, batch.scores)
        advantages = self.advantage.estimate(batch.groups, batch.scores)
        if not replayed:
            self._keep(step, batch, advantages)
        with training:
            lr = learning_rate(config.optimizer, step, config.steps)
            credit = advantages.only(batch.kept)
            # Anew: a replayed step has drawn nothing so far, and dropout must fall as it did the first time.
            torch.manual_seed(step_seed(self.seed, "rl-update", step))
            reference = reference if config.loss.kl_weight else None
            targets = self._targets(batch, Context(step, config.steps, self.seed, self.policy, self.task))
            update = reinforce(self.policy, batch.kept_groups, credit, config, optimizer, lr, reference, targets)
        metrics = {
            **batch_metrics(batch.groups, batch.scores, advantages),
            **batch.metrics(),
            **update,
            **self._controls.metrics(),
            "time/sample_s": sampling.seconds,
            "time/score_s": scoring.seconds,
            "time/train_s": training.seconds,
        }
        self._controls.act(step, config.steps, self.reward, batch.groups, batch.scores, metrics)
        return metrics

    def _sample(self, examples: Sequence[Example], seed: int) -> list[Group]:
        config = self.config
        groups = self.policy.sample(self.task, examples, config.group_size, config.sampling.sampling(), seed=seed)
        if any(len(group) != config.group_size for group in groups) or len(groups) != len(examples):
            raise PolicyError(
                f"the policy gave {[len(group) for group in groups]} rollouts for {len(examples)} groups of "
                f"{config.group_size}"
            )
        return groups

    def _score(self, groups: list[Group], context: Context, known: Scores | None) -> Scores:
        """A round's scores: those `known` from before a kill, unless rewards that learn must see the groups again."""
        stateful = [node for node in walk(self.reward) if node.stateful]
        scores = self._runner.score(self.reward, groups, context) if known is None or stateful else known
        for node in stateful:
            node.update(groups, scores, context)
        return scores

    def _targets(self, batch: Batch, context: Context) -> Targets | None:
        """What rewards with a gradient of their own want likelier, of the groups that go into the update."""
        if not self.reward.has_targets:
            return None
        scores = [row for row, kept in zip(batch.scores, batch.kept, strict=True) if kept]
        return self.reward.targets(batch.kept_groups, scores, context)

    def _warn_if_unscored(self, step: int, scores: Scores) -> None:
        """Warn of a step that teaches nothing since none of its rollouts is scored; once for a stretch of them."""
        why = why_unscored(itertools.chain.from_iterable(scores))
        if why and not self._unscored_stretch:
            count = sum(map(len, scores))
            message = f"step {step} teaches nothing: none of its {count} rollouts is scored. {why}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        self._unscored_stretch = bool(why)

    # -- evaluation --------------------------------------------------------------------------------------------------

    def evaluate(self, task: Task, *, limit: int | None = None, label: str = "evaluate") -> EvalResult:
        """Greedy completions for the held-out examples of `task`, and the mean of each of its metrics."""
        return evaluate(self.policy, task, self.config, self._runner, limit=limit, label=label)

    def evaluate_and_log(self, stage: str, step: int) -> None:
        """Evaluate on the task's held-out split and on every further task; log under `stage`."""
        if not self.config.eval.examples:
            return
        logged: dict[str, Any] = {"stage": stage}
        for name, task in {"": self.task, **self.evals}.items():
            prefix = f"eval/{name}/" if name else "eval/"
            label = f"evaluate ({name or 'held out'}, {stage})"
            with Clock() as clock:
                result = self.evaluate(task, limit=self.config.eval.examples, label=label)
            logged |= {prefix + metric: value for metric, value in result.metrics.items()}
            logged |= {prefix + "count": result.count, prefix + "time_s": clock.seconds}
            phase = f"eval-{stage}" + (f"-{name}" if name else "")
            self._run.write_rollouts(phase, step, evaluation_records(result, task, step))
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

    def _keep(self, step: int, batch: Batch, advantages: Advantages) -> None:
        """Write down what was sampled and scored, before the update."""
        records = rollout_records(
            batch.groups,
            batch.scores,
            step=step,
            phase="rl",
            weights=part_weights(self.reward),
            rounds=batch.rounds,
            advantages=shown_advantages(advantages, batch.kept),
            references={group.example.id: self.task.reference(group.example) or "" for group in batch.groups},
        )
        self._run.write_rollouts("rl", step, records)

    def _replay(self, step: int) -> list[tuple[list[Group], Scores]]:
        """What this step sampled and scored before the run was killed, round by round, if it got that far under the
        same weights.
        """
        records = self._run.read_rollouts("rl", step)
        if not records or records[0]["policy_version"] != self.policy.version:
            return []
        prompts = {name: self.task.prompt(self._examples[name]) for name in {record["example"] for record in records}}
        return [groups_of(rows, self._examples, prompts) for rows in rounds_of(records)]
