"""What is written, before the Khronos glTF validator; `nox -s gltf` installs it and runs these."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from guerdon_rigging.gltf_writing import write_rig
from guerdon_rigging.rigs import Mesh, Rig, Skeleton

MODULES = os.environ.get("GUERDON_GLTF_VALIDATOR")
pytestmark = pytest.mark.skipif(
    not MODULES or not shutil.which("node"),
    reason="GUERDON_GLTF_VALIDATOR names no node_modules with gltf-validator, or Node is not there",
)


def complaints(*files):
    """The validator's messages of each file, errors, warnings and hints alike."""
    script = Path(__file__).with_name("validate_gltf.js")
    done = subprocess.run(
        ["node", str(script), *map(str, files)],
        env={**os.environ, "NODE_PATH": str(Path(MODULES).resolve())},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def cloth(joints, seed=0, vertices=400):
    """A square sheet of random weights over a random tree."""
    rng = np.random.default_rng(seed)
    side = int(vertices**0.5)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side)), axis=-1).reshape(-1, 2)
    points = np.concatenate([grid, rng.normal(0, 0.1, (side * side, 1))], axis=1)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.concatenate([corner[:, None] + [0, 1, side + 1], corner[:, None] + [0, side + 1, side]])
    parents = np.array([-1, *(rng.integers(0, at) for at in range(1, joints))])
    weights = rng.dirichlet(np.full(joints, 0.2), side * side)
    return Rig(Mesh(points, faces), Skeleton(rng.normal(size=(joints, 3)), parents), weights)


@pytest.mark.parametrize(
    ("joints", "options"),
    [
        (1, {}),
        (30, {}),
        (30, {"normals": True}),
        (30, {"influences": "all"}),
        (256, {"normals": True}),
        (257, {}),
        (300, {"influences": "all", "normals": True}),
    ],
)
def test_a_written_rig_is_valid_without_a_warning(tmp_path, joints, options):
    rig = cloth(joints)
    write_rig(rig, tmp_path / "a.glb", **options)
    assert complaints(tmp_path / "a.glb") == [[]]


def test_colours_and_vertices_of_no_joint_are_valid(tmp_path):
    rig = cloth(3)
    weights = rig.weights.copy()
    weights[::7] = 0
    colours = np.random.default_rng(1).uniform(size=(len(weights), 3))
    write_rig(Rig(rig.mesh, rig.skeleton, weights), tmp_path / "a.glb", colours=colours)
    assert complaints(tmp_path / "a.glb") == [[]]


def test_seventy_thousand_vertices_are_valid(tmp_path):
    write_rig(cloth(5, vertices=70_000), tmp_path / "a.glb")
    assert complaints(tmp_path / "a.glb") == [[]]


def test_the_validator_sees_what_is_wrong(tmp_path, made_square):
    """The proof that these tests can fail: a row of weights that sums to a half."""
    half = {"WEIGHTS_0": lambda made: made.add([[0.5, 0, 0, 0]] * 4, "VEC4")}
    made_square(**half).save(tmp_path / "a.glb")
    (found,) = complaints(tmp_path / "a.glb")
    assert "ACCESSOR_WEIGHTS_NON_NORMALIZED" in {message["code"] for message in found}


def test_real_rigs_written_again_are_valid(tmp_path, rigged_dir):
    from guerdon_rigging.rig_folders import RigFolder

    pytest.importorskip("DracoPy", reason="one of the files is compressed with Draco")
    folder = RigFolder(rigged_dir)
    files = []
    for path in folder.files:
        files.append(tmp_path / f"{path.stem}.glb")
        write_rig(folder.canonical(path).rig, files[-1], normals=True)
    found = complaints(*files)
    assert {file.name: messages for file, messages in zip(files, found, strict=True) if messages} == {}


WARNING = 1
"""The validator's severity of a warning; errors are 0. What is less grave speaks of what the makers of these files left
in them: texture coordinates that no material uses, triangles whose corners are one.
"""


def test_real_meshes_with_their_materials_are_valid(tmp_path, rigged_dir):
    from guerdon_rigging.filed_meshes import filed_mesh
    from guerdon_rigging.rig_folders import RigFolder

    pytest.importorskip("DracoPy", reason="one of the files is compressed with Draco")
    files = []
    for path in RigFolder(rigged_dir).files:
        files.append(tmp_path / f"{path.stem}.glb")
        held = filed_mesh(path)
        skeleton = Skeleton(np.zeros((1, 3)), np.array([-1]))
        rig, look = held.restored(Rig(held.mesh, skeleton, np.ones((len(held.mesh.vertices), 1))))
        write_rig(rig, files[-1], look=look)
    found = [[one for one in messages if one["severity"] <= WARNING] for messages in complaints(*files)]
    assert {file.name: messages for file, messages in zip(files, found, strict=True) if messages} == {}
