r"""Losses over preferences: DPO and KTO for policies, Bradley-Terry, Reg, centring and ODIN for reward models.

Axes: N policy steps laid end to end, S sequences, P pairs, R rows (the chosen and the rejected of all pairs).

| what | loss of one pair or sequence | source |
|---|---|---|
| `dpo` | $-\log\sigma(\beta(\rho_c - \rho_r) - o)$ | Rafailov et al. 2023, eq. 7; the offset $o$ as in ODPO and MODPO |
| `kto` | $\lambda_y(1 - \sigma(\pm\beta(\rho - z_0)))$ | Ethayarajh et al. 2024, eq. 8 [memory] |
| `bradley_terry` | $-\log\sigma(r_c - r_r - m) + a(r_c^2 + r_r^2) + \eta(r_c + r_r)^2$ | PAR's Reg; centring |
| `odin` | quality and length heads held apart | PAR's re-implementation of ODIN (code) |

with $\rho = \sum_t w_t(\log\pi_t - \log\pi_{ref,t})$ over a sequence's steps. PAR: arXiv 2502.18770, its code, with
$a$ = 0.005. Centring: arXiv 2312.09244, with $\eta$ = 0.01 from TRL. All are means over what they are given, in
float32. A NaN among the inputs makes the loss NaN: what is unscored leaves before it comes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guerdon.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FLAT = 1e-6
"""A side whose values differ by no more, relative to the largest, is constant but for float32's rounding [choice]."""


@dataclass(frozen=True, slots=True)
class PreferenceTerms:
    """A loss over pairs, and what to log of it."""

    loss: Tensor
    accuracy: float
    """Share of the pairs whose chosen one is ahead; ties count half."""
    margin: float
    """Mean lead of the chosen over the rejected: for DPO of implicit rewards, beta times the log-ratios."""


def dpo(
    chosen_P: Tensor,
    rejected_P: Tensor,
    *,
    beta: float = 0.1,
    offsets_P: Tensor | None = None,
    weights_P: Tensor | None = None,
) -> PreferenceTerms:
    """Direct preference optimisation over log-ratios to the reference (`guerdon.losses.ratios`).

    Args:
        chosen_P: log-ratios of the chosen, natural logs.
        rejected_P: of the rejected.
        beta: how much a log-ratio counts, above 0.
        offsets_P: what the chosen must lead by, in the unit of `beta` times a log-ratio. MODPO's loss is that of
            `beta / w` with its margin divided by w.
        weights_P: what each pair counts; None means 1 each. The loss is divided by P either way.

    Returns:
        The mean over pairs; accuracy and margin are the implicit reward's, offsets left aside.

    >>> import torch
    >>> round(float(dpo(torch.tensor([0.0]), torch.tensor([0.0])).loss), 6)  # log 2
    0.693147
    """
    from torch.nn import functional

    lead_P = beta * (chosen_P.float() - rejected_P.float())
    logits_P = lead_P if offsets_P is None else lead_P - offsets_P
    loss_P = -functional.logsigmoid(logits_P)
    return PreferenceTerms((loss_P if weights_P is None else loss_P * weights_P).mean(), *_told(lead_P))


