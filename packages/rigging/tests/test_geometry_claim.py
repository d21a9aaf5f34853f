"""The claim can fail, says what was not run, and its round trip sees what it should."""

from __future__ import annotations

import json

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging import geometry_claim
from guerdon_rigging.geometry_claim import METHODS, RiggingGeometry, made_rig, round_trip
from guerdon_rigging.gltf_writing import write_rig
from guerdon_rigging.rigs import Rig

pytest.importorskip("robust_laplacian")


@pytest.fixture
def folder(tmp_path):
    """Two made rigs, whose rest pose is their bind pose."""
    rig = made_rig()
    for name in ("a.glb", "b.glb"):
        write_rig(rig, tmp_path / name)

    def said(*is_bind):
        entries = [
            {"file": name, "rest_equals_bind": one} for name, one in zip(("a.glb", "b.glb"), is_bind, strict=True)
        ]
        (tmp_path / "index.json").write_text(json.dumps(entries))
        return str(tmp_path)

    return said


def measured(result, name):
    (found,) = [one for one in result.measurements if one.name == name]
    return found


def test_without_data_it_holds_in_part_at_most(monkeypatch):
    monkeypatch.delenv("GUERDON_DATA", raising=False)
    result = RiggingGeometry().run((0, 1))
    assert result.verdict == "held in part"
    assert "GUERDON_DATA" in result.not_run[0]
    assert all(len(one.values) == 2 for one in result.measurements)


def test_it_fails_where_the_index_says_otherwise(folder):
    """Rest is bind in both, and the index denies it of the second: one right, none moved."""
    result = RiggingGeometry(folder(True, False)).run((3,))
    assert result.verdict == "did not hold"
    assert measured(result, "rest = bind files whose vertices agree").values == (1,)
    assert measured(result, "other files whose vertices do not").values == (0,)
    for method in METHODS:
        assert measured(result, f"recall, {method}").whole


def test_an_undecided_file_is_counted_in_neither(folder):
    result = RiggingGeometry(folder(True, None)).run()
    assert measured(result, "other files whose vertices do not").needed == "all 0"
    assert result.verdict == "did not hold"


def test_the_same_seeds_measure_the_same(folder):
    where = folder(True, False)
    assert RiggingGeometry(where).run((5,)) == RiggingGeometry(where).run((5,))


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"index\.json"):
        RiggingGeometry(str(tmp_path)).run()


def test_a_rig_comes_back_and_a_spoilt_one_is_seen(monkeypatch):
    assert max(round_trip(made_rig())) < 1e-6

    def spoilt(rig, path):
        weights = np.roll(rig.weights, 1, axis=1)
        write_rig(Rig(rig.mesh, rig.skeleton, weights, rig.name), path)

    monkeypatch.setattr(geometry_claim, "write_rig", spoilt)
    vertices, weights, joints = round_trip(made_rig())
    assert vertices < 1e-6
    assert weights > 0.5
    assert joints < 1e-6
