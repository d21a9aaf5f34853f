"""The trained agent of a run folder, asked about one patient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError
from guerdon_medical.dx_tasks import Diagnosis, Patients

if TYPE_CHECKING:
    from guerdon.protocols import Task
    from guerdon.trainer import Trainer
    from guerdon.types import Rollout
    from guerdon_medical.dx_examples import DiagnosisExample


def agent_of(run: Path, checkpoint: Path | None = None) -> tuple[Trainer, Patients]:
    """The run's trainer, with its policy, and its task.

    Raises:
        ConfigError: the run learned another kind of task, or the training libraries are not installed.
        RunError: it is no run folder, or there is no such checkpoint, or it cannot be read.
    """
    from guerdon.recipes.trained import trainer_of_run

    trainer = trainer_of_run(run, checkpoint, accept=lambda task: of_patients(task, run))
    return trainer, of_patients(trainer.task, run)


def of_patients(task: Task, run: Path) -> Patients:
    """The task, checked to be one of diagnosis."""
    if not isinstance(task, Patients):
        raise ConfigError(
            f"{str(run)!r} learned the task {task.name}; one of diagnosis is needed, such as {Diagnosis.name}"
        )
    return task


def trained_attempt(trainer: Trainer, example: DiagnosisExample) -> Rollout:
    """The policy's greedy attempt, drawn as the run's evaluations draw theirs."""
    from guerdon.trainer.evaluation import greedy_groups

    (group,) = greedy_groups(trainer.policy, trainer.task, [example], trainer.config)
    return group.rollouts[0]
