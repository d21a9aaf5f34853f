r"""How the ranges of ToolRL's rewards, and the length it asks for, move with the step of the run.

| schedule | range of the layout reward | range of the correctness reward |
|---|---|---|
| `constant` | as configured, [0, 1] | as configured, [-3, 3] |
| `two_stage` | from step 30 on half of it | before step 30 a third of it |
| `smooth` (released), $p = step / 150$ | $[\min(-1, -2 + 2p), \max(1, 2 - p)]$ | $[\max(-3, -2 - p), \min(3, 2 + p)]$ |
| `smooth_printed`, $p = \min(1, step / 150)$ | $[-2 + p, 2 - p]$ | $[-2 - p, 2 + p]$ |

The two smooth ones differ where the layout is broken in mid-run, at p = 0.5 by half a point. The step comes from
`guerdon.rewards.Context`; the released code reads environment variables and a global counter.

Source: ToolRL (arXiv 2504.13958), section on reward scale and its released code.
"""

from __future__ import annotations

from typing import Literal

from guerdon.errors import ConfigError
from guerdon.fields import one_of, whole_number

Schedule = Literal["constant", "two_stage", "smooth", "smooth_printed"]
SCHEDULES: tuple[Schedule, ...] = ("constant", "two_stage", "smooth", "smooth_printed")
Range = tuple[float, float]

FORMAT_RANGE: Range = (0.0, 1.0)
CORRECTNESS_RANGE: Range = (-3.0, 3.0)
STAGE_STEPS = 30
"""Steps of the first of the two stages."""
SMOOTH_STEPS = 150
"""Steps until the smooth schedules stand still."""
LENGTH_STEPS = 105
"""Steps over which the dynamic length goes from 384 words to 640."""


def format_range(schedule: Schedule, step: int, given: Range = FORMAT_RANGE, steps: int = 0) -> Range:
    """What a broken and a kept layout earn at a step.

    Args:
        schedule: one of the words above.
        step: of the run, from 0 on.
        given: the range as configured.
        steps: how long the stage or the smooth part lasts; 0 for the released code's 30 or 150.

    Returns:
        (low, high), within [-2, 2] where the schedule is smooth.

    >>> format_range("smooth", 75), format_range("smooth_printed", 75), format_range("two_stage", 30)
    ((-1.0, 1.5), (-1.5, 1.5), (0.0, 0.5))
    """
    low, high = given
    if schedule == "two_stage":
        return given if step < (steps or STAGE_STEPS) else (low / 2.0, high / 2.0)
    part = max(step, 0) / (steps or SMOOTH_STEPS)
    if schedule == "smooth":
        return min(-1.0, -2.0 + 2.0 * part), max(1.0, 2.0 - part)
    if schedule == "smooth_printed":
        return -2.0 + min(part, 1.0), 2.0 - min(part, 1.0)
    return given


def correctness_range(schedule: Schedule, step: int, given: Range = CORRECTNESS_RANGE, steps: int = 0) -> Range:
    """What wholly wrong and wholly right calls earn at a step. Arguments as for `format_range`.

    Returns:
        (low, high), within [-3, 3] where the schedule is smooth.

    >>> correctness_range("smooth", 75), correctness_range("two_stage", 0), correctness_range("two_stage", 30)
    ((-2.5, 2.5), (-1.0, 1.0), (-3.0, 3.0))
    """
    low, high = given
    if schedule == "two_stage":
        return (low / 3.0, high / 3.0) if step < (steps or STAGE_STEPS) else given
    if schedule == "constant":
        return given
    part = max(step, 0) / (steps or SMOOTH_STEPS)
    return max(-3.0, -2.0 - part), min(3.0, 2.0 + part)


def hull(*ranges: Range) -> Range:
    """The least range that holds them all: the bounds of a reward over a whole run.

    >>> hull((0.0, 1.0), (0.0, 0.5), (-2.0, 2.0))
    (-2.0, 2.0)
    """
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def words_wanted(step: int, steps: int = LENGTH_STEPS) -> float:
    """How many words of thought the dynamic length asks for: 384 at step 0, 640 at step 105, and so on upwards.

    >>> words_wanted(0), words_wanted(105)
    (384.0, 640.0)
    """
    return 384.0 + (640.0 - 384.0) * max(step, 0) / steps


def check_schedule(title: str, schedule: str, given: Range, usual: Range, steps: int) -> None:
    """Refuse a schedule that does not exist, or that would not heed the configured range.

    Raises:
        ConfigError: names the option and what is accepted.
    """
    one_of(f"{title}.schedule", schedule, SCHEDULES)
    whole_number(f"{title}.steps", steps, 0)
    if schedule.startswith("smooth") and given != usual:
        raise ConfigError(
            f"{title} has the range {list(given)}, which the schedule {schedule!r} does not heed: leave low and high "
            f"at {list(usual)}, or take the schedule 'constant' or 'two_stage'"
        )
