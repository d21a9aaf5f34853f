"""Pearson's correlation, one way for all who report it.

Axes: N pairs, on the last axis; leading axes (`...`) broadcast and are computed at once. Numpy is imported on the
first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guerdon.ties import EQUAL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def pearson(
    first_N: ArrayLike, second_N: ArrayLike, weights_N: ArrayLike | None = None, *, tolerance: float = EQUAL
) -> Floats:
    """Pearson's r, (...), in [-1, 1].

    Each side is divided by its largest value before anything is squared, so that r is the same at 1e200 and at 1.

    Args:
        first_N: one side, (..., N).
        second_N: the other. A pair in which either is not a finite number is left out.
        weights_N: what each pair counts, 0 or more; None means alike. A pair of weight 0 is left out.
        tolerance: a side is flat where its values differ by no more, relative to the larger of 1 and their size.

    Returns:
        NaN where fewer than two pairs are left or a side is flat: a correlation with a constant is not defined.

    >>> pearson([1.0, 2.0, 3.0], [0.5, 1.0, 1.5]).item(), pearson([1.0, 2.0], [0.3, 0.1 + 0.2]).item()
    (1.0, nan)
    """
    import numpy as np

    one, other = np.broadcast_arrays(np.asarray(first_N, np.float64), np.asarray(second_N, np.float64))
    weights = np.ones(one.shape) if weights_N is None else np.broadcast_to(np.asarray(weights_N, np.float64), one.shape)
    weights = np.where(np.isfinite(one) & np.isfinite(other), weights, 0.0)
    a, b = (_direction(side, weights, tolerance) for side in (one, other))
    defined = ((weights > 0.0).sum(axis=-1) >= 2) & a.any(axis=-1) & b.any(axis=-1)
    return np.asarray(np.where(defined, np.clip((a * b).sum(axis=-1), -1.0, 1.0), np.nan))


def flat(values_N: ArrayLike, *, tolerance: float = EQUAL) -> NDArray[np.bool_]:
    """Whether all values are one but for rounding, (...): a side that `pearson` has no answer for."""
    import numpy as np

    values = np.asarray(values_N, np.float64)
    return np.asarray(~_direction(values, np.ones(values.shape), tolerance).any(axis=-1))


def _direction(values_N: Floats, weights_N: Floats, tolerance: float) -> Floats:
    """Centred under the weights, times their roots, of length 1, (..., N); all 0 where flat."""
    import numpy as np

    kept = weights_N > 0.0
    values = np.where(kept, values_N, 0.0)
    size = np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
    values = values / np.where(size > 0.0, size, 1.0)
    low = np.where(kept, values, 1.0).min(axis=-1, keepdims=True, initial=1.0)  # all lie in [-1, 1]
    high = np.where(kept, values, -1.0).max(axis=-1, keepdims=True, initial=-1.0)
    varies = (high - low) * np.minimum(size, 1.0) > tolerance
    above = np.where(kept & varies, values - low, 0.0)  # from the lowest, exactly: a large offset costs no digits
    total = weights_N.sum(axis=-1, keepdims=True)
    mean = (weights_N * above).sum(axis=-1, keepdims=True) / np.where(total > 0.0, total, 1.0)
    centred = np.where(varies, np.sqrt(weights_N) * (above - mean), 0.0)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.asarray(centred / np.where(length > 0.0, length, 1.0))
