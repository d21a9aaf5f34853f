r"""Divergences of whole responses as a loss: the part of Correlated Proxies for language policies.

Axes: N policy steps laid end to end, R responses (rollouts). A response's log-ratio is
$\ell = \log\pi(y|x) - \log\pi_{ref}(y|x)$, summed over the policy's own steps
(`guerdon.losses.ratios`).

| kind | estimate over a batch drawn from $\pi$ |
|---|---|
| `sequence_kl` | mean of $\ell + e^{-\ell} - 1$ |
| `sequence_chi2` | mean of $(e^\ell - 1) + (e^{-\ell} - 1)$ |
| `sequence_sqrt_chi2` | $\sqrt{\max(\chi^2, 10^{-4})}$ of the whole batch |

$e^z$ goes on linearly beyond |z| = 10. As in the released code (cassidylaidlaw/llm_optimization), the gradient goes
through $\ell$ alone and not through which responses were drawn. For chi-squared that is, in the mean,
$\frac12\nabla\chi^2(\pi\|\pi_{ref}) + \nabla KL(\pi_{ref}\|\pi)$: the summand $e^{-\ell}$, of mean 1, leaves the
value as it is and pulls towards the reference [derived].

Source: Correlated Proxies (arXiv 2403.03185). `guerdon.comparing.divergences` has the same numbers without torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

SequenceKind = Literal["sequence_kl", "sequence_chi2", "sequence_sqrt_chi2"]
SEQUENCE_KINDS: tuple[SequenceKind, ...] = ("sequence_kl", "sequence_chi2", "sequence_sqrt_chi2")
LEAST = 1e-4
"""The root is taken of no less: its slope at 0 is infinite. Below, there is no gradient."""
LINEAR_BEYOND = 10.0


def chi2_terms(ratios_R: Tensor) -> Tensor:
    """Each response's share in the estimate of chi-squared, (R,); 0 or more."""
    return (_extended_exp(ratios_R) - 1.0) + (_extended_exp(-ratios_R) - 1.0)


def kl_terms(ratios_R: Tensor) -> Tensor:
    """Each response's share in the estimate of KL(policy || reference), (R,); 0 or more."""
    return ratios_R + _extended_exp(-ratios_R) - 1.0


@dataclass(frozen=True, slots=True)
class SequencePenalty:
    """`coefficient` times a divergence of a whole batch, in micro-batches that add up to it exactly."""

    kind: SequenceKind
    coefficient: float

    def __post_init__(self) -> None:
        if self.kind not in SEQUENCE_KINDS:
            accepted = ", ".join(map(repr, SEQUENCE_KINDS))
            raise ConfigError(f"a sequence penalty's kind is {self.kind!r}; accepted are {accepted}")

    def terms(self, ratios_R: Tensor) -> Tensor:
        """What each response adds before the mean (and, for the root, before that), (R,)."""
        return kl_terms(ratios_R) if self.kind == "sequence_kl" else chi2_terms(ratios_R)

    def value(self, mean: float) -> float:
        """The divergence, given the mean of all responses' terms."""
        return math.sqrt(max(mean, LEAST)) if self.kind == "sequence_sqrt_chi2" else mean

    def share(self, ratios_R: Tensor, count: int, mean: float) -> Tensor:
        """A micro-batch's share in the loss: over all of them values and gradients add up to the penalty's.

        Args:
            ratios_R: of its responses; carries the gradient.
            count: responses of the whole batch.
            mean: of all their terms, under the present weights; only the root needs it known beforehand.
        """
        terms_R = self.terms(ratios_R)
        if self.kind != "sequence_sqrt_chi2":
            return self.coefficient * terms_R.sum() / count
        slope = 0.5 / math.sqrt(mean) if mean > LEAST else 0.0
        moved = slope * (terms_R - terms_R.detach()).sum() / count
        return self.coefficient * (moved + self.value(mean) * len(ratios_R) / count)


def _extended_exp(values: Tensor) -> Tensor:
    """e^z, continued along its tangents beyond |z| = 10."""
    inside = values.clamp(-LINEAR_BEYOND, LINEAR_BEYOND).detach()
    near = values.clamp(-LINEAR_BEYOND, LINEAR_BEYOND)
    # Inside, `near` carries the gradient; outside it is constant, and the tangent does.
    return near.exp() + inside.exp() * (values - near)
