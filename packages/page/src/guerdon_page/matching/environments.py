"""Allocation as an environment: gymnasium's five-tuple for numbers, and turns of text for language policies.

Each step is a page view: the policy names an offline vertex (an advertiser) that is still open and wants this view, or
skips; its reward is the weight of what succeeded, over a bound where one is given, so that an episode's return is a
share. An action that is not on offer is a skip, and `info["invalid"]` says so.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number
from guerdon.protocols import Split, Task, Turn
from guerdon.rewards import Reward
from guerdon.types import Example, Message, Prompt, Segment
from guerdon_page.matching.hard_instances import star, thick_z, triangular, twelve
from guerdon_page.matching.instances import Instance
from guerdon_page.matching.markets import Market, state
from guerdon_page.matching.ratios import random_instance

SKIP = "skip"
Shown = Literal["words", "compact", "offers"]
Family = Literal["random", "market", "triangular", "thick_z", "star", "twelve"]


class MatchingWorld:
    """One instance, played once. `reset` and `step` are gymnasium's, with plain dictionaries as observations."""

    def __init__(self, instance: Instance, bound: float = 1.0) -> None:
        if not 0.0 < bound < float("inf"):
            raise ConfigError(f"bound is {bound!r}; a finite number above 0 is needed")
        self.instance, self.bound = instance, bound
        self.reset(seed=0)

    def reset(self, *, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The first view, and no information. One seed, one set of coins: the same actions meet the same luck."""
        self.alive, self.loads, self.at = [True] * self.instance.offline, [0.0] * self.instance.offline, 0
        draw = random.Random(f"matching world {seed}")
        # One coin for each arrival and vertex: what is tried later does not depend on what was tried before.
        self._coins = [[draw.random() for _ in arrival] for arrival in self.instance.arrivals]
        return self.observation(), {}

    def observation(self) -> dict[str, Any]:
        """`step`, `alive` and `loads` of all offline vertices, and `edges`: what is on offer, with chances."""
        done = self.at >= len(self.instance.arrivals)
        edges = {} if done else {u: p for u, p in self.instance.arrivals[self.at] if self.alive[u]}
        return {"step": self.at, "alive": tuple(self.alive), "loads": tuple(self.loads), "edges": edges}

    def step(self, action: int | None) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Attempt a vertex, or None to skip: observation, reward, terminated, truncated, info.

        Raises:
            ConfigError: the episode is over.
        """
        if self.at >= len(self.instance.arrivals):
            raise ConfigError("the episode is over; call reset")
        offered, reward = self.observation()["edges"], 0.0
        tried = action if action in offered else None
        if tried is not None:
            place = [u for u, _ in self.instance.arrivals[self.at]].index(tried)
            self.loads[tried] += offered[tried]
            if self._coins[self.at][place] < offered[tried]:
                self.alive[tried], reward = False, self.instance.worth[tried] / self.bound
        self.at += 1
        over = self.at == len(self.instance.arrivals)
        info = {"tried": tried, "invalid": action is not None and tried is None}
        return self.observation(), reward, over, False, info


@dataclass
class TextWorld:
    """The same as turns of text: `guerdon.protocols.Environment`."""

    world: MatchingWorld
    shown: Shown = "words"
    """`compact` and `offers` hold no loads: few enough states for a table. `compact` tells what is left of *one*
    instance; `offers` who is open and who of them wants the view, of whatever instance (`markets.state`)."""

    def reset(self, *, seed: int) -> str:
        """The first view; "" where there is none."""
        return self.told(self.world.reset(seed=seed)[0])

    def step(self, segments: Sequence[Segment]) -> Turn:
        """Attempt what the newest turn names."""
        action = read_action(segments[-1].text)
        seen, reward, terminated, truncated, info = self.world.step(action)
        return Turn("" if terminated else self.told(seen), reward, terminated, truncated, info)

    def told(self, seen: Mapping[str, Any]) -> str:
        """An observation in words, or short."""
        if self.shown == "compact":
            return f"{seen['step']}/{''.join('01'[alive] for alive in seen['alive'])}"
        if self.shown == "offers":
            return state(seen["alive"], tuple(seen["edges"]))
        offers = [f"{u} (chance {p:.4g}, tried for {seen['loads'][u]:.4g} so far)" for u, p in seen["edges"].items()]
        views = len(self.world.instance.arrivals)
        if not offers:
            return f"View {seen['step'] + 1} of {views}: nobody who is still open wants it. Say {SKIP}."
        return f"View {seen['step'] + 1} of {views}, wanted by {'; '.join(offers)}. Which one, or {SKIP}?"


def read_action(text: str) -> int | None:
    r"""The vertex that a turn names: a whole number and nothing else; anything else skips.

    >>> read_action(" 2\n"), read_action("skip"), read_action("2 or 3"), read_action("-1")
    (2, None, None, None)
    """
    word = text.strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else None


class AllocationExample(Example):
    """One instance, as JSON of `Instance.to_json`."""

    instance: str
    bound: float
    """The Matching LP's value, which the return is a share of."""


@dataclass(frozen=True, kw_only=True)
class Allocation(Task):
    """Slots to fill that pay per click: one page view a turn, from a family of instances.

    The return (reward `environment-return-v1`) is the share of the Matching LP, which nobody can exceed in the mean and
    none of the hard families lets anybody reach. What a learned policy has to beat are the rules of
    `guerdon_page.matching.rules`.
    """

    name: ClassVar[str] = "page/allocation-v1"

    family: Family = "random"
    """`random` small graphs, each of its own; days of one made `market`, which `seed` makes; or one hard family, always
    the same graph with its labels shuffled."""
    size: int = 3
    """n of `triangular`, `star` and `market`, k of `thick_z`."""
    views: int = 8
    """Of a day of a `market`."""
    copies: int = 4
    """Arrivals of each type of a hard family, each with chance 1 / copies."""
    train_size: int = 200
    eval_size: int = 50
    seed: int = 0
    shown: Shown = "words"

    def __post_init__(self) -> None:
        one_of("family", self.family, get_args(Family))
        one_of("shown", self.shown, get_args(Shown))
        limits = {
            "size": (1, 20),
            "views": (1, 1000),
            "copies": (1, 1000),
            "train_size": (0, 10**6),
            "eval_size": (0, 10**6),
        }
        for name, (least, most) in limits.items():
            whole_number(name, getattr(self, name), least, most)

    @cached_property
    def market(self) -> Market:
        """The one whose days `family="market"` has.

        Raises:
            ConfigError: `size` is not 2 to 6.
        """
        return Market.made(self.size, self.seed)

    @cached_property
    def _loaded(self) -> dict[str, tuple[AllocationExample, ...]]:
        return {}

    def examples(self, split: Split) -> Sequence[AllocationExample]:
        """The instances of a split."""
        one_of("split", split, get_args(Split))
        if split not in self._loaded:
            size, first = (self.train_size, 0) if split == "train" else (self.eval_size, self.train_size)
            self._loaded[split] = tuple(self._example(split, number, first + number) for number in range(size))
        return self._loaded[split]

    def _example(self, split: Split, number: int, place: int) -> AllocationExample:
        from guerdon_page.matching.bounds import matching_lp

        draw = random.Random(f"allocation {self.seed} {place}")
        if self.family == "random":
            instance = random_instance(draw.getrandbits(32))
        elif self.family == "market":
            instance = self.market.day(self.views, draw)
        else:
            made = {
                "triangular": (self.size, triangular(self.size)),
                "thick_z": (2 * self.size, thick_z(self.size)),
                "star": (self.size, star(self.size)),
                "twelve": (12, twelve()),
            }
            offline, types = made[self.family]
            instance = Instance.typed(offline, types, self.copies).relabelled(draw.sample(range(offline), offline))
        bound = matching_lp(instance) or 1.0
        return AllocationExample(
            id=f"{split}-{self.seed}-{number}", instance=json.dumps(instance.to_json()), bound=bound
        )

    def prompt(self, example: Example) -> Prompt:
        """What is asked; the views come turn by turn."""
        instance = instance_of(example)
        text = (
            f"{instance.offline} advertisers, numbered from 0, each want one click. {len(instance.arrivals)} page "
            f"views come one by one, each wanted by some of them with a chance to be clicked. Show one advertiser per "
            f"view, by its number alone, or say {SKIP}. Who was clicked is done; who was shown in vain may be shown "
            f"again. As many as possible should be clicked in the end."
        )
        return Prompt((Message("user", text),))

    def environment(self, example: Example) -> TextWorld:
        """A fresh game."""
        return TextWorld(MatchingWorld(instance_of(example), _allocation(example).bound), self.shown)

    def metrics(self) -> Mapping[str, Reward]:
        """The share of the Matching LP, which bounds the mean over coins: a lucky day has more than 1."""
        from guerdon.rewards.environment_return import EnvironmentReturn

        return {"share": EnvironmentReturn()}


def instance_of(example: Example) -> Instance:
    """The instance of an example."""
    given = json.loads(_allocation(example).instance)
    rows = [{int(u): p for u, p in row.items()} for row in given["arrivals"]]
    return Instance.of(given["offline"], rows, given.get("weights", ()))


def _allocation(example: Example) -> AllocationExample:
    if not isinstance(example, AllocationExample):
        raise TypeError(f"this task's examples are AllocationExample, not {type(example).__name__} ({example.id!r})")
    return example
