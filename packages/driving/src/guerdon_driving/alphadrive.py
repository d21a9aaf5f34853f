r"""The arithmetic of AlphaDrive's rewards: pure functions over sets of actions.

With $A_i$ the actions of one axis in answer $i$ of $G$, $g$ those of the truth, $W$ the weights of actions:

| reading | one axis earns |
|---|---|
| `group_share` | $F_1(A_i, g)\, w(A_i)\,(1 - 0.2 (m_i - 1)/(G - 1))$, $m_i$ answers of the group being the same |
| `printed` | $F_1(A_i, g)\, w(A_i)\,(1 - \min(0.2, c_i/n_i))$, seen $c_i$ times among the first $n_i$ answers |
| `released` | $F_1^{\epsilon}(A_i, g)\, w^{\epsilon}(A_i) \pm 0.4$, plus where each action is seen for the first time |

The total adds both axes and 1 for the layout. Two answers are the same when both their sets are.

Why `group_share` is the default: a share $c_i/n_i$ is never below 1/5 in a group of up to five, so `printed` takes 0.2
off all of them alike and cannot change an advantage; `released` adds, depends on the order of the answers, and is worth
half a right answer. Only `group_share` does what the paper's words and its Figure 2 say; it is ours, not the authors'.

Source: AlphaDrive (arXiv 2503.07608), Algorithm 1 (`printed`) and released code of 2025-03-26 (`released`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Literal

from guerdon_driving.answers import Plan

Mode = Literal["group_share", "printed", "released"]

EPSILON = 1e-6
"""The release's, in every denominator."""


def f1(named: Set[str], truth: Set[str]) -> float:
    r"""$F_1 = 2 |A \cap g| / (|A| + |g|)$; 0.0 where either is empty.

    Hedging pays: with the two likeliest actions at $p_1 \ge p_2$, to name both earns $2(p_1 + p_2)/3$, more than $p_1$
    wherever $p_2 > p_1/2$. `capped` is the cure.

    >>> f1({"KEEP"}, {"KEEP"}), f1({"KEEP", "STOP"}, {"KEEP"})
    (1.0, 0.6666666666666666)
    """
    both = len(named & truth)
    return 2.0 * both / (len(named) + len(truth)) if both else 0.0


def capped(named: Set[str], truth: Set[str], at_most: int | None) -> float:
    """`f1`, or 0.0 for naming more than `at_most` actions (or than the truth has, if that is more); None: no limit."""
    if at_most is not None and len(named) > max(at_most, len(truth)):
        return 0.0
    return f1(named, truth)


def action_weight(named: Set[str], weights: Mapping[str, float]) -> float:
    """The plain mean of the weights of the actions *named* (not of the true ones); 0.0 where there are none."""
    return sum(weights[action] for action in sorted(named)) / len(named) if named else 0.0


def released_f1(named: Set[str], truth: Set[str]) -> float:
    """F1 from precision and recall, 1e-6 in each denominator; 0.0 where there is nothing to count."""
    right = len(named & truth)
    precision, recall = right / (len(named) + EPSILON), right / (len(truth) + EPSILON)
    return 2.0 * precision * recall / (precision + recall + EPSILON)


def released_weight(named: Set[str], weights: Mapping[str, float]) -> float:
    """The sum of the weights of the actions named, over their number and 1e-6."""
    return sum(weights[action] for action in sorted(named)) / (len(named) + EPSILON)


def group_share(plans: Sequence[Plan], most: float = 0.2) -> list[float]:
    """1 for an answer that no other of the group gives, down to `1 - most` where all give the same; 1 for one alone.

    >>> keep, stop = Plan(frozenset({"KEEP"})), Plan(frozenset({"STOP"}))
    >>> [round(value, 4) for value in group_share([keep, keep, keep, stop])]
    [0.8667, 0.8667, 0.8667, 1.0]
    """
    if len(plans) < 2:
        return [1.0] * len(plans)
    times = Counter(plans)
    return [1.0 - most * (times[plan] - 1) / (len(plans) - 1) for plan in plans]


def printed_diversity(plans: Sequence[Plan], most: float = 0.2) -> list[float]:
    """1 less the answer's share of those up to and with it, `most` at most; depends on the order of the answers."""
    seen: Counter[Plan] = Counter()
    values = []
    for number, plan in enumerate(plans, 1):
        seen[plan] += 1
        values.append(1.0 - min(most, seen[plan] / number))
    return values


def released_diversity(named: Set[str], seen: Counter[str], delta: float = 0.4) -> float:
    """`delta` if none of these actions had been seen, else `-delta`; counts them in `seen`, which it changes.

    Of no actions "every one is new" holds too: an empty answer is paid `delta` each time.
    """
    seen.update(named)
    return delta if all(seen[action] == 1 for action in named) else -delta
