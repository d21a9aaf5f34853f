"""A trained model as a screener: the policy of a run folder, with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guerdon.errors import ConfigError
from guerdon_resume.answers import Layout
from guerdon_resume.examples import ResumeExample
from guerdon_resume.keywords import Screener
from guerdon_resume.tasks import OfCandidates, Screening


def screener_of(run: Path, checkpoint: Path | None = None, *, seed: int = 0) -> tuple[Screener, Layout]:
    """The run's policy, which answers greedily, and the layout of its answers.

    Args:
        run: a run folder.
        checkpoint: one of it, as a path or a name; None for the latest.
        seed: of the sampling, which greedy answers do not need.

    Raises:
        ConfigError: the run learned another task, or the training libraries are not installed.
        RunError: it is no run folder, or there is no such checkpoint.
    """
    from guerdon.cli.sources import find_checkpoint
    from guerdon.recipes.running import recipe_of, trainer_of

    recipe = recipe_of(run)
    weights = find_checkpoint(run, checkpoint)
    trainer = trainer_of(recipe)
    task = trainer.task
    if not isinstance(task, OfCandidates):
        raise ConfigError(
            f"{str(run)!r} learned the task {task.name}; one of candidates is needed, such as {Screening.name}"
        )
    if weights is not None:
        trainer.policy.load(weights / "policy")

    def screen(examples: Sequence[ResumeExample]) -> list[str]:
        sampling = trainer.config.sampling.sampling(greedy=True)
        size = trainer.config.eval.batch_size
        said: list[str] = []
        for start in range(0, len(examples), size):
            groups = trainer.policy.sample(task, examples[start : start + size], 1, sampling, seed=seed)
            said += [group.rollouts[0].completion for group in groups]
        return said

    return screen, task.layout
