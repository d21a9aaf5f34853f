r"""Online matching with stochastic rewards: filling slots that pay per click.

Offline vertices u are known (advertisers, slots to fill); online vertices v (page views) arrive one by one with the
chance $p_{uv}$ that u succeeds there. Each v attempts at most one u, which is done for when it succeeds; v is gone
either way. The aim is the expected number, or weight, of successful u.

| module | what |
|---|---|
| `instances`, `hard_instances` | instances, their JSON form, and the families on which rules do badly |
| `rules` | Greedy, Stochastic Balance, Ranking, Random; Non-adaptive |
| `markets` | kinds of views that come at random with shares of their own, so that days can be held out |
| `exact` | exact values of rules and of the best policies on small instances |
| `simulation` | Monte Carlo, vectorised over runs |
| `vanishing` | the limit p -> 0 of typed instances |
| `bounds` | offline linear programs: Matching, Subset, Configuration |
| `ratios` | rule over benchmark, held against what is proved |
| `environments`, `tables` | the same as an environment and a task; a table that learns it |

Two benchmarks, never to be mixed: S-OPT (the best policy that knows the graph and not the coins) and the Matching LP,
with S-OPT <= Subset LP <= Matching LP. What is proved against the one need not hold against the other.

Source: Huang, Jiang, Shen, Song, Wu, Zhang, "Online Matching with Stochastic Rewards: Advanced Analyses Using
Configuration Linear Programs" (arXiv 2309.10289), its abstract; definitions as in the fact sheet, which says what is
published, remembered and derived. The paper's own Stochastic Configuration LP is not here: its rows were not read.
"""
