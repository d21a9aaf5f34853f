r"""PageLLM's rewards on tokens, as PPO takes them: an item's at its last token, the page's at the end token.

$$R = \alpha \, r_{page} + (1 - \alpha) \tfrac1n \sum_k r_{item,k}$$

A page of n items gives $(1 - \alpha) r_{item,k} / n$ to the last token of item k, $\alpha r_{page}$ to the end token,
and $-\beta (\log p - \log p_{ref})$ to every token; without the divergence the tokens add up to R. In a run of guerdon
the divergence is the loss's (`train.loss.kl_weight`), and `page/pagellm-v1` gives the other two as streams, which
`returns_to_go` places just so. Source: the fact sheet's choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def mixed_reward(page: float, items: Sequence[float], alpha: float = 0.5) -> float:
    """R above; of no items, `alpha` times the page's.

    >>> mixed_reward(1.5, [0.6, 0.3, -0.3])
    0.85
    """
    return alpha * page + ((1.0 - alpha) * sum(items) / len(items) if items else 0.0)


def token_rewards(
    lengths: Sequence[int],
    items: Sequence[float],
    page: float,
    kl: Sequence[float],
    *,
    alpha: float = 0.5,
    beta: float = 0.05,
) -> list[float]:
    """One reward per token: those of the items in order, then the end token.

    Args:
        lengths: tokens of each of n items, 1 or more.
        items: r_item of each.
        page: r_page.
        kl: `logp - logp_ref` of each token, `sum(lengths) + 1` of them.
        alpha: the page's share.
        beta: weight of the divergence.

    Raises:
        ValueError: the lengths do not fit together.

    >>> found = token_rewards([2, 1, 2], [0.6, 0.3, -0.3], 1.5, [0.1, 0, 0.2, 0, 0, 0.1])
    >>> [round(value, 6) for value in found]
    [-0.005, 0.1, 0.04, 0.0, -0.05, 0.745]
    """
    if len(lengths) != len(items) or any(length < 1 for length in lengths) or len(kl) != sum(lengths) + 1:
        raise ValueError(
            f"{len(items)} items with lengths {list(lengths)!r} and {len(kl)} tokens; one length >= 1 per item and one "
            f"token more than they have are needed"
        )
    placed = [0.0 - beta * each for each in kl]
    for end, value in zip(itertools.accumulate(lengths), items, strict=True):
        placed[end - 1] += (1.0 - alpha) * value / len(items)
    placed[-1] += alpha * page
    return placed
