"""A recorded city drive (comma2k19): labels and comfort of what a person did."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from guerdon_driving.comfort import comfort
from guerdon_driving.labels import labels

FILE = Path(os.environ.get("GUERDON_DATA", "")) / "driving" / "comma2k19_ego.csv"
pytestmark = pytest.mark.skipif(
    not os.environ.get("GUERDON_DATA") or not FILE.is_file(),
    reason="set GUERDON_DATA to a folder with driving/comma2k19_ego.csv",
)


def drive():
    """Every second row, 10 Hz: x, y, direction of motion, speed."""
    with FILE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::2]
    names = ("x_east", "y_north", "yaw", "speed")
    return np.array([[float(row[name]) for name in names] for row in rows])


def test_a_persons_drive_is_comfortable_window_by_window():
    """4 s windows; the acceleration along is the speed's slope, across it is speed times yaw rate."""
    rows = drive()
    windows = np.stack([rows[begin : begin + 41] for begin in range(0, len(rows) - 41, 10)])
    along = np.gradient(windows[..., 3], 0.1, axis=1)
    across = windows[..., 3] * np.gradient(np.unwrap(windows[..., 2], axis=1), 0.1, axis=1)
    felt = comfort(np.stack([along, across], axis=-1), windows[..., 2])
    assert felt.all.all(), {name: float(kept.mean()) for name, kept in felt.within.items()}


def test_a_persons_drive_has_labels_that_fit_its_speed():
    """ACCELERATE and DECELERATE mean the speed rose or fell by more than 1.5 m/s within 3 s, up to the last step."""
    rows = drive()
    seen = set()
    for begin in range(0, len(rows) - 31, 10):
        x, y, yaw, speed = rows[begin]
        cos, sin = np.cos(yaw), np.sin(yaw)
        path = (rows[begin + 5 : begin + 31 : 5, :2] - [x, y]) @ np.array([[cos, -sin], [sin, cos]])
        pace, way = labels(path, speed)
        gained = rows[begin + 30, 3] - speed
        assert (pace == "ACCELERATE") <= (gained > 1.0)
        assert (pace == "DECELERATE") <= (gained < -1.0)
        seen |= {pace, way}
    assert {"KEEP", "STRAIGHT"} <= seen
