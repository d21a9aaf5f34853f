"""Rest against bind: one rigid map with a uniform scale, for each skin."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon_rigging.bind_poses import bind_error, rest_is_bind, similar
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.gltf_skins import read_stored


def test_a_file_saved_as_it_was_bound_is_at_rest(tmp_path, made_square):
    assert rest_is_bind(made_square().save(tmp_path / "a.glb"))


def test_a_scene_that_is_turned_scaled_and_mirrored_is_still_at_rest(tmp_path, made_square):
    made = made_square()
    turn = {"children": [0], "scale": [-100, 100, 100], "rotation": [0.5, 0.5, 0.5, 0.5], "translation": [7, 0, 0]}
    made.document["nodes"].append(turn)
    made.document["scenes"][0]["nodes"] = [3, 2]
    assert bind_error(read_stored(made.save(tmp_path / "a.glb"))) < 1e-12


def test_a_head_that_went_up_is_not(tmp_path, made_square):
    """The square becomes 1 by 2: the best square, of side 1.5, misses each corner by 1/4 in x and 1/4 in y."""
    made = made_square()
    made.document["nodes"][1]["translation"] = [0, 2, 0]
    stored = read_stored(made.save(tmp_path / "a.glb"))
    assert bind_error(stored) == pytest.approx(0.5**0.5 / 2 / 5**0.5)


def test_the_best_map_is_found():
    """A quarter turn, twice the size, mirrored, moved."""
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]])
    onto = 2 * points[:, [1, 0, 2]] + [5, 6, 7]
    np.testing.assert_allclose(similar(points, onto), onto, atol=1e-12)


def test_a_file_without_a_skin_has_no_bind_pose(tmp_path, made_square):
    made = made_square()
    del made.document["nodes"][2]["skin"]
    with pytest.raises(RigFileError, match="no mesh in it follows joints"):
        rest_is_bind(made.save(tmp_path / "a.glb"))
