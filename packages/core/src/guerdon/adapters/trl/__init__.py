"""TRL's `GRPOTrainer` and `RLOOTrainer` (1.16): our rewards as its reward functions, our tasks as its data sets.

```python
from trl import GRPOTrainer
from guerdon.adapters import trl

rewards = trl.reward_funcs("sql")                      # a recipe's task and reward; or a Grader, or a Reward alone
trainer = GRPOTrainer(
    model, reward_funcs=rewards, train_dataset=trl.dataset(rewards), callbacks=[trl.RewardState(rewards)]
)
```

| name | what it gives TRL |
|---|---|
| `reward_funcs` | one callable: None where unscored, each part a metric and a column of the completions table |
| `dataset` | the task's examples as rows: `prompt`, `example`, `reference` |
| `RewardState` | a callback that keeps what a reward has learnt in TRL's checkpoints |
| `rollout_func` | multi-turn tasks, and tasks that force the start of a completion |

What it does not cover: per-token values (TRL makes one advantage per sequence), `environment_factory` (our environments
speak as the user and are played by `rollout_func`), images.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from guerdon.adapters.versions import check
from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from guerdon.adapters.trl.checkpoints import RewardState
    from guerdon.adapters.trl.data import dataset
    from guerdon.adapters.trl.rewards import RewardFunction, reward_funcs
    from guerdon.adapters.trl.rollouts import rollout_func

_HOMES = {
    "RewardFunction": "rewards",
    "RewardState": "checkpoints",
    "dataset": "data",
    "reward_funcs": "rewards",
    "rollout_func": "rollouts",
}

_NEEDING = {"dataset", "rollout_func"}

__all__ = ["RewardFunction", "RewardState", "dataset", "reward_funcs", "rollout_func"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _NEEDING:
        check("trl", needed=True)
    try:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{name} needs {error.name}, which is not installed: pip install 'guerdon[trl]'") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
