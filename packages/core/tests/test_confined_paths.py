"""No name leads out of the folder it is looked up in."""

import pytest

from guerdon.confined_paths import path_within


def test_a_name_within_is_a_path_whether_anything_is_there_or_not(tmp_path):
    assert path_within(tmp_path, "a/b.png") == tmp_path.resolve() / "a/b.png"
    assert path_within(tmp_path, "a/../b.png") == tmp_path.resolve() / "b.png"


@pytest.mark.parametrize("name", ["../b.png", "a/../../b.png", "/etc/passwd", "a\0b"])
def test_a_name_that_leads_out_or_is_none_is_no_path(tmp_path, name):
    assert path_within(tmp_path, name) is None


def test_links_are_followed_first(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret").write_text("")
    (home / "out").symlink_to(tmp_path / "secret")
    (home / "in").symlink_to(home / "real")
    (home / "round").symlink_to(home / "round")
    assert path_within(home, "out") is None
    assert path_within(home, "in") == (home / "real").resolve()
    assert path_within(home, "round") in (None, home.resolve() / "round")  # by the version of Python
    (tmp_path / "homes").mkdir()
    assert path_within(home, "../homes") is None  # a name that begins like the folder's
