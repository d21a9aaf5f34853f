"""One callable in the form of TRL's reward functions: batches in, a number or None per completion out.

Why one and not one per part: TRL adds its functions up and counts a None among numbers as 0, so a part that abstains
would pull its completion down. One function's None means what ours does: unscored, left out of mean, std and update.
Parts are logged instead: `rewards/NAME/PART/mean` as a metric, `NAME/PART` as a column of the completions table.

The async trainer (`trl.experimental.async_grpo`) takes it too: it pickles, and needs neither trainer state nor hooks.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.adapters.trl.asking import trained_model
from guerdon.adapters.trl.data import PLAYED
from guerdon.adapters.trl.grouping import Row, group_numbers, in_group, key_of
from guerdon.adapters.versions import check
from guerdon.errors import ConfigError, RewardError
from guerdon.grading import Columns, Grader
from guerdon.rewards import Context, Reward
from guerdon.rewards.constrained import uncontrolled
from guerdon.types import Score

if TYPE_CHECKING:
    from guerdon.protocols import Task

LARGEST = 3.4028234663852886e38
"""TRL computes in float32; a larger value is inf there, which makes a whole group's advantages 0 without a word."""
HOOKS = frozenset({"trainer_state", "log_extra", "log_metric", "environments", "completion_ids"})
"""What TRL passes beside the data set's columns."""


def reward_funcs(
    source: Grader | Reward | str | Path,
    task: Task | str | None = None,
    *,
    name: str | None = None,
    num_generations: int | None = None,
    fill: float | None = None,
    tokenizer: Any = None,
) -> list[RewardFunction]:
    """What to pass as `GRPOTrainer(reward_funcs=...)`.

    Args:
        source: a grader, a recipe or run folder by name (its task and reward), or a reward; with a task, the name of a
            reward (`sql/execution`, `W*NAME[k=v,...]`).
        task: whose examples the column `example` names, or its name (`NAME[k=v,...]`); with a reward alone. Without a
            task, a reward sees the rows' columns as `rollout.example`.
        name: what TRL logs it under; by default the recipe's name or the reward's label.
        num_generations: attempts per prompt; by default the trainer's own number.
        fill: the number that an unscored row counts as. None leaves it out, which TRL can do only where this is its one
            reward function.
        tokenizer: decodes the completions once more with special tokens kept: for rewards that look for one which the
            tokenizer calls special, such as a tool tag.

    Returns:
        A list of one.

    Raises:
        ConfigError: a name is wrong, several rewards are given, or a task beside something that has one.
    """
    check("trl")
    if isinstance(source, list | tuple):
        raise ConfigError(
            f"reward_funcs was given a list of {len(source)}: make them one reward, weights and all, as in "
            f"reward_funcs(0.9 * a + 0.1 * b, task); of names, Grader.of(task=TASK, reward=['0.9*NAME', '0.1*NAME']) "
            f"makes one. Functions apart TRL would add up itself, and count what one of them leaves unscored as 0."
        )
    if task is not None and isinstance(source, Grader):
        raise ConfigError(f"reward_funcs was given task {task!r} beside {source!r}, which has its own")
    if task is not None and not isinstance(source, Reward):  # a name that a task stands beside is a reward's
        from guerdon.recipes.building import build_reward
        from guerdon.recipes.spelling import reward_spec

        source = build_reward(reward_spec([str(source)]))
    if isinstance(source, Grader):
        grader, label = source, source.reward.label
    elif isinstance(source, Reward):
        if isinstance(task, str):
            from guerdon.recipes.building import build_task
            from guerdon.recipes.spelling import task_use

            task = build_task(task_use(task))
        grader, label = Grader(source, task), source.label
    else:
        grader, label = Grader.of(source), Path(source).stem
    if told := uncontrolled(grader.reward):
        warnings.warn(f"{label}: {told}", RuntimeWarning, stacklevel=2)
    if fill is not None and not abs(fill) <= LARGEST:
        raise ConfigError(f"fill is {fill!r}; a finite number is needed, or None to leave unscored rows out")
    return [RewardFunction(grader, name or label, num_generations, fill, tokenizer)]


