r"""How likely the reference answer is, as a number to be rewarded: pure functions of token log-probs.

With $q_i = \pi(a^*_i \mid p, z, a^*_{<i})$ for the n tokens of a reference answer $a^*$ behind a reasoning z, and
$\ell = \sum_i \log q_i$:

| `variant` | value | known as | coefficient on grad log q_i |
|---|---|---|---|
| `prob` | exp(l) | VeriFree | exp(l) |
| `avg-prob` | mean of q_i | RLPR | q_i / n |
| `log-prob` | l | the paper's choice | 1 |
| `avg-log-prob` | l / n | | 1 / n |
| `jepo` | l, credited by `log_mean_exp` | JEPO | exp(l_g) / mean_h exp(l_h), see `jepo_weights` |

The coefficients are the derivatives of the value by each log-prob: the part of the gradient that goes through the
answer's own probability (`Target`).

Source: "Likelihood-Based Reward Designs for General LLM Reasoning" (arXiv 2602.03979) and the code of VeriFree, RLPR
and NOVER, as the fact sheet has them. JEPO's weights are [memory] there; clamping is its [choice].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

from guerdon.errors import ConfigError

Variant = Literal["prob", "avg-prob", "log-prob", "avg-log-prob", "jepo"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
CLAMP = -1e4
"""The least log-prob that is reckoned with, of a token sum as of a mean [choice]: minus infinity is no number."""


def sequence_logprob(logprobs: Sequence[float]) -> float:
    """l, the log-prob of the whole answer, within [CLAMP, 0].

    Args:
        logprobs: of its n >= 1 tokens, natural logs; above 0 by rounding counts as 0, -inf is allowed.

    Raises:
        ValueError: there are no tokens, or one is NaN.
    """
    return max(_total(logprobs), CLAMP)


def _total(logprobs: Sequence[float]) -> float:
    if not logprobs:
        raise ValueError("an answer without tokens has no likelihood")
    total = math.fsum(min(value, 0.0) for value in logprobs) if -math.inf not in logprobs else -math.inf
    if total != total:
        raise ValueError("a log-prob is NaN")
    return total


def likelihood_value(logprobs: Sequence[float], variant: Variant) -> float:
    """The value that a variant makes of an answer's token log-probs; in [0, 1] or [CLAMP, 0].

    Args:
        logprobs: as for `sequence_logprob`.
        variant: see the module's head.

    >>> q = [math.log(0.9), math.log(0.5), math.log(0.8)]
    >>> [round(likelihood_value(q, variant), 6) for variant in ("log-prob", "avg-log-prob", "prob", "avg-prob")]
    [-1.021651, -0.34055, 0.36, 0.733333]
    """
    total = _total(logprobs)
    match variant:
        case "prob":
            return math.exp(total)
        case "avg-prob":
            return math.fsum(math.exp(min(value, 0.0)) for value in logprobs) / len(logprobs)
        case "avg-log-prob":
            return max(total / len(logprobs), CLAMP)
        case "log-prob" | "jepo":
            return max(total, CLAMP)
    raise ConfigError(f"variant is {variant!r}; accepted are {', '.join(map(repr, VARIANTS))}")


def direct_coefficients(logprobs: Sequence[float], variant: Variant) -> tuple[float, ...]:
    """The derivative of `likelihood_value` by each log-prob; all 0 where the clamp holds the value.

    Of `jepo` it is that of l, to be multiplied by the rollout's `jepo_weights`.
    """
    n, total = len(logprobs), _total(logprobs)
    match variant:
        case "prob":
            return (math.exp(total),) * n
        case "avg-prob":
            return tuple(math.exp(min(value, 0.0)) / n for value in logprobs)
        case "avg-log-prob":
            return (1.0 / n if total / n > CLAMP else 0.0,) * n
        case "log-prob" | "jepo":
            return (1.0 if total > CLAMP else 0.0,) * n
    raise ConfigError(f"variant is {variant!r}; accepted are {', '.join(map(repr, VARIANTS))}")


def mean_logprob(logprobs: Sequence[float]) -> float:
    """The mean, l / n, within [CLAMP, 0]."""
    return likelihood_value(logprobs, "avg-log-prob")


def geometric_mean(logprobs: Sequence[float]) -> float:
    """exp(l / n), in [0, 1]: one impossible token shows in it, where a mean of probabilities hides it."""
    return math.exp(_total(logprobs) / len(logprobs))


def perplexity(logprobs: Sequence[float]) -> float:
    """exp(-l / n), from 1 up; finite, since l / n is clamped, and inf only where a float cannot hold it."""
    return _exp(-mean_logprob(logprobs))


def _exp(value: float) -> float:
    return math.exp(value) if value < 709.0 else math.inf


def jepo_weights(logprobs: Sequence[float]) -> list[float]:
    r"""$e^{\ell_g} / \frac1G \sum_h e^{\ell_h}$: G times the softmax of the group's log-probs [memory].

    G times the derivative of the group's value $\log \frac1G \sum_h e^{\ell_h}$ by each l, so that a mean over the
    group's rollouts is the gradient of that value.
    """
    top = max(logprobs)
    shares = [math.exp(value - top) for value in logprobs]
    total = math.fsum(shares)
    return [len(shares) * share / total for share in shares]


def debiased(value: float, baseline: float) -> float:
    """max(0, B - A0): what the reasoning adds to an answer's mean probability. Source: RLPR, threshold 0 [code].

    What reasoning that hurts earns is 0, and carries no signal.
    """
    return max(0.0, value - baseline)


def length_adjusted_perplexity(nll: float, reasoning_tokens: int) -> float:
    """exp(nll / max(1, 1 + log10(T))). Source: NOVER [code].

    Args:
        nll: mean negative log-prob of the tagged reference's tokens, >= 0.
        reasoning_tokens: T >= 0; 0 counts as 1.

    >>> [round(length_adjusted_perplexity(1.2, t), 6) for t in (1, 10, 100, 1000)]
    [3.320117, 1.822119, 1.491825, 1.349859]
    """
    return _exp(nll / max(1.0, 1.0 + math.log10(max(1, reasoning_tokens))))


def perplexity_ranks(perplexities: Sequence[float | None]) -> list[float]:
    """(V - rank) / V with rank 0 for the lowest of the V well-formed ones; 0 for None, who are malformed.

    Equals share the better rank [choice]. Source: NOVER, reasoning reward [code].

    >>> [round(value, 4) for value in perplexity_ranks([2.0, 3.0, 1.5, None])]
    [0.6667, 0.3333, 1.0, 0.0]
    """
    known = [value for value in perplexities if value is not None]
    return [
        0.0 if value is None else (len(known) - sum(other < value for other in known)) / len(known)
        for value in perplexities
    ]


def efficiencies(perplexities: Sequence[float | None], lengths: Sequence[int]) -> list[float]:
    """The share of the other well-formed ones that are both longer and worse, strictly; 0 if there are fewer than 2.

    Source: NOVER, efficiency reward [code].

    >>> efficiencies([2.0, 3.0, 1.5, None], [50, 80, 60, 10])
    [0.5, 0.0, 0.5, 0.0]
    """
    known = [(value, length) for value, length in zip(perplexities, lengths, strict=True) if value is not None]
    if len(known) < 2:
        return [0.0] * len(perplexities)
    return [
        0.0 if value is None else sum(other > value and longer > length for other, longer in known) / (len(known) - 1)
        for value, length in zip(perplexities, lengths, strict=True)
    ]
