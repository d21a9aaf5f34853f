r"""Advantages: how much better each attempt was than its siblings, spread over the policy's steps.

An estimator is a frozen dataclass with one method, `estimate(groups, scores) -> Advantages`. With the scored values
$r_1 .. r_n$ of one group, their mean $m$ and their std $s$ (`ddof=1`: over n - 1):

| estimator | advantage of attempt i | source |
|---|---|---|
| `group_relative()` | $(r_i - m) / (s + \epsilon)$ | GRPO (DeepSeekMath, arXiv:2402.03300, section 4.1) |
| `group_relative(std=False)` | $r_i - m$ | Dr. GRPO (arXiv:2503.20783) |
| `leave_one_out()` | $r_i - \frac{1}{n-1} \sum_{j \ne i} r_j$ | RLOO (arXiv:2402.14740) |
| `log_mean_exp()` | what the group's log mean probability owes to attempt i | JEPO (arXiv:2503.19618) |
| `streams({name: weight, ...})` | $\sum_k w_k (v_{k,u} - m_k)$ over streams $k$ | VeRPO (arXiv:2601.03525, eq. 7-9) |
| `returns_to_go({name: weight, ...})` | $\sum_k w_k \sum_{j \ge u} v_{k,j}$, less the group's mean | REINFORCE |
| `weighted_by(part, of)` | another's, times a weight in the score | after Ctrl-U (arXiv:2410.11236) |
| `withheld(part, of)` | another's, none above 0 where the part is below its line | after SearchLLM (arXiv:2603.10473) |

An unscored rollout leaves mean, std and n, gets advantage 0 over its steps, and is marked in `Advantages.scored`, so
that the trainer can keep its tokens out of the loss *and* out of what the loss is averaged over. A dead group (fewer
than two scored attempts, or all of them equal) teaches nothing: its advantages are exactly 0, whatever the epsilon.
"""

from guerdon.advantages.attempts import group_relative, leave_one_out, log_mean_exp
from guerdon.advantages.centring import streams
from guerdon.advantages.dead_groups import alive
from guerdon.advantages.estimator import Advantages, Estimator
from guerdon.advantages.returns import returns_to_go, to_go
from guerdon.advantages.weighing import weighted_by
from guerdon.advantages.withholding import withheld

__all__ = [
    "Advantages",
    "Estimator",
    "alive",
    "group_relative",
    "leave_one_out",
    "log_mean_exp",
    "returns_to_go",
    "streams",
    "to_go",
    "weighted_by",
    "withheld",
]
