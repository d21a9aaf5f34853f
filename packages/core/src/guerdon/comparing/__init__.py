"""Comparing rewards: do two of them order policies alike, and does optimising the one serve the other?

| module | what it tells |
|---|---|
| `mdp`, `regret` | finite decision processes: values, optimal policies, occupancy measures, regret, all exact |
| `canonical`, `starc` | what of a reward can change the order of policies, and how far two rewards are apart in that |
| `pearson` | the two older distances, EPIC and DARD |
| `sampled`, `agreement` | the same question where a reward is known on samples only: prompts and completions |
| `corruptions` | completions to compare on before a policy has written any: a reference, cut, shuffled, doubled ... |
| `divergences`, `proxies` | when a proxy is safe to optimise: correlation, gains, chi-squared, a lower bound |
| `regularized` | what optimising a proxy leads to in a table, with a penalty for leaving the reference policy |

`guerdon compare` asks these questions of two rewards and a file of completions. Everything here is numpy.
"""
