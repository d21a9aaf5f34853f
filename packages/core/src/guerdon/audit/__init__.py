"""Attacking a reward before a policy does. Importing this is light.

What counts as an exploit is defined in `guerdon.audit.findings`: an attack that earns more than an honest answer that
is *wrong* is suspicious; one that earns at least what the honest reference does is an exploit. A reward that penalises
correctly passes.

| module | what it holds |
|---|---|
| `attack`, `layouts` | what an attack is, and what it knows: the prompt, the layout, other examples' answers |
| `attacks` | those that core brings; plugins offer more through the hook `guerdon_attacks` |
| `cases`, `measuring`, `findings` | examples with honest answers; scoring attacks beside them; the verdicts |
| `composing`, `searching` | a bandit over compositions, for exploits that nobody listed |
| `best_of_n` | what the reward likes best of n, held against an independent check |
| `auditing` | the whole of it, `audit(reward, task, attacks)` |
| `tables`, `pages` | the report on a terminal, and as a page |
| `school_of_reward_hacks` | a benchmark of rewards, detectors and monitors |

**Not covered:** attacks of one turn only; nothing here trains a policy, so an exploit that takes many turns, or that no
template comes near, stays unseen. A reward that passes has resisted these attacks, and no more is said.
"""

from guerdon.audit.attack import Attack, Category, Knows, Target
from guerdon.audit.auditing import Report, Settings, audit
from guerdon.audit.findings import Finding
from guerdon.audit.layouts import Layout

__all__ = ["Attack", "Category", "Finding", "Knows", "Layout", "Report", "Settings", "Target", "audit"]