@dataclass(eq=False)
class RewardFunction:
    """A grader that TRL can call. See `reward_funcs` for the fields."""

    grader: Grader
    name: str
    num_generations: int | None = None
    fill: float | None = None
    tokenizer: Any = field(default=None, repr=False)

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """One number per completion, in order; None where unscored.

        Raises:
            ConfigError: a column is missing, or the trainer is set up so that a number would be wrong.
            RewardError: a bug in the reward.
        """
        trainer = TrainerView.of(columns.get("log_metric"))
        self._check(trainer)
        context = _context(columns.get("trainer_state"), trainer)
        if self.grader.reward.needs_policy:
            context = replace(context, policy=trained_model(self.grader.reward, columns.get("log_metric")))
        rows = self.rows(prompts, completions, columns, trainer)
        scores = self._grade(rows, self.num_generations or trainer.num_generations, context, learn=trainer.training)
        self._log(scores, rows, columns)
        return [self._number(score, row) for score, row in zip(scores, rows, strict=True)]

    def _check(self, trainer: TrainerView) -> None:
        if self.fill is None and trainer.functions > 1:
            raise ConfigError(
                f"{self.name} is one of {trainer.functions} reward functions: TRL would count a row that it leaves "
                f"unscored as 0. Make them one reward (`a + b`), or name the number with reward_funcs(..., fill=0.0)."
            )
        if self.grader.learning and self not in trainer.kept:
            names = ", ".join(node.name for node in self.grader.learning)
            raise ConfigError(
                f"{names} learns, and nothing keeps its state in the trainer's checkpoints: pass "
                f"callbacks=[RewardState(...)]. (The async trainer cannot: it scores in a process of its own.)"
            )

    def rows(
        self, prompts: Sequence[Any], completions: Sequence[Any], columns: dict[str, Any], trainer: TrainerView
    ) -> list[Row]:
        """TRL's columns as the grader's rows."""
        data = {name: values for name, values in columns.items() if name not in HOOKS}
        played = data.pop(PLAYED, None)
        ids = columns.get("completion_ids")
        rows = self._of_task(data) if self.grader.task is not None else _of_columns(data, prompts)
        if self.grader.task is not None and rows and isinstance(rows[0]["example"], str):
            self.grader.compare_prompt(self.grader.example(rows[0]["example"]), prompts[0])
        for i, (row, completion) in enumerate(zip(rows, completions, strict=True)):
            row["completion"] = self._text(completion, ids[i] if ids else ())
            if ids and ids[i] and trainer.ends:
                row["stop"] = "stop" if ids[i][-1] in trainer.ends else "length"
            if played is not None:
                row.update(played[i])
        return rows

    def _of_task(self, data: dict[str, Any]) -> list[Row]:
        """The rows so far: examples of the grader's task, which knows their prompts."""
        if "example" not in data:
            assert self.grader.task is not None
            raise ConfigError(
                f"the data set has no column 'example', by which rows name examples of {self.grader.task.name}; it has "
                f"{', '.join(sorted(data)) or 'none'}. `guerdon.adapters.trl.dataset` makes one that has."
            )
        return [{"example": example} for example in data["example"]]

    def _text(self, completion: Any, ids: Sequence[int]) -> Any:
        """The completion as TRL decoded it; with a tokenizer, a text or single message as it was written."""
        if self.tokenizer is None or not ids or (not isinstance(completion, str) and len(completion) != 1):
            return completion
        from guerdon.engines.stopping import decode

        ended = ids[-1] == self.tokenizer.eos_token_id
        return decode(self.tokenizer, ids[:-1] if ended else ids)

    def _grade(self, rows: Sequence[Row], size: int | None, context: Context, *, learn: bool) -> list[Score]:
        alone = self.grader.reward.sees == "rollout" and not self.grader.learning
        if alone:  # nothing depends on who else is in the group
            return self.grader.grade(rows, context)
        from guerdon.adapters.trl import peers

        if peers.count() > 1:
            return peers.grade_together(self.grader, rows, size, context, learn=learn)
        numbers = group_numbers([key_of(row) for row in rows], size)
        return self.grader.grade([in_group(row, n) for row, n in zip(rows, numbers, strict=True)], context, learn=learn)

    def _log(self, scores: Sequence[Score], rows: Sequence[Row], columns: dict[str, Any]) -> None:
        """Each part, for each row: TRL averages what it is told, so an unscored part is not told."""
        log_metric, log_extra = columns.get("log_metric"), columns.get("log_extra")
        parts = self.grader.columns(scores)
        if log_metric is not None:
            told = {f"{part}/mean": values for part, values in parts.items()}
            told["unscored"] = [float(not score.scored) for score in scores]
            for name, values in told.items():
                metric = f"rewards/{self.name}/{name}"
                for value in values:
                    if value == value:  # not NaN
                        log_metric(metric, value)
        if log_extra is not None:
            log_extra(f"{self.name}/example", [key_of(row) for row in rows])
            for part, values in parts.items():
                log_extra(f"{self.name}/{part}", [value if value == value else None for value in values])
            log_extra(f"{self.name}/status", [score.status for score in scores])
            log_extra(f"{self.name}/why", [score.why for score in scores])

    def _number(self, score: Score, row: Row) -> float | None:
        if not score.scored:
            return self.fill
        if abs(score.value) > LARGEST:
            raise RewardError(
                f"{self.grader.reward.name} gave {score.value!r} to a completion for example {key_of(row)!r}: TRL "
                f"computes in float32, where that is inf and silences its whole group. Scale the reward down."
            )
        return score.value


@dataclass(frozen=True, slots=True)
class TrainerView:
    """What a call lets see of the trainer behind it: the owner of the bound method `log_metric`."""

    training: bool = False
    num_generations: int | None = None
    functions: int = 1
    seed: int = 0
    ends: frozenset[int] = frozenset()
    kept: tuple[Any, ...] = ()
    """The reward functions whose state a callback keeps."""

    @classmethod
    def of(cls, log_metric: Any) -> TrainerView:
        """The view, or one that knows nothing where nothing is behind the call."""
        trainer = getattr(log_metric, "__self__", None)
        if trainer is None or not hasattr(trainer, "reward_funcs"):
            return cls()
        training = bool(trainer.model.training)
        callbacks = getattr(getattr(trainer, "callback_handler", None), "callbacks", ())
        return cls(
            training,
            trainer.num_generations if training else getattr(trainer, "num_generations_eval", trainer.num_generations),
            len(trainer.reward_funcs),
            trainer.args.seed,
            frozenset(getattr(trainer, "eos_token_ids", ())),
            tuple(function for callback in callbacks for function in getattr(callback, "keeps", ())),
        )


def _context(state: Any, trainer: TrainerView) -> Context:
    if state is None:
        return Context(seed=trainer.seed)
    return Context(step=state.global_step, total_steps=max(0, state.max_steps), seed=trainer.seed)


def _of_columns(data: dict[str, Any], prompts: Sequence[Any]) -> list[Row]:
    """The rows so far, where no task is behind them: all columns, and the prompt, are the example."""
    rows = []
    for i, prompt in enumerate(prompts):
        example = {**{name: values[i] for name, values in data.items()}, "prompt": prompt}
        rows.append({"example": {**example, "id": Columns.of(example).id}, "prompt": prompt})
    return rows
