"""The claim of the checkers: its control paths, and a small run of it."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_driving.checkers_claim import ARMS, DrivingCheckers, random_path


def test_a_random_path_starts_at_the_speed_it_is_given():
    """The first step of 0.1 s from 10 m/s covers 1 m, give or take 0.06 for the pedals."""
    path = random_path(10.0, 40, np.random.default_rng(0))
    assert path.shape == (40, 3)
    assert np.linalg.norm(path[0, :2]) == pytest.approx(1.0, abs=0.07)


def test_a_random_path_never_drives_back():
    steps = np.diff(random_path(1.0, 40, np.random.default_rng(1))[:, :2], axis=0)
    headings = random_path(1.0, 40, np.random.default_rng(1))[1:, 2]
    assert (steps[:, 0] * np.cos(headings) + steps[:, 1] * np.sin(headings) > -1e-9).all()


def test_the_same_seed_measures_the_same():
    pytest.importorskip("guerdon_driving.pdms")
    claim = DrivingCheckers(scenes=2, per_episode=2)
    found = claim.measure(0)
    assert found == claim.measure(0)
    assert set(found) == set(ARMS)
    assert found["human-like"] > found["random"]
