"""What the rewards of a tree have learnt, for checkpoints: each node's state under its name, in `walk`'s order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from guerdon.errors import ConfigError
from guerdon.rewards.algebra import walk
from guerdon.rewards.base import Reward


def learning(reward: Reward) -> tuple[Reward, ...]:
    """The nodes that keep state."""
    return tuple(node for node in walk(reward) if node.stateful)


def state_of(reward: Reward) -> dict[str, Any]:
    """What a checkpoint must hold: `{"rewards": [{"name", "state"}, ...]}`."""
    return {"rewards": [{"name": node.name, "state": node.state_dict()} for node in learning(reward)]}


def load_state(reward: Reward, state: Mapping[str, Any]) -> None:
    """Take up where `state_of` left off.

    Raises:
        ConfigError: it was another reward's; the message names what is missing and what is too many. Nothing is loaded.
    """
    nodes, kept = learning(reward), state["rewards"]
    names, others = [node.name for node in nodes], [each["name"] for each in kept]
    if names != others:
        raise ConfigError(
            f"the state is that of {others or 'no reward'}; what learns here is {_differing(names, others)}"
        )
    for node, each in zip(nodes, kept, strict=True):
        node.load_state_dict(each["state"])


def _differing(names: list[str], others: list[str]) -> str:
    lacking, over = Counter(names) - Counter(others), Counter(others) - Counter(names)
    told = [f"there is no state of {_listed(lacking)}"] if lacking else []
    told += [f"nothing here has the state of {_listed(over)}"] if over else []
    return f"{names or 'none'}: {', and '.join(told) or 'the order is another'}"


def _listed(names: Counter[str]) -> str:
    return ", ".join(map(repr, names.elements()))
