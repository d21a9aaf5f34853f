"""The policy that a run folder holds, built with its weights and asked: for commands that put a trained one to use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.recipes.building import build_task
from guerdon.recipes.running import recipe_of, trainer_of
from guerdon.runs import find_checkpoint

if TYPE_CHECKING:
    from guerdon.protocols import Task
    from guerdon.trainer import Trainer
    from guerdon.types import Example


def trainer_of_run(
    run: Path, checkpoint: Path | None = None, *, accept: Callable[[Task], object] = lambda task: None
) -> Trainer:
    """What the recipe of a run folder names, built; with the weights of a checkpoint, and what the rewards had learnt.

    Args:
        run: a run folder.
        checkpoint: a checkpoint's folder, or the name of one in the run; None for the latest.
        accept: called with the run's task before a model is loaded; it raises where it can do nothing with that task.

    Raises:
        RunError: it is no run folder, there is no such checkpoint, or it cannot be read.
        ConfigError: something that the recipe names, or the training libraries, are not installed.
    """
    recipe, weights = recipe_of(run), find_checkpoint(run, checkpoint)
    accept(build_task(recipe.task))
    return trainer_of(recipe, weights)


def greedy_answers(trainer: Trainer, examples: Sequence[Example], *, seed: int = 0) -> list[str]:
    """One greedy completion for each example, in order, drawn as the run's evaluations draw them.

    Args:
        trainer: its policy is asked, as its task words the prompts.
        examples: of that task.
        seed: of the sampling, for policies that draw even so.
    """
    from guerdon.trainer.evaluation import greedy_groups

    groups = greedy_groups(trainer.policy, trainer.task, examples, trainer.config, seed=seed)
    return [group.rollouts[0].completion for group in groups]
