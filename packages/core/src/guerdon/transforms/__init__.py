"""Transforms: shaping of reward values. A transform is a value with two pure functions and a declared scope.

```
state = shape.init()                                  # JSON-able: saved, forked and replayed like any other value
values, state = shape.update(values, state, sizes)    # a flat batch of values, and how many of them each group has
```

| scope | a value depends on | |
|---|---|---|
| sample | itself | `clip`, `ceiling`, `scale`, `gate`, `sigmoid`, `tanh`, `stateless` |
| group | the attempts at its prompt | `center`, `standardize` |
| batch | all values of the batch | `center`, `standardize` |
| running | all batches so far | `center`, `standardize`, `min_max`, `clip_to_spread` |

An unscored NaN stays NaN and enters no statistic. Running statistics are *updated before they are used*: a batch is
measured against moments that include it, so the first batch is centred on its own mean.

Shaping by the reward of *reference answers* to the same prompt needs more than the values, and stands with the rewards:
`guerdon.rewards.references`.

>>> shape = chain(center(decay=0.99), clip(-1.0, 1.0))
>>> values, state = shape.update([1.0, 0.0, 0.5], shape.init())
>>> values
[0.5, -0.5, 0.0]
"""

from guerdon.transforms.base import Chain, Scope, Transform, chain
from guerdon.transforms.pointwise import clip, gate, scale, stateless
from guerdon.transforms.ranges import clip_to_spread, min_max
from guerdon.transforms.saturating import ceiling, sigmoid, tanh
from guerdon.transforms.statistics import center, standardize

__all__ = [
    "Chain",
    "Scope",
    "Transform",
    "ceiling",
    "center",
    "chain",
    "clip",
    "clip_to_spread",
    "gate",
    "min_max",
    "scale",
    "sigmoid",
    "standardize",
    "stateless",
    "tanh",
]
