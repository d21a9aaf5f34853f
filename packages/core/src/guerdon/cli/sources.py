"""What a command line names, read: tasks and rewards with options, rollouts from files and runs, examples by id."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guerdon.errors import ConfigError, RunError, TaskError, UnknownName

if TYPE_CHECKING:
    from guerdon.protocols import Task
    from guerdon.recipes import RewardSpec, Use
    from guerdon.types import Example

_NAMED = re.compile(
    r"\s*(?:(?P<weight>[-+.\deE]+)\s*\*)?\s*(?P<name>[^\s\[\]*]+)\s*(?:\[(?P<options>.*)\])?\s*", re.DOTALL
)


def named(text: str) -> tuple[float, str, dict[str, Any]]:
    """`W*NAME[k=v,...]` taken apart; the values are YAML.

    Raises:
        ConfigError: it has another form.

    >>> named("0.5*sql/soft-f1[timeout_s=2, modes=[bag, ordered]]")
    (0.5, 'sql/soft-f1', {'timeout_s': 2, 'modes': ['bag', 'ordered']})
    """
    import yaml

    form = f"{text!r} is not of the form NAME, NAME[option=value,...] or WEIGHT*NAME"
    match = _NAMED.fullmatch(text)
    if match is None:
        raise ConfigError(form)
    options = {}
    if match["options"]:
        body = re.sub(r"(^|,)\s*(\w+)\s*=", r"\1 \2: ", match["options"])
        try:
            options = yaml.safe_load("{" + body + "}")
        except yaml.YAMLError as error:
            raise ConfigError(f"{form}: {error}") from None
        if any(value is None and f"{key}:" not in body for key, value in options.items()):
            raise ConfigError(form)
    try:
        return float(match["weight"] or 1.0), match["name"], options
    except ValueError:
        raise ConfigError(form) from None


@contextmanager
def naming(source: str | Path | None) -> Iterator[None]:
    """Within it, an error about a recipe's names, options and task also says whose recipe that is."""
    try:
        yield
    except (ConfigError, TaskError) as error:
        if source is not None:
            error.add_note(f"The recipe is {str(source)!r}.")
        raise


def task_use(text: str) -> Use:
    """The task that `NAME[k=v,...]` means."""
    from guerdon.recipes import Use

    weight, name, options = named(text)
    if weight != 1.0:
        raise ConfigError(f"--task {text!r}: a task has no weight")
    return Use.model_validate({"use": name, "with": options})


def reward_spec(texts: Sequence[str]) -> RewardSpec:
    """The reward, or the sum of rewards, that each `W*NAME[k=v,...]` means."""
    from guerdon.recipes import RewardSpec

    terms = [{"use": name, "with": options, "weight": weight} for weight, name, options in map(named, texts)]
    return RewardSpec.model_validate(terms[0] if len(terms) == 1 else {"sum": terms})


def rows_of_file(path: Path) -> list[dict[str, Any]]:
    """The rollouts of a JSONL file: `example` and `completion` in each line, other fields kept.

    Raises:
        ConfigError: the file cannot be read, or a line is not such an object; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"rollouts file {str(path)!r} cannot be read: {error}") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            rows.append(_row(line, f"{path}, line {number}"))
    if not rows:
        raise ConfigError(f"rollouts file {str(path)!r} holds no rollouts")
    return rows


def _row(line: str, where: str) -> dict[str, Any]:
    wanted = 'an object like {"example": ID, "completion": TEXT}'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not JSON ({error}); {wanted} is needed") from None
    if not isinstance(row, dict):
        raise ConfigError(f"{where} holds {type(row).__name__}; {wanted} is needed")
    for field in ("example", "completion"):
        if not isinstance(row.get(field), str):
            raise ConfigError(f"{where}: the field {field!r} is {row.get(field)!r}; {wanted} is needed")
    return row


def rows_of_run(run: Path, phase: str, step: int | None) -> list[dict[str, Any]]:
    """The rollouts a run kept of one step (the latest if None) of a phase.

    Raises:
        RunError: it kept none of that step; the message says which there are.
    """
    from guerdon.runs import read_rollouts, rollout_files

    files = rollout_files(run)
    steps = {at: path for of, at, path in files if of == phase}
    if not steps or (step is not None and step not in steps):
        there = ", ".join(f"{of} {at}" for of, at, _ in files[-12:]) or "none"
        raise RunError(f"{str(run)!r} kept no rollouts of phase {phase!r}, step {step}; there are: {there}")
    return read_rollouts(steps[max(steps) if step is None else step])


def examples_of(task: Task, ids: Collection[str]) -> dict[str, Example]:
    """The task's examples of these ids, from either split.

    Raises:
        UnknownName: it has no such example; the message has the nearest id.
    """
    known: dict[str, Example] = {}
    for split in ("train", "eval"):
        for example in task.examples(split):
            known.setdefault(example.id, example)
    for id_ in ids:
        if id_ not in known:
            raise UnknownName(f"example of {task.name}", id_, known)
    return {id_: known[id_] for id_ in ids}
