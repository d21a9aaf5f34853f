"""An adapter says when the installed trainer is none it was tested with."""

import importlib.metadata
import warnings

import pytest

from guerdon.adapters.versions import check


def release(monkeypatch, version):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)


@pytest.mark.parametrize("version", ["1.16", "1.16.0", "1.16.3", "1.17rc1", "1.19.9+cpu"])
def test_a_release_within_the_range_is_silent(monkeypatch, version):
    release(monkeypatch, version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check("trl", "1.16", "1.20")


@pytest.mark.parametrize("version", ["1.15.9", "1.9", "1.20", "1.20.0", "2.0"])
def test_a_release_outside_is_named_with_the_range(monkeypatch, version):
    release(monkeypatch, version)
    with pytest.warns(RuntimeWarning, match=rf"trl {version} is installed; .* trl >=1\.16,<1\.20"):
        check("trl", "1.16", "1.20")


def test_a_trainer_that_is_not_installed_is_nobodys_fault():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check("no-such-distribution", "1", "2")
