"""The plugin system from outside: distributions as pip would leave them, and what becomes of a broken one."""

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from guerdon.plugins.catalog import Catalog, Problem

HEAD = "from guerdon.plugins import hookimpl\n"


class Site:
    """A folder that stands for site-packages."""

    def __init__(self, folder: Path):
        self.folder = folder

    def install(self, distribution: str, plugin: str) -> None:
        """Leave a distribution whose plugin module has the text `plugin`."""
        module = distribution.replace("-", "_")
        (self.folder / f"{module}_plugin.py").write_text(plugin)
        info = self.folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[guerdon]\nmain = {module}_plugin\n")

    def catalog(self) -> Catalog:
        """What these distributions offer, and nobody else's."""
        found: list[Distribution] = list(distributions(path=[str(self.folder)]))
        return Catalog(point for each in found for point in each.entry_points)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Site(tmp_path)
    for name in [name for name in sys.modules if name.endswith("_plugin")]:
        del sys.modules[name]


def offering(*names: str, kind: str = "rewards") -> str:
    lines = "".join(f"    register({name!r}, 'json:loads', summary='a loader')\n" for name in names)
    return f"{HEAD}@hookimpl\ndef guerdon_{kind}(register):\n{lines}"


def test_a_distribution_offers_a_name_and_is_named_with_it(site):
    site.install("acme-rewards", offering("acme/loads-v1"))
    (entry,) = site.catalog().entries("rewards")
    assert (entry.name, entry.target, entry.summary) == ("acme/loads-v1", "json:loads", "a loader")
    assert entry.distribution == "acme-rewards"


def test_what_a_name_points_at_is_imported_when_asked_for_and_not_before(site):
    (site.folder / "acme_heavy.py").write_text("VALUE = 42\n")
    site.install(
        "acme", f"{HEAD}@hookimpl\ndef guerdon_tasks(register):\n    register('acme/t-v1', 'acme_heavy:VALUE')\n"
    )
    catalog = site.catalog()
    assert "acme_heavy" not in sys.modules
    assert catalog.load("tasks", "acme/t-v1") == 42
    del sys.modules["acme_heavy"]


def test_two_distributions_that_claim_one_name_are_both_named_and_other_names_still_work(site):
    site.install("acme", offering("x/same-v1", "x/mine-v1"))
    site.install("zenith", offering("x/same-v1"))
    catalog = site.catalog()
    with pytest.raises(Exception, match=r"(?s)'x/same-v1'.*acme .*zenith") as raised:
        catalog.find("rewards", "x/same-v1")
    assert type(raised.value).__name__ == "PluginError"
    assert [entry.name for entry in catalog.entries("rewards")] == ["x/mine-v1"]
    (problem,) = catalog.problems
    assert problem.distribution == "acme and zenith"


def test_a_name_claimed_twice_within_one_distribution_is_a_conflict_too(site):
    site.install("acme", offering("x/same-v1", "x/same-v1"))
    (problem,) = site.catalog().problems
    assert problem.distribution == "acme"
    assert "x/same-v1" in problem.what


def test_the_same_name_for_a_task_and_a_reward_is_no_conflict(site):
    site.install("acme", offering("x/same-v1") + offering("x/same-v1", kind="tasks").removeprefix(HEAD))
    catalog = site.catalog()
    assert not catalog.problems
    assert catalog.find("tasks", "x/same").kind == "tasks"


def test_a_plugin_that_fails_to_import_is_listed_with_its_reason_and_the_others_survive(site):
    site.install("acme", "raise RuntimeError('no licence found')\n")
    site.install("broken-exit", "raise SystemExit(3)\n")
    site.install("zenith", offering("x/fine-v1"))
    catalog = site.catalog()
    assert [entry.name for entry in catalog.entries("rewards")] == ["x/fine-v1"]
    assert [problem.distribution for problem in catalog.problems] == ["acme", "broken-exit"]
    assert "RuntimeError: no licence found" in catalog.problems[0].what


def test_a_misspelt_hook_is_reported_with_the_one_that_was_meant(site):
    site.install("acme", offering("x/a-v1", kind="reward"))
    (problem,) = site.catalog().problems
    assert problem.distribution == "acme"
    assert "'guerdon_reward'" in problem.what
    assert "did you mean 'guerdon_rewards'?" in problem.what


def test_one_misspelt_hook_does_not_hide_the_next(site):
    site.install("acme", offering("x/a-v1", kind="reward"))
    site.install("zenith", offering("x/a-v1", kind="recipe"))
    assert [problem.distribution for problem in site.catalog().problems] == ["acme", "zenith"]


def test_a_hook_without_its_mark_is_reported(site):
    site.install("acme", "def guerdon_rewards(register):\n    register('x/a-v1', 'json:loads')\n")
    (problem,) = site.catalog().problems
    assert "@hookimpl" in problem.what


def test_a_hook_with_a_foreign_argument_is_reported(site):
    site.install("acme", f"{HEAD}@hookimpl\ndef guerdon_rewards(registry):\n    pass\n")
    (problem,) = site.catalog().problems
    assert problem.distribution == "acme"
    assert "registry" in problem.what


def test_a_hook_that_raises_keeps_what_it_registered_before(site):
    site.install("acme", offering("x/a-v1") + "    1 / 0\n")
    catalog = site.catalog()
    assert [entry.name for entry in catalog.entries("rewards")] == ["x/a-v1"]
    assert "ZeroDivisionError" in catalog.problems[0].what


@pytest.mark.parametrize(
    ("name", "target"), [("two words", "json:loads"), ("", "json:loads"), ("x/a-v1", "json.loads"), ("x/a-v1", 7)]
)
def test_a_name_or_a_target_of_the_wrong_form_is_reported(site, name, target):
    site.install("acme", f"{HEAD}@hookimpl\ndef guerdon_rewards(register):\n    register({name!r}, {target!r})\n")
    catalog = site.catalog()
    assert catalog.entries("rewards") == []
    assert catalog.problems[0].distribution == "acme"


def test_a_problem_reads_as_who_and_what():
    assert str(Problem("acme", "its plugin fails")) == "acme: its plugin fails"