def kto(
    ratios_S: Tensor,
    desirable_S: Tensor,
    baseline: Tensor | float,
    *,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Tensor:
    """Kahneman-Tversky optimisation: single answers, each desirable or not.

    Args:
        ratios_S: log-ratios to the reference of the S answers.
        desirable_S: bool, per answer.
        baseline: z0, the estimate of KL(policy || reference) the answers are held against: the mean log-ratio of
            answers paired with other prompts, at least 0. No gradient goes through it.
        beta: as for `dpo`.
        desirable_weight: lambda_D.
        undesirable_weight: lambda_U.

    Returns:
        The mean over answers, in [0, max(lambda)].
    """
    import torch

    z0 = torch.as_tensor(baseline, dtype=torch.float32).detach().clamp(min=0.0)
    lead_S = beta * (ratios_S.float() - z0)
    loss_S = torch.where(
        desirable_S,
        desirable_weight * (1.0 - torch.sigmoid(lead_S)),
        undesirable_weight * (1.0 - torch.sigmoid(-lead_S)),
    )
    return loss_S.mean()


def bradley_terry(
    chosen_P: Tensor,
    rejected_P: Tensor,
    *,
    margins_P: Tensor | None = None,
    weights_P: Tensor | None = None,
    squares: float = 0.0,
    centering: float = 0.0,
) -> PreferenceTerms:
    """The loss of a reward model whose scores say who wins.

    Args:
        chosen_P: scores of the chosen.
        rejected_P: of the rejected.
        margins_P: what the chosen must lead by; None means 0.
        weights_P: what each pair counts; None means 1 each. The loss is divided by P either way.
        squares: weight of the sum of squared scores (Reg, PAR's 0.005): both towards 0, the lead too.
        centering: eta, weight of the squared sum of the two scores (TRL's 0.01): pins the shift that a comparison
            leaves open, and not the lead.

    Returns:
        The mean over pairs; accuracy and margin are the scores'.

    >>> import torch
    >>> one, nothing = torch.tensor([1.0]), torch.tensor([0.0])
    >>> [round(float(bradley_terry(one, nothing, **extra).loss), 6) for extra in ({}, {"squares": 0.005})]
    [0.313262, 0.318262]
    """
    from torch.nn import functional

    chosen_P, rejected_P = chosen_P.float(), rejected_P.float()
    lead_P = chosen_P - rejected_P
    loss_P = -functional.logsigmoid(lead_P if margins_P is None else lead_P - margins_P)
    if squares:
        loss_P = loss_P + squares * (chosen_P.square() + rejected_P.square())
    if centering:
        loss_P = loss_P + centering * (chosen_P + rejected_P).square()
    return PreferenceTerms((loss_P if weights_P is None else loss_P * weights_P).mean(), *_told(lead_P))


def _told(lead_P: Tensor) -> tuple[float, float]:
    lead_P = lead_P.detach()
    ahead_P = (lead_P > 0).float() + 0.5 * (lead_P == 0).float()
    return float(ahead_P.mean()), float(lead_P.mean())


@dataclass(frozen=True, slots=True)
class OdinTerms:
    """ODIN's loss and its three terms, detached."""

    loss: Tensor
    preference: float
    correlation: float
    """|corr(Q, L)| - corr(Lambda, L), each left out (0) where it is not defined."""
    orthogonality: float


def odin(
    quality_R: Tensor,
    length_R: Tensor,
    tokens_R: Tensor,
    quality_head_W: Tensor,
    length_head_W: Tensor,
    *,
    correlation_weight: float = 1.0,
    orthogonality_weight: float = 1.0,
) -> OdinTerms:
    r"""Two heads on one trunk, so that what length explains has a place of its own; RL then uses Q alone.

    For a reward-model trainer of one's own: `guerdon reward-model` trains one head, by Bradley-Terry.

    $-\log\sigma(Q_c + \Lambda_c - Q_r - \Lambda_r) + (|\mathrm{corr}(Q, L)| - \mathrm{corr}(\Lambda, L))
    + \|W_Q W_\Lambda^T\|_F / (\|W_Q\| \|W_\Lambda\| + 10^{-6})$

    Args:
        quality_R: Q of the R rows of the *global* batch: the chosen of all pairs, then the rejected in the same order.
        length_R: the length head's score of each.
        tokens_R: the length of each response, in tokens.
        quality_head_W: the quality head's weights, (W,) or (1, W), no bias.
        length_head_W: the length head's.
        correlation_weight: of the second term.
        orthogonality_weight: of the third.

    Returns:
        The loss and its terms. A correlation with a constant side (all responses equally long, say) is not defined:
        that term is skipped rather than NaN [choice]; correlations over a small batch are noisy.

    Raises:
        ConfigError: R is not an even number of rows, at least two.
    """
    from torch.nn import functional

    rows = quality_R.shape[0]
    if rows < 2 or rows % 2:
        raise ConfigError(f"odin: {rows} rows; the chosen of all pairs and then the rejected are needed, 2 at least")
    quality_R, length_R, tokens_R = quality_R.float(), length_R.float(), tokens_R.float()
    total_R = quality_R + length_R
    preference = -functional.logsigmoid(total_R[: rows // 2] - total_R[rows // 2 :]).mean()
    correlation = quality_R.new_zeros(())
    if (of_quality := _correlation(quality_R, tokens_R)) is not None:
        correlation = correlation + of_quality.abs()
    if (of_length := _correlation(length_R, tokens_R)) is not None:
        correlation = correlation - of_length
    one_W, other_W = quality_head_W.float().reshape(-1), length_head_W.float().reshape(-1)
    orthogonality = (one_W @ other_W).abs() / (one_W.norm() * other_W.norm() + 1e-6)
    loss = preference + correlation_weight * correlation + orthogonality_weight * orthogonality
    return OdinTerms(loss, float(preference.detach()), float(correlation.detach()), float(orthogonality.detach()))


def _correlation(one_R: Tensor, other_R: Tensor) -> Tensor | None:
    """Pearson's r; None where a side is constant (`FLAT`): its gradient would be NaN, or noise.

    In torch and not by `guerdon.correlation`, since it is trained on.
    """
    if any(bool(each_R.max() - each_R.min() <= FLAT * each_R.abs().max()) for each_R in (one_R, other_R)):
        return None
    one_R, other_R = one_R - one_R.mean(), other_R - other_R.mean()
    found: Tensor = (one_R * other_R).sum() / (one_R.norm() * other_R.norm())
    return found


def average_weights(
    states: Sequence[Mapping[str, Tensor]], shares: Sequence[float] | None = None
) -> dict[str, torch.Tensor]:
    """WARM: one model whose weights are the mean of several that were fine-tuned from one start.

    The *weights* are averaged, not the scores: that is another model than the ensemble's mean, at the cost of one.
    For a script of one's own, over checkpoints of `guerdon reward-model` runs that differ in seed, data or rate.

    Args:
        states: state dicts of the same architecture.
        shares: of each, adding up to 1; None means equal ones.

    Returns:
        A state dict in the types of the first; added up in float64. Whole-number tensors (buffers) must agree.

    Raises:
        ConfigError: none given, shares that do not add up to 1, or states that differ in names, shapes or buffers.
    """
    import torch

    if not states:
        raise ConfigError("average_weights: no state given; at least one is needed")
    shares = [1.0 / len(states)] * len(states) if shares is None else list(shares)
    if len(shares) != len(states) or abs(sum(shares) - 1.0) > 1e-6:
        raise ConfigError(f"average_weights: shares {shares!r} for {len(states)} states; one each is needed, sum 1")
    averaged = {}
    for name, first in states[0].items():
        tensors = [state[name] for state in states if name in state]
        if len(tensors) < len(states) or any(each.shape != first.shape for each in tensors):
            raise ConfigError(f"average_weights: {name!r} is missing from a state, or of another shape in one")
        if not first.is_floating_point():
            if any(not torch.equal(each, first) for each in tensors):
                raise ConfigError(f"average_weights: the whole numbers of {name!r} differ between the states")
            averaged[name] = first.clone()
            continue
        total = sum(share * each.double() for share, each in zip(shares, tensors, strict=True))
        averaged[name] = torch.as_tensor(total).to(first.dtype)
    if extra := next((name for state in states for name in state if name not in averaged), None):
        raise ConfigError(f"average_weights: {extra!r} is not in the first state")
    return averaged
