"""Folders of rigs: read when asked, split by file, with a list of what could not be read."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging import rig_folders
from guerdon_rigging.file_errors import RigFileError
from guerdon_rigging.rig_folders import RigFolder, bone_columns
from guerdon_rigging.rigs import Mesh, Rig, Skeleton


@pytest.fixture
def folder(tmp_path, made_square):
    """Twelve squares, a file that is none, and things that are no rigs."""
    for at in range(12):
        made_square().save(tmp_path / f"{at:02}.glb")
    (tmp_path / "05.glb").write_bytes(b"glTF")
    (tmp_path / "notes.txt").write_text("no rig")
    (tmp_path / "sub.glb").mkdir()
    return tmp_path


def names(paths):
    return [path.stem for path in paths]


def test_every_fifth_file_is_for_testing(folder):
    rigs = RigFolder(folder)
    assert names(rigs.side("test")) == ["00", "05", "10"]
    assert len(rigs.side("train")) == 9
    assert not set(rigs.side("test")) & set(rigs.side("train"))


def test_a_seed_splits_otherwise_and_always_the_same(folder):
    sides = {seed: names(RigFolder(folder, seed=seed).side("test")) for seed in (None, 0, 1)}
    assert sides[0] == names(RigFolder(folder, seed=0).side("test"))
    assert len({tuple(side) for side in sides.values()}) == 3
    assert all(len(side) == 3 for side in sides.values())


def test_what_cannot_be_read_is_listed_and_not_lost(folder):
    rigs = RigFolder(folder)
    assert rigs.unreadable == {}
    assert len(list(rigs.rigs("test"))) == 2
    assert list(rigs.unreadable) == ["05.glb"]
    assert "cut off" in rigs.unreadable["05.glb"]
    with pytest.raises(RigFileError, match="cut off"):
        rigs.canonical(folder / "05.glb")


def test_files_are_read_when_asked_for_and_once(folder, monkeypatch):
    read = []
    honest = rig_folders.read_stored
    monkeypatch.setattr(rig_folders, "read_stored", lambda path: read.append(path.stem) or honest(path))
    rigs = RigFolder(folder)
    next(rigs.rigs("train"))
    assert read == ["01"]
    list(rigs.rigs())
    list(rigs.rigs("train"))
    assert len(read) == 12


def test_files_can_be_passed_over_before_the_split(folder):
    assert names(RigFolder(folder, without=("00.glb",)).side("test")) == ["01", "06", "11"]


def test_settings_that_cannot_be_are_refused(folder):
    with pytest.raises(ConfigError, match=r"RigFolder\.every"):
        RigFolder(folder, every=1)
    with pytest.raises(ConfigError, match=r"RigFolder\.side"):
        RigFolder(folder).side("validation")
    with pytest.raises(RigFileError, match="no such folder"):
        RigFolder(folder / "gone")


def test_a_bones_column_is_usable_when_a_share_of_vertices_follows_it():
    """Of 100 vertices above 0.1: none, 1, 60, 61; 0.1 itself is not above."""
    weights = np.zeros((100, 4))
    weights[:50, 0] = 0.1
    weights[:1, 1] = weights[:60, 2] = weights[:61, 3] = 0.11
    mesh = Mesh(np.zeros((100, 3)), np.zeros((0, 3), np.int64))
    rig = Rig(mesh, Skeleton(np.zeros((4, 3)), np.arange(-1, 3)), weights)
    assert bone_columns(rig).tolist() == [1, 2]
