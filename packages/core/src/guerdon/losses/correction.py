r"""Making up for an engine that is not the trainer: importance weights from the sampler's own log-probs.

Rollouts are drawn from the engine's distribution $\mu$, which rounding, kernels or stale weights keep apart from the
trainer's $\pi_{old}$ under the same weights. With $r_t = \exp(\log\pi_{old,t} - \log\mu_t)$ each step's advantage is
multiplied by a weight that carries no gradient:

| `kind` | weight | known as |
|---|---|---|
| `truncate` | min(r, cap) | truncated importance sampling (TIS): bounded variance, some bias above the cap |
| `mask` | r where floor <= r <= cap, else 0 | masked importance sampling: what the two disagree on teaches nothing |

Sources: Yao et al. 2025, "Your Efficient RL Framework Secretly Brings You Off-Policy RL Training", for truncation per
token (cap 2); masking outside two bounds is what IcePop does (Ling team 2025, the report on Ring-1T).

The clipped surrogate's own ratio stays $\pi / \pi_{old}$, both of the trainer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

CorrectionKind = Literal["truncate", "mask"]


def importance_weights(
    old_N: Tensor, engine_N: Tensor, kind: CorrectionKind = "truncate", *, cap: float = 2.0, floor: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The weight of each step, and which of them lie outside the bounds.

    Args:
        old_N: the trainer's log-probs under the weights that sampled, natural logs; no gradient goes through.
        engine_N: the engine's log-probs of the same steps, at the same temperature.
        kind: see the module's head.
        cap: the largest ratio taken as it is, above 0.
        floor: with `mask`, the smallest; from 0 to `cap`.

    Returns:
        Weights in [0, cap] (N, float32) and a bool per step (N): its ratio was cut, or masked.

    >>> import torch
    >>> old, engine = torch.tensor([0.5, 0.9, 0.1]).log(), torch.tensor([0.5, 0.3, 0.5]).log()
    >>> importance_weights(old, engine)[0]
    tensor([1.0000, 2.0000, 0.2000])
    >>> importance_weights(old, engine, "mask", floor=0.5)[0]
    tensor([1., 0., 0.])
    """
    ratio_N = (old_N.detach() - engine_N).exp()
    above_N = ratio_N > cap
    if kind == "truncate":
        return ratio_N.clamp(max=cap), above_N
    outside_N = above_N | (ratio_N < floor)
    return ratio_N.masked_fill(outside_N, 0.0), outside_N
