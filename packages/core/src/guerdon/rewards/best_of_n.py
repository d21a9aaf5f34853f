r"""Best of n: which of n samples a reward picks, and what picking costs and earns, exactly.

To measure a proxy reward under optimisation pressure without training: draw a pool of N samples, pick the best of n by
the proxy, look at gold. Drawing n of the pool again and again is noisy; the expectation over all subsets of size n has
a closed form. With the pool in rising order of the proxy, the sample of rank i (from 1) is the best of its subset with
probability $\binom{i-1}{n-1} / \binom{N}{n}$.

Source: Coste et al. (arXiv:2310.02743), their code; as used for ensembles by Eisenstein et al. (arXiv:2312.09244).
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def best_of(values: Sequence[float]) -> int:
    """The place of the largest; the first of equals, and never one that is NaN.

    Raises:
        ValueError: there is no number among them.
    """
    places = [place for place, value in enumerate(values) if value == value]
    if not places:
        raise ValueError(f"best_of: none of the {len(values)} values is a number")
    return max(places, key=lambda place: (values[place], -place))


def best_of_n_weights(pool: int, n: int) -> list[float]:
    """The probability that the sample of rank i = 1 .. N, from the lowest, is the best of n drawn without replacement.

    Raises:
        ValueError: n is not within 1 .. N.
    """
    if not 1 <= n <= pool:
        raise ValueError(f"best of n = {n} from a pool of {pool}: n from 1 to the size of the pool is needed")
    weights = [0.0] * pool
    weight = n / pool
    for rank in range(pool, n - 1, -1):
        weights[rank - 1] = weight
        if rank > 1:
            weight *= (rank - n) / (rank - 1)
    return weights


def expected_best_of_n(proxy: Sequence[float], values: Sequence[float], n: int) -> float:
    """What the best of n by `proxy` is worth in `values` (gold, or the proxy itself), over all subsets of the pool.

    Of samples that the proxy calls equal, the one that stands first is taken [choice].

    Args:
        proxy: N numbers: what is optimised.
        values: N numbers: what is measured.
        n: how many are drawn.

    Raises:
        ValueError: the two differ in length, hold something that is no finite number, or n is not within 1 .. N.

    >>> expected_best_of_n([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, -10.0], 4)
    -10.0
    """
    if len(proxy) != len(values):
        raise ValueError(f"expected_best_of_n: {len(proxy)} numbers of the proxy for {len(values)} values")
    if not all(map(math.isfinite, (*proxy, *values))):
        raise ValueError("expected_best_of_n: finite numbers are needed; leave unscored samples out of the pool")
    rising = sorted(range(len(proxy)), key=lambda place: (proxy[place], -place))
    weights = best_of_n_weights(len(proxy), n)
    return math.fsum(weight * values[place] for weight, place in zip(weights, rising, strict=True))


def best_of_n_kl(n: int) -> float:
    """How far best of n goes from where it sampled: log n - (n - 1) / n nats, an upper bound of the KL divergence.

    The horizontal axis of a plot of `expected_best_of_n` over n.

    >>> round(best_of_n_kl(64), 6)
    3.174508
    """
    if n < 1:
        raise ValueError(f"best_of_n_kl: n is {n}; a number >= 1 is needed")
    return math.log(n) - (n - 1) / n
