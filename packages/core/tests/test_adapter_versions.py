"""A framework's release outside the tested range is said aloud; one inside it is not."""

import re
import sys
import tomllib
import warnings
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from guerdon.adapters import versions
from guerdon.errors import ConfigError

ROOT = Path(__file__).parents[3]


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
        versions.check("verifiers")


@pytest.mark.parametrize("version", ["0.3.9", "0.5", "0.5.0", "0.10.0", "1.0"])
def test_another_release_is_warned_of_with_the_tested_range(installed, version):
    """0.10 is above 0.5: numbers are compared, and not text."""
    installed(version)
    with pytest.warns(RuntimeWarning, match=rf"verifiers {version} is installed.*0\.4 <= verifiers < 0\.5"):
        versions.check("verifiers")


def test_nothing_is_said_of_what_is_not_installed(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", absent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check("verifiers")


def test_what_nothing_works_without_is_asked_for_by_its_extra(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", absent)
    with pytest.raises(ConfigError, match=r"verifiers is not installed: pip install 'guerdon\[verifiers\]'"):
        versions.check("verifiers", needed=True)


# -- the one table -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", versions.TESTED)
def test_a_range_is_of_one_release_at_least(name):
    low, high = map(versions._numbers, versions.TESTED[name])
    assert low < high


@pytest.mark.parametrize("name", [name for name in versions.TESTED if name != "openrlhf"])
def test_an_extra_begins_with_what_was_tested_and_the_pin_and_the_pages_are_within(name):
    """OpenRLHF has no extra: it cannot be installed without a GPU."""
    low, high = versions.TESTED[name]
    extras = tomllib.loads((ROOT / "packages/core/pyproject.toml").read_text())["project"]["optional-dependencies"]
    [wanted] = [each for each in extras[name] if re.match(rf"{name}\b", each)]
    assert re.search(r">=([\d.]+)", wanted)[1] == low
    pins = re.findall(rf"^{name}==([\d.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    for pin in pins:
        assert versions._numbers(low) <= versions._numbers(pin) < versions._numbers(high)
    for page in ("docs/adapters.md", f"docs/adapters/{name}.md"):
        assert re.search(rf"\b{name} {re.escape(low)}", (ROOT / page).read_text(), re.IGNORECASE), page


def test_ray_is_looked_at_in_a_cluster_of_somebody_elses_too(installed, monkeypatch):
    from guerdon.adapters.ray.cluster import connected

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: True))
    installed("2.41.0")
    with pytest.warns(RuntimeWarning, match=r"ray 2\.41\.0 is installed.*2\.60 <= ray < 2\.61"):
        connected(1)
