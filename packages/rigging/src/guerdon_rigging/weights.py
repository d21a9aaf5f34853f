"""Skin weights as matrices: kept to a few influences a vertex, normalised, and as the bytes that files store."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from guerdon.errors import ConfigError
from guerdon.fields import whole_number
from guerdon_rigging.rigs import Floats, RigError

LEAST_SUM = 1e-12
"""Rows are divided by at least this, so that a row of zeros stays one."""


def normalised(weights: Floats) -> Floats:
    """Each row divided by max(its sum, 1e-12): it sums to 1, and a row of zeros stays one.

    Args:
        weights: (N, J), >= 0.
    """
    divided: Floats = weights / np.maximum(weights.sum(axis=-1, keepdims=True), LEAST_SUM)
    return divided


def kept(weights: Floats, most: int = 4, drop: float = 0.0) -> Floats:
    """The largest few weights of each vertex, normalised.

    Args:
        weights: (N, J), >= 0; rows need not sum to 1, as those of a skin codec do not.
        most: influences that a vertex keeps; 4 fit one JOINTS_0 of glTF. Of equal weights the first columns stay.
        drop: weights below this share of their row's largest go as well; the baselines of the fact sheet take 0.02.

    Returns:
        (N, J), at most `most` entries of a row above 0. A row sums to 1, or to 0 where it held only zeros.

    Raises:
        RigError: a weight that is negative or not finite.
        ConfigError: `most` below 1, or `drop` outside [0, 1].

    Source: SkinTokens' assembly of a skin (released code).

    >>> kept(np.array([[0.4, 0.25, 0.15, 0.1, 0.06, 0.04]])).round(6).tolist()
    [[0.444444, 0.277778, 0.166667, 0.111111, 0.0, 0.0]]
    """
    whole_number("kept: most", most, 1)
    if not 0.0 <= drop <= 1.0:
        raise ConfigError(f"kept: drop is {drop!r}; a share from 0 to 1 is needed")
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2:
        raise RigError(f"kept: weights have the shape {weights.shape}; (vertices, joints) is needed")
    _weights("kept", weights)
    if not weights.size:
        return weights.copy()
    if weights.shape[1] > most:
        weights = np.where(_largest(weights, most), weights, 0.0)
    if drop:
        weights = np.where(weights < drop * weights.max(axis=1, keepdims=True), 0.0, weights)
    return normalised(weights)


def to_bytes(weights: Floats) -> npt.NDArray[np.uint8]:
    """Weights as the normalised bytes of glTF: value / 255 is read back, and a row sums to 255 exactly.

    Each is rounded, half to even; what a row sums to more or less than 255 is taken off its first largest entry.

    Args:
        weights: (N, K), rows that sum to 1, or to 0.

    Raises:
        RigError: a weight that is negative or not finite, or a row that sums to neither.

    >>> to_bytes(np.array([[0.25, 0.25, 0.25, 0.25]])).tolist()
    [[63, 64, 64, 64]]
    """
    weights = np.asarray(weights, np.float64)
    _weights("to_bytes", weights)
    sums = weights.sum(axis=1)
    if (off := np.flatnonzero((np.abs(sums - 1) > 1e-6) & (sums != 0))).size:
        raise RigError(f"to_bytes: row {off[0]} sums to {sums[off[0]]!r}; 1 or 0 is needed, see `normalised`")
    bytes_ = np.round(weights * 255).astype(np.int64)
    bound = np.flatnonzero(sums)
    bytes_[bound, bytes_[bound].argmax(axis=1)] += 255 - bytes_[bound].sum(axis=1)
    return bytes_.astype(np.uint8)


def _largest(weights: Floats, most: int) -> npt.NDArray[np.bool_]:
    """Where each row's `most` largest are: the first columns of equal ones, whatever a partition's order is."""
    bar = np.partition(weights, weights.shape[1] - most, axis=1)[:, [weights.shape[1] - most]]
    chosen = weights >= bar
    # Zeros more or less are no matter; other ties go by column.
    tied = np.flatnonzero((chosen.sum(axis=1) > most) & (bar[:, 0] > 0))
    order = np.argsort(-weights[tied], axis=1, kind="stable")[:, :most]
    chosen[tied] = False
    chosen[tied[:, None], order] = True
    return chosen


def _weights(where: str, weights: Floats) -> None:
    if not np.isfinite(weights).all():
        row = np.argwhere(~np.isfinite(weights))[0].tolist()
        raise RigError(f"{where}: weight {row} is {weights[tuple(row)]!r}; finite numbers are needed")
    if weights.size and weights.min() < 0:
        row = np.argwhere(weights < 0)[0].tolist()
        raise RigError(f"{where}: weight {row} is {weights[tuple(row)]!r}; no weight is negative")
