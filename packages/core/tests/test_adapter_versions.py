"""A framework's release outside the tested range is said aloud; one inside it is not."""

import warnings
from importlib import metadata

import pytest

from guerdon.adapters import versions


@pytest.fixture
def installed(monkeypatch):
    def set_(version):
        monkeypatch.setattr(versions, "version", lambda name: version)

    return set_


@pytest.mark.parametrize("version", ["0.4", "0.4.0", "0.4.7", "0.4.1rc2", "0.4.2+cpu"])
def test_a_tested_release_is_taken_in_silence(installed, version):
    installed(version)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check("verifiers", "0.4", "0.5")


@pytest.mark.parametrize("version", ["0.3.9", "0.5", "0.5.0", "0.10.0", "1.0"])
def test_another_release_is_warned_of_with_the_tested_range(installed, version):
    """0.10 is above 0.5: numbers are compared, and not text."""
    installed(version)
    with pytest.warns(RuntimeWarning, match=rf"verifiers {version} is installed.*0\.4 <= verifiers < 0\.5"):
        versions.check("verifiers", "0.4", "0.5")


def test_nothing_is_said_of_what_is_not_installed(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", absent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check("verifiers", "0.4", "0.5")
