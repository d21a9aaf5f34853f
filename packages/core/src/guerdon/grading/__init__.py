"""Grading: completions that somebody else sampled, scored by a task's examples and a reward.

Everything that is not our trainer comes through here: `guerdon score`, the reward server, and the adapters to other
trainers. They all say the same thing, a *row*:

| field | what it is |
|---|---|
| `example` | an example's id in the task, or its fields as an object; without a task, what a reward may look at |
| `completion` | what the policy wrote: a text, or chat messages in which the assistant's are the policy's |
| `group` | optional, a text or a whole number: which attempts at one example are compared (if absent, all) |
| `stop` | optional: `length` where a budget cut it |

and any field of a run's rollouts file (`segments`, `prompt`, `token_ids` ...), which then count.
"""

from guerdon.grading.grader import Grader, task_and_reward
from guerdon.grading.rows import Columns, Row, completion_segments

__all__ = ["Columns", "Grader", "Row", "completion_segments", "task_and_reward"]
