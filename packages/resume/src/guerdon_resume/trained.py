"""A trained model as a screener: the policy of a run folder, with its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError, PolicyError
from guerdon_resume.answers import Layout
from guerdon_resume.examples import ResumeExample
from guerdon_resume.keywords import Screener
from guerdon_resume.prompts import Shown
from guerdon_resume.tasks import OfCandidates, Screening

if TYPE_CHECKING:
    from guerdon.protocols import Task


def screener_of(run: Path, checkpoint: Path | None = None, *, shown: Shown | None = None) -> tuple[Screener, Layout]:
    """The run's policy, which answers greedily, and the layout of its answers.

    A candidate whom the policy cannot be asked about, such as one with a resume longer than its context, gets an answer
    that is no verdict and says why; the others are answered.

    Args:
        run: a run folder.
        checkpoint: one of it, as a path or a name; None for the latest.
        shown: `facts` or the `whole` resume; None for what the run was trained with.

    Raises:
        ConfigError: the run learned another task, or the training libraries are not installed.
        PolicyError: the policy answers no such task: a scorecard is shown no whole resumes.
        RunError: it is no run folder, or there is no such checkpoint, or it cannot be read.
    """
    from guerdon.recipes.trained import greedy_answers, trainer_of_run

    def of_candidates(task: Task) -> OfCandidates:
        if not isinstance(task, OfCandidates):
            raise ConfigError(
                f"{str(run)!r} learned the task {task.name}; one of candidates is needed, such as {Screening.name}"
            )
        return task

    trainer = trainer_of_run(run, checkpoint, accept=of_candidates)
    task = of_candidates(trainer.task)
    if shown is not None:
        trainer.task = task = replace(task, shown=shown)
    if (check := getattr(trainer.policy, "check", None)) is not None:
        check(task)  # what no candidate can be asked about is told once

    def screen(examples: Sequence[ResumeExample]) -> list[str]:
        try:
            return greedy_answers(trainer, examples)
        except PolicyError as error:  # a whole resume may be longer than the model reads: that one goes unanswered
            if len(examples) == 1:
                return [f"no answer: {error}"]
            return [answer for example in examples for answer in screen([example])]

    return screen, task.layout
