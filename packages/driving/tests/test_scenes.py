"""A scene's file gives it back; a broken one is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guerdon.errors import TaskError
from guerdon_driving.scenes import Scene


def scene(**changed: object) -> Scene:
    """An ego vehicle that drives 10 m/s for two steps, and one parked car."""
    given: dict[str, object] = {
        "step_s": 0.5,
        "ego_size": (4.0, 1.8),
        "ego": np.array([[0.0, 0, 0], [5, 0, 0], [10, 0, 0]]),
        "speed": 10.0,
        "past": np.zeros((0, 3)),
        "others": np.tile([20.0, 3.0, 0.0], (1, 3, 1)),
        "sizes": np.array([[4.0, 1.8]]),
        "kinds": ("vehicle",),
        "drivable": (np.array([[-5.0, -2], [50, -2], [50, 2], [-5, 2]]),),
    }
    return Scene(**(given | changed))  # type: ignore[arg-type]


def test_a_scene_comes_back_from_its_file(tmp_path: Path):
    kept = scene(route=np.array([[0.0, 0], [50, 0]]))
    kept.save(tmp_path / "one.npz")
    read = Scene.load(tmp_path / "one.npz")
    assert (read.step_s, read.ego_size, read.speed, read.kinds) == (0.5, (4.0, 1.8), 10.0, ("vehicle",))
    for name in ("ego", "past", "others", "sizes", "route"):
        np.testing.assert_array_equal(getattr(read, name), getattr(kept, name))
    assert len(read.drivable) == 1
    np.testing.assert_array_equal(read.drivable[0], kept.drivable[0])
    assert read.lanes == ()
    assert scene().route is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and then nothing", b"{}"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(TaskError, match=r"bad\.npz"):
        Scene.load(tmp_path / "bad.npz")
    with pytest.raises(TaskError, match=r"none\.npz"):
        Scene.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ego": np.full((3, 3), np.nan)}, "finite"),
        ({"ego": np.zeros((0, 3)), "others": np.zeros((1, 0, 3))}, "at least one pose"),
        ({"others": np.zeros((1, 2, 3))}, r"others has the shape \(1, 2, 3\)"),
        ({"kinds": ("ghost",)}, "ghost"),
        ({"kinds": ()}, "names 0 objects"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(changed: dict[str, object], said: str):
    with pytest.raises(TaskError, match=said):
        scene(**changed)
