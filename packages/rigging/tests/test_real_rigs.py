"""Sixty real files: every one is read, comes back from its own writing, and agrees with what is known of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from guerdon_rigging.bind_poses import bind_error
from guerdon_rigging.canonical import canonical, read_rig
from guerdon_rigging.gltf_skins import read_stored
from guerdon_rigging.gltf_writing import influence_sets, write_rig
from guerdon_rigging.rig_folders import RigFolder, bone_columns

MANY = "khronos_recursive_skeletons.glb"
"""84 skins over one mesh: the index counts the mesh once, the scene shows it 84 times."""


@pytest.fixture(scope="module")
def known(rigged_dir):
    return {entry["file"]: entry for entry in json.loads((rigged_dir / "index.json").read_text())}


@pytest.fixture(scope="module")
def folder(rigged_dir):
    pytest.importorskip("DracoPy", reason="one of the files is compressed with Draco")
    return RigFolder(rigged_dir)


@pytest.fixture(scope="module")
def stored(folder):
    return {path.name: read_stored(path) for path in folder.files}


def test_counts_are_those_of_the_index(stored, known):
    for name, file in stored.items():
        expected = known[name]
        assert len(file.joints) == expected["bones"], name
        assert len(file.skins) == expected["skins"], name
        assert sum(len(part.vertices) for part in file.parts if part.skin is None) == expected["unskinned_verts"], name
        times = 84 if name == MANY else 1
        assert sum(len(part.vertices) for part in file.skinned) >= expected["verts"], name
        if times == 1:
            assert sum(len(part.vertices) for part in file.skinned) == expected["verts"], name
            assert sum(len(part.faces) for part in file.skinned) == expected["tris"], name


def test_rest_is_bind_for_exactly_the_25_files(stored, known):
    """The sheet's claim: those agree up to a rigid map to 1e-3 of their size, the others do not; one is undecided."""
    errors = {name: bind_error(file) for name, file in stored.items()}
    same = {name for name, error in errors.items() if error < 1e-3}
    assert same == {name for name, entry in known.items() if entry["rest_equals_bind"]}
    assert len(same) == 25


def test_the_fox_and_the_horse_are_as_worked_example_11_has_them(folder, stored, rigged_dir):
    """Fox: 1728 stored vertices, 290 distinct, 24 joints of which 22 own weight. Horse: 4400 / 1093, 50 joints."""
    fox = folder.canonical(rigged_dir / "khronos_fox.glb")
    assert (fox.report.stored, len(fox.rig.mesh.vertices)) == (1728, 290)
    assert fox.rig.weights.shape[1] == 24
    assert (fox.rig.weights.max(axis=0) > 1e-6).sum() == 22
    horse = folder.canonical(rigged_dir / "animal_horse.glb")
    assert (horse.report.stored, len(horse.rig.mesh.vertices)) == (4400, 1093)
    assert len(stored["animal_horse.glb"].joints) == 50


def test_every_file_is_read_into_a_canonical_rig(folder, known):
    rigs = list(folder.rigs())
    assert folder.unreadable == {}
    assert len(rigs) == len(known)
    for rig in rigs:
        box = np.stack([rig.mesh.vertices.min(axis=0), rig.mesh.vertices.max(axis=0)])
        assert np.ptp(box, axis=0).max() == pytest.approx(2), rig.name
        np.testing.assert_allclose(box.sum(axis=0), 0, atol=1e-9)
        sums = rig.weights.sum(axis=1)
        assert (np.isclose(sums, 1) | (sums == 0)).all(), rig.name


def test_joints_that_own_weight_are_those_of_the_index(folder, known):
    for path in folder.files:
        used = (folder.canonical(path).rig.weights.max(axis=0) > 1e-6).sum()
        if path.name != MANY and known[path.name]["used_bones"] is not None:
            assert used == known[path.name]["used_bones"], path.name


def test_every_rig_comes_back_from_its_own_writing(folder, tmp_path):
    """Positions, joints, and weights after the cut to four, to 1e-5; triangles and parents exactly."""
    for path in folder.files:
        rig = folder.canonical(path).rig
        write_rig(rig, tmp_path / "b.glb")
        found = read_rig(tmp_path / "b.glb")
        slots, shares = influence_sets(rig.weights, 4)
        cut = np.zeros_like(rig.weights)
        np.add.at(cut, (np.arange(len(cut))[:, None], slots), shares)
        np.testing.assert_allclose(found.mesh.vertices, rig.mesh.vertices, atol=1e-5, err_msg=path.name)
        np.testing.assert_allclose(found.skeleton.joints, rig.skeleton.joints, atol=1e-5, err_msg=path.name)
        np.testing.assert_allclose(found.weights, cut, atol=1e-5, err_msg=path.name)
        assert found.mesh.faces.tolist() == rig.mesh.faces.tolist(), path.name
        assert found.skeleton.parents.tolist() == rig.skeleton.parents.tolist(), path.name
        assert found.skeleton.names == rig.skeleton.names, path.name


def test_the_map_leads_back_to_the_file(folder, stored):
    """Each stored vertex is within the tolerance of welding of the vertex that stands for it, in the frame."""
    for path in folder.files:
        found = folder.canonical(path)
        rest = found.frame.into(np.concatenate([part.rest for part in stored[path.name].skinned]))
        kept = found.places >= 0
        np.testing.assert_allclose(
            found.rig.mesh.vertices[found.places[kept]], rest[kept], atol=5e-5, err_msg=path.name
        )


def test_52_files_have_1197_usable_columns_958_and_239(folder, known):
    """The sheet of SkinTokens: 41 files for training and 11 for testing.

    It does not say which 52. Those of 300 stored vertices and more, without the one that needs Draco and the two whose
    vertices without weight rigging_geometry.md names, are 52, and every fifth of them gives both of its sums.
    """
    few = tuple(name for name, entry in known.items() if entry["verts"] < 300)
    without = (*few, "kenney_male_draco.gltf", "critter_wasp.glb", "plat_bee.glb")
    chosen = RigFolder(folder.folder, without=without)
    counts = {
        side: [len(bone_columns(folder.canonical(path).rig)) for path in chosen.side(side)]
        for side in ("train", "test")
    }
    assert {side: (len(found), sum(found)) for side, found in counts.items()} == {"train": (41, 958), "test": (11, 239)}


def test_what_was_mended_is_reported(folder, rigged_dir):
    """Facts of LICENSES.md and of the sheet: IK feet, a stag's horns, weights that are not numbers."""
    wasp = folder.canonical(rigged_dir / "critter_wasp.glb").report
    assert wasp.mended == 24
    stag = folder.canonical(rigged_dir / "animal_stag.glb").report
    assert len(stag.roots) == 5
    assert sum(count for _, count in stag.unskinned) == 3232
    assert canonical(read_stored(rigged_dir / "khronos_simple_skin.gltf")).report.lines() == []
