"""verifiers 0.4 (`verifiers.v1`): a guerdon task as a taskset, its environment as an env, its reward as a function.

| here | there |
|---|---|
| `taskset("sql")` | a `Taskset` class: tasks that score themselves; parts are metrics, evidence is in `trace.info` |
| `environment()` | an `Env` class: plays a task's turns, and scores rewards that compare attempts |
| `chat()` | a `Harness` class: one model call per turn, in process, no tools, no sandbox |
| `reward_function("sql")` | an async function for `[env.taskset.task.rewards.NAME] fn = "package.module:function"` |

What has no number (abstain, invalid, infra) raises `guerdon.errors.UnscoredError`: verifiers keeps the error on the
trace, and prime-rl leaves such a trace out of the update. It is never a 0.

Not covered: values per turn or token (an algorithm of prime-rl places those), rewards that learn (verifiers tells a
task nothing of the training), and a task's own metrics beside the reward. docs/adapters/verifiers.md has
a whole package.
"""

from __future__ import annotations

from guerdon.adapters.verifiers.episodes import environment
from guerdon.adapters.verifiers.harnesses import chat
from guerdon.adapters.verifiers.tasksets import reward_function, taskset

__all__ = ["chat", "environment", "reward_function", "taskset"]
