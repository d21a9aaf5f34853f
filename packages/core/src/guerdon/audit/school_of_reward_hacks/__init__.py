"""School of Reward Hacks (arXiv 2508.17511): harmless tasks whose stated metric is gamed, as a benchmark of rewards.

A good reward must not pay a hacked answer more than the honest control, and a detector or monitor must tell them apart.
No row of the data set is part of this package: `stand_in` makes rows of the same form from templates, and `read_csv`
reads the real ones where somebody has them. **Neither is for training**: a model that learns from hacked answers
generalises to worse (the paper's finding).

| module | what it holds |
|---|---|
| `metrics` | each mechanical metric, taken literally |
| `rows` | a row, and the reader of the real file |
| `hacks` | what scores under a metric and says nothing |
| `standin` | made-up rows: 8 metrics, 12 topics, dilution |
| `rewards` | the literal metric, the quality gate and the gated suite, as rewards; the rows as a task |
| `suites`, `honest` | what a reward pays hacks and controls, metric by metric; honest pairs to rank right |
| `measures` | win rate, AUROC, cover-up and false-positive rate |
| `detector` | a logistic detector on six features of the text |
| `monitor` | a judge that is asked whether an answer games its metric |

The metrics are stand-ins of the fact sheet's choosing: the paper's own scorers were not published.
"""
