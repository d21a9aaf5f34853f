"""guerdon's rewards in verl, by dotted path: a function of one sample, or a manager that also sees whole groups.

```sh
# per sample, for any of verl's managers
reward.custom_reward_function.path=pkg://guerdon.adapters.verl +reward.custom_reward_function.reward_kwargs.recipe=sql
# guerdon's manager: the names are checked when the run starts, and rewards that compare attempts get all of them
reward.reward_manager.name=guerdon +reward.reward_kwargs.recipe=sql
```

| module | what it is |
|---|---|
| `data` | the data set as a file that verl reads (`guerdon.adapters.exporting.verl_rows` are its rows) |
| `options` | what can be set, and what becomes of an unscored sample |
| `scoring` | one sample: which example it is, what it earns, and how that is said in verl's words |
| `manager` | the reward manager |
| `siblings` | where the attempts at a prompt meet, each from another worker |
| `plugin` | the entry point by which verl knows the manager's name |

verl imports this package in each of a job's processes: it needs neither verl nor Ray, and loads its modules when asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guerdon.adapters.verl.options import Options

__all__ = ["GuerdonRewardManager", "Options", "compute_score"]


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: dict[str, Any] | None = None, **options: Any
) -> dict[str, float | str]:
    """A custom reward function of verl's: `score`, and beside it always the same keys (see `Scorer.answer`).

    Safe in verl's thread pool: calls that come together are scored together. Reward and task are built at the first
    call and kept.

    Args:
        data_source: the row's.
        solution_str: the decoded response.
        ground_truth: the row's `reward_model.ground_truth`.
        extra_info: the row's own dict, which is only read.
        options: `reward_kwargs` from the configuration, the fields of `Options`; and what verl adds of its own.

    Raises:
        UnscoredError: there is no number, and none was named: verl drops the prompt's group.
        ConfigError: an option is wrong, or the row does not name an example; also for a reward that compares the
            attempts at a prompt, which needs the manager.
    """
    from guerdon.adapters.verl.options import THEIRS, read_options
    from guerdon.adapters.verl.scoring import sample_row, scorer

    mine = scorer(read_options({name: value for name, value in options.items() if name not in THEIRS}, "reward_kwargs"))
    mine.needs(sees="rollout")
    info = dict(extra_info or {})
    row = sample_row(mine.options, solution_str, info, data_source=data_source, ground_truth=ground_truth)
    return mine.answer(mine.ask([row], step=info.get("max_global_steps")).result()[0])


def __getattr__(name: str) -> Any:
    if name == "GuerdonRewardManager":  # its base class is verl's: made when asked for
        from guerdon.adapters.verl.manager import manager_class

        return manager_class()
    if name == "Options":
        from guerdon.adapters.verl.options import Options

        return Options
    raise AttributeError(f"module 'guerdon.adapters.verl' has no attribute {name!r}")
