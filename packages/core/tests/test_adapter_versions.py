"""A release that an adapter was not tested with is named, with the range that was."""

import warnings

import pytest

from guerdon.adapters import versions


@pytest.mark.parametrize("found", ["1.16.0", "1.16", "1.16.9", "1.16.2+cpu", "1.16.3.dev1"])
def test_a_tested_release_is_passed_over(found, monkeypatch):
    monkeypatch.setattr(versions, "version", lambda _: found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check("trl", "1.16", "1.17")


@pytest.mark.parametrize("found", ["1.15.9", "1.17", "1.17.0", "2.0", "1.9"])
def test_another_release_is_warned_of_with_the_tested_range(found, monkeypatch):
    monkeypatch.setattr(versions, "version", lambda _: found)
    with pytest.warns(RuntimeWarning, match=rf"trl {found} is installed.* from 1\.16 up to, and without, 1\.17"):
        versions.check("trl", "1.16", "1.17")


def test_what_is_not_installed_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check("no-such-distribution-at-all", "1", "2")
