"""Finding names: versions, near misses, names of this process."""

import json

import pytest

from guerdon.errors import ConfigError, PluginError, UnknownName
from guerdon.plugins.catalog import LOCAL, Catalog, catalog, register_local, singular


@pytest.fixture
def names():
    found = Catalog([])
    for version in ("v1", "v2", "v10", "v9"):
        found.register_local("rewards", f"sql/execution-{version}", "json:loads")
    found.register_local("rewards", "sql/soft-f1-v1", "json:dumps")
    return found


def test_without_a_version_the_newest_is_meant(names):
    """As numbers, 10 > 9 > 2 > 1; as text "v9" would win."""
    assert names.find("rewards", "sql/execution").name == "sql/execution-v10"


def test_an_old_version_stays_reachable(names):
    assert names.find("rewards", "sql/execution-v1").name == "sql/execution-v1"


def test_versions_are_listed_in_order(names):
    assert [entry.name for entry in names.entries("rewards")] == [
        "sql/execution-v1",
        "sql/execution-v2",
        "sql/execution-v9",
        "sql/execution-v10",
        "sql/soft-f1-v1",
    ]


def test_an_unknown_name_comes_with_the_nearest_match_and_the_count(names):
    with pytest.raises(UnknownName) as raised:
        names.find("rewards", "sql/softf1")
    assert str(raised.value) == "no reward named 'sql/softf1' among the 5 installed. Did you mean 'sql/soft-f1-v1'?"


def test_a_version_that_does_not_exist_is_unknown(names):
    with pytest.raises(UnknownName):
        names.find("rewards", "sql/soft-f1-v2")


def test_a_name_of_another_kind_is_unknown(names):
    with pytest.raises(UnknownName, match="no task named"):
        names.find("tasks", "sql/execution")


def test_an_unknown_kind_says_which_there_are(names):
    with pytest.raises(ConfigError, match="rewards, transforms, tasks"):
        names.entries("reward")


def test_load_gives_the_object(names):
    assert names.load("rewards", "sql/execution") is json.loads


@pytest.mark.parametrize(
    ("target", "said"), [("no_such_module:x", "No module named"), ("json:nothing", "no attribute 'nothing'")]
)
def test_a_target_that_does_not_load_names_distribution_name_and_target(target, said):
    found = Catalog([])
    found.register_local("tasks", "x/y-v1", target)
    with pytest.raises(PluginError) as raised:
        found.load("tasks", "x/y")
    for word in (LOCAL, "x/y-v1", target, said):
        assert word in str(raised.value)


def test_an_object_of_this_process_is_found_by_name_and_registering_again_replaces_it():
    found = Catalog([])
    found.register_local("tasks", "mine/t-v1", {"first": 1})
    found.register_local("tasks", "mine/t-v1", {"second": 2})
    assert found.load("tasks", "mine/t") == {"second": 2}
    assert not found.problems


def test_a_local_name_cannot_take_an_installed_one():
    with pytest.raises(PluginError, match="'list' is claimed by guerdon"):
        register_local("commands", "list", print)


def test_a_local_name_of_the_wrong_form_is_refused():
    found = Catalog([])
    with pytest.raises(ConfigError, match="domain/thing-v1"):
        found.register_local("tasks", "two words", print)
    with pytest.raises(ConfigError, match="module:attribute"):
        found.register_local("tasks", "x/y-v1", "json.loads")


def test_core_offers_its_commands_by_its_own_hooks():
    assert catalog().find("commands", "train").distribution == "guerdon"


def test_one_of_a_kind_has_a_word():
    assert [singular(kind) for kind in ("rewards", "policies")] == ["reward", "policy"]
