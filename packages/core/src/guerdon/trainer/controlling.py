"""What controllers may turn, and how the loop lets them: `Controls` keeps their states and the knobs' values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from guerdon.errors import ConfigError, RunError
from guerdon.protocols import Update

if TYPE_CHECKING:
    from guerdon.protocols import Controller
    from guerdon.rewards import Reward, Scores
    from guerdon.trainer.config import TrainConfig
    from guerdon.trainer.measures import Metrics
    from guerdon.types import Group

KNOBS: Mapping[str, tuple[str, str]] = {
    "kl_weight": ("loss", "kl_weight"),
    "clip_low": ("loss", "clip_low"),
    "clip_high": ("loss", "clip_high"),
    "lr": ("optimizer", "lr"),
}
"""Knob to where it stands in `train`. What happens while rollouts are drawn is no knob: a killed step replays them."""


@dataclass
class Controls:
    """A run's controllers between two updates."""

    controllers: Sequence[Controller]
    states: list[Any]
    """One per controller."""
    knobs: dict[str, float]
    """Every knob's value, for the next update."""
    turned: frozenset[str] = field(default=frozenset())
    """The knobs that some controller sets."""

    @classmethod
    def of(cls, controllers: Sequence[Controller], config: TrainConfig, reward: Reward) -> Self:
        """The controls as a run starts.

        Raises:
            ConfigError: a controller sets what is no knob, what another sets too, or cannot control this run.
        """
        owners: dict[str, str] = {}
        for controller in controllers:
            for knob in controller.sets:
                if knob not in KNOBS:
                    accepted = ", ".join(map(repr, KNOBS))
                    raise ConfigError(f"the controller {controller.name} sets {knob!r}; accepted are {accepted}")
                if knob in owners:
                    raise ConfigError(
                        f"the controllers {owners[knob]} and {controller.name} both set {knob!r}; leave one out"
                    )
                owners[knob] = controller.name
        start = {name: float(getattr(getattr(config, part), option)) for name, (part, option) in KNOBS.items()}
        made = cls(tuple(controllers), [None] * len(controllers), start, frozenset(owners))
        given = dict(start)  # what the recipe says, whichever controller stands first
        for place, controller in enumerate(controllers):
            turned, made.states[place] = controller.init(given, reward)
            made._turn(controller, turned)
        made.applied(config)
        return made

    def __bool__(self) -> bool:
        return bool(self.controllers)

    def sets(self, knob: str) -> bool:
        """Whether a controller sets it."""
        return knob in self.turned

    def applied(self, config: TrainConfig) -> TrainConfig:
        """The settings with the knobs where the controllers left them.

        Raises:
            ConfigError: a knob was turned beyond what its setting accepts.
        """
        changed: dict[str, Any] = {}
        for knob in sorted(self.turned):
            part, option = KNOBS[knob]
            old = changed.get(part, getattr(config, part))
            try:
                changed[part] = type(old).model_validate({**dict(old), option: self.knobs[knob]})
            except ValidationError as error:
                why = error.errors()[0]["msg"]
                raise ConfigError(f"a controller set {knob!r} to {self.knobs[knob]!r}: {why}") from None
        return config.model_copy(update=changed) if changed else config

    def metrics(self) -> Metrics:
        """`control/KNOB` for each that a controller sets: its value in the update just made."""
        return {f"control/{knob}": self.knobs[knob] for knob in sorted(self.turned)}

    def act(
        self, step: int, total_steps: int, reward: Reward, groups: Sequence[Group], scores: Scores, metrics: Metrics
    ) -> None:
        """Let every controller see the update that was made, and turn its knobs for the next one."""
        if not self.controllers:
            return
        update = Update(step, total_steps, reward, groups, scores, metrics, dict(self.knobs))
        for place, controller in enumerate(self.controllers):
            turned, self.states[place] = controller.act(update, self.states[place])
            self._turn(controller, turned)

    def _turn(self, controller: Controller, turned: Mapping[str, float]) -> None:
        for knob, value in turned.items():
            if knob not in controller.sets or not math.isfinite(value):
                raise ConfigError(
                    f"the controller {controller.name} set {knob!r} to {value!r}; finite values of the knobs it "
                    f"declares ({', '.join(controller.sets) or 'none'}) are accepted. That is a bug in the controller."
                )
            self.knobs[knob] = float(value)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold."""
        knobs = {knob: self.knobs[knob] for knob in sorted(self.turned)}
        kept = zip(self.controllers, self.states, strict=True)
        return {"knobs": knobs, "controllers": [{"name": one.name, "state": state} for one, state in kept]}

    def load_state_dict(self, state: Mapping[str, Any], where: str) -> None:
        """Take up where `state_dict` left off.

        Raises:
            RunError: it was that of other controllers; `where` names the checkpoint.
        """
        names, kept = [one.name for one in self.controllers], [each["name"] for each in state["controllers"]]
        if names != kept or set(state["knobs"]) != self.turned:
            raise RunError(f"checkpoint {where} holds the state of the controllers {kept}, the recipe has {names}")
        self.states = [each["state"] for each in state["controllers"]]
        self.knobs.update(state["knobs"])
