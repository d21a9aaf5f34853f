"""`guerdon rig`, as it is typed."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from guerdon.errors import ConfigError, PolicyError
from guerdon_rigging.baselines import BASELINES
from guerdon_rigging.canonical import read_rig
from guerdon_rigging.commands import command
from guerdon_rigging.creatures import creature
from guerdon_rigging.gltf_writing import write_rig
from guerdon_rigging.rigs import Mesh, Rig, Skeleton


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made rig's file."""
    path = tmp_path_factory.mktemp("rigs") / "lamp.glb"
    write_rig(creature("lamp", 1), path)
    return path


def run(*words: str | Path) -> Result:
    """Its result; what it raises on purpose is in `exception`."""
    return CliRunner().invoke(command, [str(word) for word in words])


class Model:
    """In the place of the shipped one."""

    asked: ClassVar[list[object]] = []
    """What the last one was made of, and how often it drew."""

    @classmethod
    def of_files(cls, policy: Path | None, codec: Path | None) -> Model:
        cls.asked[:] = [policy, codec]
        return cls()

    def rig(self, mesh: Mesh, seed: int, attempts: int) -> Rig:
        """One joint, in the middle, that has everything; a seed moves it."""
        return self.skin(mesh, Skeleton(np.array([[0.1 * seed, 0, 0]]), np.array([-1])), seed, attempts)

    def skin(self, mesh: Mesh, skeleton: Skeleton, seed: int, attempts: int) -> Rig:
        """Everything follows the last joint."""
        self.asked.append(attempts)
        weights = np.zeros((len(mesh.vertices), len(skeleton)))
        weights[:, -1] = 1
        return Rig(mesh, skeleton, weights)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seam's module, with `Model` in it."""
    module = types.ModuleType("guerdon_rigging.rigger")
    module.Rigger = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "guerdon_rigging.rigger", module)


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("long", [(), ("mesh",)])
def test_both_spellings_rig_a_mesh(long: tuple[str, ...], lamp: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.glb"
    result = run(*long, lamp, "-o", out, "--seed", "2")
    assert result.exit_code == 0, result.output
    assert f"1 joint, 1.00 influences a vertex: {out}" in result.output
    np.testing.assert_allclose(read_rig(out).skeleton.joints, [[0.2, 0, 0]], atol=1e-5)


@pytest.mark.usefixtures("model")
def test_options_may_come_first(lamp: Path, tmp_path: Path) -> None:
    assert run("-o", tmp_path / "out.glb", lamp).exit_code == 0


@pytest.mark.usefixtures("model")
def test_with_a_skeleton_the_model_only_skins(lamp: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.glb"
    assert run(lamp, "--skeleton", lamp, "-o", out).exit_code == 0
    given, got = read_rig(lamp), read_rig(out)
    assert got.weights[:, -1].min() == pytest.approx(1)
    np.testing.assert_allclose(got.skeleton.joints, given.skeleton.joints, atol=1e-5)


@pytest.mark.usefixtures("model")
def test_weights_and_attempts_of_ones_own_reach_the_model(lamp: Path, tmp_path: Path) -> None:
    assert run(lamp, "-o", tmp_path / "a.glb").exit_code == 0
    assert Model.asked == [None, None, 8]
    assert run(lamp, "-o", tmp_path / "b.glb", "--policy", "run", "--codec", "codec", "--attempts", "3").exit_code == 0
    assert Model.asked == [Path("run"), Path("codec"), 3]


def test_nothing_is_written_where_a_pose_names_no_joint(lamp: Path, tmp_path: Path) -> None:
    words = ("--skeleton", lamp, "--baseline", "closest-bone", "--png", tmp_path / "a.png", "--pose", "nobody=1,2,3")
    assert run(lamp, "-o", tmp_path / "a.glb", *words).exit_code != 0
    assert not (tmp_path / "a.glb").exists()


def test_one_file_is_not_written_twice(lamp: Path, tmp_path: Path) -> None:
    result = run("show", lamp, "--png", tmp_path / "a.png", "--turntable", tmp_path / "a.png")
    assert isinstance(result.exception, ConfigError)
    assert "is to be written twice" in str(result.exception)


def test_a_baseline_and_a_model_are_not_asked_for_together(lamp: Path, tmp_path: Path) -> None:
    words = ("--skeleton", lamp, "--baseline", "smoothed", "--policy", "run")
    result = run(lamp, "-o", tmp_path / "a.glb", *words)
    assert isinstance(result.exception, ConfigError)
    assert "--baseline skins without a model" in str(result.exception)


def test_without_the_model_it_says_what_to_install_and_what_works_without(
    lamp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "guerdon_rigging.rigger", None)  # as where torch is not installed
    result = run(lamp, "-o", tmp_path / "out.glb")
    assert isinstance(result.exception, ConfigError)
    assert "which is not installed: pip install 'guerdon-rigging[train]'. --skeleton with" in str(result.exception)
    assert "--baseline" in str(result.exception)
    assert not (tmp_path / "out.glb").exists()


def test_without_the_models_weights_it_says_so_and_what_works_without(
    lamp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Absent:
        @classmethod
        def of_files(cls, policy: None, codec: None) -> None:
            raise PolicyError("no rigging policy can be read from 'weights'")

    module = types.ModuleType("guerdon_rigging.rigger")
    module.Rigger = Absent  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "guerdon_rigging.rigger", module)
    result = run(lamp, "-o", tmp_path / "out.glb")
    assert isinstance(result.exception, ConfigError)
    assert "shipped model" in str(result.exception)
    assert "'weights'" in str(result.exception)
    assert "--baseline" in str(result.exception)


def test_a_command_written_wrongly_is_not_taken_for_a_mesh(
    lamp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("scores", lamp)
    assert result.exit_code == 2
    assert "did you mean 'score'?" in result.output
    monkeypatch.chdir(tmp_path)
    assert "did you mean" not in run("mesh.obj", "-o", "out.glb").output
    (tmp_path / "scores").touch()  # a file of that name is a mesh, if one of another kind
    assert "did you mean" not in run("scores", "-o", "out.glb").output


def test_the_help_names_every_baseline() -> None:
    said = " ".join(run("mesh", "--help").output.split())
    assert all(name in said for name in BASELINES)


def test_a_baseline_skins_without_a_model(lamp: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.glb"
    result = run(lamp, "--skeleton", lamp, "--baseline", "closest-bone", "-o", out)
    assert result.exit_code == 0, result.output
    assert "1.00 influences a vertex" in result.output
    assert read_rig(out).weights.shape == read_rig(lamp).weights.shape


def test_pictures_are_drawn_in_the_pose_asked_for(lamp: Path, tmp_path: Path) -> None:
    rest, posed, turning, rows = (tmp_path / name for name in ("rest.png", "posed.png", "t.gif", "t.png"))
    small = ("--size", "64")
    assert run("show", lamp, "--png", rest, "--turntable", turning, *small).exit_code == 0
    assert run("show", lamp, "--png", posed, "--turntable", rows, "--pose", "shade=0,0,80", *small).exit_code == 0
    assert Image.open(rest).size == Image.open(posed).size == (64, 64)
    assert rest.read_bytes() != posed.read_bytes()
    assert Image.open(turning).format == "GIF"
    assert Image.open(rows).size == (6 * 64, 64)


def test_a_random_pose_is_the_seeds(lamp: Path, tmp_path: Path) -> None:
    drawn = []
    for number, seed in enumerate(("1", "1", "2")):
        path = tmp_path / f"{number}.png"
        assert run("show", lamp, "--png", path, "--pose", "random", "--seed", seed, "--size", "64").exit_code == 0
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]


def test_show_lists_the_tree(lamp: Path) -> None:
    result = run("show", lamp)
    assert result.exit_code == 0
    assert "\n  foot  " in result.output
    assert "\n    arm_0  " in result.output


def test_score_prints_every_part_and_their_weighted_sum(lamp: Path) -> None:
    """5 R_vj + R_vk + R_sc + R_mo."""
    found = json.loads(run("score", lamp, "--json").output)
    four = [found[name] for name in ("joint-coverage", "bone-containment", "skin-sparsity", "deformation-smoothness")]
    assert found["rigging/tokenrig-v1"] == pytest.approx(5 * four[0] + sum(four[1:]))
    table = run("score", lamp, "--mode", "printed").output
    assert "skin-sparsity" in table
    assert "of at most 8" in table
    assert "times 5" in table
    for name in ("joints", "used", "near", "rank"):
        (line,) = [line for line in table.splitlines() if line.startswith(f"  {name} ")]
        assert len(line.split()) > 3  # what it counts is said behind it
    assert "printed" in table


def test_score_counts_joints_that_move_nothing_where_it_is_told_to(tmp_path: Path) -> None:
    """200 of them inside earn more than the artist's rig as printed, so it must be seen that they are there."""
    made = creature("lamp", 3)
    middle = made.skeleton.joints.mean(axis=0)
    joints = np.concatenate([made.skeleton.joints, middle + 0.01 * np.arange(5.0)[:, None]])
    parents = np.concatenate([made.skeleton.parents, np.zeros(5, np.int64)])
    weights = np.pad(made.weights, ((0, 0), (0, 5)))
    path = tmp_path / "idle.glb"
    write_rig(Rig(made.mesh, Skeleton(joints, parents), weights), path)
    used, every = run("score", path, "--json"), run("score", path, "--json", "--joints", "all")
    assert json.loads(every.stdout)["joints"] == json.loads(used.stdout)["joints"] + 5
    assert "--joints all scores those that move nothing too" in used.stderr
    assert "--joints" not in every.stderr


def test_what_a_file_holds_and_is_not_read_is_said_beside_what_is_asked(tmp_path: Path, made_square: Any) -> None:
    """On standard error: what is printed stays JSON. Nothing is left out without a word."""
    made = made_square()
    made.document["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 0}]
    made.document["nodes"].append({"name": "hat", "mesh": 0})
    made.document["scenes"][0]["nodes"].append(3)
    path = made.save(tmp_path / "a.glb")
    for words in (("score", path, "--json"), ("show", path)):
        result = run(*words)
        assert "note: cloth has 1 morph targets; its base shape is read" in result.stderr
        assert "note: cloth (4 vertices) follows no joint and was left out" in result.stderr
        assert "note" not in result.stdout
    out = tmp_path / "out.glb"
    result = run(path, "--skeleton", path, "--baseline", "closest-bone", "-o", out)
    assert "note: cloth has 1 morph targets" in result.stderr


def test_a_root_that_a_given_skeleton_did_not_have_is_said(tmp_path: Path, made_square: Any) -> None:
    made = made_square()
    made.document["nodes"].append({"name": "ik"})
    made.document["skins"][0]["joints"].append(3)
    made.document["skins"][0].pop("inverseBindMatrices", None)
    made.document["scenes"][0]["nodes"].append(3)
    path = made.save(tmp_path / "a.glb")
    result = run(path, "--skeleton", path, "--baseline", "closest-bone", "-o", tmp_path / "out.glb")
    assert result.exit_code == 0, result.output
    assert "note: --skeleton: 2 roots were joined under a new one" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("LAMP",), "nothing to write"),
        (("LAMP", "-o", "out.fbx"), r"'out\.fbx'.*\.glb"),
        (("LAMP", "-o", "out.glb", "--baseline", "heat"), "--skeleton"),
        (("LAMP", "-o", "out.glb", "--skeleton", "LAMP", "--baseline", "warmth"), "'warmth'"),
        (("LAMP", "-o", "LAMP"), "is there already"),
        (("LAMP", "-o", "nowhere/out.glb"), "folder"),
        (("LAMP", "-o", "out.glb", "--pose", "random"), "--png or --turntable"),
        (("LAMP", "--png", "out.png", "--pose", "random", "--pose", "shade=0,0,9"), "one or the other"),
        (("LAMP", "--png", "out.jpg"), r"\.png"),
        (("LAMP", "--turntable", "out.mp4"), r"\.gif or \.png"),
        (("show", "LAMP", "--png", "out.png", "--pose", "tail=0,0,9"), "no joint 'tail'"),
        (("show", "LAMP", "--png", "out.png", "--pose", "random", "--pose", "shade=0,0,9"), "one or the other"),
        (("score", "absent.glb"), r"absent\.glb"),
        (("score", "absent.txt"), "--mesh"),
        (("score", "cat.obj"), r"'cat\.obj' is a mesh, which has no bones"),
        (("LAMP", "--skeleton", "cat.obj", "--baseline", "heat", "-o", "out.glb"), r"'cat\.obj' is a mesh"),
    ],
)
def test_what_is_asked_for_wrongly_is_one_clear_message(
    words: tuple[str, ...], said: str, lamp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*(str(lamp) if word == "LAMP" else word for word in words))
    assert result.exception is not None
    with pytest.raises(ValueError, match=said):
        raise ValueError(str(result.exception))
    assert list(tmp_path.iterdir()) == []
