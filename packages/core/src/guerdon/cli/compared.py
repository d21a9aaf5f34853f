"""What `guerdon compare` compares: two rewards however they are named, and completions wherever they come from.

Axes: P prompts (examples, by id), M completions of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.cli.sources import PLACE, admit, is_run, rows_of_file, rows_of_run
from guerdon.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from guerdon.comparing.agreement import Bools
    from guerdon.comparing.mdp import Floats
    from guerdon.protocols import Split, Task
    from guerdon.recipes import Use
    from guerdon.rewards import Reward

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """One of the two rewards."""

    text: str
    """As it was named."""
    reward: Reward
    task: Use | None = None
    """Its recipe's, where it is one's."""
    learnt: str = ""
    """What it had learnt by when, where it is a run's and learns."""


def sides_of(texts: Sequence[str], checkpoint: Path | None) -> tuple[Side, ...]:
    """Both rewards; those of runs as they had learnt by the checkpoint of that name (by default the latest).

    Raises:
        UnknownName, ConfigError: as `side_of`; or a checkpoint is named and no run, or by its folder for two runs.
        RunError: there is no such checkpoint, or it cannot be read.
    """
    from guerdon.grading.taking_up import take_up

    runs = [text for text in texts if is_run(text)]
    if checkpoint is not None and not runs:
        raise ConfigError(f"--checkpoint {str(checkpoint)!r} is of a run, and neither A nor B is a run folder")
    if checkpoint is not None and len(set(runs)) > 1 and checkpoint.is_dir():
        raise ConfigError(
            f"A and B are two runs, and --checkpoint {str(checkpoint)!r} is of one: give a name that both have, as "
            f"step-000004"
        )
    sides = [side_of(text) for text in texts]
    told = [take_up(side.reward, side.text, checkpoint) if side.text in runs else "" for side in sides]
    return tuple(replace(side, learnt=learnt) for side, learnt in zip(sides, told, strict=True))


def side_of(text: str) -> Side:
    """The reward that `text` means: a recipe's or a run's, one by import path, or one by name.

    Raises:
        UnknownName: it is none of these; the message has the nearest of all names.
        ConfigError: it is something, and no reward; or an option is wrong.
    """
    from guerdon.plugins.catalog import catalog
    from guerdon.recipes import load_recipe
    from guerdon.recipes.building import build_reward
    from guerdon.recipes.spelling import named, reward_spec

    run = Path(text) / "recipe.yaml"
    if run.is_file() or Path(text).suffix in (".yaml", ".yml", ".toml"):
        recipe = load_recipe(run if run.is_file() else text)
        return Side(text, build_reward(recipe.reward), recipe.task)
    admit("rewards", text)
    try:
        catalog().find("rewards", named(text)[1])
    except UnknownName:
        if not Path(text).exists():  # else a folder or a file, of which it is said what is wrong with it
            _check_recipe(text)
        recipe = load_recipe(text)
        return Side(text, build_reward(recipe.reward), recipe.task)
    return Side(text, build_reward(reward_spec([text])))


def _check_recipe(name: str) -> None:
    """See that there is a recipe of that name, where there is no such reward.

    Raises:
        UnknownName: with the nearest of both kinds.
    """
    from guerdon.plugins.catalog import catalog

    try:
        catalog().find("recipes", name)
    except UnknownName:
        raise catalog().unknown(("rewards", "recipes"), name) from None


def task_of(text: str | None, sides: Sequence[Side]) -> Task | None:
    """The task as named, else the recipes'; None where rows must bring all that the rewards look at.

    Raises:
        ConfigError: the rewards are of recipes with different tasks, and none is named.
    """
    from guerdon.recipes.building import build_task
    from guerdon.recipes.spelling import spelled, task_use

    if text is not None:
        admit("tasks", text)
        return build_task(task_use(text))
    uses = [side.task for side in sides if side.task is not None]
    if not uses:
        return None
    if any(use != uses[0] for use in uses):
        names = " and ".join(spelled(use) for use in uses)
        raise ConfigError(f"A and B are of recipes with different tasks, {names}: say which with --task")
    return build_task(uses[0])


