"""What the rewards of a tree have learnt, for checkpoints: each node's state under its `identity`.

State goes back to the node that it was learnt by, wherever that stands in the tree now: a changed weight around it, a
new term beside it that does not learn, or another order takes nothing away. A changed option of the node itself, or of
what it is made of, makes it another node: its statistics would be those of other numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from guerdon.errors import ConfigError
from guerdon.rewards.algebra import walk
from guerdon.rewards.base import Reward
from guerdon.rewards.identities import identity

_SHOWN = 300
"""Characters of an identity in a message."""


def learning(reward: Reward) -> tuple[Reward, ...]:
    """The nodes that keep state."""
    return tuple(node for node in walk(reward) if node.stateful)


def state_of(reward: Reward) -> dict[str, Any]:
    """What a checkpoint must hold: `{"rewards": [{"of": identity, "state"}, ...]}`."""
    return {"rewards": [{"of": identity(node), "state": node.state_dict()} for node in learning(reward)]}


def load_state(reward: Reward, state: Mapping[str, Any]) -> None:
    """Take up where `state_of` left off.

    Raises:
        ConfigError: it was another reward's, or the same one's with other options; the message has both. Nothing is
            loaded.
    """
    nodes, kept = learning(reward), list(state["rewards"])
    if any("of" not in each for each in kept):
        raise ConfigError(
            "the state was kept by an earlier guerdon, which did not write down of which rewards; begin anew"
        )
    here, there = [identity(node) for node in nodes], [each["of"] for each in kept]
    if Counter(here) != Counter(there):
        raise ConfigError(_differing(Counter(here) - Counter(there), Counter(there) - Counter(here)))
    for node, name in zip(nodes, here, strict=True):
        place = next(place for place, each in enumerate(kept) if each["of"] == name)
        node.load_state_dict(kept.pop(place)["state"])


def _differing(lacking: Counter[str], over: Counter[str]) -> str:
    """What has no state, and what the state that nothing here takes was learnt by."""
    ours, theirs = list(lacking.elements()), list(over.elements())
    start = _common_start(ours + theirs) if ours and theirs else 0
    told = [f"there is no state of {_listed(ours, start)}"] if ours else []
    told += [f"nothing here has the state of {_listed(theirs, start)}"] if theirs else []
    return (
        f"{', and '.join(told)}. What was learnt counts for the same reward with the same options; to begin anew, "
        f"begin in another folder"
    )


def _common_start(texts: list[str]) -> int:
    """From where texts too long to be shown are shown: a little before they differ."""
    if max(map(len, texts)) <= _SHOWN:
        return 0
    length = next(
        (place for place, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1),
        min(map(len, texts)),
    )
    return max(0, length - _SHOWN // 3)


def _listed(texts: list[str], start: int) -> str:
    return ", ".join(f"`{'... ' * bool(start)}{_cut(text[start:])}`" for text in texts)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
