"""Running a recipe: build what it names, open the run folder, train, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from guerdon.errors import ConfigError, RunError
from guerdon.recipes.building import build_advantage, build_controller, build_policy, build_reward, build_task
from guerdon.recipes.sources import parsed, validated

if TYPE_CHECKING:
    from guerdon.recipes.schema import Recipe
    from guerdon.trainer import EvalResult, Trainer


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a finished run left."""

    path: Path
    report: Path
    evals: tuple[Mapping[str, Any], ...]
    """The evaluation lines of metrics.jsonl, in order: `stage` and `eval/<metric>`."""
    unscored: str = ""
    """What is wrong, where not one rollout of all RL steps was scored; empty else."""


def default_folder(recipe: Recipe) -> Path:
    """`runs/<name>-<date>-<time>`, below the working folder."""
    return Path("runs") / f"{recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}"


def run_recipe(
    recipe: Recipe,
    out: Path | None = None,
    *,
    resume: bool = False,
    started: Callable[[Path], None] = lambda folder: None,
) -> RunResult:
    """Train by a recipe, from the start or from the latest checkpoint in `out`, and write the report.

    Args:
        recipe: what to do.
        out: the run folder; None for `default_folder`.
        resume: go on with the run in `out`.
        started: told the run folder when everything the recipe names is there and the folder is open.

    Raises:
        ConfigError: a name or an option is wrong; nothing has been written.
        TaskError: the task's files are not in order; nothing has been written.
        RunError: the run folder cannot be used.
    """
    from guerdon.diagnostics.report import render
    from guerdon.recipes.illustrating import illustrator
    from guerdon.runs import RunFolder, versions
    from guerdon.trainer.unscored import why_never_scored

    if resume and out is None:
        raise ConfigError("to resume, name the run folder: guerdon train RUN --resume")
    trainer = trainer_of(recipe)
    trainer.check()
    path = out or default_folder(recipe)
    text = recipe_text(recipe)
    keep = recipe.train.keep_checkpoints
    if resume:
        run = RunFolder.open(path, keep=keep)
        if yaml.safe_load(run.recipe_text) != yaml.safe_load(text):
            run.close()
            raise RunError(
                f"{str(path)!r} was started with another recipe; resume with the recipe.yaml that lies in it"
            )
    else:
        known = [name for name in ("device", "dtype") if hasattr(trainer.policy, name)]
        facts = {name: str(getattr(trainer.policy, name)).removeprefix("torch.") for name in known}
        run = RunFolder.create(path, text, recipe.seed, versions(**facts), keep=keep)
    with run:
        started(path)
        trainer.fit(run, resume=resume)
        evals = tuple(line for line in run.metrics() if line["phase"] == "eval")
        unscored = why_never_scored(run)
    return RunResult(path, render(path, illustrator(trainer.task, *trainer.evals.values())), evals, unscored)


def trainer_of(recipe: Recipe, checkpoint: Path | None = None, *, taking: Literal["all", "weights"] = "all") -> Trainer:
    """Everything a recipe names, built and checked; what needs no torch first.

    Args:
        recipe: what to build.
        checkpoint: a checkpoint's folder: the policy's weights are taken from it, and what the rewards had learnt.
        taking: `weights` leaves what the rewards had learnt: a checkpoint of another reward will do.

    Raises:
        ConfigError: a name or an option is wrong, there is no policy, or the training libraries are not installed.
        RunError: the checkpoint cannot be read, or is of another reward.
    """
    if recipe.policy is None:
        raise ConfigError(
            "field 'policy' is missing; scoring and auditing do without, and this needs one: "
            "`guerdon list policies` shows what there is"
        )
    task = build_task(recipe.task)
    reward = build_reward(recipe.reward)
    advantage = build_advantage(recipe.advantage)
    controllers = [build_controller(use, f"controllers.{index}") for index, use in enumerate(recipe.controllers)]
    evals = {name: build_task(use, f"evals.{name}") for name, use in recipe.evals.items()}
    try:
        from guerdon.trainer import Trainer
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'a language policy needs the package {error.name}, which is not installed: pip install "guerdon[train]"'
        ) from error
    policy = build_policy(recipe.policy, seed=recipe.seed)
    if checkpoint is not None:
        from guerdon.trainer.checkpoints import load_policy, load_rewards

        load_policy(checkpoint, policy)
        if taking == "all":
            load_rewards(checkpoint, reward)
    return Trainer(
        policy=policy,
        task=task,
        reward=reward,
        config=recipe.train,
        advantage=advantage,
        evals=evals,
        controllers=controllers,
        seed=recipe.seed,
    )


def recipe_text(recipe: Recipe) -> str:
    """The recipe as YAML, every default written out."""
    return yaml.safe_dump(json.loads(json.dumps(recipe.to_mapping())), sort_keys=False, allow_unicode=True)


def recipe_of(run: Path) -> Recipe:
    """The recipe a run folder was started with."""
    path = run / "recipe.yaml"
    if not path.is_file():
        raise RunError(f"{str(run)!r} holds no run: there is no recipe.yaml in it")
    return validated(parsed(path.read_text(encoding="utf-8"), str(path)), str(path))


def evaluate_recipe(
    recipe: Recipe, *, checkpoint: Path | None = None, limit: int | None = None
) -> dict[str, EvalResult]:
    """Greedy evaluation of a recipe's policy (or of the weights in a checkpoint) on its tasks' held-out splits.

    Args:
        recipe: what to evaluate, and how: `train.sampling` and `train.eval`.
        checkpoint: a checkpoint's folder; None for the weights the policy starts with.
        limit: at most so many examples of each task; None for as many as the run itself evaluates on
            (`train.eval.examples`), or all where that is 0.

    Raises:
        ConfigError, RunError: as `trainer_of`.
    """
    limit = limit or recipe.train.eval.examples or None
    trainer = trainer_of(recipe, checkpoint, taking="weights")  # the tasks' metrics score, and no reward
    return {
        name or trainer.task.name: trainer.evaluate(task, limit=limit, label=f"evaluate {name or 'held out'}")
        for name, task in {"": trainer.task, **trainer.evals}.items()
    }
