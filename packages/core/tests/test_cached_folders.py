"""A cached folder is there whole or not at all."""

from pathlib import Path

import pytest

from guerdon.cached_folders import built_once, cache_folder


def test_the_cache_moves_with_its_variable(monkeypatch):
    monkeypatch.setenv("GUERDON_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"
    monkeypatch.setenv("GUERDON_CACHE", "")
    assert cache_folder() == Path.home() / ".cache" / "guerdon"


def test_a_folder_is_built_once(tmp_path):
    built = []

    def build(folder):
        built.append(folder)
        (folder / "whole").write_text("yes")

    for _ in range(2):
        assert (built_once(tmp_path / "a" / "b", build) / "whole").read_text() == "yes"
    assert len(built) == 1
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_build_leaves_nothing_behind(tmp_path, error):
    def fails(folder):
        (folder / "half").write_text("")
        raise error

    with pytest.raises(type(error)):
        built_once(tmp_path / "a" / "b", fails)
    assert list((tmp_path / "a").iterdir()) == []


def test_of_two_that_build_at_once_the_first_one_wins(tmp_path):
    def slower(folder):
        (folder / "by").write_text("second")
        built_once(tmp_path / "b", lambda other: (other / "by").write_text("first"))

    assert (built_once(tmp_path / "b", slower) / "by").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
