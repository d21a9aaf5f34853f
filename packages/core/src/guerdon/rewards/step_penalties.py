r"""What a step costs that leaves a reference policy's occupancy, given how much likelier the policy makes it.

Each step gets -coefficient * D, D of a logit d that stands for $\log \mu_\pi / \mu_{ref}$:

| kind | D |
|---|---|
| `sqrt_chi2` | $(e^d - 1)/\sqrt m$, the paper's main method |
| `chi2` | $e^d - 1$ |
| `kl` | d |
| `tv` | the sign of d |

m is the mean of $e^d - 1$ over the batch, 1 % cut at each end; where m <= 0 nothing is scaled. Below 100 samples
nothing is cut: the released code's slice would be empty. A D that is not finite is 0; a penalty is clipped.

Coefficients that the paper tries: 1, .5, .2, .1, .05, .02, .01 times the proxy's standard deviation under the
reference; `guerdon compare` tells it, and the weight that theory gives.

Source: Correlated Proxies (arXiv 2403.03185) and its released code, re-implemented.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from guerdon.errors import ConfigError

Kind = Literal["sqrt_chi2", "chi2", "kl", "tv"]
Floats = NDArray[np.float64]
CUT_FROM = 100
"""With fewer samples nothing is cut before the mean."""
LARGEST = 300.0
"""Of logits: e^300 is finite, squares of it are not needed, and every clip is far below."""


def step_penalties(
    logits_N: ArrayLike, kind: Kind = "sqrt_chi2", coefficient: float = 0.1, *, clip: float = 1000.0, trim: float = 0.01
) -> Floats:
    """-coefficient * D of each step, (N,), within [-clip, clip]; see the module's head.

    A finite logit however large is clipped and not lost; one that is not finite gives 0.

    >>> step_penalties([0.0, 1.0, 2.0]).round(6).tolist()
    [0.0, -0.104524, -0.38865]
    """
    logits = np.asarray(logits_N, dtype=np.float64)
    finite = np.isfinite(logits)
    held = np.clip(np.where(finite, logits, 0.0), -LARGEST, LARGEST)
    if kind == "kl":
        values = held
    elif kind == "tv":
        values = np.sign(held)
    else:
        values = np.expm1(held)
        if kind == "sqrt_chi2" and finite.any():
            ordered = np.sort(values[finite])
            cut = int(trim * len(ordered)) if len(ordered) >= CUT_FROM else 0
            mean = float(ordered[cut : len(ordered) - cut].mean())
            values = values / math.sqrt(mean) if mean > 0.0 else values
    return np.clip(np.where(finite, -coefficient * values, 0.0), -clip, clip) + 0.0


def check_penalty(kind: Kind, coefficient: float, clip: float, trim: float) -> None:
    """See that the fields that both penalties have can be used.

    Raises:
        ConfigError: one cannot; the message says what is accepted.
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"kind is {kind!r}; accepted are {', '.join(map(repr, get_args(Kind)))}")
    if not 0.0 <= coefficient < math.inf:
        raise ConfigError(f"coefficient is {coefficient!r}; a finite number >= 0 is needed")
    if not 0.0 < clip < math.inf:
        raise ConfigError(f"clip is {clip!r}; a finite number > 0 is needed")
    if not 0.0 <= trim < 0.5:
        raise ConfigError(f"trim is {trim!r}; a share in [0, 0.5) is needed, cut at each end")
