"""CommonRoad's own files become scenes, where the library and the files are there."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_driving.commonroad import _along, _oncoming, read_commonroad
from guerdon_driving.composites import DAC, EP, NC
from guerdon_driving.pdms import epdms, pdms

pytest.importorskip("commonroad", reason="needs guerdon-driving[commonroad]")
FILES = Path(os.environ.get("GUERDON_DATA", "")) / "driving" / "commonroad"
needs_files = pytest.mark.skipif(
    not os.environ.get("GUERDON_DATA") or not FILES.is_dir(),
    reason="set GUERDON_DATA to a folder with driving/commonroad",
)
pytestmark = pytest.mark.filterwarnings("ignore")  # the library's, about ids of the small files
MOTORWAY, TUTORIAL = FILES / "DEU_A9-3_1_T-1.xml", FILES / "ZAM_Tutorial-1_2_T-1.xml"


@needs_files
def test_the_motorway_is_read_whole():
    scene = read_commonroad(MOTORWAY)
    assert (scene.step_s, len(scene.ego), len(scene.lanes), len(scene.kinds)) == (0.2, 21, 32, 9)
    assert scene.speed == pytest.approx(28.2656)
    np.testing.assert_allclose(scene.ego[0], 0.0, atol=1e-9)
    assert scene.ego[-1, 0] == pytest.approx(28.2656 * 4.0, rel=0.01)
    assert set(scene.kinds) == {"vehicle"}


@needs_files
def test_moving_and_standing_obstacles_are_told_apart():
    """The file has two moving cars and one that stands."""
    scene = read_commonroad(TUTORIAL)
    moved = np.linalg.norm(scene.others[:, -1, :2] - scene.others[:, 0, :2], axis=1)
    assert (moved > 1).tolist() == [True, True, False]


@needs_files
def test_a_recorded_vehicle_becomes_the_ego_and_its_own_path_earns_well():
    with pytest.raises(ConfigError, match="there are") as said:
        read_commonroad(MOTORWAY, ego=-1)
    ids = [int(each) for each in str(said.value).partition("[")[2].strip("]").split(",")]
    for ego in ids[:3]:
        scene = read_commonroad(MOTORWAY, ego=ego, horizon_s=4.0)
        assert len(scene.kinds) == len(ids) - 1
        found = pdms(scene, scene.ego[None, 1:])
        assert found.terms[NC].tolist() == [1.0]
        assert found.terms[DAC].tolist() == [1.0]
        assert found.terms[EP].tolist() == [1.0]
        aside = scene.ego[None, 1:] + np.array([0.0, 60.0, 0.0])
        assert epdms(scene, aside).terms[DAC].tolist() == [0.0]


@needs_files
def test_later_is_another_now_with_a_past():
    with pytest.raises(ConfigError, match="there are") as said:
        read_commonroad(MOTORWAY, ego=-1)
    ego = int(str(said.value).partition("[")[2].partition(",")[0])
    scene = read_commonroad(MOTORWAY, ego=ego, begin=10, past_s=1.0)
    assert scene.past.shape == (5, 3)
    assert (scene.past[:, 0] < 0).all()
    assert (np.diff(scene.past[:, 0]) > 0).all()


@needs_files
@pytest.mark.parametrize("name", ["ks", "pm", "st", "custom"])
def test_every_type_of_state_is_read(name):
    scene = read_commonroad(FILES / f"test_reading_{name}_state.xml", horizon_s=0.3)
    assert np.isfinite(scene.others[0]).all()
    assert len(scene.ego) == 4


@needs_files
def test_a_file_without_a_planning_problem_says_so():
    with pytest.raises(ConfigError, match="no planning problem"):
        read_commonroad(FILES / "test_reading_lanelets.xml")


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "bad.xml").write_text("<commonRoad>")
    with pytest.raises(TaskError, match=r"bad\.xml"):
        read_commonroad(tmp_path / "bad.xml")
    with pytest.raises(TaskError, match=r"none\.xml"):
        read_commonroad(tmp_path / "none.xml")


def lanelet(number, left, left_same, right, right_same):
    return SimpleNamespace(
        lanelet_id=number,
        adj_left=left,
        adj_left_same_direction=left_same,
        adj_right=right,
        adj_right_same_direction=right_same,
    )


def test_lanes_beyond_the_middle_are_oncoming_though_they_count_from_their_own_side():
    """From right to left: 0 and 1 drive on, 2 and 3 come towards them, whose left is our right."""
    lanes = [
        lanelet(0, 1, True, None, None),
        lanelet(1, 2, False, 0, True),
        lanelet(2, 1, False, 3, True),
        lanelet(3, 2, True, None, None),
    ]
    network = SimpleNamespace(find_lanelet_by_id=lambda number: lanes[number])
    assert [each.lanelet_id for each in _oncoming(network, lanes[:1])] == [2, 3]
    assert [each.lanelet_id for each in _oncoming(network, lanes[3:])] == [1, 0]


def test_a_planned_path_follows_the_line_beside_it_and_goes_on_straight():
    """One metre to the left of a line that goes 10 m ahead and then up."""
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    path = _along(line, np.array([2.0, 1.0, 0.0]), np.array([0.0, 4.0, 16.0, 26.0]))
    np.testing.assert_allclose(path[:, :2], [[2, 1], [6, 1], [10, 9], [10, 19]], atol=1e-9)
    np.testing.assert_allclose(path[[0, -1], 2], [0.0, np.pi / 2], atol=1e-9)
