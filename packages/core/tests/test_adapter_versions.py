"""A release that no adapter was tested with is warned of, and nothing else is."""

import warnings

import pytest

from guerdon.adapters import versions


@pytest.fixture
def installed(monkeypatch):
    def choose(release):
        monkeypatch.setattr(versions, "version", lambda distribution: release)

    return choose


@pytest.mark.parametrize("release", ["1.16", "1.16.0", "1.16.9", "1.16.0rc1", "1.16.1+cpu", "1.16.3.dev0"])
def test_a_tested_release_is_silent(installed, release):
    installed(release)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check("trl", "1.16", "1.17")


@pytest.mark.parametrize("release", ["1.15.9", "1.17", "1.17.0", "1.100", "2.0"])
def test_any_other_is_named_with_the_tested_range(installed, release):
    installed(release)
    with pytest.warns(RuntimeWarning, match=rf"trl {release} is installed; .* 1\.16 up to, not including, 1\.17"):
        versions.check("trl", "1.16", "1.17")


def test_one_that_is_not_installed_is_left_to_the_import():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check("no-such-distribution-anywhere", "1", "2")
