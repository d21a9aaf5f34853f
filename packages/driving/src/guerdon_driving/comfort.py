"""Six bounds on accelerations, jerks and turning: whether passengers would mind.

Signals are smoothed by Savitzky-Golay filters before they are compared, which overshoot where a signal jumps: a brake
to -5 m/s² at once is seen as -5.47. Windows shrink to the number of poses. Bounds are strict, and tested against None,
so that one of 0 is a bound.

Axes: B trajectories, T poses.

Source: NAVSIM's comfort metrics, after nuPlan; windows and orders as in the companion sheet. (One version of the
release passes the trajectory's length instead, as the window of all but the two yaw signals.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from guerdon_driving.motions import STEP_S, Motion

Bound = tuple[float | None, float | None]
BOUNDS: Mapping[str, Bound] = MappingProxyType(
    {
        "longitudinal_acceleration": (-4.05, 2.40),
        "lateral_acceleration": (-4.89, 4.89),
        "jerk": (-8.37, 8.37),
        "longitudinal_jerk": (-4.13, 4.13),
        "yaw_acceleration": (-1.93, 1.93),
        "yaw_rate": (-0.95, 0.95),
    }
)
"""In SI units; `jerk` is that of the magnitude of the acceleration."""
_LEAST = 4
_DECIMALS = 8


@dataclass(frozen=True, eq=False)
class Comfort:
    """What was found, bound by bound."""

    within: Mapping[str, np.ndarray]
    """(B,) bool, in the order of `BOUNDS`."""
    first_s: np.ndarray
    """(B,): seconds from the first pose to the first violation; inf where there is none."""

    @property
    def all(self) -> np.ndarray:
        """(B,) bool: every bound is kept."""
        return np.asarray(np.logical_and.reduce(list(self.within.values())))


def within(values: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    """Which values lie strictly within the bounds, (...) bool; None is no bound, 0 is one. NaN does not lie within.

    >>> within(np.array([-1.0, 0.0, 1.0]), 0.0, None).tolist()
    [False, False, True]
    """
    found = np.asarray(~np.isnan(values))
    if low is not None:
        found &= values > low
    if high is not None:
        found &= values < high
    return np.asarray(found)


def signals(acceleration: np.ndarray, heading: np.ndarray, step_s: float = STEP_S) -> dict[str, np.ndarray]:
    """The six smoothed signals by name, (B, T) each.

    Args:
        acceleration: (B, T, 2), along and across the heading, in m/s².
        heading: (B, T), in radians; jumps by 2 pi are taken out.
        step_s: seconds between poses.

    Raises:
        ValueError: fewer than four poses: the filters have nothing to fit. Or a value that is no finite number.
    """
    length = heading.shape[1]
    if length < _LEAST:
        raise ValueError(f"{length} poses; comfort needs at least {_LEAST}")
    if not (np.isfinite(acceleration).all() and np.isfinite(heading).all()):
        raise ValueError("accelerations or headings hold a value that is no finite number")
    along, across = acceleration[..., 0], acceleration[..., 1]
    smooth = _smoothed(np.stack([along, across, np.hypot(along, across)]), 8, 2)  # three at once
    jerks = _smoothed(smooth[[0, 2]], 15, 2, 1, step_s)
    turned = np.unwrap(heading, axis=1)
    return {
        "longitudinal_acceleration": smooth[0],
        "lateral_acceleration": smooth[1],
        "jerk": jerks[1],
        "longitudinal_jerk": jerks[0],
        "yaw_acceleration": _smoothed(turned, 5, 3, 2, step_s),
        "yaw_rate": _smoothed(turned, 5, 2, 1, step_s),
    }


def comfort(
    acceleration: np.ndarray, heading: np.ndarray, step_s: float = STEP_S, bounds: Mapping[str, Bound] = BOUNDS
) -> Comfort:
    """Judge signals as `signals` takes them by each bound."""
    found = signals(acceleration, heading, step_s)
    kept = {name: within(found[name], *bounds[name]) for name in bounds}
    broken = ~np.logical_and.reduce(list(kept.values()))
    return Comfort({name: np.asarray(each.all(axis=1)) for name, each in kept.items()}, first(broken, step_s))


def comfort_of(motion: Motion) -> Comfort:
    """Judge motions at 10 Hz."""
    return comfort(motion.acceleration, motion.poses[..., 2])


def first(broken: np.ndarray, step_s: float = STEP_S) -> np.ndarray:
    """When each of B rows (B, T) is first True, in seconds from its first pose; inf where never."""
    return np.where(broken.any(axis=1), broken.argmax(axis=1) * step_s, np.inf)


def _smoothed(values: np.ndarray, window: int, order: int, derivative: int = 0, step_s: float = 1.0) -> np.ndarray:
    """Along the last axis; rounded as in NAVSIM, which also hides that 0.1 is no binary fraction."""
    from scipy.signal import savgol_filter

    width = min(window, values.shape[-1])
    smooth = savgol_filter(values, width, order, deriv=derivative, delta=step_s, axis=-1)
    return np.asarray(np.round(smooth, _DECIMALS))
