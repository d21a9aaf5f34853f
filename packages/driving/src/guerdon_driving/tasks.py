"""`driving/highway-v1`: planning in words from frames of highway-env, made on first use; and the base of such tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of, whole_number
from guerdon.parsing.rows import read_rows
from guerdon.protocols import Split, Task
from guerdon.rewards import Reward
from guerdon.types import Example, Prompt
from guerdon_driving.building import Build, built
from guerdon_driving.examples import DrivingExample, driving_example
from guerdon_driving.prompts import PlanLayout, prompt_of

KINDS = ("highway", "merge", "exit", "two-way", "roundabout", "intersection", "racetrack", "u-turn")
"""Types of scenario, as in `scenarios`, which is not imported for them: it brings highway-env."""
View = Literal["bird", "front"]


@dataclass(frozen=True, kw_only=True)
class BuiltFrames(Task):
    """Frames rendered from highway-env, labelled from what its own human-like driver did in the next three seconds.

    The splits share no episode. With other `eval_kinds` than `kinds` they share no type of scenario either. The files
    lie in the cache folder (`$GUERDON_CACHE`, else `~/.cache/guerdon`) and are made once, with the progress shown.
    """

    makes: ClassVar[str] = "thousands of frames, which takes minutes"
    few: ClassVar[Mapping[str, int]] = MappingProxyType({"train_size": 40, "eval_size": 8})

    seed: int = 0
    """Another seed, other episodes."""
    train_size: int = 2000
    """Frames to learn from."""
    eval_size: int = 300
    """Frames of the eval split."""
    kinds: tuple[str, ...] = KINDS
    """Types of scenario to learn from."""
    eval_kinds: tuple[str, ...] = ()
    """Those of the eval split; empty: the same."""
    image_size: int = 128
    """Pixels of a side."""
    view: View = "bird"
    """`bird`: from above, heading up, 80 m a side; `front`: a camera behind the windscreen."""
    scenes: bool = True
    """Keep each frame's scene too, for checkers of trajectories (24 of 31 kB a row)."""

    def __post_init__(self) -> None:
        for field in ("kinds", "eval_kinds"):
            object.__setattr__(self, field, tuple(getattr(self, field)))  # recipes say [..]
            for place, kind in enumerate(getattr(self, field)):
                if kind not in KINDS:
                    raise ConfigError(f"{field}[{place}] is {kind!r}; accepted are {', '.join(map(repr, KINDS))}")
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ConfigError(f"kinds is {self.kinds!r}; one or more different ones are needed")
        for field, low, high in (("train_size", 0, 200_000), ("eval_size", 0, 200_000), ("image_size", 32, 1024)):
            whole_number(field, getattr(self, field), low, high)
        one_of("view", self.view, get_args(View))

    @property
    def build(self) -> Build:
        """What its files depend on: not the look of the prompt."""
        return Build(
            seed=self.seed,
            train_size=self.train_size,
            eval_size=self.eval_size,
            train_kinds=self.kinds,
            eval_kinds=self.eval_kinds or self.kinds,
            image_size=self.image_size,
            view=self.view,
            scenes=self.scenes,
        )

    @cached_property
    def folder(self) -> Path:
        """Where its files lie; built on first use."""
        return built(self.build)

    @cached_property
    def _loaded(self) -> dict[str, tuple[DrivingExample, ...]]:
        return {}

    def examples(self, split: Split) -> Sequence[DrivingExample]:
        """The examples of a split.

        Raises:
            ConfigError: no such split.
            TaskError: the cache cannot be written, or does not hold what was written.
        """
        one_of("split", split, get_args(Split))
        if split not in self._loaded:
            self._loaded[split] = tuple(read_built(self.folder, split))
        return self._loaded[split]


@dataclass(frozen=True, kw_only=True)
class Highway(BuiltFrames):
    """Planning in words from frames of highway-env.

    The labels say what the simulator's own human-like driver did in the next three seconds. The splits share no
    episode; with other `eval_kinds` than `kinds` no type of scenario either. The files lie in the cache folder
    (`$GUERDON_CACHE`, else `~/.cache/guerdon`) and are made once, with the progress shown: 2,300 frames take minutes.
    """

    name: ClassVar[str] = "driving/highway-v1"

    layout: PlanLayout = "alphadrive"
    """How long the prompt is: AlphaDrive's, `short` or `terse` for small models; see `guerdon_driving.prompts`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("layout", self.layout, get_args(PlanLayout))

    def prompt(self, example: Example) -> Prompt:
        """The frame, then speed, navigation and the question."""
        return prompt_of(driving_example(example), self.layout)

    def reference(self, example: Example) -> str:
        """The reasoning and the plan that was driven."""
        driven = driving_example(example)
        return f"{driven.thinking} {driven.solution}"

    def picture(self, example: Example, completion: str) -> bytes | None:
        """The frame with the plan and what was driven; from above, with an arrow too."""
        from guerdon_driving.pictures import plan_picture

        return plan_picture(driving_example(example), completion, above=self.view == "bird")

    def metrics(self) -> Mapping[str, Reward]:
        """Planning accuracy, each axis, the layout, and F1 of each action."""
        from guerdon_driving.actions import WEIGHTS
        from guerdon_driving.metrics import planning_metrics

        return planning_metrics(WEIGHTS)


def read_built(folder: Path, split: str) -> list[DrivingExample]:
    """The rows of a built data set, their paths made whole.

    The prompt that stands in the rows for other readers (`problem`) is left out, as the task's layout decides.

    Raises:
        TaskError: the file is missing or not in order; delete the folder, and it is built again.
    """
    found = []
    for row in read_rows(folder / f"{split}.jsonl", "driving examples"):
        fields = {name: value for name, value in row.fields.items() if name != "problem"}
        for name in ("image", "scene"):
            if fields.get(name):
                fields[name] = str(folder / fields[name])
        try:
            fields["future"] = tuple(map(tuple, fields["future"]))
            found.append(DrivingExample(**fields))
        except (ValueError, KeyError, TypeError) as error:
            raise TaskError(f"{row.place}: {error}. Delete the folder {str(folder)!r}; it is built again") from error
    return found
