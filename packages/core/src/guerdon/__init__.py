"""guerdon: tailored rewards for RL post-training.

Public names load on first use, so that `import guerdon` costs next to nothing and brings neither torch nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guerdon.rewards import Context, Reward, ensemble, reward
    from guerdon.types import Example, Group, Message, Prompt, Rollout, Score, Segment

_HOMES = {
    **dict.fromkeys(("Example", "Group", "Message", "Prompt", "Rollout", "Score", "Segment"), "guerdon.types"),
    **dict.fromkeys(("Context", "Reward", "ensemble", "reward"), "guerdon.rewards"),
}

__all__ = [
    "Context",
    "Example",
    "Group",
    "Message",
    "Prompt",
    "Reward",
    "Rollout",
    "Score",
    "Segment",
    "ensemble",
    "reward",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'guerdon' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
