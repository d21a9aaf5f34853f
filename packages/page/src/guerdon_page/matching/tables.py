"""A table for `page/allocation-v1` with `shown: offers`: core's tabular policy with its states and actions named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guerdon.fields import whole_number
from guerdon_page.matching.exact import Choose
from guerdon_page.matching.markets import MOST, state, states

if TYPE_CHECKING:
    from guerdon.policies.tabular import TabularPolicy


def allocation_table(size: int = 4) -> TabularPolicy:
    """One row for who is open and who of them wants the view; one action for each advertiser, and none that skips.

    Showing somebody who is not on offer is a skip, so that one can be learned all the same.

    Args:
        size: advertisers, as the task has: 2 to 6.

    Raises:
        ConfigError: it is something else.
    """
    from guerdon.policies.tabular import TabularPolicy

    whole_number("size", size, 2, MOST)
    return TabularPolicy(states(size), [str(u) for u in range(size)])


def greedy_choice(table: TabularPolicy) -> Choose:
    """What the table shows in evaluations, for `exact.policy_value`: the likeliest action, on offer or not."""
    likeliest = [int(row.argmax()) for row in table.logits_SA.detach()]
    column = dict(zip(table.states, likeliest, strict=True))
    return lambda left, alive, edges: int(table.actions[column[state(alive, tuple(edges))]])
