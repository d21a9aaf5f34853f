"""`driving/jsonl-v1`: planning in words, from files in AlphaDrive's row layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import ClassVar, get_args

from guerdon.errors import ConfigError, TaskError
from guerdon.fields import one_of, proper_share, whole_number
from guerdon.protocols import Split, Task
from guerdon.rewards import Reward
from guerdon.types import Example, Prompt
from guerdon_driving.actions import WEIGHTS
from guerdon_driving.examples import DrivingExample, driving_example
from guerdon_driving.loaders import ImageCheck, read_examples
from guerdon_driving.prompts import PlanLayout, completion_of, prompt_of

Parted = tuple[tuple[DrivingExample, ...], tuple[DrivingExample, ...]]
"""Train and eval."""


@dataclass(frozen=True, kw_only=True)
class JsonLines(Task):
    """Rows of a file, see `guerdon_driving.loaders`; eval has a file of its own, or is parted off.

    Rows with the same image stay on one side of the split.
    """

    name: ClassVar[str] = "driving/jsonl-v1"

    path: str = ""
    """The file."""
    eval_path: str = ""
    """Another file for the eval split; empty: it is parted off."""
    eval_share: float = 0.1
    """How many of the examples, of 1, the eval split gets where it is parted off; at least one."""
    seed: int = 0
    """Another seed, another split."""
    limit: int | None = None
    """Read so many rows of each file, from the top; None for all."""
    layout: PlanLayout = "alphadrive"
    """The prompt of rows that have none of their own; see `guerdon_driving.prompts`."""
    images: ImageCheck = "decoded"
    """Whether each image is decoded when the file is read, so that a broken one is found at once, or only looked for
    (`present`), where decoding them all takes too long."""

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(f"path of {self.name} is empty; the path of a file is needed")
        one_of("layout", self.layout, get_args(PlanLayout))
        one_of("images", self.images, get_args(ImageCheck))
        proper_share("eval_share", self.eval_share)
        if self.limit is not None:
            whole_number("limit", self.limit, 1)

    @cached_property
    def _loaded(self) -> Parted:
        path = Path(self.path).expanduser()
        train = read_examples(path, self.images, self.limit)
        if not self.eval_path:
            return _parted(train, self.eval_share, self.seed, path)
        held_out = read_examples(Path(self.eval_path).expanduser(), self.images, self.limit)
        for field in ("id", "image"):
            both = {getattr(each, field) for each in train} & {getattr(each, field) for each in held_out} - {""}
            if both:
                raise TaskError(
                    f"{self.path!r} and {self.eval_path!r} share {len(both)} examples by their {field!r}, as "
                    f"{min(both)!r}; what is held out must not be learned from"
                )
        return tuple(train), tuple(held_out)

    def examples(self, split: Split) -> Sequence[DrivingExample]:
        """The examples of a split.

        Raises:
            ConfigError: no such split.
            TaskError: a file or an image is not there or not in order, or nothing is left for a split.
        """
        one_of("split", split, get_args(Split))
        return self._loaded[0 if split == "train" else 1]

    def prompt(self, example: Example) -> Prompt:
        """The row's own prompt, or one written from speed and navigation; the image before it."""
        return prompt_of(driving_example(example), self.layout)

    def reference(self, example: Example) -> str:
        """The reasoning and the solution."""
        return completion_of(driving_example(example))

    def picture(self, example: Example, completion: str) -> bytes | None:
        """The frame, and below it the plan and what was driven, in words."""
        from guerdon_driving.pictures import plan_picture

        return plan_picture(driving_example(example), completion, above=False)

    def metrics(self) -> Mapping[str, Reward]:
        """Planning accuracy, each axis, the layout, and F1 of each action."""
        from guerdon_driving.metrics import planning_metrics

        return planning_metrics(WEIGHTS)


def _parted(examples: Sequence[DrivingExample], share: float, seed: int, path: Path) -> Parted:
    """Examples of one image together; whole images go to eval in a seeded order until it has its share."""
    places: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        places.setdefault(example.image or f"\0{example.id}", []).append(place)
    groups = list(places.values())
    if len(groups) < 2:
        raise TaskError(f"the {len(examples)} examples of {str(path)!r} cannot be parted: they share one image")
    Random(f"parted {seed}").shuffle(groups)
    room = max(1, round(share * len(examples)))
    chosen: set[int] = set()
    for group in groups[:-1]:  # the last stays, whatever the share, for train
        if len(chosen) >= room:
            break
        chosen.update(group)
    train, held_out = (
        tuple(each for place, each in enumerate(examples) if (place in chosen) == side) for side in (False, True)
    )
    return train, held_out
