"""`guerdon driving closed-loop`: a trained planner at the wheel of highway-env."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from guerdon.protocols import Task
    from guerdon_driving.examples import DrivingExample
    from guerdon_driving.frames import View

SIZE = 128
"""Pixels of a frame for a run that does not say."""


@click.group("driving")
def command() -> None:
    """What the driving package does beside training."""


@command.command("closed-loop")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint of RUN.  [default: the latest]")
@click.option("--episodes", type=click.IntRange(min=1), default=8, show_default=True, help="How many.")
@click.option("--kinds", default="highway,intersection,roundabout,exit", show_default=True, help="Types of scenario.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one, other episodes.")
@click.option("--size", type=click.IntRange(32, 1024), help="Pixels of a frame.  [default: as RUN was trained]")
@click.option("--gif", type=click.Path(path_type=Path, dir_okay=False), help="Draw the first episode into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def closed_loop(
    run: Path,
    checkpoint: Path | None,
    episodes: int,
    kinds: str,
    seed: int,
    size: int | None,
    gif: Path | None,
    as_json: bool,
) -> None:
    """Let the policy of the run folder RUN drive by its words, and measure crashes, progress and PDMS.

    Progress is the share of the way that the simulator's own human-like driver makes in the same episode, and it is
    PDMS's term for progress too.
    """
    from guerdon.errors import ConfigError
    from guerdon.recipes.trained import greedy_answers, trainer_of_run
    from guerdon_driving.closed_loop import close_loop, summary
    from guerdon_driving.filed_tasks import JsonLines
    from guerdon_driving.tasks import KINDS, Highway

    chosen = tuple(kind.strip() for kind in kinds.split(","))
    if unknown := [kind for kind in chosen if kind not in KINDS]:
        raise ConfigError(f"--kinds names {unknown[0]!r}; accepted are {', '.join(KINDS)}")

    def accept(task: Task) -> None:
        if not isinstance(task, Highway | JsonLines):
            raise ConfigError(
                f"{str(run)!r} learned the task {task.name}; a planner in words is needed: one of {Highway.name} or "
                f"{JsonLines.name}"
            )

    trainer = trainer_of_run(run, checkpoint, accept=accept)
    task = trainer.task

    def planner(examples: Sequence[DrivingExample]) -> list[str]:
        return greedy_answers(trainer, examples, seed=seed)

    shown = size or (task.image_size if isinstance(task, Highway) else SIZE)
    view: View = task.view if isinstance(task, Highway) else "bird"
    driven = close_loop(planner, kinds=chosen, episodes=episodes, seed=seed, size=shown, view=view, gif=gif)
    found = summary(driven)
    if as_json:
        rows = [asdict(one) | {"progress": one.progress} for one in driven]
        click.echo(json.dumps({"summary": numbers(found), "episodes": list(map(numbers, rows))}, indent=2))
        return
    for one in driven:
        end = "crashed" if one.crashed else "drove"
        click.echo(f"{one.kind:<13} {end} {one.seconds:4.1f} s, progress {one.progress:.2f}, PDMS {one.pdms:.2f}")
    for name, value in found.items():
        click.echo(f"  {name:<12} {value:.3f}")


def numbers(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with None for NaN, which JSON has not."""
    return {name: None if value != value else value for name, value in record.items()}
