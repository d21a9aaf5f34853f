"""Meta-actions from a driven path."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_driving.labels import labels

AHEAD = np.array([[5.0 * i, 0.0] for i in range(1, 7)])


@pytest.mark.parametrize(
    ("path", "speed", "wanted"),
    [
        (AHEAD, 10.0, ("KEEP", "STRAIGHT")),
        (np.array([[x, 0.0] for x in (2, 3, 3.5, 3.6, 3.6, 3.6)]), 5.0, ("STOP", "STRAIGHT")),
        (AHEAD + np.array([[0, 3.4 * i / 6] for i in range(1, 7)]), 10.0, ("KEEP", "LEFT_CHANGE")),
        (np.array([[3, 0], [6, 0.5], [8.5, 2], [10, 4], [10.7, 6.5], [10.7, 9.0]]), 5.0, ("KEEP", "LEFT_TURN")),
        (AHEAD - np.array([[0, 3.4 * i / 6] for i in range(1, 7)]), 10.0, ("KEEP", "RIGHT_CHANGE")),
        (np.array([[3, 0], [6, -0.5], [8.5, -2], [10, -4], [10.7, -6.5], [10.7, -9.0]]), 5.0, ("KEEP", "RIGHT_TURN")),
        (AHEAD, 8.0, ("ACCELERATE", "STRAIGHT")),
        (AHEAD, 12.0, ("DECELERATE", "STRAIGHT")),
    ],
)
def test_the_sheets_labels(path, speed, wanted):
    """Worked example 7, its mirror images, and (10 - 8) / 3 = .67 m/s² either way."""
    assert labels(path, speed) == wanted


def test_a_turn_is_seen_before_the_stop_that_ends_it():
    """The last step longer than 0.1 m tells the direction, not the standing after it."""
    path = np.array([[3.0, 0], [5, 1], [5.5, 3], [5.5, 4], [5.5, 4.05], [5.5, 4.05]])
    assert labels(path, 6.0) == ("STOP", "LEFT_TURN")


@pytest.mark.parametrize("path", [AHEAD[:3], np.where(AHEAD == 15, np.nan, AHEAD)])
def test_what_is_no_path_has_no_label(path):
    with pytest.raises(ValueError, match="at least 4"):
        labels(path, 10.0)