@dataclass(frozen=True)
class Completions:
    """Rows to score, by the prompt they answer."""

    told: str
    """Where they come from, in words."""
    rows: tuple[Row, ...]

    @property
    def by_prompt(self) -> dict[str, list[int]]:
        """The numbers of each example's rows, in order."""
        found: dict[str, list[int]] = {}
        for number, row in enumerate(self.rows):
            found.setdefault(row["example"], []).append(number)
        return found

    @property
    def prompts(self) -> list[str]:
        """Examples, in order."""
        return list(self.by_prompt)

    @property
    def each(self) -> str:
        """How many completions a prompt has: "8", or "2 to 8"."""
        counts = [len(numbers) for numbers in self.by_prompt.values()]
        least, most = min(counts, default=0), max(counts, default=0)
        return str(most) if least == most else f"{least} to {most}"

    def text(self, prompt: int, number: int) -> str:
        """One completion."""
        from guerdon.grading import completion_segments

        said = completion_segments(self._row(prompt, number)["completion"])
        return "".join(segment.text for segment in said if segment.author == "policy")

    def about(self, prompt: int, number: int) -> str:
        """Which one it is: its number among the prompt's, or what was done to a reference."""
        return str(self._row(prompt, number).get("made", f"completion {number}"))

    def prompts_with(self, other: Completions) -> list[str]:
        """Those that both have completions of, in this one's order."""
        theirs = other.by_prompt
        return [prompt for prompt in self.by_prompt if prompt in theirs]

    def _row(self, prompt: int, number: int) -> Row:
        return self.rows[self.by_prompt[self.prompts[prompt]][number]]


def completions_of(path: Path, phase: str, step: int | None) -> Completions:
    """Those of a JSONL file, or of one step of a run folder.

    Raises:
        ConfigError, RunError: there are none; the message says why.
    """
    if not path.is_dir():
        return Completions(path.name, tuple(rows_of_file(path)))
    rows = rows_of_run(path, phase, step)
    at = rows[0].get("step") if rows else step
    return Completions(f"{path.name}, {phase} step {at}", tuple(rows))


def references_of(task: Task, count: int) -> Completions:
    """The references of a task's first examples, each with simple corruptions of it.

    Raises:
        ConfigError: the task knows no references.
    """
    from guerdon.comparing.corruptions import corruptions

    split: Split = "eval" if task.examples("eval") else "train"
    known = [(example, task.reference(example)) for example in task.examples(split)[:count]]
    texts = {example.id: text for example, text in known if text is not None}
    if not texts:
        raise ConfigError(f"{task.name} knows no reference completions: give completions with --rollouts")
    rows = [
        {"example": name, "completion": corrupted, "made": what}
        for name, text in texts.items()
        for what, corrupted in corruptions(text, list(texts.values()), seed=name).items()
    ]
    told = f"references of {task.name} ({split}) and simple corruptions of them, which no policy wrote"
    return Completions(told, tuple(rows))


@dataclass(frozen=True, eq=False)
class Graded:
    """What one reward gives."""

    prompts: list[str]
    values_PM: Floats
    """NaN where unscored, or where there is no completion."""
    absent_PM: Bools
    """Where there is none."""

    def of(self, prompts: Sequence[str]) -> Graded:
        """Those prompts alone, in their order."""
        places = [self.prompts.index(prompt) for prompt in prompts]
        return Graded(list(prompts), self.values_PM[places], self.absent_PM[places])


def graded(side: Side, task: Task | None, completions: Completions, *, prompts: Sequence[str] | None = None) -> Graded:
    """Score the completions (of those prompts alone, if given); unscored ones stay without a number.

    Raises:
        ConfigError, RewardError: as `guerdon score`.
    """
    from guerdon.grading import Grader
    from guerdon.progress import progress

    by_prompt = completions.by_prompt
    chosen = list(by_prompt) if prompts is None else list(prompts)
    numbers = [number for prompt in chosen for number in by_prompt[prompt]]
    rows = [{key: value for key, value in completions.rows[number].items() if key != "made"} for number in numbers]
    places = [str(row.get(PLACE, f"row {number + 1}")) for number, row in zip(numbers, rows, strict=True)]
    values = np.full(len(rows), np.nan)
    with Grader(side.reward, task) as grader, progress(f"scoring with {side.text}", len(rows)) as bar:
        for part in grader.grade_in_parts(rows, size=64, places=places):
            for place, score in part:
                values[place] = score.value if score.scored else np.nan
            bar.advance(len(part))
    most = max((len(by_prompt[prompt]) for prompt in chosen), default=0)
    table, absent = np.full((len(chosen), most), np.nan), np.ones((len(chosen), most), dtype=bool)
    start = 0
    for row, prompt in enumerate(chosen):
        count = len(by_prompt[prompt])
        table[row, :count], absent[row, :count] = values[start : start + count], False
        start += count
    return Graded(chosen, table, absent)
