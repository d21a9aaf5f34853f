"""How far a planned path is from the one that was driven: ADE, FDE, their best of k, and L2 at horizons.

L2 at 1, 2 and 3 s has two conventions, which differ by about two: every result here says which it is.

- `mean_up_to` (ST-P3, VAD): the mean over all poses up to the horizon;
- `at_horizon` (UniAD [memory]): the distance of the pose at the horizon.

Axes: any leading ones, N poses after now, x and y last (a third column, the heading, is not looked at). NaN in, NaN
out: nothing here judges whether a trajectory is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from guerdon.errors import ConfigError

Convention = Literal["mean_up_to", "at_horizon"]
Counting = Literal["flagged", "raw"]
HORIZONS_S = (1.0, 2.0, 3.0)


def offsets(poses: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The distance of each pose from its true one, in metres: (..., N).

    Raises:
        ValueError: the two have another number of poses.
    """
    if poses.shape[-2] != truth.shape[-2]:
        raise ValueError(f"{poses.shape[-2]} poses against {truth.shape[-2]} true ones; give both the same number")
    apart = poses[..., :2] - truth[..., :2]
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]))


def ade(poses: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Average displacement error: the mean distance over all poses, in metres (...)."""
    return np.asarray(offsets(poses, truth).mean(axis=-1))


def fde(poses: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Final displacement error: the distance of the last pose, in metres (...)."""
    return np.asarray(offsets(poses, truth)[..., -1])


def min_ade(candidates: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """minADE_k: the ADE of the best of k candidates (..., k, N, 2) to one path (..., N, 2); candidates of NaN are left
    out, and NaN is what is left without any.
    """
    each = ade(candidates, truth[..., None, :, :])
    best = np.where(np.isnan(each), np.inf, each).min(axis=-1, initial=np.inf)
    return np.where(np.isinf(best), np.nan, best)


def poses_up_to(horizon_s: float, step_s: float, count: int) -> int:
    """How many poses there are up to a horizon.

    Raises:
        ConfigError: the horizon is no pose's time, or lies beyond the last of `count` poses.
    """
    place = horizon_s / step_s
    if not (1 <= round(place) <= count and abs(place - round(place)) < 1e-6):
        raise ConfigError(f"horizon {horizon_s!r} s is no pose of {count} poses every {step_s!r} s")
    return round(place)


def l2(
    poses: np.ndarray,
    truth: np.ndarray,
    *,
    step_s: float = 0.5,
    horizon_s: float = 3.0,
    convention: Convention = "mean_up_to",
) -> np.ndarray:
    """L2 at one horizon by a named convention, in metres (...).

    Raises:
        ConfigError: an unknown convention, or a horizon without a pose.

    Source: VAD's and ST-P3's released planning metric; UniAD's as remembered.

    >>> truth = np.array([[2.0 * i, 0.0] for i in range(1, 7)])
    >>> off = truth + np.array([[0.0, 0.1 * i] for i in range(1, 7)])
    >>> [round(float(l2(off, truth, convention=each)), 6) for each in ("mean_up_to", "at_horizon")]
    [0.35, 0.6]
    """
    if convention not in get_args(Convention):
        raise ConfigError(f"convention is {convention!r}; accepted are {', '.join(map(repr, get_args(Convention)))}")
    each = offsets(poses, truth)
    until = poses_up_to(horizon_s, step_s, each.shape[-1])
    return each[..., :until].mean(axis=-1) if convention == "mean_up_to" else each[..., until - 1]


def over_samples(values: Sequence[float] | np.ndarray, valid: Sequence[bool] | np.ndarray, counting: Counting) -> float:
    """The mean of a metric over S samples, some with a future that cannot be judged.

    Args:
        values: (S,), a number or NaN.
        valid: (S,), whether each sample's future is whole.
        counting: `flagged` leaves the others out, as VAD's final table does; `raw` counts them as 0, as its running
            sums do, which flatters.

    Returns:
        The mean; NaN without a sample to count.

    >>> over_samples([0.3, 0.5, float("nan")], [True, True, False], "flagged")
    0.4
    """
    kept = np.asarray(values, dtype=np.float64)[np.asarray(valid, dtype=bool)]
    count = len(kept) if counting == "flagged" else len(values)
    return float(kept.sum() / count) if count else float("nan")
