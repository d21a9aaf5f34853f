"""Controllers: what acts between updates. A controller is settings and two pure functions; the trainer keeps its state.

| | |
|---|---|
| `AdaptiveKL` | turns the KL weight so that the divergence stays near a target |
| `ConstrainedKL` | gives the KL objective the factor that the multipliers of `guerdon.rewards.constrained` ask for |

`proxy_points` searches thresholds around whole stretches of training: an outer loop, for those who write one.
"""

from guerdon.controllers.divergence import AdaptiveKL, ConstrainedKL

__all__ = ["AdaptiveKL", "ConstrainedKL"]
