"""`guerdon new`: the distribution it writes works as it stands."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.cli.new import _core_range, scaffold
from guerdon.errors import ConfigError

HELLO = Path(__file__).parents[3] / "examples" / "guerdon-hello"


def files(folder: Path) -> dict[str, str]:
    """Every file's text by its path, but for what tools leave behind."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".md", ".py", ".toml", ".typed")
    }


@pytest.mark.skipif(not HELLO.is_dir(), reason="the examples are part of the repository, not of the wheel")
def test_the_example_in_the_repository_is_what_new_writes(tmp_path):
    assert files(scaffold("hello", tmp_path)) == files(HELLO)


def test_a_new_distribution_passes_its_own_tests_once_installed(tmp_path):
    """Installed by hand, the way pip does it: a folder on the path and a dist-info with the entry point."""
    folder = scaffold("my-field", tmp_path / "made")
    site = tmp_path / "site"
    info = site / "guerdon_my_field-0.1.0.dist-info"
    info.mkdir(parents=True)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    ((key, value),) = project["entry-points"]["guerdon"].items()
    (info / "entry_points.txt").write_text(f"[guerdon]\n{key} = {value}\n")
    env = {"PYTHONPATH": f"{site}:{folder / 'src'}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


def test_the_name_may_carry_the_prefix(tmp_path):
    assert scaffold("guerdon-hello", tmp_path).name == "guerdon-hello"


@pytest.mark.parametrize("name", ["", "Hello", "a b", "../up", "-x", "x-", "9lives", "guerdon-"])
def test_what_is_no_distribution_name_is_refused(name, tmp_path):
    with pytest.raises(ConfigError, match="lower-case words"):
        scaffold(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    scaffold("hello", tmp_path)
    (tmp_path / "guerdon-hello" / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        scaffold("hello", tmp_path)
    assert (tmp_path / "guerdon-hello" / "README.md").read_text() == "mine"


def test_the_command_says_what_to_do_next(tmp_path):
    result = CliRunner().invoke(main, ["new", "next-steps", "--dir", str(tmp_path)])
    assert result.exit_code == 0
    assert "pip install" in result.output


@pytest.mark.parametrize(
    ("version", "expected"), [("0.1.3", ">=0.1,<0.2"), ("0.12.0rc1", ">=0.12,<0.13"), ("2.4.0", ">=2.4,<3")]
)
def test_a_plugin_asks_for_the_core_versions_that_promise_to_work_alike(version, expected):
    assert _core_range(version) == expected


def test_an_installed_distribution_is_not_started_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("guerdon.cli.new._is_installed", lambda distribution: distribution == "guerdon-sql")
    result = CliRunner().invoke(main, ["new", "sql", "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "guerdon-sql is installed already" in result.output
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_that_is_said():
    with pytest.raises(ConfigError, match="cannot write '/proc/nope/guerdon-ok"):
        scaffold("ok", Path("/proc/nope"))
