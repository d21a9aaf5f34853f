"""What can be set of guerdon's rewards in verl: the fields of `Options`, under verl's `reward_kwargs`."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from guerdon.errors import ConfigError

THEIRS = frozenset({"reward_router_address", "reward_model_tokenizer"})
"""Arguments that verl itself adds to a custom function's call, where a reward model's server is up."""

OnUnscored = Literal["drop_group", "fill"]
MultiTurn = Literal["refuse", "as_written"]


@dataclass(frozen=True)
class Options:
    """Which reward, and what becomes of a sample that it does not score."""

    recipe: str | None = None
    """A recipe, or a run's folder, which have both task and reward."""
    task: str | None = None
    """Another task, `NAME[k=v,...]`: where `extra_info.example` leads. Neither this nor a recipe: rows bring all that
    the reward looks at."""
    reward: tuple[str, ...] = ()
    """Another reward, `W*NAME[k=v,...]`, or several to be summed."""
    on_unscored: OnUnscored = "drop_group"
    """A sample that abstains or that we failed to score: raise `guerdon.errors.UnscoredError`, on which verl's trainer
    (v1) drops the prompt's whole group and asks for another (the deprecated trainer stops); or `fill`, with the number
    below."""
    fill: float | None = None
    """The number for `on_unscored=fill`; `unscored` counts how often it was used."""
    multi_turn: MultiTurn = "refuse"
    """verl hands over a conversation as one text, tool results and all. `as_written` scores that text as if the policy
    had written all of it; by default it is refused, since what a tool said must not earn anything."""
    deadline_s: float = 30.0
    """Wall-clock limit of one rollout, in seconds."""
    workers: int = 1
    """Processes, and sandbox servers, of each of verl's `reward.num_workers`."""
    siblings_s: float = 600.0
    """Of rewards that compare attempts: how long to wait for the rest of a group after the latest arrival, in seconds.
    Those that are there are then compared; one that comes later is unscored, so that verl drops the group."""

    def __post_init__(self) -> None:
        for name, kind in (("on_unscored", OnUnscored), ("multi_turn", MultiTurn)):
            if getattr(self, name) not in get_args(kind):
                hint = ""
                if getattr(self, name) == "raise":
                    hint = "; `drop_group` raises, and verl's trainer makes that a dropped group"
                raise ConfigError(
                    f"field {name!r} is {getattr(self, name)!r}; accepted are "
                    f"{', '.join(map(repr, get_args(kind)))}{hint}"
                )
        filled = self.fill is not None and math.isfinite(self.fill)
        if (self.on_unscored == "fill") != filled:
            raise ConfigError(
                f"field 'fill' is {self.fill!r} and 'on_unscored' is {self.on_unscored!r}; a finite number goes with "
                f"'fill', and no other"
            )
        for name in ("deadline_s", "siblings_s"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f"field {name!r} is {getattr(self, name)!r}; a number of seconds > 0 is needed")


def read_options(given: Mapping[str, Any], where: str) -> Options:
    """The options that a configuration gives, `reward` as one name or a list of them.

    Raises:
        ConfigError: one is unknown or cannot be; the message has its path.
    """
    names = [field.name for field in dataclasses.fields(Options)]
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"accepted are {', '.join(names)}"
            raise ConfigError(f"field '{where}.{name}' is unknown; {hint}")
    made = dict(given)
    if "reward" in made:
        rewards = made["reward"]
        made["reward"] = (rewards,) if isinstance(rewards, str) else tuple(map(str, rewards or ()))
    try:
        return Options(**made)
    except ConfigError as error:
        error.add_note(f"That is in {where!r}.")
        raise
